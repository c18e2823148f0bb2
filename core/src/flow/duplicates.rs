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

use super::key::{Sighting, TCP, UDP};

/// How far apart the copies of a packet may be.
pub const WINDOW_NS: u64 = 1_000_000_000;
/// Packets among which a copy is looked for, unless options say otherwise.
pub const DEFAULT_CAPACITY: usize = 65_536;

/// Octets behind the IP header that are compared where there is no TCP header.
const COMPARED_LEN: usize = 36;
/// Sessions whose copies of one packet are counted; those of further sessions are copies always.
const MAX_SESSIONS: usize = 3;
const NOBODY: u16 = u16::MAX;
/// Packets that share a bucket: a new one replaces an empty place or the oldest.
const WAYS: usize = 3;
/// Times are kept in units of 65,536 ns, and so come round after three days.
const UNIT_BITS: u32 = 16;
const WINDOW_UNITS: u32 = (WINDOW_NS >> UNIT_BITS) as u32;

/// Recognises copies among recent packets.
///
/// The size never changes, and a packet touches one bucket, which is one cache line, whatever the traffic. Who fills
/// it with rubbish makes it forget sooner and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Duplicates {
    hasher: FixedState,
    buckets: Box<[Bucket]>,
}

/// A few packets by what they look like, and how often each of the sessions that showed it has shown it. The highest
/// of the counts is how many packets look like this.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Bucket {
    /// 0 for an empty place.
    fingerprints: [u64; WAYS],
    seen: [u32; WAYS],
    sessions: [Sessions; WAYS],
    counts: [Counts; WAYS],
}

type Sessions = [u16; MAX_SESSIONS];
type Counts = [u8; MAX_SESSIONS];

const EMPTY: Bucket = Bucket {
    fingerprints: [0; WAYS],
    seen: [0; WAYS],
    sessions: [[NOBODY; MAX_SESSIONS]; WAYS],
    counts: [[0; MAX_SESSIONS]; WAYS],
};

impl Duplicates {
    /// Room for at least `capacity` packets.
    pub(crate) fn new(hasher: FixedState, capacity: usize) -> Self {
        let len = capacity.div_ceil(WAYS).next_power_of_two();
        Self { hasher, buckets: vec![EMPTY; len].into() }
    }

    /// Notes a packet that `session` mirrored. For a copy: the session that showed the packet first.
    #[inline]
    pub(crate) fn observe(&mut self, session: u16, fingerprint: u64, now_ns: i64) -> Option<u16> {
        let place = self.place(fingerprint);
        self.buckets[place].observe(session, fingerprint, (now_ns >> UNIT_BITS) as u32)
    }

    /// Reads the bucket of a packet that will soon be observed, so that it is at hand then.
    #[inline]
    pub(crate) fn look_ahead(&self, fingerprint: u64) -> u64 {
        self.buckets[self.place(fingerprint)].fingerprints[0]
    }

    #[inline]
    fn place(&self, fingerprint: u64) -> usize {
        // The length is a power of two.
        fingerprint as usize & (self.buckets.len() - 1)
    }

    /// What copies of a packet have in common, and no other packet has; never 0.
    #[inline]
    pub(crate) fn fingerprint(&self, tuple_hash: u64, sighting: &Sighting<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(tuple_hash ^ sighting.way as u64);
        hasher.write_u64(sighting.mark);
        hasher.write_u32(sighting.transport_len);
        match tcp_header(sighting) {
            Some((before, behind)) => {
                before.into_iter().for_each(|word| hasher.write_u64(word));
                hasher.write_u16(behind);
            }
            None => {
                let (before, behind) = around_checksum(sighting);
                hasher.write(before);
                hasher.write(behind);
            }
        }
        hasher.finish().max(1)
    }
}

/// The octets of a whole TCP header before and behind its checksum.
#[inline]
fn tcp_header(sighting: &Sighting<'_>) -> Option<([u64; 2], u16)> {
    if sighting.tuple.protocol != TCP || sighting.is_later_fragment() {
        return None;
    }
    let (first, rest) = sighting.transport.split_first_chunk()?;
    let (second, rest) = rest.split_first_chunk()?;
    let [_, _, behind @ ..] = *rest.first_chunk::<4>()?;
    Some(([u64::from_be_bytes(*first), u64::from_be_bytes(*second)], u16::from_be_bytes(behind)))
}

