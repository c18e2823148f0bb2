//! A record is one captured packet as its source delivered it: bytes, a time and a link type.
//!
//! Every source (capture file, socket, browser chunk) yields records, and nothing behind a source sees anything else.

/// One captured packet, borrowed from its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Position in its source, counted from 1 as Wireshark counts frames.
    pub number: u64,
    /// Nanoseconds since 1970-01-01 UTC; 0 where the source has no time (pcapng Simple Packet Block).
    pub timestamp_ns: i64,
    /// Which interface of the source delivered it, counted from 0 over all sections of a capture file.
    pub interface: u32,
    /// What the first byte of `data` begins.
    pub link_type: LinkType,
    /// Octets on the wire. `data` is shorter where the capture cut the packet.
    pub original_len: u32,
    /// Octet offset of `data` in the uncompressed source; 0 for sources that are not seekable.
    pub offset: u64,
    /// The captured octets.
    pub data: &'a [u8],
}

/// What a record's first byte begins: a value of the registry at <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback, address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// IEEE 802.3 Ethernet without frame check sequence.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP as some systems wrote it (`DLT_RAW` on most BSDs).
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP as OpenBSD wrote it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// IPv4 or IPv6, told apart by the first nibble.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback, address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// IPv4 only.
    pub const IPV4: Self = Self(228);
    /// IPv6 only.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}
