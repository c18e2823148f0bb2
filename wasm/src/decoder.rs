//! One pass over a capture: octets are pushed in, and columns, text, tables and reports come out.
//!
//! JavaScript writes a chunk to where [`RawDecoder::space`] points, calls [`RawDecoder::commit`], and then
//! [`RawDecoder::step`] until that asks for more octets; each time it says that output is full, the columns and the
//! text are read in place and cleared.

use std::fmt::Debug;

use mirrorscope_core::{
    Decoder, Filter, Packet,
    capture::{CaptureError, CaptureReader},
    stack::Ports,
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{fault, output::Output, tables::Tables};

/// Octets that one [`RawDecoder::space`] gives at most.
pub(crate) const MAX_SPACE_LEN: usize = 256 * 1024;

/// Why [`RawDecoder::step`] returned, as `engine.ts` knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Status {
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

/// What learns from packets and tells in the end. Behind a pointer, as printers for people are: so the decoder does
/// not need the parts of the module that few ask for.
pub(crate) trait Learn: Debug {
    fn observe(&mut self, packet: &Packet<'_>);
    fn report(self: Box<Self>) -> JsValue;
}

/// What is done with each packet.
#[derive(Debug, Default)]
struct Work {
    skip: u64,
    /// Packets still to be taken.
    left: Option<u64>,
    filter: Option<Filter>,
    taken: u64,
    output: Option<Output>,
    tables: Tables,
    learner: Option<Box<dyn Learn>>,
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

    /// Prints packets as `format`, for programs to read; `false` for an unknown one. For people, see `text`.
    #[wasm_bindgen(js_name = setOutput)]
    pub fn set_output(&mut self, format: &str) -> bool {
        self.work.output = Output::new(format);
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

    /// Decodes packets until something is to be done, which the number of a [`Status`] tells.
    pub fn step(&mut self) -> u8 {
        self.advance() as u8
    }

    fn advance(&mut self) -> Status {
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
            let mut packet = Packet::undecoded(record);
            packet.decode_in_place(&self.decoder);
            self.work.take(&packet);
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

    /// What was printed since the last call.
    #[wasm_bindgen(js_name = takeOutput)]
    pub fn take_output(&mut self) -> Vec<u8> {
        let Some(output) = &mut self.work.output else { return Vec::new() };
        let bytes = output.bytes().to_vec();
        output.clear();
        bytes
    }

    /// What was learnt, as an object; nothing where it was not asked for.
    #[wasm_bindgen(js_name = takeReport)]
    pub fn take_report(&mut self) -> Option<JsValue> {
        self.work.learner.take().map(Learn::report)
    }
}

impl RawDecoder {
    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.work.tables
    }

    pub(crate) fn tables_mut(&mut self) -> &mut Tables {
        &mut self.work.tables
    }

    /// Prints each packet that is taken.
    pub(crate) fn print_to(&mut self, output: Option<Output>) {
        self.work.output = output;
    }

    /// Shows each packet that is taken to a learner.
    pub(crate) fn learn(&mut self, learner: impl Learn + 'static) {
        self.work.learner = Some(Box::new(learner));
    }
}

impl Work {
    fn is_full(&self) -> bool {
        if self.tables.is_full() {
            return true;
        }
        self.output.as_ref().is_some_and(Output::is_full)
    }

    #[inline]
    fn take(&mut self, packet: &Packet<'_>) {
        if self.filter.as_ref().is_some_and(|filter| !passes(filter, packet)) {
            return;
        }
        self.taken += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.tables.observe(packet);
        if let Some(output) = &mut self.output {
            output.packet(packet);
        }
        if let Some(learner) = &mut self.learner {
            learner.observe(packet);
        }
    }
}

/// Not a part of the loop over packets: what is asked for rarely would make it long in compiling.
#[inline(never)]
fn passes(filter: &Filter, packet: &Packet<'_>) -> bool {
    filter.matches(packet)
}
