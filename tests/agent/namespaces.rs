//! `mirrorscope send` as GWLB and `mirrorscope serve` as its target, a cable between them: what arrives, what goes
//! back and how, and that every packet is accounted for.
#![cfg(target_os = "linux")]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip, tool};
use serde_json::Value;

mod namespace;
#[path = "running.rs"]
mod running;

use namespace::{Cable, ENDPOINTS, GWLB, GWLB_V6, Namespace, TARGET, TARGET_V6};
use running::{Agent, flows, scratch, wait_for};

/// An agent at the target's end, whose API is a socket of the file system.
fn agent(cable: &Cable, name: &str, words: &str) -> Agent {
    let path = scratch(&format!("{name}.sock"));
    let mut command = cable.target.command(mirrorscope_bin());
    command.args(["serve", "--health", "none", "--api", &format!("unix:{}", path.display())]);
    command.args(words.split_whitespace());
    let mut agent = Agent::spawn(command);
    agent.api = path.display().to_string();
    agent
}

/// Sends from GWLB's end to `to` and returns the summary.
fn send_to(cable: &Cable, to: &str, words: &str) -> Value {
    let mut command = cable.gwlb.command(mirrorscope_bin());
    command.args(["send", "--json", "--generate", "--to", to, "--yes-send-to", to]);
    let output = command.args(words.split_whitespace()).output().expect("it starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// A capture of what passes the cable at one end.
struct Sniffer {
    child: Child,
    path: PathBuf,
}

impl Sniffer {
    fn start(namespace: &Namespace, name: &str, filter: &str) -> Option<Self> {
        let Some(tcpdump) = tool("tcpdump") else {
            skip("what passes the cable is seen with tcpdump: apt-get install tcpdump");
            return None;
        };
        let path = scratch(&format!("{name}.pcap"));
        let mut command = namespace.command(tcpdump);
        command
            .args(["-i", "cable", "-U", "-B", "65536", "-s", "0", "-w"])
            .arg(&path)
            .args(filter.split(' '));
        let child = command.stderr(Stdio::null()).spawn().expect("it starts");
        let until = Instant::now() + Duration::from_secs(10);
        // It writes the file's header when it has begun to listen.
        while fs::metadata(&path).map_or(0, |file| file.len()) < 24 {
            assert!(Instant::now() < until, "tcpdump does not begin");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, path })
    }

    /// The IPv4 datagrams that passed.
    fn finish(mut self) -> Vec<Seen> {
        thread::sleep(Duration::from_millis(500));
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        read_pcap(&self.path)
    }
}

/// A datagram as it was on the cable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    src: [u8; 4],
    dst: [u8; 4],
    src_port: u16,
    dst_port: u16,
    checksum: u16,
    payload: Vec<u8>,
}

fn read_pcap(path: &Path) -> Vec<Seen> {
    let octets = fs::read(path).expect("tcpdump wrote it");
    let mut rest = octets.get(24..).unwrap_or_default();
    let mut all = Vec::new();
    while let Some((header, behind)) = rest.split_first_chunk::<16>() {
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, behind)) = behind.split_at_checked(len) else { break };
        all.push(seen(frame));
        rest = behind;
    }
    all
}

fn seen(frame: &[u8]) -> Seen {
    let number = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    Seen {
        src: frame[26..30].try_into().unwrap(),
        dst: frame[30..34].try_into().unwrap(),
        src_port: number(34),
        dst_port: number(36),
        checksum: number(40),
        payload: frame[42..34 + usize::from(number(38))].to_vec(),
    }
}

/// Whether the packet behind Geneve's 40 octets is a mirror's: UDP to port 4789.
fn is_mirrored(payload: &[u8]) -> bool {
    let ip_len = if payload[40] >> 4 == 4 { 20 } else { 40 };
    let protocol = if ip_len == 20 { payload[49] } else { payload[46] };
    protocol == 17 && payload[40 + ip_len + 2..40 + ip_len + 4] == 4789u16.to_be_bytes()
}

