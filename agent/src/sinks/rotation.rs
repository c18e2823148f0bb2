//! Captures that begin anew by size, time or count, of which only the last few are kept.
//!
//! Each file is named `NAME-YYYYMMDDTHHMMSSZ-NNNN.pcapng`, so that the names sort by time, and has its name only
//! when it is finished (see [`super::capture_file`]). The number goes on where the last run's ended: no name is used
//! twice, and the oldest file is known even if the clock was set back. Without a limit there is one file, named as it
//! was said; where there is such a file already, from an earlier run or from before a failure, the next one is named
//! like those of a series. Where the disk is nearly full, nothing is written: the rest belongs to others.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mirrorscope_core::{Packet, sinks::pcapng::Part};

use super::capture_file::{CaptureFile, PARTIAL, Packing, partial};
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
    /// Of the next file.
    number: u64,
    /// The files that are counted to keep the last few, the oldest first.
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
    /// A series named after `path`, which goes on where an earlier one ended.
    pub(crate) fn open(path: &Path, part: Part, limits: Limits) -> Result<Self, Failure> {
        let earlier = earlier(path);
        let mut rotation = Self {
            path: path.to_owned(),
            part,
            limits,
            current: None,
            number: earlier.last().map_or(0, |(number, _)| number + 1),
            finished: earlier.into_iter().map(|(_, file)| file).collect(),
            looked: Instant::now(),
        };
        rotation.begin()?;
        Ok(rotation)
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.check_space()?;
        let name = match self.limits.rotate() || self.is_taken() {
            true => numbered(&self.path, jiff::Timestamp::now(), self.number),
            false => self.path.clone(),
        };
        let file = CaptureFile::create(&name, self.part, &|_| None)?;
        self.number += 1;
        self.current = Some(Current { file, name, begun: Instant::now(), written_len: 0, packets: 0 });
        Ok(())
    }

    /// Whether a file bears the name itself, or one that was never finished would.
    fn is_taken(&self) -> bool {
        self.path.as_os_str() != "-" && (self.path.is_file() || partial(&self.path).exists())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some(current) = &mut self.current else { return Ok(()) };
        // One that cannot be finished stays, and is told of when the sink ends.
        current.file.finish()?;
        let Some(current) = self.current.take() else { return Ok(()) };
        let Some(most) = self.limits.files.filter(|_| self.limits.rotate()) else { return Ok(()) };
        self.finished.push_back(current.name);
        while self.finished.len() > most {
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

fn numbered(path: &Path, time: jiff::Timestamp, number: u64) -> PathBuf {
    let (mut name, end) = halves(path);
    name.push(format!("-{}-{number:04}", time.strftime("%Y%m%dT%H%M%SZ")));
    name.push(end);
    path.with_file_name(name)
}

/// Files of the series that there are already, with their numbers, the oldest first. Those that a run which was killed
/// has not finished are among them, or they would never go.
fn earlier(path: &Path) -> Vec<(u64, PathBuf)> {
    let (begin, end) = halves(path);
    let number = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        let name = name.strip_suffix(PARTIAL.as_bytes()).unwrap_or(name);
        number(name.strip_prefix(begin.as_encoded_bytes())?.strip_suffix(end.as_encoded_bytes())?)
    };
    let entries = fs::read_dir(folder(path)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let mut files: Vec<_> =
        names.filter_map(|name| Some((number(&name)?, path.with_file_name(name)))).collect();
    files.sort();
    files
}

/// The number of `-YYYYMMDDTHHMMSSZ-NNNN`, and of no other name that happens to begin alike.
fn number(text: &[u8]) -> Option<u64> {
    const FORM: &[u8] = b"-00000000T000000Z-";
    let (time, number) = text.split_at_checked(FORM.len())?;
    let fits = |(octet, form): (&u8, &u8)| if *form == b'0' { octet.is_ascii_digit() } else { octet == form };
    let is_number = number.len() >= 4 && number.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(number).ok().filter(|_| is_number)?;
    time.iter().zip(FORM).all(fits).then(|| number.parse().ok())?
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
        assert_eq!(number(b"-20231114T221320Z-0003"), Some(3));
        assert_eq!(number(b"-20231114T221320Z-10003"), Some(10_003));
        for other in
            ["", "-20231114", "-20231114T221320Z-00x3", "x20231114T221320Z-0003", "-20231114T221320Z-0003x"]
        {
            assert_eq!(number(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_series_goes_on_behind_its_highest_number_whatever_the_clock_says() {
        let folder = std::env::temp_dir().join(format!("mirrorscope-series-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // The clock went back between the two, and the second run was killed.
        for name in ["m-20261114T221320Z-0041.pcapng", "m-20251114T221320Z-0042.pcapng.partial", "m-x.pcapng"]
        {
            fs::write(folder.join(name), "").unwrap();
        }
        let limits = Limits { packets: Some(1), files: Some(2), ..Limits::default() };
        let mut rotation = Rotation::open(&folder.join("m.pcapng"), Part::Subject, limits).unwrap();
        assert_eq!(rotation.number, 44);
        rotation.end().unwrap();
        let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        left.sort();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(left.len(), 3, "{left:?}");
        assert_eq!(left[0], "m-20251114T221320Z-0042.pcapng.partial");
        assert!(left[1].to_string_lossy().ends_with("-0043.pcapng"), "{left:?}");
    }

    #[test]
    fn a_file_that_is_there_already_is_not_replaced() {
        let folder = std::env::temp_dir().join(format!("mirrorscope-taken-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("m.pcapng");
        for files in 1..=3 {
            Rotation::open(&path, Part::Subject, Limits::default()).unwrap().end().unwrap();
            assert_eq!(fs::read_dir(&folder).unwrap().count(), files);
        }
        assert!(path.is_file());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_somebody_made_meanwhile_is_not_replaced_either() {
        let folder = std::env::temp_dir().join(format!("mirrorscope-meanwhile-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("m.pcapng");
        let mut rotation = Rotation::open(&path, Part::Subject, Limits::default()).unwrap();
        fs::write(&path, "not ours").unwrap();
        // Nor at a second try.
        for _ in 0..2 {
            let failure = rotation.finish().unwrap_err();
            assert!(failure.to_string().contains("cannot finish"), "{failure}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"not ours");
        assert!(partial(&path).metadata().unwrap().len() > 0);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_space_that_is_left_to_others_is_not_written_to() {
        let path = std::env::temp_dir().join("mirrorscope-floor.pcapng");
        let limits = Limits { floor_len: u64::MAX, ..Limits::default() };
        let failure = Rotation::open(&path, Part::Subject, limits).err().expect("there is not so much");
        assert!(failure.to_string().contains("--disk-floor"), "{failure}");
        assert!(!path.with_extension("pcapng.partial").exists());
    }
}
