//! A running agent and what tests ask of it: shared by the tests of `serve`.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::mirrorscope_bin;
use serde_json::Value;

/// An agent on ports of its own.
pub(crate) struct Agent {
    pub(crate) child: Child,
    pub(crate) udp: String,
    pub(crate) health: String,
    pub(crate) api: String,
    pub(crate) talk: Arc<Mutex<String>>,
}

impl Agent {
    pub(crate) fn start(words: &str) -> Self {
        Self::start_on("127.0.0.1:0", words)
    }

    pub(crate) fn start_on(listen: &str, words: &str) -> Self {
        Self::start_with(&[], listen, words)
    }

    /// With variables of the environment.
    pub(crate) fn start_with(variables: &[(&str, &str)], listen: &str, words: &str) -> Self {
        let mut command = Command::new(mirrorscope_bin());
        command.envs(variables.iter().copied());
        Self::start_by(command, listen, words)
    }

    /// By a command that the words of `serve` are added to. Options that `words` give again win.
    pub(crate) fn start_by(mut command: Command, listen: &str, words: &str) -> Self {
        let fixed = ["serve", "--health", "127.0.0.1:0", "--api", "127.0.0.1:0", "--listen", listen];
        command.args(fixed).args(words.split_whitespace());
        Self::spawn(command)
    }

    /// Starts what `command` says, and waits until it receives.
    pub(crate) fn spawn(command: Command) -> Self {
        let (agent, lines) = Self::spawn_and_hear(command);
        let heard = Arc::clone(&agent.talk);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        agent
    }

    /// The same, but nobody reads what it says from then on.
    pub(crate) fn spawn_and_leave(command: Command) -> Self {
        Self::spawn_and_hear(command).0
    }

    fn spawn_and_hear(mut command: Command) -> (Self, Lines<BufReader<ChildStderr>>) {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let [mut udp, mut health, mut api] = [const { String::new() }; 3];
        let talk = Arc::new(Mutex::new(String::new()));
        while udp.is_empty() {
            let line = lines.next().expect("the agent says that it receives").expect("it is text");
            let last = |line: &str| line.rsplit(['/', ' ']).next().unwrap_or_default().to_owned();
            match line.as_str() {
                line if line.contains("health on") => health = last(line),
                line if line.contains("API on") => api = last(line),
                line if line.contains("receiving on UDP ") => {
                    udp =
                        line.split("UDP ").nth(1).and_then(|rest| rest.split(',').next()).unwrap().to_owned();
                }
                other => talk.lock().unwrap().push_str(&format!("{other}\n")),
            }
        }
        (Self { child, udp, health, api, talk }, lines)
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill starts").success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let ended = wait_for_end(&mut self.child);
        ended.unwrap_or_else(|| panic!("the agent does not end: {}", self.talk.lock().unwrap()))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(&self.api, path, "")
    }

    pub(crate) fn healthy(&self) -> (u16, String) {
        get(&self.health, "/", "")
    }

    pub(crate) fn stats(&self) -> Value {
        serde_json::from_str(&self.get("/v1/stats").1).expect("stats are JSON")
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.stats()["counters"][name].as_u64().expect("a counter")
    }

    /// Waits until the agent has received that many datagrams, and its sinks have emptied their queues.
    pub(crate) fn settle(&self, received: u64) {
        self.settle_when(|counter| counter("received") >= received);
    }

    /// The same, where some of `sent` may have been lost in the kernel, which counts them.
    pub(crate) fn settle_with_losses(&self, sent: u64) {
        self.settle_when(|counter| counter("received") + counter("kernel_dropped") >= sent);
        assert_eq!(self.counter("received") + self.counter("kernel_dropped"), sent, "{}", self.stats());
    }