#[test]
fn inline_packets_of_overlapping_tenants_come_back_as_they_were_and_mirrored_ones_never() {
    let Some(cable) = Cable::lay() else { return };
    let json = scratch("overlap.json");
    let words = format!(
        "--workers 2 --mode auto --mirror-endpoint {ENDPOINTS} --json {} --drain-quiet 1",
        json.display()
    );
    let mut agent = agent(&cable, "overlap", &words);
    let sniffer = Sniffer::start(&cable.gwlb, "overlap", "udp");
    let words = "--packets 8000 --rate 8000 --flows 300 --inline 0.5 --sessions 6 --endpoints 3";
    let summary =
        send_to(&cable, TARGET, &format!("{words} --ipv6 0.3 --mirror-ipv6 0.3 --vlan 0.1 --wait 5"));
    agent.settle(8000);
    agent.assert_sums();
    let returned = &summary["returned"];
    let inline = summary["inline"].as_u64().unwrap();
    assert!(inline > 1000, "{summary}");
    assert_eq!((&returned["expected"], &returned["intact"]), (&inline.into(), &inline.into()), "{summary}");
    assert_eq!((agent.counter("returned"), agent.counter("return_failed")), (inline, 0));
    agent.signal("TERM");
    assert!(agent.wait().success());
    assert_eq!(fs::read_to_string(json).unwrap().lines().count(), 8000);

    // What the cable saw, without a word of ours in between.
    let Some(sniffer) = sniffer else { return };
    let (there, back): (Vec<_>, Vec<_>) =
        sniffer.finish().into_iter().partition(|seen| seen.dst == [10, 99, 0, 2]);
    assert_eq!((there.len(), back.len() as u64), (8000, inline));
    let mut waiting: HashMap<_, u32> = HashMap::new();
    for seen in there {
        *waiting.entry((seen.src_port, seen.payload)).or_default() += 1;
    }
    for seen in back {
        assert_eq!((seen.src, seen.dst, seen.dst_port), ([10, 99, 0, 2], [10, 99, 0, 1], 6081));
        assert_eq!(seen.checksum, 0);
        assert!(!is_mirrored(&seen.payload));
        let place =
            waiting.get_mut(&(seen.src_port, seen.payload)).expect("it had been sent so, from that port");
        *place = place.checked_sub(1).expect("once for each time it was sent");
    }
    let missing: Vec<_> = waiting.iter().filter(|(_, count)| **count > 0).collect();
    assert!(
        missing.iter().all(|((_, payload), _)| is_mirrored(payload)),
        "an inline packet did not come back"
    );
}

#[test]
fn among_lost_late_doubled_and_damaged_packets_every_sound_one_comes_back() {
    let Some(cable) = Cable::lay() else { return };
    let agent = agent(&cable, "faults", &format!("--mode auto --mirror-endpoint {ENDPOINTS}"));
    let words = "--packets 8000 --rate 8000 --flows 200 --inline 0.4 --sessions 3 --endpoints 3 --ipv6 0.3";
    let faults = "--loss 0.05 --reorder 0.1 --duplicate 0.05 --corrupt 0.05 --truncate 0.05 --wait 5";
    let summary = send_to(&cable, TARGET, &format!("{words} {faults}"));
    let sent = summary["sent"].as_u64().unwrap();
    agent.settle(sent);
    agent.assert_sums();
    assert_eq!(agent.counter("received"), sent);
    let returned = &summary["returned"];
    assert!(returned["expected"].as_u64().unwrap() > 1000);
    assert_eq!(returned["expected"], returned["intact"], "{summary}");
    assert!(agent.counter("malformed") > 10 && agent.counter("undecodable") > 10);
    let back = agent.counter("returned") + agent.counter("return_failed");
    // A damaged mirror packet may look like another endpoint's; all that is inline is returned or said to be not.
    assert!(back >= returned["expected"].as_u64().unwrap());
    assert!(back <= agent.counter("decoded") - agent.counter("policy_dropped"));
}

