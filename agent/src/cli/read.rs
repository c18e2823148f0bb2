//! `mirrorscope read`: every packet of a capture, as text, as JSON, as a tree, or as a capture without tunnels.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use mirrorscope_core::{
    Decoder, Packet, Record,
    aws::mirror::NameOf,
    sinks::{
        brief::{BriefStyle, Palette},
        detail, json,
        line::Line,
        pcapng::Part,
        tcpdump::{TcpdumpOptions, TcpdumpStyle},
        time::{self, Clock, OffsetAt, Precision, TimeStyle},
    },
};

use super::{aws::files::SourceFiles, input::Input};
use crate::{
    failure::Failure,
    output::{self, Output},
    pipeline::Sink,
    sinks::capture_file::CaptureFile,
    talk::counted,
    timezone,
};

/// Print the packets of a capture, the mirrored packet first
///
/// The tunnels shrink to what tells mirror sessions apart: the VNI, the address of the mirrored interface, and
/// the end of the endpoint's id.
#[derive(ClapArgs, Debug)]
#[command(after_help = "\
Examples:
  mirrorscope read mirror.pcap                       one line a packet
  mirrorscope read --style tcpdump mirror.pcap       what `tcpdump -tttt -nn` prints
  mirrorscope read -c 1 -v -x mirror.pcap            the first packet, every field and octet
  mirrorscope read --json mirror.pcap | jq .tcp      one JSON object a packet
  mirrorscope read -w inner.pcapng mirror.pcap       the mirrored frames, for Wireshark
  mirrorscope read mirror.pcap 'vni 9325541 and tcp port 443 and not host 8.8.8.8'
  tcpdump -i eth0 -U -w - udp port 6081 | mirrorscope read -

Exit status: 0 done, 1 failed, 2 the capture is damaged (packets before the damage were printed).")]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    sources: SourceFiles,

    /// How a packet is printed
    #[arg(long, value_enum, default_value_t, conflicts_with = "json")]
    style: Style,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// Print every field of every layer, with the octets that it covers
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,

    /// Print the octets of the mirrored packet; twice: of the whole record
    #[arg(short = 'x', action = clap::ArgAction::Count, conflicts_with = "json")]
    hex: u8,

    /// Print only the number of packets
    #[arg(long, conflicts_with_all = ["json", "verbose", "hex", "write"])]
    count: bool,

    /// Write the mirrored frames to a pcapng file instead of printing; `-` for standard output
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["json", "verbose", "hex"])]
    write: Option<PathBuf>,

    /// With --write: keep the tunnels
    #[arg(long, requires = "write")]
    outer: bool,

    /// Time: -t none, -tt seconds since 1970, -ttt since the previous packet, -tttt date and time (the
    /// default), -ttttt since the first packet
    #[arg(short = 't', action = clap::ArgAction::Count)]
    time: u8,

    /// Show times in UTC instead of local time
    #[arg(long)]
    utc: bool,

    /// Show times in local time (the default; TZ chooses the zone)
    #[arg(long, conflicts_with = "utc")]
    local: bool,

    /// Show nanoseconds
    #[arg(long)]
    nano: bool,

    /// With --style tcpdump: TCP sequence numbers as they are, not relative to the first
    #[arg(short = 'S', long)]
    absolute_sequence: bool,

    /// With --style tcpdump: the link-layer header as well
    #[arg(short = 'e', long)]
    link_header: bool,

    /// Print the packet's number before its line
    #[arg(short = '#', long = "number")]
    number: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Style {
    /// One line: the mirrored packet, then who mirrored it
    #[default]
    Brief,
    /// What `tcpdump -tttt -nn` prints, tunnels and all
    Tcpdump,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let names = args.sources.names()?;
    let lookup = names.lookup();
    let name_of: NameOf<'_> = &|identity| lookup(identity);
    if let Some(path) = &args.write {
        args.input.refuse_as_output(path)?;
        let part = if args.outer { Part::Record } else { Part::Subject };
        let mut file = CaptureFile::create(path, part, name_of)?;
        return args.input.run(true, &mut file);
    }
    if args.count {
        return count(args);
    }
    if args.json {
        return print(args, |packet, line| json::print(packet, name_of, line));
    }
    match args.style {
        Style::Brief => {
            let palette = if output::is_coloured() { Palette::COLOUR } else { Palette::default() };
            let mut style = BriefStyle::new(args.clock(), palette, name_of).numbered(args.number);
            print(args, |packet, line| style.print(packet, line))
        }
        Style::Tcpdump => {
            let mut style = TcpdumpStyle::new(args.tcpdump_options()?);
            if args.verbose || args.hex > 0 {
                return print(args, |packet, line| style.print(packet, line));
            }
            let mut sink = RecordPrinter { style, output: Output::new() };
            args.input.run(!output::is_terminal(), &mut sink)
        }
    }
}

impl Args {
    fn clock(&self) -> Clock {
        Clock::new(self.time_style(), self.precision(), self.offset_at())
    }

    fn tcpdump_options(&self) -> Result<TcpdumpOptions, Failure> {
        Ok(TcpdumpOptions {
            time: self.time_style(),
            precision: self.precision(),
            offset_at: self.offset_at(),
            number: self.number,
            absolute_sequence: self.absolute_sequence,
            quiet: self.input.quiet,
            link_header: self.link_header,
            decoder: self.input.decoder()?,
        })
    }

    fn precision(&self) -> Precision {
        if self.nano { Precision::Nano } else { Precision::Micro }
    }

    fn offset_at(&self) -> OffsetAt {
        if self.utc { time::utc } else { timezone::local_offset }
    }

    fn time_style(&self) -> TimeStyle {
        TimeStyle::by_count(self.time)
    }
}

fn print(args: &Args, style: impl FnMut(&Packet<'_>, &mut Line)) -> Result<(), Failure> {
    let mut sink = Printer { style, verbose: args.verbose, hex: args.hex, output: Output::new() };
    args.input.run(!output::is_terminal(), &mut sink)
}

/// Prints packets to standard output.
struct Printer<F> {
    style: F,
    verbose: bool,
    hex: u8,
    output: Output,
}

impl<F: FnMut(&Packet<'_>, &mut Line)> Sink for Printer<F> {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        let Self { style, verbose, hex, output } = self;
        output.print(|line| {
            style(packet, line);
            detail::print(packet, *verbose, *hex, line);
        })
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.output.flush()
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.output.flush()
    }
}

/// Prints packets in a style that reads their octets itself.
struct RecordPrinter {
    style: TcpdumpStyle,
    output: Output,
}

impl Sink for RecordPrinter {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        self.output.print(|line| self.style.print(packet, line))
    }

    #[inline]
    fn record(&mut self, _: &Decoder, record: Record<'_>) -> Result<(), Failure> {
        self.output.print(|line| self.style.print_record(&record, line))
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.output.flush()
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.output.flush()
    }
}

fn count(args: &Args) -> Result<(), Failure> {
    let mut counter = Counter { packets: 0 };
    let result = args.input.read(true, &mut counter)?;
    let mut output = Output::new();
    output.print(|line| {
        line.str(&counted(counter.packets, "packet")).byte(b'\n');
    })?;
    output.flush()?;
    result
}

struct Counter {
    packets: u64,
}

impl Sink for Counter {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        // The layers are looked at, so that no compiler can leave their decoding out.
        self.packets += u64::from(std::hint::black_box(packet.stack.layers()).len() < usize::MAX);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
