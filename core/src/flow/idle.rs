//! Which flow was seen least recently: lists of slots, one for each idle timeout.
//!
//! A flow moves to the end of its list at most once a second, not with every packet, so that
//! the order costs next to nothing and is true to a second. The links lie apart from the flows and close together:
//! a move changes those of three flows, of which two have no packet.

use super::entry::Flow;

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
struct Neighbours {
    before: u32,
    behind: u32,
}

/// The lists of all classes.
#[derive(Clone, Debug)]
pub(crate) struct Idle {
    /// First and last slot.
    lists: [(u32, u32); 3],
    /// By slot.
    neighbours: Vec<Neighbours>,
}

impl Default for Idle {
    fn default() -> Self {
        Self { lists: [(NOWHERE, NOWHERE); 3], neighbours: Vec::new() }
    }
}

impl Idle {
    /// Octets that the links of one flow take, in a list that is half full and being copied to one of twice the size.
    pub(crate) const LINKS_LEN: usize = size_of::<Neighbours>() * 3;

    /// The flow of a class that was seen least recently.
    pub(crate) fn first(&self, class: Class) -> Option<u32> {
        Some(self.lists[class as usize].0).filter(|slot| *slot != NOWHERE)
    }

    /// The flow behind `slot` in its list.
    pub(crate) fn after(&self, slot: u32) -> Option<u32> {
        Some(self.neighbours[slot as usize].behind).filter(|slot| *slot != NOWHERE)
    }

    /// Puts a flow at the end of a list; it must be in none.
    pub(crate) fn push(&mut self, flow: &mut Flow, slot: u32, class: Class, now_ns: i64) {
        (flow.listed, flow.class) = (unit(now_ns), class);
        let (first, last) = &mut self.lists[class as usize];
        let own = Neighbours { before: *last, behind: NOWHERE };
        match self.neighbours.get_mut(slot as usize) {
            Some(place) => *place = own,
            // Slots are given out one after the other.
            None => self.neighbours.push(own),
        }
        match *last {
            NOWHERE => *first = slot,
            before => self.neighbours[before as usize].behind = slot,
        }
        *last = slot;
    }

    /// Takes a flow of this class out of its list.
    pub(crate) fn remove(&mut self, slot: u32, class: Class) {
        let Neighbours { before, behind } = self.neighbours[slot as usize];
        let (first, last) = &mut self.lists[class as usize];
        match before {
            NOWHERE => *first = behind,
            before => self.neighbours[before as usize].behind = behind,
        }
        match behind {
            NOWHERE => *last = before,
            behind => self.neighbours[behind as usize].before = before,
        }
    }

    /// Moves a flow to the end of the list of `class`, if it is in another or has not been moved for a while.
    #[inline]
    pub(crate) fn touch(&mut self, flow: &mut Flow, slot: u32, class: Class, now_ns: i64) {
        if flow.class != class || flow.listed != unit(now_ns) {
            self.remove(slot, flow.class);
            self.push(flow, slot, class, now_ns);
        }
    }
}

fn unit(now_ns: i64) -> u32 {
    (now_ns >> UNIT_BITS) as u32
}
