//! `cargo xtask run`: builds the program as it is released and reads the two sample captures with it.

use crate::shell::{self, Outcome};

const CAPTURES: [(&str, &str); 2] = [
    ("a ping, an HTTP request and a traceroute", "tests/fixtures/mirror/ping-curl-traceroute.pcap"),
    ("the session that an administrator's shell keeps open", "tests/fixtures/mirror/ssm-tcp443.pcap"),
];

pub(crate) fn run() -> Outcome {
    shell::run(&mut shell::cargo("build --release --package mirrorscope"))?;
    let program = shell::target_dir().join("release/mirrorscope");
    for (what, capture) in CAPTURES {
        eprintln!("\n{what}:");
        shell::run(shell::command(&program.to_string_lossy(), "read").arg(capture))?;
    }
    eprintln!("\nThe program is {}; try it with --help.", program.display());
    Ok(())
}
