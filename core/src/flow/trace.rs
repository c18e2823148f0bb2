//! Which flow each packet was counted with, for callers who keep packets and want to find those of a flow.
//!
//! Nothing is noted unless it was asked for ([`super::FlowTable::trace`]). A flow that turns out to be another
//! session's view of an older one is joined to that; its packets keep the number that they got.

/// What became of the packets that were counted, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// One entry for each packet for which [`super::FlowTable::gather`] said so.
    pub placed: Vec<Placed>,
    /// Numbers of flows that were joined to another, and of that one.
    pub joined: Vec<(u32, u32)>,
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The [`super::FlowRecord::number`] of its flow; `None` for a copy whose flow has ended.
    pub flow: Option<u32>,
    /// Whether another session, or the same one, had shown the same packet before.
    pub is_duplicate: bool,
    /// Whether it is a TCP segment with octets that were sent before.
    pub is_retransmission: bool,
}

impl Trace {
    /// Forgets what was noted and keeps the memory.
    pub fn clear(&mut self) {
        self.placed.clear();
        self.joined.clear();
    }
}
