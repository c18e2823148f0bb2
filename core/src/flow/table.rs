//! The flow table: every packet finds its flow in constant time, and the table never outgrows its bound.
//!
//! An index points into a slab of flows. A flow that several sessions mirror has an entry in the index for each of
//! them, so that a packet from any of them finds it at once.
//!
//! What takes time is not the work but the memory: bucket, index and flow lie far apart. So packets wait until
//! [`BATCH_LEN`] of them are there ([`FlowTable::gather`]); then what all of them need is read first, so that memory
//! fetches it at the same time, and after that they are counted, one by one in their order.
//!
//! A flow ends when it was idle for longer than its timeout, when its TCP connection is over and has lingered, when
//! a SYN opens another connection between the same ports, when the table is full, or with the input. The table is
//! full with [`FlowOptions::max_flows`] flows; then a connection that is over makes room (the one that has been for
//! longest), else the flow that was seen least recently, true to a second. Idle means that the packet's time is
//! further from the flow's last packet than the timeout, in either direction: clocks step back.
//!
//! Nothing here asks for the time: packets and the caller of [`FlowTable::expire`] bring it.

use core::{hash::BuildHasher, hint, mem};

use foldhash::quality::FixedState;

use crate::packet::Packet;

use super::{
    arrival::{self, Arrival, Payloads},
    duplicates::{Duplicates, Showing},
    entry::{Flow, MAX_SESSIONS},
    fragments::{Fragments, Piece},
    idle::{Class, Idle},
    index::{self, Index},
    key::{Sighting, TCP, Tuple},
    options::{FlowOptions, LARGEST_MAX_FLOWS},
    record::{EndReason, FlowRecord},
    session_index::SessionIndex,
    slab::Slab,
    trace::{Placed, Trace},
};

/// Packets that [`FlowTable::gather`] lets wait.
pub const BATCH_LEN: usize = 32;
/// How far packets' times may advance before idle flows are ended.
const SWEEP_NS: u64 = 1_000_000_000;

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
    /// Copies of packets that another session, or the same one, had shown before.
    pub duplicates: u64,
    /// Copies whose flow had ended in the meantime: counted here alone.
    pub orphans: u64,
    /// Octets of them.
    pub orphan_bytes: u64,
    /// Later fragments whose first one did not come, which count with the flow of the ports 0.
    pub lone_fragments: u64,
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
    index: Index,
    slab: Slab,
    idle: Idle,
    sessions: SessionIndex,
    fragments: Fragments,
    duplicates: Option<Duplicates>,
    counters: FlowCounters,
    swept_ns: i64,
    waiting: Vec<Arrival>,
    payloads: Payloads,
    trace: Option<Trace>,
}

impl FlowTable {
    /// An empty table.
    pub fn new(mut options: FlowOptions) -> Self {
        options.max_flows = options.max_flows.clamp(1, LARGEST_MAX_FLOWS);
        let hasher = FixedState::with_seed(options.seed);
        // Held longer, a fragment would end its own flow, which was seen meanwhile.
        let hold_ns = options.tcp_idle_ns.min(options.other_idle_ns);
        let fragments = Fragments::new(hasher.clone(), hold_ns);
        let duplicates = (!options.keep_duplicates)
            .then(|| Duplicates::new(FixedState::with_seed(options.copies_seed), options.duplicate_capacity));
        Self {
            options,
            index: Index::default(),
            slab: Slab::default(),
            idle: Idle::default(),
            sessions: SessionIndex::new(hasher.clone()),
            fragments,
            duplicates,
            counters: FlowCounters::default(),
            swept_ns: i64::MIN,
            waiting: Vec::with_capacity(BATCH_LEN),
            payloads: Payloads::default(),
            trace: None,
            hasher,
        }
    }

    /// Notes from now on which flow each packet is counted with.
    pub fn trace(&mut self) {
        self.trace = Some(Trace::default());
    }

    /// What was noted, to be read and cleared whenever packets have been counted.
    pub fn traced(&mut self) -> Option<&mut Trace> {
        self.trace.as_mut()
    }

    /// Counts one packet, behind those that wait. Flows that end before it, or make room for it, go to `ended`.
    #[inline]
    pub fn observe(&mut self, packet: &Packet<'_>, ended: &mut impl FnMut(FlowRecord)) {
        self.gather(packet, ended);
        self.settle(ended);
    }

