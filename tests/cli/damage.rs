//! Damaged captures through the program, in every style: it ends with status 0 or 2, never with a panic, prints what
//! came before the damage, and stays within a stated memory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use mirrorscope_core::capture::CaptureReader;
use mirrorscope_tests::{fixture, mirrorscope_bin, shared_dir, skip, tool};

const PING: &str = "mirror/ping-curl-traceroute.pcap";
const SSM: &str = "mirror/ssm-tcp443.pcap";

/// Address space that the program gets, in KiB: the unoptimized program maps a good part of it before it reads.
const MEMORY_KIB: u64 = 256 * 1024;
/// Peak resident memory that no capture may exceed, in KiB.
const MAX_RESIDENT_KIB: u64 = 64 * 1024;
/// One shared capture in so many is damaged and read in every style.
const EVERY: usize = 60;

/// Every way to read a capture: the words before the file, and those behind it.
const STYLES: &[(&[&str], &[&str])] = &[
    (&["read"], &[]),
    (&["read", "--json"], &[]),
    (&["read", "--style", "tcpdump", "-e"], &[]),
    (&["read", "-v", "-x", "-x"], &[]),
    (&["read", "--count"], &[]),
    (&["read", "-w", "-"], &[]),
    (&["read"], &["tcp[tcpflags] & tcp-syn != 0 or udp or vlan or outer (net 10.0.0.0/8)"]),
    (&["sessions"], &[]),
    (&["flows"], &[]),
    (&["flows", "--json"], &[]),
    (&["aws", "explain", "--filters", "FILTERS"], &[]),
    (&["aws", "suggest", "--keep", "tcp"], &[]),
];

fn run(style: &(&[&str], &[&str]), capture: &Path) -> Output {
    let filters = fixture("aws/describe-traffic-mirror-filters.json");
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {MEMORY_KIB} 2>/dev/null; exec \"$0\" \"$@\"")])
        .arg(mirrorscope_bin());
    let words =
        style.0.iter().map(|word| if *word == "FILTERS" { filters.as_os_str() } else { (*word).as_ref() });
    command.args(words).arg(capture).args(style.1).env("TZ", "UTC").stdin(Stdio::null());
    command.output().expect("the program starts")
}

/// Asserts that every style copes with `capture`, and returns what the default style printed.
fn assert_copes(capture: &Path) -> Vec<u8> {
    let mut brief = Vec::new();
    for style in STYLES {
        let output = run(style, capture);
        let said = String::from_utf8_lossy(&output.stderr);
        let copes = matches!(output.status.code(), Some(0 | 2)) || is_refused(style, &said);
        assert!(copes, "{style:?} {}: {:?} {said}", capture.display(), output.status);
        assert!(!said.contains("panicked"), "{style:?} {}: {said}", capture.display());
        assert!(output.status.code() != Some(2) || said.contains("hint: "), "{style:?}: {said}");
        if *style == STYLES[0] {
            brief = output.stdout;
        }
    }
    brief
}

/// `aws suggest` fails, as it should, where the capture holds nothing to keep.
fn is_refused(style: &(&[&str], &[&str]), said: &str) -> bool {
    style.0.contains(&"suggest") && said.starts_with("error: ") && !said.contains("panicked")
}

/// A folder of its own, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("mirrorscope-damage-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("the temporary folder is writable");
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Records that core reads before the end or the damage.
fn records(bytes: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut reader = CaptureReader::new();
    let (mut rest, mut records) = (bytes, Vec::new());
    loop {
        rest = reader.push(rest);
        if rest.is_empty() {
            reader.finish();
        }
        loop {
            match reader.next() {
                Ok(Some(record)) => records.push(record.data.to_vec()),
                Ok(None) => break,
                Err(_) => return (records, false),
            }
        }
        if rest.is_empty() {
            return (records, true);
        }
    }
}

/// Ends of the records of a little-endian pcap file, from its own length fields.
fn record_ends(pcap: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 24;
    while let Some(header) = pcap.get(at..at + 16) {
        at += 16 + u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        ends.push(at);
    }
    ends
}

#[test]
fn a_capture_cut_at_any_octet_gives_all_records_before_the_cut() {
    let pcap = fs::read(fixture(PING)).expect("the fixture is there");
    let ends = record_ends(&pcap);
    let (whole, _) = records(&pcap);
    assert_eq!((ends.len(), whole.len()), (63, 63));
    for len in 24..pcap.len() {
        let (found, is_intact) = records(&pcap[..len]);
        let expected = ends.iter().filter(|end| **end <= len).count();
        assert_eq!(found, whole[..expected], "cut to {len} octets");
        assert_eq!(is_intact, len == 24 || ends.contains(&len), "cut to {len} octets");
    }
}

