//! What is known of one direction of a connection: where it stands, and what of it is missing or came again.
//!
//! Every segment touches a [`Side`]; its [`Trouble`] only those that begin the direction or find it out of order.

use arrayvec::ArrayVec;

use super::{
    segment::{
        Segment,
        flag::{FIN, SYN},
    },
    tcp::Moment,
};

/// How much later a segment may come and count as overtaken, where no round-trip time is known (as in Wireshark).
const OUT_OF_ORDER_NS: u64 = 3_000_000;
/// The largest possible window (RFC 7323, 2.3). A jump beyond it is not loss: the connection is another one.
pub(super) const MAX_JUMP: u32 = 1 << 30;
/// Holes that are remembered for a direction. When another one opens, the oldest counts as a gap.
pub const MAX_HOLES: usize = 16;

pub(super) const KNOWS_SEQ: u8 = 1;
pub(super) const KNOWS_ACK: u8 = 2;
pub(super) const KNOWS_SYN: u8 = 4;
/// The last segment was a keep-alive or a probe of a closed window.
pub(super) const PROBED: u8 = 8;
/// A hole was opened since the direction began.
const HAS_HOLES: u8 = 16;

/// Where a direction stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    /// The sequence number behind the highest one seen or acknowledged.
    pub(super) next_seq: u32,
    /// The highest acknowledgment that this side sent.
    pub(super) acked: u32,
    /// When `next_seq` was set, and which session showed the segment that did it.
    advanced_ns: i64,
    pub(super) window: u16,
    advanced_by: u8,
    /// All flags seen, or'ed.
    pub(crate) flags: u8,
    /// Those seen since the flow was last reported.
    pub(crate) new_flags: u8,
    pub(super) knows: u8,
}

/// What few segments touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    holes: Option<Box<ArrayVec<Hole, MAX_HOLES>>>,
    /// Octets of holes that had to be forgotten.
    forgotten_len: u64,
    /// The lowest sequence number seen.
    base_seq: u32,
    pub(crate) retransmissions: u32,
    pub(crate) out_of_order: u32,
    pub(crate) duplicate_acks: u32,
    pub(crate) zero_windows: u32,
    pub(crate) keep_alives: u32,
}

/// Sequence numbers from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Hole {
    fn is_apart(self, other: Self) -> bool {
        distance(other.end, self.start) <= 0 || distance(other.start, self.end) >= 0
    }
}

/// What a SYN is to a direction of which something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syn {
    /// The one that the direction began with.
    Repeated,
    /// That one too, but it comes behind the first segment of the direction.
    Overtaken,
    /// The first one seen, or that of a server that answers anew.
    Other,
}

/// How far `a` lies behind `b` in the circle of sequence numbers; negative if before.
#[inline]
pub(super) fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

impl Side {
    /// Takes in what an observation of the same connection by another session has counted and seen.
    pub(super) fn absorb(&mut self, trouble: &mut Trouble, other: &Self, their_trouble: &Trouble) {
        self.flags |= other.flags;
        self.new_flags |= other.new_flags;
        trouble.absorb(their_trouble);
        if other.knows & KNOWS_SEQ != 0 {
            if self.knows & KNOWS_SEQ != 0 {
                trouble.fill_from(their_trouble, other.next_seq);
                self.miss_too(trouble, other, their_trouble);
            } else {
                trouble.holes.clone_from(&their_trouble.holes);
                self.knows |= other.knows & HAS_HOLES;
            }
            let is_ahead = distance(other.next_seq, self.next_seq) > 0;
            if self.knows & KNOWS_SEQ == 0 || is_ahead {
                (self.next_seq, self.advanced_ns) = (other.next_seq, other.advanced_ns);
            }
            if self.knows & KNOWS_SEQ == 0 || distance(their_trouble.base_seq, trouble.base_seq) < 0 {
                trouble.base_seq = their_trouble.base_seq;
            }
        }
        if other.knows & KNOWS_ACK != 0
            && (self.knows & KNOWS_ACK == 0 || distance(other.acked, self.acked) > 0)
        {
            (self.acked, self.window) = (other.acked, other.window);
        }
        self.knows |= other.knows & !HAS_HOLES;
    }

