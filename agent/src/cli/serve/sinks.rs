//! The options that say where packets go, and the sinks that they mean: a row each in [`SinkArgs::sinks`].

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgGroup, Args};
use mirrorscope_core::sinks::pcapng::Part;

use crate::{
    failure::Failure,
    pipeline::Sink,
    sinks::{
        lines::{Lines, Style},
        rotation::{Limits, Rotation},
        runner::{Open, Wanted},
        tap::{Pattern, Taps},
        vxlan::Vxlan,
    },
};

/// Where packets go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sinks")]
pub(super) struct SinkArgs {
    /// Print the packets to this file; `-` for standard output
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,

    /// Write the packets to this file as JSON lines; `-` for standard output
    #[arg(long, value_name = "FILE")]
    json: Vec<PathBuf>,

    /// Write the mirrored frames to this pcapng file, compressed if its name ends in .gz or .zst. A file that is there
    /// already is not replaced: the new one has the time in its name
    #[arg(short, long, value_name = "FILE")]
    write: Vec<PathBuf>,

    /// With --write: keep the tunnels
    #[arg(long)]
    outer: bool,

    /// With --write: begin a new file after that many MiB of packets
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    rotate_size: Option<u64>,

    /// With --write: begin a new file after that many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    rotate_seconds: Option<u64>,

    /// With --write: begin a new file after that many packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rotate_packets: Option<u64>,

    /// With --write and a rotation: keep the last N files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_files: Option<u32>,

    /// With --write: write nothing while less than that is free on the disk, MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(0..=1 << 40))]
    disk_floor: u64,

    /// Let the mirrored frames appear on a TAP device of that name; takes CAP_NET_ADMIN. With `{vni}` or `{session}`
    /// in the name, each mirror session has a device of its own
    #[arg(long, value_name = "NAME", value_parser = Pattern::parse)]
    tap: Vec<Pattern>,

    /// Send the mirrored frames on as VXLAN to this collector; several with commas between share the flows, and
    /// several --vxlan get a copy each
    #[arg(long, value_name = "ADDR:PORT", value_parser = collectors)]
    vxlan: Vec<Collectors>,

    /// Be unhealthy while a sink or a flow log does not work
    #[arg(long)]
    pub(super) require_sinks: bool,
}

/// The options that mean nothing without another one: of files that are written, and of a series of them.
pub(super) fn options_of_files() -> [ArgGroup; 3] {
    let group = |name, options: &[&'static str]| ArgGroup::new(name).args(options).multiple(true);
    let rotations = ["rotate_size", "rotate_seconds", "rotate_packets"];
    [
        group("a series of files", &rotations).requires("write"),
        group("options of files", &["outer", "disk_floor"]).requires("write"),
        group("options of a series", &["keep_files"]).requires("a series of files"),
    ]
}

/// Those who share the flows.
#[derive(Clone, Debug)]
struct Collectors(Vec<SocketAddr>);

fn collectors(text: &str) -> Result<Collectors, String> {
    let address = |word: &str| {
        word.parse().map_err(|_| format!("`{word}` is not an address with a port, such as 10.0.0.9:4789"))
    };
    text.split(',').map(address).collect::<Result<_, _>>().map(Collectors)
}

impl SinkArgs {
    /// The sinks, none of them opened.
    pub(super) fn sinks(&self) -> Vec<Wanted> {
        let mut sinks = Vec::new();
        for (kind, style, paths) in [("text", Style::Brief, &self.text), ("json", Style::Json, &self.json)] {
            sinks.extend(paths.iter().cloned().map(|path| {
                let name = format!("{kind}:{}", path.display());
                Wanted { writes: file(&path), ..Wanted::new(name, open(move || Lines::open(&path, style))) }
            }));
        }
        let part = if self.outer { Part::Record } else { Part::Subject };
        let limits = self.limits();
        sinks.extend(self.write.iter().cloned().map(|path| {
            let name = format!("write:{}", path.display());
            let writes = file(&path);
            Wanted { writes, ..Wanted::new(name, open(move || Rotation::open(&path, part, limits))) }
        }));
        sinks.extend(self.tap.iter().cloned().map(|pattern| {
            let name = format!("tap:{pattern}");
            Wanted { makes_devices: true, ..Wanted::new(name, open(move || Taps::open(&pattern))) }
        }));
        sinks.extend(self.vxlan.iter().map(|Collectors(to)| {
            let to = to.clone();
            let names: Vec<_> = to.iter().map(SocketAddr::to_string).collect();
            Wanted::new(format!("vxlan:{}", names.join(",")), open(move || Vxlan::open(&to)))
        }));
        sinks
    }

    fn limits(&self) -> Limits {
        Limits {
            size_len: self.rotate_size.map(|size| size << 20),
            age: self.rotate_seconds.map(Duration::from_secs),
            packets: self.rotate_packets,
            files: self.keep_files.map(|files| files as usize),
            floor_len: self.disk_floor << 20,
        }
    }

    /// Whether the sinks could be opened, as far as can be told without opening any.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for path in self.text.iter().chain(&self.json).chain(&self.write) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                let message = format!("{}: there is no folder {}", path.display(), folder.display());
                return Err(Failure::new(message).hint("create it, or choose another place"));
            }
            if path.is_dir() {
                return Err(Failure::new(format_args!("{}: this is a directory", path.display()))
                    .hint("give a file name inside it"));
            }
        }
        Ok(())
    }
}

/// `-` is standard output, which is open already.
fn file(path: &Path) -> Option<PathBuf> {
    (path.as_os_str() != "-").then(|| path.to_owned())
}

fn open<S: Sink + 'static>(mut open: impl FnMut() -> Result<S, Failure> + Send + 'static) -> Open {
    Box::new(move || Ok(Box::new(open()?)))
}