/// Geneve of the first endpoint with this cookie, around an IPv4 packet of `len` octets.
fn geneve_around(cookie: u32, len: usize) -> Vec<u8> {
    let mut datagram = vec![8, 0, 8, 0, 0, 0, 0, 0];
    datagram.extend([1, 8, 1, 2, 0x00, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07]);
    datagram.extend([1, 8, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    datagram.extend([1, 8, 3, 1]);
    datagram.extend(cookie.to_be_bytes());
    let mut packet =
        vec![0x45, 0, (len >> 8) as u8, len as u8, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    packet.extend([0x30, 0x39, 0, 53]);
    packet.extend(((len - 20) as u16).to_be_bytes());
    packet.resize(len, cookie as u8);
    datagram.extend(packet);
    datagram
}

#[test]
fn jumbo_packets_come_back_whole_and_those_beyond_what_gwlb_carries_are_counted_and_said() {
    let Some(cable) = Cable::lay() else { return };
    let agent = agent(&cable, "jumbo", "--mode inline --workers 2");
    let ears = cable.gwlb.bind(&format!("{GWLB}:6081"));
    ears.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let socket = cable.gwlb.bind(&format!("{GWLB}:40001"));
    let mut buffer = [0; 10_000];
    for (cookie, len) in [(1, 60), (2, 1500), (3, 8499), (4, 8500), (5, 8501), (6, 8900)] {
        let datagram = geneve_around(cookie, len);
        socket.send_to(&datagram, (TARGET, 6081)).unwrap();
        let (received, from) = ears.recv_from(&mut buffer).expect("it comes back");
        assert!(buffer[..received] == datagram, "{len} octets came back otherwise");
        assert_eq!(from.to_string(), format!("{TARGET}:40001"), "the port stays the load balancer's");
    }
    assert_eq!((agent.counter("oversized"), agent.counter("returned")), (2, 6));
    wait_for(&agent, "longer than the 8500 octets");
}

#[test]
fn a_policy_drops_what_it_names_and_undecodable_packets_only_when_told() {
    let Some(cable) = Cable::lay() else { return };
    for (name, words, returned) in [("open", "", 2), ("closed", "--drop-undecodable", 1)] {
        let agent = agent(&cable, name, &format!("--mode inline --drop ip[22:2]=54 {words}"));
        let socket = cable.gwlb.bind(&format!("{GWLB}:0"));
        let sound = geneve_around(1, 100);
        let mut named = sound.clone();
        named[40 + 23] = 54;
        let mut undecodable = sound.clone();
        undecodable[40] = 0x41;
        for datagram in [&sound, &named, &undecodable] {
            socket.send_to(datagram, (TARGET, 6081)).unwrap();
        }
        agent.settle(3);
        let until = Instant::now() + Duration::from_secs(5);
        while agent.counter("returned") + agent.counter("policy_dropped") < 3 {
            assert!(Instant::now() < until, "{}", agent.stats());
        }
        assert_eq!(agent.counter("returned"), returned, "{name}: {}", agent.stats());
        assert_eq!(agent.counter("undecodable"), 1);
    }
}

#[test]
fn packets_that_find_no_room_on_the_way_in_are_counted() {
    let Some(cable) = Cable::lay() else { return };
    for way in ["socket", "ring"] {
        let agent = agent(&cable, &format!("full-{way}"), &format!("--workers 1 --buffer 1 --receive {way}"));
        agent.signal("STOP");
        let sent = send_to(&cable, TARGET, "--packets 20000")["sent"].as_u64().unwrap();
        agent.signal("CONT");
        let until = Instant::now() + Duration::from_secs(10);
        while agent.counter("received") + agent.counter("kernel_dropped") < sent {
            assert!(Instant::now() < until, "{way}: {sent} were sent: {}", agent.stats());
            thread::sleep(Duration::from_millis(50));
        }
        assert!(
            agent.counter("kernel_dropped") > 1000 && agent.counter("received") > 100,
            "{}",
            agent.stats()
        );
        assert_eq!(agent.counter("received") + agent.counter("kernel_dropped"), sent, "{way}");
        wait_for(&agent, "lost because");
    }
}

#[test]
fn packets_that_find_no_room_on_the_way_back_are_counted() {
    let Some(cable) = Cable::lay() else { return };
    let slow = "tc qdisc add dev cable root tbf rate 2mbit burst 10kb limit 20kb";
    if !cable.target.run(slow).status.success() {
        skip("a slow interface needs the kernel's token bucket filter: modprobe sch_tbf");
        return;
    }
    let agent = agent(&cable, "slow", "--mode inline");
    let ears = cable.gwlb.bind(&format!("{GWLB}:6081"));
    ears.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let socket = cable.gwlb.bind(&format!("{GWLB}:0"));
    for cookie in 0..400 {
        socket.send_to(&geneve_around(cookie, 1000), (TARGET, 6081)).unwrap();
    }
    agent.settle(400);
    let (mut back, mut buffer) = (0, [0; 2000]);
    while ears.recv(&mut buffer).is_ok() {
        back += 1;
    }
    let (returned, failed) = (agent.counter("returned"), agent.counter("return_failed"));
    assert_eq!((returned, returned + failed), (back, 400), "{}", agent.stats());
    assert!(failed > 100);
}

#[test]
fn an_ipv6_socket_receives_as_well() {
    let Some(cable) = Cable::lay() else { return };
    let agent = agent(&cable, "ipv6", "--workers 2");
    let summary = send_to(&cable, TARGET_V6, &format!("--packets 3000 --rate 6000 --from {GWLB_V6}"));
    assert_eq!(summary["sent"], 3000, "{summary}");
    send_to(&cable, TARGET, "--packets 1000 --rate 6000");
    agent.settle(4000);
    assert_eq!((agent.counter("received"), agent.counter("mirrored")), (4000, 4000));
    let sessions = agent.get("/v1/sessions").1;
    assert!(!sessions.is_empty());
}

#[test]
fn a_ring_counts_the_packets_that_a_socket_counts_and_the_kernel_answers_nobody() {
    let Some(cable) = Cable::lay() else { return };
    let words =
        "--packets 10000 --rate 10000 --flows 300 --sessions 6 --endpoints 3 --ipv6 0.3 --mirror-ipv6 0.3";
    let faults = "--vlan 0.2 --corrupt 0.05 --truncate 0.05";
    let [(socket, socket_flows), (ring, ring_flows)] = ["socket", "ring"].map(|way| {
        let agent = agent(&cable, way, &format!("--receive {way} --workers 3"));
        let summary = send_to(&cable, TARGET, &format!("{words} {faults}"));
        agent.settle(summary["sent"].as_u64().unwrap());
        agent.assert_sums();
        (agent.stats()["counters"].clone(), flows(&agent.get("/v1/flows?limit=100000&ended=true").1))
    });
    assert_eq!(socket, ring);
    assert!(socket["malformed"].as_u64().unwrap() > 100 && socket_flows.len() > 300);
    let differ: Vec<_> = socket_flows.symmetric_difference(&ring_flows).take(6).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(cable.target.kernel_counter("Icmp", "OutDestUnreachs"), 0);
}

/// Both ends of the cable in a VLAN, and the target's address there.
fn in_vlan(cable: &Cable) -> Option<&'static str> {
    const ADDRESSES: [&str; 2] = ["10.98.0.1", "10.98.0.2"];
    for (side, address) in [&cable.gwlb, &cable.target].into_iter().zip(ADDRESSES) {
        for words in [
            "link add link cable name cable.7 type vlan id 7",
            &format!("addr add {address}/24 dev cable.7"),
            "link set cable.7 up",
        ] {
            if !side.run(&format!("ip {words}")).status.success() {
                skip("packets in a VLAN need the kernel's 802.1Q: modprobe 8021q");
                return None;
            }
        }
    }
    Some(ADDRESSES[1])
}

#[test]
fn a_ring_receives_fragments_and_what_comes_in_a_vlan_as_a_socket_does() {
    let Some(cable) = Cable::lay() else { return };
    let tagged = in_vlan(&cable);
    let words = "--packets 2000 --rate 4000 --flows 100 --sessions 3";
    let counted = ["socket", "ring"].map(|way| {
        let agent = agent(&cable, &format!("pieces-{way}"), &format!("--receive {way} --workers 2"));
        let mut sent = 0;
        for (to, mtu) in [(Some(TARGET), 600), (tagged, 9001)] {
            let Some(to) = to else { continue };
            assert!(cable.gwlb.run(&format!("ip link set cable mtu {mtu}")).status.success());
            let fragments = cable.gwlb.kernel_counter("Ip", "FragCreates");
            assert_eq!(send_to(&cable, to, words)["sent"], 2000);
            let fragments = cable.gwlb.kernel_counter("Ip", "FragCreates") - fragments;
            assert_eq!(fragments > 1000, mtu == 600, "{fragments} fragments");
            sent += 2000;
            agent.settle(sent);
        }
        agent.assert_sums();
        assert_eq!((agent.counter("mirrored"), agent.counter("kernel_dropped")), (sent, 0), "{way}");
        (agent.counter("received_bytes"), flows(&agent.get("/v1/flows?limit=10000&ended=true").1))
    });
    assert!(counted[0] == counted[1]);
}
