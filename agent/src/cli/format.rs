//! The options of commands that print rows: a table for people, or a format for programs.

use clap::Args;

/// How rows are printed.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Format {
    /// Print one JSON object a row
    #[arg(long, conflicts_with = "csv")]
    pub(super) json: bool,

    /// Print comma-separated values with a header row
    #[arg(long)]
    pub(super) csv: bool,
}