/// The compared octets before and behind the transport's checksum.
#[inline]
fn around_checksum<'a>(sighting: &Sighting<'a>) -> (&'a [u8], &'a [u8]) {
    let octets = sighting.transport;
    let upto = |len: usize| octets.get(..len).unwrap_or(octets);
    let between = |from: usize, to: usize| octets.get(from..to.min(octets.len())).unwrap_or_default();
    match (sighting.tuple.protocol, sighting.is_later_fragment()) {
        (TCP, false) => (upto(16), between(18, 20)),
        (UDP, false) => (upto(6), between(8, COMPARED_LEN)),
        _ => (upto(COMPARED_LEN), &[]),
    }
}

impl Bucket {
    #[inline]
    fn observe(&mut self, session: u16, fingerprint: u64, now: u32) -> Option<u16> {
        let known = self.fingerprints.iter().position(|known| *known == fingerprint);
        if let Some(at) = known
            && is_near(self.seen[at], now)
        {
            let [first, ..] = self.sessions[at];
            return match verdict(&mut self.sessions[at], &mut self.counts[at], session) {
                Verdict::Copy => Some(first),
                Verdict::New => {
                    self.seen[at] = now;
                    None
                }
            };
        }
        let at = known.unwrap_or_else(|| self.oldest(now));
        self.fingerprints[at] = fingerprint;
        self.seen[at] = now;
        self.sessions[at] = [session, NOBODY, NOBODY];
        self.counts[at] = [1, 0, 0];
        None
    }

    #[inline]
    fn oldest(&self, now: u32) -> usize {
        let mut oldest = (0, 0);
        for (at, (fingerprint, seen)) in self.fingerprints.iter().zip(self.seen).enumerate() {
            if *fingerprint == 0 {
                return at;
            }
            oldest = oldest.max((apart(seen, now), at));
        }
        oldest.1
    }
}

#[inline]
fn apart(seen: u32, now: u32) -> u32 {
    (now.wrapping_sub(seen) as i32).unsigned_abs()
}

#[inline]
fn is_near(seen: u32, now: u32) -> bool {
    apart(seen, now) <= WINDOW_UNITS
}

#[derive(PartialEq, Eq)]
enum Verdict {
    New,
    Copy,
}

/// Counts that `session` shows a packet once more.
fn verdict(sessions: &mut Sessions, counts: &mut Counts, session: u16) -> Verdict {
    let known = |slot: &u16| *slot == session || *slot == NOBODY;
    let Some(at) = sessions.iter().position(known) else { return Verdict::Copy };
    sessions[at] = session;
    if counts[at] == u8::MAX {
        halve(counts);
    }
    let packets = counts.iter().copied().max();
    counts[at] += 1;
    if Some(counts[at]) <= packets { Verdict::Copy } else { Verdict::New }
}

/// Keeps the counters from overflowing, and how far each is behind the others.
fn halve(counts: &mut Counts) {
    const HALF: u8 = u8::MAX / 2;
    counts.iter_mut().for_each(|count| *count = count.saturating_sub(HALF));
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

    fn verdicts(seen: &[(u16, i64)]) -> Vec<Option<u16>> {
        let mut duplicates = Duplicates::new(FixedState::default(), 16);
        let fingerprint = duplicates.fingerprint(1, &packet(&[0; 20]));
        seen.iter().map(|(session, ms)| duplicates.observe(*session, fingerprint, ms * MS)).collect()
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
        let duplicates = Duplicates::new(FixedState::default(), 16);
        let fingerprint = |sighting: &Sighting<'_>| duplicates.fingerprint(1, sighting);
        let (mut unchecked, mut numbered) = ([0; 20], [0; 20]);
        unchecked[16..18].copy_from_slice(&[0xbe, 0xef]);
        numbered[19] = 1;
        assert_eq!(fingerprint(&packet(&[0; 20])), fingerprint(&packet(&unchecked)));
        assert_ne!(fingerprint(&packet(&[0; 20])), fingerprint(&packet(&numbered)));
        let back = Sighting { way: Way::Down, ..packet(&unchecked) };
        assert_ne!(fingerprint(&packet(&unchecked)), fingerprint(&back));
    }

    #[test]
    fn a_full_bucket_forgets_its_oldest_packet() {
        let mut duplicates = Duplicates::new(FixedState::default(), 1);
        for fingerprint in 1..=4 {
            assert_eq!(duplicates.observe(1, fingerprint, fingerprint as i64 * MS), None);
        }
        let copies =
            [1, 2, 3, 4].map(|fingerprint| duplicates.buckets[0].fingerprints.contains(&fingerprint));
        assert_eq!(copies, [false, true, true, true]);
    }

    #[test]
    fn a_bucket_is_one_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }
}
