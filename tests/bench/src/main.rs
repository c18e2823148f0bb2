//! `cargo xtask bench`: Mirrorscope and its peers on the same work, in one run, with the answers compared.
//!
//! Captures and peers are made below `target/bench` and kept. Each entrant is run once to see what it says and how
//! much memory it takes, then all in turn, several rounds, with the output thrown away. Figures are medians of
//! processor time of whole processes; ratios are taken round by round, because machines change their speed.

mod answer;
mod contest;
mod contests;
mod corpus;
mod growth;
mod instructions;
mod measure;
mod receive;
mod table;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use instructions::Outcome;

/// Exit status where the recorded instructions say nothing of this compiler.
const OTHER_COMPILER: u8 = 3;

const USAGE: &str = "\
Measures Mirrorscope beside its peers and prints tables in Markdown.

  cargo xtask bench              the contests: tcpdump, tshark, libpcap, capinfos, gopacket
  cargo xtask bench growth       cost and memory against flows, sessions, sizes
  cargo xtask bench instructions instructions a packet against what is recorded; --record to record anew
  cargo xtask bench receive      a received packet in `serve`, beside loops that only receive; the ring takes root
  --rounds N                     rounds of each contest (5)
  --rate N, --packets N          packets a second, and a run, for `receive` (300,000; 1,000,000)
  --largest N                    packets of the largest capture for `growth` (1,000,000; its whole range: 10,000,000)

Exit status: 0 measured and all agree, 1 failed, or two found different answers, or a path became dearer,
3 the recorded instructions are of another compiler.
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| matches!(word.as_str(), "-h" | "--help" | "help")) {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    if words.first().is_some_and(|word| word == receive::LOOP) {
        receive::be_loop();
    }
    let number = |option: &str, default: u64| {
        let at = words.iter().position(|word| word == option);
        at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let rounds = number("--rounds", 5) as usize;
    let dir = PathBuf::from(env::var_os("MIRRORSCOPE_BENCH_DIR").unwrap_or_else(|| "target/bench".into()));
    fs::create_dir_all(&dir)?;
    if words.first().is_some_and(|word| word == "receive") {
        let load = receive::Load {
            rate: number("--rate", 300_000),
            packets: number("--packets", 1_000_000),
            rounds,
        };
        let bare = compile_c(&dir, "recvmmsg", "-pthread");
        receive::run(receive::Programs { mirrorscope: &program()?, bare: &bare }, load);
        return Ok(ExitCode::SUCCESS);
    }
    if words.first().is_some_and(|word| word == "instructions") {
        let record = words.iter().any(|word| word == "--record");
        return Ok(tell(instructions::run(&program()?, &dir, record)?));
    }
    let programs = programs(&dir)?;
    match words.first().map(String::as_str) {
        Some("growth") => {
            println!("{}", heading(rounds));
            growth::run(&programs, &dir, rounds, number("--largest", 1_000_000))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            println!("{}", heading(rounds));
            run_contests(&programs, &dir, rounds)
        }
    }
}

fn heading(rounds: usize) -> String {
    format!("Machine: {}. Medians of {rounds} rounds, whole processes.", table::machine())
}

fn tell(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Kept => ExitCode::SUCCESS,
        Outcome::Dearer(paths) => {
            paths.iter().for_each(|path| eprintln!("error: {path}"));
            ExitCode::FAILURE
        }
        Outcome::OtherCompiler(recorded) => {
            eprintln!("the recorded instructions are of {recorded}; record anew with --record");
            ExitCode::from(OTHER_COMPILER)
        }
    }
}

fn run_contests(programs: &contest::Programs, dir: &Path, rounds: usize) -> io::Result<ExitCode> {
    let mirrorscope = programs.first().map_or("mirrorscope", |(_, path)| path.as_str());
    let mut all_agree = true;
    for (corpus, contest) in contests::ALL {
        let file = corpus.make(Path::new(mirrorscope), dir)?;
        let results = contest.run(&file, programs, rounds)?;
        table::print(contest, corpus, fs::metadata(&file)?.len(), &results);
        for difference in table::disagreements(&results) {
            all_agree = false;
            println!("\n**They do not agree:** {difference}");
        }
    }
    Ok(if all_agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Mirrorscope first, then the peers that are compiled here; a peer whose compiler is missing cannot run, and the
/// table says so.
fn programs(dir: &Path) -> io::Result<Vec<(&'static str, String)>> {
    let pcap_count = compile_c(dir, "pcap_count", "-lpcap");
    let gopacket = dir.join("gopacket");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&gopacket).arg(peers().join("gopacket.go"));
    go.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode");
    compile(
        go,
        "apt-get install golang-go golang-github-google-gopacket-dev golang-golang-x-net-dev golang-golang-x-sys-dev",
    );
    let text = |path: PathBuf| path.display().to_string();
    Ok(vec![
        ("mirrorscope", text(program()?)),
        ("pcap_count", text(pcap_count)),
        ("gopacket", text(gopacket)),
    ])
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Compiles a peer in C, with what it is linked with, and returns its path.
fn compile_c(dir: &Path, name: &str, library: &str) -> PathBuf {
    let program = dir.join(name);
    let mut command = Command::new("cc");
    command.args(["-O2", "-o"]).arg(&program).arg(peers().join(name).with_extension("c")).arg(library);
    compile(command, "apt-get install gcc libpcap-dev");
    program
}

fn program() -> io::Result<PathBuf> {
    let missing = || io::Error::other("MIRRORSCOPE_BIN is not set; run `cargo xtask bench`");
    env::var_os("MIRRORSCOPE_BIN").map(PathBuf::from).ok_or_else(missing)
}

fn compile(mut command: Command, remedy: &str) {
    if !command.status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a peer that could not be compiled; to have it: {remedy}");
    }
}
