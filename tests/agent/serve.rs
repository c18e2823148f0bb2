//! `mirrorscope serve` end to end over loopback: what it counts, hands on and returns, how it stops, and what it
//! does when everything around it misbehaves.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip};

#[path = "running.rs"]
mod running;
use running::{Agent, count, flows, get, is_root, read_stream, scratch, send, wait_for};

#[test]
fn every_datagram_is_counted_once_whatever_is_wrong_with_it() {
    let (json, capture) = (scratch("sums.json"), scratch("sums.pcapng"));
    let words =
        format!("--workers 3 --json {} --write {} --drain-quiet 1", json.display(), capture.display());
    let mut agent = Agent::start(&words);
    let faults = "--corrupt 0.1 --truncate 0.1 --duplicate 0.05 --reorder 0.1 --loss 0.05";
    let (summary, _) = send(
        &agent.udp,
        &format!("--packets 20000 --sessions 5 --endpoints 3 --inline 0.2 --ipv6 0.2 --rate 40000 {faults}"),
    );
    let sent = summary["sent"].as_u64().expect("a summary");
    agent.settle(sent);
    agent.assert_sums();
    assert_eq!(agent.counter("received"), sent);
    assert!(agent.counter("malformed") > 100 && agent.counter("undecodable") > 100);
    let decoded = agent.counter("decoded");
    agent.signal("TERM");
    assert!(agent.wait().success());
    assert_eq!(fs::read_to_string(&json).unwrap().lines().count() as u64, decoded);
    assert_eq!(count(&capture), decoded);
}

#[test]
fn the_flows_of_four_workers_are_those_of_one_capture() {
    let agent = Agent::start("--workers 4");
    let words =
        "--packets 20000 --flows 400 --sessions 6 --endpoints 2 --inline 0.2 --ipv6 0.3 --vlan 0.3 --seed 5";
    send(&agent.udp, &format!("{words} --rate 40000"));
    agent.settle(20_000);
    let file = scratch("flows.pcap");
    let output = Command::new(mirrorscope_bin())
        .args(["send", "--quiet", "--generate", "-w"])
        .arg(&file)
        .args(words.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success());
    let output = Command::new(mirrorscope_bin()).args(["flows", "--json"]).arg(&file).output().unwrap();
    let offline = flows(&String::from_utf8_lossy(&output.stdout));
    let live = flows(&agent.get("/v1/flows?limit=100000&ended=true").1);
    assert!(offline.len() > 300);
    assert_eq!(offline.difference(&live).next(), None);
    assert_eq!(live.difference(&offline).next(), None);
}

#[test]
fn a_request_to_stop_makes_it_unhealthy_at_once_and_loses_nothing() {
    let capture = scratch("drain.pcapng");
    let mut agent = Agent::start(&format!("--workers 2 --drain-quiet 2 --write {}", capture.display()));
    assert_eq!(agent.healthy(), (200, "ok\n".to_owned()));
    let to = agent.udp.clone();
    let sender = thread::spawn(move || send(&to, "--packets 12000 --rate 6000").0);
    thread::sleep(Duration::from_millis(500));
    agent.signal("TERM");
    thread::sleep(Duration::from_millis(200));
    let (status, reason) = agent.healthy();
    assert!(status == 503 && reason.contains("draining") && reason.lines().count() == 1, "{status} {reason}");
    let sent = sender.join().unwrap()["sent"].as_u64().unwrap();
    assert!(agent.wait().success());
    assert_eq!((sent, count(&capture)), (12_000, 12_000));
    assert!(agent.talk.lock().unwrap().contains("received 12000 = decoded 12000 + malformed 0 + refused 0"));
}

#[test]
fn a_second_request_to_stop_hastens() {
    let mut agent = Agent::start("--drain-quiet 100 --drain-deadline 100");
    agent.signal("TERM");
    thread::sleep(Duration::from_millis(300));
    assert!(agent.child.try_wait().unwrap().is_none(), "it drains");
    agent.signal("TERM");
    assert!(agent.wait().success());
}

#[test]
fn after_being_killed_it_starts_again_on_the_same_port() {
    let mut agent = Agent::start("--workers 2");
    send(&agent.udp, "--packets 1000");
    agent.signal("KILL");
    agent.wait();
    let agent = Agent::start_on(&agent.udp.clone(), "--workers 2");
    send(&agent.udp, "--packets 1000 --rate 20000");
    agent.settle(1000);
    assert_eq!(agent.counter("mirrored"), 1000);
}

#[test]
fn a_full_disk_stops_one_sink_and_health_tells() {
    let json = scratch("beside.json");
    let agent = Agent::start(&format!("--json /dev/full --json {} --require-sinks", json.display()));
    assert_eq!(agent.healthy().0, 200);
    send(&agent.udp, "--packets 5000 --rate 20000");
    agent.settle(5000);
    let stats = agent.stats();
    let sink = |at: usize, key: &str| stats["sinks"][at][key].as_u64().unwrap();
    assert_eq!((sink(0, "delivered"), sink(0, "dropped")), (0, 5000), "{stats}");
    assert_eq!((sink(1, "delivered"), sink(1, "dropped")), (5000, 0), "{stats}");
    let (status, reason) = agent.healthy();
    assert!(status == 503 && reason.contains("/dev/full"), "{status} {reason}");
}

