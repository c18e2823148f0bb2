//! Packets whose octets are read again, in the order of the capture, window by window.
//!
//! [`RawCapture::plan`] says which octets of which source the next packets need; JavaScript may read them for one
//! window while another is worked on. [`RawCapture::run`] decodes the packets of the oldest window that was planned
//! and does with them what the visit is for.

use std::{collections::VecDeque, rc::Rc};

use mirrorscope_core::{
    Record,
    filter::Filter,
    index::{Bits, BitsBuilder, Follow, Row, Side, flag},
    sinks::{json, line::Line},
};
use wasm_bindgen::prelude::wasm_bindgen;

use super::{RawCapture, answers::object, decoded};
use crate::{
    output::Output,
    text::{Show, printer},
};

/// Octets of a window at most, but for a single packet.
const WINDOW_LEN: u64 = 1024 * 1024;
/// Packets of a window at most.
const WINDOW_PACKETS: usize = 8192;
/// Octets that nobody asked for and that are read nevertheless, rather than to read twice.
const GAP_LEN: u64 = 16 * 1024;

/// Pieces of a window at most: each is read by itself.
const MAX_RANGES: usize = 128;
/// Pieces among which a packet's is looked for: captures that are merged take turns.
const MAX_SEARCHED: usize = 16;

/// A visit under way.
#[derive(Debug)]
pub(super) struct Visit {
    /// The packets; all up to `end` where there are none.
    bits: Option<Rc<Bits>>,
    next: u64,
    end: u64,
    /// Packets still to be planned.
    left: u64,
    windows: VecDeque<Window>,
    octets: Vec<u8>,
    purpose: Purpose,
}

/// What is done with the packets.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Those that pass are added to a selection.
    Match {
        filter: Box<Filter>,
        found: BitsBuilder,
        selection: u32,
    },
    Print(Box<Output>),
    Rows {
        line: Line,
        count: u32,
    },
    Follow(Box<Follow>),
}

/// Packets that are read together.
#[derive(Debug, Default)]
struct Window {
    ranges: Vec<Range>,
    packets: Vec<Place>,
    len: u64,
}

/// Octets of one source.
#[derive(Clone, Copy, Debug)]
struct Range {
    source: u16,
    offset: u64,
    end: u64,
}

/// A packet within a range.
#[derive(Clone, Copy, Debug)]
struct Place {
    packet: u64,
    range: usize,
    at: u64,
    len: u32,
}

impl Visit {
    /// Of the packets of a selection.
    pub(super) fn of_bits(bits: Rc<Bits>, purpose: Purpose) -> Self {
        let (end, left) = (bits.end(), bits.count());
        Self { bits: Some(bits), next: 0, end, left, windows: VecDeque::new(), octets: Vec::new(), purpose }
    }

    fn next_packet(&mut self) -> Option<u64> {
        if self.left == 0 {
            return None;
        }
        let packet = match &self.bits {
            Some(bits) => bits.iter_from(self.next).next()?,
            None => Some(self.next).filter(|packet| *packet < self.end)?,
        };
        self.left -= 1;
        self.next = packet + 1;
        Some(packet)
    }
}

impl Window {
    /// Adds a packet; `false` where it does not fit.
    fn add(&mut self, packet: u64, row: &Row, source: u16) -> bool {
        let (offset, end) = (row.offset, row.offset + u64::from(row.captured_len));
        let is_near =
            |range: &Range| range.source == source && range.offset <= offset && offset <= range.end + GAP_LEN;
        let recent = self.ranges.len().saturating_sub(MAX_SEARCHED);
        let near = self.ranges.iter().skip(recent).position(is_near).map(|place| recent + place);
        let more = match near.and_then(|range| self.ranges.get(range)) {
            Some(range) => end.saturating_sub(range.end),
            None => end - offset,
        };
        let is_first = self.packets.is_empty();
        let is_full = self.len + more > WINDOW_LEN
            || self.packets.len() >= WINDOW_PACKETS
            || near.is_none() && self.ranges.len() >= MAX_RANGES;
        if !is_first && is_full {
            return false;
        }
        self.len += more;
        let range = near.unwrap_or(self.ranges.len());
        match self.ranges.get_mut(range) {
            Some(known) => known.end = known.end.max(end),
            None => self.ranges.push(Range { source, offset, end }),
        }
        let begin = self.ranges.get(range).map_or(offset, |range| range.offset);
        self.packets.push(Place { packet, range, at: offset - begin, len: row.captured_len });
        true
    }
}