    /// As [`FlowTable::observe`] with the same outcome for much less time, but the packet may wait for up to
    /// [`BATCH_LEN`] others until it is counted. [`FlowTable::settle`] has it counted before. `false` for a packet
    /// whose flow will not be noted in a trace: it has none, or is a fragment that waits for its first one.
    #[inline]
    pub fn gather(&mut self, packet: &Packet<'_>, ended: &mut impl FnMut(FlowRecord)) -> bool {
        let waits = self.take_in(packet);
        if self.waiting.len() >= BATCH_LEN {
            self.settle(ended);
        }
        waits
    }

    /// Counts the packets that wait.
    pub fn settle(&mut self, ended: &mut impl FnMut(FlowRecord)) {
        let mut waiting = mem::take(&mut self.waiting);
        let payloads = mem::take(&mut self.payloads);
        if waiting.len() > 1 {
            self.look_ahead(&mut waiting);
        }
        for arrival in &waiting {
            let placed = self.enter(arrival, payloads.of(arrival), ended);
            if let Some(trace) = self.trace.as_mut().filter(|_| arrival.is_traced) {
                trace.placed.push(placed);
            }
        }
        waiting.clear();
        (self.waiting, self.payloads) = (waiting, payloads);
        self.payloads.clear();
    }

    /// Ends the flows that have been idle for their timeout at the time `now_ns`, when the packets that wait are
    /// counted. Costs no more than the flows it ends, so that it may be called at any time; packets call it about
    /// once in a second of theirs.
    pub fn expire(&mut self, now_ns: i64, ended: &mut impl FnMut(FlowRecord)) {
        self.give_up(Some(now_ns));
        self.settle(ended);
        self.sweep(now_ns, ended);
    }

    /// Ends every flow, as the input does, when the packets that wait are counted.
    pub fn finish(&mut self, ended: &mut impl FnMut(FlowRecord)) {
        self.give_up(None);
        self.settle(ended);
        for class in Class::ALL {
            while let Some(slot) = self.idle.first(class) {
                let is_closed = class == Class::Closed;
                self.end(slot, if is_closed { EndReason::Closed } else { EndReason::EndOfInput }, ended);
            }
        }
    }

    /// Hands out flows that go on and counted something that no report has told, when the packets that wait are
    /// counted. It looks at `slots` places of the table from `place` on, so that a caller can work between the parts
    /// of a large one; the first place is 0. Gives the place to go on from; `None` behind the last.
    pub fn report(&mut self, place: u32, slots: u32, reported: &mut impl FnMut(FlowRecord)) -> Option<u32> {
        self.settle(reported);
        let end = place.saturating_add(slots).min(self.slab.len());
        for slot in place..end {
            let flow = &mut self.slab[slot];
            if flow.known_sessions().next().is_some() && flow.has_news() {
                reported(flow.record(|session| self.sessions.key(session), None));
                flow.begin_news();
            }
        }
        (end < self.slab.len()).then_some(end)
    }

