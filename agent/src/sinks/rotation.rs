//! Captures that begin anew by size, time or count, of which only the last few are kept.
//!
//! Each file is named `NAME-YYYYMMDDTHHMMSSZ-NNNN.pcapng`, so that the names sort by time, and has its name only
//! when it is finished (see [`super::capture_file`]). Without a limit there is one file, named as it was said; a
//! second one, begun after a failure, is named like those of a series, so that it does not take the first one's
//! place. Where the disk is nearly full, nothing is written: the rest belongs to others.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mirrorscope_core::{Packet, sinks::pcapng::Part};

use super::capture_file::{CaptureFile, Packing};
use crate::{failure::Failure, pipeline::Sink};

/// How often the free space is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When a file is finished and the next begun, and when none is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Octets of packets in a file.
    pub(crate) size_len: Option<u64>,
    /// Time from the first octet of a file to its end.
    pub(crate) age: Option<Duration>,
    /// Packets in a file.
    pub(crate) packets: Option<u64>,
    /// Files that are kept; the oldest is removed for the next one.
    pub(crate) files: Option<usize>,
    /// Octets of the disk that are left free.
    pub(crate) floor_len: u64,
}

impl Limits {
    fn rotate(&self) -> bool {
        self.size_len.is_some() || self.age.is_some() || self.packets.is_some()
    }
}

/// A series of captures.
pub(crate) struct Rotation {
    path: PathBuf,
    part: Part,
    limits: Limits,
    current: Option<Current>,
    number: u32,
    finished: VecDeque<PathBuf>,
    looked: Instant,
}

/// The file that is being written.
struct Current {
    file: CaptureFile<'static>,
    name: PathBuf,
    begun: Instant,
    written_len: u64,
    packets: u64,
}

impl Rotation {
    /// A series named after `path`. Its files are numbered from `number` on; only number 0 may bear the name itself.
    pub(crate) fn open(path: &Path, part: Part, limits: Limits, number: u32) -> Result<Self, Failure> {
        let finished = if limits.rotate() { earlier(path) } else { VecDeque::new() };
        let mut rotation = Self {
            path: path.to_owned(),
            part,
            limits,
            current: None,
            number,
            finished,
            looked: Instant::now(),
        };
        rotation.begin()?;
        Ok(rotation)
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.check_space()?;
        let name = match self.limits.rotate() || self.number > 0 {
            true => numbered(&self.path, jiff::Timestamp::now(), self.number),
            false => self.path.clone(),
        };
        let file = CaptureFile::create(&name, self.part, &|_| None)?;
        self.number += 1;
        self.current = Some(Current { file, name, begun: Instant::now(), written_len: 0, packets: 0 });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        current.file.finish()?;
        self.finished.push_back(current.name);
        while self.limits.files.is_some_and(|most| self.limits.rotate() && self.finished.len() > most) {
            // A file that somebody else removed is gone, which is what was wanted.
            let _ = self.finished.pop_front().map(fs::remove_file);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        let Some(current) = &self.current else { return false };
        let Limits { size_len, age, packets, .. } = self.limits;
        current.packets > 0
            && (size_len.is_some_and(|most| current.written_len >= most)
                || packets.is_some_and(|most| current.packets >= most)
                || age.is_some_and(|age| current.begun.elapsed() >= age))
    }

    fn look_at_the_disk(&mut self) -> Result<(), Failure> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        self.looked = Instant::now();
        self.check_space()
    }

    /// Devices and pipes have no space to look at.
    fn check_space(&self) -> Result<(), Failure> {
        if self.path.metadata().is_ok_and(|metadata| !metadata.is_file()) || self.path.as_os_str() == "-" {
            return Ok(());
        }
        let Some(free_len) = free_len(folder(&self.path)) else { return Ok(()) };
        match free_len < self.limits.floor_len {
            false => Ok(()),
            true => Err(Failure::new(format_args!(
                "only {} MiB are free on the disk of {}, and --disk-floor leaves {} MiB to others",
                free_len >> 20,
                self.path.display(),
                self.limits.floor_len >> 20
            ))),
        }
    }
}

