//! The rows of the index: one array for each thing that is known of a packet, in chunks of fixed size.
//!
//! Chunks are allocated whole and never move: nothing is doubled, and a ring forgets by dropping the oldest one.

use std::collections::VecDeque;

use super::Full;

/// Packets of a chunk.
pub const CHUNK_LEN: usize = 16_384;

/// Octets of one packet: the size of its cells in all columns.
pub const BYTES_PER_PACKET: usize =
    2 * size_of::<u64>() + 6 * size_of::<u32>() + 2 * size_of::<u16>() + size_of::<u8>();
const _: () = assert!(BYTES_PER_PACKET <= 48, "the promise of the index");

/// Bits of [`Row::flags`].
pub mod flag {
    /// A copy made by a mirror session.
    pub const MIRRORED: u16 = 1;
    /// The packet itself, routed through a GWLB endpoint.
    pub const INLINE: u16 = 1 << 1;
    /// Octets that were on the wire are missing.
    pub const TRUNCATED: u16 = 1 << 2;
    /// A header could not be read.
    pub const UNDECODABLE: u16 = 1 << 3;
    /// An IP fragment, the first or a later one.
    pub const FRAGMENT: u16 = 1 << 4;
    /// Another session had mirrored the same packet before.
    pub const DUPLICATE: u16 = 1 << 5;
    /// A Geneve option that is none of GWLB's.
    pub const UNKNOWN_OPTION: u16 = 1 << 6;
    /// Its time lies before that of the packet before it.
    pub const CLOCK_BACK: u16 = 1 << 7;
    /// A TCP segment with octets that were sent before.
    pub const RETRANSMISSION: u16 = 1 << 8;
    /// [`super::Row::tcp_flags`] was read.
    pub const TCP_FLAGS: u16 = 1 << 15;
}

/// No flow.
const NO_FLOW: u32 = u32::MAX;

/// What the index knows of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// Octet of its uncompressed source at which its data begins.
    pub offset: u64,
    /// Octets captured.
    pub captured_len: u32,
    /// Octets on the wire, tunnels included.
    pub original_len: u32,
    /// Octets of the mirrored frame on the wire.
    pub subject_len: u32,
    pub(crate) class: u32,
    /// The number of its flow, if it has one.
    pub flow: Option<u32>,
    /// Place of its session among the sessions in the order in which they were first seen.
    pub session: u32,
    pub(crate) origin: u16,
    /// Bits of [`flag`].
    pub flags: u16,
    /// Of the outermost TCP header of the mirrored frame, as [`flag::TCP_FLAGS`] tells.
    pub tcp_flags: u8,
}

#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) timestamp_ns: Vec<i64>,
    pub(crate) offset: Vec<u64>,
    pub(crate) captured_len: Vec<u32>,
    pub(crate) original_len: Vec<u32>,
    pub(crate) subject_len: Vec<u32>,
    pub(crate) class: Vec<u32>,
    pub(crate) flow: Vec<u32>,
    pub(crate) session: Vec<u32>,
    pub(crate) origin: Vec<u16>,
    pub(crate) flags: Vec<u16>,
    pub(crate) tcp_flags: Vec<u8>,
}

fn column<T>() -> Result<Vec<T>, Full> {
    let mut column = Vec::new();
    column.try_reserve_exact(CHUNK_LEN).map_err(|_| Full::Memory)?;
    Ok(column)
}

impl Chunk {
    fn new() -> Result<Self, Full> {
        Ok(Self {
            timestamp_ns: column()?,
            offset: column()?,
            captured_len: column()?,
            original_len: column()?,
            subject_len: column()?,
            class: column()?,
            flow: column()?,
            session: column()?,
            origin: column()?,
            flags: column()?,
            tcp_flags: column()?,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.timestamp_ns.len()
    }

    #[inline]
    fn push(&mut self, row: &Row) {
        self.timestamp_ns.push(row.timestamp_ns);
        self.offset.push(row.offset);
        self.captured_len.push(row.captured_len);
        self.original_len.push(row.original_len);
        self.subject_len.push(row.subject_len);
        self.class.push(row.class);
        self.flow.push(row.flow.unwrap_or(NO_FLOW));
        self.session.push(row.session);
        self.origin.push(row.origin);
        self.flags.push(row.flags);
        self.tcp_flags.push(row.tcp_flags);
    }

    pub(crate) fn flow(&self, at: usize) -> Option<u32> {
        self.flow.get(at).copied().filter(|flow| *flow != NO_FLOW)
    }

    fn row(&self, at: usize) -> Option<Row> {
        Some(Row {
            timestamp_ns: *self.timestamp_ns.get(at)?,
            offset: *self.offset.get(at)?,
            captured_len: *self.captured_len.get(at)?,
            original_len: *self.original_len.get(at)?,
            subject_len: *self.subject_len.get(at)?,
            class: *self.class.get(at)?,
            flow: self.flow(at),
            session: *self.session.get(at)?,
            origin: *self.origin.get(at)?,
            flags: *self.flags.get(at)?,
            tcp_flags: *self.tcp_flags.get(at)?,
        })
    }
}

/// All chunks.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    chunks: VecDeque<Chunk>,
    /// The first packet of the first chunk.
    first: u64,
    end: u64,
}

impl Columns {
    /// Makes room for one row.
    #[inline]
    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        if self.chunks.back().is_none_or(|chunk| chunk.rows() == CHUNK_LEN) {
            self.chunks.push_back(Chunk::new()?);
        }
        Ok(())
    }

