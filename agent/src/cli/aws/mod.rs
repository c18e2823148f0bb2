//! `mirrorscope aws`: what the AWS CLI knows of mirror sessions and filters, laid beside a capture. Works offline.

mod explain;
pub(super) mod files;
pub(super) mod lint;
mod suggest;

use clap::{Args as ClapArgs, Subcommand};

use crate::failure::Failure;

/// Explain, check and suggest traffic mirror filters, offline
///
/// Nothing is asked of AWS: the input is what `aws ec2 describe-traffic-mirror-filters`,
/// `describe-traffic-mirror-sessions`, `describe-traffic-mirror-targets` and `describe-network-interfaces` print.
#[derive(ClapArgs, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Explain(explain::Args),
    Lint(lint::Args),
    Suggest(suggest::Args),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Explain(args) => explain::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Suggest(args) => suggest::run(args),
    }
}
