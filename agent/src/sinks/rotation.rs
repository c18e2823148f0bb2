//! Captures that begin anew by size or time, of which only the last few are kept.
//!
//! Each file is named `NAME-YYYYMMDDTHHMMSSZ-NNNN.pcapng`, so that the names sort by time, and has its name only
//! when it is finished (see [`super::capture_file`]). Without a limit there is one file, named as it was said.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mirrorscope_core::{Packet, sinks::pcapng::Part};

use super::capture_file::CaptureFile;
use crate::{failure::Failure, pipeline::Sink};

/// When a file is finished and the next begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Octets of packets in a file.
    pub(crate) size_len: Option<u64>,
    /// Time from the first octet of a file to its end.
    pub(crate) age: Option<Duration>,
    /// Files that are kept; the oldest is removed for the next one.
    pub(crate) files: Option<usize>,
}

/// A series of captures.
pub(crate) struct Rotation {
    path: PathBuf,
    part: Part,
    limits: Limits,
    current: Option<(CaptureFile<'static>, Instant)>,
    written_len: u64,
    number: u32,
    finished: VecDeque<PathBuf>,
    name: PathBuf,
}

impl Rotation {
    /// A series named after `path`.
    pub(crate) fn open(path: &Path, part: Part, limits: Limits) -> Result<Self, Failure> {
        let mut rotation = Self {
            path: path.to_owned(),
            part,
            limits,
            current: None,
            written_len: 0,
            number: 0,
            finished: VecDeque::new(),
            name: PathBuf::new(),
        };
        rotation.begin()?;
        Ok(rotation)
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.name = match self.rotates() {
            true => numbered(&self.path, jiff::Timestamp::now(), self.number),
            false => self.path.clone(),
        };
        self.number += 1;
        self.written_len = 0;
        self.current = Some((CaptureFile::create(&self.name, self.part, &|_| None)?, Instant::now()));
        Ok(())
    }

    fn rotates(&self) -> bool {
        self.limits.size_len.is_some() || self.limits.age.is_some()
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some((mut file, _)) = self.current.take() else { return Ok(()) };
        file.finish()?;
        self.finished.push_back(self.name.clone());
        while self.limits.files.is_some_and(|most| self.rotates() && self.finished.len() > most) {
            // A file that somebody else removed is gone, which is what was wanted.
            let _ = self.finished.pop_front().map(fs::remove_file);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        let old = |(_, begun): &(CaptureFile<'static>, Instant)| {
            self.limits.age.is_some_and(|age| begun.elapsed() >= age) && self.written_len > 0
        };
        self.limits.size_len.is_some_and(|most| self.written_len >= most)
            || self.current.as_ref().is_some_and(old)
    }
}

impl Sink for Rotation {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        if self.current.is_none() || self.is_full() {
            self.end()?;
            self.begin()?;
        }
        let Some((file, _)) = &mut self.current else { return Ok(()) };
        self.written_len += match self.part {
            Part::Record => packet.record.data.len() as u64,
            Part::Subject => packet.subject_bytes().len() as u64,
        };
        file.packet(packet)
    }

    fn idle(&mut self) -> Result<(), Failure> {
        if self.is_full() {
            return self.end();
        }
        self.current.as_mut().map_or(Ok(()), |(file, _)| file.idle())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.end()
    }
}

fn numbered(path: &Path, time: jiff::Timestamp, number: u32) -> PathBuf {
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}-{number:04}", time.strftime("%Y%m%dT%H%M%SZ")));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_keep_the_extension() {
        let time = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let name = numbered(Path::new("/var/lib/mirror.pcapng"), time, 3);
        assert_eq!(name, Path::new("/var/lib/mirror-20231114T221320Z-0003.pcapng"));
    }
}
