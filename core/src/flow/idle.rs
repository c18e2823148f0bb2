//! Which flow was seen least recently: lists threaded through the slab, one for each idle timeout.
//!
//! A flow moves to the end of its list at most once a second, not with every packet, so that
//! the order costs next to nothing and is true to a second.

use super::slab::Slab;

/// How exact the order of a list is: units of 2^30 ns, 1.07 s.
const UNIT_BITS: u32 = 30;
const NOWHERE: u32 = u32::MAX;

/// Which timeout ends a flow, and so which list it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    /// TCP connections.
    Tcp = 0,
    /// Everything that is not TCP.
    #[default]
    Other = 1,
    /// TCP connections that have come to their end.
    Closed = 2,
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Other, Self::Closed];
}

/// The slots of a flow's neighbours in its list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours {
    before: u32,
    behind: u32,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { before: NOWHERE, behind: NOWHERE }
    }
}

/// The lists of all classes.
#[derive(Clone, Debug)]
pub(crate) struct Idle {
    lists: [(u32, u32); 3],
}

impl Default for Idle {
    fn default() -> Self {
        Self { lists: [(NOWHERE, NOWHERE); 3] }
    }
}

impl Idle {
    /// The flow of a class that was seen least recently.
    pub(crate) fn first(&self, class: Class) -> Option<u32> {
        Some(self.lists[class as usize].0).filter(|slot| *slot != NOWHERE)
    }

    /// The flow behind `slot` in its list.
    pub(crate) fn after(slab: &Slab, slot: u32) -> Option<u32> {
        Some(slab[slot].neighbours.behind).filter(|slot| *slot != NOWHERE)
    }

    /// Puts a flow at the end of a list; it must be in none.
    pub(crate) fn push(&mut self, slab: &mut Slab, slot: u32, class: Class, now_ns: i64) {
        let (first, last) = &mut self.lists[class as usize];
        let flow = &mut slab[slot];
        (flow.listed, flow.class) = (unit(now_ns), class);
        flow.neighbours = Neighbours { before: *last, behind: NOWHERE };
        match *last {
            NOWHERE => *first = slot,
            before => slab[before].neighbours.behind = slot,
        }
        *last = slot;
    }

    /// Takes a flow out of its list.
    pub(crate) fn remove(&mut self, slab: &mut Slab, slot: u32) {
        let Neighbours { before, behind } = slab[slot].neighbours;
        let (first, last) = &mut self.lists[slab[slot].class as usize];
        match before {
            NOWHERE => *first = behind,
            before => slab[before].neighbours.behind = behind,
        }
        match behind {
            NOWHERE => *last = before,
            behind => slab[behind].neighbours.before = before,
        }
    }

    /// Moves a flow to the end of the list of `class`, if it is in another or has not been moved for a while.
    #[inline]
    pub(crate) fn touch(&mut self, slab: &mut Slab, slot: u32, class: Class, now_ns: i64) {
        let flow = &slab[slot];
        if flow.class != class || flow.listed != unit(now_ns) {
            self.remove(slab, slot);
            self.push(slab, slot, class, now_ns);
        }
    }
}

fn unit(now_ns: i64) -> u32 {
    (now_ns >> UNIT_BITS) as u32
}
