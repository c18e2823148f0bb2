//! `mirrorscope send`, run as a user runs it: what it writes is read back by ourselves and by others, what it
//! sends is answered by an appliance made for the test, and it sends nowhere it should not.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip, tool};
use serde_json::Value;

fn mirrorscope<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(mirrorscope_bin()).args(arguments).output().expect("the program starts")
}

/// Runs `send` with words and paths, and reads its JSON summary.
fn send(words: &str) -> (Value, Output) {
    let output = mirrorscope(["send", "--json"].into_iter().chain(words.split_whitespace()));
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (json, output)
}

/// A path for this test alone, without spaces.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("send");
    fs::create_dir_all(&folder).expect("a folder for scratch files");
    folder.join(name)
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The standard output of a program that may not be installed.
fn other(program: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let Some(path) = tool(program) else {
        skip(&format!("{program} is not installed: apt-get install {program}"));
        return None;
    };
    let output = Command::new(path).args(arguments).output().expect("an installed program starts");
    Some(lines(&output))
}

/// Packets by VNI, as `mirrorscope sessions` counts them; inline packets under 0.
fn sessions(path: &str) -> BTreeMap<u64, u64> {
    let output = mirrorscope(["sessions", "--json", path]);
    let mut counts = BTreeMap::new();
    for line in lines(&output) {
        let row: Value = serde_json::from_str(&line).expect("a JSON object a line");
        *counts.entry(row["vni"].as_u64().unwrap_or(0)).or_default() += row["packets"].as_u64().unwrap();
    }
    counts
}

#[test]
fn the_same_seed_writes_the_same_file_and_another_does_not() {
    for extension in ["pcap", "pcapng"] {
        let written = |seed: u64, name: &str| {
            let path = scratch(&format!("{name}.{extension}"));
            let faults = "--loss 0.05 --reorder 0.1 --duplicate 0.05 --corrupt 0.02 --truncate 0.02";
            let shape = "--packets 3000 --flows 100 --sessions 3 --inline 0.2 --ipv6 0.3 --vlan 0.1";
            send(&format!("--generate {shape} {faults} --seed {seed} -w {}", path.display()));
            fs::read(path).expect("the file was written")
        };
        let first = written(7, "same-a");
        assert!(first.len() > 500_000);
        assert!(first == written(7, "same-b"), "{extension}: the same seed, other octets");
        assert!(first != written(8, "same-c"), "{extension}: another seed, the same octets");
    }
}

#[test]
fn there_are_as_many_flows_as_asked_for_and_packets_enough_for_them() {
    let path = scratch("many-flows.pcap");
    let path = path.to_str().unwrap();
    // More than the packets that are made where nothing is said, and than the hosts and ports of one kind.
    let (report, _) = send(&format!("--generate --small --flows 150000 -w {path}"));
    assert_eq!(report["sent"], 150_000);
    let output = mirrorscope(["flows", "--json", "--max-flows", "200000", path]);
    assert_eq!(lines(&output).len(), 150_000);
    let (report, _) = send(&format!("--generate --packets 30 -w {path}"));
    assert_eq!(report["sent"], 30);
    assert_eq!(lines(&mirrorscope(["flows", "--json", path])).len(), 30);

    let (_, output) = send(&format!("--generate --flows 31 --packets 30 -w {path}"));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("31 flows cannot be made of 30 packets"), "{message}");
    assert!(message.contains("--packets 31 or more"), "{message}");
}

