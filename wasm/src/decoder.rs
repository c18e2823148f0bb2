//! One pass over a capture: octets are pushed in, and columns, text, tables and reports come out.
//!
//! JavaScript writes a chunk to where [`RawDecoder::space`] points, calls [`RawDecoder::commit`], and then
//! [`RawDecoder::step`] until that asks for more octets; each time it says that output is full, the columns and the
//! text are read in place and cleared.

use mirrorscope_core::{
    Decoder, Filter, Packet,
    capture::{CaptureError, CaptureReader},
    stack::Ports,
};
use wasm_bindgen::prelude::wasm_bindgen;

#[cfg(feature = "reports")]
use crate::aws::Learning;
#[cfg(feature = "decode")]
use crate::tables::Tables;
use crate::{
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
    output: Option<Output>,
    #[cfg(feature = "decode")]
    tables: Tables,
    #[cfg(feature = "reports")]
    learning: Learning,
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

    /// Octets of the uncompressed capture read so far.
    pub fn offset(&self) -> f64 {
        self.reader.offset() as f64
    }

    /// What was printed since the last call.
    #[wasm_bindgen(js_name = takeOutput)]
    pub fn take_output(&mut self) -> Vec<u8> {
        let Some(output) = &mut self.work.output else { return Vec::new() };
        let bytes = output.bytes().to_vec();
        output.clear();
        bytes
    }
}

impl RawDecoder {
    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    #[cfg(feature = "decode")]
    pub(crate) fn tables(&self) -> &Tables {
        &self.work.tables
    }

    #[cfg(feature = "decode")]
    pub(crate) fn tables_mut(&mut self) -> &mut Tables {
        &mut self.work.tables
    }

    #[cfg(feature = "reports")]
    pub(crate) fn learning_mut(&mut self) -> &mut Learning {
        &mut self.work.learning
    }
}

impl Work {
    fn is_full(&self) -> bool {
        #[cfg(feature = "decode")]
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
        #[cfg(feature = "decode")]
        self.tables.observe(packet);
        if let Some(output) = &mut self.output {
            output.packet(packet);
        }
        #[cfg(feature = "reports")]
        self.learning.observe(packet);
    }
}

/// Not a part of the loop over packets: what is asked for rarely would make it long in compiling.
#[inline(never)]
fn passes(filter: &Filter, packet: &Packet<'_>) -> bool {
    filter.matches(packet)
}
