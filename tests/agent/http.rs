//! The agent's two listeners as a load balancer, Prometheus, Wireshark and a browser meet them.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip, tool};
use serde_json::Value;

#[path = "running.rs"]
mod running;
use running::{Agent, get, said_by, scratch, send};

#[test]
fn metrics_keep_to_the_conventions_of_prometheus_and_scraping_changes_nothing() {
    let json = scratch("metrics.json");
    let agent = Agent::start(&format!("--workers 2 --json {}", json.display()));
    send(&agent.udp, "--packets 300 --rate 10000");
    agent.settle(300);
    let timeless = |text: String| -> Vec<String> {
        text.lines().filter(|line| !line.contains("uptime")).map(str::to_owned).collect()
    };
    let (first, second) = (agent.get("/metrics").1, agent.get("/metrics").1);
    assert_eq!(timeless(first.clone()), timeless(second));
    assert!(first.contains("# TYPE mirrorscope_received_packets_total counter\n"), "{first}");
    let open = get(&agent.api, "/metrics", "Accept: application/openmetrics-text\r\n").1;
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE mirrorscope_received_packets counter\n"));
    let Some(promtool) = tool("promtool") else {
        return skip(
            "names of metrics; to have it: sudo apt-get install -y --no-install-recommends prometheus",
        );
    };
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(first.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
}

#[test]
fn health_answers_any_path_and_many_at_once_in_whole_http() {
    let agent = Agent::start("");
    let mut streams: Vec<_> = (0..100).map(|_| TcpStream::connect(&agent.health).unwrap()).collect();
    for stream in &mut streams {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"GET /any/path HTTP/1.1\r\nHost: mirror.example\r\n\r\n").unwrap();
    }
    for mut stream in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
        assert!(answer.contains("content-length: 3\r\n"), "{answer}");
    }
    // Nothing else is on that listener.
    assert_eq!(get(&agent.health, "/v1/stats", "").1, "ok\n");
}

/// Pipes the endless capture into a program that ends by itself, and returns what that prints.
fn piped(agent: &Agent, path: &str, program: &mut Command, traffic: &str) -> String {
    let mut stream = TcpStream::connect(&agent.api).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut octet = [0];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).unwrap();
        head.push(octet[0]);
    }
    let mut reader =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut pipe = reader.stdin.take().unwrap();
    let pump = thread::spawn(move || {
        let _ = std::io::copy(&mut stream, &mut pipe);
    });
    send(&agent.udp, traffic);
    let until = Instant::now() + Duration::from_secs(30);
    while reader.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it never had enough packets");
        // A reader that stops early is noticed with the next packet only.
        send(&agent.udp, "--packets 20 --rate 1000");
    }
    let output = reader.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    send(&agent.udp, "--packets 20 --rate 1000");
    drop(pump);
    text
}

#[test]
fn tshark_reads_the_endless_capture_while_it_runs() {
    let Some(tshark) = tool("tshark") else {
        return skip("the live capture in tshark; to have it: sudo apt-get install -y tshark");
    };
    let agent = Agent::start("--workers 2");
    let mut program = Command::new(tshark);
    program.args([
        "-l",
        "-n",
        "-r",
        "-",
        "-c",
        "40",
        "-T",
        "fields",
        "-e",
        "tcp.dstport",
        "-e",
        "geneve.vni",
    ]);
    let text = piped(
        &agent,
        "/v1/capture?filter=tcp",
        &mut program,
        "--packets 400 --rate 4000 --flows 20 --sessions 2",
    );
    assert_eq!(text.lines().count(), 40, "{text}");
    // The mirrored frames alone: TCP, and no Geneve.
    assert!(text.lines().all(|line| line.trim().parse::<u16>().is_ok()), "{text}");
}

#[test]
fn tcpdump_reads_the_endless_capture_with_its_tunnels() {
    let Some(tcpdump) = tool("tcpdump") else {
        return skip("the live capture in tcpdump; to have it: sudo apt-get install -y tcpdump");
    };
    let agent = Agent::start("--workers 1");
    let mut program = Command::new(tcpdump);
    program.args(["-nn", "-r", "-", "-c", "20", "udp"]);
    let text = piped(&agent, "/v1/capture?outer=1", &mut program, "--packets 100 --rate 4000");
    let port = agent.udp.rsplit(':').next().unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains(&format!(".{port}: "))).collect();
    assert_eq!(lines.len(), 20, "{text}");
}

