//! What a received packet costs: `mirrorscope serve`, by sockets and by ring, beside loops that only receive.
//!
//! One sender feeds them in turn over loopback, the same mirrored packets, in bursts of 64. What counts is the
//! processor time of the receiving thread alone, as the scheduler accounts it, divided by the packets that it
//! received. The loops are those that a receiver cannot do without: `recvmmsg` with 64 datagrams a call, in C, and
//! tokio's `recv_from`; both look at nothing. `recvmmsg` that is told who sent a datagram, and when it came, is what
//! `serve` begins with; it decodes, counts sessions and follows flows meanwhile.
//!
//! There are two tables, because a receiver that is quicker sleeps more often, and falling asleep costs more than a
//! packet does: at a rate, which is what a machine sees; and from a full buffer, where nobody sleeps and every call
//! brings all that it can. Ratios hold on a busy machine, nanoseconds do not. The ring takes root.

use std::{
    env, fs,
    io::{self, IoSlice, Read, Write},
    net::UdpSocket,
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{
        signal::{Signal, kill},
        socket::{
            MsgFlags, MultiHeaders, SockaddrIn, sendmmsg, setsockopt,
            sockopt::{RcvBuf, RcvBufForce},
        },
    },
    unistd::Pid,
};

/// The word that makes this program the loop of tokio.
pub(crate) const LOOP: &str = "receive-loop";
const BATCH: usize = 64;
const BUFFER_LEN: usize = 64 << 20;
/// Packets that every receiver's buffer has room for.
const BACKLOG: u64 = 50_000;
/// Flows among which the packets are, and packets that are sent over and over.
const FLOWS: &str = "20000";
const TEMPLATES: &str = "100000";
const RECEIVERS: [Receiver; 6] = [
    Receiver::Bare,
    Receiver::Tokio,
    Receiver::Told,
    Receiver::AllAddresses,
    Receiver::Socket,
    Receiver::Ring,
];

/// What receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiver {
    Bare,
    Tokio,
    Told,
    AllAddresses,
    Socket,
    Ring,
}

impl Receiver {
    fn title(self) -> &'static str {
        match self {
            Self::Bare => "recvmmsg 64, nothing done",
            Self::Tokio => "tokio recv_from, nothing done",
            Self::Told => "recvmmsg 64, told who sent and when",
            Self::AllAddresses => "serve, as it comes",
            Self::Socket => "serve --listen ADDRESS",
            Self::Ring => "serve --receive ring",
        }
    }
}

/// How much is sent, and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Packets a second.
    pub(crate) rate: u64,
    /// Packets a run.
    pub(crate) packets: u64,
    /// Runs of each receiver.
    pub(crate) rounds: usize,
}

/// The programs that receive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Programs<'a> {
    /// Ours.
    pub(crate) mirrorscope: &'a Path,
    /// The loop in C.
    pub(crate) bare: &'a Path,
}

/// What the receiver does while packets are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Receives,
    /// It is stopped, and finds all of them in its buffer.
    Stands,
}

/// Measures all receivers in turn, round by round, and prints medians.
pub(crate) fn run(programs: Programs<'_>, load: Load) {
    let datagrams = datagrams(programs.mirrorscope);
    pin(0, 1);
    println!("{} packets of a mirror at {} a second, {} rounds:\n", load.packets, load.rate, load.rounds);
    let serve_ns = compare(programs, &datagrams, load, Meanwhile::Receives);
    let backlog = Load { packets: BACKLOG, ..load };
    println!("\n{BACKLOG} packets that wait in the buffer, {} rounds:\n", load.rounds);
    compare(programs, &datagrams, backlog, Meanwhile::Stands);
    let saturation = 1e9 / serve_ns;
    let half = Load { rate: (saturation / 2.0) as u64, packets: (saturation * 1.5) as u64, rounds: 1 };
    let lost = measure(programs, Receiver::AllAddresses, &datagrams, half, Meanwhile::Receives).lost;
    println!("\nAt {} a second, half of what one worker can do: {lost} of {} lost.", half.rate, half.packets);
}

/// Prints what each receiver takes, and returns what `serve` does as it comes: nanoseconds a packet.
fn compare(programs: Programs<'_>, datagrams: &[Vec<u8>], load: Load, meanwhile: Meanwhile) -> f64 {
    let mut costs = [const { Vec::new() }; RECEIVERS.len()];
    for _ in 0..load.rounds {
        for (receiver, costs) in RECEIVERS.into_iter().zip(&mut costs) {
            costs.push(measure(programs, receiver, datagrams, load, meanwhile));
        }
    }
    println!("| receiver | ns a packet | / recvmmsg | / tokio | sleeps / 1000 packets | lost |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (receiver, own) in RECEIVERS.into_iter().zip(&costs) {
        let nanoseconds = median(own.iter().map(Cost::ns));
        let [bare, tokio] =
            [0, 1].map(|base| median(own.iter().zip(&costs[base]).map(|(own, base)| own.ns() / base.ns())));
        let sleeps = median(own.iter().map(|cost| cost.sleeps as f64 * 1000.0 / cost.received as f64));
        let lost: u64 = own.iter().map(|cost| cost.lost).sum();
        let title = receiver.title();
        println!("| {title} | {nanoseconds:.0} | {bare:.2} | {tokio:.2} | {sleeps:.1} | {lost} |");
    }
    median(costs[3].iter().map(Cost::ns))
}

