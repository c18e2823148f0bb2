//! One pass over a capture: octets are pushed in, and columns, text, sessions and flows come out.
//!
//! JavaScript writes a chunk to where [`RawDecoder::space`] points, calls [`RawDecoder::commit`], and then
//! [`RawDecoder::step`] until that asks for more octets; each time it says that output is full, the columns and the
//! text are read in place and cleared.

use mirrorscope_core::{
    Decoder, Filter, Packet,
    capture::{CaptureError, CaptureReader},
    flow::{
        FlowOptions, FlowTable, Report, SortKey,
        options::{LARGEST_MAX_FLOWS, NEVER_NS},
    },
    sinks::{
        flows,
        line::Line,
        sessions::{self, Sessions},
    },
    stack::Ports,
};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    aws::Learning,
    columns::Columns,
    fault,
    output::{Output, Show},
};

/// Octets that one [`RawDecoder::space`] gives at most.
pub(crate) const MAX_SPACE_LEN: usize = 256 * 1024;

/// Why [`RawDecoder::step`] returned.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// More octets are needed.
    Hungry = 0,
    /// Columns or text are full and must be taken.
    Full = 1,
    /// The capture is at its end, or as many packets as were asked for have been taken.
    Done = 2,
    /// The capture is damaged here: see [`RawDecoder::damage`].
    Damaged = 3,
}

/// A decoder in the middle of a capture.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct RawDecoder {
    reader: CaptureReader,
    decoder: Decoder,
    work: Work,
    damage: Option<CaptureError>,
    finished: bool,
}

/// What is done with each packet.
#[derive(Debug, Default)]
struct Work {
    skip: u64,
    /// Packets still to be taken.
    left: Option<u64>,
    filter: Option<Filter>,
    taken: u64,
    sessions: Sessions,
    columns: Option<Columns>,
    flows: Option<Flows>,
    output: Option<Output>,
    learning: Option<Box<Learning>>,
}

/// Flows under observation, and those that have ended.
#[derive(Debug)]
struct Flows {
    table: FlowTable,
    report: Option<Report>,
    sort: SortKey,
    limit: usize,
}

#[wasm_bindgen]
impl RawDecoder {
    /// A decoder at the beginning of its capture, that counts sessions.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// UDP ports of Geneve and VXLAN; the first eight of each count.
    #[wasm_bindgen(js_name = setPorts)]
    pub fn set_ports(&mut self, geneve: &[u16], vxlan: &[u16]) {
        self.decoder = Decoder { geneve_ports: Ports::new(geneve), vxlan_ports: Ports::new(vxlan) };
    }

    /// Takes only packets that pass `text`; returns what is wrong with it.
    #[wasm_bindgen(js_name = setFilter)]
    pub fn set_filter(&mut self, text: &str) -> Option<String> {
        match Filter::parse(text) {
            Ok(filter) => {
                self.work.filter = Some(filter);
                None
            }
            Err(error) => Some(fault::filter(&error, text)),
        }
    }

    /// Passes over `skip` packets and takes at most `count` of those that the filter lets through.
    #[wasm_bindgen(js_name = setRange)]
    pub fn set_range(&mut self, skip: f64, count: Option<f64>) {
        self.work.skip = skip as u64;
        self.work.left = count.map(|count| count as u64);
    }

    /// Fills columns, `rows` packets a batch.
    #[wasm_bindgen(js_name = setColumns)]
    pub fn set_columns(&mut self, rows: usize) {
        self.work.columns = Some(Columns::new(rows));
    }

    /// Gathers flows. Times are seconds, 0 for never; `sort` is one of core's names. `false` for an unknown one.
    #[wasm_bindgen(js_name = setFlows)]
    #[allow(clippy::too_many_arguments)] // JavaScript names them; see `decoder.ts`.
    pub fn set_flows(
        &mut self,
        max_flows: usize,
        top: Option<usize>,
        tcp_idle_s: f64,
        other_idle_s: f64,
        keep_duplicates: bool,
        sort: &str,
        seed: u64,
    ) -> bool {
        let Some((sort, _)) = SortKey::ALL.iter().find(|(_, name)| *name == sort) else { return false };
        let max_flows = max_flows.clamp(1, LARGEST_MAX_FLOWS);
        let table = FlowTable::new(FlowOptions {
            max_flows,
            tcp_idle_ns: timeout_ns(tcp_idle_s),
            other_idle_ns: timeout_ns(other_idle_s),
            keep_duplicates,
            seed,
            ..FlowOptions::default()
        });
        let limit = top.unwrap_or(max_flows);
        self.work.flows = Some(Flows { table, report: Some(Report::new(*sort, limit)), sort: *sort, limit });
        true
    }

