//! What the tests that span the crates share: where things lie, which tools are there, and how to skip in plain sight.
//!
//! A test that lacks something it needs (a tool, the shared captures) calls [`skip`] and returns. That is the only
//! way to skip: the line reaches the terminal although the test harness hides what passing tests print.

pub mod everything;
pub mod schema;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs, io};

/// The root of the workspace: the folder that holds `Cargo.toml`, `core` and `agent`.
pub fn workspace_root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// A file that belongs to the repository, named from `tests/fixtures`, for example `mirror/ssm-tcp443.pcap`.
pub fn fixture(name: &str) -> PathBuf {
    workspace_root().join("tests/fixtures").join(name)
}

/// The folder of captures that are not ours to ship: `MIRRORSCOPE_SHARED`, or else `shared` beside the repository.
///
/// `None` means the tests that read it must [`skip`].
pub fn shared_dir() -> Option<PathBuf> {
    let dir = match env::var_os("MIRRORSCOPE_SHARED") {
        Some(dir) => PathBuf::from(dir),
        None => workspace_root().join("../shared"),
    };
    dir.join("captures").is_dir().then_some(dir)
}

/// Where the program `name` lies on `PATH`, and in the folders for administrators that some users' `PATH` leaves out.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(administrators).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Where a program from PyPI lies: on `PATH`, or where `cargo xtask test` installs such programs.
pub fn python_tool(name: &str) -> Option<PathBuf> {
    tool(name).or_else(|| {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let environments = fs::read_dir(workspace_root().join(target).join("tools")).ok()?;
        let programs = environments.flatten().map(|environment| environment.path().join("bin").join(name));
        programs.filter(|program| program.is_file()).max()
    })
}

/// Says on standard error that something was not tested, why, and what would make it possible.
///
/// With `MIRRORSCOPE_SKIPPED=FILE` the line is also added to FILE, where `cargo xtask test` collects them.
pub fn skip(reason: &str) {
    let line = format!("SKIPPED: {reason}\n");
    // Written past the harness, which captures only what the print macros write.
    let _ = io::stderr().write_all(line.as_bytes());
    if let Some(file) = env::var_os("MIRRORSCOPE_SKIPPED") {
        let list = fs::OpenOptions::new().create(true).append(true).open(file);
        let _ = list.and_then(|mut list| list.write_all(line.as_bytes()));
    }
}

/// The program `mirrorscope`, built once per process: `MIRRORSCOPE_BIN` if set, else what `cargo build` makes of `agent`.
///
/// `CARGO_BIN_EXE_mirrorscope` exists only for the agent's own tests; other packages must ask cargo, and asking it
/// again is also what keeps a test from running a stale program.
///
/// # Panics
/// When the program does not build: no test that needs it could mean anything.
pub fn mirrorscope_bin() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| match env::var_os("MIRRORSCOPE_BIN") {
        Some(bin) => PathBuf::from(bin),
        None => build_mirrorscope(),
    })
}

fn build_mirrorscope() -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace_root()).stderr(Stdio::inherit());
    cargo.args([
        "build",
        "--quiet",
        "--package",
        "mirrorscope",
        "--message-format",
        "json-render-diagnostics",
    ]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "`cargo build --package mirrorscope` failed");
    executable_named_in(&output.stdout).expect("cargo names the executable it built")
}

/// Finds the executable in the messages of `cargo build --message-format json`, one JSON object a line.
fn executable_named_in(messages: &[u8]) -> Option<PathBuf> {
    messages
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missions_captures_lie_beside_what_tcpdump_printed_of_them() {
        for name in ["ping-curl-traceroute", "ssm-tcp443"] {
            assert!(fixture(&format!("mirror/{name}.pcap")).is_file());
            assert!(fixture(&format!("mirror/{name}.tcpdump.txt")).is_file());
        }
    }

    #[test]
    fn a_tool_is_found_only_where_it_exists() {
        assert!(tool("sh").is_some_and(|file| file.is_absolute()));
        assert_eq!(tool("no-such-tool-as-this"), None);
    }

    #[test]
    fn the_program_is_built_and_starts() {
        let status = Command::new(mirrorscope_bin()).arg("--help").stdout(Stdio::null()).status();
        assert!(status.expect("the program starts").success());
    }

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = b"{\"executable\":null}\n{\"executable\":\"/x/mirrorscope\"}\n{\"success\":true}\n";
        assert_eq!(executable_named_in(messages), Some(PathBuf::from("/x/mirrorscope")));
        assert_eq!(executable_named_in(b"not json\n"), None);
    }
}
