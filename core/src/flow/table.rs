//! The flow table: every packet finds its flow in constant time, and the table never outgrows its bound.
//!
//! An index of slot numbers (hashbrown) points into a slab of flows. A flow that several sessions mirror has an
//! entry in the index for each of them, so that a packet from any of them finds it at once.
//!
//! A flow ends when it was idle for longer than its timeout, when its TCP connection is over and has lingered, when
//! a SYN opens another connection between the same ports, when the table is full, or with the input. The table is
//! full with [`FlowOptions::max_flows`] flows; then a connection that is over makes room (the one that has been for
//! longest), else the flow that was seen least recently, true to a second. Idle means that the packet's time is
//! further from the flow's last packet than the timeout, in either direction: clocks step back.
//!
//! Nothing here asks for the time: packets and the caller of [`FlowTable::expire`] bring it.

use core::hash::BuildHasher;

use foldhash::quality::FixedState;
use hashbrown::{HashMap, HashTable};

use crate::{
    packet::Packet,
    sinks::sessions::{self, Key as Session},
};

use super::{
    duplicates::{self, Duplicates},
    entry::{Flow, MAX_SESSIONS, Size},
    fragments::Fragments,
    idle::{Class, GRANULARITY_NS, Idle},
    key::{Sighting, TCP, Tuple},
    record::{EndReason, FlowRecord},
    service,
    slab::Slab,
    tcp::{MAX_HOLES, Moment, Segment},
};

/// Flows in the table, unless options say otherwise.
pub const DEFAULT_MAX_FLOWS: usize = 1 << 18;
/// The most flows that options can ask for.
pub const LARGEST_MAX_FLOWS: usize = 1 << PLACE_SHIFT;
/// GWLB's idle timeout of TCP flows, 350 s.
pub const TCP_IDLE_NS: u64 = 350_000_000_000;
/// GWLB's idle timeout of all other flows, 120 s.
pub const OTHER_IDLE_NS: u64 = 120_000_000_000;
/// How long a connection that is over waits for stray segments: 60 s, as TIME-WAIT does.
pub const LINGER_NS: u64 = 60_000_000_000;
/// An idle timeout that never comes.
pub const NEVER_NS: u64 = u64::MAX;

/// An index entry: a slot in the low bits, and above them the session's place among those of the flow.
const PLACE_SHIFT: u32 = 30;
const SLOT_MASK: u32 = (1 << PLACE_SHIFT) - 1;

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
    /// Counts packets that several sessions mirror in each session's own flow.
    pub keep_duplicates: bool,
    /// Recent packets among which copies are looked for.
    pub duplicate_capacity: usize,
    /// A random number that the senders of packets cannot know: it keeps them from filling one hash bucket.
    pub seed: u64,
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
        }
    }
}

impl FlowOptions {
    /// Octets that one flow takes, without name and holes: its slot, and its part of index and free list.
    pub const FLOW_LEN: usize = size_of::<Flow>() + INDEX_LEN + 2 * size_of::<u32>();

    /// Octets that the table never exceeds, whatever packets come: every flow with the longest name and the most
    /// holes, which only TCP flows with loss have. Without them it is `max_flows` times [`FlowOptions::FLOW_LEN`]
    /// and what looks for duplicates and fragments and knows the sessions: at most 20 MiB.
    pub fn memory_bound(&self) -> usize {
        const EXTRAS_LEN: usize = size_of::<service::ServiceName>()
            + service::MAX_NAME_LEN
            + 2 * (MAX_HOLES + 1) * 2 * size_of::<u32>()
            + 3 * ALLOCATION_LEN
            + (MAX_SESSIONS - 1) * INDEX_LEN;
        const FIXED_LEN: usize = 20 << 20;
        self.max_flows.saturating_mul(Self::FLOW_LEN + EXTRAS_LEN) + FIXED_LEN
    }
}

/// An index entry with its control octet, in a table that is 7/16 full and being copied to one of twice the size.
const INDEX_LEN: usize = (size_of::<u32>() + 1) * 16 / 7 * 3 / 2;
/// What an allocator adds to an allocation.
const ALLOCATION_LEN: usize = 16;

