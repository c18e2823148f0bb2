//! The octets in front of a printer, and what becomes of a printer that runs out of them.
//!
//! tcpdump prints a header while it reads it, so what was captured of a cut header is shown, followed by
//! ` [|protocol]`. [`Cut`] carries that name up to the one place that writes the mark.

use core::net::{Ipv4Addr, Ipv6Addr};

/// The capture ends within the part that the protocol of this name should have read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut(pub(super) &'static str);

/// What a printer returns: nothing, or that the octets ran out.
pub(super) type Printed = Result<(), Cut>;

/// Captured octets that a protocol reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) bytes: &'a [u8],
    protocol: &'static str,
}

impl<'a> View<'a> {
    /// `bytes`, read by `protocol`, which is the name that tcpdump writes where they run out.
    pub(super) const fn new(bytes: &'a [u8], protocol: &'static str) -> Self {
        Self { bytes, protocol }
    }

    /// The mark for octets that ran out.
    pub(super) const fn cut(&self) -> Cut {
        Cut(self.protocol)
    }

    /// `N` octets from `at` on.
    #[inline]
    pub(super) fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Cut> {
        match self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
            Some(octets) => Ok(*octets),
            None => Err(self.cut()),
        }
    }

    /// `len` octets from `at` on.
    #[inline]
    pub(super) fn slice(&self, at: usize, len: usize) -> Result<&'a [u8], Cut> {
        self.bytes.get(at..at.saturating_add(len)).ok_or(self.cut())
    }

    /// Whatever was captured from `at` on.
    #[inline]
    pub(super) fn from(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Fails where fewer than `len` octets were captured.
    #[inline]
    pub(super) fn need(&self, len: usize) -> Printed {
        if self.bytes.len() < len { Err(self.cut()) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn u8(&self, at: usize) -> Result<u8, Cut> {
        self.bytes.get(at).copied().ok_or(self.cut())
    }

    #[inline]
    pub(super) fn u16(&self, at: usize) -> Result<u16, Cut> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(super) fn u24(&self, at: usize) -> Result<u32, Cut> {
        self.array(at).map(|[a, b, c]: [u8; 3]| u32::from_be_bytes([0, a, b, c]))
    }

    #[inline]
    pub(super) fn u32(&self, at: usize) -> Result<u32, Cut> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&self, at: usize) -> Result<u64, Cut> {
        self.array(at).map(u64::from_be_bytes)
    }

    #[inline]
    pub(super) fn ipv4(&self, at: usize) -> Result<Ipv4Addr, Cut> {
        self.array::<4>(at).map(Ipv4Addr::from)
    }

    #[inline]
    pub(super) fn ipv6(&self, at: usize) -> Result<Ipv6Addr, Cut> {
        self.array::<16>(at).map(Ipv6Addr::from)
    }
}
