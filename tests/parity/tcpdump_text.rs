//! The tcpdump style prints what the real tcpdump 4.99.3 prints: over every shared capture that it can read, at
//! least 99 of 100 packets of each protocol that we claim.
//!
//! A packet is classed by what tcpdump's own text shows, tunnels apart from what they carry. Those that differ go
//! to `tcpdump-differences.txt` in the target folder; why they differ is told in `tcpdump-differences.md` here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mirrorscope_core::capture::CaptureReader;
use mirrorscope_core::record::LinkType;
use mirrorscope_core::sinks::line::Line;
use mirrorscope_core::sinks::tcpdump::{TcpdumpOptions, TcpdumpStyle};
use mirrorscope_tests::{fixture, shared_dir, skip, tool};

/// Least share of identical packets, in percent, for each class in [`CLAIMED`].
const LEAST_SHARE: f64 = 99.0;
/// Classes that we claim, as [`classes`] names them.
const CLAIMED: [&str; 13] = [
    "TCP",
    "UDP",
    "DNS",
    "HTTP",
    "ICMP",
    "ICMPv6",
    "IGMP",
    "ARP",
    "IPv4 fragment",
    "IPv6 fragment",
    "VLAN",
    "Geneve",
    "VXLAN",
];
/// The version whose text we match.
const VERSION: &str = "4.99.3";

#[test]
fn the_missions_captures_print_byte_for_byte_as_tcpdump_prints_them() {
    for name in ["ping-curl-traceroute", "ssm-tcp443"] {
        let expected = fs::read(fixture(&format!("mirror/{name}.tcpdump.txt"))).unwrap();
        let mut style = TcpdumpStyle::new(TcpdumpOptions::default());
        let mut line = Line::default();
        for_each_record(&fixture(&format!("mirror/{name}.pcap")), |record, _| {
            style.print_record(record, &mut line);
        });
        assert_eq!(String::from_utf8_lossy(line.as_bytes()), String::from_utf8_lossy(&expected), "{name}");
    }
}

#[test]
fn a_remembered_envelope_never_speaks_for_a_different_one() {
    const ENVELOPE_LEN: usize = 118;
    let options = TcpdumpOptions { absolute_sequence: true, ..TcpdumpOptions::default() };
    let printed = |style: &mut TcpdumpStyle, record: &mirrorscope_core::Record<'_>| {
        let mut line = Line::default();
        style.print_record(record, &mut line);
        String::from_utf8_lossy(line.as_bytes()).into_owned()
    };
    let mut frames = 0;
    for_each_record(&fixture("mirror/ssm-tcp443.pcap"), |record, frame| {
        frames += 1;
        if frames > 2 {
            return;
        }
        let mut warm = TcpdumpStyle::new(options.clone());
        printed(&mut warm, record);
        for at in 0..=ENVELOPE_LEN {
            for bit in [0, 3, 6] {
                let mut damaged = frame.to_vec();
                damaged[at] ^= 1 << bit;
                let damaged = mirrorscope_core::Record { data: &damaged, ..*record };
                let fresh = printed(&mut TcpdumpStyle::new(options.clone()), &damaged);
                assert_eq!(printed(&mut warm, &damaged), fresh, "octet {at}, bit {bit}");
            }
            let cut = mirrorscope_core::Record { data: &frame[..at.max(1)], ..*record };
            let fresh = printed(&mut TcpdumpStyle::new(options.clone()), &cut);
            assert_eq!(printed(&mut warm, &cut), fresh, "cut at octet {at}");
        }
        assert_eq!(printed(&mut warm, record), printed(&mut TcpdumpStyle::new(options.clone()), record));
    });
    assert!(frames > 2);
}

#[test]
fn damaged_and_cut_packets_never_panic() {
    let mut style = TcpdumpStyle::new(TcpdumpOptions { link_header: true, ..TcpdumpOptions::default() });
    let mut line = Line::default();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for_each_record(&fixture("mirror/ping-curl-traceroute.pcap"), |record, frame| {
        for round in 0..40_usize {
            let mut damaged = frame.to_vec();
            for _ in 0..1 + round % 4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % damaged.len();
                damaged[at] = (state >> 25) as u8;
            }
            damaged.truncate(if round % 2 == 0 {
                damaged.len()
            } else {
                (state >> 40) as usize % damaged.len()
            });
            for link_type in [0, 1, 12, 101, 108, 113, 228, 229, 276, 9999].map(LinkType) {
                line.clear();
                style.print_record(
                    &mirrorscope_core::Record { data: &damaged, link_type, ..*record },
                    &mut line,
                );
                assert!(line.as_bytes().ends_with(b"\n"));
            }
        }
    });
}

