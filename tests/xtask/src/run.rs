//! `cargo xtask run`: builds the program as it is released and shows what it says of the two sample captures.

use crate::shell::{self, Outcome};

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

pub(crate) fn run() -> Outcome {
    shell::run(&mut shell::cargo("build --release --package mirrorscope"))?;
    let program = shell::target_dir().join("release/mirrorscope");
    for (question, args) in QUESTIONS {
        eprintln!("\n# {question}");
        shell::run(shell::command(&program.to_string_lossy(), "").args(args))?;
    }
    eprintln!("\nThe program is {}; try it with --help.", program.display());
    Ok(())
}
