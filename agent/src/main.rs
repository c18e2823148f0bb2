//! The program `mirrorscope`: reads captures of AWS mirrored traffic and says who mirrored what.
//!
//! `cli` turns words into a command; a command opens a source, and `pipeline` runs its packets into a sink.
#![forbid(unsafe_code)]

mod cli;
mod failure;
mod output;
mod pipeline;
mod progress;
mod send;
mod sinks;
mod sources;
mod timezone;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
