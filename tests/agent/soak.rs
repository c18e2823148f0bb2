//! The agent among everything that can go wrong, for a long time: each packet is accounted for, memory and
//! descriptors do not grow, and health tells the truth at every moment.
//!
//! `MIRRORSCOPE_SOAK_SECONDS` says how long; without it two minutes, in which every fault strikes three times: what one of
//! them takes once is there before the growth is judged. Packets are lost, doubled, damaged and put out of
//! order by `send`, because not every kernel has netem. The machine's clock is everyone's, and is left alone: what a
//! step back does to flows and to series of files, their own tests say.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    io::{self, Read, Write},
    net::{TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip, tool};
use serde_json::Value;

mod namespace;
#[path = "running.rs"]
mod running;

use namespace::{Cable, GWLB, TARGET};
use running::{Agent, memory_bound, scratch};

const DEFAULT_SECONDS: u64 = 120;
/// Descriptors that the agent may have; connections that are held take what it leaves.
const DESCRIPTORS: usize = 160;
/// What the kernel charges to a group beside the agent's own memory: its sockets' buffers, and pages of files.
const CHARGED_LEN: u64 = 160 << 20;
/// A round takes about so long.
const PACKETS: u64 = 12_000;
const RATE: u64 = 3_000;
const OPTIONS: &str = "--workers 2 --queue 2 --max-flows 1500 --buffer 16";

#[test]
fn among_all_faults_at_once_every_packet_is_accounted_for_and_nothing_grows() {
    let Some(cable) = Cable::lay() else { return };
    let Some(prlimit) = tool("prlimit") else {
        return skip("the soak takes prlimit: apt-get install util-linux");
    };
    let seconds = env::var("MIRRORSCOPE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS));
    let place = Place::make();
    let bound = memory_bound(&place.options());
    let group = Group::make(bound + CHARGED_LEN);
    let mut agent = start(&cable, &prlimit, &place, group.as_ref());
    let watch = Watch::begin(&agent, place.pipe.clone());
    let probes = probe(&cable, &watch);

    let mut sent = 0;
    let mut samples = Vec::new();
    let mut round = 0;
    // Every fault strikes at least once.
    while Instant::now() < until || round < FAULTS.len() {
        let sender = traffic(&cable, round);
        FAULTS[round % FAULTS.len()](&Scene { cable: &cable, agent: &agent, place: &place, watch: &watch });
        sent += sent_by(sender);
        samples.push(Sample::take(&agent));
        assert!(!watch.thread.is_finished(), "health did not tell the truth");
        round += 1;
    }
    drain_pipe(&place.pipe);
    agent.settle_with_losses(sent);
    agent.assert_sums();
    let returned = ["returned", "return_failed"].map(|name| agent.counter(name)).iter().sum::<u64>();
    assert!(returned > sent / 10 && returned <= agent.counter("inline"), "{}", agent.stats());
    watch.end();
    let answered = probes.join().expect("every probe was answered in HTTP");
    assert!(answered > round as u64 * 10, "{answered} probes in {round} rounds");
    tell(&samples, round, sent, bound);
    judge(&samples, bound);
    agent.signal("TERM");
    assert!(agent.wait().success(), "{}", agent.talk.lock().unwrap());
}

/// What a fault can lay hands on.
struct Scene<'a> {
    cable: &'a Cable,
    agent: &'a Agent,
    place: &'a Place,
    watch: &'a Watch,
}

