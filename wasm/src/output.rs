//! What packets are printed as: the native program's own sinks, gathered until JavaScript takes them.

#[cfg(any(feature = "capture", feature = "reports"))]
use mirrorscope_core::sinks::detail;
#[cfg(feature = "reports")]
use mirrorscope_core::sinks::tcpdump::{TcpdumpOptions, TcpdumpStyle};
#[cfg(feature = "capture")]
use mirrorscope_core::sinks::{
    brief::{BriefStyle, Palette},
    csv,
    time::Clock,
};
use mirrorscope_core::{
    Decoder, Packet,
    sinks::{
        line::Line,
        time::{self, OffsetAt, Precision, TimeStyle},
    },
};
#[cfg(feature = "decode")]
use mirrorscope_core::{
    aws::mirror::MirrorIdentity,
    sinks::{
        json,
        pcapng::{Part, PcapngSink},
    },
};

use wasm_bindgen::prelude::wasm_bindgen;

/// Octets that are gathered before they are handed over.
const GATHER_LEN: usize = 128 * 1024;

/// A printer and what it has printed.
#[derive(Debug)]
pub(crate) struct Output {
    style: Style,
    verbose: bool,
    hex: u8,
    text: Line,
    blocks: Vec<u8>,
}

/// What a packet becomes.
#[derive(Debug)]
enum Style {
    #[cfg(feature = "decode")]
    Json,
    #[cfg(feature = "capture")]
    Csv,
    #[cfg(feature = "capture")]
    Brief(Box<BriefStyle<'static>>),
    #[cfg(feature = "decode")]
    Pcapng(PcapngSink),
    #[cfg(feature = "reports")]
    Tcpdump(Box<TcpdumpStyle>),
}

/// How times and packets are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Show {
    /// tcpdump's number of `-t`.
    pub(crate) time: u8,
    pub(crate) nano: bool,
    pub(crate) local: bool,
    pub(crate) colour: bool,
    pub(crate) number: bool,
    pub(crate) verbose: bool,
    pub(crate) hex: u8,
}

impl Output {
    /// A printer called `format`; `None` for a name that is not known.
    pub(crate) fn new(format: &str, show: Show, decoder: &Decoder) -> Option<Self> {
        let (mut text, mut blocks) = (Line::default(), Vec::new());
        let style = Style::new(format, show, decoder, (&mut text, &mut blocks))?;
        Some(Self { style, verbose: show.verbose, hex: show.hex, text, blocks })
    }

    /// Prints a packet. Never a part of the loop over packets: that is compiled again while it runs, and must be small.
    #[inline(never)]
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        let Self { style, text, blocks, .. } = self;
        match style {
            #[cfg(feature = "decode")]
            Style::Json => json::print(packet, &no_name, text),
            #[cfg(feature = "capture")]
            Style::Csv => csv::print(packet, text),
            #[cfg(feature = "decode")]
            Style::Pcapng(sink) => sink.packet(packet, &no_name, blocks),
            #[cfg(feature = "capture")]
            Style::Brief(style) => {
                style.print(packet, text);
                self.details(packet);
            }
            #[cfg(feature = "reports")]
            Style::Tcpdump(style) => {
                style.print(packet, text);
                self.details(packet);
            }
        }
    }

    #[cfg(any(feature = "capture", feature = "reports"))]
    fn details(&mut self, packet: &Packet<'_>) {
        if self.verbose {
            detail::print_tree(packet, &mut self.text);
        }
        match self.hex {
            0 => {}
            1 => detail::print_hex(packet.subject_bytes(), &mut self.text),
            _ => detail::print_hex(packet.record.data, &mut self.text),
        }
    }

    /// What was printed and not taken yet: only one of the two buffers is ever used.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.text.is_empty() { &self.blocks } else { self.text.as_bytes() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes().len() >= GATHER_LEN
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.blocks.clear();
    }
}

impl Style {
    /// A style, with what stands before the first packet written into text or blocks.
    fn new(
        format: &str,
        show: Show,
        decoder: &Decoder,
        (text, blocks): (&mut Line, &mut Vec<u8>),
    ) -> Option<Self> {
        Some(match format {
            #[cfg(feature = "decode")]
            "jsonl" => Self::Json,
            #[cfg(feature = "capture")]
            "csv" => {
                text.str(csv::HEADER);
                Self::Csv
            }
            #[cfg(feature = "capture")]
            "text" => Self::Brief(Box::new(show.brief())),
            #[cfg(feature = "decode")]
            "inner-pcapng" => Self::Pcapng(begin(blocks, Part::Subject)),
            #[cfg(feature = "decode")]
            "pcapng" => Self::Pcapng(begin(blocks, Part::Record)),
            #[cfg(feature = "reports")]
            "tcpdump" => Self::Tcpdump(Box::new(TcpdumpStyle::new(show.tcpdump(decoder)))),
            _ => return None,
        })
    }
}

/// What was printed, as JavaScript takes it.
pub(crate) fn text(line: &Line) -> String {
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}

/// JavaScript names sources itself, where AWS JSON gives names.
#[cfg(feature = "decode")]
pub(crate) fn no_name(_: &MirrorIdentity) -> Option<&'static str> {
    None
}

#[cfg(feature = "decode")]
fn begin(blocks: &mut Vec<u8>, part: Part) -> PcapngSink {
    PcapngSink::begin(blocks, part, concat!("mirrorscope ", env!("CARGO_PKG_VERSION")))
}

impl Show {
    #[cfg(feature = "capture")]
    fn brief(self) -> BriefStyle<'static> {
        let clock = Clock::new(self.time_style(), self.precision(), self.offset_at());
        let palette = if self.colour { Palette::COLOUR } else { Palette::default() };
        BriefStyle::new(clock, palette, &no_name).numbered(self.number)
    }

    #[cfg(feature = "reports")]
    fn tcpdump(self, decoder: &Decoder) -> TcpdumpOptions {
        TcpdumpOptions {
            time: self.time_style(),
            precision: self.precision(),
            offset_at: self.offset_at(),
            number: self.number,
            decoder: decoder.clone(),
            ..TcpdumpOptions::default()
        }
    }

    fn precision(self) -> Precision {
        if self.nano { Precision::Nano } else { Precision::Micro }
    }

    fn offset_at(self) -> OffsetAt {
        if self.local { local_offset } else { time::utc }
    }

    fn time_style(self) -> TimeStyle {
        match self.time {
            0 | 4 => TimeStyle::DateTime,
            1 => TimeStyle::None,
            2 => TimeStyle::Epoch,
            3 => TimeStyle::SincePrevious,
            _ => TimeStyle::SinceFirst,
        }
    }
}

/// Seconds east of Greenwich at `second`, as JavaScript knows them.
fn local_offset(second: i64) -> i32 {
    (-Date::new(second as f64 * 1000.0).minutes_west() * 60.0) as i32
}

#[wasm_bindgen]
extern "C" {
    type Date;

    #[wasm_bindgen(constructor)]
    fn new(ms: f64) -> Date;

    #[wasm_bindgen(method, js_name = getTimezoneOffset)]
    fn minutes_west(this: &Date) -> f64;
}
