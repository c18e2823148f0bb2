//! What a pass counts and gathers: columns, sessions and flows.

use mirrorscope_core::{
    Packet,
    flow::{
        FlowOptions, FlowRecord, FlowTable, Report, SortKey,
        options::{LARGEST_MAX_FLOWS, NEVER_NS},
    },
    sinks::{
        flows, json,
        line::Line,
        sessions::{self, Sessions},
    },
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    columns::Columns,
    decoder::RawDecoder,
    output::{no_name, text},
};

/// What is kept of the packets that were taken.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) sessions: Sessions,
    columns: Option<Columns>,
    pub(crate) flows: Option<Flows>,
}

/// Flows under observation, and those that have ended.
#[derive(Debug)]
pub(crate) struct Flows {
    table: FlowTable,
    report: Option<Report>,
    sort: SortKey,
    limit: usize,
}

impl Tables {
    pub(crate) fn is_full(&self) -> bool {
        self.columns.as_ref().is_some_and(Columns::is_full)
    }

    #[inline]
    pub(crate) fn observe(&mut self, packet: &Packet<'_>) {
        self.sessions.observe(packet);
        if let Some(columns) = &mut self.columns {
            columns.push(packet, self.sessions.last_seen());
        }
        if let Some(flows) = &mut self.flows {
            flows.observe(packet);
        }
    }
}

impl Flows {
    /// Not a part of the loop over packets, which must stay small.
    #[inline(never)]
    fn observe(&mut self, packet: &Packet<'_>) {
        if let Self { table, report: Some(report), .. } = self {
            table.observe(packet, &mut |flow| report.push(flow));
        }
    }
}

#[wasm_bindgen]
impl RawDecoder {
    /// Fills columns, `rows` packets a batch.
    #[wasm_bindgen(js_name = setColumns)]
    pub fn set_columns(&mut self, rows: usize) {
        self.tables_mut().columns = Some(Columns::new(rows));
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
        self.tables_mut().flows =
            Some(Flows { table, report: Some(Report::new(*sort, limit)), sort: *sort, limit });
        true
    }

    /// Rows of the columns.
    pub fn rows(&self) -> usize {
        self.tables().columns.as_ref().map_or(0, Columns::rows)
    }

    /// Where the columns lie in the module's memory, in the order of `columns.ts`. They stay there.
    #[wasm_bindgen(js_name = columnAddresses)]
    pub fn column_addresses(&self) -> Vec<u32> {
        self.tables().columns.as_ref().map(Columns::addresses).unwrap_or_default()
    }

    /// Empties the columns for the next batch.
    #[wasm_bindgen(js_name = clearColumns)]
    pub fn clear_columns(&mut self) {
        self.tables_mut().columns.iter_mut().for_each(Columns::clear);
    }

    /// How many sessions were seen.
    #[wasm_bindgen(js_name = sessionCount)]
    pub fn session_count(&self) -> usize {
        self.tables().sessions.in_order_seen().len()
    }

    /// The sessions in the order in which they were first seen, which the column `session` counts; JSON lines.
    #[wasm_bindgen(js_name = sessionsSeen)]
    pub fn sessions_seen(&self) -> String {
        print_sessions(self.tables().sessions.in_order_seen(), sessions::print_json)
    }

    /// The sessions as the native program prints them, as JSON lines.
    #[wasm_bindgen(js_name = printSessions)]
    pub fn print_all_sessions(&self) -> String {
        print_sessions(&self.tables().sessions.rows(), sessions::print_json)
    }

    /// Ends all flows and prints them as the native program does, as JSON lines.
    #[wasm_bindgen(js_name = printFlows)]
    pub fn print_flows(&mut self) -> String {
        let mut line = Line::default();
        self.end_flows().iter().for_each(|flow| flows::print_json(flow, &no_name, &mut line));
        text(&line)
    }

    /// What the flow table counted, as JSON.
    #[wasm_bindgen(js_name = flowCounters)]
    pub fn flow_counters(&self) -> Option<String> {
        let counters = self.tables().flows.as_ref()?.table.counters();
        let mut line = Line::default();
        json::object(&mut line, |json| {
            json.uint("packets", counters.packets).uint("bytes", counters.bytes);
            json.uint("not_ip", counters.not_ip).uint("duplicates", counters.duplicates);
            json.uint("orphans", counters.orphans).uint("flows", counters.flows);
            json.uint("joined", counters.joined).uint("evicted", counters.evicted);
        });
        Some(text(&line))
    }
}

impl RawDecoder {
    pub(crate) fn end_flows(&mut self) -> Vec<FlowRecord> {
        let Some(Flows { table, report, sort, limit }) = &mut self.tables_mut().flows else {
            return Vec::new();
        };
        let mut report =
            report.replace(Report::new(*sort, *limit)).unwrap_or_else(|| Report::new(*sort, *limit));
        table.finish(&mut |flow| report.push(flow));
        report.finish().0
    }
}

pub(crate) type Row = (sessions::Key, sessions::Counters);
pub(crate) type PrintRows = fn(&[Row], mirrorscope_core::aws::mirror::NameOf<'_>, &mut Line);

pub(crate) fn print_sessions(rows: &[Row], print: PrintRows) -> String {
    let mut line = Line::default();
    print(rows, &no_name, &mut line);
    text(&line)
}

fn timeout_ns(seconds: f64) -> u64 {
    if seconds <= 0.0 { NEVER_NS } else { (seconds * 1e9) as u64 }
}