/// The faults, one a round.
const FAULTS: [fn(&Scene<'_>); 7] = [
    full_disk,
    reader_goes,
    device_goes,
    no_descriptors,
    readers_that_do_not_read,
    bad_reload,
    collector_comes,
];

fn full_disk(scene: &Scene<'_>) {
    let filler = scene.place.disk.join("filler");
    // As much as there is room for.
    let _ = fs::write(&filler, vec![1; 16 << 20]);
    thread::sleep(Duration::from_secs(2));
    fs::remove_file(filler).unwrap();
}

/// The reader of the pipe reads for a second and goes; the sink waits for the next one.
fn reader_goes(scene: &Scene<'_>) {
    let mut pipe = open_pipe(&scene.place.pipe);
    let until = Instant::now() + Duration::from_secs(1);
    let mut piece = [0; 65536];
    while Instant::now() < until {
        if !pipe.read(&mut piece).is_ok_and(|len| len > 0) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn device_goes(scene: &Scene<'_>) {
    thread::sleep(Duration::from_secs(1));
    scene.cable.target.run("ip link del mssoak");
}

/// Connections take every descriptor that the agent has left. Nobody is answered meanwhile; packets go on.
fn no_descriptors(scene: &Scene<'_>) {
    scene.watch.is_shut.store(true, Ordering::Release);
    let before = scene.agent.counter("received");
    let held: Vec<_> =
        (0..2 * DESCRIPTORS).map_while(|_| UnixStream::connect(&scene.agent.api).ok()).collect();
    thread::sleep(Duration::from_secs(2));
    drop(held);
    let until = Instant::now() + Duration::from_secs(10);
    while answer(&scene.agent.api, "/health").is_none() {
        assert!(Instant::now() < until, "it answers again when there are descriptors again");
    }
    assert!(scene.agent.counter("received") > before);
    scene.watch.is_shut.store(false, Ordering::Release);
}

fn readers_that_do_not_read(scene: &Scene<'_>) {
    let ask = |path: &str| {
        let mut stream = UnixStream::connect(&scene.agent.api).unwrap();
        let _ = write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream
    };
    let readers: Vec<_> = (0..4).map(|_| ask("/v1/capture?outer=1")).collect();
    let rubbish = ask("\0\u{7f}\r\r\n");
    let socket = scene.cable.gwlb.bind(&format!("{GWLB}:0"));
    // Not sent to the agent's port: what it receives there is counted.
    socket.send_to(&[0xff; 600], (TARGET, 8080)).unwrap();
    thread::sleep(Duration::from_secs(2));
    drop((readers, rubbish));
}

fn bad_reload(scene: &Scene<'_>) {
    for text in ["filter = 'tcp or'\n", "filter =\n", "filter = ''\n"] {
        fs::write(&scene.place.config, text).unwrap();
        scene.agent.signal("HUP");
        thread::sleep(Duration::from_millis(400));
    }
}

/// The collector, of whom the kernel says most of the time that nobody listens.
fn collector_comes(scene: &Scene<'_>) {
    let collector: UdpSocket = scene.cable.gwlb.bind(&format!("{GWLB}:4790"));
    collector.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut received = 0;
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until && collector.recv(&mut [0; 9300]).is_ok() {
        received += 1;
    }
    assert!(received > 0, "the collector is sent to again");
}

/// Where the agent writes.
struct Place {
    disk: PathBuf,
    pipe: PathBuf,
    config: PathBuf,
    socket: PathBuf,
}

impl Place {
    fn make() -> Self {
        let [disk, pipe, config, socket] = ["soak-disk", "soak-pipe", "soak.toml", "soak.sock"].map(scratch);
        let _ = fs::create_dir_all(&disk);
        let mount = ["-t", "tmpfs", "-o", "size=8m", "tmpfs"];
        assert!(Command::new("mount").args(mount).arg(&disk).status().unwrap().success());
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::write(&config, "filter = ''\n").unwrap();
        Self { disk, pipe, config, socket }
    }

    fn options(&self) -> String {
        format!(
            "{OPTIONS} --write {disk}/m.pcapng --rotate-size 1 --keep-files 3 --disk-floor 1 --json {pipe} \
             --text {disk}/m.txt --tap mssoak --vxlan {GWLB}:4790 --require-sinks",
            disk = self.disk.display(),
            pipe = self.pipe.display(),
        )
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.disk).status();
    }
}

/// A group of processes that the kernel keeps to a memory limit.
struct Group(PathBuf);

impl Group {
    /// Below the group of this process; `None` where that may not be, which is said.
    fn make(limit_len: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let kinds = [
            (":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("0::", "/sys/fs/cgroup", "memory.max"),
        ];
        for (kind, root, limit) in kinds {
            let Some(path) = own.lines().find_map(|line| line.split_once(kind)).map(|(_, path)| path) else {
                continue;
            };
            let group = Path::new(root)
                .join(path.trim_start_matches('/'))
                .join(format!("soak-{}", std::process::id()));
            if fs::create_dir(&group).is_ok() {
                let group = Self(group);
                if fs::write(group.0.join(limit), limit_len.to_string()).is_ok() {
                    return Some(group);
                }
            }
        }
        skip("the soak's memory limit takes a control group that may be written: run the tests as root");
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn start(cable: &Cable, prlimit: &Path, place: &Place, group: Option<&Group>) -> Agent {
    let join = "[ -z \"$1\" ] || echo $$ > \"$1/cgroup.procs\"; shift; exec \"$@\"";
    let group = group.map_or_else(String::new, |group| group.0.display().to_string());
    let mut command = cable.target.command("sh");
    command.args(["-c", join, "sh", &group]).arg(prlimit).arg(format!("--nofile={DESCRIPTORS}"));
    command.arg(mirrorscope_bin()).args(["serve", "--listen", &format!("{TARGET}:6081")]);
    command.args([
        "--health",
        &format!("{TARGET}:8080"),
        "--api",
        &format!("unix:{}", place.socket.display()),
    ]);
    command.args([
        "--mode",
        "auto",
        "--mirror-endpoint",
        namespace::ENDPOINTS,
        "--drain-quiet",
        "1",
        "--config",
    ]);
    command.arg(&place.config).args(place.options().split_whitespace());
    let mut agent = Agent::spawn(command);
    agent.api = place.socket.display().to_string();
    agent
}

fn traffic(cable: &Cable, round: usize) -> Child {
    let mut command = cable.gwlb.command(mirrorscope_bin());
    command.args(["send", "--json", "--generate", "--to", TARGET, "--yes-send-to", TARGET, "--seed"]);
    command.arg((round + 1).to_string()).args([
        "--packets",
        &PACKETS.to_string(),
        "--rate",
        &RATE.to_string(),
    ]);
    let kinds = "--flows 500 --sessions 3 --endpoints 3 --inline 0.3 --ipv6 0.2 --vlan 0.2 --wait 0.5";
    let faults = "--loss 0.02 --reorder 0.05 --duplicate 0.02 --corrupt 0.02 --truncate 0.02";
    command.args(kinds.split(' ')).args(faults.split(' '));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn sent_by(sender: Child) -> u64 {
    let output = sender.wait_with_output().expect("it ends");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    summary["sent"].as_u64().expect("a number")
}

/// A reader whose end is open without anyone who writes.
fn open_pipe(path: &Path) -> fs::File {
    use std::os::unix::fs::OpenOptionsExt;
    const O_NONBLOCK: i32 = 0o4000;
    fs::File::options().read(true).custom_flags(O_NONBLOCK).open(path).expect("it is there")
}

/// Reads the pipe from now on, so that the sink can end.
fn drain_pipe(path: &Path) {
    let mut pipe = open_pipe(path);
    thread::spawn(move || {
        let mut piece = [0; 65536];
        loop {
            if !pipe.read(&mut piece).is_ok_and(|len| len > 0) {
                thread::sleep(Duration::from_millis(10));
            }
        }
    });
}

/// Compares what health says with what is so, all the time.
struct Watch {
    is_over: Arc<AtomicBool>,
    /// Nobody can be answered at the moment.
    is_shut: Arc<AtomicBool>,
    compared: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn begin(agent: &Agent, pipe: PathBuf) -> Self {
        let [is_over, is_shut] = [(), ()].map(|()| Arc::new(AtomicBool::new(false)));
        let compared = Arc::new(AtomicU64::new(0));
        let (over, shut, count) = (Arc::clone(&is_over), Arc::clone(&is_shut), Arc::clone(&compared));
        let api = agent.api.clone();
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Acquire) {
                let was_shut = shut.load(Ordering::Acquire);
                match compare(&api, &pipe) {
                    true => drop(count.fetch_add(1, Ordering::Relaxed)),
                    false => assert!(was_shut || shut.load(Ordering::Acquire), "the API does not answer"),
                }
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self { is_over, is_shut, compared, thread }
    }

    fn end(self) {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().expect("health told the truth");
        assert!(self.compared.load(Ordering::Relaxed) > 20);
    }
}

/// Whether it answered. What changed between the questions says nothing.
fn compare(api: &str, pipe: &Path) -> bool {
    let failures = || -> Option<Vec<Value>> {
        let stats: Value = serde_json::from_str(&answer(api, "/v1/stats")?.1).expect("JSON");
        let sinks = stats["sinks"].as_array().expect("sinks");
        Some(sinks.iter().map(|sink| sink["failure"].clone()).collect())
    };
    let (Some(before), Some((status, reason)), Some(after)) =
        (failures(), answer(api, "/health"), failures())
    else {
        return false;
    };
    if before != after {
        return true;
    }
    match before.iter().any(|failure| !failure.is_null()) {
        true => assert!(status == 503 && reason.contains(" fails: "), "{status} {reason} {before:?}"),
        // A sink that waits for a reader has not failed, and does not work.
        false => assert!(
            status == 200 || reason.contains(&format!("{} has been stuck", pipe.display())),
            "{status} {reason}"
        ),
    }
    true
}

/// Asks, and gives up after two seconds.
fn answer(api: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(api).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// A load balancer that flaps: every second probe connects and says nothing. Returns how many were answered.
fn probe(cable: &Cable, watch: &Watch) -> thread::JoinHandle<u64> {
    let is_over = Arc::clone(&watch.is_over);
    cable.gwlb.inside(move || {
        let mut answered = 0;
        while !is_over.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(20));
            let _silent = TcpStream::connect((TARGET, 8080));
            let Ok(mut stream) = TcpStream::connect((TARGET, 8080)) else { continue };
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut text = String::new();
            let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            // Without descriptors nobody answers, and a probe that waited too long is cut off.
            if asked.is_ok() && stream.read_to_string(&mut text).is_ok() && !text.is_empty() {
                let fits = |status| text.starts_with(&format!("HTTP/1.1 {status} "));
                assert!([200, 503, 408].into_iter().any(fits), "{text}");
                answered += 1;
            }
        }
        answered
    })
}

/// What the agent holds after a round.
#[derive(Clone, Copy, Debug)]
struct Sample {
    memory_len: u64,
    descriptors: usize,
}

impl Sample {
    fn take(agent: &Agent) -> Self {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", agent.child.id())).expect("it runs").count();
        Self { memory_len: agent.memory_len(), descriptors }
    }
}

/// The middle of `values`.
fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// Between the second third of the rounds, when everything has been used, and the last.
fn grown_len(samples: &[Sample]) -> i64 {
    let third = samples.len() / 3;
    let [before, after] = [&samples[third..2 * third], &samples[2 * third..]]
        .map(|samples| median(samples.iter().map(|sample| sample.memory_len)) as i64);
    after - before
}

fn tell(samples: &[Sample], rounds: usize, sent: u64, bound: u64) {
    let most = samples.iter().map(|sample| sample.memory_len).max().unwrap_or_default();
    let grown = grown_len(samples);
    let line = format!(
        "soak: {rounds} rounds, {sent} packets; at most {} of {} MiB; {} KiB more in the last third of the rounds than \
         in the one before\n",
        most >> 20,
        bound >> 20,
        grown / 1024
    );
    let _ = io::stderr().write_all(line.as_bytes());
}

fn judge(samples: &[Sample], bound: u64) {
    const NOISE_LEN: i64 = 8 << 20;
    let most = samples.iter().map(|sample| sample.memory_len).max().unwrap_or_default();
    assert!(most < bound, "it held {most} octets, and promised {bound}");
    assert!(grown_len(samples) < NOISE_LEN, "memory grows: {samples:?}");
    let (first, last) = (samples[..3].iter(), samples[samples.len() - 3..].iter());
    let [first, last] =
        [first.map(|sample| sample.descriptors).max(), last.map(|sample| sample.descriptors).min()];
    assert!(last <= first, "descriptors leak: {samples:?}");
}
