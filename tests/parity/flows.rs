//! The flows of other projects' captures are those that tshark finds: their number, packets and octets, and, with
//! the listed differences, their retransmissions and round trips.
//!
//! tshark is asked for the stream of every packet rather than for `-z conv,…`, whose table rounds octets to
//! kilobytes; both come from the same conversations. Those know no timeout and begin anew where a SYN with another
//! sequence number comes, so that ours run without timeouts here. tshark counts fragments with the last one, when
//! the packet is whole, and is told not to. Skipped, visibly, where the captures or tshark are missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process, thread};

use mirrorscope_core::capture::{self, CaptureReader, PcapWriter};
use mirrorscope_core::flow::{DirectionRecord, FlowOptions, FlowRecord, FlowTable, options::NEVER_NS};
use mirrorscope_core::{Decoder, LinkType, Packet};

/// Smaller captures are single packets of odd protocols, without conversations to speak of; of them only the analysis
/// of TCP is compared.
const MIN_PACKETS: u64 = 20;

const FRAGMENTS: &str = "fragments count with their flow; tshark, told not to reassemble, gives them to none";
const LAYER: &str =
    "a layer around the transport that we do not read (PPPoE, MPLS, GTP, 802.11, ARCNET, PIM, …)";
const TEREDO: &str = "tshark looks for IPv6 in any UDP and gives what it takes for Teredo to what is inside";
const CLAIMS: &str =
    "IP headers claim more octets than the frame has; we count by headers, tshark by the frame";
const DAMAGED: &str = "randomly damaged headers, of which we read further than tshark";
const TIME: &str = "the same segments, of which tshark decides by time alone whether they were overtaken";
const SYNTHETIC: &str = "hand-made segments before the SYN or across it, which tshark counts as repeated SYN";
const ACKED: &str = "a segment behind its own acknowledgment: overtaken here, as none of it was seen before; sent again to tshark";
const PARTLY_NEW: &str = "segments that begin within the one before: sent again here; tshark looks at none but one, and that by time";
const FIRST: &str = "frame 6 is the first of its direction, but acknowledged before: tshark calls it sent again, and \
                     frame 20, of which all but an octet was seen, overtaken by time";

/// Files whose flows differ, and why.
const DIFFERENT_FLOWS: &[(&str, &str)] = &[
    ("rusticata+pcap-parser/assets/wireshark_samples-test.pcapng", TEREDO),
    ("seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/ip4_fragments.pcap", FRAGMENTS),
    ("seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/ip6_fragments.pcap", FRAGMENTS),
    ("OISF+suricata-verify/tests/bug-4810/pppoe-session-http.pcap", LAYER),
    ("OISF+suricata-verify/tests/decode-teredo-01/input.pcap", TEREDO),
    (
        "OISF+suricata-verify/tests/defrag/bug-6942-6887-defrag-eth-ip-gre-ppp-ip-udp-data/eth-ip-gre-ppp-max-ip-packet.pcap",
        LAYER,
    ),
    ("arkime+arkime/tests/pcap/80211http.pcap", LAYER),
    ("arkime+arkime/tests/pcap/gtp-u.pcap", LAYER),
    ("arkime+arkime/tests/pcap/mpls-basic.pcap", LAYER),
    ("cisco+mercury/unit_tests/pcaps/pppoe_double_vlan_tagging.pcap", LAYER),
    ("kbandla+dpkt/examples/data/nb6-http.pcap", LAYER),
    ("seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/gtp-u.pcap", LAYER),
    ("the-tcpdump-group+tcpdump/tests/arcnet-rfc1051-arp-icmp-http.pcap", LAYER),
    ("the-tcpdump-group+tcpdump/tests/arcnet-rfc1201-arp-icmp-http.pcap", LAYER),
    ("the-tcpdump-group+tcpdump/tests/sflow-print-v6.pcap", FRAGMENTS),
    ("zeek+zeek/testing/btest/Traces/cisco-fabric-path.pcap", LAYER),
    ("zeek+zeek/testing/btest/Traces/dns-edns-ecs.pcap", FRAGMENTS),
    ("zeek+zeek/testing/btest/Traces/erspan.pcap", CLAIMS),
    ("zeek+zeek/testing/btest/Traces/ipv6-reassembly-state-leak.pcap", FRAGMENTS),
    ("zeek+zeek/testing/btest/Traces/mixed-vlan-mpls.pcap", LAYER),
    ("zeek+zeek/testing/btest/Traces/pppoe-over-qinq.pcap", LAYER),
    ("zeek+zeek/testing/btest/Traces/tcp/reassembly.pcap", CLAIMS),
    ("the-tcpdump-group+tcpdump/tests/babel_update_oobr.pcap", DAMAGED),
    ("the-tcpdump-group+tcpdump/tests/afs.pcap", FRAGMENTS),
    ("the-tcpdump-group+tcpdump/tests/ipoib.pcap", LAYER),
    ("the-tcpdump-group+tcpdump/tests/pim-packet-assortment.pcap", LAYER),
    ("zeek+zeek/testing/btest/Traces/tunnels/Teredo.pcap", TEREDO),
    ("zeek+zeek/testing/btest/Traces/tunnels/gtp/gtp1_gn_normal_incl_fragmentation.pcap", LAYER),
    ("zeek+zeek/testing/btest/Traces/tunnels/gtp/gtp2_different_udp_port.pcap", LAYER),
    ("zeek+zeek/testing/btest/Traces/tunnels/gtp/gtp6_gtp_0x32.pcap", LAYER),
    ("zeek+zeek/testing/btest/Traces/tunnels/teredo_bubble_with_payload.pcap", TEREDO),
];

