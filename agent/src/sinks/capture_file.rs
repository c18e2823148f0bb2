//! A pcapng file that appears whole or not at all.
//!
//! Blocks go to `FILE.partial` beside the target, in writes that end where a block ends. The file gets its name
//! when everything is written, and also where the run ends early (Ctrl-C, a damaged source, a full disk): then
//! it is cut back to the last whole block first. A reader therefore never sees half a block under the name that
//! was asked for. A file that was there at the beginning is replaced, one that somebody made meanwhile is not.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use mirrorscope_core::{
    Packet,
    aws::mirror::NameOf,
    sinks::pcapng::{Part, PcapngSink},
};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::{failure::Failure, pipeline::Sink};

/// What the name of a file ends in that is not finished.
pub(crate) const PARTIAL: &str = ".partial";
/// Blocks that are gathered before they are written.
const GATHER_LEN: usize = 256 * 1024;

/// A capture under construction.
pub(crate) struct CaptureFile<'a> {
    target: Target,
    sink: PcapngSink,
    blocks: Vec<u8>,
    failed: bool,
    name_of: NameOf<'a>,
}

/// Where blocks go.
#[derive(Debug)]
pub(crate) enum Target {
    /// Standard output, a pipe or a device: written as the blocks come.
    Stream { name: String, writer: File },
    /// A regular file, and how many octets of whole blocks it holds.
    File {
        partial: PathBuf,
        path: PathBuf,
        file: File,
        packing: Packing,
        written_len: u64,
        /// Whether a file had the name when this one was begun.
        replaces: bool,
    },
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    None,
    /// Members of gzip.
    Gzip,
    /// Frames of Zstandard.
    Zstd,
}

impl Packing {
    /// As the name wants it.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    fn pack<'a>(self, blocks: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        Ok(match self {
            Self::None => blocks.into(),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(blocks)?;
                encoder.finish()?.into()
            }
            Self::Zstd => compress_to_vec(blocks, CompressionLevel::Fastest).into(),
        })
    }
}

impl<'a> CaptureFile<'a> {
    /// Begins a capture at `path`; `-` is standard output. Interfaces are called what `name_of` says.
    pub(crate) fn create(path: &Path, part: Part, name_of: NameOf<'a>) -> Result<Self, Failure> {
        let target = Target::create(path)?;
        let mut blocks = Vec::with_capacity(GATHER_LEN + 64 * 1024);
        let sink = PcapngSink::begin(&mut blocks, part, concat!("mirrorscope ", env!("CARGO_PKG_VERSION")));
        Ok(Self { target, sink, blocks, failed: false, name_of })
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let result = self.target.write(&self.blocks);
        self.blocks.clear();
        result.map_err(|error| {
            self.failed = true;
            Failure::write(&self.target.name(), &error)
        })
    }
}

impl Sink for CaptureFile<'_> {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        self.sink.packet(packet, self.name_of, &mut self.blocks);
        if self.blocks.len() < GATHER_LEN { Ok(()) } else { self.flush() }
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.flush()
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let flushed = if self.failed { Ok(()) } else { self.flush() };
        let finished = self.target.finish().map_err(|error| self.target.cannot_finish(&error));
        flushed.and(finished)
    }
}

impl Target {
    /// Opens `path`; `-` is standard output.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        // A link stays one: what it leads to is replaced.
        let real = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
        let path = real.as_deref().unwrap_or(path);
        Self::open(path).map_err(|error| cannot_create(path, &error))
    }

    fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stream { name: "standard output".to_owned(), writer: standard_output()? });
        }
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let writer = File::options().write(true).open(path)?;
            return Ok(Self::Stream { name: path.display().to_string(), writer });
        }
        let (partial, path, packing) = (partial(path), path.to_owned(), Packing::of(path));
        let replaces = path.symlink_metadata().is_ok();
        // Another run may be writing it, or one that was killed has left it.
        let file = File::create_new(&partial)?;
        if let Ok(replaced) = path.metadata() {
            file.set_permissions(replaced.permissions())?;
        }
        Ok(Self::File { partial, path, file, packing, written_len: 0, replaces })
    }

    /// What to call it in a message.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stream { name, .. } => name.clone(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    /// Writes whole blocks.
    pub(crate) fn write(&mut self, blocks: &[u8]) -> io::Result<()> {
        if blocks.is_empty() {
            return Ok(());
        }
        match self {
            Self::Stream { writer, .. } => writer.write_all(blocks),
            Self::File { file, packing, written_len, .. } => {
                let octets = packing.pack(blocks)?;
                match file.write_all(&octets) {
                    Ok(()) => {
                        *written_len += octets.len() as u64;
                        Ok(())
                    }
                    Err(error) => {
                        // Best effort: the error that is reported is the first one.
                        let _ = file
                            .set_len(*written_len)
                            .and_then(|()| file.seek(SeekFrom::Start(*written_len)));
                        Err(error)
                    }
                }
            }
        }
    }

    /// Gives the file its name.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Stream { writer, .. } => writer.flush(),
            // Not even the first block could be written: nothing is worth a name.
            Self::File { partial, written_len: 0, .. } => fs::remove_file(partial),
            Self::File { partial, path, file, replaces, .. } => {
                file.sync_all()?;
                if *replaces { fs::rename(partial, path) } else { rename_to_free(partial, path) }
            }
        }
    }

    fn cannot_finish(&self, error: &io::Error) -> Failure {
        match self {
            Self::Stream { name, .. } => Failure::write(name, error),
            Self::File { partial, path, .. } => {
                Failure::new(format_args!("cannot finish {}: {error}", path.display()))
                    .hint(format_args!("what was written is in {}; move it away", partial.display()))
            }
        }
    }
}

/// Renames a file, but not over another one.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        // Where a file system has no links, the next best is to look first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if to.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

/// What the file is called until it is finished.
pub(crate) fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(PARTIAL);
    partial.into()
}

#[cfg(unix)]
fn standard_output() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn standard_output() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

fn cannot_create(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(format_args!("cannot create {}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let partial = partial(path);
            Failure::new(format_args!("cannot create {}: {} is there", path.display(), partial.display()))
                .hint("another run is writing it, or one that was killed has left it: read it, then move it away")
        }
        io::ErrorKind::NotFound => failure.hint("the folder does not exist; create it first"),
        io::ErrorKind::PermissionDenied => {
            failure.hint("choose a folder that you may write to, such as /tmp")
        }
        io::ErrorKind::IsADirectory => failure.hint("give a file name inside that folder"),
        _ => failure,
    }
}