#[test]
fn shared_captures_print_as_tcpdump_prints_them() {
    let Some(shared) = shared_dir() else {
        return skip("tcpdump's text of the shared captures: set MIRRORSCOPE_SHARED to their folder");
    };
    let Some(tcpdump) = tool("tcpdump").filter(|program| is_right_version(program)) else {
        return skip("tcpdump's text of the shared captures: install tcpdump 4.99.3 (Debian 12)");
    };
    let mut table = Table::default();
    for file in files_below(&shared.join("captures")) {
        compare(&tcpdump, &file, &mut table);
    }
    let report = target_dir().join("tcpdump-differences.txt");
    fs::write(&report, &table.differences).unwrap();
    println!("{}differences: {}", table.text(), report.display());
    for class in CLAIMED {
        let (packets, identical) = table.classes.get(class).copied().unwrap_or_default();
        assert!(packets > 0, "no packet of class {class}");
        let share = 100.0 * identical as f64 / packets as f64;
        assert!(share >= LEAST_SHARE, "{class}: {share:.2} % of {packets} packets are identical");
    }
}

#[derive(Default)]
struct Table {
    /// Packets and identical ones of each class.
    classes: BTreeMap<&'static str, (u64, u64)>,
    differences: String,
}

impl Table {
    fn text(&self) -> String {
        let mut text = format!("{:16}{:>9}{:>11}{:>9}\n", "protocol", "packets", "identical", "share");
        for (class, (packets, identical)) in &self.classes {
            let share = 100.0 * *identical as f64 / *packets as f64;
            let _ = writeln!(text, "{class:16}{packets:9}{identical:11}{share:8.2}%");
        }
        text
    }
}

/// Compares the packets that tcpdump printed; what it refuses to read is not its text.
fn compare(tcpdump: &Path, file: &Path, table: &mut Table) {
    let output = Command::new(tcpdump)
        .args(["-#", "-tttt", "-nn", "-r"])
        .arg(file)
        .env("TZ", "UTC")
        .output()
        .expect("tcpdump starts");
    let mut theirs = packets(&output.stdout).into_iter();
    let options = TcpdumpOptions { number: true, ..TcpdumpOptions::default() };
    let (mut style, mut line) = (TcpdumpStyle::new(options), Line::default());
    for_each_record(file, |record, frame| {
        line.clear();
        style.print_record(record, &mut line);
        let Some(theirs) = theirs.next() else { return };
        let theirs = String::from_utf8_lossy(theirs);
        let theirs = without_interface(&theirs, record.link_type);
        let ours = String::from_utf8_lossy(line.as_bytes());
        let classes = if is_decoded(record.link_type) { classes(&theirs, frame) } else { vec!["other link"] };
        let identical = theirs == ours;
        for class in &classes {
            let (packets, same) = table.classes.entry(class).or_default();
            *packets += 1;
            *same += u64::from(identical);
        }
        if !identical {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let _ = write!(table.differences, "{name} {classes:?}\n- {theirs}+ {ours}");
        }
    });
}

/// Whether the decoder knows the link type at all.
fn is_decoded(link_type: LinkType) -> bool {
    mirrorscope_core::layers::by_link_type(link_type, &[0x45]).is_some()
}

/// tcpdump asks the machine that it runs on for the name of the interface that another machine captured on; we say
/// `?`, as it does for one that does not exist.
fn without_interface(text: &str, link_type: LinkType) -> String {
    const NAME_AT: usize = "    1  2022-06-30 08:55:14.941738 ".len();
    match (link_type, text.get(..NAME_AT), text.get(NAME_AT..)) {
        (LinkType::LINUX_SLL2, Some(before), Some(after)) => {
            let rest = after.trim_start_matches(|c: char| c != ' ').trim_start();
            format!("{before}?     {rest}")
        }
        _ => text.to_owned(),
    }
}

