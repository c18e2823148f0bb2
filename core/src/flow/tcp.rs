//! What the segments of a TCP connection tell of it: its state, round trips, and what went wrong on the way.
//!
//! Everything is read from headers, with lengths from the IP header, so that captures that cut the payload give the
//! same answer. Sequence numbers are compared in a circle (RFC 9293, 3.4).
//!
//! A **hole** is a range of a direction's sequence numbers that was jumped over, or acknowledged, before it was
//! seen. It closes when its octets come after all; what remains of it and was acknowledged is a **gap**: the
//! receiver got it and the capture did not, which is the mirror's loss. Against Wireshark's analysis:
//! - both call a segment behind the highest sequence number a retransmission unless it may have been overtaken;
//!   Wireshark decides by time alone (round trip, or 3 ms), we also ask whether its octets fill a hole: octets that
//!   were seen before are never "out of order";
//! - Wireshark counts segments before which something is missing, we count the octets that are missing.

use arrayvec::ArrayVec;

use super::key::Way;

/// The flag bits of octet 13 of the header.
pub mod flag {
    #![allow(missing_docs, reason = "the names are those of RFC 9293 and RFC 3168")]
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
    pub const ECE: u8 = 0x40;
    pub const CWR: u8 = 0x80;
}

use flag::{ACK, FIN, RST, SYN};

/// How much later a segment may come and count as overtaken, where no round-trip time is known (as in Wireshark).
const OUT_OF_ORDER_NS: u64 = 3_000_000;
/// The largest possible window (RFC 7323, 2.3). A jump beyond it is not loss: the connection is another one.
const MAX_JUMP: u32 = 1 << 30;
/// Holes that are remembered for a direction. When another one opens, the oldest counts as a gap.
pub const MAX_HOLES: usize = 16;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TcpState {
    /// No header could be read so far.
    #[default]
    Unknown,
    /// A SYN was seen and no answer.
    SynSent,
    /// A SYN with ACK was seen and nothing after it.
    SynReceived,
    /// The handshake was seen whole.
    Established,
    /// Segments were seen, but not the handshake.
    Midstream,
    /// One side has sent FIN.
    Closing,
    /// Both sides have sent FIN.
    Closed,
    /// RST was sent.
    Reset,
}

impl TcpState {
    /// The word for people and for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::Established => "established",
            Self::Midstream => "midstream",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }

    /// Whether the connection has come to its end.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Reset)
    }
}

/// The part of a TCP header that the analysis needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// Octets of payload on the wire.
    pub(crate) payload_len: u32,
    /// Octets of header.
    pub(crate) header_len: u32,
}

impl Segment {
    /// Reads a header of which at least 16 octets were captured; `wire_len` counts header and payload.
    #[inline]
    pub(crate) fn parse(octets: &[u8], wire_len: u32) -> Option<Self> {
        let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, data_offset, flags, w0, w1] =
            *octets.first_chunk::<16>()?;
        let header_len = u32::from(data_offset >> 4) * 4;
        Some(Self {
            seq: u32::from_be_bytes([s0, s1, s2, s3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            window: u16::from_be_bytes([w0, w1]),
            payload_len: wire_len.saturating_sub(header_len),
            header_len,
        })
    }

    #[inline]
    fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Sequence numbers that the segment takes up.
    #[inline]
    fn seq_len(&self) -> u32 {
        self.payload_len + u32::from(self.has(SYN)) + u32::from(self.has(FIN))
    }

    #[inline]
    fn is_pure_ack(&self) -> bool {
        self.payload_len == 0 && self.flags & (ACK | SYN | FIN | RST) == ACK
    }
}

/// When and by which of the flow's sessions a segment was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now_ns: i64,
    pub(crate) observer: u8,
}

/// A connection under observation.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Connection {
    pub(crate) sides: [Side; 2],
    /// Time of the latest SYN without ACK.
    syn_ns: Option<i64>,
    server_rtt: RoundTrip,
    handshake_rtt: RoundTrip,
    pub(crate) state: TcpState,
    client_is_down: bool,
}

/// A time in nanoseconds plus one; 0 where it is not known. Half the size of an `Option`.
#[derive(Clone, Copy, Debug, Default)]
struct RoundTrip(u32);

