//! One packet that is delivered more than once is recognised by what does not change on its way, and counted once.
//!
//! **Mirrored at both ends.** The same packet leaves one mirrored interface and enters another, so that two sessions
//! deliver it, moments apart and in either order. Two packets are copies of each other when they
//! - come from **different** mirror sessions, within [`WINDOW_NS`] of each other, and
//! - agree in the innermost addresses, protocol and ports, in the IP identification and fragment offset (IPv6: flow
//!   label), in length, and in the octets behind the IP header: the TCP header, else the first 36.
//!
//! MAC addresses, TTL, DSCP and ECN change on the way, and checksums may not yet be filled in where the sender's
//! interface mirrors: they do not count. A retransmission may agree in all of this (IPv6 has no identification).
//! So copies are **counted**: when a session shows the packet for the n-th time, and no session has shown it n times
//! before, it is a new packet; else it is a copy. What one session misses, the other makes up for.
//!
//! **Delivered twice by one session.** AWS mirrors a packet once within one interface, but the network between may
//! deliver it again. What one session shows again is a copy when it agrees in all of the above and
//! - has an IP identification (IPv4, not 0; or an IPv6 fragment) and comes within [`REPEAT_NS`]: a retransmission has
//!   another identification, and no stack retransmits by timer so early; or
//! - has none, but also agrees in the checksum of TCP or UDP, and comes within [`MOMENT_NS`]: hardly a sender learns
//!   of a loss and sends again so soon.
//!
//! All else that one session shows again is a retransmission, or a datagram that was sent twice. A sender that gives
//! all its packets one identification and one content cannot be told from a network that repeats them; whoever
//! measures with such packets counts them all with [`FlowOptions::keep_duplicates`](super::FlowOptions).
//!
//! A duplicate is counted with the flow of the session that showed the packet first, and the two sessions' flows
//! become one from then on: that flow sees each packet once, whichever end showed it first, so that the loss of one
//! mirror is no gap, and the second copy no retransmission.

use core::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::FixedState;

use super::key::{Sighting, TCP, UDP};

/// How far apart the copies of a packet by different sessions may be.
pub const WINDOW_NS: u64 = 1_000_000_000;
/// How late one session may repeat a packet that has an identification: half the least time after which Linux
/// retransmits.
pub const REPEAT_NS: u64 = 100_000_000;
/// How late one session may repeat a packet that has no identification, true to 65,536 ns.
pub const MOMENT_NS: u64 = 100_000;
/// Packets among which a copy is looked for, unless options say otherwise: at a million packets a second those of the
/// last 30 ms, in a megabyte. What is larger drives the flows themselves out of the processor's cache.
pub const DEFAULT_CAPACITY: usize = 32_768;

/// Octets behind the IP header that are compared where there is no TCP header.
const COMPARED_LEN: usize = 36;
/// Sessions whose copies of one packet are counted; those of further sessions are copies always.
const MAX_SESSIONS: usize = 3;
const NOBODY: u16 = u16::MAX;
/// Packets that share a bucket: a new one replaces an empty place or the oldest.
const WAYS: usize = 3;
/// Times are kept in units of 65,536 ns, and so come round after three days.
const UNIT_BITS: u32 = 16;
const WINDOW_UNITS: u32 = units(WINDOW_NS);
const REPEAT_UNITS: u32 = units(REPEAT_NS);
const MOMENT_UNITS: u32 = units(MOMENT_NS);
/// The part of a place's key that says what its latest showing looked like; above it the fingerprint. The bits that
/// the fingerprint loses here chose the bucket.
const LATEST: u64 = 0xffff;
/// Set in every fingerprint, so that none is 0.
const TAKEN: u64 = 1 << 63;

const fn units(ns: u64) -> u32 {
    (ns >> UNIT_BITS) as u32
}

