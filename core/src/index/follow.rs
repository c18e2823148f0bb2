//! What was said in a flow: the payload of both sides, each octet once, in the order in which it was sent.
//!
//! TCP is put in order by its sequence numbers (RFC 9293, 3.4). What never comes is a gap: a segment that was lost by
//! the mirror, or octets that the capture or the session cut off. Segments that came too early wait for
//! [`MAX_WAITING_LEN`] octets, then what they wait for counts as lost. Other protocols keep the order of their packets.

use crate::{
    flow::{
        Endpoint, FlowRecord, arrival,
        key::{Sighting, TCP},
        segment::flag::SYN,
    },
    packet::Packet,
};

/// Octets of segments that wait for one before them.
pub const MAX_WAITING_LEN: usize = 256 * 1024;

/// Pieces of one flow at most.
pub const MAX_PIECES: usize = 100_000;

/// Who sent a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Forward = 0,
    /// The server.
    Backward = 1,
}

/// A piece of what one side sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Who sent it.
    pub side: Side,
    /// Octet of its side at which it begins.
    pub offset: u64,
    /// The octets; empty for a gap.
    pub bytes: Vec<u8>,
    /// Octets that are missing here instead.
    pub gap_len: u32,
    /// The packet that brought it, or that showed the gap.
    pub packet: u64,
    /// Time of that packet.
    pub timestamp_ns: i64,
}

/// Puts a flow's payload together from its packets, in the order of the capture and without copies.
#[derive(Debug)]
pub struct Follow {
    client: Endpoint,
    /// Octets of payload that may still be taken.
    left: usize,
    streams: [Stream; 2],
    pieces: Vec<Piece>,
    is_cut: bool,
}

#[derive(Debug, Default)]
struct Stream {
    /// The sequence number that comes next.
    next: Option<u32>,
    offset: u64,
    waiting: Vec<Waiting>,
    waiting_len: usize,
}

/// Payload at its place.
#[derive(Debug)]
struct Waiting {
    seq: u32,
    bytes: Vec<u8>,
    wire_len: u32,
    packet: u64,
    timestamp_ns: i64,
}

impl Follow {
    /// Follows a flow up to `limit` octets of payload.
    pub fn new(flow: &FlowRecord, limit: usize) -> Self {
        Self {
            client: flow.client,
            left: limit,
            streams: Default::default(),
            pieces: Vec::new(),
            is_cut: false,
        }
    }

    /// Whether the limit is reached: further packets change nothing.
    pub fn is_full(&self) -> bool {
        self.is_cut
    }

    /// Takes a packet of the flow, of which `number` were before it in the capture.
    pub fn packet(&mut self, packet: &Packet<'_>, number: u64) {
        let Some(sighting) = Sighting::of(packet).filter(|_| !self.is_cut) else { return };
        let is_clients = sighting.tuple.sender(sighting.way) == self.client;
        let side = if is_clients { Side::Forward } else { Side::Backward };
        let segment = arrival::segment(&sighting);
        let (at, wire_len) = arrival::payload(&sighting, segment.as_ref());
        let captured = sighting.transport.get(at as usize..).unwrap_or_default();
        let bytes = captured.get(..wire_len as usize).unwrap_or(captured).to_vec();
        let timestamp_ns = packet.record.timestamp_ns;
        let seq = segment.map(|segment| segment.seq.wrapping_add(u32::from(segment.flags & SYN != 0)));
        let piece = Waiting { seq: seq.unwrap_or_default(), bytes, wire_len, packet: number, timestamp_ns };
        match seq {
            Some(seq) => self.segment(side, seq, piece),
            None if sighting.tuple.protocol == TCP => {}
            None => self.emit(side, &piece, 0),
        }
    }

    fn segment(&mut self, side: Side, seq: u32, piece: Waiting) {
        let stream = &mut self.streams[side as usize];
        stream.next.get_or_insert(seq);
        if piece.wire_len > 0 {
            stream.waiting_len += piece.cost();
            stream.waiting.push(piece);
        }
        self.deliver(side);
        while self.streams[side as usize].waiting_len > MAX_WAITING_LEN && !self.is_cut {
            self.give_up(side);
        }
    }

    /// Hands out what is in order.
    fn deliver(&mut self, side: Side) {
        while let Some((piece, behind)) = self.streams[side as usize].ready() {
            if behind < piece.wire_len {
                self.emit(side, &piece, behind);
            }
        }
    }

    /// Takes what is waited for as lost.
    fn give_up(&mut self, side: Side) {
        let stream = &mut self.streams[side as usize];
        let Some((gap_len, packet, timestamp_ns)) = stream.nearest() else { return };
        let offset = stream.offset;
        stream.skip(gap_len);
        if gap_len > 0 {
            self.pieces.push(Piece { side, offset, bytes: Vec::new(), gap_len, packet, timestamp_ns });
        }
        self.deliver(side);
    }

    /// Hands out a piece without its first `behind` octets, which were there already.
    fn emit(&mut self, side: Side, piece: &Waiting, behind: u32) {
        let new = piece.bytes.get(behind as usize..).unwrap_or_default();
        let taken = new.get(..self.left).unwrap_or(new);
        self.is_cut |= taken.len() < new.len() || self.pieces.len() >= MAX_PIECES;
        self.left -= taken.len();
        let stream = &mut self.streams[side as usize];
        let offset = stream.offset;
        stream.skip(piece.wire_len - behind);
        let (packet, timestamp_ns) = (piece.packet, piece.timestamp_ns);
        let mut push = |offset, bytes: &[u8], gap_len| {
            self.pieces.push(Piece { side, offset, bytes: bytes.to_vec(), gap_len, packet, timestamp_ns });
        };
        if !taken.is_empty() {
            push(offset, taken, 0);
        }
        let missing = piece.wire_len - behind - new.len() as u32;
        if missing > 0 && !self.is_cut {
            push(offset + new.len() as u64, &[], missing);
        }
    }

    /// The pieces, and whether there is more than the limit allowed.
    pub fn finish(mut self) -> (Vec<Piece>, bool) {
        for side in [Side::Forward, Side::Backward] {
            while !self.streams[side as usize].waiting.is_empty() && !self.is_cut {
                self.give_up(side);
            }
        }
        (self.pieces, self.is_cut)
    }
}

impl Waiting {
    /// What it counts for among those that wait: they are searched, so that many empty ones cost as well.
    fn cost(&self) -> usize {
        self.bytes.len() + 64
    }
}

impl Stream {
    /// A waiting piece that begins at or before what comes next, and how many of its octets lie before that.
    fn ready(&mut self) -> Option<(Waiting, u32)> {
        let next = self.next?;
        let at = self.waiting.iter().position(|piece| distance(next, piece.seq) <= 0)?;
        let piece = self.waiting.remove(at);
        self.waiting_len -= piece.cost();
        let behind = distance(next, piece.seq).unsigned_abs();
        Some((piece, behind))
    }

    /// How far the first waiting piece is away, and which packet that is.
    fn nearest(&self) -> Option<(u32, u64, i64)> {
        let next = self.next?;
        let first = self.waiting.iter().min_by_key(|piece| distance(next, piece.seq))?;
        Some((distance(next, first.seq).max(0) as u32, first.packet, first.timestamp_ns))
    }

    fn skip(&mut self, len: u32) {
        self.offset += u64::from(len);
        self.next = self.next.map(|next| next.wrapping_add(len));
    }
}

/// From one sequence number to another, which come round.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}
