//! A capture file or standard input as a source of records, compressed or not.
//!
//! What the input is, its first octets say, never its name. It is read in pieces of 256 KiB straight into the
//! capture reader's buffer, so memory does not grow with the file (see [`CaptureReader`] for the bound).

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mirrorscope_core::Record;
use mirrorscope_core::capture::{CHUNK_LEN, CaptureError, CaptureReader};

use super::decompress::{GZIP_MAGIC, Gzip, ZSTD_MAGIC, Zstd};
use super::patience;

/// The name that means standard input.
pub(crate) const STDIN: &str = "-";

/// Reads the records of one capture.
pub(crate) struct FileSource {
    path: PathBuf,
    input: Input,
    reader: CaptureReader,
    total_len: Option<u64>,
    /// Why the input could not be read to its end; told after the last record.
    failed: Option<Cause>,
    ended: bool,
    is_waiting: bool,
}

/// How far a source was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Octets of the file, compressed as it is, read so far.
    pub(crate) read_len: u64,
    /// Octets of the whole file; `None` where nobody knows (a pipe).
    pub(crate) total_len: Option<u64>,
}

/// Why a capture could not be opened or read to its end.
#[derive(Debug)]
pub(crate) struct SourceError {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Open(io::Error),
    Directory,
    Read {
        error: io::Error,
        offset: u64,
    },
    Decompress {
        format: &'static str,
        error: io::Error,
        offset: u64,
        packets: u64,
    },
    /// Nothing is wrong with it, but it takes more than there may be.
    Window(io::Error),
    Capture(CaptureError),
}

enum Input {
    Plain(Raw),
    Gzip(Box<Gzip<BufReader<Raw>>>),
    Zstd(Box<Zstd<BufReader<Raw>>>),
}

/// Whether the reader found a record in the octets that it has.
type Outcome = Result<bool, CaptureError>;

/// The octets as they lie in the file, counted, with those read ahead to know the format given first.
struct Raw {
    input: File,
    ahead: io::Cursor<Vec<u8>>,
    read_len: u64,
    absence: Absence,
}

/// What a read does where there is nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    /// It waits.
    Wait,
    /// It says so, as [`ErrorKind::WouldBlock`].
    Tell,
    /// Nothing is there any more, whatever comes.
    End,
}

impl FileSource {
    /// Opens a file, or standard input for `-`, and looks at its first octets.
    ///
    /// # Errors
    /// There is no such file, it is a directory, or it may not be read.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let fail = |cause| SourceError { path: path.to_owned(), cause };
        let input = match path == Path::new(STDIN) {
            true => patience::standard_input(),
            false => File::open(path),
        };
        let input = input.map_err(|error| fail(Cause::Open(error)))?;
        let metadata = input.metadata().map_err(|error| fail(Cause::Open(error)))?;
        if metadata.is_dir() {
            return Err(fail(Cause::Directory));
        }
        // Standard input may stand in the middle of a file.
        let has_len = metadata.is_file() && path != Path::new(STDIN);
        let total_len = has_len.then_some(metadata.len());
        Self::new(path, input, total_len).map_err(|error| fail(Cause::Read { error, offset: 0 }))
    }

    fn new(path: &Path, mut input: File, total_len: Option<u64>) -> io::Result<Self> {
        let mut ahead = Vec::new();
        input.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut ahead)?;
        let (gzip, zstd) = (ahead.starts_with(&GZIP_MAGIC), ahead.starts_with(&ZSTD_MAGIC));
        let raw = Raw { input, ahead: io::Cursor::new(ahead), read_len: 0, absence: Absence::Wait };
        let input = if gzip {
            Input::Gzip(Box::new(Gzip::new(BufReader::with_capacity(CHUNK_LEN, raw))))
        } else if zstd {
            Input::Zstd(Box::new(Zstd::new(BufReader::with_capacity(CHUNK_LEN, raw))))
        } else {
            Input::Plain(raw)
        };
        let reader = CaptureReader::new();
        Ok(Self {
            path: path.to_owned(),
            input,
            reader,
            total_len,
            failed: None,
            ended: false,
            is_waiting: false,
        })
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// One error where the capture is damaged or cannot be read further, after the last good record; then `None`.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        match self.reader.advance() {
            Ok(true) => Ok(self.reader.record()),
            outcome => self.next_after(outcome),
        }
    }

    /// The next record where the octets read so far hold none.
    #[cold]
    fn next_after(&mut self, mut outcome: Outcome) -> Result<Option<Record<'_>>, SourceError> {
        loop {
            match outcome {
                Ok(true) => return Ok(self.reader.record()),
                Ok(false) if self.failed.is_none() && !self.ended => {
                    self.fill();
                    if self.is_waiting {
                        return Ok(None);
                    }
                }
                outcome => return self.end(outcome).map(|()| None),
            }
            outcome = self.reader.advance();
        }
    }

    /// From now on, [`next`](Self::next) gives `None` where a pipe has nothing yet, instead of waiting.
    pub(crate) fn do_not_wait(&mut self) {
        // A file has something or is at its end.
        if self.total_len.is_none() {
            self.input.raw_mut().absence = Absence::Tell;
        }
    }

    /// Whether the last `None` was not the end: the input is open and had nothing yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Waits until the input has something, or is at its end, or `patience` has passed; `false` in the last case.
    pub(crate) fn has_octets(&self, patience: Duration) -> bool {
        patience::has_octets(&self.input.raw().input, patience)
    }

    /// Lets the input end here. What was read still comes, and that it is cut is no damage.
    pub(crate) fn close(&mut self) {
        self.input.raw_mut().absence = Absence::End;
    }

    /// How far the file was read.
    pub(crate) fn progress(&self) -> Progress {
        Progress { read_len: self.input.raw().read_len, total_len: self.total_len }
    }

    /// What the container says of a cut input is a consequence of why it was cut.
    fn end(&mut self, outcome: Outcome) -> Result<(), SourceError> {
        let cause = match (self.failed.take(), outcome) {
            (Some(cause), _) => cause,
            (None, Err(error)) => Cause::Capture(error),
            (None, Ok(_)) => return Ok(()),
        };
        self.ended = true;
        match self.input.raw().absence {
            Absence::End => Ok(()),
            Absence::Wait | Absence::Tell => Err(SourceError { path: self.path.clone(), cause }),
        }
    }

    /// Reads one piece; its end, or its failure, ends the capture.
    fn fill(&mut self) {
        let room = self.reader.space(CHUNK_LEN);
        let result = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.reader.commit(*result.as_ref().unwrap_or(&0));
        let may_wait = self.input.raw().absence == Absence::Tell;
        self.is_waiting =
            may_wait && result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        match result {
            Err(_) if self.is_waiting => {}
            Ok(0) => {
                self.ended = true;
                self.reader.finish();
            }
            Ok(_) => {}
            Err(error) => self.failed = Some(self.input.cause(error, &self.reader)),
        }
    }
}

