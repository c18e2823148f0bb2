//! The reader's buffer: octets that arrived and were not read yet, in one piece, in memory that only grows when
//! octets really came.

use std::ops::Range;

/// Octets that one call of [`CaptureReader::push`](super::CaptureReader::push) takes at most, and a good length for
/// one read of a file.
pub const CHUNK_LEN: usize = 256 * 1024;

/// A sliding window over the input.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the input of `bytes[start]`.
    offset: u64,
}

impl Buffer {
    /// What arrived and was not consumed.
    #[inline]
    pub(super) fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    /// Offset in the input of the first pending octet.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Index of the first pending octet, for [`Buffer::slice`].
    #[inline]
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Octets of the buffer by index; they outlive `consume`, not `space`.
    #[inline]
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or(&[])
    }

    /// Marks the first `len` pending octets as read.
    #[inline]
    pub(super) fn consume(&mut self, len: usize) {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.offset += len as u64;
    }

    /// Room for `len` more octets behind the pending ones.
    pub(super) fn space(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < len {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.grow(self.end + len);
        }
        &mut self.bytes[self.end..self.end + len]
    }

    /// Says that the first `len` octets of the last `space` were filled.
    pub(super) fn commit(&mut self, len: usize) {
        self.end = (self.end + len).min(self.bytes.len());
    }

    /// Gives the memory back; nothing is pending afterwards.
    pub(super) fn clear(&mut self) {
        self.offset += (self.end - self.start) as u64;
        (self.bytes, self.start, self.end) = (Vec::new(), 0, 0);
    }

    /// Doubling keeps one-octet pushes linear; the first chunk gets room for the tail that will precede the second.
    fn grow(&mut self, needed: usize) {
        if needed > self.bytes.len() {
            let len = needed.max(self.bytes.len() + self.bytes.len().min(4 * CHUNK_LEN));
            self.bytes.reserve_exact(len - self.bytes.len());
            self.bytes.resize(len, 0);
        }
    }
}
