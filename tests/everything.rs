//! Every decoder, printer, table and writer at once, for tests that give them octets which nobody meant well.
//!
//! Properties, fuzzing and damaged captures all go through here, so what one of them checks all check: nothing
//! panics, JSON is JSON, a line is a line, a written capture reads back.

use std::fs;

use mirrorscope_core::{
    Decoder, Filter, LinkType, Packet, Record,
    aws::{describe, explain::Explainer},
    capture::CaptureReader,
    field::{self, Field},
    flow::{FlowOptions, FlowRecord, FlowTable},
    sinks::{
        brief::{BriefStyle, Palette},
        detail, flows, json,
        line::Line,
        pcapng::{Part, PcapngSink},
        sessions::{self, Sessions},
        tcpdump::{TcpdumpOptions, TcpdumpStyle},
        time::{Clock, Precision, TimeStyle, utc},
    },
    stack::MAX_LAYERS,
};

use crate::fixture;

/// Every link type that a layer reads, and two that none does.
pub const LINK_TYPES: [u16; 12] = [1, 0, 12, 14, 101, 108, 113, 228, 229, 276, 9, 65535];

/// Everything that takes packets, with the state that it keeps between them.
pub struct Everything<'a> {
    decoder: Decoder,
    brief: BriefStyle<'a>,
    tcpdump: [TcpdumpStyle; 2],
    sessions: Sessions,
    flows: FlowTable,
    writers: [(PcapngSink, Vec<u8>); 2],
    explainer: Explainer,
    filter: Filter,
    packets: usize,
}

impl Default for Everything<'_> {
    fn default() -> Self {
        let options = TcpdumpOptions::default();
        let verbose = TcpdumpOptions {
            number: true,
            link_header: true,
            time: TimeStyle::SinceFirst,
            ..options.clone()
        };
        let filters =
            fs::read(fixture("aws/describe-traffic-mirror-filters.json")).expect("the fixture is there");
        let clock = Clock::new(TimeStyle::DateTime, Precision::Nano, utc);
        Self {
            decoder: Decoder::default(),
            brief: BriefStyle::new(clock, Palette::default(), &|_| Some("a \"name\"")).numbered(true),
            tcpdump: [TcpdumpStyle::new(options), TcpdumpStyle::new(verbose)],
            sessions: Sessions::default(),
            flows: FlowTable::new(FlowOptions {
                max_flows: 4,
                duplicate_capacity: 16,
                ..FlowOptions::default()
            }),
            writers: [Part::Subject, Part::Record].map(|part| {
                let mut out = Vec::new();
                (PcapngSink::begin(&mut out, part, "test"), out)
            }),
            explainer: Explainer::new(describe::parse(&filters).expect("the fixture is JSON")),
            filter: Filter::parse("tcp[13] & 2 != 0 or outer (udp port 6081) or vlan or ip6 or less 90")
                .expect("it is a filter"),
            packets: 0,
        }
    }
}

impl Everything<'_> {
    /// Shows it one record.
    ///
    /// # Panics
    /// When something that is said of it is not well-formed.
    pub fn take(&mut self, record: Record<'_>) {
        self.packets += 1;
        let packet = Packet::decode(&self.decoder, record);
        assert_well_formed(&packet);
        let mut line = Line::default();
        self.brief.print(&packet, &mut line);
        assert_is_one_line(line.as_bytes());
        line.clear();
        json::print(&packet, &|_| Some("a \"name\"\n"), &mut line);
        assert_is_one_line(line.as_bytes());
        let value: serde_json::Value = serde_json::from_slice(line.as_bytes()).expect("it is JSON");
        assert_eq!(value["captured_len"], record.data.len());
        for style in &mut self.tcpdump {
            line.clear();
            style.print(&packet, &mut line);
            assert!(line.as_bytes().ends_with(b"\n"));
            assert!(!line.as_bytes().contains(&0x1b), "an escape reaches the terminal");
        }
        line.clear();
        detail::print_tree(&packet, &mut line);
        assert!(!line.as_bytes().contains(&0x1b), "an escape reaches the terminal");
        detail::print_hex(packet.subject_bytes(), &mut line);
        self.sessions.observe(&packet);
        self.explainer.add(&packet);
        let _ = self.filter.matches(&packet);
        for (writer, out) in &mut self.writers {
            writer.packet(&packet, &|_| None, out);
        }
        self.flows.observe(&packet, &mut |flow| assert_prints(&flow));
    }

    /// Ends all that goes over several packets, and compares the sums.
    ///
    /// # Panics
    /// When they do not agree, or when a written capture does not read back.
    pub fn finish(mut self) {
        let mut line = Line::default();
        sessions::print_json(&self.sessions.rows(), &|_| None, &mut line);
        let rows = serde_json::Deserializer::from_slice(line.as_bytes()).into_iter::<serde_json::Value>();
        let packets: u64 = rows.filter_map(|row| row.expect("it is JSON")["packets"].as_u64()).sum();
        assert_eq!(packets, self.packets as u64);
        sessions::print_csv(&self.sessions.rows(), &|_| None, &mut line);
        let _ = self.explainer.finish();
        self.flows.finish(&mut |flow| assert_prints(&flow));
        for (_, capture) in &self.writers {
            assert_eq!(count(capture), self.packets, "a written capture reads back");
        }
    }
}

fn assert_prints(flow: &FlowRecord) {
    let mut line = Line::default();
    flows::print_json(flow, &|_| None, &mut line);
    assert!(serde_json::from_slice::<serde_json::Value>(line.as_bytes()).is_ok());
    flows::print_csv(flow, &|_| None, &mut line);
}

fn assert_is_one_line(text: &[u8]) {
    let text = std::str::from_utf8(text).expect("it is UTF-8");
    assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "{text:?} is not one line");
    let body = text.trim_end_matches('\n');
    assert!(!body.chars().any(char::is_control), "{text:?} holds a control character");
}

/// Layers lie inside the record, one behind the other; fields lie inside the record.
fn assert_well_formed(packet: &Packet<'_>) {
    let len = packet.record.data.len() as u32;
    let layers = packet.stack.layers();
    assert!(layers.len() <= MAX_LAYERS && packet.subject <= layers.len());
    for span in layers {
        assert!(span.offset <= span.payload && span.payload <= len && span.limit <= len, "{span:?}");
        assert!(span.limit <= span.end || span.payload == span.limit, "{span:?}");
    }
    for (outer, inner) in layers.iter().zip(layers.iter().skip(1)) {
        assert!(inner.offset == outer.payload && inner.limit <= outer.limit, "{outer:?} {inner:?}");
    }
    assert!(packet.subject_bytes().len() as u32 <= len);
    let fields: Vec<_> = field::tree(&packet.stack).into_iter().flat_map(|node| node.fields).collect();
    assert_inside(&fields, len);
}

fn assert_inside(fields: &[Field], len: u32) {
    for field in fields {
        assert!(field.offset + field.len <= len, "{field:?}");
        assert_inside(&field.children, len);
    }
}

/// How many packets a capture of ours holds.
fn count(capture: &[u8]) -> usize {
    let mut reader = CaptureReader::new();
    let (mut rest, mut packets) = (capture, 0);
    while !rest.is_empty() {
        rest = reader.push(rest);
        while reader.next().expect("a capture that we wrote").is_some() {
            packets += 1;
        }
    }
    packets
}

/// A record of those octets, the first of its capture.
pub fn record(link_type: u16, original_len: u32, data: &[u8]) -> Record<'_> {
    let link_type = LinkType(link_type);
    Record { number: 1, timestamp_ns: 0, interface: 0, link_type, original_len, offset: 0, data }
}
