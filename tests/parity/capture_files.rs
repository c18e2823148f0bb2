//! The captures of other projects hold the packets that Wireshark's tools count in them: number, times, lengths,
//! link types, for each file; exceptions are listed with their reason.
//!
//! `capinfos` is asked about all files at once, `tshark` for each packet of the files whose container is not the
//! plain little-endian microsecond pcap. Skipped, visibly, where the captures or the tools are missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use mirrorscope_core::LinkType;
use mirrorscope_core::capture::{
    CaptureError, CaptureReader, InterfaceHeader, Packet, PcapWriter, PcapngWriter, SectionHeader, Statistics,
};

/// Files on which we differ from Wireshark's tools on purpose: (file, packets we read, why).
const EXCEPTIONS: &[(&str, u64, &str)] = &[
    (
        "rshk+python-pcapng/test_data/test006.ntar",
        0,
        "its packet block is 167 octets long, no multiple of 4; libpcap refuses it as well, tshark rounds up",
    ),
    (
        "hadrielk+pcapng-test-generator/output_le/basic/test018.pcapng",
        4,
        "tshark counts Custom Blocks as frames",
    ),
    (
        "seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/pcapng-example.pcapng",
        159,
        "times of interface 1 are 505 seconds before 1970 in 64 unsigned bits; tshark shows the year 584554",
    ),
    (
        "the-tcpdump-group+tcpdump/tests/atm-oam-loopback-print-overrun.pcap",
        1,
        "tshark takes 4 octets of ATM pseudo-header off, and its fraction of 1,159,821,166 microseconds overflows",
    ),
    (
        "the-tcpdump-group+tcpdump/tests/pim_header_asan-2.pcap",
        3,
        "capinfos takes the last packet's time for the first; tshark's times equal ours",
    ),
    (
        "the-tcpdump-group+tcpdump/tests/timestamp_invalid_micro.pcap",
        3,
        "a fraction of 2,147,483,648 microseconds overflows in tshark; tcpdump reads it as we do",
    ),
    (
        "OISF+suricata-verify/tests/smtp-to-comma/10.7.29.101_49898-178.63.41.150_25.pcap",
        18,
        "damaged: record 19 claims 3,925,868,813 octets",
    ),
    ("zeek+zeek/src/fuzzers/corpora/packet-corpus.zip", 0, "a zip archive"),
];

/// What a capture holds.
#[derive(Debug, PartialEq, Eq)]
struct Capture {
    seen: Vec<Seen>,
    link_types: BTreeSet<u16>,
    error: Option<CaptureError>,
}

/// One packet as far as a container tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    timestamp_ns: i64,
    original_len: u32,
    captured_len: u32,
    link_type: u16,
}

