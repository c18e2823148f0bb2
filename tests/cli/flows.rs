//! `mirrorscope flows`, run as a user runs it: its JSON keeps to the published schema, its names and expressions work,
//! and a network that is mirrored at both ends of every flow looks like the same network mirrored at one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mirrorscope_core::{Decoder, LinkType, Packet, flow::FlowOptions, layers::Layer};
use mirrorscope_tests::{
    everything::record, fixture, mirrorscope_bin, schema::Schema, shared_dir, skip, tool,
};
use serde_json::Value;

fn mirrorscope(arguments: &[&str]) -> String {
    let output = Command::new(mirrorscope_bin()).args(arguments).output().expect("the program starts");
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

fn flows(arguments: &[&str]) -> Vec<Value> {
    let lines = mirrorscope(&[&["flows", "--json", "-q"], arguments].concat());
    lines.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// The sum of a counter over both directions of all flows.
fn sum(flows: &[Value], counter: &str) -> u64 {
    let sides = flows.iter().flat_map(|flow| [&flow["sent"], &flow["received"]]);
    sides.filter_map(|side| side[counter].as_u64()).sum()
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn web() -> String {
    path(&fixture("mirror/ping-curl-traceroute.pcap"))
}

fn scratch(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("flows");
    fs::create_dir_all(&folder).expect("a folder for scratch files");
    path(&folder.join(name))
}

fn assert_valid(captures: &[PathBuf]) {
    let schema = Schema::named("flow.schema.json");
    for capture in captures {
        for flow in flows(&[&path(capture)]) {
            schema.assert_allows(&flow, &capture.display().to_string());
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

#[test]
fn the_missions_and_made_up_flows_keep_to_the_schema() {
    let made_up = scratch("schema.pcap");
    let shape =
        "send --generate --packets 3000 --flows 200 --sessions 3 --inline 0.2 --ipv6 0.2 --loss 0.01 -q -w";
    mirrorscope(&shape.split(' ').chain([&*made_up]).collect::<Vec<_>>());
    let captures = ["mirror/ping-curl-traceroute.pcap", "mirror/ssm-tcp443.pcap"].map(fixture);
    assert_valid(&[&captures[..], &[made_up.into()]].concat());
}

#[test]
fn flows_of_every_shared_capture_keep_to_the_schema() {
    match shared_dir() {
        Some(shared) => assert_valid(&files(&shared.join("captures/peers"))),
        None => skip("the flows of the shared captures against the schema (no ../shared)"),
    }
}

#[test]
fn the_schema_refuses_what_is_not_in_it() {
    let schema = Schema::named("flow.schema.json");
    let flow = flows(&[&web()]).remove(0);
    assert!(schema.allows(&flow));
    for (member, value) in [("client_port", "443".into()), ("unheard_of", 1.into()), ("sent", Value::Null)] {
        let mut other = flow.clone();
        other[member] = value;
        assert!(!schema.allows(&other), "{member}");
    }
}

#[test]
fn mirror_sources_have_the_names_that_aws_gives_them() {
    let enis = path(&fixture("aws/describe-network-interfaces.json"));
    let capture = path(&fixture("mirror/ssm-tcp443.pcap"));
    let named = flows(&[&capture, "--enis", &enis]);
    assert!(named.iter().all(|flow| flow["mirror"]["name"] == "mirror-source"), "{named:?}");
    assert!(mirrorscope(&["flows", &capture, "--enis", &enis]).contains("mirror-source"));
    assert!(flows(&[&capture]).iter().all(|flow| flow["mirror"].get("name").is_none()));
}

#[test]
fn one_fragment_is_said_to_be_one() {
    let capture = scratch("one-fragment.pcap");
    let ipv4 = [
        0x45, 0, 0, 28, 0, 1, // version and length of the header, no service, length, identification
        0, 2, 64, 17, 0, 0, // fragment offset 16, time to live, UDP, checksum
        10, 0, 0, 1, 10, 0, 0, 2, // addresses
        1, 2, 3, 4, 5, 6, 7, 8, // the middle of a datagram
    ];
    let header = [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, 101].map(u32::to_le_bytes);
    let record = [0, 0, ipv4.len() as u32, ipv4.len() as u32].map(u32::to_le_bytes);
    let octets = [header.as_flattened(), record.as_flattened(), &ipv4].concat();
    fs::write(&capture, octets).expect("a capture");
    let output = Command::new(mirrorscope_bin()).args(["flows", &capture]).output().expect("it starts");
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(notes.contains("1 fragment came without the first one"), "{notes}");
}

#[test]
fn what_says_how_flows_are_printed_is_refused_where_none_are() {
    let said = |arguments: &[&str]| {
        let output = Command::new(mirrorscope_bin()).args(["flows", &web()]).args(arguments).output();
        let output = output.expect("the program starts");
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        String::from_utf8(output.stderr).expect("it is text")
    };
    for words in [["--csv"].as_slice(), &["--json"], &["--top", "3"], &["--sort", "loss"]] {
        let text = said(&[&["--flow-log", "vpc"], words].concat());
        assert!(text.contains("cannot be used with") && text.contains("--flow-log"), "{text}");
    }
    let text = said(&["--region", "eu-central-1"]);
    assert!(text.contains("not provided") && text.contains("--flow-log"), "{text}");
}

#[test]
fn an_expression_chooses_the_packets_that_make_flows() {
    let (all, icmp) = (flows(&[&web()]), flows(&[&web(), "icmp"]));
    assert!(!icmp.is_empty() && icmp.iter().all(|flow| flow["protocol"] == "icmp"));
    let expected: Vec<_> = all.iter().filter(|flow| flow["protocol"] == "icmp").collect();
    assert_eq!(icmp.iter().collect::<Vec<_>>(), expected);
}

/// A capture file in which every record of another is followed, so much later, by its copy from the other end: another
/// session, another mirrored interface, one router further on.
fn mirrored_at_both_ends(one: &[u8], later_ns: u64) -> Vec<u8> {
    const HEADER_LEN: usize = 24;
    const RECORD_HEADER_LEN: usize = 16;
    let mut records = Vec::new();
    let mut rest = &one[HEADER_LEN..];
    while let Some((header, behind)) = rest.split_first_chunk::<RECORD_HEADER_LEN>() {
        let [seconds, ns, captured_len, _] =
            [0, 4, 8, 12].map(|at| u32::from_le_bytes(*header[at..].first_chunk().expect("four octets")));
        let (data, next) = behind.split_at(captured_len as usize);
        let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(ns);
        records.push((time_ns, &header[8..], data.to_vec()));
        records.push((time_ns + later_ns, &header[8..], from_other_end(data)));
        rest = next;
    }
    records.sort_by_key(|(time_ns, ..)| *time_ns);
    let mut both = one[..HEADER_LEN].to_vec();
    for (time_ns, lengths, data) in records {
        let time = [time_ns / 1_000_000_000, time_ns % 1_000_000_000].map(|part| (part as u32).to_le_bytes());
        both.extend([time.as_flattened(), lengths, &data].concat());
    }
    both
}

fn from_other_end(data: &[u8]) -> Vec<u8> {
    let record = record(LinkType::ETHERNET.0, data.len() as u32, data);
    let packet = Packet::decode(&Decoder::default(), record);
    let offset_of = |layer| {
        let place = packet.stack.layers().iter().rposition(|span| span.layer == layer);
        place.map(|place| packet.stack.layers()[place].offset as usize)
    };
    let mut copy = data.to_vec();
    let vxlan = offset_of(Layer::Vxlan).expect("all packets are mirrored");
    copy[vxlan + 6] ^= 0x40; // VNI
    copy[vxlan - 8 - 20 + 15] ^= 0x40; // source of the VXLAN packet
    if let Some(ip) = offset_of(Layer::Ipv4).filter(|ip| *ip > vxlan) {
        copy[ip + 8] -= 1; // time to live
    }
    copy
}

/// TCP packets that tshark flags as retransmitted, overtaken or repeated.
fn flagged_by_tshark(tshark: &Path, capture: &str) -> usize {
    let flags = "tcp.analysis.retransmission || tcp.analysis.out_of_order || tcp.analysis.duplicate_ack \
                 || tcp.analysis.spurious_retransmission || tcp.analysis.fast_retransmission";
    let output = Command::new(tshark).args(["-n", "-r", capture, "-Y", flags]).output();
    String::from_utf8_lossy(&output.expect("an installed program starts").stdout).lines().count()
}

fn flagged(flows: &[Value]) -> u64 {
    ["retransmissions", "out_of_order", "duplicate_acks"].into_iter().map(|counter| sum(flows, counter)).sum()
}

#[test]
fn a_network_mirrored_at_both_ends_is_no_worse_than_at_one_although_tshark_flags_half_of_it() {
    let (one, both) = (scratch("one-end.pcap"), scratch("both-ends.pcap"));
    let shape = "send --generate --packets 2000 --flows 40 --reorder 0.01 -q -w";
    mirrorscope(&shape.split(' ').chain([&*one]).collect::<Vec<_>>());
    fs::write(&both, mirrored_at_both_ends(&fs::read(&one).expect("the capture"), 0)).expect("a capture");
    let (at_one, at_both) = (flows(&[&one]), flows(&[&both]));
    assert_eq!(sum(&at_both, "duplicates"), 2000);
    assert_eq!(sum(&at_both, "packets"), 2000);
    assert_eq!((at_both.len(), sum(&at_both, "gap_bytes")), (at_one.len(), sum(&at_one, "gap_bytes")));
    assert!(at_both.iter().all(|flow| flow["also_seen_by"].as_array().is_some_and(|more| more.len() == 1)));
    assert!(flagged(&at_both) <= flagged(&at_one), "{} > {}", flagged(&at_both), flagged(&at_one));
    let Some(tshark) = tool("tshark") else {
        return skip("what tshark says of a network mirrored at both ends: tshark is not installed");
    };
    let theirs = [&one, &both].map(|capture| flagged_by_tshark(&tshark, capture));
    assert!(theirs[1] > 500 && theirs[1] > 10 * theirs[0].max(flagged(&at_both) as usize), "{theirs:?}");
}

/// IPv6 has no identification, which only matters to what one session repeats.
#[test]
fn the_copies_of_both_ends_may_be_far_apart_whatever_the_family() {
    for ipv6 in ["0", "1"] {
        let (one, both) = (scratch(&format!("near-{ipv6}.pcap")), scratch(&format!("far-{ipv6}.pcap")));
        let shape = ["send", "--generate", "--packets", "2000", "--flows", "40", "--rate", "2000"];
        mirrorscope(&[&shape[..], &["--ipv6", ipv6, "-q", "-w", &one]].concat());
        let octets = fs::read(&one).expect("the capture");
        for later_ns in [50_000, 1_000_000, 20_000_000] {
            fs::write(&both, mirrored_at_both_ends(&octets, later_ns)).expect("a capture");
            let flows = flows(&[&both]);
            let sums = ["packets", "duplicates", "retransmissions"].map(|counter| sum(&flows, counter));
            assert_eq!((flows.len(), sums), (40, [2000, 2000, 0]), "IPv6 {ipv6}, {later_ns} ns");
        }
    }
}

/// Frames of a capture that are left when editcap takes out those that equal one of the five before.
fn without_repeats(editcap: &Path, capture: &str) -> (String, usize) {
    let (inner, left) = (scratch("repeats-inner.pcapng"), scratch("repeats-left.pcapng"));
    mirrorscope(&["read", "-q", "-w", &inner, capture]);
    let status =
        Command::new(editcap).args(["-d", &inner, &left]).output().expect("an installed program starts");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let count = mirrorscope(&["read", "--count", "-q", &left]);
    (left, count.split(" ").next().and_then(|count| count.parse().ok()).expect("a count"))
}

#[test]
fn what_a_network_delivers_twice_is_counted_once_as_editcap_would_have_it() {
    for ipv6 in ["0", "1"] {
        let (plain, twice) = (scratch("once.pcap"), scratch("twice.pcap"));
        let shape = ["send", "--generate", "--packets", "3000", "--flows", "60", "--ipv6", ipv6, "-q", "-w"];
        mirrorscope(&[&shape[..], &[&plain]].concat());
        mirrorscope(&[&shape[..], &[&twice, "--duplicate", "0.1"]].concat());
        let (once, both) = (flows(&[&plain]), flows(&[&twice]));
        let kept = flows(&[&twice, "--keep-duplicates"]);
        let repeated = sum(&kept, "packets") - 3000;
        assert!(repeated > 200, "{repeated}");
        assert_eq!((sum(&both, "packets"), sum(&both, "duplicates")), (3000, repeated));
        assert_eq!(flagged(&both), flagged(&once));
        assert!(flagged(&kept) > repeated / 2, "kept, they count as retransmissions");
        let Some(editcap) = tool("editcap") else {
            return skip(
                "which packets editcap takes for repeated: editcap (apt-get install tshark) is not there",
            );
        };
        let (left, count) = without_repeats(&editcap, &twice);
        assert_eq!((count, flagged(&flows(&[&left]))), (3000, flagged(&once)));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_flood_of_flows_stays_within_the_memory_that_the_table_promises() {
    /// Address space of the program itself: its code, its stacks, the buffers that it reads into.
    const PROGRAM_LEN: usize = 32 << 20;
    let options = FlowOptions { max_flows: 1_000, ..FlowOptions::default() };
    let flood = scratch("flood.pcap");
    let shape = "send --generate --small --packets 200000 --flows 200000 -q -w";
    mirrorscope(&shape.split(' ').chain([&*flood]).collect::<Vec<_>>());
    let limit_kib = (options.memory_bound() + PROGRAM_LEN) / 1024;
    assert!(limit_kib * 1024 < 200_000 * FlowOptions::FLOW_LEN, "a table without a bound would fit as well");
    let script = format!("ulimit -v {limit_kib}; exec \"$0\" flows --max-flows 1000 --top 10 --csv \"$1\"");
    let output = Command::new("sh").args(["-c", &script]).arg(mirrorscope_bin()).arg(&flood).output();
    let output = output.expect("a shell starts");
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && notes.contains("the table was full"), "{notes}");
    assert_eq!(output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).count(), 11);
}