#[wasm_bindgen]
impl RawCapture {
    /// Begins to print packets of a selection (0: all) as `format`; `undefined` for an unknown one.
    #[wasm_bindgen(js_name = visitPrint)]
    pub fn visit_print(&mut self, selection: u32, format: &str, nano: bool) -> Option<u32> {
        let show = Show { time: 4, nano, ..Show::default() };
        let output = printer(format, show)?;
        let visit = self.visit(selection, Purpose::Print(Box::new(output)));
        Some(self.begin(visit))
    }

    /// Begins to read `count` rows of the packet table from place `from` of a selection on.
    #[wasm_bindgen(js_name = visitRows)]
    pub fn visit_rows(&mut self, selection: u32, from: f64, count: u32) -> u32 {
        let mut visit = self.visit(selection, Purpose::Rows { line: Line::default(), count: 0 });
        match self.packet_at(selection, from as u64) {
            Some(packet) => (visit.next, visit.left) = (packet, visit.left.min(count.into())),
            None => visit.left = 0,
        }
        self.begin(visit)
    }

    /// Begins to follow a flow; `undefined` where there is none.
    #[wasm_bindgen(js_name = visitFollow)]
    pub fn visit_follow(&mut self, flow: u32, limit: usize) -> Option<u32> {
        let record = self.index.flows()?.find(flow)?;
        let packets = Rc::new(self.index.packets_of(flow));
        let visit = Visit::of_bits(packets, Purpose::Follow(Box::new(Follow::new(&record, limit))));
        Some(self.begin(visit))
    }

    /// The octets of the next window: source, offset and length, one after another; empty when all was planned.
    pub fn plan(&mut self, visit: u32) -> Vec<f64> {
        let Some(mut visit_) = self.visits.remove(&visit) else { return Vec::new() };
        let window = self.window(&mut visit_);
        let plan = window.ranges.iter().flat_map(|range| {
            [f64::from(range.source), range.offset as f64, (range.end - range.offset) as f64]
        });
        let plan = plan.collect();
        if !window.packets.is_empty() {
            visit_.windows.push_back(window);
        }
        self.visits.insert(visit, visit_);
        plan
    }

    /// Where to write the `len` octets of the oldest window, range after range: an address in the module's memory.
    #[wasm_bindgen(js_name = windowSpace)]
    pub fn window_space(&mut self, visit: u32, len: usize) -> usize {
        let Some(visit) = self.visits.get_mut(&visit) else { return 0 };
        visit.octets.clear();
        visit.octets.resize(len.min(MAX_WINDOW_LEN), 0);
        visit.octets.as_ptr().addr()
    }

    /// Works on the oldest window, whose octets were written; returns its number of packets.
    pub fn run(&mut self, visit: u32) -> usize {
        let Some(mut visit_) = self.visits.remove(&visit) else { return 0 };
        let window = visit_.windows.pop_front().unwrap_or_default();
        let mut starts = Vec::with_capacity(window.ranges.len());
        let mut start = 0;
        for range in &window.ranges {
            starts.push(start);
            start += range.end - range.offset;
        }
        for place in &window.packets {
            let at = (starts.get(place.range).copied().unwrap_or_default() + place.at) as usize;
            let data = visit_.octets.get(at..at + place.len as usize);
            if let (Some(data), Some(row)) = (data, self.index.row(place.packet)) {
                self.work(&mut visit_.purpose, place.packet, &row, data);
            }
        }
        self.visits.insert(visit, visit_);
        window.packets.len()
    }

    /// Whether nothing more would change what a visit finds.
    #[wasm_bindgen(js_name = isSatisfied)]
    pub fn is_satisfied(&self, visit: u32) -> bool {
        match self.visits.get(&visit).map(|visit| &visit.purpose) {
            Some(Purpose::Follow(follow)) => follow.is_full(),
            Some(_) => false,
            None => true,
        }
    }

    /// What was printed since the last call.
    #[wasm_bindgen(js_name = takePrinted)]
    pub fn take_printed(&mut self, visit: u32) -> Vec<u8> {
        let Some(Purpose::Print(output)) = self.visits.get_mut(&visit).map(|visit| &mut visit.purpose) else {
            return Vec::new();
        };
        let octets = output.bytes().to_vec();
        output.clear();
        octets
    }