/// One showing of a packet by a session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Showing {
    /// What copies of a packet have in common, and no other packet has; 0 where no copy is looked for.
    pub(crate) fingerprint: u64,
    /// Of TCP or UDP; 0 where there is none.
    pub(crate) checksum: u16,
    /// Whether the fingerprint has an identification in it, which a retransmission does not share.
    pub(crate) is_identified: bool,
}

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
    /// The fingerprint, and what the latest showing looked like; 0 for an empty place.
    keys: [u64; WAYS],
    seen: [u32; WAYS],
    sessions: [Sessions; WAYS],
    counts: [Counts; WAYS],
}

type Sessions = [u16; MAX_SESSIONS];
type Counts = [u8; MAX_SESSIONS];

const EMPTY: Bucket = Bucket {
    keys: [0; WAYS],
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
    pub(crate) fn observe(&mut self, session: u16, showing: Showing, now_ns: i64) -> Option<u16> {
        let place = self.place(showing.fingerprint);
        self.buckets[place].observe(session, showing, (now_ns >> UNIT_BITS) as u32)
    }

    /// Reads the bucket of a packet that will soon be observed, so that it is at hand then.
    #[inline]
    pub(crate) fn look_ahead(&self, fingerprint: u64) -> u64 {
        self.buckets[self.place(fingerprint)].keys[0]
    }

    #[inline]
    fn place(&self, fingerprint: u64) -> usize {
        // The length is a power of two.
        fingerprint as usize & (self.buckets.len() - 1)
    }

    /// What a packet looks like that one of the sessions shows.
    #[inline]
    pub(crate) fn showing(&self, sighting: &Sighting<'_>) -> Showing {
        let mut hasher = self.hasher.build_hasher();
        sighting.tuple.hash(&mut hasher);
        // Both directions have one tuple.
        hasher.write_u64(sighting.mark ^ (sighting.way as u64) << 63);
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
        let fingerprint = hasher.finish() | TAKEN;
        Showing { fingerprint, checksum: checksum(sighting), is_identified: sighting.is_identified }
    }
}

/// The transport's checksum, a digest of all its octets; 0 where it was not captured.
#[inline]
fn checksum(sighting: &Sighting<'_>) -> u16 {
    let at = match (sighting.tuple.protocol, sighting.is_later_fragment()) {
        (TCP, false) => 16,
        (UDP, false) => 6,
        _ => return 0,
    };
    let octets = sighting.transport.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u16::from_be_bytes(*octets))
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

impl Showing {
    /// What tells the latest showing from others of the same packet: which session, and which checksum.
    #[inline]
    fn looks(&self, session: u16) -> u64 {
        // An odd factor keeps any two sessions apart.
        u64::from(self.checksum ^ session.wrapping_mul(0x9e37))
    }
}

impl Bucket {
    #[inline]
    fn observe(&mut self, session: u16, showing: Showing, now: u32) -> Option<u16> {
        let fingerprint = showing.fingerprint;
        let key = fingerprint & !LATEST | showing.looks(session);
        let known = self.keys.iter().position(|known| (*known ^ fingerprint) & !LATEST == 0);
        if let Some(at) = known
            && is_near(self.seen[at], now)
        {
            let [first, ..] = self.sessions[at];
            let is_copy = self.is_repeated(at, session, key, showing.is_identified, now)
                || verdict(&mut self.sessions[at], &mut self.counts[at], session) == Verdict::Copy;
            (self.keys[at], self.seen[at]) = (key, now);
            return is_copy.then_some(first);
        }
        let at = known.unwrap_or_else(|| self.oldest(now));
        (self.keys[at], self.seen[at]) = (key, now);
        self.sessions[at] = [session, NOBODY, NOBODY];
        self.counts[at] = [1, 0, 0];
        None
    }

    /// Whether a session shows again what it has shown, and no sender has sent again.
    #[inline]
    fn is_repeated(&self, at: usize, session: u16, key: u64, is_identified: bool, now: u32) -> bool {
        let later = apart(self.seen[at], now);
        let looks_the_same = self.keys[at] == key && later <= MOMENT_UNITS;
        looks_the_same || (is_identified && later <= REPEAT_UNITS && self.sessions[at].contains(&session))
    }