#[test]
fn a_written_capture_cut_at_any_octet_gives_all_records_before_the_cut() {
    let output = run(&(&["read", "-w", "-", "-c", "9"], &[]), &fixture(SSM));
    let pcapng = output.stdout;
    let (whole, is_intact) = records(&pcapng);
    assert_eq!((whole.len(), is_intact), (9, true));
    let mut most = 0;
    for len in 0..pcapng.len() {
        let (found, _) = records(&pcapng[..len]);
        assert_eq!(found, whole[..found.len()], "cut to {len} octets");
        assert!(found.len() >= most, "a longer file gives fewer records at {len}");
        most = found.len();
    }
    assert!(most >= 8);
}

#[test]
fn a_cut_file_is_read_up_to_the_cut_in_every_style() {
    let scratch = Scratch::new("cut");
    let pcap = fs::read(fixture(SSM)).expect("the fixture is there");
    let ends = record_ends(&pcap);
    for len in [0, 3, 23, 24, 30, 40, 41, pcap.len() / 2, pcap.len() - 1, pcap.len()] {
        let path = scratch.0.join("cut.pcap");
        fs::write(&path, &pcap[..len]).expect("the temporary folder is writable");
        let lines = assert_copes(&path).iter().filter(|octet| **octet == b'\n').count();
        assert_eq!(lines, ends.iter().filter(|end| **end <= len).count(), "cut to {len} octets");
    }
}

#[test]
fn captures_with_flipped_bits_are_read_to_their_end_in_every_style() {
    let Some(editcap) = tool("editcap") else {
        return skip("captures damaged by editcap (apt-get install wireshark-common)");
    };
    let scratch = Scratch::new("flipped");
    let mut captures = [PING, SSM].map(fixture).to_vec();
    match shared_dir() {
        Some(shared) => captures.extend(sample(&shared.join("captures/peers"))),
        None => skip("shared captures damaged by editcap (no ../shared)"),
    }
    for (seed, capture) in captures.iter().enumerate() {
        let damaged = scratch.0.join("damaged.pcapng");
        let seed = (seed + 1).to_string();
        let edit = Command::new(&editcap)
            .args(["-E", "0.02", "--seed", &seed, "-F", "pcapng"])
            .args([capture, &damaged])
            .output();
        if edit.expect("editcap starts").status.success() {
            let lines = assert_copes(&damaged).iter().filter(|octet| **octet == b'\n').count();
            let bytes = fs::read(&damaged).expect("editcap wrote it");
            assert_eq!(lines, records(&bytes).0.len(), "{}", capture.display());
        }
    }
}

/// Some captures, and all with tunnels that are not too long.
fn sample(captures: &Path) -> Vec<PathBuf> {
    let table = |name: &str, column: usize| -> Vec<PathBuf> {
        let text = fs::read_to_string(captures.join(name)).expect("the table is readable");
        let names = text.lines().skip(1).filter_map(|line| line.split('\t').nth(column));
        names.map(|name| captures.join(name)).collect()
    };
    let tunnels = table("TUNNELS.tsv", 0).into_iter().step_by(5);
    let some = table("MANIFEST.tsv", 1).into_iter().skip(7).step_by(EVERY);
    let is_short = |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.len() < 300_000);
    tunnels.chain(some).filter(is_short).collect()
}

#[test]
fn no_length_that_a_file_claims_costs_memory() {
    let scratch = Scratch::new("claims");
    let good = fs::read(fixture(SSM)).expect("the fixture is there");
    let claim = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    // Snapshot length; captured and original length of the first record.
    for (name, bytes) in [
        ("snap", claim(16, u32::MAX)),
        ("captured", claim(32, u32::MAX)),
        ("captured-1gb", claim(32, 1 << 30)),
        ("original", claim(36, u32::MAX)),
    ] {
        let path = scratch.0.join(name);
        fs::write(&path, bytes).expect("the temporary folder is writable");
        assert_copes(&path);
        for style in STYLES {
            if let Some(kib) = peak_resident_kib(style, &path) {
                assert!(kib < MAX_RESIDENT_KIB, "{style:?} of {name} took {kib} KiB");
            }
        }
    }
}

/// Peak resident memory of a run by `/usr/bin/time`, where that is installed.
fn peak_resident_kib(style: &(&[&str], &[&str]), capture: &Path) -> Option<u64> {
    let filters = fixture("aws/describe-traffic-mirror-filters.json");
    let Some(time) = tool("time") else {
        skip("peak memory of damaged captures (apt-get install time)");
        return None;
    };
    let mut command = Command::new(time);
    command.args(["-f", "peak %M"]).arg(mirrorscope_bin());
    let words =
        style.0.iter().map(|word| if *word == "FILTERS" { filters.as_os_str() } else { (*word).as_ref() });
    let output = command.args(words).arg(capture).args(style.1).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines().find_map(|line| line.strip_prefix("peak ")?.trim().parse().ok())
}