#[test]
fn a_slow_reader_is_told_in_the_stream_how_much_it_lost() {
    let agent = Agent::start("--workers 1 --queue 1");
    let mut stream = TcpStream::connect(&agent.api).unwrap();
    stream.write_all(b"GET /v1/capture?outer=1 HTTP/1.0\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    // More than the queue and the socket buffers of both ends hold.
    let sent = send(&agent.udp, "--packets 60000 --rate 60000").0["sent"].as_u64().unwrap();
    agent.settle(sent);
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut octets = Vec::new();
    let mut piece = vec![0; 1 << 20];
    while let Ok(len @ 1..) = stream.read(&mut piece) {
        octets.extend_from_slice(&piece[..len]);
    }
    // What is sent after that takes the news of the loss along.
    send(&agent.udp, "--packets 10");
    while let Ok(len @ 1..) = stream.read(&mut piece) {
        octets.extend_from_slice(&piece[..len]);
    }
    let head = octets.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap() + 4;
    let (packets, received, dropped) = blocks(&octets[head..]);
    assert!(dropped > 1000, "{dropped}");
    assert!((sent..=sent + 10).contains(&received), "{received}");
    assert_eq!(packets + dropped, sent + 10, "every packet is in the stream or counted as lost");
}

/// Packets of a pcapng stream, and the last numbers of its interface statistics: received, and dropped.
fn blocks(mut octets: &[u8]) -> (u64, u64, u64) {
    const PACKET: u32 = 6;
    const STATISTICS: u32 = 5;
    let word = |octets: &[u8], at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    let (mut packets, mut received, mut dropped) = (0, 0, 0);
    while octets.len() >= 12 {
        let (kind, len) = (word(octets, 0), word(octets, 4) as usize);
        let Some(block) = octets.get(..len) else { break };
        packets += u64::from(kind == PACKET);
        let mut at = 20;
        while kind == STATISTICS && at + 12 <= len - 4 {
            let (code, option_len) = (word(block, at) & 0xffff, (word(block, at) >> 16) as usize);
            let value = || u64::from_le_bytes(block[at + 4..at + 12].try_into().unwrap());
            match code {
                4 => received = value(),
                5 => dropped = value(),
                _ => {}
            }
            at += 4 + option_len.div_ceil(4) * 4;
        }
        octets = &octets[len..];
    }
    (packets, received, dropped)
}

#[test]
fn a_strangers_page_is_refused_and_a_socket_file_is_open_to_its_owner() {
    let agent = Agent::start("");
    let as_host = |host: &str| {
        let mut stream = TcpStream::connect(&agent.api).unwrap();
        write!(stream, "GET /v1/stats HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!((as_host("evil.example").as_str(), as_host("127.0.0.1").as_str()), ("403", "200"));
    assert_eq!(get(&agent.api, "/v1/stats", "Origin: http://evil.example\r\n").0, 403);

    let socket = scratch("api.sock");
    let _agent = Agent::start(&format!("--api unix:{}", socket.display()));
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"GET /v1/stats HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let stats: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(stats["healthy"], true);

    // A second agent must not take the first one's place.
    let second = said_by(
        Command::new(mirrorscope_bin())
            .args(["serve", "--listen", "127.0.0.1:0", "--health", "none", "--api"])
            .arg(format!("unix:{}", socket.display())),
    );
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("in use"), "{said}");
    assert!(UnixStream::connect(&socket).is_ok());
}

/// Each octet but the harmless ones as `%XX`.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|octet| format!("%{octet:02x}")).collect()
}

#[test]
fn a_hostile_filter_is_refused_and_the_agent_goes_on() {
    let agent = Agent::start("");
    let ask = |path: &str, filter: &str| agent.get(&format!("{path}?filter={}", percent_encoded(filter)));
    for path in ["/v1/flows", "/v1/capture"] {
        for filter in ["(", "not ", "1+", "\0", "é\u{202e}", "x", "9", "host ::", "1:", "geneve and "] {
            let (status, answer) = ask(path, &filter.repeat(5_000 / filter.len()));
            assert_eq!(status, 400, "{path} {filter}: {answer}");
            assert!(answer.len() < 2_000, "{path} {filter}: {} octets", answer.len());
        }
        // More than any request may have: the agent need not wait for all of it.
        let mut stream = TcpStream::connect(&agent.api).unwrap();
        let _ = write!(stream, "GET {path}?filter={} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", answer.escape_ascii());
        assert_eq!(agent.get(&format!("{path}?filter=tcp%ff%fe")).0, 400);
    }
    let (status, answer) = ask("/v1/flows", "prot 53");
    assert_eq!(status, 400);
    assert!(answer.contains("did you mean `port`?"), "{answer}");
    assert_eq!(ask("/v1/flows", "port 53").0, 200);
}

fn schemathesis() -> Option<PathBuf> {
    env::var_os("MIRRORSCOPE_SCHEMATHESIS").map(PathBuf::from).or_else(|| tool("schemathesis"))
}

#[test]
fn the_description_of_the_api_is_true_for_whatever_is_asked() {
    let Some(schemathesis) = schemathesis() else {
        return skip(
            "the API against its description; to have it: pip install schemathesis, or cargo xtask test",
        );
    };
    let agent = Agent::start("--workers 1");
    send(&agent.udp, "--packets 200 --rate 10000");
    let description = scratch("openapi.yaml");
    fs::write(&description, agent.get("/openapi.yaml").1).unwrap();
    let output = Command::new(schemathesis)
        .arg("run")
        .arg(&description)
        .args(["--url", &format!("http://{}", agent.api), "--max-examples", "8", "--max-time", "15"])
        // The capture has no end, and a filter that means nothing is refused although any text is allowed.
        .args(["--exclude-path", "/v1/capture", "--exclude-checks", "positive_data_acceptance"])
        .args(["--seed", "1", "--request-timeout", "10", "--generation-database", "none", "--no-color"])
        .current_dir(description.parent().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(agent.healthy().0, 200);
}