/// What the table has seen. Packets are the sum of what flows counted (live and ended), of their duplicates, of
/// `orphans` and of `not_ip`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounters {
    /// Packets.
    pub packets: u64,
    /// Octets on the wire of these packets' subjects.
    pub bytes: u64,
    /// Packets without IP addresses: ARP, other EtherTypes, and what could not be read.
    pub not_ip: u64,
    /// Octets of them.
    pub not_ip_bytes: u64,
    /// Copies of packets that another session had mirrored.
    pub duplicates: u64,
    /// Copies whose flow had ended in the meantime: counted here alone.
    pub orphans: u64,
    /// Octets of them.
    pub orphan_bytes: u64,
    /// Flows that began.
    pub flows: u64,
    /// Flows that were found to be another session's view of a flow, and joined to it.
    pub joined: u64,
    /// Flows that ended because the table was full.
    pub evicted: u64,
}

/// Packets sorted into flows.
///
/// Flows that end are handed to the function that each method takes, one at a time, and are then forgotten.
#[derive(Clone, Debug)]
pub struct FlowTable {
    options: FlowOptions,
    hasher: FixedState,
    index: HashTable<u32>,
    slab: Slab,
    idle: Idle,
    sessions: SessionIndex,
    fragments: Fragments,
    duplicates: Option<Duplicates>,
    counters: FlowCounters,
    swept_ns: i64,
}

/// A packet on its way into the table.
#[derive(Clone, Copy)]
struct Arrival {
    session: u32,
    tuple_hash: u64,
    now_ns: i64,
    wire_len: u32,
}

impl FlowTable {
    /// An empty table.
    pub fn new(mut options: FlowOptions) -> Self {
        options.max_flows = options.max_flows.clamp(1, LARGEST_MAX_FLOWS);
        let hasher = FixedState::with_seed(options.seed);
        let duplicates =
            (!options.keep_duplicates).then(|| Duplicates::new(hasher.clone(), options.duplicate_capacity));
        Self {
            options,
            index: HashTable::new(),
            slab: Slab::default(),
            idle: Idle::default(),
            sessions: SessionIndex::new(hasher.clone()),
            fragments: Fragments::new(hasher.clone()),
            duplicates,
            counters: FlowCounters::default(),
            swept_ns: i64::MIN,
            hasher,
        }
    }

    /// Counts one packet. Flows that end before it, or make room for it, go to `ended`.
    #[inline]
    pub fn observe(&mut self, packet: &Packet<'_>, ended: &mut impl FnMut(FlowRecord)) {
        let now_ns = packet.record.timestamp_ns;
        let wire_len = packet.subject_len();
        self.counters.packets += 1;
        self.counters.bytes += u64::from(wire_len);
        let Some(mut sighting) = Sighting::of(packet) else {
            self.counters.not_ip += 1;
            self.counters.not_ip_bytes += u64::from(wire_len);
            return;
        };
        if self.swept_ns.abs_diff(now_ns) > GRANULARITY_NS {
            self.expire(now_ns, ended);
        }
        let session = self.sessions.intern(Session::of(packet));
        if sighting.fragment.is_some() {
            self.fragments.resolve(session, &mut sighting, now_ns);
        }
        let tuple_hash = self.hasher.hash_one(sighting.tuple);
        let arrival = Arrival { session, tuple_hash, now_ns, wire_len };
        if packet.mirror().is_some()
            && let Some(duplicates) = &mut self.duplicates
            && let Some(original) = duplicates.observe(session, tuple_hash, &sighting, now_ns)
        {
            return self.count_duplicate(original, &sighting, arrival, ended);
        }
        let flow_cookie = packet.gwlb().and_then(|gwlb| gwlb.flow_cookie);
        let size = Size { wire_len, is_truncated: packet.stack.is_truncated(), flow_cookie };
        self.count(&sighting, size, arrival, ended);
    }

    /// Ends the flows that have been idle for their timeout at the time `now_ns`. Costs no more than the flows it
    /// ends, so that it may be called at any time; packets call it about once in a second of theirs.
    pub fn expire(&mut self, now_ns: i64, ended: &mut impl FnMut(FlowRecord)) {
        self.swept_ns = now_ns;
        for class in Class::ALL {
            while let Some(slot) = self.idle.first(class)
                && self.is_idle(slot, now_ns)
            {
                self.end(slot, idle_reason(class), ended);
            }
        }
    }