impl Input {
    fn raw(&self) -> &Raw {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(gzip) => gzip.input().get_ref(),
            Self::Zstd(zstd) => zstd.input().get_ref(),
        }
    }

    fn raw_mut(&mut self) -> &mut Raw {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(gzip) => gzip.input_mut().get_mut(),
            Self::Zstd(zstd) => zstd.input_mut().get_mut(),
        }
    }

    fn cause(&self, error: io::Error, reader: &CaptureReader) -> Cause {
        let offset = self.raw().read_len;
        let format = match self {
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
            Self::Plain(_) => return Cause::Read { error, offset },
        };
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData => {
                Cause::Decompress { format, error, offset, packets: reader.packets() }
            }
            ErrorKind::Unsupported => Cause::Window(error),
            _ => Cause::Read { error, offset },
        }
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(out),
            Self::Gzip(gzip) => gzip.read(out),
            Self::Zstd(zstd) => zstd.read(out),
        }
    }
}

impl Read for Raw {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut len = self.ahead.read(out)?;
        if len == 0 {
            len = match self.absence {
                Absence::End => 0,
                Absence::Tell if !patience::has_octets(&self.input, Duration::ZERO) => {
                    return Err(ErrorKind::WouldBlock.into());
                }
                Absence::Wait | Absence::Tell => self.input.read(out)?,
            };
        }
        self.read_len += len as u64;
        Ok(len)
    }
}

