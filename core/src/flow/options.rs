//! How many flows are kept, for how long, and what memory that takes at most.

use super::{
    duplicates,
    entry::{Flow, MAX_SESSIONS, Reported},
    idle::Idle,
    index, service,
    tcp::MAX_HOLES,
};

/// Flows in the table, unless options say otherwise.
pub const DEFAULT_MAX_FLOWS: usize = 1 << 18;
/// The most flows that options can ask for.
pub const LARGEST_MAX_FLOWS: usize = index::MAX_SLOTS;
/// GWLB's idle timeout of TCP flows, 350 s.
pub const TCP_IDLE_NS: u64 = 350_000_000_000;
/// GWLB's idle timeout of all other flows, 120 s.
pub const OTHER_IDLE_NS: u64 = 120_000_000_000;
/// How long a connection that is over waits for stray segments: 60 s, as TIME-WAIT does.
pub const LINGER_NS: u64 = 60_000_000_000;
/// An idle timeout that never comes.
pub const NEVER_NS: u64 = u64::MAX;

/// How flows are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowOptions {
    /// Flows in the table at a time, 1 to [`LARGEST_MAX_FLOWS`]; the memory is [`FlowOptions::memory_bound`].
    pub max_flows: usize,
    /// Nanoseconds without a packet that end a TCP flow.
    pub tcp_idle_ns: u64,
    /// Nanoseconds without a packet that end any other flow.
    pub other_idle_ns: u64,
    /// Nanoseconds without a packet that end a TCP flow whose connection is over.
    pub linger_ns: u64,
    /// Counts every copy of a packet as a packet, in the flow of the session that shows it.
    pub keep_duplicates: bool,
    /// Recent packets among which copies are looked for.
    pub duplicate_capacity: usize,
    /// A random number that the senders of packets cannot know: it keeps them from filling one hash bucket.
    pub seed: u64,
    /// As the seed, for the table of recent packets in which copies are found. With the same number the same packets are
    /// found again, also where the table is too small for all; who knows it could have a packet taken for a copy.
    pub copies_seed: u64,
}

impl Default for FlowOptions {
    fn default() -> Self {
        Self {
            max_flows: DEFAULT_MAX_FLOWS,
            tcp_idle_ns: TCP_IDLE_NS,
            other_idle_ns: OTHER_IDLE_NS,
            linger_ns: LINGER_NS,
            keep_duplicates: false,
            duplicate_capacity: duplicates::DEFAULT_CAPACITY,
            seed: 0,
            copies_seed: 0,
        }
    }
}

impl FlowOptions {
    /// Octets that one flow takes, without name, holes and reports: its slot, and its part of index, lists and free list.
    pub const FLOW_LEN: usize = size_of::<Flow>() + Idle::LINKS_LEN + index::ENTRY_LEN + 2 * size_of::<u32>();

    /// Octets that the table never exceeds, whatever packets come: every flow with the longest name and the most
    /// holes, which only TCP flows with loss have. Without them it is `max_flows` times [`FlowOptions::FLOW_LEN`]
    /// and what looks for duplicates and fragments and knows the sessions: at most 20 MiB.
    pub fn memory_bound(&self) -> usize {
        const EXTRAS_LEN: usize = size_of::<service::ServiceName>()
            + service::MAX_NAME_LEN
            + 2 * (MAX_HOLES + 1) * 2 * size_of::<u32>()
            + size_of::<Reported>()
            + 4 * ALLOCATION_LEN
            + (MAX_SESSIONS - 1) * index::ENTRY_LEN;
        const FIXED_LEN: usize = 20 << 20;
        self.max_flows.saturating_mul(Self::FLOW_LEN + EXTRAS_LEN) + FIXED_LEN
    }
}

/// What an allocator adds to an allocation.
const ALLOCATION_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_grows_by_what_the_worst_flow_takes() {
        let bound = |max_flows| FlowOptions { max_flows, ..FlowOptions::default() }.memory_bound();
        let worst = bound(1) - bound(0);
        assert_eq!(bound(0), 20 << 20);
        assert_eq!(bound(1000) - bound(0), 1000 * worst);
        // Its slot, the longest name, the holes of both directions, and what a report has told of it.
        let holes_len = 2 * MAX_HOLES * 8;
        let parts = FlowOptions::FLOW_LEN + service::MAX_NAME_LEN + holes_len + size_of::<Reported>();
        assert!((parts..parts + 256).contains(&worst), "{worst} octets, of which {parts} are known");
        assert!(FlowOptions::FLOW_LEN > size_of::<Flow>());
    }
}
