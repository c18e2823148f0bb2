//! Places that take whole files under a path, all or nothing. Putting a file twice is putting it once.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// A place for files.
pub(crate) trait Store: Send {
    /// Puts a file; no reader ever sees a part of it.
    fn put(&mut self, path: &str, octets: &[u8]) -> Result<(), Failure>;
}

/// A folder.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`, which is made if it is not there.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(root).map_err(|error| Failure::write(&root.display().to_string(), &error))?;
        Ok(Self { root: root.to_owned() })
    }
}

impl Store for Folder {
    fn put(&mut self, path: &str, octets: &[u8]) -> Result<(), Failure> {
        let path = self.root.join(path);
        write_whole(&path, octets).map_err(|error| Failure::write(&path.display().to_string(), &error))
    }
}

/// What the name of a file ends with that is not whole. Readers look for other endings, and leave out names that
/// begin with a dot.
pub(super) const PART: &str = ".part";

/// Writes a file beside its place and moves it there when it is on the disk.
pub(super) fn write_whole(path: &Path, octets: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    fs::create_dir_all(folder)?;
    let part = folder.join(format!(".{name}{PART}"));
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        // It takes the room that may be what is missing; that it cannot be removed is no news beside the error.
        let _ = fs::remove_file(&part);
    })
}