#[test]
fn every_capture_holds_the_packets_that_capinfos_counts() {
    let Some(captures) = captures() else { return };
    let files = manifest(&captures);
    let Some(expected) = capinfos(&captures, &files) else { return };
    let mut differences = Vec::new();
    let mut compared = 0;
    for file in &files {
        let Capture { seen, link_types, error } = read(&captures.join(&file.name), 64 * 1024);
        if link_types != file.link_types {
            differences
                .push(format!("{}: link types {link_types:?}, manifest {:?}", file.name, file.link_types));
        }
        let exception = EXCEPTIONS.iter().find(|(name, ..)| *name == file.name);
        match (exception, expected.get(&file.name)) {
            (Some((_, packets, why)), _) if *packets != seen.len() as u64 => {
                differences.push(format!("{}: {} packets, not {packets} ({why})", file.name, seen.len()));
            }
            (Some(_), _) => {}
            (None, Some(expected)) => {
                compared += 1;
                let found = Summary::of(&seen);
                if !expected.agrees(found) || error.is_some() {
                    differences.push(format!("{}: capinfos {expected:?}, we {found:?} {error:?}", file.name));
                }
            }
            (None, None) if seen.len() as u64 != file.packets => {
                differences.push(format!(
                    "{}: {} packets, manifest {} {error:?}",
                    file.name,
                    seen.len(),
                    file.packets
                ));
            }
            (None, None) => {}
        }
    }
    println!("{compared} of {} captures compared with capinfos, {} differ", files.len(), differences.len());
    assert!(compared > 800, "only {compared} captures were compared");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_packet_of_unusual_containers_equals_tshark_s() {
    let Some(captures) = captures() else { return };
    let mut differences = Vec::new();
    let mut packets = 0;
    for file in manifest(&captures).iter().filter(|file| !file.container.starts_with("pcap-le-us")) {
        if EXCEPTIONS.iter().any(|(name, ..)| *name == file.name) || file.packets == 0 {
            continue;
        }
        let Some(expected) = tshark(&captures.join(&file.name)) else { return };
        let seen = read(&captures.join(&file.name), 4096).seen;
        packets += seen.len();
        let found: Vec<_> =
            seen.iter().map(|seen| (seen.timestamp_ns, seen.original_len, seen.captured_len)).collect();
        if found != expected {
            let first = found.iter().zip(&expected).position(|(found, expected)| found != expected);
            let at = first.unwrap_or(found.len().min(expected.len()));
            differences.push(format!(
                "{}: packet {}: tshark {:?}, we {:?}",
                file.name,
                at + 1,
                expected.get(at),
                found.get(at)
            ));
        }
    }
    println!("{packets} packets compared with tshark, {} files differ", differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn any_chunking_of_any_capture_gives_the_same_packets_and_the_same_error() {
    let Some(captures) = captures() else { return };
    for file in manifest(&captures).iter().step_by(7) {
        let path = captures.join(&file.name);
        let whole = read(&path, usize::MAX);
        for chunk_len in [1, 7, 1500] {
            assert_eq!(read(&path, chunk_len), whole, "{} in chunks of {chunk_len}", file.name);
        }
    }
}

#[test]
fn capinfos_and_tshark_read_what_the_writers_write() {
    let mut pcapng = Vec::new();
    let header = SectionHeader { application: Some("mirrorscope"), ..SectionHeader::default() };
    let mut writer = PcapngWriter::begin(&mut pcapng, &header);
    let interface = InterfaceHeader {
        link_type: LinkType::ETHERNET,
        snap_len: 0,
        name: Some("vni 7"),
        description: Some("ENI"),
    };
    let id = writer.interface(&mut pcapng, &interface);
    let mut pcap = Vec::new();
    let mut pcap_writer = PcapWriter::begin(&mut pcap, LinkType::ETHERNET, 0);
    let mut expected = Vec::new();
    for number in 0..100_u32 {
        let data = vec![number as u8; 60 + number as usize];
        let timestamp_ns = 1_700_000_000_123_456_789 + i64::from(number);
        let packet = Packet {
            interface: id,
            timestamp_ns,
            original_len: 1500,
            data: &data,
            comment: (number % 2 == 0).then_some("vpce-0123456789abcdef0"),
        };
        writer.packet(&mut pcapng, &packet);
        pcap_writer.packet(&mut pcap, &packet);
        expected.push((timestamp_ns, 1500, data.len() as u32));
    }
    let statistics = Statistics { received: Some(100), dropped: Some(0), ..Statistics::default() };
    writer.statistics(&mut pcapng, id, 1_700_000_001_000_000_000, &statistics);
    for (name, bytes) in [("written.pcapng", pcapng), ("written.pcap", pcap)] {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, bytes).expect("the target directory is writable");
        let Some(found) = tshark(&path) else { return };
        assert_eq!(found, expected, "{name}");
        let complaints = Command::new("capinfos").arg(&path).output().map(|output| output.stderr);
        assert_eq!(
            complaints.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default(),
            ""
        );
    }
}

#[test]
fn captures_with_damaged_packets_keep_their_framing() {
    let Some(captures) = captures() else { return };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged");
    for file in manifest(&captures).iter().filter(|file| file.packets > 0).step_by(9) {
        let output = Command::new("editcap")
            .args(["-E", "0.02", "--seed", "7", "-F", "pcapng"])
            .args([captures.join(&file.name), path.clone()])
            .output();
        let Ok(output) = output else {
            mirrorscope_tests::skip("editcap is not installed (apt-get install wireshark-common)");
            return;
        };
        if output.status.success() && !EXCEPTIONS.iter().any(|(name, ..)| *name == file.name) {
            let Capture { seen, error, .. } = read(&path, 1500);
            assert_eq!((seen.len() as u64, error), (file.packets, None), "{}", file.name);
        }
    }
}

/// A file of the manifest.
struct File {
    name: String,
    container: String,
    link_types: BTreeSet<u16>,
    packets: u64,
}

/// What `capinfos` says of a file. It has no times where one packet has none (Simple Packet Block).
#[derive(Clone, Copy, Debug)]
struct Summary {
    packets: u64,
    original_len: u64,
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

impl Summary {
    fn agrees(self, found: Self) -> bool {
        let times_agree =
            self.first_ns.is_none() || (self.first_ns, self.last_ns) == (found.first_ns, found.last_ns);
        self.packets == found.packets && self.original_len == found.original_len && times_agree
    }

    fn of(seen: &[Seen]) -> Self {
        Self {
            packets: seen.len() as u64,
            original_len: seen.iter().map(|seen| u64::from(seen.original_len)).sum(),
            first_ns: seen.iter().map(|seen| seen.timestamp_ns).min(),
            last_ns: seen.iter().map(|seen| seen.timestamp_ns).max(),
        }
    }
}

fn read(path: &Path, chunk_len: usize) -> Capture {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = CaptureReader::new();
    let mut seen = Vec::new();
    let error = read_chunks(&bytes, chunk_len, &mut reader, &mut seen).err();
    let link_types = reader.interfaces().iter().map(|interface| interface.link_type.0).collect();
    Capture { seen, link_types, error }
}

fn read_chunks(
    bytes: &[u8],
    chunk_len: usize,
    reader: &mut CaptureReader,
    seen: &mut Vec<Seen>,
) -> Result<(), CaptureError> {
    for mut chunk in bytes.chunks(chunk_len.min(bytes.len()).max(1)) {
        while !chunk.is_empty() {
            chunk = reader.push(chunk);
            drain(reader, seen)?;
        }
    }
    reader.finish();
    drain(reader, seen)
}

fn drain(reader: &mut CaptureReader, seen: &mut Vec<Seen>) -> Result<(), CaptureError> {
    while let Some(record) = reader.next()? {
        seen.push(Seen {
            timestamp_ns: record.timestamp_ns,
            original_len: record.original_len,
            captured_len: record.data.len() as u32,
            link_type: record.link_type.0,
        });
    }
    Ok(())
}

fn captures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("MIRRORSCOPE_SHARED").map_or(beside, PathBuf::from);
    let captures = shared.join("captures/peers");
    if captures.join("MANIFEST.tsv").exists() {
        return Some(captures);
    }
    mirrorscope_tests::skip(&format!("no captures at {} (set MIRRORSCOPE_SHARED)", captures.display()));
    None
}

fn manifest(captures: &Path) -> Vec<File> {
    let text = std::fs::read_to_string(captures.join("MANIFEST.tsv")).expect("the manifest is readable");
    let lines = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    lines
        .map(|columns| File {
            name: columns[1].to_owned(),
            container: columns[8].to_owned(),
            link_types: columns[9].split(',').filter_map(|number| number.parse().ok()).collect(),
            packets: columns[10].parse().expect("a number of packets"),
        })
        .collect()
}

fn capinfos(captures: &Path, files: &[File]) -> Option<BTreeMap<String, Summary>> {
    let names = files.iter().map(|file| file.name.as_str());
    let output = Command::new("capinfos").args(["-TMrcdaeSQ"]).args(names).current_dir(captures).output();
    let Ok(output) = output else {
        mirrorscope_tests::skip("capinfos is not installed (apt-get install wireshark-common)");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let summaries = text.lines().filter_map(|line| {
        let columns: Vec<_> = line.split('\t').map(|column| column.trim_matches('"')).collect();
        let [name, packets, original_len, first, last] = columns[..] else { return None };
        let summary = Summary {
            packets: packets.parse().ok()?,
            original_len: original_len.parse().ok()?,
            first_ns: nanoseconds(first),
            last_ns: nanoseconds(last),
        };
        Some((name.to_owned(), summary))
    });
    Some(summaries.collect())
}

fn tshark(path: &Path) -> Option<Vec<(i64, u32, u32)>> {
    let mut command = Command::new("tshark");
    command.args([
        "-n",
        "-T",
        "fields",
        "-e",
        "frame.time_epoch",
        "-e",
        "frame.len",
        "-e",
        "frame.cap_len",
        "-r",
    ]);
    let Ok(output) = command.arg(path).output() else {
        mirrorscope_tests::skip("tshark is not installed (apt-get install tshark)");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let packets = text.lines().map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        let len = |column: &str| column.parse().expect("a length");
        (nanoseconds(columns[0]).unwrap_or(0), len(columns[1]), len(columns[2]))
    });
    Some(packets.collect())
}

/// `1506883716.995391962` in nanoseconds; any number of digits after the point.
fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)
}
