//! One packet mirrored twice, at both of its ends, is recognised by what does not change on its way.
//!
//! The same packet leaves one mirrored interface and enters another, so that two sessions deliver it, moments
//! apart and in either order (AWS: "within one interface a packet is mirrored once"). Two packets are copies of
//! each other when they
//! - come from **different** mirror sessions, within [`WINDOW_NS`] of each other, and
//! - agree in the innermost addresses, protocol and ports, in the IP identification and fragment offset (IPv6: flow
//!   label), in length, and in the octets behind the IP header: the TCP header, else the first 36.
//!
//! MAC addresses, TTL, DSCP and ECN change on the way, and checksums may not yet be filled in where the sender's
//! interface mirrors: they do not count. A retransmission may agree in all of this (IPv6 has no identification).
//! So copies are **counted**: when a session shows the packet for the n-th time, and no session has shown it n times
//! before, it is a new packet; else it is a copy. What one session misses, the other makes up for.
//!
//! A duplicate is counted with the flow of the session that showed the packet first, and the two sessions' flows
//! become one from then on: that flow sees each packet once, whichever end showed it first, so that the loss of one
//! mirror is no gap, and the second copy no retransmission.

use core::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use super::{
    key::{Sighting, TCP, UDP},
    recent::Recent,
};

/// How far apart the copies of a packet may be.
pub const WINDOW_NS: u64 = 1_000_000_000;
/// Packets among which a copy is looked for, unless options say otherwise.
pub const DEFAULT_CAPACITY: usize = 65_536;

/// Octets behind the IP header that are compared where there is no TCP header.
const COMPARED_LEN: usize = 36;
/// Sessions whose copies of one packet are counted; those of further sessions are copies always.
const MAX_SESSIONS: usize = 3;
const NOBODY: u32 = u32::MAX;

/// Recognises copies among recent packets.
#[derive(Clone, Debug)]
pub(crate) struct Duplicates {
    hasher: FixedState,
    recent: Recent<Copies>,
}

/// How often each session has shown a packet.
#[derive(Clone, Copy, Debug)]
struct Copies {
    sessions: [u32; MAX_SESSIONS],
    counts: [u8; MAX_SESSIONS],
    /// How many packets that look like this there were: the highest of the counts.
    packets: u8,
}

impl Default for Copies {
    fn default() -> Self {
        Self { sessions: [NOBODY; MAX_SESSIONS], counts: [0; MAX_SESSIONS], packets: 0 }
    }
}

impl Duplicates {
    pub(crate) fn new(hasher: FixedState, capacity: usize) -> Self {
        Self { hasher, recent: Recent::new(capacity, WINDOW_NS) }
    }

    /// Notes a packet that `session` mirrored. For a copy: the session that showed the packet first.
    #[inline]
    pub(crate) fn observe(
        &mut self,
        session: u32,
        tuple_hash: u64,
        sighting: &Sighting<'_>,
        now_ns: i64,
    ) -> Option<u32> {
        let fingerprint = self.fingerprint(tuple_hash, sighting);
        let Some(copies) = self.recent.find(fingerprint, now_ns) else {
            self.recent.insert(fingerprint, now_ns, Copies::first(session));
            return None;
        };
        let [first, ..] = copies.sessions;
        if copies.add(session) == Verdict::Copy {
            return Some(first);
        }
        let copies = *copies;
        self.recent.insert(fingerprint, now_ns, copies);
        None
    }

    #[inline]
    fn fingerprint(&self, tuple_hash: u64, sighting: &Sighting<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(tuple_hash ^ sighting.way as u64);
        hasher.write_u64(sighting.mark);
        hasher.write_u32(sighting.transport_len);
        let (before, behind) = around_checksum(sighting);
        hasher.write(before);
        hasher.write(behind);
        hasher.finish()
    }
}

/// The compared octets before and behind the transport's checksum.
#[inline]
fn around_checksum<'a>(sighting: &Sighting<'a>) -> (&'a [u8], &'a [u8]) {
    let octets = sighting.transport;
    let upto = |len: usize| octets.get(..len).unwrap_or(octets);
    let between = |from: usize, to: usize| octets.get(from..to.min(octets.len())).unwrap_or_default();
    match (sighting.tuple.protocol, sighting.fragment.is_some_and(|fragment| !fragment.is_first)) {
        (TCP, false) => (upto(16), between(18, 20)),
        (UDP, false) => (upto(6), between(8, COMPARED_LEN)),
        _ => (upto(COMPARED_LEN), &[]),
    }
}

