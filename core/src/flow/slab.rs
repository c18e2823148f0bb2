//! Where flows lie: in chunks that never move, so that growing copies nothing and memory is what is counted.

use core::ops::{Index, IndexMut};

use super::entry::Flow;

const CHUNK_LEN: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 8;

/// Flows by slot number. Slots of flows that ended are used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slab {
    chunks: Vec<Vec<Flow>>,
    free: Vec<u32>,
    /// Slots in use and free.
    len: usize,
}

impl Slab {
    /// Flows that are there.
    pub(crate) fn occupied(&self) -> usize {
        self.len - self.free.len()
    }

    /// Slots in use and free.
    pub(crate) fn len(&self) -> u32 {
        self.len as u32
    }

    pub(crate) fn insert(&mut self, flow: Flow) -> u32 {
        if let Some(slot) = self.free.pop() {
            self[slot] = flow;
            return slot;
        }
        let slot = self.len;
        if slot.is_multiple_of(CHUNK_LEN) {
            self.chunks.push(Vec::with_capacity(CHUNK_LEN));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(flow);
        }
        self.len += 1;
        slot as u32
    }

    /// Gives a slot back. It must be in use.
    pub(crate) fn remove(&mut self, slot: u32) {
        self[slot].clear();
        self.free.push(slot);
    }
}

// Slot numbers come from `insert` alone, never from a packet.
impl Index<u32> for Slab {
    type Output = Flow;

    #[inline]
    fn index(&self, slot: u32) -> &Flow {
        &self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize % CHUNK_LEN]
    }
}

impl IndexMut<u32> for Slab {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Flow {
        &mut self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize % CHUNK_LEN]
    }
}