/// What one run cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    thread_ns: u64,
    /// Times that the thread waited for packets.
    sleeps: u64,
    received: u64,
    lost: u64,
}

impl Cost {
    fn ns(&self) -> f64 {
        self.thread_ns as f64 / self.received.max(1) as f64
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn measure(
    programs: Programs<'_>,
    receiver: Receiver,
    datagrams: &[Vec<u8>],
    load: Load,
    meanwhile: Meanwhile,
) -> Cost {
    let Load { rate, packets, .. } = load;
    let mut running = Running::start(programs, receiver);
    // What is done once (the first pages of the tables, the first wake-up) is not counted.
    send(datagrams, &running.address, rate, packets / 10);
    running.wait_until_quiet();
    let before = (running.thread_ns(), running.sleeps(), running.received());
    if meanwhile == Meanwhile::Stands {
        running.signal(Signal::SIGSTOP);
    }
    send(datagrams, &running.address, rate, packets);
    running.signal(Signal::SIGCONT);
    running.wait_until_quiet();
    let (thread_ns, sleeps) = (running.thread_ns() - before.0, running.sleeps() - before.1);
    let received = running.received() - before.2;
    Cost { thread_ns, sleeps, received, lost: packets - received }
}

/// A receiver in a process of its own, pinned to the first processor.
struct Running {
    child: Child,
    address: String,
    /// Where `serve` answers.
    api: Option<PathBuf>,
    thread: String,
}

impl Running {
    fn start(programs: Programs<'_>, receiver: Receiver) -> Self {
        let api = env::temp_dir().join(format!("receive-cost-{}.sock", std::process::id()));
        let serve = |way: &str, listen: &str| {
            let mut command = Command::new(programs.mirrorscope);
            command.args(["serve", "--health", "none", "--workers", "1", "--listen", listen]);
            command.args(["--receive", way, "--api", &format!("unix:{}", api.display())]);
            command.stderr(Stdio::piped());
            command
        };
        let own = |mut command: Command| {
            command.stderr(Stdio::piped());
            command
        };
        let mut tokio = Command::new(env::current_exe().expect("this program"));
        tokio.arg(LOOP);
        let mut told = Command::new(programs.bare);
        told.arg("told");
        let (mut command, thread, api) = match receiver {
            Receiver::Bare => (own(Command::new(programs.bare)), "recvmmsg", None),
            Receiver::Tokio => (own(tokio), "mirrorscope-ben", None),
            Receiver::Told => (own(told), "recvmmsg", None),
            Receiver::AllAddresses => (serve("socket", "[::]:0"), "worker-0", Some(api.clone())),
            Receiver::Socket => (serve("socket", "127.0.0.1:0"), "worker-0", Some(api.clone())),
            Receiver::Ring => (serve("ring", "127.0.0.1:0"), "worker-0", Some(api.clone())),
        };
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the receiver starts");
        let address = address(&mut child);
        let running = Self { child, address, api, thread: thread.to_owned() };
        pin(running.child.id() as i32, 0);
        running
    }

    /// Nanoseconds that the receiving thread has run.
    fn thread_ns(&self) -> u64 {
        let text = fs::read_to_string(self.task().join("schedstat")).expect("the kernel counts it");
        text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Times that it gave the processor away of its own accord.
    fn sleeps(&self) -> u64 {
        let text = fs::read_to_string(self.task().join("status")).expect("the kernel counts it");
        let number = text.split("\nvoluntary_ctxt_switches:").nth(1).and_then(|rest| rest.lines().next());
        number.and_then(|number| number.trim().parse().ok()).expect("a number")
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it runs");
    }

    fn task(&self) -> PathBuf {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let named = |task: &PathBuf| {
            fs::read_to_string(task.join("comm")).is_ok_and(|name| self.thread.starts_with(name.trim()))
        };
        tasks.filter_map(|task| Some(task.ok()?.path())).find(named).expect("the receiving thread")
    }

    /// Packets that it has received.
    fn received(&mut self) -> u64 {
        match &self.api {
            Some(path) => received_by_serve(path),
            None => {
                let input = self.child.stdin.as_mut().expect("it is piped");
                input.write_all(b"?").expect("it listens");
                let mut answer = [0; 8];
                self.child.stdout.as_mut().expect("it is piped").read_exact(&mut answer).expect("a number");
                u64::from_le_bytes(answer)
            }
        }
    }

    fn wait_until_quiet(&mut self) {
        let mut last = u64::MAX;
        loop {
            thread::sleep(Duration::from_millis(150));
            let now = self.received();
            if now == last {
                return;
            }
            last = now;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address that it says it receives at.
fn address(child: &mut Child) -> String {
    let mut talk = child.stderr.take().expect("it is piped");
    let (mut text, mut octet) = (String::new(), [0]);
    while !text.ends_with('\n') || !text.contains("receiving on UDP ") {
        assert!(talk.read(&mut octet).is_ok_and(|len| len == 1), "it ended: {text}");
        text.push(char::from(octet[0]));
    }
    // What it says later must not fill the pipe.
    thread::spawn(move || io::copy(&mut talk, &mut io::sink()));
    let address = text.rsplit("receiving on UDP ").next().and_then(|rest| rest.split([',', '\n']).next());
    address.expect("an address").replace("[::]", "127.0.0.1")
}

fn received_by_serve(path: &PathBuf) -> u64 {
    let mut stream = UnixStream::connect(path).expect("the API listens");
    stream.write_all(b"GET /v1/stats HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let value = answer.split("\"received\":").nth(1).expect("a counter");
    value.split([',', '}']).next().and_then(|number| number.parse().ok()).expect("a number")
}

/// UDP payloads of mirrored packets of 60 octets, as `send` makes them.
fn datagrams(program: &Path) -> Vec<Vec<u8>> {
    const HEADERS_LEN: usize = 14 + 20 + 8;
    let path = env::temp_dir().join(format!("receive-cost-{}.pcap", std::process::id()));
    let mut command = Command::new(program);
    command.args(["send", "--quiet", "--generate", "--small", "--flows", FLOWS, "--packets", TEMPLATES]);
    let made = command.args(["--sessions", "16", "-w"]).arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "packets are made");
    let octets = fs::read(&path).expect("it was written");
    let _ = fs::remove_file(path);
    let mut rest = octets.get(24..).unwrap_or_default();
    let mut all = Vec::new();
    while let Some((header, behind)) = rest.split_first_chunk::<16>() {
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, behind)) = behind.split_at_checked(len) else { break };
        all.push(frame[HEADERS_LEN..].to_vec());
        rest = behind;
    }
    all
}

/// Sends that many packets at that rate, a burst at a time.
fn send(datagrams: &[Vec<u8>], to: &str, rate: u64, packets: u64) {
    let socket = UdpSocket::bind("127.0.0.2:0").expect("loopback");
    socket.connect(to).expect("loopback");
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let (started, mut sent) = (Instant::now(), 0u64);
    let mut queue = datagrams.chunks_exact(BATCH).cycle();
    while sent < packets {
        let due = Duration::from_nanos(sent.saturating_mul(1_000_000_000) / rate);
        while started.elapsed() < due {
            std::hint::spin_loop();
        }
        let burst = queue.next().expect("it never ends");
        let burst = &burst[..BATCH.min((packets - sent) as usize)];
        let slices: Vec<_> = burst.iter().map(|datagram| [IoSlice::new(datagram)]).collect();
        let flags = MsgFlags::empty();
        let taken = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, [None; BATCH], [], flags);
        sent += taken.map_or(0, |results| results.count() as u64);
    }
}

/// Is the loop of tokio, until it is killed.
pub(crate) fn be_loop() {
    let socket = receiving_socket();
    answer_with(&RECEIVED);
    socket.set_nonblocking(true).expect("an option");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::UdpSocket::from_std(socket).expect("a socket");
        let mut buffer = vec![0; 9216];
        while socket.recv_from(&mut buffer).await.is_ok() {
            RECEIVED.fetch_add(1, Ordering::Relaxed);
        }
    });
}

fn receiving_socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    if setsockopt(&socket, RcvBufForce, &BUFFER_LEN).is_err() {
        let _ = setsockopt(&socket, RcvBuf, &BUFFER_LEN);
    }
    eprintln!("receiving on UDP {}", socket.local_addr().expect("it is bound"));
    socket
}

/// Answers how many packets there were, whenever it is asked.
fn answer_with(received: &'static AtomicU64) {
    let answer = move || {
        let mut question = [0];
        while io::stdin().read_exact(&mut question).is_ok() {
            let number = received.load(Ordering::Relaxed);
            let mut output = io::stdout();
            let written = output.write_all(&number.to_le_bytes()).and_then(|()| output.flush());
            written.expect("somebody asked");
        }
    };
    thread::Builder::new().name("answers".to_owned()).spawn(answer).expect("a thread");
}

static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// Keeps a process (0 for this one) to one processor, where there are two.
fn pin(process: i32, processor: usize) {
    let mut set = CpuSet::new();
    if set.set(processor).is_ok() {
        // With one processor only, or in a sandbox, it runs where it may.
        let _ = sched_setaffinity(Pid::from_raw(process), &set);
    }
}