    #[inline]
    fn oldest(&self, now: u32) -> usize {
        let mut oldest = (0, 0);
        for (at, (key, seen)) in self.keys.iter().zip(self.seen).enumerate() {
            if *key == 0 {
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
        let transport_len = transport.len() as u32;
        Sighting { tuple, way, fragment: None, mark: 0, is_identified: false, transport, transport_len }
    }

    /// What is said of a packet without identification that sessions show at some times, in ms.
    fn verdicts(seen: &[(u16, i64)]) -> Vec<Option<u16>> {
        let seen: Vec<_> = seen.iter().map(|(session, ms)| (*session, ms * MS)).collect();
        verdicts_of(&packet(&[0; 20]), &seen)
    }

    fn verdicts_of(packet: &Sighting<'_>, seen: &[(u16, i64)]) -> Vec<Option<u16>> {
        let mut duplicates = Duplicates::new(FixedState::default(), 16);
        let showing = duplicates.showing(packet);
        seen.iter().map(|(session, ns)| duplicates.observe(*session, showing, *ns)).collect()
    }

    #[test]
    fn the_copy_of_another_session_is_a_duplicate_of_the_first() {
        assert_eq!(verdicts(&[(4, 0), (9, 3)]), [None, Some(4)]);
    }

    #[test]
    fn one_session_repeats_a_packet_without_identification_at_once_or_never() {
        assert_eq!(verdicts(&[(4, 0), (4, 1), (4, 2)]), [None; 3]);
        let at_once = verdicts_of(&packet(&[0; 20]), &[(4, 0), (4, 0), (4, 60_000), (4, 400_000)]);
        assert_eq!(at_once, [None, Some(4), Some(4), None]);
    }

    #[test]
    fn another_checksum_at_the_same_time_is_another_packet_of_that_session() {
        let mut duplicates = Duplicates::new(FixedState::default(), 16);
        let mut other = [0; 20];
        other[17] = 1;
        let showings = [[0; 20], other].map(|octets| duplicates.showing(&packet(&octets)));
        assert_eq!(showings.map(|showing| duplicates.observe(4, showing, 0)), [None; 2]);
    }

    #[test]
    fn one_session_repeats_a_packet_with_identification_until_it_could_be_another() {
        let identified = Sighting { mark: 7 << 16, is_identified: true, ..packet(&[0; 20]) };
        let verdicts = verdicts_of(&identified, &[(4, 0), (4, 90 * MS), (4, 300 * MS)]);
        assert_eq!(verdicts, [None, Some(4), None]);
    }

    #[test]
    fn what_both_ends_repeat_is_still_one_packet() {
        let identified = Sighting { mark: 7 << 16, is_identified: true, ..packet(&[0; 20]) };
        for seen in [[(1, 0), (1, 0), (2, MS), (2, MS)], [(1, 0), (2, MS), (1, MS), (2, 2 * MS)]] {
            assert_eq!(verdicts_of(&identified, &seen), [None, Some(1), Some(1), Some(1)]);
        }
        assert_eq!(verdicts(&[(1, 0), (1, 0), (2, 1), (2, 1)]), [None, Some(1), Some(1), Some(1)]);
    }

    #[test]
    fn a_retransmission_seen_at_both_ends_is_two_packets_in_any_order() {
        let new_packets = |seen| verdicts(seen).iter().filter(|verdict| verdict.is_none()).count();
        assert_eq!(new_packets(&[(1, 0), (2, 1), (1, 200), (2, 201)]), 2);
        assert_eq!(new_packets(&[(1, 0), (1, 1), (2, 2), (2, 3)]), 2);
        assert_eq!(new_packets(&[(1, 0), (2, 1), (2, 200), (1, 201)]), 2);
        assert_eq!(new_packets(&[(1, 0), (2, 1), (1, 1), (2, 2)]), 2);
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
        let fingerprint = |sighting: &Sighting<'_>| duplicates.showing(sighting).fingerprint;
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
        let showing = |id: u64| Showing { fingerprint: TAKEN | id << 16, ..Showing::default() };
        for id in 1..=4 {
            assert_eq!(duplicates.observe(1, showing(id), id as i64 * 2 * MS), None);
        }
        let copies = [1, 2, 3, 4].map(|id| {
            let is_it = |key: &u64| key & !LATEST == showing(id).fingerprint;
            duplicates.buckets[0].keys.iter().any(is_it)
        });
        assert_eq!(copies, [false, true, true, true]);
    }

    #[test]
    fn a_bucket_is_one_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }

    #[test]
    fn the_compared_octets_are_those_that_nobody_changes_on_the_way() {
        let duplicates = Duplicates::new(FixedState::default(), 16);
        let later = Some(crate::flow::key::Fragment { id: 1, is_first: false });
        // Protocol, whether it is a later fragment, captured octets behind the IP header, and which of them count.
        type Counts = fn(usize) -> bool;
        let cases: [(u8, bool, usize, Counts); 7] = [
            (TCP, false, 60, |at| at < 20 && !(16..18).contains(&at)),
            (TCP, false, 19, |at| !(16..18).contains(&at)),
            (TCP, false, 17, |at| at != 16),
            (TCP, true, 60, |at| at < 36),
            (UDP, false, 60, |at| at < 36 && !(6..8).contains(&at)),
            (UDP, true, 60, |at| at < 36),
            (1, false, 60, |at| at < 36),
        ];
        for (protocol, is_later, len, counts) in cases {
            let fingerprint = |octets: &[u8]| {
                let (tuple, way) = Tuple::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), protocol);
                let fragment = later.filter(|_| is_later);
                duplicates.showing(&Sighting { tuple, way, fragment, ..packet(octets) }).fingerprint
            };
            let octets = vec![0; len];
            for at in 0..len {
                let mut changed = octets.clone();
                changed[at] = 0x40;
                let differs = fingerprint(&changed) != fingerprint(&octets);
                assert_eq!(differs, counts(at), "octet {at} of {len}, protocol {protocol}, later {is_later}");
            }
        }
    }

    #[test]
    fn datagrams_that_differ_behind_what_is_compared_differ_in_their_checksum() {
        let mut duplicates = Duplicates::new(FixedState::default(), 16);
        let (tuple, way) = Tuple::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), UDP);
        let verdicts = [[0xbe, 0xef], [0xbe, 0xf0], [0xbe, 0xf0]].map(|checksum| {
            let mut octets = [0; 60];
            octets[6..8].copy_from_slice(&checksum);
            let showing = duplicates.showing(&Sighting { tuple, way, ..packet(&octets) });
            duplicates.observe(4, showing, 0)
        });
        assert_eq!(verdicts, [None, None, Some(4)]);
    }

    #[test]
    fn what_two_sessions_show_at_the_same_time_is_no_repetition_whatever_the_checksum() {
        // Once at both ends, and again at both after a timeout.
        let seen = [(1, 0), (2, 0), (2, 200 * MS), (1, 200 * MS)];
        for checksum in [[0, 0], [0xff, 0xff], [0x9e, 0x37]] {
            let mut octets = [0; 20];
            octets[16..18].copy_from_slice(&checksum);
            assert_eq!(verdicts_of(&packet(&octets), &seen), [None, Some(1), None, Some(1)], "{checksum:x?}");
        }
    }

    #[test]
    fn hardly_a_copy_is_missed_while_a_tenth_of_the_room_is_taken() {
        let mut duplicates = Duplicates::new(FixedState::default(), 32_768);
        let mut copies = 0;
        for session in [1, 2] {
            for id in 0..3_000 {
                let showing = duplicates.showing(&Sighting { mark: id, ..packet(&[0; 20]) });
                copies += usize::from(duplicates.observe(session, showing, id as i64).is_some());
            }
        }
        assert!((2_990..=3_000).contains(&copies), "{copies}");
    }
}
