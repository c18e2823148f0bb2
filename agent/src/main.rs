//! The program `mirrorscope`: reads captures of AWS mirrored traffic and says who mirrored what.
//!
//! `cli` turns words into a command; a command opens a source, and `pipeline` runs its packets into a sink.
//! Code that only Linux can run (sockets in batches, `serve`) stands behind one condition, here and in `cli`.
#![deny(unsafe_code)]
// What these macros do where nobody reads any more is in `talk`.
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

mod cli;
#[cfg(target_os = "linux")]
mod doctor;
mod failure;
mod flow_log;
#[cfg(target_os = "linux")]
mod http;
mod output;
mod pipeline;
mod progress;
mod send;
#[cfg(target_os = "linux")]
mod serve;
mod sinks;
mod sources;
#[cfg(target_os = "linux")]
mod sys;
mod talk;
mod timezone;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
