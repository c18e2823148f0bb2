//! Answers about packets, sessions and flows as JSON; numbers for a chart as arrays.

use mirrorscope_core::{
    Packet,
    aws::mirror::MirrorIdentity,
    flow::{FlowRecord, NameSource, SortKey, service},
    index::{Bits, OTHER_SESSIONS, Overview, Row, SIZE_STEPS, SessionShare, Share, flag},
    layers::ipv4,
    order,
    sinks::{
        brief, flows,
        json::{self, Object},
        line::Line,
        sessions::{self, Counters},
    },
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::{RawCapture, decoded};
use crate::{
    complete::{Values, completions},
    output::text,
    packet,
    text::{Show, printer},
};

/// Addresses that are offered where a filter wants one.
const MAX_COMPLETED_HOSTS: usize = 500;

#[wasm_bindgen]
impl RawCapture {
    /// Where a packet's octets lie: source, offset and length; empty where the packet is not there.
    pub fn place(&self, packet: f64) -> Vec<f64> {
        let Some(row) = self.index.row(packet as u64) else { return Vec::new() };
        let source = self.index.origin_of(&row).map_or(0, |origin| origin.source);
        vec![f64::from(source), row.offset as f64, f64::from(row.captured_len)]
    }

    /// The layer tree of a packet, of which these are the octets.
    pub fn dissect(&self, packet: f64, octets: &[u8]) -> Option<JsValue> {
        let row = self.index.row(packet as u64)?;
        let link_type = self.index.origin_of(&row)?.link_type.0;
        Some(packet::object(&self.decoder, octets, link_type, row.original_len))
    }

    /// What the native program prints of a packet, of which these are the octets.
    #[wasm_bindgen(js_name = printPacket)]
    pub fn print_packet(&self, packet: f64, octets: &[u8], format: &str) -> Option<String> {
        let number = packet as u64;
        let row = self.index.row(number)?;
        let mut output = printer(format, Show { time: 4, ..Show::default() })?;
        self.decoded(number, &row, octets, |packet| output.packet(packet))?;
        Some(String::from_utf8_lossy(output.bytes()).into_owned())
    }

    /// A row of the packet table without what only the octets tell, as JSON.
    #[wasm_bindgen(js_name = bareRow)]
    pub fn bare_row(&self, packet: f64) -> Option<String> {
        let number = packet as u64;
        let row = self.index.row(number)?;
        let mut line = Line::default();
        self.row_json(number, &row, None, &mut line);
        Some(text(&line))
    }

    /// Packets over time; the times, bins and session numbers as JSON. The numbers follow with the two calls below.
    pub fn timeline(
        &mut self,
        bins: usize,
        from_ns: Option<i64>,
        to_ns: Option<i64>,
        selection: u32,
    ) -> String {
        let bits = self.bits(selection);
        let range = match (from_ns, to_ns) {
            (None, None) => None,
            (from, to) => {
                let (first, last) = self.index.span(bits.as_deref()).unwrap_or_default();
                Some((from.unwrap_or(first), to.unwrap_or(last)))
            }
        };
        let timeline = self.index.timeline(bins, range, bits.as_deref());
        self.timeline = (timeline.packets, timeline.bytes);
        object(|json| {
            json.text("startNs", &timeline.start_ns.to_string()).text("endNs", &timeline.end_ns.to_string());
            json.uint("bins", timeline.bins as u64);
            json.array("sessions", timeline.sessions.iter(), |line, session| match *session {
                OTHER_SESSIONS => {
                    line.str("-1");
                }
                session => {
                    line.uint(session);
                }
            });
        })
    }

    /// Packets of the last timeline, line after line.
    #[wasm_bindgen(js_name = timelinePackets)]
    pub fn timeline_packets(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.timeline.0)
    }

    /// Octets of the last timeline, line after line.
    #[wasm_bindgen(js_name = timelineBytes)]
    pub fn timeline_bytes(&mut self) -> Vec<f64> {
        core::mem::take(&mut self.timeline.1)
    }

    /// What is in a selection (0: in all packets), as JSON.
    pub fn overview(&mut self, selection: u32) -> String {
        let bits = self.bits(selection);
        let overview = self.index.overview(bits.as_deref());
        self.overview_json(&overview)
    }

    /// The sessions, in the order in which they were first seen or else as the native program sorts them.
    pub fn sessions(&self, as_seen: bool) -> String {
        let sessions = self.index.sessions();
        let rows = if as_seen { sessions.in_order_seen().to_vec() } else { sessions.rows() };
        let mut line = Line::default();
        sessions::print_json(&rows, &|identity| self.name(identity), &mut line);
        text(&line)
    }

    /// The sessions as the native program prints them, as CSV.
    #[wasm_bindgen(js_name = sessionsCsv)]
    pub fn sessions_csv(&self) -> String {
        let mut line = Line::default();
        sessions::print_csv(&self.index.sessions().rows(), &|identity| self.name(identity), &mut line);
        text(&line)
    }

    /// How many sessions there are.
    #[wasm_bindgen(js_name = sessionCount)]
    pub fn session_count(&self) -> usize {
        self.index.sessions().in_order_seen().len()
    }

    /// Some flows in order, as JSON; `undefined` for an unknown key. With a selection other than 0 only flows that
    /// have a packet in it.
    pub fn flows(
        &mut self,
        sort: &str,
        descending: bool,
        from: usize,
        count: usize,
        selection: u32,
    ) -> Option<String> {
        let (sort, _) = SortKey::ALL.iter().find(|(_, name)| *name == sort)?;
        self.index.settle();
        let chosen = self.bits(selection).map(|bits| self.index.flows_in(&bits));
        let Some(flows) = self.index.flows() else {
            return Some(r#"{"total":0,"leftOut":0,"rows":[]}"#.to_owned());
        };
        let page = flows.page((*sort, descending), (from, count), chosen.as_ref());
        let mut line = Line::default();
        json::object(&mut line, |json| {
            json.uint("total", page.total).uint("leftOut", page.left_out);
            json.array("rows", page.flows.iter(), |line, flow| {
                let start = line.len();
                flows::print_json(flow, &|identity| self.name(identity), line);
                // An id beside what the native program prints: in place of the bracket and line end at the end.
                line.truncate(line.len().max(start + 2) - 2);
                line.str(",\"id\":").uint(flow.number).byte(b'}');
            });
        });
        Some(text(&line))
    }

    /// All flows as the native program prints them, the busiest first: as CSV, or else as JSON lines.
    #[wasm_bindgen(js_name = printFlows)]
    pub fn print_flows(&mut self, csv: bool, selection: u32) -> Vec<u8> {
        self.index.settle();
        let chosen = self.bits(selection).map(|bits| self.index.flows_in(&bits));
        let Some(flows) = self.index.flows() else { return Vec::new() };
        let page = flows.page((SortKey::Bytes, true), (0, usize::MAX), chosen.as_ref());
        let mut line = Line::default();
        if csv {
            flows::print_csv_header(&mut line);
        }
        let print = if csv { flows::print_csv } else { flows::print_json };
        page.flows.iter().for_each(|flow| print(flow, &|identity| self.name(identity), &mut line));
        line.as_bytes().to_vec()
    }

    /// What the flow table counted, as JSON.
    #[wasm_bindgen(js_name = flowCounters)]
    pub fn flow_counters(&mut self) -> Option<String> {
        let counters = self.index.flows()?.counters();
        Some(object(|json| {
            for (name, value) in [
                ("packets", counters.packets),
                ("bytes", counters.bytes),
                ("not_ip", counters.not_ip),
                ("duplicates", counters.duplicates),
                ("orphans", counters.orphans),
                ("flows", counters.flows),
                ("joined", counters.joined),
                ("evicted", counters.evicted),
            ] {
                json.uint(name, value);
            }
        }))
    }

    /// Who talks in a flow, as JSON.
    pub fn talkers(&mut self, flow: u32) -> Option<String> {
        let flow = self.index.flows()?.find(flow)?;
        let end = |end: mirrorscope_core::flow::Endpoint| match (end.port, end.address.is_ipv6()) {
            (0, _) => end.address.to_string(),
            (port, true) => format!("[{}]:{port}", end.address),
            (port, false) => format!("{}:{port}", end.address),
        };
        let protocol = protocol_name(flow.protocol);
        Some(object(|json| {
            json.text("client", &end(flow.client))
                .text("server", &end(flow.server))
                .text("protocol", &protocol);
        }))
    }

    /// What an engineer should know: kind, packets, flows and the number of a selection, as a JSON array.
    pub fn problems(&mut self) -> String {
        self.index.settle();
        let mut list = Vec::new();
        for (kind, bit) in [
            ("truncated", flag::TRUNCATED),
            ("undecodable", flag::UNDECODABLE),
            ("duplicate", flag::DUPLICATE),
            ("fragment", flag::FRAGMENT),
            ("unknown-option", flag::UNKNOWN_OPTION),
            ("clock", flag::CLOCK_BACK),
            ("retransmission", flag::RETRANSMISSION),
        ] {
            let bits = self.index.select_flags(bit);
            self.problem(&mut list, kind, bits, None);
        }
        let is_one_sided = |flow: &FlowRecord| flow.sent.packets == 0 || flow.received.packets == 0;
        let has_loss = |flow: &FlowRecord| flow.total(|direction| direction.gap_bytes) > 0;
        for (kind, flows) in
            [("one-sided", self.index.flows_where(is_one_sided)), ("loss", self.index.flows_where(has_loss))]
        {
            let Some(flows) = flows else { continue };
            let bits = self.index.select_flows(|flow| flows.contains(flow.into()));
            self.problem(&mut list, kind, bits, Some(flows.count()));
        }
        format!("[{}]", list.join(","))
    }

    /// What could be written in a filter at index `cursor`, with values of this capture, as a JSON array.
    pub fn complete(&self, text: &str, cursor: usize) -> String {
        let hosts = self.index.addresses(MAX_COMPLETED_HOSTS);
        completions(text, cursor, &Values::of(self.index.sessions(), hosts))
    }
}

/// A JSON object as text.
pub(super) fn object(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut line = Line::default();
    json::object(&mut line, write);
    text(&line)
}

impl RawCapture {
    /// The name of a mirror source.
    pub(super) fn name(&self, identity: &MirrorIdentity) -> Option<&str> {
        let named = self.names.iter().find(|(known, _)| known == identity);
        named.map(|(_, name)| name.as_str())
    }

    fn decoded(&self, number: u64, row: &Row, data: &[u8], then: impl FnOnce(&Packet<'_>)) -> Option<()> {
        let record = self.record(number, row, data)?;
        then(&decoded(&self.decoder, record));
        Some(())
    }

    pub(super) fn row_json(&self, number: u64, row: &Row, packet: Option<&Packet<'_>>, line: &mut Line) {
        let summary = packet.map(brief::summary);
        json::object(line, |json| {
            json.uint("index", number).uint("number", number + 1);
            json.text("timestampNs", &row.timestamp_ns.to_string());
            json.uint("session", row.session)
                .uint("length", row.subject_len)
                .uint("flags", row.flags & !flag::TCP_FLAGS);
            if let Some(flow) = row.flow {
                json.uint("flow", flow);
            }
            match summary {
                Some(summary) => parts(&summary, json),
                None => self.index_parts(row, json),
            }
        });
    }

    fn index_parts(&self, row: &Row, json: &mut Object<'_>) {
        let talk = self.index.talk(row);
        json.text("protocol", &self.index.protocol(row)).text("info", "");
        if let Some(talk) = talk {
            json.ip("src", talk.src).ip("dst", talk.dst);
            if let Some((src_port, dst_port)) = talk.ports {
                json.uint("srcPort", src_port).uint("dstPort", dst_port);
            }
        }
    }

    fn problem(&mut self, list: &mut Vec<String>, kind: &str, bits: Bits, flows: Option<u64>) {
        if bits.count() == 0 {
            return;
        }
        let (id, count) = self.keep(bits);
        list.push(object(|json| {
            json.text("kind", kind).uint("count", count).uint("id", id);
            if let Some(flows) = flows {
                json.uint("flows", flows);
            }
        }));
    }

    fn overview_json(&self, overview: &Overview) -> String {
        let mut line = Line::default();
        json::object(&mut line, |json| {
            share(overview.total, json);
            let (first, last) = overview.span_ns.unwrap_or_default();
            json.text("firstNs", &first.to_string()).text("lastNs", &last.to_string());
            self.sessions_json(overview, json);
            json.array("protocols", overview.protocols.iter(), |line, (name, of)| {
                json::object(line, |json| share(*of, json.text("name", name)));
            });
            json.array("talkers", overview.talkers.iter(), |line, talker| {
                json::object(line, |json| share(talker.share, json.ip("address", talker.address)));
            });
            json.array("ports", overview.ports.iter(), |line, (port, of)| {
                json::object(line, |json| {
                    json.text("protocol", &protocol_name(port.protocol)).uint("port", port.number);
                    if let Some(service) = service::by_port(port.protocol, port.number) {
                        json.text("service", service);
                    }
                    share(*of, json);
                });
            });
            json.array("hosts", overview.hosts.iter(), |line, (name, source, packets, flows)| {
                json::object(line, |json| {
                    json.text("name", name).text("kind", host_kind(*source));
                    json.uint("packets", *packets).uint("flows", *flows);
                });
            });
            json.array("sizes", SIZE_STEPS.iter().zip(&overview.sizes), |line, (from, of)| {
                json::object(line, |json| share(*of, json.uint("from", *from)));
            });
            for (name, bit) in [
                ("inline", flag::INLINE),
                ("truncated", flag::TRUNCATED),
                ("undecodable", flag::UNDECODABLE),
                ("duplicates", flag::DUPLICATE),
            ] {
                let of = overview.flags.get(bit.trailing_zeros() as usize).copied().unwrap_or_default();
                json.object(name, |json| share(of, json));
            }
        });
        text(&line)
    }

    fn sessions_json(&self, overview: &Overview, json: &mut Object<'_>) {
        let keys = self.index.sessions().in_order_seen().iter().map(|(key, _)| *key);
        let mut rows: Vec<_> =
            keys.zip(&overview.sessions).enumerate().filter(|(_, (_, of))| of.share.packets > 0).collect();
        order::sort_by_key(&mut rows, |(_, (_, of))| core::cmp::Reverse(of.share.packets));
        json.array("sessions", rows.into_iter(), |line, (number, (key, of))| {
            sessions::print_json(&[(key, counters(of))], &|identity| self.name(identity), line);
            // More members in place of the bracket and line end at the end.
            line.truncate(line.len() - 2);
            line.str(",\"index\":").uint(number as u64).str(",\"duplicates\":").uint(of.duplicates);
            line.str(",\"oneSided\":").uint(of.one_sided).str(",\"gapBytes\":").uint(of.gap_bytes).byte(b'}');
        });
    }
}

fn counters(of: &SessionShare) -> Counters {
    let (first_ns, last_ns) = of.span_ns.unwrap_or_default();
    Counters {
        packets: of.share.packets,
        bytes: of.share.bytes,
        first_ns,
        last_ns,
        truncated: of.truncated,
        undecodable: of.undecodable,
    }
}

fn parts(summary: &brief::Summary, json: &mut Object<'_>) {
    json.text("protocol", &summary.protocol).text("info", &summary.info);
    if let Some([(src, src_port), (dst, dst_port)]) = summary.ends {
        json.ip("src", src).ip("dst", dst);
        if let (Some(src_port), Some(dst_port)) = (src_port, dst_port) {
            json.uint("srcPort", src_port).uint("dstPort", dst_port);
        }
    }
}

fn share(share: Share, json: &mut Object<'_>) {
    json.uint("packets", share.packets).uint("bytes", share.bytes);
}

fn protocol_name(number: u8) -> String {
    ipv4::protocol_name(number.into()).map_or_else(|| number.to_string(), str::to_owned)
}

fn host_kind(source: NameSource) -> &'static str {
    match source {
        NameSource::Sni => "tls",
        NameSource::HttpHost => "http",
        NameSource::Dns => "dns",
    }
}