#[test]
fn a_sink_that_blocks_stops_neither_the_others_nor_the_receiving() {
    let (pipe, capture) = (scratch("pipe"), scratch("unblocked.pcapng"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let agent = Agent::start(&format!("--queue 4 --json {} --write {}", pipe.display(), capture.display()));
    send(&agent.udp, "--packets 20000 --rate 5000");
    let until = Instant::now() + Duration::from_secs(10);
    while agent.stats()["sinks"][1]["delivered"] != 20_000 {
        assert!(Instant::now() < until, "{}", agent.stats());
        thread::sleep(Duration::from_millis(50));
    }
    let stats = agent.stats();
    assert_eq!(stats["counters"]["kernel_dropped"], 0);
    assert!(stats["sinks"][0]["dropped"].as_u64().unwrap() > 1000, "{stats}");
}

#[test]
fn the_endless_capture_is_what_was_sent() {
    let agent = Agent::start("--workers 2");
    let file = scratch("live.pcapng");
    let reader = read_stream(&agent.api, "/v1/capture?outer=1", &file);
    send(&agent.udp, "--packets 10000 --rate 10000 --inline 0.1");
    agent.settle(10_000);
    thread::sleep(Duration::from_millis(300));
    drop(agent);
    reader.join().unwrap();
    let mut udp_port = Command::new(mirrorscope_bin());
    assert_eq!(count(&file), 10_000);
    let output =
        udp_port.args(["read", "--quiet", "--count"]).arg(&file).arg("outer (udp)").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("10000 "), "the outer headers are there");
}

#[test]
fn a_reader_that_never_reads_costs_packets_and_no_memory() {
    let agent = Agent::start("--workers 1 --queue 1");
    let mut stuck: Vec<_> = (0..8).map(|_| TcpStream::connect(&agent.api).unwrap()).collect();
    for stream in &mut stuck {
        write!(stream, "GET /v1/capture?outer=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    wait_for_readers(&agent, 8);
    assert_eq!(agent.get("/v1/capture").0, 503, "a ninth is refused");
    send(&agent.udp, "--packets 10000 --rate 20000");
    let before = agent.memory_len();
    send(&agent.udp, "--packets 20000 --rate 20000");
    agent.settle(30_000);
    let grown = agent.memory_len().saturating_sub(before);
    assert!(
        grown < (3 * 8) << 20,
        "it grew by {grown} octets: more than three queues for each of eight readers"
    );
    assert_eq!(agent.healthy().0, 200);
    drop(stuck);
    wait_for_readers(&agent, 0);
}

fn wait_for_readers(agent: &Agent, readers: u32) {
    let until = Instant::now() + Duration::from_secs(10);
    while !agent.get("/metrics").1.contains(&format!("mirrorscope_capture_readers {readers}")) {
        assert!(Instant::now() < until, "there never are {readers} readers: {}", agent.get("/metrics").1);
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn both_listeners_answer_among_clients_that_never_finish_their_question() {
    let agent = Agent::start("");
    // Both have places left: for the rest, a client waits until one is cut off.
    let slow: Vec<_> = [(&agent.health, 300), (&agent.api, 100)]
        .into_iter()
        .flat_map(|(address, clients)| (0..clients).map(move |_| address))
        .map(|address| {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHo");
            stream
        })
        .collect();
    for _ in 0..500 {
        assert_eq!(agent.healthy().0, 200);
    }
    for _ in 0..20 {
        assert_eq!(agent.get("/v1/stats").0, 200);
    }
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // Closed, with or without an answer that the request came too slowly.
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).is_ok());
    }
}

#[test]
fn clients_that_take_every_place_of_the_api_are_cut_off_and_health_does_not_notice() {
    let agent = Agent::start("");
    let slow: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(&agent.api).unwrap();
            let _ = stream.write_all(b"GET /v1/stats HTTP/1.1\r\n");
            stream
        })
        .collect();
    assert_eq!(agent.healthy().0, 200);
    // Its turn comes when those before it have been cut off.
    let stream = TcpStream::connect(&agent.api).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    (&stream).write_all(b"GET /v1/stats HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    (&stream).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    drop(slow);
}

#[test]
fn random_octets_at_every_port_change_nothing_but_counters() {
    let agent = Agent::start("--workers 2");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut state = 1u64;
    let mut random = |len: usize| -> Vec<u8> {
        let octet = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(octet).collect()
    };
    for number in 0..3000 {
        socket.send_to(&random(number % 1500), &agent.udp).unwrap();
    }
    for address in [&agent.health, &agent.api] {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(&random(500));
        }
    }
    agent.settle(3000);
    agent.assert_sums();
    assert_eq!(agent.healthy().0, 200);
}