#[test]
fn others_read_the_same_packets_and_vnis() {
    let path = scratch("others.pcap");
    let path = path.to_str().unwrap();
    let (report, _) = send(&format!(
        "--generate --packets 4000 --flows 300 --sessions 6 --endpoints 2 --vni 700 --mirror-ipv6 0.5 --inline 0.2 -w {path}"
    ));
    let ours = sessions(path);
    assert_eq!(ours.values().sum::<u64>(), 4000);
    assert_eq!(ours.keys().copied().collect::<Vec<_>>(), [0, 700, 701, 702]);
    assert_eq!(report["inline"], ours[&0]);

    if let Some(lines) = other("tshark", &["-r", path, "-T", "fields", "-e", "vxlan.vni"]) {
        let mut theirs = BTreeMap::new();
        for line in lines {
            *theirs.entry(line.trim().parse().unwrap_or(0)).or_default() += 1;
        }
        assert_eq!(theirs, ours);
    }
    if let Some(lines) = other("tcpdump", &["-nn", "-r", path]) {
        let headers = lines.iter().filter(|line| line.contains("Geneve, Flags [none], vni 0x0")).count();
        assert_eq!(headers, 4000);
        for (vni, packets) in ours.iter().filter(|(vni, _)| **vni != 0) {
            let wanted = format!("VXLAN, flags [I] (0x08), vni {vni}");
            assert_eq!(lines.iter().filter(|line| line.ends_with(&wanted)).count() as u64, *packets);
        }
    }
}

#[test]
fn others_find_every_checksum_right() {
    let path = scratch("checksums.pcap");
    let path = path.to_str().unwrap();
    send(&format!("--generate --packets 3000 --flows 200 --ipv6 0.4 --vlan 0.2 -w {path}"));
    let options = [
        "ip.check_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "udp.check_checksum:TRUE",
        // A UDP checksum of 0 means none, as VXLAN has it.
        "tcp.desegment_tcp_streams:FALSE",
    ];
    let mut arguments = vec!["-r", path];
    arguments.extend(options.iter().flat_map(|option| ["-o", option]));
    let bad = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 \
               || icmp.checksum.status == 0 || icmpv6.checksum.status == 0";
    arguments.extend(["-Y", bad]);
    if let Some(found) = other("tshark", &arguments) {
        assert_eq!(found, [""; 0], "packets with a bad checksum");
    }
}

#[test]
fn faults_happen_to_the_stated_shares() {
    let path = scratch("faults.pcapng");
    let share = |fault: &str| {
        let (report, _) =
            send(&format!("--generate --packets 5000 --flows 50 --{fault} 0.1 -w {}", path.display()));
        let output = mirrorscope(["read", "--count", path.to_str().unwrap()]);
        let read: u64 = lines(&output)[0].split(' ').next().unwrap().parse().unwrap();
        assert_eq!(report["sent"], read);
        (report["faults"].clone(), read)
    };
    // A tenth of 5,000, and more than five standard deviations (21) either way.
    let near = |count: &Value| (390..=610).contains(&count.as_u64().unwrap());
    let (faults, read) = share("loss");
    assert!(near(&faults["lost"]) && read == 5000 - faults["lost"].as_u64().unwrap());
    let (faults, read) = share("duplicate");
    assert!(near(&faults["duplicated"]) && read == 5000 + faults["duplicated"].as_u64().unwrap());
    for (fault, name) in [("reorder", "reordered"), ("corrupt", "corrupted"), ("truncate", "truncated")] {
        let (faults, read) = share(fault);
        assert!(near(&faults[name]) && read == 5000, "{fault}: {faults}");
    }
}