    /// Notes what the other observation misses outside of what this one has seen, and what lies between the two.
    fn miss_too(&mut self, trouble: &mut Trouble, other: &Self, their_trouble: &Trouble) {
        let mine = Hole { start: trouble.base_seq, end: self.next_seq };
        let theirs = Hole { start: their_trouble.base_seq, end: other.next_seq };
        let (before, after) =
            if distance(theirs.start, mine.end) > 0 { (mine, theirs) } else { (theirs, mine) };
        let between = Hole { start: before.end, end: after.start };
        for hole in their_trouble.holes.iter().flat_map(|holes| holes.iter()).copied().chain([between]) {
            if (1..MAX_JUMP as i32).contains(&distance(hole.end, hole.start)) && hole.is_apart(mine) {
                trouble.open(hole);
                self.knows |= HAS_HOLES;
            }
        }
    }

    #[cold]
    pub(super) fn start(&mut self, trouble: &mut Trouble, segment: &Segment, at: Moment) {
        trouble.base_seq = segment.seq;
        trouble.holes = None;
        self.knows = self.knows & !(PROBED | HAS_HOLES) | KNOWS_SEQ;
        if segment.has(SYN) {
            self.knows |= KNOWS_SYN;
        }
        self.next_seq = segment.seq;
        self.advance(segment.seq.wrapping_add(segment.seq_len()), at);
    }

    /// Whether a SYN repeats the one that this direction began with, also where that was overtaken.
    pub(super) fn is_begun_by(&self, trouble: &Trouble, segment: &Segment) -> bool {
        let repeats = self.knows & KNOWS_SYN != 0 && trouble.base_seq == segment.seq;
        repeats || self.began_behind(trouble, segment)
    }

    /// Whether a SYN was overtaken by the first segment behind it.
    fn began_behind(&self, trouble: &Trouble, segment: &Segment) -> bool {
        segment.has(SYN)
            && self.knows & (KNOWS_SEQ | KNOWS_SYN) == KNOWS_SEQ
            && trouble.base_seq == segment.seq.wrapping_add(1)
    }

    /// What a SYN says of a direction that was seen before. Never inlined: the compiler would read `trouble` for
    /// every segment.
    #[cold]
    #[inline(never)]
    pub(super) fn judge_syn(&mut self, trouble: &mut Trouble, segment: &Segment) -> Syn {
        if self.began_behind(trouble, segment) {
            (trouble.base_seq, self.knows) = (segment.seq, self.knows | KNOWS_SYN);
            Syn::Overtaken
        } else if self.is_begun_by(trouble, segment) {
            Syn::Repeated
        } else {
            Syn::Other
        }
    }

    #[inline]
    pub(super) fn advance(&mut self, next_seq: u32, at: Moment) {
        if next_seq != self.next_seq {
            (self.advanced_ns, self.advanced_by) = (at.now_ns, at.observer);
            self.next_seq = next_seq;
        }
    }

    /// A keep-alive repeats the last octet or none; a probe offers one octet to a closed window.
    #[inline]
    pub(super) fn is_probe(
        &self,
        trouble: &mut Trouble,
        segment: &Segment,
        ahead: i32,
        peer_window: Option<u16>,
    ) -> bool {
        if segment.payload_len > 1 || segment.flags & (SYN | FIN) != 0 {
            return false;
        }
        if ahead == -1 {
            trouble.keep_alives += 1;
            return true;
        }
        ahead == 0 && segment.payload_len == 1 && peer_window == Some(0)
    }

    #[inline]
    pub(super) fn repeats_ack(&self, segment: &Segment) -> bool {
        segment.is_pure_ack()
            && self.knows & (KNOWS_ACK | PROBED) == KNOWS_ACK
            && segment.ack == self.acked
            && segment.window == self.window
            && segment.window != 0
            && segment.seq == self.next_seq
    }

