//! Flow logs from the packets to the answers of a fleet: every format holds every packet once, whatever stops on the
//! way, and the queries that ship give one answer on every engine.
//!
//! Servers and clusters run on 127.0.0.1, as processes of their own, and end with their test.

mod agent;
mod bucket;
mod engines;
mod formats;
mod ipfix;
mod queries;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::mirrorscope_bin;
use serde_json::Value;

/// A folder for one test, empty at its beginning.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fleet").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for scratch files");
    folder
}

/// Runs the program to its end.
fn mirrorscope(words: &[&str]) -> Output {
    let output = Command::new(mirrorscope_bin()).args(words).output().expect("the program starts");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn objects(lines: &[u8]) -> Vec<Value> {
    let lines = String::from_utf8_lossy(lines);
    lines.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// A capture that `mirrorscope send` makes up.
fn generated(path: &Path, words: &str) -> String {
    let file = path.display().to_string();
    let words: Vec<_> = words.split_whitespace().collect();
    mirrorscope(&[&["send", "--quiet", "--generate", "-w", &file], &words[..]].concat());
    file
}

/// What a flow log, or a capture, holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    packets: u64,
    bytes: u64,
}

impl Sums {
    /// Of every packet of a capture, counted without flows.
    fn of_capture(file: &str) -> Self {
        Self::of(
            &objects(&mirrorscope(&["sessions", "--json", "--quiet", file]).stdout),
            ["packets", "bytes"],
        )
    }

    /// Of all records; those of no flow have no numbers.
    fn of(records: &[Value], keys: [&str; 2]) -> Self {
        let sum = |key: &str| records.iter().filter_map(|record| record[key].as_u64()).sum();
        Self { packets: sum(keys[0]), bytes: sum(keys[1]) }
    }

    /// Of records in JSON: the packets, and the copies that are not among them.
    fn of_records(records: &[Value]) -> Self {
        Self::of(records, ["packets", "bytes"]) + Self::of(records, ["duplicates", "duplicate_bytes"])
    }

    /// Of the lines of VPC Flow Logs.
    fn of_lines(lines: &str) -> Self {
        lines.lines().filter(|line| line.ends_with("OK")).fold(Self::default(), |sum, line| {
            let cells: Vec<_> = line.split(' ').collect();
            let number = |at: usize| cells[at].parse().expect("a number");
            sum + Self { packets: number(8), bytes: number(9) }
        })
    }
}

impl std::ops::Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }
}

/// All files below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Waits until `is_so`, at most five minutes: other tests may keep the machine busy.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(300);
    while !is_so() {
        assert!(Instant::now() < until, "it never came to this: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A server that ends with its test, with all processes that it started.
struct Server {
    child: Child,
}

impl Server {
    /// Starts a command in a process group of its own; what it says goes to a file.
    fn start(command: &mut Command, log: &Path) -> Self {
        use std::os::unix::process::CommandExt;
        let log = fs::File::create(log).expect("a file for what it says");
        let errors = log.try_clone().expect("the same file");
        let child = command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Self { child: child.expect("the server starts") }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let status =
            Command::new("kill").args([&format!("-{name}"), "--", &group]).stderr(Stdio::null()).status();
        // It may have ended by itself.
        let _ = status;
    }

    /// Asks it to end, and waits for that.
    fn end(&mut self) {
        self.signal("TERM");
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that is free at the moment, below those that the system gives to connections: none of another
/// test takes it before its server does. No two calls of a test give the same one.
fn free_port() -> u16 {
    const PORTS: std::ops::Range<u32> = 10_000..30_000;
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Tests run side by side in processes of their own, and each begins elsewhere.
    let first = std::process::id().wrapping_mul(61);
    loop {
        let at = first.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % PORTS.len() as u32;
        let port = (PORTS.start + at) as u16;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Unpacks a gzip file with the program of that name.
fn gunzip(path: &Path) -> Vec<u8> {
    let output = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip starts");
    assert!(output.status.success(), "{} is whole", path.display());
    output.stdout
}

/// Writes datagrams from one port to another as a capture of bare IPv4 packets.
fn write_datagrams(path: &Path, port: u16, datagrams: &[Vec<u8>]) {
    let mut file = fs::File::create(path).expect("a capture");
    let header: [&[u8]; 6] = [
        &0xa1b2_c3d4_u32.to_le_bytes(),
        &[2, 0, 4, 0],
        &[0; 8],
        &65_535_u32.to_le_bytes(),
        &101_u32.to_le_bytes(),
        &[],
    ];
    file.write_all(&header.concat()).unwrap();
    for datagram in datagrams {
        let udp_len = datagram.len() as u16 + 8;
        let len = udp_len + 20;
        let ip =
            [&[0x45, 0][..], &len.to_be_bytes(), &[0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]];
        let udp = [port.to_be_bytes(), port.to_be_bytes(), udp_len.to_be_bytes(), [0, 0]];
        let record = [[0; 4], [0; 4], u32::from(len).to_le_bytes(), u32::from(len).to_le_bytes()];
        file.write_all(&[record.concat(), ip.concat(), udp.concat(), datagram.clone()].concat()).unwrap();
    }
}