    /// Ends every flow, as the input does.
    pub fn finish(&mut self, ended: &mut impl FnMut(FlowRecord)) {
        for class in Class::ALL {
            while let Some(slot) = self.idle.first(class) {
                let is_closed = class == Class::Closed;
                self.end(slot, if is_closed { EndReason::Closed } else { EndReason::EndOfInput }, ended);
            }
        }
    }

    /// The flows that go on: TCP, then others, then closed connections, each seen least recently first.
    pub fn iter(&self) -> impl Iterator<Item = FlowRecord> {
        let slots = Class::ALL.into_iter().flat_map(|class| {
            core::iter::successors(self.idle.first(class), |slot| Idle::after(&self.slab, *slot))
        });
        slots.map(|slot| self.slab[slot].record(|session| self.sessions.key(session), None))
    }

    /// Flows in the table.
    pub fn len(&self) -> usize {
        self.slab.occupied()
    }

    /// Whether there is no flow in the table.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was seen so far.
    pub fn counters(&self) -> FlowCounters {
        self.counters
    }

    #[inline]
    fn count(
        &mut self,
        sighting: &Sighting<'_>,
        size: Size,
        arrival: Arrival,
        ended: &mut impl FnMut(FlowRecord),
    ) {
        let segment = segment(sighting);
        let found = self.find(arrival.tuple_hash, arrival.session, &sighting.tuple);
        let (slot, place) = match found {
            Some((slot, place))
                if !self.ends_before(slot, sighting, segment.as_ref(), arrival.now_ns, ended) =>
            {
                (slot, place)
            }
            _ => (self.begin(sighting, arrival, ended), 0),
        };
        let flow = &mut self.slab[slot];
        let at = Moment { now_ns: arrival.now_ns, observer: place as u8 };
        flow.observe(sighting, segment.as_ref(), size, at);
        if sighting.fragment.is_some() {
            flow.connection.lose_track(sighting.way);
        }
        let class = match flow.tuple.protocol {
            TCP if flow.connection.state.is_over() => Class::Closed,
            TCP => Class::Tcp,
            _ => Class::Other,
        };
        self.idle.touch(&mut self.slab, slot, class, arrival.now_ns);
    }

    /// The flow of a session's tuple, and the session's place in it.
    #[inline]
    fn find(&self, tuple_hash: u64, session: u32, tuple: &Tuple) -> Option<(u32, usize)> {
        let is_it = |entry: &u32| {
            let flow = &self.slab[entry & SLOT_MASK];
            flow.sessions[(entry >> PLACE_SHIFT) as usize] == session && flow.tuple == *tuple
        };
        let entry = *self.index.find(with_session(tuple_hash, session), is_it)?;
        Some((entry & SLOT_MASK, (entry >> PLACE_SHIFT) as usize))
    }

    /// Ends a flow that this packet does not belong to any more, and tells so.
    #[inline]
    fn ends_before(
        &mut self,
        slot: u32,
        sighting: &Sighting<'_>,
        segment: Option<&Segment>,
        now_ns: i64,
        ended: &mut impl FnMut(FlowRecord),
    ) -> bool {
        let flow = &self.slab[slot];
        let reason = if self.is_idle(slot, now_ns) {
            idle_reason(flow.link.class)
        } else if segment.is_some_and(|segment| flow.connection.is_reopened_by(sighting.way, segment)) {
            EndReason::Reused
        } else {
            return false;
        };
        self.end(slot, reason, ended);
        true
    }

    #[inline]
    fn is_idle(&self, slot: u32, now_ns: i64) -> bool {
        let flow = &self.slab[slot];
        let timeout_ns = match flow.link.class {
            Class::Tcp => self.options.tcp_idle_ns,
            Class::Other => self.options.other_idle_ns,
            Class::Closed => self.options.linger_ns,
        };
        flow.last_ns.abs_diff(now_ns) > timeout_ns
    }

