//! `cargo xtask page`: the page in `web-demo/dist`, static files for any host, and its tests in a browser.
//!
//! The decoder in it is the npm package, which must be built before.

use std::{path::Path, process::Command};

use crate::{
    install, npm,
    shell::{self, Outcome},
};

const PAGE: &str = "web-demo";
/// Where the built page is.
pub(crate) const DIST: &str = "web-demo/dist";
const PACKAGE: &str = "wasm/npm/dist/worker.js";
/// What the tests look for; another browser can be named by the variable.
const BROWSER: &str = "/usr/bin/chromium";
const BROWSER_VARIABLE: &str = "CHROMIUM";

/// Builds the page; the error names what is missing.
pub(crate) fn build() -> Outcome {
    npm::node()?;
    if !Path::new(PACKAGE).is_file() {
        return Err("the page needs the decoder: cargo xtask wasm".into());
    }
    if !Path::new(PAGE).join("node_modules/vite").is_dir() {
        shell::run(&mut npm("ci --no-audit --no-fund"))?;
    }
    shell::run(&mut npm("run --silent build"))
}

/// Chromium, and letters for Japanese; otherwise the command that would install them.
pub(crate) fn browser() -> Outcome {
    let named = std::env::var_os(BROWSER_VARIABLE).is_some();
    install::debian("chromium fonts-ipafont-gothic", || named || Path::new(BROWSER).is_file())
}

/// The page's own tests.
pub(crate) fn tests() -> Command {
    npm("test --silent")
}

fn npm(arguments: &str) -> Command {
    let mut npm = shell::command("npm", arguments);
    npm.current_dir(PAGE);
    npm
}