impl RoundTrip {
    /// From one time to a later one, if that is less than four seconds.
    fn between(then_ns: i64, now_ns: i64) -> Self {
        let ns = now_ns.checked_sub(then_ns).and_then(|ns| u32::try_from(ns).ok());
        Self(ns.and_then(|ns| ns.checked_add(1)).unwrap_or_default())
    }

    fn ns(self) -> Option<u32> {
        self.0.checked_sub(1)
    }

    fn or(self, other: Self) -> Self {
        if self.0 == 0 { other } else { self }
    }
}

/// What is known of one direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    /// The sequence number behind the highest one seen or acknowledged.
    next_seq: u32,
    /// The lowest sequence number seen.
    base_seq: u32,
    /// The highest acknowledgment that this side sent.
    acked: u32,
    window: u16,
    /// All flags seen, or'ed.
    pub(crate) flags: u8,
    knows: u8,
    /// Which session showed the segment that set `next_seq`, and when.
    advanced_by: u8,
    advanced_ns: i64,
    holes: Option<Box<ArrayVec<Hole, MAX_HOLES>>>,
    /// Octets of holes that had to be forgotten.
    forgotten_len: u64,
    pub(crate) retransmissions: u32,
    pub(crate) out_of_order: u32,
    pub(crate) duplicate_acks: u32,
    pub(crate) zero_windows: u32,
    pub(crate) keep_alives: u32,
}

const KNOWS_SEQ: u8 = 1;
const KNOWS_ACK: u8 = 2;
const KNOWS_SYN: u8 = 4;
/// The last segment was a keep-alive or a probe of a closed window.
const PROBED: u8 = 8;

/// Sequence numbers from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hole {
    start: u32,
    end: u32,
}

/// How far `a` lies behind `b` in the circle of sequence numbers; negative if before.
#[inline]
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

impl Connection {
    /// Whether `segment` opens another connection between the same ports: a SYN with another sequence number.
    #[inline]
    pub(crate) fn is_reopened_by(&self, way: Way, segment: &Segment) -> bool {
        if segment.flags & (SYN | ACK | RST) != SYN {
            return false;
        }
        let side = &self.sides[way as usize];
        let repeats = side.knows & KNOWS_SYN != 0 && side.base_seq == segment.seq;
        let repeats = repeats || side.began_behind(segment);
        (side.knows & KNOWS_SEQ != 0 || self.state.is_over()) && !repeats
    }

    /// Takes note of the next segment; tells whether it carries payload that was not seen before.
    #[inline]
    pub(crate) fn observe(&mut self, way: Way, segment: &Segment, at: Moment) -> bool {
        self.sides[way as usize].flags |= segment.flags;
        let is_new = self.sequence(way, segment, at);
        self.acknowledgment(way, segment, at);
        self.progress(way, segment, at.now_ns);
        is_new && segment.payload_len > 0
    }

    /// Forgets where the direction stands: segments of unknown length have passed.
    pub(crate) fn lose_track(&mut self, way: Way) {
        self.sides[way as usize].knows &= !KNOWS_SEQ;
    }

    /// Octets that were acknowledged and never seen in the direction that goes `way`.
    pub(crate) fn gap_len(&self, way: Way) -> u64 {
        let [side, peer] = [&self.sides[way as usize], &self.sides[way.opposite() as usize]];
        let holes = side.holes.iter().flat_map(|holes| holes.iter());
        let acked = |hole: &Hole| match peer.knows & KNOWS_ACK {
            0 => 0,
            _ => distance(peer.acked, hole.start).clamp(0, distance(hole.end, hole.start)) as u64,
        };
        side.forgotten_len + holes.map(acked).sum::<u64>()
    }

    /// SYN to SYN-ACK: the server's side of the round trip, seen from where the packets are mirrored.
    pub(crate) fn server_rtt_ns(&self) -> Option<u32> {
        self.server_rtt.ns()
    }

    /// SYN to the ACK that ends the handshake: the whole round trip, wherever the packets are mirrored.
    pub(crate) fn handshake_rtt_ns(&self) -> Option<u32> {
        self.handshake_rtt.ns()
    }