    fn begin(
        &mut self,
        sighting: &Sighting<'_>,
        arrival: Arrival,
        ended: &mut impl FnMut(FlowRecord),
    ) -> u32 {
        if self.len() >= self.options.max_flows
            && let Some(slot) = self.least_recent()
        {
            self.counters.evicted += 1;
            self.end(slot, EndReason::Evicted, ended);
        }
        let flow = Flow::new(sighting.tuple, arrival.session, sighting.way, arrival.now_ns);
        let slot = self.slab.insert(flow);
        let class = if sighting.tuple.protocol == TCP { Class::Tcp } else { Class::Other };
        self.idle.push(&mut self.slab, slot, class, arrival.now_ns);
        self.point(slot, 0, arrival.session, arrival.tuple_hash);
        self.counters.flows += 1;
        slot
    }

    /// The flow that makes room for another.
    fn least_recent(&self) -> Option<u32> {
        let seen_ns = |slot: &u32| self.slab[*slot].link.linked_ns;
        let open = [Class::Tcp, Class::Other].into_iter().filter_map(|class| self.idle.first(class));
        self.idle.first(Class::Closed).or_else(|| open.min_by_key(seen_ns))
    }

    fn end(&mut self, slot: u32, reason: EndReason, ended: &mut impl FnMut(FlowRecord)) {
        ended(self.slab[slot].record(|session| self.sessions.key(session), Some(reason)));
        self.forget(slot);
    }

    /// Takes a flow out of index, list and slab.
    fn forget(&mut self, slot: u32) {
        let tuple_hash = self.hasher.hash_one(self.slab[slot].tuple);
        for (place, session) in self.slab[slot].known_sessions() {
            let entry = slot | (place as u32) << PLACE_SHIFT;
            let hash = with_session(tuple_hash, session);
            if let Ok(found) = self.index.find_entry(hash, |known| *known == entry) {
                found.remove();
            }
        }
        self.idle.remove(&mut self.slab, slot);
        self.slab.remove(slot);
    }

    /// Adds an index entry that leads from a session's tuple to a flow.
    fn point(&mut self, slot: u32, place: usize, session: u32, tuple_hash: u64) {
        let (slab, hasher) = (&self.slab, &self.hasher);
        let hash_of = |entry: &u32| {
            let flow = &slab[entry & SLOT_MASK];
            with_session(hasher.hash_one(flow.tuple), flow.sessions[(entry >> PLACE_SHIFT) as usize])
        };
        let entry = slot | (place as u32) << PLACE_SHIFT;
        self.index.insert_unique(with_session(tuple_hash, session), entry, hash_of);
    }

    /// Counts a copy with the flow of the session that showed the packet first, and joins the two sessions' flows.
    #[cold]
    fn count_duplicate(
        &mut self,
        original: u32,
        sighting: &Sighting<'_>,
        arrival: Arrival,
        ended: &mut impl FnMut(FlowRecord),
    ) {
        self.counters.duplicates += 1;
        let Arrival { session, tuple_hash, now_ns, wire_len } = arrival;
        let own = self.find(tuple_hash, session, &sighting.tuple).map(|(slot, _)| slot);
        let slot = match own {
            Some(own) if self.slab[own].observer(original).is_some() => Some(own),
            _ => self.join(original, own, sighting, arrival, ended).or(own),
        };
        match slot {
            Some(slot) => self.slab[slot].count_duplicate(sighting.way, wire_len, now_ns),
            None => {
                self.counters.orphans += 1;
                self.counters.orphan_bytes += u64::from(wire_len);
            }
        }
    }

    /// Makes one flow of `own`, the flow of this packet's session if it has one, and that of the session `original`.
    /// Gives the flow to count with; `None` where that of `original` has ended.
    fn join(
        &mut self,
        original: u32,
        own: Option<u32>,
        sighting: &Sighting<'_>,
        arrival: Arrival,
        ended: &mut impl FnMut(FlowRecord),
    ) -> Option<u32> {
        let Arrival { session, tuple_hash, now_ns, .. } = arrival;
        let (slot, _) = self.find(tuple_hash, original, &sighting.tuple)?;
        let Some(own) = own else {
            if let Some(place) = self.slab[slot].add_session(session) {
                self.point(slot, place, session, tuple_hash);
            }
            return Some(slot);
        };
        if self.is_idle(own, now_ns) {
            self.end(own, idle_reason(self.slab[own].link.class), ended);
            return self.join(original, None, sighting, arrival, ended);
        }
        let sessions = self.slab[slot].known_sessions().count() + self.slab[own].known_sessions().count();
        if sessions > MAX_SESSIONS {
            return Some(slot);
        }
        let is_older = self.slab[own].first_ns() < self.slab[slot].first_ns();
        let (older, younger) = if is_older { (own, slot) } else { (slot, own) };
        self.absorb(older, younger, tuple_hash);
        Some(older)
    }

