//! Why a command ended without success: what happened, what to do next, and the exit status.

use std::{fmt, io, process::ExitCode};

use mirrorscope_core::filter::FilterError;

use crate::{sources::SourceError, talk::say};

/// Exit status where the input is damaged or is no capture, after everything before the damage was handled.
pub(crate) const DAMAGED_INPUT: u8 = 2;
/// Exit status of every other failure.
pub(crate) const FAILED: u8 = 1;

/// An error as a person at a terminal needs it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    status: u8,
    /// The reader of our output went away: nothing to complain of.
    is_closed_pipe: bool,
}

impl Failure {
    /// A failure with exit status [`FAILED`].
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, status: FAILED, is_closed_pipe: false }
    }

    /// A failure that the user has been told of.
    pub(crate) fn already_told() -> Self {
        Self::new("")
    }

    /// Says what to do next.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Whether only the reader of our output went away.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    /// Sets the exit status.
    pub(crate) fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    /// A filter that means nothing, with the faulty words underlined.
    pub(crate) fn filter(error: &FilterError, text: &str) -> Self {
        Self::new(error.render(text).trim_start_matches("error: ").trim_end())
            .hint("the filter language is that of tcpdump (man pcap-filter) and a few words more: see --help")
    }

    /// A file that cannot be read.
    pub(crate) fn read(name: impl fmt::Display, error: &io::Error) -> Self {
        let failure = Self::new(format_args!("{name}: {error}"));
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint("check the path; `-` reads standard input"),
            io::ErrorKind::PermissionDenied => {
                failure.hint("you may not read this file; read it as its owner")
            }
            _ => failure,
        }
    }

    /// What became of a write to `target`.
    pub(crate) fn write(target: &str, error: &io::Error) -> Self {
        let failure = Self::new(format_args!("cannot write to {target}: {error}"));
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { is_closed_pipe: true, ..failure },
            io::ErrorKind::StorageFull => {
                failure.hint("what was written before is whole; free some space or choose another place")
            }
            _ => failure,
        }
    }

    /// Tells the user, and gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_closed_pipe {
            return ExitCode::SUCCESS;
        }
        if !self.message.is_empty() {
            say!("mirrorscope: {}", self.message);
        }
        if let Some(hint) = &self.hint {
            say!("  hint: {hint}");
        }
        ExitCode::from(self.status)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let status = if error.is_damage() { DAMAGED_INPUT } else { FAILED };
        Self::new(error).status(status)
    }
}