    /// Adds a row for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, row: &Row) {
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(row);
            self.end += 1;
        }
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn rows(&self) -> u64 {
        self.end - self.first
    }

    pub(crate) fn last_origin(&self) -> Option<u16> {
        let before = |chunk: &Chunk| chunk.origin.last().copied();
        self.chunks.iter().rev().find_map(before)
    }

    pub(crate) fn row(&self, packet: u64) -> Option<Row> {
        let (chunk, at) = self.place(packet)?;
        self.chunks.get(chunk)?.row(at)
    }

    fn place(&self, packet: u64) -> Option<(usize, usize)> {
        let at = packet.checked_sub(self.first)? as usize;
        Some((at / CHUNK_LEN, at % CHUNK_LEN))
    }

    /// Notes the flow that a packet was counted with.
    #[inline]
    pub(crate) fn set_flow(&mut self, packet: u64, flow: Option<u32>, flags: u16) {
        let Some((chunk, at)) = self.place(packet) else { return };
        let Some(chunk) = self.chunks.get_mut(chunk) else { return };
        if let (Some(cell), Some(own)) = (chunk.flow.get_mut(at), chunk.flags.get_mut(at)) {
            *cell = flow.unwrap_or(NO_FLOW);
            *own |= flags;
        }
    }

    /// The chunks from the one with the packet `first` on, each with its first packet.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (u64, &Chunk)> {
        let starts = (self.first..).step_by(CHUNK_LEN);
        starts.zip(&self.chunks)
    }

    /// Forgets chunks of which all packets lie before this one.
    pub(crate) fn forget_before(&mut self, packet: u64) {
        while self.chunks.len() > 1 && self.first + CHUNK_LEN as u64 <= packet {
            self.chunks.pop_front();
            self.first += CHUNK_LEN as u64;
        }
    }

    pub(crate) fn memory_len(&self) -> usize {
        self.chunks.len() * CHUNK_LEN * BYTES_PER_PACKET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64) -> Row {
        Row {
            timestamp_ns: -(number as i64),
            offset: number << 33,
            captured_len: 1,
            original_len: 2,
            subject_len: 3,
            class: 4,
            flow: (number % 2 == 1).then_some(number as u32),
            session: 5,
            origin: 6,
            flags: 7,
            tcp_flags: 8,
        }
    }

    #[test]
    fn a_row_says_what_was_put_in_with_offsets_beyond_four_gigabytes() {
        let mut columns = Columns::default();
        for number in 0..CHUNK_LEN as u64 + 5 {
            columns.reserve().unwrap();
            columns.push(&row(number));
        }
        for number in [0, 1, CHUNK_LEN as u64 - 1, CHUNK_LEN as u64, CHUNK_LEN as u64 + 4] {
            assert_eq!(columns.row(number), Some(row(number)));
        }
        assert_eq!(columns.row(CHUNK_LEN as u64 + 5), None);
        let cells: usize = [8, 8, 4, 4, 4, 4, 4, 4, 2, 2, 1].iter().sum();
        assert_eq!((BYTES_PER_PACKET, columns.memory_len()), (cells, 2 * CHUNK_LEN * cells));
    }

    #[test]
    fn a_ring_forgets_whole_chunks_and_keeps_the_numbers() {
        let mut columns = Columns::default();
        for number in 0..3 * CHUNK_LEN as u64 {
            columns.reserve().unwrap();
            columns.push(&row(number));
        }
        columns.forget_before(2 * CHUNK_LEN as u64 + 1);
        assert_eq!((columns.first(), columns.end()), (2 * CHUNK_LEN as u64, 3 * CHUNK_LEN as u64));
        assert_eq!(columns.row(1), None);
        assert_eq!(columns.row(2 * CHUNK_LEN as u64 + 9), Some(row(2 * CHUNK_LEN as u64 + 9)));
    }
}
