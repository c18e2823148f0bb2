//! What people read or open in a spreadsheet: text and CSV.

use mirrorscope_core::{
    Packet,
    sinks::{
        brief::{BriefStyle, Palette},
        csv, detail, flows,
        line::Line,
        sessions,
        time::{self, Clock, OffsetAt, Precision, TimeStyle},
    },
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    decoder::RawDecoder,
    output::{Output, Print, no_name, text},
    tables::print_sessions,
};

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

/// A printer called `format`, for people or programs; `None` for a name that is not known.
pub(crate) fn printer(format: &str, show: Show) -> Option<Output> {
    let mut text = Line::default();
    let style = match format {
        "csv" => {
            text.str(csv::HEADER);
            Style::Csv
        }
        "text" => Style::Brief(Box::new(show.brief())),
        _ => return Output::new(format),
    };
    Some(Output::of(Text { style, show }, text))
}

/// Prints the packets that a decoder takes as `format`; `false` for an unknown one.
#[wasm_bindgen(js_name = setText)]
#[allow(clippy::too_many_arguments)] // JavaScript names them; see `engine.ts`.
pub fn set_text(
    raw: &mut RawDecoder,
    format: &str,
    time: u8,
    nano: bool,
    local: bool,
    colour: bool,
    number: bool,
    verbose: bool,
    hex: u8,
) -> bool {
    let show = Show { time, nano, local, colour, number, verbose, hex };
    let output = printer(format, show);
    let is_known = output.is_some();
    raw.print_to(output);
    is_known
}

/// The sessions of a decoder as the native program prints them, as CSV.
#[wasm_bindgen(js_name = sessionsCsv)]
pub fn sessions_csv(raw: &RawDecoder) -> String {
    print_sessions(&raw.tables().sessions.rows(), sessions::print_csv)
}

/// Ends all flows of a decoder and prints them as the native program does, as CSV.
#[wasm_bindgen(js_name = flowsCsv)]
pub fn flows_csv(raw: &mut RawDecoder) -> String {
    let ended = raw.end_flows();
    let mut line = Line::default();
    if raw.tables().flows.is_some() {
        flows::print_csv_header(&mut line);
    }
    ended.iter().for_each(|flow| flows::print_csv(flow, &no_name, &mut line));
    text(&line)
}

#[derive(Debug)]
enum Style {
    Csv,
    Brief(Box<BriefStyle<'static>>),
}

/// A style with what is shown beneath each packet.
#[derive(Debug)]
struct Text {
    style: Style,
    show: Show,
}

impl Print for Text {
    fn print(&mut self, packet: &Packet<'_>, text: &mut Line) {
        match &mut self.style {
            Style::Csv => csv::print(packet, text),
            Style::Brief(style) => {
                style.print(packet, text);
                self.show.details(packet, text);
            }
        }
    }
}

impl Show {
    fn brief(self) -> BriefStyle<'static> {
        let clock = Clock::new(self.time_style(), self.precision(), self.offset_at());
        let palette = if self.colour { Palette::COLOUR } else { Palette::default() };
        BriefStyle::new(clock, palette, &no_name).numbered(self.number)
    }

    /// What is shown beneath a packet.
    pub(crate) fn details(self, packet: &Packet<'_>, text: &mut Line) {
        detail::print(packet, self.verbose, self.hex, text);
    }

    pub(crate) fn precision(self) -> Precision {
        if self.nano { Precision::Nano } else { Precision::Micro }
    }

    pub(crate) fn offset_at(self) -> OffsetAt {
        if self.local { local_offset } else { time::utc }
    }

    pub(crate) fn time_style(self) -> TimeStyle {
        TimeStyle::by_count(self.time)
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
