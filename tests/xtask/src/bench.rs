//! `cargo xtask bench`: builds what is measured, installs the peers, and hands over to `tests/bench`.

use crate::{
    install,
    shell::{self, Outcome},
};

/// Peers from Debian, with the program by which each is recognised.
const PEERS: [(&str, &str); 5] = [
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("gcc libpcap-dev", "pcap-config"),
    ("golang-go golang-github-google-gopacket-dev golang-golang-x-net-dev golang-golang-x-sys-dev", "go"),
    ("time", "/usr/bin/time"),
];

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
    shell::run(&mut shell::cargo("build --release --package mirrorscope"))?;
    let program = shell::target_dir().join("release/mirrorscope");
    let mut bench = shell::cargo("run --release --quiet --package mirrorscope-bench --");
    bench
        .args(words)
        .env("MIRRORSCOPE_BIN", program)
        .env("MIRRORSCOPE_BENCH_DIR", shell::target_dir().join("bench"));
    shell::run(&mut bench)
}