    /// Prints packets as `format`; `false` for an unknown one.
    #[wasm_bindgen(js_name = setOutput)]
    #[allow(clippy::too_many_arguments)]
    pub fn set_output(
        &mut self,
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
        self.work.output = Output::new(format, show, &self.decoder);
        self.work.output.is_some()
    }

    /// Where to write the next `len` octets of the capture: an address in the module's memory. At most 262,144.
    pub fn space(&mut self, len: usize) -> usize {
        self.reader.space(len.min(MAX_SPACE_LEN)).as_ptr().addr()
    }

    /// Says how many octets were written there.
    pub fn commit(&mut self, len: usize) {
        self.reader.commit(len.min(MAX_SPACE_LEN));
    }

    /// Says that no more octets will come.
    pub fn finish(&mut self) {
        self.reader.finish();
        self.finished = true;
    }

    /// Decodes packets until something is to be done.
    pub fn step(&mut self) -> Status {
        if self.damage.is_some() {
            return Status::Damaged;
        }
        loop {
            if self.work.left == Some(0) {
                return Status::Done;
            }
            if self.work.is_full() {
                return Status::Full;
            }
            match self.reader.advance() {
                Ok(true) => self.take(),
                Ok(false) if self.finished => return Status::Done,
                Ok(false) => return Status::Hungry,
                Err(error) => {
                    self.damage = Some(error);
                    return Status::Damaged;
                }
            }
        }
    }

    #[inline]
    fn take(&mut self) {
        let Some(record) = self.reader.record() else { return };
        if record.number > self.work.skip {
            self.work.take(&Packet::decode(&self.decoder, record));
        }
    }

    /// Why the capture could not be read further, as JSON.
    pub fn damage(&self) -> Option<String> {
        self.damage.as_ref().map(fault::capture)
    }

    /// Packets read so far, whether the filter let them through or not.
    pub fn packets(&self) -> f64 {
        self.reader.packets() as f64
    }

    /// Packets taken so far.
    pub fn taken(&self) -> f64 {
        self.work.taken as f64
    }

    /// Octets of the uncompressed capture read so far.
    pub fn offset(&self) -> f64 {
        self.reader.offset() as f64
    }

    /// Rows of the columns.
    pub fn rows(&self) -> usize {
        self.work.columns.as_ref().map_or(0, Columns::rows)
    }

    /// Where the columns lie in the module's memory, in the order of `columns.ts`. They stay there.
    #[wasm_bindgen(js_name = columnAddresses)]
    pub fn column_addresses(&self) -> Vec<u32> {
        self.work.columns.as_ref().map(Columns::addresses).unwrap_or_default()
    }

    /// Empties the columns for the next batch.
    #[wasm_bindgen(js_name = clearColumns)]
    pub fn clear_columns(&mut self) {
        self.work.columns.iter_mut().for_each(Columns::clear);
    }

    /// What was printed since the last call.
    #[wasm_bindgen(js_name = takeOutput)]
    pub fn take_output(&mut self) -> Vec<u8> {
        let Some(output) = &mut self.work.output else { return Vec::new() };
        let bytes = output.bytes().to_vec();
        output.clear();
        bytes
    }

    /// How many sessions were seen.
    #[wasm_bindgen(js_name = sessionCount)]
    pub fn session_count(&self) -> usize {
        self.work.sessions.in_order_seen().len()
    }

    /// The sessions in the order in which they were first seen, which the column `session` counts; JSON lines.
    #[wasm_bindgen(js_name = sessionsSeen)]
    pub fn sessions_seen(&self) -> String {
        self.print_sessions(self.work.sessions.in_order_seen(), sessions::print_json)
    }

