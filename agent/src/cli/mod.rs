//! What was said on the command line, and what it means. A command is a file here and a row in [`Command`].

use clap::{Parser, Subcommand};

use crate::{failure::Failure, talk::say};

mod aws;
#[cfg(target_os = "linux")]
mod doctor;
mod fleet;
mod flow_log;
mod flows;
mod format;
mod health;
mod input;
mod manual;
mod read;
mod send;
#[cfg(target_os = "linux")]
mod serve;
mod sessions;

/// Reads AWS mirrored traffic: who mirrored what, without the tunnels.
///
/// VPC Traffic Mirroring through a Gateway Load Balancer wraps every packet twice, in VXLAN and in Geneve.
/// mirrorscope reads both, and shows the mirrored packet with the session that it came from.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Aws(aws::Args),
    #[cfg(target_os = "linux")]
    Doctor(doctor::Args),
    Health(health::Args),
    Manual(manual::Args),
    Read(read::Args),
    Send(send::Args),
    #[cfg(target_os = "linux")]
    Serve(Box<serve::Args>),
    Sessions(sessions::Args),
    Flows(flows::Args),
    Fleet(fleet::Args),
}

/// Parses the command line and runs the command.
pub(crate) fn run() -> Result<(), Failure> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain_usage(&error),
    };
    match cli.command {
        Command::Aws(args) => aws::run(&args),
        #[cfg(target_os = "linux")]
        Command::Doctor(args) => doctor::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Manual(args) => manual::run(&args),
        Command::Read(args) => read::run(&args),
        Command::Send(args) => send::run(&args),
        #[cfg(target_os = "linux")]
        Command::Serve(args) => serve::run(*args),
        Command::Sessions(args) => sessions::run(&args),
        Command::Flows(args) => flows::run(&args),
        Command::Fleet(args) => fleet::run(&args),
    }
}

/// Prints help where it was asked for, or what is wrong with the words. Exit status 2 is for damaged captures, so
/// wrong words are an ordinary failure.
fn explain_usage(error: &clap::Error) -> Result<(), Failure> {
    let text = error.to_string();
    match cut(&text) {
        // With what clap colours.
        cut if cut == text || !error.use_stderr() => drop(error.print()),
        cut => say!("{}", cut.trim_end()),
    }
    if error.use_stderr() { Err(Failure::already_told()) } else { Ok(()) }
}

/// What is wrong with the words, without most of a word that has no end: some are made by programs.
fn cut(text: &str) -> String {
    /// Longer than any line of clap's own, and enough of a word to know it again.
    const MAX_LETTERS: usize = 500;
    let lines = text.split_inclusive('\n').map(|line| match line.char_indices().nth(MAX_LETTERS) {
        Some((end, _)) => format!("{} …\n", &line[..end]),
        None => line.to_owned(),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_well_formed() {
        super::Cli::command().debug_assert();
    }
}
