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
use std::{env, fs};

use mirrorscope_core::capture::CaptureReader;
use mirrorscope_core::flow::{FlowOptions, FlowRecord, FlowTable, table::NEVER_NS};
use mirrorscope_core::{Decoder, Packet};

/// Smaller captures are single packets of odd protocols, without conversations to speak of.
const MIN_PACKETS: u64 = 20;
/// Larger ones take tshark too long.
const MAX_LEN: u64 = 3_000_000;

/// Files whose flows differ, and why.
const DIFFERENT_FLOWS: &[(&str, &str)] = &[];

/// Files whose retransmissions or overtaken segments differ: (file, ours, tshark's, why).
const DIFFERENT_ANALYSIS: &[(&str, Analysis, Analysis, &str)] = &[];

/// Retransmissions and overtaken segments of a capture.
type Analysis = (u64, u64);

/// One flow, so that the flows of a capture can be compared as a sorted list: protocol, packets, octets.
type Flow = (&'static str, u64, u64);

#[test]
fn flows_packets_and_octets_are_those_of_tshark() {
    let Some(captures) = captures() else { return };
    let mut differences = Vec::new();
    for file in &files(&captures) {
        let path = captures.join(file);
        let Some((theirs, _)) = tshark(&path) else { return };
        let ours = sorted(flows(&path).iter().filter_map(flow).collect());
        let is_listed = DIFFERENT_FLOWS.iter().any(|(listed, _)| listed == file);
        if (ours != theirs) != is_listed {
            differences.push(difference(file, &ours, &theirs));
        }
    }
    assert!(differences.is_empty(), "{} captures differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn retransmissions_are_those_of_tshark_or_explained() {
    let Some(captures) = captures() else { return };
    let mut differences = Vec::new();
    let mut totals = [(0, 0); 2];
    for file in &files(&captures) {
        let path = captures.join(file);
        let Some((_, theirs)) = tshark(&path) else { return };
        let ours = flows(&path).iter().fold((0, 0), |sum: Analysis, flow| {
            let retransmissions = flow.total(|direction| direction.retransmissions.into());
            (sum.0 + retransmissions, sum.1 + flow.total(|direction| direction.out_of_order.into()))
        });
        for (total, one) in totals.iter_mut().zip([ours, theirs]) {
            *total = (total.0 + one.0, total.1 + one.1);
        }
        let listed = DIFFERENT_ANALYSIS.iter().find(|(listed, ..)| listed == file);
        let expected = listed.map_or((theirs, theirs), |(_, ours, theirs, _)| (*ours, *theirs));
        if (ours, theirs) != expected {
            differences.push(format!("{file}: ours {ours:?}, tshark {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{totals:?}; {}:\n{}", differences.len(), differences.join("\n"));
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
    eprintln!("SKIPPED: no captures at {}; set MIRRORSCOPE_SHARED", captures.display());
    None
}

/// The captures with TCP or UDP of the sizes that are compared.
fn files(captures: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(captures.join("MANIFEST.tsv")).expect("the captures have a manifest");
    let mut rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let column =
        |name: &str| header.iter().position(|cell| *cell == name).expect("the manifest has the column");
    let [file, bytes, packets, stacks] = ["file", "bytes", "packets", "top_stacks"].map(column);
    let number = |cell: &str| cell.parse::<u64>().unwrap_or_default();
    rows.filter(|row| number(row[packets]) >= MIN_PACKETS && number(row[bytes]) <= MAX_LEN)
        .filter(|row| row[stacks].contains(":tcp") || row[stacks].contains(":udp"))
        .map(|row| row[file].to_owned())
        .collect()
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
        eprintln!("SKIPPED: tshark is not there; `apt-get install tshark` brings it");
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