    fn settle_when(&self, has_all: impl Fn(&dyn Fn(&str) -> u64) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let stats = self.stats();
            let sinks = stats["sinks"].as_array().unwrap();
            let empty = sinks.iter().all(|sink| {
                let [offered, delivered, dropped] =
                    ["offered", "delivered", "dropped"].map(|key| sink[key].as_u64().unwrap());
                offered == delivered + dropped
            });
            if has_all(&|name| stats["counters"][name].as_u64().unwrap()) && empty {
                return;
            }
            assert!(Instant::now() < until, "it never received all: {stats}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn memory_len(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("Linux says so");
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn assert_sums(&self) {
        let stats = self.stats();
        let counter = |name: &str| stats["counters"][name].as_u64().unwrap();
        assert_eq!(
            counter("received"),
            counter("decoded") + counter("malformed") + counter("refused"),
            "{stats}"
        );
        assert_eq!(counter("decoded"), counter("mirrored") + counter("inline"), "{stats}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` where the program does not end in a time that is enough for any.
fn wait_for_end(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}

/// What a program says that has to end by itself: one that goes on is ended, and fails the test.
pub(crate) fn said_by(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let ended = wait_for_end(&mut child);
    let _ = child.kill();
    let output = child.wait_with_output().expect("it is our child");
    assert!(ended.is_some(), "it goes on: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Asks `address`, which is an address with a port, or the path of a socket.
pub(crate) fn get(address: &str, path: &str, headers: &str) -> (u16, String) {
    if address.starts_with('/') {
        let stream = UnixStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(stream, path, headers)
    } else {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(stream, path, headers)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

fn ask(mut stream: impl Read + Write, path: &str, headers: &str) -> (u16, String) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(head.contains("content-length"), "{head}");
    (status, body.to_owned())
}

/// Sends with `mirrorscope send` and returns its summary.
pub(crate) fn send(to: &str, words: &str) -> (Value, Output) {
    let fixed = ["send", "--json", "--generate", "--wait", "0.5", "--to", to];
    let output = Command::new(mirrorscope_bin()).args(fixed).args(words.split_whitespace()).output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap_or(Value::Null), output)
}

pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("serve");
    fs::create_dir_all(&folder).expect("a folder for scratch files");
    let path = folder.join(name);
    let _ = fs::remove_file(&path);
    path
}

pub(crate) fn count(path: &PathBuf) -> u64 {
    let output =
        Command::new(mirrorscope_bin()).args(["read", "--quiet", "--count"]).arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number of packets")
}

/// The memory, in octets, that `serve --check` promises with these options.
pub(crate) fn memory_bound(words: &str) -> u64 {
    let output = Command::new(mirrorscope_bin())
        .args(["serve", "--check"])
        .args(words.split_whitespace())
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr);
    let number = text.split("below ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    number.unwrap_or_else(|| panic!("no promise in {text}")) << 20
}

pub(crate) fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Uid:\t0\t0"))
}

/// Reads an endless answer into a file until its end.
pub(crate) fn read_stream(address: &str, path: &str, file: &PathBuf) -> thread::JoinHandle<()> {
    let mut stream = TcpStream::connect(address).unwrap();
    // HTTP/1.0 has no chunks, so what follows the head is the capture alone.
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut file = fs::File::create(file).unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
    }
    thread::spawn(move || {
        let _ = std::io::copy(&mut stream, &mut file);
    })
}

pub(crate) fn wait_for(agent: &Agent, text: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    while !agent.talk.lock().unwrap().contains(text) {
        assert!(Instant::now() < until, "it never says {text:?}: {}", agent.talk.lock().unwrap());
        thread::sleep(Duration::from_millis(20));
    }
}

/// What tells flows apart, and their packets; not their times.
pub(crate) fn flows(text: &str) -> BTreeSet<String> {
    let flow = |line: &str| {
        let flow: Value = serde_json::from_str(line).expect("a JSON object a line");
        let keys = ["kind", "mirror", "protocol", "client", "client_port", "server", "server_port"];
        let mut name: Vec<_> = keys.iter().map(|key| flow[key].to_string()).collect();
        for direction in ["sent", "received"] {
            name.extend(["packets", "bytes"].map(|key| flow[direction][key].to_string()));
        }
        name.join(" ")
    };
    text.lines().map(flow).collect()
}