/// Cuts tcpdump's output where the next packet's number begins a line.
fn packets(text: &[u8]) -> Vec<&[u8]> {
    let (mut packets, mut start, mut at) = (Vec::new(), 0, 0);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let next = format!("{:5}  ", packets.len() + 2);
        if at > 0 && line.starts_with(next.as_bytes()) {
            packets.push(&text[start..at]);
            start = at;
        }
        at += line.len();
    }
    if start < text.len() {
        packets.push(&text[start..]);
    }
    packets
}

/// What tcpdump's text shows: the tunnels, and the protocol within the innermost of them.
fn classes(text: &str, frame: &[u8]) -> Vec<&'static str> {
    let mut classes = Vec::new();
    if matches!(frame.get(12..14), Some([0x81, 0x00] | [0x88, 0xa8] | [0x91, 0x00])) {
        classes.push("VLAN");
    }
    for (mark, class) in [(": Geneve", "Geneve"), (": VXLAN", "VXLAN"), ("GREv", "GRE")] {
        if text.contains(mark) {
            classes.push(class);
        }
    }
    let innermost = text.rfind("IP6 ").max(text.rfind("IP ")).unwrap_or(0);
    match protocol(&text[innermost..]) {
        // What a tunnel carries may be a protocol that we do not claim; that is not the tunnel's text.
        other @ ("other" | "other over TCP") => vec![other],
        protocol => {
            classes.push(protocol);
            classes
        }
    }
}

fn protocol(text: &str) -> &'static str {
    let first_line = text.lines().next().unwrap_or_default();
    let has_port = |ports: &[&str]| {
        let endpoints = first_line.split(": ").next().unwrap_or_default();
        endpoints.split([' ', '\t']).any(|word| ports.iter().any(|port| word.ends_with(port)))
    };
    let behind_length = first_line.rsplit(", length ").next().unwrap_or_default();
    let is_last = behind_length.bytes().all(|byte| byte.is_ascii_digit());
    if first_line.contains(": HTTP") {
        "HTTP"
    } else if first_line.contains(" Flags [") && first_line.contains(", win ") {
        if is_last {
            "TCP"
        } else if has_port(&[".53"]) {
            "DNS"
        } else {
            "other over TCP"
        }
    } else if first_line.contains(": UDP, ") {
        "UDP"
    } else if first_line.contains(" frag (") {
        "IPv6 fragment"
    } else if has_port(&[".53", ".5353"]) {
        "DNS"
    } else if first_line.contains(": ICMP6, ") {
        "ICMPv6"
    } else if first_line.contains(": ICMP ") {
        "ICMP"
    } else if first_line.contains(": igmp ") {
        "IGMP"
    } else if first_line.contains("ARP, ") {
        "ARP"
    } else if first_line.contains(": ip-proto-") {
        "IPv4 fragment"
    } else {
        "other"
    }
}

/// Runs through a capture's records up to its first damage, with the octets of Ethernet frames.
fn for_each_record(file: &Path, mut each: impl FnMut(&mirrorscope_core::Record<'_>, &[u8])) {
    let bytes = fs::read(file).unwrap();
    let mut reader = CaptureReader::new();
    let mut rest = &bytes[..];
    loop {
        while let Ok(Some(record)) = reader.next() {
            let frame = if record.link_type == LinkType::ETHERNET { record.data } else { &[] };
            each(&record, frame);
        }
        if rest.is_empty() {
            return;
        }
        rest = reader.push(rest);
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let is_capture = |path: &Path| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        ["pcap", "pcapng", "cap", "dmp"].contains(&&*extension)
    };
    let below = files.into_iter().flat_map(|path| match path.is_dir() {
        true => files_below(&path),
        false if is_capture(&path) => vec![path],
        false => vec![],
    });
    below.collect()
}

fn is_right_version(tcpdump: &Path) -> bool {
    let output = Command::new(tcpdump).arg("--version").output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains(VERSION)
    })
}

fn target_dir() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    executable.ancestors().nth(3).unwrap_or(&executable).to_owned()
}
