//! Standard error: what the program says to people, whether or not anyone still listens.
//!
//! `eprintln!` panics where the reader of a pipe has gone, and a sink or the agent's own loop would end with the log
//! that nobody reads. Here the line is lost and the work goes on. The lint in `main.rs` keeps it so.

use std::{
    fmt::Arguments,
    io::{Write, stderr},
};

/// Says one line: what [`format_args!`] takes.
macro_rules! say {
    ($($words:tt)*) => { $crate::talk::line(format_args!($($words)*)) };
}
pub(crate) use say;

/// Writes a line in one piece, so that those of two threads do not mix.
pub(crate) fn line(words: Arguments<'_>) {
    let _ = stderr().write_all(format!("{words}\n").as_bytes());
}

/// So many of something, as one says it: "1 packet", "2 packets".
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
