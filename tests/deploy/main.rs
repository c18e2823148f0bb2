//! What lies in `agent/deploy`: judged by the linters of each format, installed, started, and held against the program.
#![cfg(target_os = "linux")]

mod cloudformation;
mod docker;
mod lifecycle;
mod monitoring;
mod package;
mod papers;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use mirrorscope_tests::{skip, tool, workspace_root};

/// The folder of deployment material.
fn deploy() -> PathBuf {
    workspace_root().join("agent/deploy")
}

/// The program `name`; without it the test says that `what` is not tested.
fn need(name: &str, what: &str, package: &str) -> Option<PathBuf> {
    let found = tool(name);
    if found.is_none() {
        skip(&format!("{what}: {name} is missing; to have it: {package}"));
    }
    found
}

/// Runs `command` in the folder of deployment material, and returns what it printed.
///
/// # Panics
/// When it fails, with what it said.
fn run(command: &mut Command) -> String {
    let output = command.current_dir(deploy()).output().expect("it starts");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}

/// A folder under the target folder that is empty now.
fn empty_dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the target folder can be written");
    dir
}