/// Files whose retransmissions or overtaken segments differ: (file, ours, tshark's, why).
const DIFFERENT_ANALYSIS: &[(&str, Analysis, Analysis, &str)] = &[
    ("mozillazg+ptcpdump/testdata/format/tcp.pcapng", (7, 1), (8, 0), TIME),
    ("CESNET+ipfixprobe/tests/functional/inputs/ovpn.pcap", (9, 0), (8, 1), TIME),
    ("CESNET+ipfixprobe/tests/functional/inputs/rtsp.pcap", (1, 1), (2, 0), TIME),
    ("CESNET+ipfixprobe/tests/functional/inputs/smtp.pcap", (5, 0), (4, 1), TIME),
    ("arkime+arkime/tests/pcap/80211http.pcap", (0, 0), (1, 0), LAYER),
    ("arkime+arkime/tests/pcap/tcp-reassembly-synthetic.pcap", (7, 0), (8, 0), SYNTHETIC),
    ("arkime+arkime/tests/pcap/tcp_handshake_synthetic.pcap", (3, 0), (4, 0), SYNTHETIC),
    ("arkime+arkime/tests/pcap/wireshark-retrans.pcap", (48, 0), (47, 1), TIME),
    ("seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/doipPackets.pcapng", (3, 0), (3, 1), FIRST),
    ("mozillazg+ptcpdump/testdata/format/curl-user.pcapng", (0, 1), (1, 0), ACKED),
    ("the-tcpdump-group+tcpdump/tests/bgp-as-path-oobr.pcap", (2, 0), (0, 1), PARTLY_NEW),
    ("the-tcpdump-group+tcpdump/tests/bgp-shutdown-msg-variations.pcap", (2, 0), (0, 2), TIME),
    ("zeek+zeek/testing/btest/Traces/tcp/ctu-64702-888.pcap", (4, 1), (3, 2), TIME),
    ("zeek+zeek/testing/btest/Traces/ipv6-http-atomic-frag.pcap", (0, 1), (1, 0), TIME),
    ("zeek+zeek/testing/btest/Traces/pppoe-over-qinq.pcap", (0, 0), (23, 2), LAYER),
    ("zeek+zeek/testing/btest/Traces/tunnels/gtp/gtp6_gtp_0x32.pcap", (0, 0), (1, 0), LAYER),
];

/// Retransmissions and overtaken segments of a capture.
type Analysis = (u64, u64);

