//! The options of every command that reads a capture.

use std::path::{Path, PathBuf};

use clap::Args;
use mirrorscope_core::{
    Decoder,
    filter::Filter,
    layers::{geneve, vxlan},
    stack::Ports,
};
use same_file::Handle;

use crate::{
    failure::Failure,
    pipeline::{self, Selection, Sink, Summary},
    progress::Progress,
    sources::{FileSource, STDIN},
    talk::{counted, say},
};

/// Which capture, and how to decode it.
#[derive(Args, Debug)]
pub(crate) struct Input {
    /// Capture to read: pcap or pcapng, also gzip or zstd; `-` for standard input
    pub(crate) file: PathBuf,

    /// Which packets: tcpdump's filter language, on the mirrored packet; also `vni`, `endpoint`, `source`,
    /// `cookie`, `attachment`, `mirrored`, `inline`, `truncated`, and `outer (...)` for the tunnels
    #[arg(value_name = "EXPR")]
    expression: Vec<String>,

    /// Pass over the first N packets
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,

    /// Stop after N packets
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_packets: Option<u64>,

    /// UDP port of Geneve; may be given several times
    #[arg(long, value_name = "PORT", default_values_t = [geneve::UDP_PORT])]
    geneve_port: Vec<u16>,

    /// UDP port of VXLAN; may be given several times
    #[arg(long, value_name = "PORT", default_values_t = [vxlan::UDP_PORT])]
    vxlan_port: Vec<u16>,

    /// No notes and no progress on standard error; `read --style tcpdump` also says less of each packet, as
    /// `tcpdump -q` does
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Accepted for tcpdump's users: names are never looked up
    #[arg(short, action = clap::ArgAction::Count, hide = true)]
    numeric: u8,
}

impl Input {
    /// Reads the capture into `sink`. `may_draw` says that a progress bar would not disturb the output.
    pub(crate) fn run(&self, may_draw: bool, sink: &mut impl Sink) -> Result<(), Failure> {
        self.read(may_draw, sink)?
    }

    /// As [`Input::run`] for commands that print at the end: the outer failure is one before anything was read, with
    /// which there is nothing to print, the inner one came while reading.
    pub(crate) fn read(&self, may_draw: bool, sink: &mut impl Sink) -> Result<Result<(), Failure>, Failure> {
        let decoder = self.decoder()?;
        let selection = Selection { skip: self.skip, filter: self.filter()?, count: self.max_packets };
        let mut source = FileSource::open(&self.file)?;
        let progress = Progress::new(source.progress().total_len, may_draw && !self.quiet);
        let (summary, result) = pipeline::run(&mut source, &decoder, &selection, progress, sink);
        if !self.quiet && result.as_ref().is_ok() {
            self.note(&summary);
        }
        Ok(result)
    }

    /// Refuses to write to the file that is read: it would be lost.
    pub(crate) fn refuse_as_output(&self, output: &Path) -> Result<(), Failure> {
        refuse_as_output(&self.file, output)
    }

    /// Tells this choice of packets from others of the same capture.
    pub(crate) fn choice(&self) -> String {
        let Self { expression, skip, max_packets, geneve_port, vxlan_port, .. } = self;
        format!("{:?}", (expression.join(" "), skip, max_packets, geneve_port, vxlan_port))
    }

    fn filter(&self) -> Result<Option<Filter>, Failure> {
        let text = self.expression.join(" ");
        if text.is_empty() {
            return Ok(None);
        }
        Filter::parse(&text).map(Some).map_err(|error| Failure::filter(&error, &text))
    }

    /// How to decode, by the options.
    pub(crate) fn decoder(&self) -> Result<Decoder, Failure> {
        let most = Ports::MAX;
        for (option, ports) in [("--geneve-port", &self.geneve_port), ("--vxlan-port", &self.vxlan_port)] {
            if ports.len() > most {
                return Err(Failure::new(format_args!(
                    "{option} was given {} times, at most {most} fit",
                    ports.len()
                )));
            }
        }
        Ok(Decoder { geneve_ports: Ports::new(&self.geneve_port), vxlan_ports: Ports::new(&self.vxlan_port) })
    }

    /// What a user might not expect of this capture.
    fn note(&self, summary: &Summary) {
        let decoded = summary.read.saturating_sub(self.skip);
        if summary.read == 0 {
            say!("note: the capture holds no packet");
        } else if decoded == 0 {
            say!("note: --skip {} passed over all of {}", self.skip, counted(summary.read, "packet"));
        } else if !summary.known_link {
            say!("note: no packet could be decoded: the capture's link type is not known");
            say!("  hint: capture on an Ethernet interface, or on `any` (Linux cooked)");
        } else if !summary.tunnelled {
            let packets = counted(decoded, "packet");
            say!("note: neither Geneve nor VXLAN in {packets}: shown as captured");
            say!("  hint: --geneve-port and --vxlan-port set other ports than 6081 and 4789");
        }
    }
}

/// Refuses to write to the capture that is read, which `-` may be too: it would be lost.
pub(crate) fn refuse_as_output(input: &Path, output: &Path) -> Result<(), Failure> {
    if !output.is_file() {
        return Ok(());
    }
    let input = match input.as_os_str() == STDIN {
        true => Handle::stdin(),
        // To open a pipe would wait for its writer.
        false if !input.is_file() => return Ok(()),
        false => Handle::from_path(input),
    };
    match (input, Handle::from_path(output)) {
        (Ok(input), Ok(same)) if input == same => {
            Err(Failure::new(format_args!("{} is the capture that is read", output.display()))
                .hint("choose another name for the output; the input would be lost"))
        }
        _ => Ok(()),
    }
}
