//! Packets as lines of text or JSON, appended to a file or written to standard output.

use std::{
    fs::File,
    io::{self, Write, stdout},
    path::{Path, PathBuf},
};

use mirrorscope_core::{
    Packet,
    sinks::{
        brief::{BriefStyle, Palette},
        json,
        line::Line,
        time::{self, Clock, Precision, TimeStyle},
    },
};

use crate::{failure::Failure, output, pipeline::Sink, timezone};

/// Text that is gathered before it is written.
const GATHER_LEN: usize = 64 * 1024;

/// How a packet becomes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As `mirrorscope read` prints it.
    Brief,
    /// As `mirrorscope read --json` prints it.
    Json,
}

type Print = Box<dyn FnMut(&Packet<'_>, &mut Line)>;

/// Lines under way to a file.
pub(crate) struct Lines {
    print: Print,
    line: Line,
    name: PathBuf,
    file: Option<File>,
}

impl Lines {
    /// Appends to the file at `path`; `-` is standard output.
    pub(crate) fn open(path: &Path, style: Style) -> Result<Self, Failure> {
        let is_stdout = path.as_os_str() == "-";
        let file =
            match is_stdout {
                true => None,
                false => Some(File::options().append(true).create(true).open(path).map_err(|error| {
                    Failure::new(format_args!("cannot open {}: {error}", path.display()))
                })?),
            };
        let print: Print = match style {
            Style::Json => Box::new(|packet, line| json::print(packet, &|_| None, line)),
            Style::Brief => {
                let palette =
                    if is_stdout && output::is_coloured() { Palette::COLOUR } else { Palette::default() };
                let zone = if is_stdout { timezone::local_offset } else { time::utc };
                let clock = Clock::new(TimeStyle::DateTime, Precision::Micro, zone);
                let mut style = BriefStyle::new(clock, palette, &|_| None);
                Box::new(move |packet, line| style.print(packet, line))
            }
        };
        Ok(Self { print, line: Line::default(), name: path.to_owned(), file })
    }
}

/// Appends all of `text` or, on a disk that is full, nothing of it, so that the next line has a beginning.
fn append(file: &mut File, text: &[u8]) -> io::Result<()> {
    let before_len = file.metadata()?.len();
    file.write_all(text).inspect_err(|_| {
        // Pipes and devices have no length, and the error that is reported is the first one.
        let _ = file.set_len(before_len);
    })
}

impl Sink for Lines {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        (self.print)(packet, &mut self.line);
        if self.line.len() < GATHER_LEN { Ok(()) } else { self.idle() }
    }

    fn idle(&mut self) -> Result<(), Failure> {
        let result = match &mut self.file {
            Some(file) => append(file, self.line.as_bytes()),
            None => {
                let mut stdout = stdout().lock();
                stdout.write_all(self.line.as_bytes()).and_then(|()| stdout.flush())
            }
        };
        self.line.clear();
        result.map_err(|error| Failure::write(&self.name.display().to_string(), &error))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.idle()
    }
}
