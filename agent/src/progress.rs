//! The progress bar: bytes read of how many, rate and time left, on standard error.
//!
//! It appears only where a person can see it and would not be disturbed: standard error is a terminal,
//! standard output is not (or prints nothing meanwhile), and the work has lasted a second.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how far a source has been read.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    shown: bool,
}

impl Progress {
    /// A bar for `total_len` octets (`None` if unknown, as of a pipe); invisible if `wanted` is false.
    pub(crate) fn new(total_len: Option<u64>, wanted: bool) -> Self {
        let bar = (wanted && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(total_len, ProgressDrawTarget::hidden());
            bar.set_style(style(total_len.is_some()));
            bar
        });
        Self { bar, started: Instant::now(), shown: false }
    }

    /// Says how many octets have been read.
    pub(crate) fn update(&mut self, read_len: u64) {
        let Some(bar) = &self.bar else { return };
        if !self.shown && self.started.elapsed() >= PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
        bar.set_position(read_len);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(has_total: bool) -> ProgressStyle {
    let template = if has_total {
        "{bar:30} {percent}%  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left"
    } else {
        "{spinner} {bytes}  {bytes_per_sec}  {elapsed}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
