//! `cargo xtask bench`: builds what is measured, installs the peers, and hands over to `tests/bench`.

use std::process::Command;

use crate::{
    install, npm,
    shell::{self, Outcome},
    wasm,
};

/// Peers from Debian, with the program by which each is recognised.
const PEERS: [(&str, &str); 5] = [
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("gcc libpcap-dev", "pcap-config"),
    ("golang-go golang-github-google-gopacket-dev golang-golang-x-net-dev golang-golang-x-sys-dev", "go"),
    ("time", "/usr/bin/time"),
];

/// Exit status of `tests/bench` where the record is of another compiler.
const OTHER_COMPILER: i32 = 3;

/// Measures the npm package beside the native program, a decoder written by hand, and Wireshark in WebAssembly.
pub(crate) fn javascript() -> Outcome {
    npm::node()?;
    npm::runtimes()?;
    wasm::build(wasm::Compiler::First)?;
    shell::run(&mut shell::cargo("build --release --package mirrorscope"))?;
    let target = shell::target_dir();
    npm::bench(&target.join("release/mirrorscope"), &target.join("bench"))
}

/// Measures; `words` go to the program in `tests/bench`.
pub(crate) fn bench(words: &[&str]) -> Outcome {
    for (packages, program) in PEERS {
        let present = || {
            shell::command("sh", "")
                .args(["-c", "command -v \"$0\"", program])
                .output()
                .is_ok_and(|output| output.status.success())
        };
        if let Err(command) = install::debian(packages, present) {
            eprintln!("SKIPPED: the peer {packages}; to have it: {command}");
        }
    }
    shell::run(&mut program(words)?)
}

/// Whether a hot path takes more instructions than recorded: what `bench instructions` says.
pub(crate) fn guard() -> Outcome<Guard> {
    let present = || shell::succeeds(&mut shell::command("valgrind", "--version"));
    if let Err(command) = install::debian("valgrind", present) {
        return Ok(Guard::Skipped(command));
    }
    let status = program(&["instructions"])?.status().map_err(|error| error.to_string())?;
    match status.code() {
        Some(0) => Ok(Guard::Kept),
        Some(OTHER_COMPILER) => Ok(Guard::Skipped("cargo xtask bench instructions --record".to_owned())),
        _ => Err("a hot path became dearer, or was not measured; see above".to_owned()),
    }
}

/// What came of [`guard`].
pub(crate) enum Guard {
    /// All paths cost what they did.
    Kept,
    /// Nothing was compared; the command would make it possible.
    Skipped(String),
}

/// The program in `tests/bench`, to be given `words`, beside a `mirrorscope` as it is shipped.
fn program(words: &[&str]) -> Outcome<Command> {
    shell::run(&mut shell::cargo("build --release --quiet --package mirrorscope"))?;
    let mirrorscope = shell::target_dir().join("release/mirrorscope");
    let mut bench = shell::cargo("run --release --quiet --package mirrorscope-bench --");
    bench.args(words).env("MIRRORSCOPE_BIN", mirrorscope);
    bench.env("MIRRORSCOPE_BENCH_DIR", shell::target_dir().join("bench"));
    Ok(bench)
}