    /// Ends a visit, whether it was at its end or not; what it found, as JSON.
    #[wasm_bindgen(js_name = endVisit)]
    pub fn end_visit(&mut self, visit: u32) -> Option<String> {
        match self.visits.remove(&visit)?.purpose {
            Purpose::Match { found, selection, .. } => {
                let found = found.finish();
                let bits = self.selections.remove(&selection)?;
                let bits = Rc::unwrap_or_clone(bits).or(&found);
                let count = bits.count();
                self.selections.insert(selection, Rc::new(bits));
                Some(object(|json| {
                    json.uint("count", count);
                }))
            }
            Purpose::Print(_) => None,
            Purpose::Rows { line, .. } => Some(format!("[{}]", String::from_utf8_lossy(line.as_bytes()))),
            Purpose::Follow(follow) => Some(self.followed(*follow)),
        }
    }

    /// The payload of the flow that was followed last, piece after piece.
    #[wasm_bindgen(js_name = takeFollowed)]
    pub fn take_followed(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.followed)
    }
}

/// Octets of a window with what lies between its packets.
const MAX_WINDOW_LEN: usize = 64 * 1024 * 1024;

impl RawCapture {
    pub(super) fn begin(&mut self, visit: Visit) -> u32 {
        let id = self.new_id();
        self.visits.insert(id, visit);
        id
    }

    fn visit(&self, selection: u32, purpose: Purpose) -> Visit {
        match self.bits(selection) {
            Some(bits) => Visit::of_bits(bits, purpose),
            None => {
                let (next, end) = (self.index.first(), self.index.end());
                let left = end - next;
                Visit { bits: None, next, end, left, windows: VecDeque::new(), octets: Vec::new(), purpose }
            }
        }
    }

    fn window(&self, visit: &mut Visit) -> Window {
        let mut window = Window::default();
        loop {
            let before = (visit.next, visit.left);
            let Some(packet) = visit.next_packet() else { return window };
            let Some(row) = self.index.row(packet) else { continue };
            // A copy would say again what was said.
            if matches!(visit.purpose, Purpose::Follow(_)) && row.flags & flag::DUPLICATE != 0 {
                continue;
            }
            let source = self.index.origin_of(&row).map_or(0, |origin| origin.source);
            if !window.add(packet, &row, source) {
                (visit.next, visit.left) = before;
                return window;
            }
        }
    }

    fn work(&self, purpose: &mut Purpose, number: u64, row: &Row, data: &[u8]) {
        let Some(record) = self.record(number, row, data) else { return };
        let packet = decoded(&self.decoder, record);
        match purpose {
            Purpose::Match { filter, found, .. } => {
                if filter.matches(&packet) {
                    found.insert(number);
                }
            }
            Purpose::Print(output) => output.packet(&packet),
            Purpose::Rows { line, count } => {
                if *count > 0 {
                    line.byte(b',');
                }
                *count += 1;
                self.row_json(number, row, Some(&packet), line);
            }
            Purpose::Follow(follow) => follow.packet(&packet, number),
        }
    }

    /// The record of a row, of which these are the octets.
    pub(super) fn record<'a>(&self, number: u64, row: &Row, data: &'a [u8]) -> Option<Record<'a>> {
        let origin = self.index.origin_of(row)?;
        Some(Record {
            number: number + 1,
            timestamp_ns: row.timestamp_ns,
            interface: origin.interface,
            link_type: origin.link_type,
            original_len: row.original_len,
            offset: row.offset,
            data,
        })
    }

    /// JSON about the pieces; their octets are kept to be taken.
    fn followed(&mut self, follow: Follow) -> String {
        let (pieces, truncated) = follow.finish();
        self.followed = pieces.iter().flat_map(|piece| &piece.bytes).copied().collect();
        object(|json| {
            json.bool("truncated", truncated);
            json.array("segments", pieces.iter(), |line, piece| {
                json::object(line, |json| {
                    let is_clients = piece.side == Side::Forward;
                    json.text("direction", if is_clients { "forward" } else { "backward" });
                    json.uint("offset", piece.offset).uint("len", piece.bytes.len() as u64);
                    json.uint("gapLen", piece.gap_len).uint("packet", piece.packet);
                    json.text("timestampNs", &piece.timestamp_ns.to_string());
                });
            });
        })
    }
}
