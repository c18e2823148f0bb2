//! `mirrorscope aws lint`: what is wrong with mirror filters, sessions and targets.

use std::{fmt::Display, path::PathBuf};

use clap::Args as ClapArgs;
use mirrorscope_core::aws::lint::{Severity, lint};
use serde::Serialize;

use super::files::AwsFiles;
use crate::{failure::Failure, output::Output};

/// Look for faults in mirror filters, sessions and targets
///
/// Finds shadowed and redundant rules, rules that can never match, missing directions, clashes of VNIs, sessions
/// that point at nothing, and more; each with its reason and a remedy.
#[derive(ClapArgs, Debug)]
#[command(after_help = "\
Examples:
  mirrorscope aws lint filters.json sessions.json targets.json enis.json
  aws ec2 describe-traffic-mirror-filters | mirrorscope aws lint -

Exit status: 0 no error found, 1 errors found, 2 a file is broken.")]
pub(super) struct Args {
    /// Files that the AWS CLI printed, of any kind; `-` for standard input
    json_files: Vec<PathBuf>,

    #[command(flatten)]
    files: AwsFiles,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let inventory = args.files.read(&args.json_files)?;
    let given =
        [inventory.has_filters, inventory.has_sessions, inventory.has_targets, inventory.has_interfaces];
    if !given.contains(&true) {
        return Err(Failure::new("there is nothing to check")
            .hint("give files that `aws ec2 describe-traffic-mirror-filters` and its siblings printed"));
    }
    let report = lint(&inventory);
    print(&report, args.json)?;
    match report.count(Severity::Error) {
        0 => Ok(()),
        1 => Err(Failure::new("1 error was found")),
        count => Err(Failure::new(format_args!("{count} errors were found"))),
    }
}

/// Prints a report, as text or as JSON.
pub(crate) fn print(report: &(impl Display + Serialize), json: bool) -> Result<(), Failure> {
    let text = match json {
        false => report.to_string(),
        true => {
            let mut text = serde_json::to_string_pretty(report).map_err(Failure::new)?;
            text.push('\n');
            text
        }
    };
    let mut output = Output::new();
    output.print(|line| {
        line.str(&text);
    })?;
    output.flush()
}