impl Sink for Rotation {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        if self.current.is_none() || self.is_full() {
            self.end()?;
            self.begin()?;
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        current.packets += 1;
        current.written_len += match self.part {
            Part::Record => packet.record.data.len() as u64,
            Part::Subject => packet.subject_bytes().len() as u64,
        };
        current.file.packet(packet)
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.look_at_the_disk()?;
        if self.is_full() {
            return self.end();
        }
        self.current.as_mut().map_or(Ok(()), |current| current.file.idle())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.end()
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn free_len(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

/// A name before and behind the number: what is compressed has two extensions.
fn halves(path: &Path) -> (OsString, OsString) {
    let packed = match Packing::of(path) {
        Packing::None => None,
        Packing::Gzip | Packing::Zstd => path.extension(),
    };
    let name = if packed.is_some() { Path::new(path.file_stem().unwrap_or_default()) } else { path };
    let mut end = OsString::new();
    for extension in [name.extension(), packed].into_iter().flatten() {
        end.push(".");
        end.push(extension);
    }
    (name.file_stem().unwrap_or_default().to_owned(), end)
}

fn numbered(path: &Path, time: jiff::Timestamp, number: u32) -> PathBuf {
    let (mut name, end) = halves(path);
    name.push(format!("-{}-{number:04}", time.strftime("%Y%m%dT%H%M%SZ")));
    name.push(end);
    path.with_file_name(name)
}

/// Files of the series that an earlier run, or this one before a failure, has finished; the oldest first.
fn earlier(path: &Path) -> VecDeque<PathBuf> {
    let (begin, end) = halves(path);
    let is_ours = |name: &OsStr| {
        let number = name.as_encoded_bytes().strip_prefix(begin.as_encoded_bytes());
        number.and_then(|rest| rest.strip_suffix(end.as_encoded_bytes())).is_some_and(is_number)
    };
    let entries = fs::read_dir(folder(path)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name()).filter(|name| is_ours(name));
    let mut files: Vec<_> = names.map(|name| path.with_file_name(name)).collect();
    files.sort();
    files.into()
}

/// `-YYYYMMDDTHHMMSSZ-NNNN`, and no other name that happens to begin alike.
fn is_number(text: &[u8]) -> bool {
    const FORM: &[u8] = b"-00000000T000000Z-0000";
    let fits = |(octet, form): (&u8, &u8)| if *form == b'0' { octet.is_ascii_digit() } else { octet == form };
    text.len() >= FORM.len()
        && text.iter().zip(FORM).all(fits)
        && text.iter().skip(FORM.len()).all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_keep_the_extension() {
        let time = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        for (given, wanted) in [
            ("/var/lib/mirror.pcapng", "/var/lib/mirror-20231114T221320Z-0003.pcapng"),
            ("mirror.pcapng.gz", "mirror-20231114T221320Z-0003.pcapng.gz"),
            ("a.b.zst", "a-20231114T221320Z-0003.b.zst"),
            ("mirror", "mirror-20231114T221320Z-0003"),
        ] {
            assert_eq!(numbered(Path::new(given), time, 3), Path::new(wanted));
        }
    }

    #[test]
    fn files_of_the_series_are_known_again_and_others_are_not() {
        assert!(is_number(b"-20231114T221320Z-0003") && is_number(b"-20231114T221320Z-10003"));
        for other in
            ["", "-20231114", "-20231114T221320Z-00x3", "x20231114T221320Z-0003", "-20231114T221320Z-0003x"]
        {
            assert!(!is_number(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_space_that_is_left_to_others_is_not_written_to() {
        let path = std::env::temp_dir().join("mirrorscope-floor.pcapng");
        let limits = Limits { floor_len: u64::MAX, ..Limits::default() };
        let failure = Rotation::open(&path, Part::Subject, limits, 0).err().expect("there is not so much");
        assert!(failure.to_string().contains("--disk-floor"), "{failure}");
        assert!(!path.with_extension("pcapng.partial").exists());
    }
}