    /// Which way the client sends, if the handshake told.
    pub(crate) fn client(&self) -> Option<Way> {
        let is_known = self.sides.iter().any(|side| side.knows & KNOWS_SYN != 0);
        is_known.then_some(if self.client_is_down { Way::Down } else { Way::Up })
    }

    /// Takes in what another session saw of the same handshake.
    pub(crate) fn absorb_handshake(&mut self, other: &Self) {
        if self.client().is_none() || other.state > self.state {
            self.client_is_down = other.client_is_down;
        }
        self.state = self.state.max(other.state);
        self.syn_ns = self.syn_ns.or(other.syn_ns);
        self.server_rtt = self.server_rtt.or(other.server_rtt);
        self.handshake_rtt = self.handshake_rtt.or(other.handshake_rtt);
    }

    #[inline]
    fn sequence(&mut self, way: Way, segment: &Segment, at: Moment) -> bool {
        let round_trip = self.handshake_rtt;
        let peer_window = match &self.sides[way.opposite() as usize] {
            peer if peer.knows & KNOWS_ACK != 0 => Some(peer.window),
            _ => None,
        };
        let side = &mut self.sides[way as usize];
        if segment.has(RST) {
            return false;
        }
        let ahead = distance(segment.seq, side.next_seq);
        let is_elsewhere = ahead.unsigned_abs() > MAX_JUMP || side.restarts(segment);
        if side.knows & KNOWS_SEQ == 0 || is_elsewhere {
            side.start(segment, at);
            return true;
        }
        if side.began_behind(segment) {
            (side.base_seq, side.knows) = (segment.seq, side.knows | KNOWS_SYN);
            return false;
        }
        let was_probed = side.knows & PROBED != 0;
        side.knows &= !PROBED;
        if side.is_probe(segment, ahead, peer_window) {
            side.knows |= PROBED;
            return false;
        }
        if ahead >= 0 {
            if ahead > i32::from(was_probed) {
                side.open(Hole { start: side.next_seq, end: segment.seq });
            }
            side.advance(segment.seq.wrapping_add(segment.seq_len()), at);
            return true;
        }
        segment.seq_len() > 0 && side.repeat(segment, at, round_trip)
    }

    #[inline]
    fn acknowledgment(&mut self, way: Way, segment: &Segment, at: Moment) {
        if segment.flags & (ACK | RST) != ACK {
            return;
        }
        let [up, down] = &mut self.sides;
        let (side, peer) = if way == Way::Up { (up, down) } else { (down, up) };
        if segment.window == 0 && segment.flags & (SYN | FIN) == 0 {
            side.zero_windows += 1;
        }
        if side.repeats_ack(segment) && peer.knows & PROBED == 0 {
            side.duplicate_acks += 1;
        }
        if side.knows & KNOWS_ACK == 0 || distance(segment.ack, side.acked) > 0 {
            side.acked = segment.ack;
        }
        side.window = segment.window;
        side.knows |= KNOWS_ACK;
        peer.settle(segment.ack);
        let beyond = distance(segment.ack, peer.next_seq);
        if peer.knows & KNOWS_SEQ != 0 && beyond > 0 && beyond.unsigned_abs() <= MAX_JUMP {
            // A probe that the peer accepted is an octet that was seen.
            if beyond > i32::from(peer.knows & PROBED != 0) {
                peer.open(Hole { start: peer.next_seq, end: segment.ack });
            }
            peer.advance(segment.ack, at);
        }
    }

    #[inline]
    fn progress(&mut self, way: Way, segment: &Segment, now_ns: i64) {
        if segment.has(RST) {
            self.state = TcpState::Reset;
        } else if segment.has(SYN) {
            self.handshake(way, segment, now_ns);
        } else if segment.has(FIN) {
            self.close();
        } else if self.state < TcpState::Established {
            self.establish(way, segment, now_ns);
        }
    }