    /// The sessions as the native program prints them: as CSV, or else as JSON lines.
    #[wasm_bindgen(js_name = printSessions)]
    pub fn print_all_sessions(&self, csv: bool) -> String {
        let print = if csv { sessions::print_csv } else { sessions::print_json };
        self.print_sessions(&self.work.sessions.rows(), print)
    }

    /// Ends all flows and prints them as the native program does: as CSV, or else as JSON lines.
    #[wasm_bindgen(js_name = printFlows)]
    pub fn print_flows(&mut self, csv: bool) -> String {
        let mut line = Line::default();
        let Some(Flows { table, report, sort, limit }) = &mut self.work.flows else { return String::new() };
        let mut report =
            report.replace(Report::new(*sort, *limit)).unwrap_or_else(|| Report::new(*sort, *limit));
        table.finish(&mut |flow| report.push(flow));
        let learning = self.work.learning.as_deref();
        let name_of = |identity: &_| learning.and_then(|learning| learning.name(identity));
        if csv {
            flows::print_csv_header(&mut line);
        }
        let print = if csv { flows::print_csv } else { flows::print_json };
        report.finish().0.iter().for_each(|flow| print(flow, &name_of, &mut line));
        text(&line)
    }

    /// What the flow table counted, as JSON.
    #[wasm_bindgen(js_name = flowCounters)]
    pub fn flow_counters(&self) -> Option<String> {
        let counters = self.work.flows.as_ref()?.table.counters();
        Some(
            json!({
                "packets": counters.packets, "bytes": counters.bytes, "not_ip": counters.not_ip,
                "duplicates": counters.duplicates, "orphans": counters.orphans, "flows": counters.flows,
                "joined": counters.joined, "evicted": counters.evicted,
            })
            .to_string(),
        )
    }

    /// The interfaces that the capture described so far, as a JSON array.
    pub fn interfaces(&self) -> String {
        let list = self.reader.interfaces().iter().map(|interface| {
            json!({
                "name": interface.name, "description": interface.description, "linkType": interface.link_type.0,
                "snapLen": interface.snap_len,
            })
        });
        serde_json::Value::Array(list.collect()).to_string()
    }
}

impl RawDecoder {
    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.work.sessions
    }

    pub(crate) fn learning_mut(&mut self) -> &mut Learning {
        self.work.learning.get_or_insert_default()
    }

    fn print_sessions(&self, rows: &[Row], print: PrintRows) -> String {
        let learning = self.work.learning.as_deref();
        let name_of = |identity: &_| learning.and_then(|learning| learning.name(identity));
        let mut line = Line::default();
        print(rows, &name_of, &mut line);
        text(&line)
    }
}

type Row = (sessions::Key, sessions::Counters);
type PrintRows = fn(&[Row], mirrorscope_core::aws::mirror::NameOf<'_>, &mut Line);

impl Work {
    fn is_full(&self) -> bool {
        self.columns.as_ref().is_some_and(Columns::is_full)
            || self.output.as_ref().is_some_and(Output::is_full)
    }

    #[inline]
    fn take(&mut self, packet: &Packet<'_>) {
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(packet)) {
            return;
        }
        self.taken += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.sessions.observe(packet);
        if let Some(columns) = &mut self.columns {
            columns.push(packet, self.sessions.last_seen());
        }
        if let Some(Flows { table, report: Some(report), .. }) = &mut self.flows {
            table.observe(packet, &mut |flow| report.push(flow));
        }
        if let Some(output) = &mut self.output {
            output.packet(packet);
        }
        if let Some(learning) = &mut self.learning {
            learn(learning, packet);
        }
    }
}

fn learn(learning: &mut Learning, packet: &Packet<'_>) {
    if let Some(explainer) = &mut learning.explainer {
        explainer.add(packet);
    }
    if let Some((suggester, filter)) = &mut learning.suggester {
        suggester.add(packet, |packet| filter.matches(packet));
    }
}

fn timeout_ns(seconds: f64) -> u64 {
    if seconds <= 0.0 { NEVER_NS } else { (seconds * 1e9) as u64 }
}

fn text(line: &Line) -> String {
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}