    /// The flows that go on, without the packets that wait: TCP, then others, then closed connections, each seen least recently first.
    pub fn iter(&self) -> impl Iterator<Item = FlowRecord> {
        let slots = Class::ALL
            .into_iter()
            .flat_map(|class| core::iter::successors(self.idle.first(class), |slot| self.idle.after(*slot)));
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

    /// What was seen so far; packets that wait are already among the packets.
    pub fn counters(&self) -> FlowCounters {
        self.counters
    }

    /// Reads of a packet what will be counted, and has it wait; `false` where it is of no flow, or waits elsewhere.
    #[inline]
    fn take_in(&mut self, packet: &Packet<'_>) -> bool {
        let now_ns = packet.record.timestamp_ns;
        let wire_len = packet.subject_len();
        self.counters.packets += 1;
        self.counters.bytes += u64::from(wire_len);
        let Some(mut sighting) = Sighting::of(packet) else {
            self.counters.not_ip += 1;
            self.counters.not_ip_bytes += u64::from(wire_len);
            return false;
        };
        // Before this packet, however many are counted together.
        if self.fragments.any_waits() {
            self.give_up(Some(now_ns));
        }
        let session = self.sessions.of(packet);
        let mut tuple_hash = self.tuple_hash(&sighting.tuple);
        // A later fragment looks the same whether its ports are known or not.
        let showing = match &self.duplicates {
            Some(duplicates) if packet.mirror().is_some() => duplicates.showing(&sighting),
            _ => Showing::default(),
        };
        let mut piece = None;
        if let Some(fragment) = sighting.fragment {
            let (resolved, found) = self.fragments.resolve(session, fragment, sighting, now_ns);
            (sighting, piece) = (resolved, Some(found));
            tuple_hash = self.tuple_hash(&sighting.tuple);
        }
        let segment = arrival::segment(&sighting);
        let (payload_at, payload_len) = arrival::payload(&sighting, segment.as_ref());
        // Filled where it waits: a copy of what was only just written has to wait for that.
        self.waiting.push(Arrival::EMPTY);
        let Some(arrival) = self.waiting.last_mut() else { return false };
        arrival.tuple = sighting.tuple;
        arrival.way = sighting.way;
        arrival.session = session;
        arrival.is_fragment = piece.is_some();
        arrival.is_truncated = packet.stack.is_truncated();
        arrival.wire_len = wire_len;
        arrival.payload_len = payload_len;
        arrival.now_ns = now_ns;
        arrival.tuple_hash = tuple_hash;
        arrival.fingerprint = showing.fingerprint;
        arrival.checksum = showing.checksum;
        arrival.is_identified = showing.is_identified;
        arrival.segment = segment;
        arrival.flow_cookie = packet.gwlb().and_then(|gwlb| gwlb.flow_cookie);
        arrival.payload = self.payloads.keep(&sighting, payload_at);
        match piece {
            None => true,
            Some(piece) => self.put_together(piece),
        }
    }

    /// Has those fragments wait to be counted too that waited for the one that came last, if it is a first one.
    /// `false`, and it waits elsewhere, for a later one whose first one is missing.
    #[cold]
    fn put_together(&mut self, piece: Piece) -> bool {
        let Self { fragments, waiting, .. } = self;
        match piece {
            Piece::Known => {}
            Piece::First(packet) => {
                let Some(arrival) = waiting.last().copied() else { return false };
                let Arrival { tuple, way, tuple_hash, now_ns, .. } = arrival;
                fragments.release(packet, now_ns, |held| {
                    waiting.push(Arrival { tuple, way, tuple_hash, ..held });
                });
            }
            Piece::Lone(packet) => {
                let Some(arrival) = waiting.pop() else { return false };
                let given_up = fragments.hold(packet, Arrival { is_traced: false, ..arrival });
                self.counters.lone_fragments += u64::from(given_up.is_some());
                waiting.extend(given_up.map(|arrival| Arrival { is_late: true, ..arrival }));
                return false;
            }
        }
        true
    }

    /// Has the fragments be counted that have waited too long at the time `now_ns`, or at no time all of them.
    #[cold]
    fn give_up(&mut self, now_ns: Option<i64>) {
        while let Some(arrival) = self.fragments.overdue(now_ns) {
            self.counters.lone_fragments += 1;
            self.waiting.push(Arrival { is_late: true, ..arrival });
        }
    }

    /// Reads what counting will touch, so that it is at hand then, and notes which flows it will probably be.
    fn look_ahead(&mut self, waiting: &mut [Arrival]) {
        let mut seen = 0;
        if let Some(duplicates) = &self.duplicates {
            seen = waiting.iter().fold(0, |seen, arrival| seen ^ duplicates.look_ahead(arrival.fingerprint));
        }
        for arrival in waiting.iter_mut() {
            arrival.hint = self.index.find(arrival.index_hash(arrival.session), |_| true);
        }
        for arrival in waiting.iter() {
            if let Some(hint) = arrival.hint {
                let flow = &self.slab[index::slot_and_place(hint).0];
                seen ^= flow.look_ahead(arrival.way);
                if self.trace.is_some() {
                    seen ^= u64::from(flow.number);
                }
            }
        }
        // Without a use the compiler would leave the reading out.
        hint::black_box(seen);
    }

    #[inline]
    fn enter(&mut self, arrival: &Arrival, payload: &[u8], ended: &mut impl FnMut(FlowRecord)) -> Placed {
        if self.swept_ns.abs_diff(arrival.now_ns) > SWEEP_NS && !arrival.is_late {
            self.sweep(arrival.now_ns, ended);
        }
        self.count(arrival, payload, ended)
    }

    #[inline]
    fn count(&mut self, arrival: &Arrival, payload: &[u8], ended: &mut impl FnMut(FlowRecord)) -> Placed {
        if arrival.fingerprint != 0
            && let Some(duplicates) = &mut self.duplicates
            && let Some(original) = duplicates.observe(arrival.session, arrival.showing(), arrival.now_ns)
        {
            return self.count_duplicate(original, arrival, ended);
        }
        let (slot, place) = match self.find(arrival, arrival.session) {
            Some((slot, place)) if !self.ends_before(slot, arrival, ended) => (slot, place),
            _ => (self.begin(arrival, ended), 0),
        };
        let flow = &mut self.slab[slot];
        // Read only where somebody wants to know: it lies apart from what every packet touches.
        let sent_again = |flow: &Flow| flow.connection.troubles[arrival.way as usize].retransmissions;
        let before = self.trace.is_some().then(|| sent_again(flow));
        flow.observe(arrival, payload, place as u8);
        let is_retransmission = before.is_some_and(|before| sent_again(flow) != before);
        let class = match flow.tuple.protocol {
            TCP if flow.connection.state.is_over() => Class::Closed,
            TCP => Class::Tcp,
            _ => Class::Other,
        };
        self.idle.touch(flow, slot, class, arrival.now_ns);
        let number = self.trace.is_some().then_some(flow.number);
        Placed { flow: number, is_duplicate: false, is_retransmission }
    }

    fn sweep(&mut self, now_ns: i64, ended: &mut impl FnMut(FlowRecord)) {
        self.swept_ns = now_ns;
        for class in Class::ALL {
            while let Some(slot) = self.idle.first(class)
                && self.is_idle(slot, now_ns)
            {
                self.end(slot, idle_reason(class), ended);
            }
        }
    }

    #[inline]
    fn tuple_hash(&self, tuple: &Tuple) -> u64 {
        self.hasher.hash_one(tuple)
    }

    /// The flow of a session's tuple, and the session's place in it.
    #[inline]
    fn find(&self, arrival: &Arrival, session: u16) -> Option<(u32, usize)> {
        let is_it = |entry| {
            let (slot, place) = index::slot_and_place(entry);
            let flow = &self.slab[slot];
            flow.sessions[place] == session && flow.tuple == arrival.tuple
        };
        let hint = arrival.hint.filter(|hint| is_it(*hint));
        hint.or_else(|| self.index.find(arrival.index_hash(session), is_it)).map(index::slot_and_place)
    }

    /// Ends a flow that this packet does not belong to any more, and tells so.
    #[inline]
    fn ends_before(&mut self, slot: u32, arrival: &Arrival, ended: &mut impl FnMut(FlowRecord)) -> bool {
        let flow = &self.slab[slot];
        let is_reopened = |segment| flow.connection.is_reopened_by(arrival.way, segment);
        let reason = if self.is_idle(slot, arrival.now_ns) {
            idle_reason(flow.class)
        } else if arrival.segment.as_ref().is_some_and(is_reopened) {
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
        let timeout_ns = match flow.class {
            Class::Tcp => self.options.tcp_idle_ns,
            Class::Other => self.options.other_idle_ns,
            Class::Closed => self.options.linger_ns,
        };
        flow.last_ns.abs_diff(now_ns) > timeout_ns
    }

    fn begin(&mut self, arrival: &Arrival, ended: &mut impl FnMut(FlowRecord)) -> u32 {
        if self.len() >= self.options.max_flows
            && let Some(slot) = self.least_recent()
        {
            self.counters.evicted += 1;
            self.end(slot, EndReason::Evicted, ended);
        }
        let slot = self.slab.insert(Flow::new(arrival, self.counters.flows as u32));
        let class = if arrival.tuple.protocol == TCP { Class::Tcp } else { Class::Other };
        self.idle.push(&mut self.slab[slot], slot, class, arrival.now_ns);
        self.index.insert(arrival.index_hash(arrival.session), index::entry(slot, 0));
        self.counters.flows += 1;
        slot
    }

    /// The flow that makes room for another.
    fn least_recent(&self) -> Option<u32> {
        let seen_ns = |slot: &u32| self.slab[*slot].last_ns;
        let open = [Class::Tcp, Class::Other].into_iter().filter_map(|class| self.idle.first(class));
        self.idle.first(Class::Closed).or_else(|| open.min_by_key(seen_ns))
    }

    fn end(&mut self, slot: u32, reason: EndReason, ended: &mut impl FnMut(FlowRecord)) {
        ended(self.slab[slot].record(|session| self.sessions.key(session), Some(reason)));
        self.forget(slot);
    }

    /// Takes a flow out of index, list and slab.
    fn forget(&mut self, slot: u32) {
        let tuple_hash = self.tuple_hash(&self.slab[slot].tuple);
        for (place, session) in self.slab[slot].known_sessions() {
            self.index.remove(arrival::index_hash(tuple_hash, session), index::entry(slot, place));
        }
        self.idle.remove(slot, self.slab[slot].class);
        self.slab.remove(slot);
    }

    /// Counts a copy with the flow of the session that showed the packet first, and joins the two sessions' flows.
    fn count_duplicate(
        &mut self,
        original: u16,
        arrival: &Arrival,
        ended: &mut impl FnMut(FlowRecord),
    ) -> Placed {
        self.counters.duplicates += 1;
        let own = self.find(arrival, arrival.session).map(|(slot, _)| slot);
        let slot = match own {
            Some(own) if self.slab[own].observer(original).is_some() => Some(own),
            _ => self.join(original, own, arrival, ended).or(own),
        };
        match slot {
            Some(slot) => self.slab[slot].count_duplicate(arrival.way, arrival.wire_len, arrival.now_ns),
            None => {
                self.counters.orphans += 1;
                self.counters.orphan_bytes += u64::from(arrival.wire_len);
            }
        }
        Placed { flow: slot.map(|slot| self.slab[slot].number), is_duplicate: true, is_retransmission: false }
    }

    /// Makes one flow of `own`, the flow of this packet's session if it has one, and that of the session `original`.
    /// Gives the flow to count with; `None` where that of `original` has ended.
    fn join(
        &mut self,
        original: u16,
        own: Option<u32>,
        arrival: &Arrival,
        ended: &mut impl FnMut(FlowRecord),
    ) -> Option<u32> {
        let (slot, _) = self.find(arrival, original)?;
        let Some(own) = own else {
            self.admit(slot, arrival.session, arrival);
            return Some(slot);
        };
        if self.is_idle(own, arrival.now_ns) {
            self.end(own, idle_reason(self.slab[own].class), ended);
            return self.join(original, None, arrival, ended);
        }
        let sessions = self.slab[slot].known_sessions().count() + self.slab[own].known_sessions().count();
        if sessions > MAX_SESSIONS {
            return Some(slot);
        }
        let is_older = self.slab[own].first_ns() < self.slab[slot].first_ns();
        let (older, younger) = if is_older { (own, slot) } else { (slot, own) };
        self.absorb(older, younger, arrival);
        Some(older)
    }

    /// Adds a session to a flow, if there is room for it.
    fn admit(&mut self, slot: u32, session: u16, arrival: &Arrival) {
        if let Some(place) = self.slab[slot].add_session(session) {
            self.index.insert(arrival.index_hash(session), index::entry(slot, place));
        }
    }

    fn absorb(&mut self, older: u32, younger: u32, arrival: &Arrival) {
        let mut gone = self.slab[younger].clone();
        if let Some(trace) = &mut self.trace {
            trace.joined.push((gone.number, self.slab[older].number));
        }
        self.forget(younger);
        self.slab[older].absorb(&mut gone);
        for (_, session) in gone.known_sessions() {
            self.admit(older, session, arrival);
        }
        self.counters.joined += 1;
    }
}

fn idle_reason(class: Class) -> EndReason {
    if class == Class::Closed { EndReason::Closed } else { EndReason::Idle }
}

#[cfg(test)]
mod tests;