#[test]
fn a_capture_is_wrapped_anew_whether_it_has_tunnels_or_not() {
    let (mirrored, inner, again) = (scratch("first.pcapng"), scratch("inner.pcapng"), scratch("again.pcap"));
    let [mirrored, inner, again] = [&mirrored, &inner, &again].map(|path| path.to_str().unwrap());
    send(&format!("--generate --packets 500 --flows 20 --vni 5 -w {mirrored}"));
    mirrorscope(["read", "-w", inner, mirrored]);
    for source in [mirrored, inner] {
        let (report, _) = send(&format!("{source} --vni 42 -w {again}"));
        assert_eq!(report["sent"], 500);
        assert_eq!(sessions(again), BTreeMap::from([(42, 500)]), "{source}");
        let text = |path: &str| {
            let output = mirrorscope(["read", "--utc", "--json", path]);
            lines(&output)
                .iter()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["tcp"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(text(again), text(mirrored));
    }
}

#[test]
fn a_packet_length_shows_as_cut_packets() {
    let path = scratch("cut.pcap");
    send(&format!("--generate --packets 1000 --flows 20 --packet-length 100 -w {}", path.display()));
    let output = mirrorscope(["sessions", "--json", path.to_str().unwrap()]);
    let row: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cut = row["truncated"].as_u64().unwrap();
    assert!((200..900).contains(&cut), "{row}");
}

#[test]
fn a_capture_on_standard_output_leaves_the_summary_to_standard_error() {
    let output = mirrorscope("send --generate --packets 10 --flows 2 -w -".split(' '));
    assert_eq!(output.stdout[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("sent 10 packets"));
}

#[test]
fn nothing_is_sent_beyond_loopback_without_the_address_said_twice() {
    for arguments in ["--to 192.0.2.1", "--to 0.0.0.0", "--to 192.0.2.1 --yes-send-to 192.0.2.2"] {
        let (_, output) = send(&format!("--generate --count 1 {arguments}"));
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("refused to send") && message.contains("--yes-send-to"), "{message}");
    }
    let (_, output) = send("--generate --count 1");
    assert_eq!(output.status.code(), Some(1), "a goal is required");
}

#[test]
fn what_would_mean_nothing_is_refused_and_said() {
    let path = scratch("plain.pcap");
    let path = path.to_str().unwrap();
    send(&format!("--generate --packets 10 -w {path}"));
    let refusals = [
        // Options of made-up traffic beside a capture.
        (format!("{path} --flows 5 -w -"), "cannot be used with"),
        (format!("{path} --ipv6 0.5 -w -"), "cannot be used with"),
        ("--generate --flows 0 -w -".to_owned(), "--flows"),
        ("--generate --loss 1.1 -w -".to_owned(), "a share is from 0 to 1"),
        ("--generate --to 127.0.0.1:0".to_owned(), "port 0"),
        ("--generate --to localhost".to_owned(), "not an IP address"),
        // They would seem to come back, because the sender listens where it sends to.
        ("--generate --inline 0.5 --to 127.0.0.1 --from 127.0.0.1".to_owned(), "to itself"),
    ];
    for (words, said) in refusals {
        let (report, output) = send(&words);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!((report, output.status.code()), (Value::Null, Some(1)), "{words}: {message}");
        assert!(message.contains(said), "{words}: {message}");
    }
}

#[test]
fn sessions_whose_vnis_would_not_fit_are_refused() {
    let (_, output) = send("--generate --count 1 --vni 16777215 --sessions 2 -w -");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("VNI 16777216") && message.contains("hint: "), "{message}");
}

#[test]
fn a_rate_and_a_duration_are_kept() {
    let sink = UdpSocket::bind("127.0.0.41:0").unwrap();
    let to = sink.local_addr().unwrap();
    let start = Instant::now();
    let (report, _) = send(&format!("--generate --packets 400 --flows 10 --rate 2000 --to {to}"));
    assert_eq!(report["sent"], 400);
    assert!(start.elapsed() >= Duration::from_millis(199));

    let start = Instant::now();
    let (report, _) =
        send(&format!("--generate --packets 1000000 --flows 10 --rate 10 --duration 0.3 --to {to}"));
    assert!((1..=4).contains(&report["sent"].as_u64().unwrap()), "{report}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// What an appliance does to the datagram that it gives back.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    Right,
    ChangesTheCookie,
    ChangesThePacket,
    SwapsThePorts,
    ReturnsMirrored,
    LosesHalf,
}

/// An appliance on an address of its own: inline packets go back as GWLB wants them, by a socket for each of
/// its source ports; mirrored ones are swallowed.
struct Appliance {
    to: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Appliance {
    fn start(address: Ipv4Addr, habit: Habit) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let to = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(&socket, habit, &stopped));
        Self { to, stop, thread: Some(thread) }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(socket: &UdpSocket, habit: Habit, stop: &AtomicBool) {
    let local = socket.local_addr().unwrap();
    let (mut replies, mut buffer, mut number) = (HashMap::new(), [0; 9216], 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok((len, peer)) = socket.recv_from(&mut buffer) else { continue };
        let datagram = &mut buffer[..len];
        let is_mirrored =
            datagram[40] == 0x45 && datagram[49] == 17 && datagram[62..64] == 4789u16.to_be_bytes();
        number += u64::from(!is_mirrored);
        if is_mirrored != (habit == Habit::ReturnsMirrored) || (habit == Habit::LosesHalf && number % 2 == 0)
        {
            continue;
        }
        match habit {
            Habit::ChangesTheCookie => datagram[39] ^= 1,
            Habit::ChangesThePacket => datagram[len - 1] ^= 1,
            _ => {}
        }
        let port = if habit == Habit::SwapsThePorts { local.port() } else { peer.port() };
        let reply = replies.entry(port).or_insert_with(|| match UdpSocket::bind((local.ip(), port)) {
            Ok(own) => own,
            Err(_) => socket.try_clone().unwrap(),
        });
        reply.send_to(datagram, (peer.ip(), local.port())).unwrap();
    }
}

/// Sends so little that it fits into a socket's buffer, however late a loaded machine looks there.
fn round_trip(host: u8, habit: Habit) -> (Value, Option<i32>) {
    let appliance = Appliance::start(Ipv4Addr::new(127, 0, 1, host), habit);
    let (to, from) = (appliance.to, format!("127.0.2.{host}"));
    let shape = "--generate --small --packets 200 --flows 20 --inline 0.5 --ipv6 0.3 --rate 2000 --wait 0.5";
    let (report, output) = send(&format!("{shape} --to {to} --from {from}"));
    (report, output.status.code())
}

#[test]
fn inline_packets_come_back_intact_and_mirrored_ones_never() {
    let (report, status) = round_trip(1, Habit::Right);
    let returned = &report["returned"];
    assert_eq!(status, Some(0), "{report}");
    assert!(report["inline"].as_u64().unwrap() > 40, "{report}");
    assert_eq!(
        (&returned["expected"], &returned["intact"]),
        (&report["inline"], &report["inline"]),
        "{report}"
    );
    for wrong in ["lost", "header_changed", "port_changed", "unknown", "mirrored"] {
        assert_eq!(returned[wrong], 0, "{wrong}: {report}");
    }
    let latency = &returned["latency_ns"];
    assert!(latency["min"].as_u64().unwrap() > 0 && latency["p50"].as_u64() <= latency["max"].as_u64());
}

#[test]
fn what_gwlb_would_drop_is_found() {
    let habits = [
        (2, Habit::ChangesTheCookie, "header_changed"),
        (3, Habit::ChangesThePacket, "unknown"),
        (4, Habit::SwapsThePorts, "port_changed"),
        (5, Habit::ReturnsMirrored, "mirrored"),
    ];
    for (host, habit, count) in habits {
        let (report, status) = round_trip(host, habit);
        assert_eq!(status, Some(1), "{count}: {report}");
        assert!(report["returned"][count].as_u64().unwrap() > 40, "{count}: {report}");
        assert_eq!(report["returned"]["intact"], 0, "{count}: {report}");
    }
}

#[test]
fn packets_damaged_on_purpose_may_come_back_as_they_were_sent() {
    let appliance = Appliance::start(Ipv4Addr::new(127, 0, 1, 7), Habit::Right);
    let faults = "--corrupt 0.2 --duplicate 0.1 --reorder 0.1 --loss 0.1";
    let shape = "--generate --small --packets 300 --flows 20 --inline 1 --rate 2000 --wait 0.5";
    let (report, output) = send(&format!("{shape} {faults} --to {} --from 127.0.2.7", appliance.to));
    let returned = &report["returned"];
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(returned["expected"], returned["intact"], "{report}");
    assert_eq!((&returned["lost"], &returned["unknown"]), (&0.into(), &0.into()), "{report}");
    assert!(returned["damaged"].as_u64().unwrap() > 20, "{report}");
    assert!(report["faults"]["lost"].as_u64().unwrap() > 10, "{report}");
}

#[test]
fn packets_that_never_come_back_count_as_lost() {
    let (report, status) = round_trip(6, Habit::LosesHalf);
    let (lost, expected) = (&report["returned"]["lost"], report["inline"].as_u64().unwrap());
    assert_eq!(lost, expected / 2);
    assert_eq!(status, Some(0), "loss is reported, not judged");
}