    fn absorb(&mut self, older: u32, younger: u32, tuple_hash: u64) {
        let mut gone = self.slab[younger].clone();
        self.forget(younger);
        self.slab[older].absorb(&mut gone);
        for (_, session) in gone.known_sessions() {
            if let Some(place) = self.slab[older].add_session(session) {
                self.point(older, place, session, tuple_hash);
            }
        }
        self.counters.joined += 1;
    }
}

fn idle_reason(class: Class) -> EndReason {
    if class == Class::Closed { EndReason::Closed } else { EndReason::Idle }
}

/// The header of a TCP segment; later fragments have none, and where it was cut short there is nothing to read.
#[inline]
fn segment(sighting: &Sighting<'_>) -> Option<Segment> {
    let is_later_fragment = sighting.fragment.is_some_and(|fragment| !fragment.is_first);
    if sighting.tuple.protocol != TCP || is_later_fragment {
        return None;
    }
    Segment::parse(sighting.transport, sighting.transport_len)
}

/// Spreads the sessions of one tuple over the index. The tuple's hash is secret, so that its sum with a number that
/// is not stays so.
#[inline]
fn with_session(tuple_hash: u64, session: u32) -> u64 {
    tuple_hash.wrapping_add(u64::from(session).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Sessions by number, because a number fits into a flow.
#[derive(Clone, Debug)]
struct SessionIndex {
    numbers: HashMap<Session, u32, FixedState>,
    keys: Vec<Session>,
    /// The session of the packet before.
    last: (Session, u32),
}

impl SessionIndex {
    fn new(hasher: FixedState) -> Self {
        let numbers = HashMap::with_hasher(hasher);
        Self { numbers, keys: vec![Session::Overflow], last: (Session::Overflow, 0) }
    }

    #[inline]
    fn intern(&mut self, session: Session) -> u32 {
        if self.last.0 != session {
            self.last = (session, self.number(session));
        }
        self.last.1
    }

    /// Sessions beyond the bound share the number 0.
    fn number(&mut self, session: Session) -> u32 {
        if let Some(number) = self.numbers.get(&session) {
            return *number;
        }
        if self.keys.len() > sessions::MAX_SESSIONS {
            return 0;
        }
        let number = self.keys.len() as u32;
        self.keys.push(session);
        self.numbers.insert(session, number);
        number
    }

    fn key(&self, number: u32) -> Session {
        self.keys.get(number as usize).copied().unwrap_or(Session::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{
        tcp::flag::{ACK, FIN, RST, SYN},
        testing::{Frame, flows_with, table_of},
    };

    const SECOND_MS: i64 = 1_000;

    #[test]
    fn both_directions_are_one_flow_and_the_known_port_is_the_servers() {
        let query = Frame::udp(40000, 53).payload(30);
        let flows = table_of(&[query.clone().back().payload(90).at_ms(5), query]);
        let [flow] = &flows[..] else { panic!("{flows:?}") };
        assert_eq!((flow.client.port, flow.server.port), (40000, 53));
        assert_eq!((flow.sent.packets, flow.sent.bytes), (1, 58));
        assert_eq!((flow.received.packets, flow.received.bytes), (1, 118));
        assert_eq!(flow.service(), Some("dns"));
    }

    #[test]
    fn the_same_tuple_in_two_sessions_is_two_flows() {
        let frame = Frame::udp(1, 2).payload(1);
        let other = frame.clone().payload(2).seen_by(7);
        assert_eq!(table_of(&[frame, other]).len(), 2);
    }

    #[test]
    fn a_flow_is_idle_after_its_timeout_and_not_at_it() {
        let udp = Frame::udp(1, 2);
        for (ms, count) in [(120 * SECOND_MS, 1), (120 * SECOND_MS + 1, 2), (-121 * SECOND_MS, 2)] {
            assert_eq!(table_of(&[udp.clone(), udp.clone().at_ms(ms)]).len(), count, "{ms}");
        }
        let tcp = Frame::tcp(1, 2, 1, 1, ACK);
        for (ms, count) in [(350 * SECOND_MS, 1), (350 * SECOND_MS + 1, 2)] {
            assert_eq!(table_of(&[tcp.clone(), tcp.clone().at_ms(ms)]).len(), count, "{ms}");
        }
    }

    #[test]
    fn time_that_passes_ends_idle_flows_only() {
        let mut table = FlowTable::new(FlowOptions::default());
        let mut ended = Vec::new();
        Frame::udp(1, 2).show(&mut table, &mut |flow| ended.push(flow));
        Frame::tcp(1, 2, 1, 1, ACK).show(&mut table, &mut |flow| ended.push(flow));
        table.expire(200_000_000_000, &mut |flow| ended.push(flow));
        assert_eq!((table.len(), table.iter().count()), (1, 1));
        let reasons: Vec<_> = ended.iter().map(|flow| (flow.protocol, flow.end)).collect();
        assert_eq!(reasons, [(17, Some(EndReason::Idle))]);
    }

    #[test]
    fn a_closed_connection_lingers_and_then_ends_as_closed() {
        let fin = Frame::tcp(1, 2, 10, 20, FIN | ACK);
        let both = [fin.clone(), Frame::tcp(1, 2, 20, 11, FIN | ACK).back()];
        let late = Frame::udp(9, 9).at_ms(61 * SECOND_MS);
        let flows = table_of(&[&both[..], &[late]].concat());
        assert_eq!(flows[0].end, Some(EndReason::Closed));
        assert_eq!(flows[0].state.unwrap().name(), "closed");
    }

    #[test]
    fn a_new_syn_between_the_same_ports_begins_a_new_flow() {
        let syn = Frame::tcp(1, 2, 100, 0, SYN);
        let flows = table_of(&[syn.clone(), syn.at_ms(1), Frame::tcp(1, 2, 999, 0, SYN).at_ms(2)]);
        assert_eq!(flows.len(), 2);
        assert_eq!((flows[0].end, flows[0].sent.retransmissions), (Some(EndReason::Reused), 1));
    }

    #[test]
    fn a_full_table_evicts_closed_connections_and_then_the_least_recent() {
        let options = FlowOptions { max_flows: 2, ..FlowOptions::default() };
        let frames = [
            Frame::udp(1, 100),
            Frame::tcp(2, 100, 1, 0, RST).at_ms(2_000),
            Frame::udp(3, 100).at_ms(4_000),
            Frame::udp(1, 100).at_ms(6_000),
            Frame::udp(4, 100).at_ms(8_000),
        ];
        let (flows, table) = flows_with(options, &frames);
        let evicted: Vec<_> = flows.iter().filter(|flow| flow.end == Some(EndReason::Evicted)).collect();
        let ports: Vec<_> = evicted.iter().map(|flow| flow.client.port).collect();
        assert_eq!((ports, table.counters().evicted), (vec![2, 3], 2));
    }

    #[test]
    fn a_flood_of_new_flows_stays_within_the_bound() {
        let options = FlowOptions { max_flows: 100, ..FlowOptions::default() };
        let mut table = FlowTable::new(options);
        let mut ended = 0;
        for i in 0..20_000u32 {
            let frame = Frame { src: ((i >> 14) as u8, i as u16), ..Frame::udp(1, 2) };
            frame.show(&mut table, &mut |_| ended += 1);
            assert!(table.len() <= 100);
        }
        assert_eq!((table.len(), ended), (100, 19_900));
        assert!(table.index.capacity() < 500);
    }

    /// A connection of `count` packets, each mirrored at both ends.
    fn twice_mirrored(count: u32) -> Vec<Frame> {
        let segment = |i: u32| {
            let there = Frame::tcp(5000, 443, 100 + i / 2 * 50, 900 + i / 2 * 70, ACK).payload(50);
            let back = Frame::tcp(5000, 443, 900 + i / 2 * 70, 150 + i / 2 * 50, ACK).payload(70).back();
            let frame = if i.is_multiple_of(2) { there } else { back };
            frame.id(i as u16).at_ms(i64::from(i) * 10)
        };
        let mirrored = |i| {
            let (near, far) = (segment(i).seen_by(1), segment(i).seen_by(2));
            // The sender's end shows it first.
            if i.is_multiple_of(2) { [near, far] } else { [far, near] }
        };
        (0..count).flat_map(mirrored).collect()
    }

    #[test]
    fn a_flow_mirrored_at_both_ends_is_one_flow_without_retransmissions() {
        let (flows, table) = flows_with(FlowOptions::default(), &twice_mirrored(20));
        let [flow] = &flows[..] else { panic!("{flows:?}") };
        assert_eq!((flow.packets(), flow.total(|direction| direction.duplicates)), (20, 20));
        assert_eq!(flow.also_seen_by.len(), 1);
        for direction in [flow.sent, flow.received] {
            assert_eq!((direction.retransmissions, direction.out_of_order, direction.gap_bytes), (0, 0, 0));
            assert_eq!(direction.duplicate_acks, 0);
        }
        assert_eq!(table.counters().duplicates, 20);
        assert!(table.is_empty() && table.index.is_empty());
    }

    #[test]
    fn what_one_mirror_loses_the_other_makes_up_for() {
        let mut frames = twice_mirrored(20);
        frames.retain(|frame| !(frame.vni == Some(1) && frame.id.is_multiple_of(3)));
        frames.retain(|frame| !(frame.vni == Some(2) && frame.id % 5 == 1));
        let flows = table_of(&frames);
        let [flow] = &flows[..] else { panic!("{flows:?}") };
        // Packet 6 and so on were lost at one end each; packet 1 mod 15 = 6 at both.
        assert_eq!(flow.packets(), 19);
        assert_eq!(flow.total(|direction| direction.retransmissions.into()), 0);
    }

    #[test]
    fn views_that_begin_apart_are_joined_at_the_first_copy() {
        let mut frames = twice_mirrored(10);
        // Session 2 alone shows packet 0, session 1 alone packet 1.
        frames.remove(2);
        frames.remove(0);
        let (flows, table) = flows_with(FlowOptions::default(), &frames);
        assert_eq!((flows.len(), table.counters().joined), (1, 1));
        assert_eq!((flows[0].packets(), flows[0].total(|direction| direction.duplicates)), (10, 8));
        assert_eq!(flows[0].total(|direction| direction.gap_bytes), 0);
    }

    #[test]
    fn duplicates_can_be_kept_as_flows_of_their_own() {
        let options = FlowOptions { keep_duplicates: true, ..FlowOptions::default() };
        let (flows, _) = flows_with(options, &twice_mirrored(4));
        assert_eq!(flows.iter().map(FlowRecord::packets).collect::<Vec<_>>(), [4, 4]);
    }

    #[test]
    fn packets_without_a_tunnel_are_never_duplicates() {
        let frame = Frame { vni: None, ..Frame::udp(1, 2) };
        assert_eq!(table_of(&[frame.clone(), frame])[0].sent.packets, 2);
    }

    #[test]
    fn later_fragments_count_with_their_flow() {
        let first = Frame { fragment: 0x2000, ..Frame::udp(1, 2).id(9).payload(1000) };
        let later = Frame { fragment: 125, ..first.clone() };
        let flows = table_of(&[first, later]);
        assert_eq!((flows.len(), flows[0].sent.packets, flows[0].client.port), (1, 2, 1));
    }

    #[test]
    fn the_name_and_the_time_to_answer_are_found() {
        let request = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
        let len = request.len() as u32;
        let flows = table_of(&[
            Frame::tcp(5000, 80, 1, 1, ACK).octets(request),
            Frame::tcp(5000, 80, 1, 1 + len, ACK).back().at_ms(1),
            Frame::tcp(5000, 80, 1, 1 + len, ACK).back().payload(900).at_ms(31),
            Frame::tcp(5000, 80, 901, 1 + len, ACK).back().payload(900).at_ms(50),
        ]);
        let name = flows[0].name.as_ref().unwrap();
        assert_eq!((&*name.text, name.source.key()), ("example.org", "http_host"));
        assert_eq!((flows[0].responses, flows[0].response_max_ns), (1, 31_000_000));
    }
}