    fn handshake(&mut self, way: Way, segment: &Segment, now_ns: i64) {
        let is_answer = segment.has(ACK);
        self.client_is_down = (way == Way::Down) != is_answer;
        if !is_answer {
            self.syn_ns = Some(now_ns);
            self.state = self.state.max(TcpState::SynSent);
            return;
        }
        self.state = self.state.max(TcpState::SynReceived);
        self.server_rtt = self.server_rtt.or(self.since_syn(now_ns));
    }

    fn establish(&mut self, way: Way, segment: &Segment, now_ns: i64) {
        let is_from_client = self.client() == Some(way);
        match self.state {
            TcpState::SynReceived if is_from_client && segment.has(ACK) => {
                self.state = TcpState::Established;
                self.handshake_rtt = self.since_syn(now_ns);
            }
            TcpState::SynReceived => {}
            _ => self.state = TcpState::Midstream,
        }
    }

    fn since_syn(&self, now_ns: i64) -> RoundTrip {
        self.syn_ns.map_or(RoundTrip::default(), |syn_ns| RoundTrip::between(syn_ns, now_ns))
    }

    fn close(&mut self) {
        let both = self.sides.iter().all(|side| side.flags & FIN != 0);
        self.state = self.state.max(if both { TcpState::Closed } else { TcpState::Closing });
    }
}

