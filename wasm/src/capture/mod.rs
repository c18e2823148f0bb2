//! An index of captures: octets are pushed in once, and afterwards packets are found, counted and read again.
//!
//! JavaScript writes chunks to where [`RawCapture::space`] points and calls [`RawCapture::step`], which says which
//! source is to be fed next. Questions that need octets are visits (see [`visit`]): this side says which octets to
//! read, JavaScript reads them, and this side goes on.

mod answers;
mod selections;
mod visit;

use std::{collections::HashMap, rc::Rc};

use mirrorscope_core::{
    Decoder, Packet, Record,
    aws::mirror::MirrorIdentity,
    capture::{CaptureError, CaptureReader},
    flow::{
        FlowOptions,
        options::{LARGEST_MAX_FLOWS, NEVER_NS},
    },
    index::{BYTES_PER_PACKET, Bits, FlowsOptions, Full, Index, IndexOptions},
    sinks::sessions::Key,
    stack::Ports,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault;
use visit::Visit;

/// Octets that one [`RawCapture::space`] gives at most.
const MAX_SPACE_LEN: usize = 4 * 1024 * 1024;
/// Captures that are merged at most.
const MAX_SOURCES: usize = 1024;

/// What [`RawCapture::step`] returns if not the number of the source that is to be fed.
const DONE: i32 = -1;
const FULL: i32 = -2;

/// Octets of the index for each packet.
#[wasm_bindgen(js_name = indexBytesPerPacket)]
pub fn index_bytes_per_packet() -> usize {
    BYTES_PER_PACKET
}

/// An index, and what it is made of while it is made.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawCapture {
    decoder: Decoder,
    options: IndexOptions,
    seed: u64,
    index: Index,
    sources: Vec<Source>,
    full: Option<Full>,
    /// What mirror sources are called.
    names: Vec<(MirrorIdentity, String)>,
    selections: HashMap<u32, Rc<Bits>>,
    visits: HashMap<u32, Visit>,
    /// The last number that a selection or visit got.
    last_id: u32,
    timeline: (Vec<u32>, Vec<f64>),
    followed: Vec<u8>,
}

/// One capture.
#[derive(Debug, Default)]
struct Source {
    reader: CaptureReader,
    /// Whether a record waits for those of other sources before it.
    is_ready: bool,
    is_finished: bool,
    damage: Option<CaptureError>,
}

impl Source {
    fn is_over(&self) -> bool {
        self.damage.is_some() || self.is_finished && !self.is_ready
    }
}

#[wasm_bindgen]
impl RawCapture {
    /// An empty index of at most `max_packets` (0 for no bound), which is a ring of the last ones or else ends there.
    #[wasm_bindgen(constructor)]
    pub fn new(max_packets: f64, is_ring: bool, seed: u64) -> Self {
        let max_packets = if max_packets > 0.0 { max_packets as u64 } else { u64::MAX };
        let options = IndexOptions { max_packets, is_ring, flows: None };
        Self {
            decoder: Decoder::default(),
            index: Index::new(options.clone(), seed),
            options,
            seed,
            sources: Vec::new(),
            full: None,
            names: Vec::new(),
            selections: HashMap::new(),
            visits: HashMap::new(),
            last_id: 0,
            timeline: (Vec::new(), Vec::new()),
            followed: Vec::new(),
        }
    }

    /// UDP ports of Geneve and VXLAN; the first eight of each count.
    #[wasm_bindgen(js_name = setPorts)]
    pub fn set_ports(&mut self, geneve: &[u16], vxlan: &[u16]) {
        self.decoder = Decoder { geneve_ports: Ports::new(geneve), vxlan_ports: Ports::new(vxlan) };
    }

    /// Gathers flows, of which `max_ended` are kept after they ended. Before the first packet. Times are seconds,
    /// 0 for never.
    #[wasm_bindgen(js_name = setFlows)]
    pub fn set_flows(
        &mut self,
        max_flows: usize,
        max_ended: usize,
        tcp_idle_s: f64,
        other_idle_s: f64,
        keep_duplicates: bool,
    ) {
        let table = FlowOptions {
            max_flows: max_flows.clamp(1, LARGEST_MAX_FLOWS),
            tcp_idle_ns: timeout_ns(tcp_idle_s),
            other_idle_ns: timeout_ns(other_idle_s),
            keep_duplicates,
            ..FlowOptions::default()
        };
        self.options.flows = Some(FlowsOptions { table, max_ended });
        self.index = Index::new(self.options.clone(), self.seed);
    }

    /// Calls a mirror session by a name; its number is that in the order in which they were first seen. An empty name
    /// is none.
    #[wasm_bindgen(js_name = setName)]
    pub fn set_name(&mut self, session: usize, name: &str) {
        let row = self.index.sessions().in_order_seen().get(session);
        let Some((Key::Mirrored(identity), _)) = row else { return };
        let identity = *identity;
        self.names.retain(|(known, _)| *known != identity);
        if !name.is_empty() {
            self.names.push((identity, name.to_owned()));
        }
    }

