//! Selections by number: made by a filter, a time, a flow; and what of them JavaScript asks.

use std::rc::Rc;

use mirrorscope_core::{
    filter::Filter,
    index::{Bits, BitsBuilder, Judged},
};
use wasm_bindgen::prelude::wasm_bindgen;

use super::{
    RawCapture,
    visit::{Purpose, Visit},
};
use crate::{capture::answers::object, fault};

/// The number that stands for all packets.
pub(super) const ALL: u32 = 0;

#[wasm_bindgen]
impl RawCapture {
    /// Chooses packets by a filter. JSON: `error`; or `id`, `count` and, where octets must be read, the number of the
    /// `visit` to run and how many packets that reads. The count is final when the visit has ended.
    pub fn select(&mut self, text: &str) -> String {
        let filter = match Filter::parse(text) {
            Ok(filter) => filter,
            Err(error) => {
                return object(|json| {
                    json.text("error", &fault::filter(&error, text));
                });
            }
        };
        let Judged { passed, open } = self.index.select(&filter);
        let found = passed.builder();
        let (id, count) = self.keep(passed);
        if open.count() == 0 {
            return selected(id, count);
        }
        let read = open.count();
        let visit =
            Visit::of_bits(Rc::new(open), Purpose::Match { filter: Box::new(filter), found, selection: id });
        let visit = self.begin(visit);
        object(|json| {
            json.uint("id", id).uint("count", count).uint("visit", visit).uint("read", read);
        })
    }

    /// Chooses the packets of a selection (0: of all) between two times, both included; `id` and `count` as JSON.
    #[wasm_bindgen(js_name = selectTime)]
    pub fn select_time(&mut self, from_ns: i64, to_ns: i64, selection: u32) -> String {
        let mut bits = self.index.select_time(from_ns, to_ns);
        if let Some(other) = self.selections.get(&selection) {
            bits = bits.and(other);
        }
        self.kept(bits)
    }

    /// Chooses the packets that are in both selections; `id` and `count` as JSON.
    #[wasm_bindgen(js_name = selectBoth)]
    pub fn select_both(&mut self, one: u32, other: u32) -> String {
        let both = match (self.selections.get(&one), self.selections.get(&other)) {
            (Some(one), Some(other)) => one.and(other),
            _ => Bits::default(),
        };
        self.kept(both)
    }

    /// Chooses the packets of a flow.
    #[wasm_bindgen(js_name = selectFlow)]
    pub fn select_flow(&mut self, flow: u32) -> String {
        self.index.settle();
        let bits = self.index.packets_of(flow);
        self.kept(bits)
    }

    /// Chooses one packet.
    #[wasm_bindgen(js_name = selectPacket)]
    pub fn select_packet(&mut self, packet: f64) -> String {
        let mut bits = BitsBuilder::new(packet as u64);
        bits.insert(packet as u64);
        self.kept(bits.finish())
    }

    /// Forgets a selection.
    pub fn release(&mut self, selection: u32) {
        self.selections.remove(&selection);
    }

    /// Packets of a selection.
    #[wasm_bindgen(js_name = selectionCount)]
    pub fn selection_count(&self, selection: u32) -> f64 {
        self.selections.get(&selection).map_or(0.0, |bits| bits.count() as f64)
    }

    /// The packet at a place of a selection; -1 where there is none.
    pub fn nth(&self, selection: u32, nth: f64) -> f64 {
        self.packet_at(selection, nth as u64).map_or(-1.0, |packet| packet as f64)
    }

    /// The place of a packet in a selection, or of the next one that is in it.
    pub fn rank(&self, selection: u32, packet: f64) -> f64 {
        match self.selections.get(&selection) {
            Some(bits) => bits.rank(packet as u64) as f64,
            None => packet - self.index.first() as f64,
        }
    }
}

impl RawCapture {
    /// Keeps a selection; its number and count.
    pub(super) fn keep(&mut self, bits: Bits) -> (u32, u64) {
        let (id, count) = (self.new_id(), bits.count());
        self.selections.insert(id, Rc::new(bits));
        (id, count)
    }

    fn kept(&mut self, bits: Bits) -> String {
        let (id, count) = self.keep(bits);
        selected(id, count)
    }

    /// The packets of a selection; `None` for all.
    pub(super) fn bits(&self, selection: u32) -> Option<Rc<Bits>> {
        self.selections.get(&selection).cloned()
    }

    /// The packet that has `nth` packets of the selection before it.
    pub(super) fn packet_at(&self, selection: u32, nth: u64) -> Option<u64> {
        match self.selections.get(&selection) {
            Some(bits) => bits.nth(nth),
            None if selection == ALL => {
                Some(self.index.first() + nth).filter(|packet| *packet < self.index.end())
            }
            None => None,
        }
    }
}

fn selected(id: u32, count: u64) -> String {
    object(|json| {
        json.uint("id", id).uint("count", count).uint("read", 0u64);
    })
}