impl SourceError {
    /// Whether the octets are at fault, and not the way to them.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self.cause, Cause::Capture(_) | Cause::Decompress { .. })
    }
}

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            if self.path == Path::new(STDIN) { "standard input".into() } else { self.path.to_string_lossy() };
        match &self.cause {
            Cause::Open(error) if error.kind() == ErrorKind::NotFound => {
                write!(f, "{name}: no such file\n  hint: check the path; `-` reads standard input")
            }
            Cause::Open(error) if error.kind() == ErrorKind::PermissionDenied => write!(
                f,
                "{name}: you may not read this file\n  hint: tcpdump writes captures as root or tcpdump; \
                 try `sudo chmod a+r`, or read it as their owner"
            ),
            Cause::Open(error) => write!(f, "{name}: cannot be opened: {error}\n  hint: check the path"),
            Cause::Directory => {
                write!(f, "{name}: this is a directory\n  hint: name one of the capture files inside it")
            }
            Cause::Read { error, offset } => write!(
                f,
                "{name}: cannot be read after byte {offset}: {error}\n  hint: check the disk or the pipe's other end"
            ),
            Cause::Decompress { format, error, packets, .. } if error.kind() == ErrorKind::UnexpectedEof => {
                write!(
                    f,
                    "{name}: the {format} data ends too early\n  hint: the file was cut short (copy interrupted, or still \
                 being written); the {packets} packets before are good"
                )
            }
            Cause::Decompress { format, error, offset, packets } => write!(
                f,
                "{name}: the {format} data is damaged before byte {offset} of the file: {error}\n  hint: copy the file \
                 again; the last of the {packets} packets before may be damaged too"
            ),
            Cause::Window(error) => write!(
                f,
                "{name}: {error}\n  hint: decompress it first, with `zstd -dc --long=31 FILE | mirrorscope read -`"
            ),
            Cause::Capture(error) => write!(f, "{name}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicU32, Ordering};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use mirrorscope_core::LinkType;
    use mirrorscope_core::capture::{Packet, PcapWriter};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const PACKETS: u64 = 2000;

    /// A file that is removed when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(bytes: &[u8]) -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("mirrorscope-{}-{number}", std::process::id()));
            std::fs::write(&path, bytes).expect("the temporary directory is writable");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn capture() -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = PcapWriter::begin(&mut out, LinkType::ETHERNET, 0);
        for number in 0..PACKETS as u32 {
            let data: Vec<u8> =
                (0..150).flat_map(|index: u32| number.wrapping_mul(index * index).to_le_bytes()).collect();
            let timestamp_ns = i64::from(number);
            writer.packet(
                &mut out,
                &Packet { interface: 0, timestamp_ns, original_len: 600, data: &data, comment: None },
            );
        }
        out
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    /// How many records a file gives, and the message after them.
    fn read(bytes: &[u8]) -> (u64, Option<String>) {
        let file = Scratch::new(bytes);
        let mut source = FileSource::open(&file.0).expect("the file is there");
        let mut packets = 0;
        let message = loop {
            match source.next() {
                Ok(Some(record)) => {
                    assert_eq!(record.timestamp_ns, packets as i64);
                    packets += 1;
                }
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        assert!(source.next().is_ok_and(|record| record.is_none()), "an error is told once");
        assert_eq!(source.progress().total_len, Some(bytes.len() as u64));
        (packets, message)
    }

    #[test]
    fn plain_gzip_and_zstd_files_hold_the_same_records() {
        let plain = capture();
        assert_eq!(read(&plain), (PACKETS, None));
        assert_eq!(read(&gzip(&plain)), (PACKETS, None));
        assert_eq!(read(&compress_to_vec(&plain[..], CompressionLevel::Fastest)), (PACKETS, None));
    }

    #[test]
    fn progress_counts_the_octets_of_the_file_as_it_lies_there() {
        let file = Scratch::new(&gzip(&capture()));
        let mut source = FileSource::open(&file.0).expect("the file is there");
        while source.next().expect("the capture is whole").is_some() {}
        assert_eq!(Some(source.progress().read_len), source.progress().total_len);
        assert_eq!(source.reader.packets(), PACKETS);
    }

    #[test]
    fn cut_files_give_their_whole_records_and_then_say_that_they_are_cut() {
        let plain = capture();
        let (packets, message) = read(&plain[..24 + 616 * 7 + 100]);
        assert_eq!(packets, 7);
        assert!(
            message.is_some_and(|message| message.contains("record 8 at byte offset 4336")),
            "names the record"
        );
        for (format, compressed) in
            [("gzip", gzip(&plain)), ("zstd", compress_to_vec(&plain[..], CompressionLevel::Fastest))]
        {
            let (packets, message) = read(&compressed[..compressed.len() / 2]);
            assert!(packets > PACKETS / 3, "{format}: {packets}");
            let message = message.unwrap_or_default();
            assert!(message.contains(&format!("{format} data ends too early")), "{message}");
            assert!(message.contains(&format!("the {packets} packets before")), "{message}");
        }
    }

    #[test]
    fn wrong_inputs_are_named_with_what_to_do() {
        let open = |path: &str| FileSource::open(Path::new(path)).err().map(|error| error.to_string());
        assert_eq!(
            open("/no/such/file").as_deref(),
            Some("/no/such/file: no such file\n  hint: check the path; `-` reads standard input")
        );
        assert!(open("/").is_some_and(|message| message.contains("this is a directory")));
        for (bytes, message) in [
            (&b""[..], "empty"),
            (b"Dear diary,\n", "looks like text"),
            (b"hm", "looks like text"),
            (b"BZh91AY&SY", "bunzip2"),
            (&gzip(b""), "empty"),
            (&gzip(b"Dear diary,\n"), "looks like text"),
            (&[0x1f, 0x8b, 8, 0, 0], "gzip data ends too early"),
            (&[0x1f, 0x8b, 77, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3], "gzip data is damaged"),
            (&[0x28, 0xb5, 0x2f, 0xfd], "zstd data ends too early"),
            // A window of 2 GiB, as `zstd --long=31` has it.
            (&[0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0], "takes 2048 MiB of memory"),
        ] {
            let (packets, found) = read(bytes);
            let found = found.unwrap_or_default();
            assert!(
                packets == 0 && found.contains(message) && found.contains("hint: "),
                "{bytes:?}: {found}"
            );
        }
    }
}
