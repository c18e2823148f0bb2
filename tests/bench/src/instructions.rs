//! The guard of the hot paths: how many instructions a packet costs, which is the same on a busy machine.
//!
//! The counts in `tests/bench/instructions.txt` belong to one compiler. With another one nothing can be compared, and
//! the outcome says so.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::corpus::{Corpus, IMIX};

/// How much dearer than recorded a path may be, in percent.
const TOLERANCE: f64 = 3.0;

/// Small, because valgrind takes some fifty times as long; large enough that the start of the program hardly counts.
const CORPUS: Corpus = Corpus { name: "instructions", packets: 20_000, flows: 400, ..IMIX };

/// The paths: a name for the record, and the words before the file.
const PATHS: [(&str, &str); 6] = [
    ("decode", "read --quiet --count"),
    ("filter", "read --quiet --count {file} tcp port 443 and vni 1001 and not host 8.8.8.8"),
    ("flows", "flows --quiet --csv"),
    ("json", "read --quiet --json"),
    ("brief", "read --quiet"),
    ("tcpdump", "read --style tcpdump"),
];

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No path is dearer than allowed.
    Kept,
    /// Some are.
    Dearer(Vec<String>),
    /// The record is of another compiler.
    OtherCompiler(String),
}

/// Counts, prints, and compares with the record or replaces it.
pub(crate) fn run(program: &Path, dir: &Path, record: bool) -> io::Result<Outcome> {
    let file = CORPUS.make(program, dir)?;
    let mut text = format!("compiler {}\n", compiler()?);
    for (name, words) in PATHS {
        let count = count(program, words, &file)? / CORPUS.packets;
        let _ = writeln!(text, "{name} {count}");
    }
    print!("Instructions a packet:\n{text}");
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt");
    if record {
        fs::write(place, text)?;
        return Ok(Outcome::Kept);
    }
    Ok(compare(&fs::read_to_string(place)?, &text))
}

fn compare(recorded: &str, counted: &str) -> Outcome {
    let compiler = recorded.lines().next().unwrap_or_default();
    if Some(compiler) != counted.lines().next() {
        return Outcome::OtherCompiler(compiler.to_owned());
    }
    let of = |text: &str, name: &str| -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    let names = recorded.lines().skip(1).filter_map(|line| line.split(' ').next());
    let dearer = names.filter_map(|name| {
        let (before, now) = (of(recorded, name)?, of(counted, name).unwrap_or(f64::INFINITY));
        let percent = (now / before - 1.0) * 100.0;
        (percent > TOLERANCE)
            .then(|| format!("{name}: {now} instructions a packet, {before} recorded ({percent:+.1} %)"))
    });
    let dearer: Vec<_> = dearer.collect();
    if dearer.is_empty() { Outcome::Kept } else { Outcome::Dearer(dearer) }
}

fn compiler() -> io::Result<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Instructions of one run, as valgrind counts them.
fn count(program: &Path, words: &str, file: &Path) -> io::Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]).arg(program);
    let names_file = words.contains("{file}");
    let words = words.split_whitespace().map(PathBuf::from);
    command.args(words.map(|word| if word == Path::new("{file}") { file.to_owned() } else { word }));
    if !names_file {
        command.arg(file);
    }
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let refs =
        report.lines().find_map(|line| line.split_once("I   refs:").or_else(|| line.split_once("I refs:")));
    let digits: Option<String> = refs.map(|(_, count)| count.chars().filter(char::is_ascii_digit).collect());
    let failed = || io::Error::other(format!("valgrind did not count: {}", report.trim()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "compiler rustc 1\ndecode 100\nflows 200\n";

    #[test]
    fn a_path_that_became_dearer_is_named_with_both_counts() {
        let counted = "compiler rustc 1\ndecode 104\nflows 200\n";
        let expected = "decode: 104 instructions a packet, 100 recorded (+4.0 %)".to_owned();
        assert_eq!(compare(RECORD, counted), Outcome::Dearer(vec![expected]));
    }

    #[test]
    fn cheaper_and_slightly_dearer_paths_pass() {
        assert_eq!(compare(RECORD, "compiler rustc 1\ndecode 102\nflows 20\n"), Outcome::Kept);
    }

    #[test]
    fn counts_of_another_compiler_are_not_compared() {
        let counted = "compiler rustc 2\ndecode 900\nflows 900\n";
        assert_eq!(compare(RECORD, counted), Outcome::OtherCompiler("compiler rustc 1".to_owned()));
    }

    #[test]
    fn a_path_that_was_not_counted_is_not_passed_over() {
        assert!(matches!(compare(RECORD, "compiler rustc 1\ndecode 100\n"), Outcome::Dearer(_)));
    }
}
