//! What packets are printed as: the native program's own sinks, gathered until JavaScript takes them.

use std::fmt::Debug;

use mirrorscope_core::{
    Packet,
    aws::mirror::MirrorIdentity,
    sinks::{
        json,
        line::Line,
        pcapng::{Part, PcapngSink},
    },
};

/// Octets that are gathered before they are handed over.
const GATHER_LEN: usize = 128 * 1024;

/// A printer and what it has printed.
#[derive(Debug)]
pub(crate) struct Output {
    style: Style,
    text: Line,
    blocks: Vec<u8>,
}

/// What a packet becomes.
#[derive(Debug)]
enum Style {
    Json,
    Pcapng(PcapngSink),
    Text(Box<dyn Print>),
}

/// Prints packets for people.
pub(crate) trait Print: Debug {
    fn print(&mut self, packet: &Packet<'_>, text: &mut Line);
}

impl Output {
    /// A printer for programs called `format`; `None` for a name that is not known.
    pub(crate) fn new(format: &str) -> Option<Self> {
        let mut blocks = Vec::new();
        let style = match format {
            "jsonl" => Style::Json,
            "inner-pcapng" => Style::Pcapng(begin(&mut blocks, Part::Subject)),
            "pcapng" => Style::Pcapng(begin(&mut blocks, Part::Record)),
            _ => return None,
        };
        Some(Self { style, text: Line::default(), blocks })
    }

    /// A printer for people, behind what `text` begins with.
    pub(crate) fn of(printer: impl Print + 'static, text: Line) -> Self {
        Self { style: Style::Text(Box::new(printer)), text, blocks: Vec::new() }
    }

    /// Prints a packet. Never a part of the loop over packets: that is compiled again while it runs, and must be small.
    #[inline(never)]
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        let Self { style, text, blocks } = self;
        match style {
            Style::Json => json::print(packet, &no_name, text),
            Style::Pcapng(sink) => sink.packet(packet, &no_name, blocks),
            Style::Text(printer) => printer.print(packet, text),
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

/// What was printed, as JavaScript takes it.
pub(crate) fn text(line: &Line) -> String {
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}

/// JavaScript names sources itself, where AWS JSON gives names.
pub(crate) fn no_name(_: &MirrorIdentity) -> Option<&'static str> {
    None
}

fn begin(blocks: &mut Vec<u8>, part: Part) -> PcapngSink {
    PcapngSink::begin(blocks, part, concat!("mirrorscope ", env!("CARGO_PKG_VERSION")))
}