    /// A segment before the highest sequence number. Tells whether it brought octets not seen before.
    #[cold]
    pub(super) fn repeat(
        &mut self,
        trouble: &mut Trouble,
        segment: &Segment,
        at: Moment,
        round_trip_ns: Option<u32>,
    ) -> bool {
        let out_of_order_ns = round_trip_ns.map_or(OUT_OF_ORDER_NS, u64::from);
        let end = segment.seq.wrapping_add(segment.seq_len());
        let fills = trouble.fill(Hole { start: segment.seq, end }) | self.reach_back(trouble, segment.seq);
        let is_recent = at.now_ns.abs_diff(self.advanced_ns) < out_of_order_ns;
        if fills && at.observer != self.advanced_by {
            // Another session showed what this one's mirror lost: neither the sender's doing nor the network's.
        } else if fills && is_recent {
            trouble.out_of_order += 1;
        } else {
            trouble.retransmissions += 1;
        }
        let is_ahead = distance(end, self.next_seq) > 0;
        if is_ahead {
            self.advance(end, at);
        }
        fills || is_ahead
    }

    /// Moves the beginning back for a segment that was overtaken by the first one seen.
    fn reach_back(&self, trouble: &mut Trouble, seq: u32) -> bool {
        let is_before = distance(seq, trouble.base_seq) < 0 && self.knows & KNOWS_SYN == 0;
        if is_before {
            trouble.base_seq = seq;
        }
        is_before
    }

    /// Notes that what lies between the highest sequence number and `seq` was jumped over.
    #[cold]
    pub(super) fn open(&mut self, trouble: &mut Trouble, seq: u32) {
        trouble.open(Hole { start: self.next_seq, end: seq });
        self.knows |= HAS_HOLES;
    }

    /// Counts holes that lie so far back that their octets can no longer come, before the circle comes round.
    #[inline]
    pub(super) fn settle(&self, trouble: &mut Trouble, acked: u32) {
        if self.knows & HAS_HOLES != 0 {
            trouble.settle(acked);
        }
    }
}

impl Trouble {
    fn absorb(&mut self, other: &Self) {
        self.retransmissions += other.retransmissions;
        self.out_of_order += other.out_of_order;
        self.duplicate_acks += other.duplicate_acks;
        self.zero_windows += other.zero_windows;
        self.keep_alives += other.keep_alives;
        self.forgotten_len += other.forgotten_len;
    }

    /// Octets that are missing from this direction and that the peer has acknowledged up to `acked`.
    pub(super) fn gap_len(&self, acked: Option<u32>) -> u64 {
        let holes = self.holes.iter().flat_map(|holes| holes.iter());
        let acked_len = |hole: &Hole| {
            let reached = acked.map_or(0, |acked| distance(acked, hole.start));
            reached.clamp(0, distance(hole.end, hole.start)) as u64
        };
        self.forgotten_len + holes.map(acked_len).sum::<u64>()
    }

    fn open(&mut self, hole: Hole) {
        let holes = self.holes.get_or_insert_default();
        if holes.is_full() {
            let oldest = holes.remove(0);
            self.forgotten_len += u64::from(oldest.end.wrapping_sub(oldest.start));
        }
        holes.push(hole);
    }

    #[cold]
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

    /// Takes out of the holes what another observation, which has come up to `next_seq`, has seen.
    fn fill_from(&mut self, other: &Self, next_seq: u32) {
        let holes = || other.holes.iter().flat_map(|holes| holes.iter());
        let mut at = other.base_seq;
        for _ in 0..=MAX_HOLES {
            let ahead = holes().filter(|hole| distance(hole.start, at) >= 0);
            let hole = ahead.min_by_key(|hole| distance(hole.start, at));
            let seen = Hole { start: at, end: hole.map_or(next_seq, |hole| hole.start) };
            if distance(seen.end, seen.start) > 0 {
                self.fill(seen);
            }
            let Some(hole) = hole else { return };
            at = hole.end;
        }
    }

    /// Takes a range that was seen out of the holes; tells whether any of it was missing.
    fn fill(&mut self, seen: Hole) -> bool {
        let Some(holes) = &mut self.holes else { return false };
        let mut left = ArrayVec::<Hole, MAX_HOLES>::new();
        let mut was_missing = false;
        for hole in holes.iter().copied() {
            let is_apart = hole.is_apart(seen);
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
