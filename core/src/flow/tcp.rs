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
//!   were seen before are never "out of order", and those that were not are never sent again only because they were
//!   acknowledged first (Wireshark's "spurious retransmission"), which happens where the capture mixes directions;
//! - Wireshark counts segments before which something is missing, we count the octets that are missing.

use super::{
    key::Way,
    segment::Segment,
    side::{KNOWS_ACK, KNOWS_SEQ, KNOWS_SYN, MAX_JUMP, PROBED, Side, Syn, Trouble, distance},
};

pub use super::{segment::flag, side::MAX_HOLES};
use flag::{ACK, FIN, RST, SYN};

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

/// When and by which of the flow's sessions a segment was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now_ns: i64,
    pub(crate) observer: u8,
}

/// A connection under observation. What every segment touches comes first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Connection {
    pub(crate) sides: [Side; 2],
    pub(crate) state: TcpState,
    client_is_down: bool,
    handshake_rtt: RoundTrip,
    server_rtt: RoundTrip,
    pub(crate) troubles: [Trouble; 2],
    /// Time of the latest SYN without ACK.
    syn_ns: Option<i64>,
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

impl Connection {
    /// Octets that every segment touches.
    #[cfg(test)]
    pub(crate) const HOT_LEN: usize = core::mem::offset_of!(Self, handshake_rtt);

    /// Whether `segment` opens another connection between the same ports: a SYN with another sequence number.
    #[inline]
    pub(crate) fn is_reopened_by(&self, way: Way, segment: &Segment) -> bool {
        if segment.flags & (SYN | ACK | RST) != SYN {
            return false;
        }
        let at = way as usize;
        (self.sides[at].knows & KNOWS_SEQ != 0 || self.state.is_over())
            && !self.sides[at].is_begun_by(&self.troubles[at], segment)
    }

    /// Takes note of the next segment; tells whether it carries payload that was not seen before.
    #[inline]
    pub(crate) fn observe(&mut self, way: Way, segment: &Segment, at: Moment) -> bool {
        let side = &mut self.sides[way as usize];
        side.flags |= segment.flags;
        side.new_flags |= segment.flags;
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
        let peer = &self.sides[way.opposite() as usize];
        let acked = (peer.knows & KNOWS_ACK != 0).then_some(peer.acked);
        self.troubles[way as usize].gap_len(acked)
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

    /// Takes in what another session counted and saw of the same connection.
    pub(crate) fn absorb(&mut self, other: &Self) {
        if self.client().is_none() {
            self.client_is_down = other.client_is_down;
        }
        for at in 0..2 {
            self.sides[at].absorb(&mut self.troubles[at], &other.sides[at], &other.troubles[at]);
        }
        self.state = match [self.state, other.state] {
            // The other view only missed the handshake.
            [TcpState::Established, TcpState::Midstream] | [TcpState::Midstream, TcpState::Established] => {
                TcpState::Established
            }
            [mine, theirs] => mine.max(theirs),
        };
        self.syn_ns = self.syn_ns.or(other.syn_ns);
        self.server_rtt = self.server_rtt.or(other.server_rtt);
        self.handshake_rtt = self.handshake_rtt.or(other.handshake_rtt);
    }

    #[inline]
    fn sequence(&mut self, way: Way, segment: &Segment, at: Moment) -> bool {
        if segment.has(RST) {
            return false;
        }
        let peer = &self.sides[way.opposite() as usize];
        let peer_window = (peer.knows & KNOWS_ACK != 0).then_some(peer.window);
        let (side, trouble) = (&mut self.sides[way as usize], &mut self.troubles[way as usize]);
        let ahead = distance(segment.seq, side.next_seq);
        if side.knows & KNOWS_SEQ == 0 || ahead.unsigned_abs() > MAX_JUMP {
            side.start(trouble, segment, at);
            return true;
        }
        if segment.has(SYN) {
            match side.judge_syn(trouble, segment) {
                Syn::Overtaken => return false,
                Syn::Repeated => {}
                Syn::Other => {
                    side.start(trouble, segment, at);
                    return true;
                }
            }
        }
        let was_probed = side.knows & PROBED != 0;
        side.knows &= !PROBED;
        if side.is_probe(trouble, segment, ahead, peer_window) {
            side.knows |= PROBED;
            return false;
        }
        if ahead >= 0 {
            if ahead > i32::from(was_probed) {
                side.open(trouble, segment.seq);
            }
            side.advance(segment.seq.wrapping_add(segment.seq_len()), at);
            return true;
        }
        segment.seq_len() > 0 && side.repeat(trouble, segment, at, self.handshake_rtt.ns())
    }

    #[inline]
    fn acknowledgment(&mut self, way: Way, segment: &Segment, at: Moment) {
        if segment.flags & (ACK | RST) != ACK {
            return;
        }
        let [up, down] = &mut self.sides;
        let (side, peer) = if way == Way::Up { (up, down) } else { (down, up) };
        if segment.window == 0 && segment.flags & (SYN | FIN) == 0 {
            self.troubles[way as usize].zero_windows += 1;
        }
        if side.repeats_ack(segment) && peer.knows & PROBED == 0 {
            self.troubles[way as usize].duplicate_acks += 1;
        }
        if side.knows & KNOWS_ACK == 0 || distance(segment.ack, side.acked) > 0 {
            side.acked = segment.ack;
        }
        side.window = segment.window;
        side.knows |= KNOWS_ACK;
        let peers_trouble = &mut self.troubles[way.opposite() as usize];
        peer.settle(peers_trouble, segment.ack);
        let beyond = distance(segment.ack, peer.next_seq);
        if peer.knows & KNOWS_SEQ != 0 && beyond > 0 && beyond.unsigned_abs() <= MAX_JUMP {
            // A probe that the peer accepted is an octet that was seen.
            if beyond > i32::from(peer.knows & PROBED != 0) {
                peer.open(peers_trouble, segment.ack);
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

#[cfg(test)]
mod tests;