impl Side {
    /// Takes in what an observation of the same connection by another session has counted and seen.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.flags |= other.flags;
        self.retransmissions += other.retransmissions;
        self.out_of_order += other.out_of_order;
        self.duplicate_acks += other.duplicate_acks;
        self.zero_windows += other.zero_windows;
        self.keep_alives += other.keep_alives;
        self.forgotten_len += other.forgotten_len;
        if other.knows & KNOWS_SEQ != 0 {
            let is_ahead = distance(other.next_seq, self.next_seq) > 0;
            if self.knows & KNOWS_SEQ == 0 || is_ahead {
                (self.next_seq, self.advanced_ns) = (other.next_seq, other.advanced_ns);
            }
            if self.knows & KNOWS_SEQ == 0 || distance(other.base_seq, self.base_seq) < 0 {
                self.base_seq = other.base_seq;
            }
        }
        if other.knows & KNOWS_ACK != 0
            && (self.knows & KNOWS_ACK == 0 || distance(other.acked, self.acked) > 0)
        {
            (self.acked, self.window) = (other.acked, other.window);
        }
        self.knows |= other.knows;
    }

    fn start(&mut self, segment: &Segment, at: Moment) {
        self.base_seq = segment.seq;
        self.knows = self.knows & !PROBED | KNOWS_SEQ;
        if segment.has(SYN) {
            self.knows |= KNOWS_SYN;
        }
        self.holes = None;
        self.next_seq = segment.seq;
        self.advance(segment.seq.wrapping_add(segment.seq_len()), at);
    }

    /// A SYN that is not the one seen before: the first one seen, or that of a server that answers anew.
    fn restarts(&self, segment: &Segment) -> bool {
        segment.has(SYN)
            && !self.began_behind(segment)
            && (self.knows & KNOWS_SYN == 0 || self.base_seq != segment.seq)
    }

    /// Whether a SYN was overtaken by the first segment behind it.
    fn began_behind(&self, segment: &Segment) -> bool {
        segment.has(SYN)
            && self.knows & (KNOWS_SEQ | KNOWS_SYN) == KNOWS_SEQ
            && self.base_seq == segment.seq.wrapping_add(1)
    }

    #[inline]
    fn advance(&mut self, next_seq: u32, at: Moment) {
        if next_seq != self.next_seq {
            (self.advanced_ns, self.advanced_by) = (at.now_ns, at.observer);
            self.next_seq = next_seq;
        }
    }

    /// A keep-alive repeats the last octet or none; a probe offers one octet to a closed window.
    #[inline]
    fn is_probe(&mut self, segment: &Segment, ahead: i32, peer_window: Option<u16>) -> bool {
        if segment.payload_len > 1 || segment.flags & (SYN | FIN) != 0 {
            return false;
        }
        let is_keep_alive = ahead == -1;
        self.keep_alives += u32::from(is_keep_alive);
        is_keep_alive || (ahead == 0 && segment.payload_len == 1 && peer_window == Some(0))
    }

    #[inline]
    fn repeats_ack(&self, segment: &Segment) -> bool {
        segment.is_pure_ack()
            && self.knows & (KNOWS_ACK | PROBED) == KNOWS_ACK
            && segment.ack == self.acked
            && segment.window == self.window
            && segment.window != 0
            && segment.seq == self.next_seq
    }

    /// A segment before the highest sequence number. Tells whether it brought octets not seen before.
    #[cold]
    fn repeat(&mut self, segment: &Segment, at: Moment, round_trip: RoundTrip) -> bool {
        let out_of_order_ns = round_trip.ns().map_or(OUT_OF_ORDER_NS, u64::from);
        let end = segment.seq.wrapping_add(segment.seq_len());
        let fills = self.fill(Hole { start: segment.seq, end }) | self.reach_back(segment.seq);
        let is_recent = at.now_ns.abs_diff(self.advanced_ns) < out_of_order_ns;
        if fills && at.observer != self.advanced_by {
            // Another session showed what this one's mirror lost: neither the sender's doing nor the network's.
        } else if fills && is_recent {
            self.out_of_order += 1;
        } else {
            self.retransmissions += 1;
        }
        let is_ahead = distance(end, self.next_seq) > 0;
        if is_ahead {
            self.advance(end, at);
        }
        fills || is_ahead
    }

    /// Moves the beginning back for a segment that was overtaken by the first one seen.
    fn reach_back(&mut self, seq: u32) -> bool {
        let is_before = distance(seq, self.base_seq) < 0 && self.knows & KNOWS_SYN == 0;
        if is_before {
            self.base_seq = seq;
        }
        is_before
    }

    #[cold]
    fn open(&mut self, hole: Hole) {
        let holes = self.holes.get_or_insert_default();
        if holes.is_full() {
            let oldest = holes.remove(0);
            self.forgotten_len += u64::from(oldest.end.wrapping_sub(oldest.start));
        }
        holes.push(hole);
    }

    /// Counts holes that lie so far back that their octets can no longer come, before the circle comes round.
    #[inline]
    fn settle(&mut self, acked: u32) {
        const FAR_BACK: i32 = 1 << 28;
        let Some(holes) = &mut self.holes else { return };
        let forgotten_len = &mut self.forgotten_len;
        holes.retain(|hole| {
            let is_settled = distance(acked, hole.end) > FAR_BACK;
            *forgotten_len += u64::from(is_settled) * u64::from(hole.end.wrapping_sub(hole.start));
            !is_settled
        });
    }

    /// Takes a range that was seen out of the holes; tells whether any of it was missing.
    fn fill(&mut self, seen: Hole) -> bool {
        let Some(holes) = &mut self.holes else { return false };
        let mut left = ArrayVec::<Hole, MAX_HOLES>::new();
        let mut was_missing = false;
        for hole in holes.iter().copied() {
            let is_apart = distance(seen.end, hole.start) <= 0 || distance(seen.start, hole.end) >= 0;
            was_missing |= !is_apart;
            let pieces = match is_apart {
                true => [hole, Hole { start: hole.end, end: hole.end }],
                false => [Hole { end: seen.start, ..hole }, Hole { start: seen.end, ..hole }],
            };
            for piece in pieces.into_iter().filter(|piece| distance(piece.end, piece.start) > 0) {
                if let Err(full) = left.try_push(piece) {
                    let piece = full.element();
                    self.forgotten_len += u64::from(piece.end.wrapping_sub(piece.start));
                }
            }
        }
        **holes = left;
        was_missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Plays segments `(ms, way, seq, ack, flags, payload_len)` and returns the connection.
    fn play(segments: &[(i64, Way, u32, u32, u8, u32)]) -> Connection {
        let mut connection = Connection::default();
        for &(ms, way, seq, ack, flags, payload_len) in segments {
            let segment = Segment { seq, ack, flags, window: 500, payload_len, header_len: 20 };
            connection.observe(way, &segment, Moment { now_ns: ms * MS, observer: 0 });
        }
        connection
    }

    const UP: Way = Way::Up;
    const DOWN: Way = Way::Down;

    fn handshake() -> Vec<(i64, Way, u32, u32, u8, u32)> {
        vec![(0, UP, 99, 0, SYN, 0), (4, DOWN, 499, 100, SYN | ACK, 0), (10, UP, 100, 500, ACK, 0)]
    }

    fn after_handshake(rest: &[(i64, Way, u32, u32, u8, u32)]) -> Connection {
        play(&[&handshake(), rest].concat())
    }

    #[test]
    fn a_handshake_gives_both_round_trips_and_the_client() {
        let connection = after_handshake(&[]);
        assert_eq!(connection.state, TcpState::Established);
        assert_eq!(
            (connection.server_rtt_ns(), connection.handshake_rtt_ns()),
            (Some(4_000_000), Some(10_000_000))
        );
        assert_eq!(connection.client(), Some(UP));
    }

    #[test]
    fn an_answer_to_an_unseen_syn_still_tells_the_client() {
        assert_eq!(play(&[(0, UP, 499, 100, SYN | ACK, 0)]).client(), Some(DOWN));
        assert_eq!(play(&[(0, UP, 499, 100, ACK, 5)]).client(), None);
    }

    #[test]
    fn both_fins_close_and_one_does_not() {
        let one = after_handshake(&[(20, UP, 100, 500, FIN | ACK, 0)]);
        assert_eq!(one.state, TcpState::Closing);
        let both = after_handshake(&[(20, UP, 100, 500, FIN | ACK, 0), (21, DOWN, 500, 101, FIN | ACK, 0)]);
        assert_eq!(both.state, TcpState::Closed);
    }

    #[test]
    fn octets_seen_before_are_a_retransmission() {
        let connection = after_handshake(&[(20, UP, 100, 500, ACK, 50), (21, UP, 100, 500, ACK, 50)]);
        let [up, down] = &connection.sides;
        assert_eq!((up.retransmissions, up.out_of_order, down.retransmissions), (1, 0, 0));
    }

    #[test]
    fn an_overtaken_segment_is_out_of_order_and_a_late_one_a_retransmission() {
        for (ms, expected) in [(21, (0, 1)), (200, (1, 0))] {
            let connection = after_handshake(&[
                (20, UP, 150, 500, ACK, 50),
                (ms, UP, 100, 500, ACK, 50),
                (300, DOWN, 500, 200, ACK, 0),
            ]);
            let up = &connection.sides[0];
            assert_eq!((up.retransmissions, up.out_of_order), expected);
            assert_eq!(connection.gap_len(UP), 0);
        }
    }

    #[test]
    fn octets_acknowledged_and_never_seen_are_a_gap() {
        let jumped = [(20, UP, 150, 500, ACK, 50), (30, DOWN, 500, 200, ACK, 0)];
        assert_eq!(after_handshake(&jumped).gap_len(UP), 50);
        // Nothing behind the hole was seen either.
        assert_eq!(after_handshake(&[(30, DOWN, 500, 700, ACK, 0)]).gap_len(UP), 600);
        // What was not acknowledged may still be on its way.
        assert_eq!(after_handshake(&jumped[..1]).gap_len(UP), 0);
    }

    #[test]
    fn sequence_numbers_run_through_zero() {
        let near_end = u32::MAX - 9;
        let connection = play(&[
            (0, UP, near_end, 1, ACK, 10),
            (1, UP, 0, 1, ACK, 10),
            (2, UP, 20, 1, ACK, 10),
            (3, DOWN, 1, 30, ACK, 0),
        ]);
        assert_eq!(connection.gap_len(UP), 10);
        assert_eq!(connection.sides[0].retransmissions, 0);
    }

    #[test]
    fn a_gap_outlives_the_circle_of_sequence_numbers() {
        let mut segments = vec![(0, UP, 0, 1, ACK, 10), (1, UP, 20, 1, ACK, 10), (2, DOWN, 1, 30, ACK, 0)];
        for i in 1..=40u32 {
            let seq = 30u32.wrapping_add((i - 1).wrapping_mul(1 << 27));
            segments.push((2, UP, seq, 1, ACK, 1 << 27));
            segments.push((2, DOWN, 1, seq.wrapping_add(1 << 27), ACK, 0));
        }
        assert_eq!(play(&segments).gap_len(UP), 10);
    }

    #[test]
    fn keep_alives_and_their_answers_are_neither_retransmissions_nor_duplicate_acks() {
        let connection = after_handshake(&[
            (20, UP, 100, 500, ACK, 10),
            (21, DOWN, 500, 110, ACK, 0),
            (1000, UP, 109, 500, ACK, 1),
            (1001, DOWN, 500, 110, ACK, 0),
        ]);
        let [up, down] = &connection.sides;
        assert_eq!((up.retransmissions, up.keep_alives, down.duplicate_acks), (0, 1, 0));
    }

    #[test]
    fn the_same_ack_again_is_a_duplicate_ack() {
        let ack = (20, DOWN, 500, 110, ACK, 0);
        assert_eq!(after_handshake(&[(19, UP, 100, 500, ACK, 10), ack, ack, ack]).sides[1].duplicate_acks, 2);
    }

    #[test]
    fn a_probe_of_a_closed_window_is_no_retransmission_and_no_hole() {
        let mut connection = after_handshake(&[(20, UP, 100, 500, ACK, 10)]);
        let closed = Segment { seq: 500, ack: 110, flags: ACK, window: 0, payload_len: 0, header_len: 20 };
        let probe = Segment { seq: 110, ack: 500, window: 500, payload_len: 1, ..closed };
        let at = Moment { now_ns: 30 * MS, observer: 0 };
        for segment in [(DOWN, closed), (UP, probe), (DOWN, closed), (UP, probe)] {
            connection.observe(segment.0, &segment.1, at);
        }
        let opened = Segment { ack: 111, window: 500, ..closed };
        connection.observe(DOWN, &opened, at);
        connection.observe(UP, &Segment { seq: 111, payload_len: 20, ..probe }, at);
        let [up, down] = &connection.sides;
        assert_eq!((up.retransmissions, up.out_of_order, down.zero_windows), (0, 0, 2));
        assert_eq!(connection.gap_len(UP), 0);
    }

    #[test]
    fn a_syn_with_another_number_opens_another_connection_and_a_repeated_one_does_not() {
        let connection = after_handshake(&[]);
        let syn = |seq| Segment { seq, ack: 0, flags: SYN, window: 1, payload_len: 0, header_len: 20 };
        assert!(!connection.is_reopened_by(UP, &syn(99)));
        assert!(connection.is_reopened_by(UP, &syn(98)));
    }

    #[test]
    fn a_syn_that_was_overtaken_belongs_to_the_connection_that_is_there() {
        let connection = play(&[(0, UP, 100, 500, ACK, 8)]);
        let syn = Segment { seq: 99, ack: 0, flags: SYN, window: 1, payload_len: 0, header_len: 20 };
        assert!(!connection.is_reopened_by(UP, &syn));
        let connection = play(&[
            (0, UP, 100, 500, ACK, 8),
            (1, UP, 99, 0, SYN, 0),
            (2, UP, 108, 500, ACK, 8),
            (3, DOWN, 500, 116, ACK, 0),
        ]);
        assert_eq!((connection.client(), connection.gap_len(UP)), (Some(UP), 0));
        assert_eq!(connection.sides[0].retransmissions, 0);
    }

    #[test]
    fn a_jump_beyond_any_window_is_not_counted_as_loss() {
        let connection = play(&[
            (0, UP, 0, 1, ACK, 10),
            (1, UP, 3 << 29, 1, ACK, 10),
            (2, DOWN, 1, (3 << 29) + 10, ACK, 0),
        ]);
        assert_eq!(connection.gap_len(UP), 0);
    }

    #[test]
    fn more_holes_than_are_remembered_count_as_gaps() {
        let segments: Vec<_> = (0..40).map(|i| (i64::from(i), UP, i * 100, 1, ACK, 50)).collect();
        let mut connection = play(&segments);
        let all =
            Segment { seq: 1, ack: 40 * 100 - 50, flags: ACK, window: 9, payload_len: 0, header_len: 20 };
        connection.observe(DOWN, &all, Moment { now_ns: MS, observer: 0 });
        assert_eq!(connection.gap_len(UP), 39 * 50);
    }
}
