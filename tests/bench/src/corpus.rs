//! The captures that everything is measured on: made by `mirrorscope send`, the same octets for the same seed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::measure;

/// A capture to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Corpus {
    /// What it is called in the tables.
    pub(crate) name: &'static str,
    pub(crate) packets: u64,
    pub(crate) flows: u64,
    pub(crate) sessions: u64,
    /// The smallest packets instead of an Internet mix.
    pub(crate) small: bool,
}

/// The Internet mix: packets of all sizes, about 490 octets with the tunnels.
pub(crate) const IMIX: Corpus =
    Corpus { name: "imix", packets: 1_000_000, flows: 20_000, sessions: 16, small: false };
/// The smallest packets, where the cost of a packet shows most.
pub(crate) const SMALL: Corpus = Corpus { name: "small", small: true, ..IMIX };
/// As much of the mix as the slowest peers can be asked to read.
pub(crate) const TINY: Corpus = Corpus { name: "imix-tiny", packets: 20_000, flows: 400, ..IMIX };
/// As much as slow ones can.
pub(crate) const SHORT: Corpus = Corpus { name: "imix-short", packets: 100_000, flows: 2_000, ..IMIX };
/// Ten times the mix.
pub(crate) const LONG: Corpus = Corpus { name: "imix-long", packets: 10_000_000, flows: 200_000, ..IMIX };

impl Corpus {
    /// The capture's file below `dir`, made by `program` if it is not there yet.
    pub(crate) fn make(&self, program: &Path, dir: &Path) -> io::Result<PathBuf> {
        let file = dir.join(format!("{}-{}-{}-{}.pcap", self.name, self.packets, self.flows, self.sessions));
        if file.is_file() {
            return Ok(file);
        }
        fs::create_dir_all(dir)?;
        let unfinished = file.with_extension("unfinished.pcap");
        let mut words: Vec<String> = vec![program.display().to_string()];
        words.extend(["send", "--generate", "--quiet", "--seed", "1"].map(str::to_owned));
        for (option, number) in
            [("--packets", self.packets), ("--flows", self.flows), ("--sessions", self.sessions)]
        {
            words.extend([option.to_owned(), number.to_string()]);
        }
        if self.small {
            words.push("--small".to_owned());
        }
        words.extend(["-w".to_owned(), unfinished.display().to_string()]);
        eprintln!("making {}", file.display());
        measure::run(&words)?;
        fs::rename(&unfinished, &file)?;
        Ok(file)
    }
}