#[derive(PartialEq, Eq)]
enum Verdict {
    New,
    Copy,
}

impl Copies {
    #[inline]
    fn first(session: u32) -> Self {
        let mut copies = Self { packets: 1, ..Self::default() };
        (copies.sessions[0], copies.counts[0]) = (session, 1);
        copies
    }

    fn add(&mut self, session: u32) -> Verdict {
        let known = |slot: &u32| *slot == session || *slot == NOBODY;
        let Some(at) = self.sessions.iter().position(known) else { return Verdict::Copy };
        self.sessions[at] = session;
        if self.counts[at] == u8::MAX {
            self.halve();
        }
        self.counts[at] += 1;
        if self.counts[at] <= self.packets {
            return Verdict::Copy;
        }
        self.packets = self.counts[at];
        Verdict::New
    }

    /// Keeps the counters from overflowing, and how far each is behind the others.
    fn halve(&mut self) {
        const HALF: u8 = u8::MAX / 2;
        self.packets = self.packets.saturating_sub(HALF);
        self.counts = self.counts.map(|count| count.saturating_sub(HALF));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::key::{Tuple, Way};

    const MS: i64 = 1_000_000;

    fn packet(transport: &[u8]) -> Sighting<'_> {
        let (tuple, way) = Tuple::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), TCP);
        Sighting { tuple, way, fragment: None, mark: 0, transport, transport_len: transport.len() as u32 }
    }

    fn verdicts(seen: &[(u32, i64)]) -> Vec<Option<u32>> {
        let mut duplicates = Duplicates::new(FixedState::default(), 16);
        seen.iter().map(|(session, ms)| duplicates.observe(*session, 1, &packet(&[0; 20]), ms * MS)).collect()
    }

    #[test]
    fn the_copy_of_another_session_is_a_duplicate_of_the_first() {
        assert_eq!(verdicts(&[(4, 0), (9, 3)]), [None, Some(4)]);
    }

    #[test]
    fn one_session_never_duplicates_itself() {
        assert_eq!(verdicts(&[(4, 0), (4, 1), (4, 2)]), [None; 3]);
    }

    #[test]
    fn a_retransmission_seen_at_both_ends_is_two_packets_in_any_order() {
        let new_packets = |seen| verdicts(seen).iter().filter(|verdict| verdict.is_none()).count();
        assert_eq!(new_packets(&[(1, 0), (2, 1), (1, 200), (2, 201)]), 2);
        assert_eq!(new_packets(&[(1, 0), (1, 1), (2, 2), (2, 3)]), 2);
        assert_eq!(new_packets(&[(1, 0), (2, 1), (2, 200), (1, 201)]), 2);
        // One mirror lost the first of them.
        assert_eq!(new_packets(&[(2, 0), (1, 200), (2, 201)]), 2);
    }

    #[test]
    fn a_copy_that_comes_too_late_is_a_packet_of_its_own() {
        assert_eq!(verdicts(&[(1, 0), (2, 1_001)]), [None, None]);
    }

    #[test]
    fn hundreds_of_equal_packets_keep_their_count() {
        let seen: Vec<_> = (0..600).flat_map(|ms| [(1, ms), (2, ms)]).collect();
        assert_eq!(verdicts(&seen).iter().filter(|verdict| verdict.is_none()).count(), 600);
    }

    #[test]
    fn checksums_do_not_count_and_directions_do() {
        let mut duplicates = Duplicates::new(FixedState::default(), 16);
        let mut other = [0; 20];
        other[16..18].copy_from_slice(&[0xbe, 0xef]);
        assert_eq!(duplicates.observe(1, 1, &packet(&[0; 20]), 0), None);
        assert_eq!(duplicates.observe(2, 1, &packet(&other), 0), Some(1));
        let back = Sighting { way: Way::Down, ..packet(&other) };
        assert_eq!(duplicates.observe(2, 1, &back, 0), None);
    }
}
