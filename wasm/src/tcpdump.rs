//! Packets as tcpdump prints them.

use mirrorscope_core::{
    Packet,
    sinks::{
        line::Line,
        tcpdump::{TcpdumpOptions, TcpdumpStyle},
    },
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    decoder::RawDecoder,
    output::{Output, Print},
    text::Show,
};

/// Prints the packets that a decoder takes.
#[wasm_bindgen(js_name = setTcpdump)]
#[allow(clippy::too_many_arguments)] // JavaScript names them; see `text.ts`.
pub fn set_tcpdump(
    raw: &mut RawDecoder,
    time: u8,
    nano: bool,
    local: bool,
    colour: bool,
    number: bool,
    verbose: bool,
    hex: u8,
) {
    let show = Show { time, nano, local, colour, number, verbose, hex };
    let options = TcpdumpOptions {
        time: show.time_style(),
        precision: show.precision(),
        offset_at: show.offset_at(),
        number,
        decoder: raw.decoder().clone(),
        ..TcpdumpOptions::default()
    };
    let printer = Tcpdump { style: TcpdumpStyle::new(options), show };
    raw.print_to(Some(Output::of(printer, Line::default())));
}

/// A style with what is shown beneath each packet.
#[derive(Debug)]
struct Tcpdump {
    style: TcpdumpStyle,
    show: Show,
}

impl Print for Tcpdump {
    fn print(&mut self, packet: &Packet<'_>, text: &mut Line) {
        self.style.print(packet, text);
        self.show.details(packet, text);
    }
}
