//! The part of a TCP header (RFC 9293, 3.1) that flows are judged by.

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
    pub(crate) header_len: u8,
}

impl Segment {
    /// Reads a header of which at least 16 octets were captured; `wire_len` counts header and payload.
    #[inline]
    pub(crate) fn parse(octets: &[u8], wire_len: u32) -> Option<Self> {
        let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, data_offset, flags, w0, w1] =
            *octets.first_chunk::<16>()?;
        let header_len = (data_offset >> 4) * 4;
        Some(Self {
            seq: u32::from_be_bytes([s0, s1, s2, s3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            window: u16::from_be_bytes([w0, w1]),
            payload_len: wire_len.saturating_sub(header_len.into()),
            header_len,
        })
    }

    #[inline]
    pub(super) fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Sequence numbers that the segment takes up.
    #[inline]
    pub(super) fn seq_len(&self) -> u32 {
        self.payload_len + u32::from(self.has(SYN)) + u32::from(self.has(FIN))
    }

    #[inline]
    pub(super) fn is_pure_ack(&self) -> bool {
        self.payload_len == 0 && self.flags & (ACK | SYN | FIN | RST) == ACK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flag::PSH;

    #[test]
    fn a_pure_acknowledgment_has_no_payload_and_opens_closes_and_resets_nothing() {
        let is_pure = |flags, payload_len| {
            Segment { seq: 0, ack: 0, flags, window: 1, payload_len, header_len: 20 }.is_pure_ack()
        };
        assert!(is_pure(ACK, 0) && is_pure(ACK | PSH, 0));
        assert!(!is_pure(ACK, 1));
        for flags in [0, PSH, ACK | SYN, ACK | FIN, ACK | RST] {
            assert!(!is_pure(flags, 0), "{flags:#x}");
        }
    }
}
