//! `cargo xtask run`: builds the program as it is released, shows what it says of the two sample captures, and lets a
//! simulated load balancer feed an agent whose page follows it.

use std::{
    net::TcpStream,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use crate::{
    page,
    shell::{self, Outcome},
    wasm,
};

const PING: &str = "tests/fixtures/mirror/ping-curl-traceroute.pcap";
const SHELL: &str = "tests/fixtures/mirror/ssm-tcp443.pcap";
const FILTERS: &str = "tests/fixtures/aws/describe-traffic-mirror-filters.json";

/// What is asked, and the command that answers.
const QUESTIONS: [(&str, &[&str]); 5] = [
    ("a ping, an HTTP request and a traceroute, mirrored", &["read", PING]),
    ("a remote shell, mirrored", &["read", SHELL]),
    ("who mirrored it?", &["sessions", PING]),
    ("who talked to whom?", &["flows", SHELL]),
    ("which rule of the mirror filter let it through?", &["aws", "explain", PING, "--filters", FILTERS]),
];

/// Where the agent tells of its health, and where its API and page are.
const HEALTH: &str = "127.0.0.1:8080";
const API: &str = "127.0.0.1:8081";
/// The simulated traffic: some sessions, slow enough to be watched.
const TRAFFIC: &str = "send --generate --flows 400 --sessions 4 --endpoints 2 --rate 400 --to 127.0.0.1:6081";
/// Packets of it at a time, and where nobody watches.
const PACKETS: u32 = 20_000;
const PACKETS_ONCE: u32 = 400;
/// How long the agent may take to listen.
const START_LIMIT: Duration = Duration::from_secs(10);

/// When to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// On Ctrl-C.
    Interrupted,
    /// When everything was shown once.
    Shown,
}

pub(crate) fn run(until: Until) -> Outcome {
    shell::run(&mut shell::cargo("build --release --package mirrorscope"))?;
    let program = shell::target_dir().join("release/mirrorscope");
    for (question, args) in QUESTIONS {
        eprintln!("\n# {question}");
        shell::run(shell::command(&program.to_string_lossy(), "").args(args))?;
    }
    eprintln!("\n# what is mirrored right now?");
    let page = wasm::build(wasm::Compiler::First).and_then(|()| page::build());
    if let Err(why) = &page {
        eprintln!("SKIPPED: the page: {why}");
    }
    follow(&program, page.is_ok(), until)?;
    eprintln!("\nThe program is {}; try it with --help.", program.display());
    Ok(())
}

/// An agent, its page, and traffic for it.
fn follow(program: &Path, with_page: bool, until: Until) -> Outcome {
    let mut serve = command(program, &format!("serve --listen 127.0.0.1:6081 --health {HEALTH} --api {API}"));
    if with_page {
        serve.args(["--page", page::DIST]);
    }
    let _agent = start(&mut serve)?;
    wait_for(API)?;
    eprintln!("\n  http://{API}/{}\n", if with_page { "  the page; Ctrl-C ends" } else { "v1/sessions" });
    let packets = if until == Until::Shown { PACKETS_ONCE } else { PACKETS };
    loop {
        shell::run(&mut command(program, &format!("{TRAFFIC} --packets {packets}")))?;
        if until == Until::Shown {
            return Ok(());
        }
    }
}

/// A child that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ctrl-C reaches all processes of the terminal, so the agent ends with this task.
fn start(command: &mut Command) -> Outcome<Running> {
    command.spawn().map(Running).map_err(|error| format!("cannot start {command:?}: {error}"))
}

fn wait_for(address: &str) -> Outcome {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if start.elapsed() > START_LIMIT {
            return Err(format!("the agent does not listen on {address}"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn command(program: &Path, arguments: &str) -> Command {
    shell::command(&program.to_string_lossy(), arguments)
}
