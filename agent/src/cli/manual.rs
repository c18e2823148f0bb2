//! `mirrorscope manual DIR`: the manual pages and the shells' completions, for those who package the program.
//!
//! Both are made of the same table as `--help`, so they cannot tell anything else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args as ClapArgs, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::Cli;
use crate::failure::Failure;

/// Write manual pages and shell completions into a folder
#[derive(ClapArgs, Debug)]
#[command(hide = true)]
pub(super) struct Args {
    /// Folder for both; it is made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    write(&args.dir).map_err(|error| Failure::write(&args.dir.display().to_string(), &error))
}

fn write(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), "mirrorscope", dir)?;
    }
    Ok(())
}