    /// Adds a capture; returns its number, or -1 where there are too many.
    #[wasm_bindgen(js_name = addSource)]
    pub fn add_source(&mut self) -> i32 {
        if self.sources.len() >= MAX_SOURCES {
            return -1;
        }
        self.sources.push(Source::default());
        self.sources.len() as i32 - 1
    }

    /// Where to write the next `len` octets of a source: an address in the module's memory. At most 4 MiB.
    pub fn space(&mut self, source: usize, len: usize) -> usize {
        let Some(source) = self.sources.get_mut(source) else { return 0 };
        source.reader.space(len.min(MAX_SPACE_LEN)).as_ptr().addr()
    }

    /// Says how many octets were written there.
    pub fn commit(&mut self, source: usize, len: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.reader.commit(len.min(MAX_SPACE_LEN));
        }
    }

    /// Says that no more octets of a source will come.
    pub fn finish(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.reader.finish();
            source.is_finished = true;
        }
    }

    /// Takes packets until a source has to be fed, whose number is returned; -1 when all are at their end or damaged,
    /// -2 when the index is full.
    pub fn step(&mut self) -> i32 {
        let status = if self.sources.len() == 1 { self.step_one() } else { self.step_merged() };
        if status == DONE && !self.options.is_ring {
            self.index.finish();
        }
        status
    }

    fn step_one(&mut self) -> i32 {
        let Self { sources, index, decoder, full, .. } = self;
        let Some(source) = sources.first_mut() else { return DONE };
        if source.damage.is_some() {
            return DONE;
        }
        loop {
            match source.reader.advance() {
                Ok(true) => {
                    let Some(record) = source.reader.record() else { return DONE };
                    if let Err(why) = take(index, decoder, 0, record) {
                        *full = Some(why);
                        return FULL;
                    }
                }
                Ok(false) => return if source.is_finished { DONE } else { 0 },
                Err(error) => {
                    source.damage = Some(error);
                    return DONE;
                }
            }
        }
    }

    /// Of several captures the packet that is the earliest comes next, so all must have one.
    fn step_merged(&mut self) -> i32 {
        loop {
            for (number, source) in self.sources.iter_mut().enumerate() {
                if source.is_ready || source.damage.is_some() {
                    continue;
                }
                match source.reader.advance() {
                    Ok(true) => source.is_ready = true,
                    Ok(false) if source.is_finished => {}
                    Ok(false) => return number as i32,
                    Err(error) => source.damage = Some(error),
                }
            }
            let Some(number) = self.earliest() else { return DONE };
            let Some(source) = self.sources.get_mut(number) else { return DONE };
            source.is_ready = false;
            let Some(record) = source.reader.record() else { return DONE };
            if let Err(why) = take(&mut self.index, &self.decoder, number as u16, record) {
                self.full = Some(why);
                return FULL;
            }
        }
    }

    fn earliest(&self) -> Option<usize> {
        let ready = self.sources.iter().enumerate().filter(|(_, source)| source.is_ready);
        let times = ready.filter_map(|(number, source)| Some((source.reader.record()?.timestamp_ns, number)));
        times.min().map(|(_, number)| number)
    }

    /// Why a source could not be read further, as JSON.
    pub fn damage(&self, source: usize) -> Option<String> {
        self.sources.get(source)?.damage.as_ref().map(fault::capture)
    }

    /// Whether a source is at its end or damaged.
    #[wasm_bindgen(js_name = isOver)]
    pub fn is_over(&self, source: usize) -> bool {
        self.sources.get(source).is_none_or(Source::is_over)
    }

    /// Why no more packets were taken, as a word, where that is not the end of the sources.
    pub fn full(&self) -> Option<String> {
        let word = match self.full? {
            Full::Memory => "memory",
            Full::Packets => "packets",
            Full::Origins => "interfaces",
        };
        Some(word.to_owned())
    }

    /// Packets so far, those that were forgotten included.
    pub fn end(&self) -> f64 {
        self.index.end() as f64
    }

    /// The first packet that is there.
    pub fn first(&self) -> f64 {
        self.index.first() as f64
    }

    /// Octets that the index takes, flows apart.
    #[wasm_bindgen(js_name = memoryLen)]
    pub fn memory_len(&self) -> f64 {
        self.index.memory_len() as f64
    }

    /// The octet of a source before which nothing will be read again.
    #[wasm_bindgen(js_name = firstOffset)]
    pub fn first_offset(&self) -> f64 {
        self.index.row(self.index.first()).map_or(0.0, |row| row.offset as f64)
    }
}

impl RawCapture {
    fn new_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }
}

/// Decodes a record into the index: the hot path, once in the module.
#[inline(never)]
fn take(index: &mut Index, decoder: &Decoder, source: u16, record: Record<'_>) -> Result<(), Full> {
    let mut packet = Packet::undecoded(record);
    packet.decode_in_place(decoder);
    index.push(source, &packet)
}

/// Decodes a record that is read again.
#[inline(never)]
fn decoded<'a>(decoder: &Decoder, record: Record<'a>) -> Packet<'a> {
    Packet::decode(decoder, record)
}

fn timeout_ns(seconds: f64) -> u64 {
    if seconds <= 0.0 { NEVER_NS } else { (seconds * 1e9) as u64 }
}