#[test]
fn whoever_is_not_allowed_is_counted_and_not_decoded_and_a_reload_lets_him_in() {
    let config = scratch("agent.toml");
    fs::write(&config, "allow-from = ['10.0.0.0/8']\n").unwrap();
    let agent = Agent::start(&format!("--config {}", config.display()));
    send(&agent.udp, "--packets 500 --rate 10000");
    agent.settle(500);
    assert_eq!((agent.counter("refused_source"), agent.counter("decoded")), (500, 0));
    fs::write(&config, "allow-from = ['not a network']\n").unwrap();
    agent.signal("HUP");
    wait_for(&agent, "the old settings stay");
    fs::write(&config, "allow-from = ['127.0.0.0/8']\n").unwrap();
    agent.signal("HUP");
    wait_for(&agent, "reloaded;");
    send(&agent.udp, "--packets 500 --rate 10000");
    agent.settle(1000);
    assert_eq!((agent.counter("refused_source"), agent.counter("decoded")), (500, 500));
}

#[test]
fn the_api_asks_for_its_token_and_refuses_wrong_questions() {
    let token = scratch("token");
    fs::write(&token, "secret\n").unwrap();
    let agent = Agent::start(&format!("--api-token-file {}", token.display()));
    assert_eq!(agent.get("/v1/stats").0, 401);
    let (wrong, right) = ("Authorization: Bearer secre\r\n", "Authorization: Bearer secret\r\n");
    assert_eq!(get(&agent.api, "/v1/stats", wrong).0, 401);
    for path in ["/v1/stats", "/v1/sessions", "/v1/flows", "/metrics", "/openapi.yaml", "/health"] {
        assert_eq!(get(&agent.api, path, right).0, 200, "{path}");
    }
    for path in ["/v1/flows?filter=tcp+porrt+3", "/v1/flows?limit=0", "/v1/capture?outer=7", "/v1/flows?x=1"]
    {
        assert_eq!(get(&agent.api, path, right).0, 400, "{path}");
    }
}

#[test]
fn inline_packets_come_back_and_mirrored_ones_never() {
    if !is_root() {
        skip("returning packets takes CAP_NET_RAW: run the tests as root");
        return;
    }
    let agent = Agent::start("--workers 2 --mode auto --mirror-endpoint vpce-00a1b2c3d4e5f6071");
    let (summary, output) =
        send(&agent.udp, "--packets 4000 --rate 4000 --flows 100 --inline 0.5 --sessions 2 --ipv6 0.3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    agent.settle(4000);
    assert_eq!(agent.counter("returned"), summary["inline"].as_u64().unwrap(), "{summary}");
    assert_eq!(agent.counter("return_failed"), 0);
}

#[test]
fn a_packet_has_the_time_of_its_arrival_however_late_it_is_read() {
    for way in ["socket", "ring"] {
        if way == "ring" && !is_root() {
            skip("a packet ring takes CAP_NET_RAW: run the tests as root");
            return;
        }
        let json = scratch(&format!("times-{way}.json"));
        let agent = Agent::start(&format!("--workers 1 --receive {way} --json {}", json.display()));
        agent.signal("STOP");
        let before = seconds_of_day();
        send(&agent.udp, "--packets 20");
        let after = seconds_of_day();
        thread::sleep(Duration::from_millis(1500));
        agent.signal("CONT");
        agent.settle(20);
        let text = fs::read_to_string(json).unwrap();
        assert_eq!(text.lines().count(), 20);
        for line in text.lines() {
            let packet: serde_json::Value = serde_json::from_str(line).unwrap();
            let time = packet["time"].as_str().unwrap();
            let clock: Vec<f64> =
                time[11..time.len() - 1].split(':').map(|part| part.parse().unwrap()).collect();
            let time = clock[0] * 3600.0 + clock[1] * 60.0 + clock[2];
            // At midnight this says nothing.
            assert!(before > after || (before - 0.1..after + 0.1).contains(&time), "{before} {time} {after}");
        }
    }
}

fn seconds_of_day() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs_f64() % 86_400.0
}

#[test]
fn an_ordinary_user_receives_and_is_told_what_the_kernel_does_not_give() {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    if !is_root() {
        skip("becoming another user takes root: run the tests as root");
        return;
    }
    // Where the program was built, others may not look.
    let program = std::env::temp_dir().join(format!("mirrorscope-{}", std::process::id()));
    fs::copy(mirrorscope_bin(), &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--health", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    command.args(["--buffer", "1024", "--workers", "2"]).current_dir("/").uid(NOBODY).gid(NOBODY);
    let agent = Agent::spawn(command);
    fs::remove_file(program).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", agent.child.id())).unwrap();
    let capabilities = status.lines().find(|line| line.starts_with("CapEff:")).unwrap();
    assert!(capabilities.ends_with("0000000000000000"), "{capabilities}");
    let talk = agent.talk.lock().unwrap().clone();
    assert!(talk.contains("of receive buffer to each worker instead of 1048576 KiB"), "{talk}");
    assert!(talk.contains("sysctl -w net.core.rmem_max=1073741824"), "{talk}");
    send(&agent.udp, "--packets 1000 --rate 10000");
    agent.settle(1000);
    assert_eq!(agent.counter("mirrored"), 1000);
}
