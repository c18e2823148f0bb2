//! Standard output as a sink for text: written in large pieces, whole lines at a time.

use std::io::{IsTerminal, Write, stdout};

use mirrorscope_core::sinks::line::Line;

use crate::failure::Failure;

/// Text that is gathered before it is written. A terminal gets every line at once.
const GATHER_LEN: usize = 64 * 1024;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Output {
    line: Line,
    gather_len: usize,
}

impl Output {
    /// Standard output, by lines on a terminal and in pieces of 64 KiB elsewhere.
    pub(crate) fn new() -> Self {
        Self { line: Line::default(), gather_len: if is_terminal() { 0 } else { GATHER_LEN } }
    }

    /// Lets `write` append text, which goes out when enough of it has come together.
    #[inline]
    pub(crate) fn print(&mut self, write: impl FnOnce(&mut Line)) -> Result<(), Failure> {
        write(&mut self.line);
        if self.line.len() > self.gather_len { self.flush() } else { Ok(()) }
    }

    /// Writes what has been gathered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let mut stdout = stdout().lock();
        let result = stdout.write_all(self.line.as_bytes()).and_then(|()| stdout.flush());
        self.line.clear();
        result.map_err(|error| Failure::write("standard output", &error))
    }
}

/// Whether a person looks at standard output.
pub(crate) fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// Whether to colour: on a terminal whose user has not said otherwise (<https://no-color.org>).
pub(crate) fn is_coloured() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