/// One flow, so that the flows of a capture can be compared as a sorted list: protocol, packets, octets.
type Flow = (&'static str, u64, u64);

#[test]
fn flows_and_retransmissions_are_those_of_tshark_or_listed() {
    let Some(captures) = captures() else { return };
    let files = files(&captures);
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let differences: Option<Vec<String>> = thread::scope(|scope| {
        let compared = |part| {
            let captures = &captures;
            scope.spawn(move || differences(captures, part))
        };
        let parts: Vec<_> = files.chunks(files.len().div_ceil(threads)).map(compared).collect();
        let found = parts.into_iter().map(|part| part.join().expect("no worker fails"));
        found.collect::<Option<Vec<_>>>().map(|found| found.concat())
    });
    let Some(differences) = differences else { return };
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// What differs and is not listed; `None` where there is no tshark.
fn differences(captures: &Path, files: &[File]) -> Option<Vec<String>> {
    let mut differences = Vec::new();
    for File { name, has_conversations } in files {
        let path = captures.join(name);
        let (their_flows, theirs) = tshark(&path)?;
        let records = flows(&path);
        let our_flows = sorted(records.iter().filter_map(flow).collect());
        let is_listed = DIFFERENT_FLOWS.iter().any(|(listed, _)| listed == name);
        if *has_conversations && (our_flows != their_flows) != is_listed {
            differences.push(difference(name, &our_flows, &their_flows));
        }
        let ours = analysis(&records);
        let listed = DIFFERENT_ANALYSIS.iter().find(|(listed, ..)| listed == name);
        let expected = listed.map_or((theirs, theirs), |(_, ours, theirs, _)| (*ours, *theirs));
        if (ours, theirs) != expected {
            differences
                .push(format!("{name}: retransmissions and overtaken: ours {ours:?}, tshark {theirs:?}"));
        }
    }
    Some(differences)
}

/// Traffic of which the truth is known: the third of six segments comes late, and nothing is sent twice.
#[test]
fn a_segment_that_comes_late_is_overtaken_also_behind_its_own_acknowledgment() {
    const DATA: u8 = 100;
    let octets = |from_client: bool, seq: u32, ack: u32, len: u8| -> Vec<u8> {
        let (src, dst) =
            if from_client { ([10, 0, 0, 1], [10, 0, 0, 2]) } else { ([10, 0, 0, 2], [10, 0, 0, 1]) };
        let ports = if from_client { [0x9c, 0x40, 0x01, 0xbb] } else { [0x01, 0xbb, 0x9c, 0x40] };
        let ip = [0x45, 0, 0, 40 + len, 0, 0, 0, 0, 64, 6, 0, 0];
        let tcp = [&ports[..], &seq.to_be_bytes(), &ack.to_be_bytes(), &[0x50, 0x10, 255, 255, 0, 0, 0, 0]]
            .concat();
        [&ip[..], &src, &dst, &tcp, &vec![0; len.into()]].concat()
    };
    let data = |number: u8| octets(true, 1 + u32::from(number) * u32::from(DATA), 1, DATA);
    let ack_of_all = octets(false, 1, 1 + 5 * u32::from(DATA), 0);
    let [at_once, later] = [10_000, 4_000_000];
    let first = [data(0), data(1), data(3), data(4)];
    for (name, between, late_ns, ours, theirs) in [
        ("soon", vec![], at_once, (0, 1), (0, 1)),
        ("acknowledged", vec![ack_of_all], at_once, (0, 1), (1, 0)),
        // So late, the hole is rather filled by what the sender sent again.
        ("late", vec![], later, (1, 0), (1, 0)),
    ] {
        let mut file = Vec::new();
        let mut writer = PcapWriter::begin(&mut file, LinkType::RAW, 65_535);
        let mut timestamp_ns = 1_000_000_000;
        let before = first.iter().chain(&between).map(|data| (data, at_once));
        for (data, gap_ns) in before.chain([(&data(2), late_ns), (&data(5), at_once)]) {
            timestamp_ns += gap_ns;
            let (interface, original_len, comment) = (0, data.len() as u32, None);
            writer
                .packet(&mut file, &capture::Packet { interface, timestamp_ns, original_len, data, comment });
        }
        let path = env::temp_dir().join(format!("mirrorscope-{name}-{}.pcap", process::id()));
        fs::write(&path, file).expect("the folder can be written");
        let found = (analysis(&flows(&path)), tshark(&path).map(|(_, analysis)| analysis));
        fs::remove_file(&path).expect("the file was ours");
        assert_eq!(found.0, ours, "{name}");
        assert!(found.1.is_none_or(|found| found == theirs), "{name}: tshark says {:?}", found.1);
    }
}

fn analysis(flows: &[FlowRecord]) -> Analysis {
    let total = |value: fn(&DirectionRecord) -> u32| {
        flows.iter().map(|flow| flow.total(|direction| value(direction).into())).sum()
    };
    (total(|direction| direction.retransmissions), total(|direction| direction.out_of_order))
}

fn difference(file: &str, ours: &[Flow], theirs: &[Flow]) -> String {
    let only = |a: &[Flow], b: &[Flow]| {
        let mut left = a.to_vec();
        for flow in b {
            if let Some(at) = left.iter().position(|other| other == flow) {
                left.remove(at);
            }
        }
        left.truncate(6);
        left
    };
    format!(
        "{file}: {} and {}, ours {:?}, tshark {:?}",
        ours.len(),
        theirs.len(),
        only(ours, theirs),
        only(theirs, ours)
    )
}

fn sorted(mut flows: Vec<Flow>) -> Vec<Flow> {
    flows.sort_unstable();
    flows
}

/// The folder of the captures, `MIRRORSCOPE_SHARED` or `shared` beside the repository.
fn captures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let captures = env::var_os("MIRRORSCOPE_SHARED").map_or(beside, PathBuf::from).join("captures/peers");
    if captures.is_dir() {
        return Some(captures);
    }
    mirrorscope_tests::skip(&format!("no captures at {}; set MIRRORSCOPE_SHARED", captures.display()));
    None
}

/// A capture to compare.
struct File {
    /// From the folder of captures on.
    name: String,
    /// Whether it is large enough for its flows to be compared.
    has_conversations: bool,
}

/// The captures with TCP, and the larger ones with UDP.
fn files(captures: &Path) -> Vec<File> {
    let manifest = fs::read_to_string(captures.join("MANIFEST.tsv")).expect("the captures have a manifest");
    let mut rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let column =
        |name: &str| header.iter().position(|cell| *cell == name).expect("the manifest has the column");
    let [file, packets, stacks] = ["file", "packets", "top_stacks"].map(column);
    let file = |row: Vec<&str>| {
        let has_conversations = row[packets].parse::<u64>().is_ok_and(|packets| packets >= MIN_PACKETS);
        let is_compared = row[stacks].contains(":tcp") || has_conversations && row[stacks].contains(":udp");
        is_compared.then(|| File { name: row[file].to_owned(), has_conversations })
    };
    rows.filter_map(file).collect()
}

fn flows(path: &Path) -> Vec<FlowRecord> {
    let options = FlowOptions {
        tcp_idle_ns: NEVER_NS,
        other_idle_ns: NEVER_NS,
        linger_ns: NEVER_NS,
        keep_duplicates: true,
        ..FlowOptions::default()
    };
    let mut table = FlowTable::new(options);
    let mut flows = Vec::new();
    let octets = fs::read(path).expect("the capture can be read");
    let mut rest = &octets[..];
    let mut reader = CaptureReader::new();
    loop {
        rest = reader.push(rest);
        // A damaged capture is compared up to the damage.
        while let Ok(Some(record)) = reader.next() {
            let packet = Packet::decode(&Decoder::default(), record);
            table.observe(&packet, &mut |flow| flows.push(flow));
        }
        if rest.is_empty() {
            break;
        }
    }
    table.finish(&mut |flow| flows.push(flow));
    flows
}

/// Octets are compared where there is no tunnel; tshark counts those of the tunnels too.
fn flow(record: &FlowRecord) -> Option<Flow> {
    let protocol = match record.protocol {
        6 => "tcp",
        17 => "udp",
        _ => return None,
    };
    let is_bare = record.session == mirrorscope_core::sinks::sessions::Key::Bare;
    Some((protocol, record.packets(), if is_bare { record.bytes() } else { 0 }))
}

/// What tshark makes of a capture: its flows, and its analysis of TCP.
fn tshark(path: &Path) -> Option<(Vec<Flow>, Analysis)> {
    const FIELDS: [&str; 6] = [
        "frame.protocols",
        "frame.len",
        "tcp.stream",
        "udp.stream",
        "tcp.analysis.retransmission",
        "tcp.analysis.out_of_order",
    ];
    let mut command = Command::new("tshark");
    command.args(["-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=l"]);
    command.args(["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]);
    command.args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let Ok(output) = command.arg("-r").arg(path).output() else {
        mirrorscope_tests::skip("tshark is not there; `apt-get install tshark` brings it");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut flows = BTreeMap::<_, (u64, u64)>::new();
    let mut analysis = (0, 0);
    for line in text.lines() {
        let cells: Vec<_> = line.split('|').collect();
        let [protocols, len, tcp, udp, retransmission, out_of_order] = cells[..] else { continue };
        let Some((protocol, is_tunnelled)) = innermost(protocols) else { continue };
        let stream = if protocol == "tcp" { tcp } else { udp };
        let flow = flows.entry((protocol, stream.to_owned())).or_default();
        flow.0 += 1;
        flow.1 += if is_tunnelled { 0 } else { len.parse().unwrap_or(0) };
        analysis.0 += u64::from(!retransmission.is_empty());
        analysis.1 += u64::from(!out_of_order.is_empty());
    }
    let flows = flows.into_iter().map(|((protocol, _), (packets, len))| (protocol, packets, len)).collect();
    Some((sorted(flows), analysis))
}

/// The innermost transport of a stack as tshark writes it, and whether there is a tunnel that we know around it.
/// What an ICMP error quotes is no packet.
fn innermost(protocols: &str) -> Option<(&'static str, bool)> {
    let mut found = None;
    let mut is_tunnelled = false;
    for protocol in protocols.split(':') {
        match protocol {
            "tcp" => found = Some("tcp"),
            "udp" => found = Some("udp"),
            "geneve" | "vxlan" => (found, is_tunnelled) = (None, true),
            "icmp" | "icmpv6" => return None,
            "ip" | "ipv6" => found = None,
            _ => {}
        }
    }
    found.map(|protocol| (protocol, is_tunnelled))
}
