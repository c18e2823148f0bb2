//! The octets that a filter judges, and how each link type says which protocol follows.
//!
//! A read behind the captured octets is not "false": it rejects the packet whatever the rest of the filter
//! says, even under `not`. So the BPF machine works that tcpdump runs, and so every read here answers with
//! [`Beyond`].

use super::build::{ETHERTYPE_IP, ETHERTYPE_IPV6, SAP_IPX, SAP_ISO, SAP_NETBEUI};
use super::tree::{Anchor, Scope};
use crate::packet::Packet;
use crate::record::LinkType;

/// A read behind the captured octets, or a division by zero: the packet does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beyond;

pub(crate) type Answer<T> = Result<T, Beyond>;

/// One packet from its link header on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The captured octets.
    pub(crate) data: &'a [u8],
    wire: Wire<'a>,
    /// What `data` begins.
    pub(crate) link: Link,
    /// What the link header says, read once because almost every test asks: an EtherType or a length, and
    /// [`UNREAD`] where that has to be found out slowly.
    carried: u32,
}

/// What tells how many octets a frame had on the wire. They are counted only where a test asks for them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire<'a> {
    Len(u32),
    SubjectOf(&'a Packet<'a>),
}

/// No EtherType.
const UNREAD: u32 = u32::MAX;

/// Link types as far as a filter tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    Sll,
    Sll2,
    /// BSD loopback in either byte order.
    Null,
    /// BSD loopback in network byte order.
    Loop,
    /// IPv4 or IPv6 by the first nibble.
    Raw,
    Ipv4,
    Ipv6,
    Unknown,
}

impl From<LinkType> for Link {
    fn from(link_type: LinkType) -> Self {
        match link_type {
            LinkType::ETHERNET => Self::Ethernet,
            LinkType::LINUX_SLL => Self::Sll,
            LinkType::LINUX_SLL2 => Self::Sll2,
            LinkType::NULL => Self::Null,
            LinkType::LOOP => Self::Loop,
            LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Self::Raw,
            LinkType::IPV4 => Self::Ipv4,
            LinkType::IPV6 => Self::Ipv6,
            _ => Self::Unknown,
        }
    }
}

/// Where one scope's headers begin in one frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The link header.
    pub(crate) header: u32,
    /// Its protocol field.
    pub(crate) ethertype: u32,
    /// What follows it.
    pub(crate) payload: u32,
    /// The network header.
    pub(crate) network: u32,
}

/// Ethernet length fields end here, EtherTypes begin above (IEEE 802.3).
const LONGEST_802_3: u32 = 1500;
/// SLL's protocol field for 802.2 frames.
const SLL_802_2: u32 = 4;
/// SLL's protocol field for raw 802.3 frames.
const SLL_802_3: u32 = 1;
const ETHERTYPE_IPX: u32 = 0x8137;
const ETHERTYPE_ATALK: u32 = 0x809b;
const ETHERTYPE_AARP: u32 = 0x80f3;

impl Link {
    /// Offsets of the protocol field and of the payload.
    fn offsets(self) -> (u32, u32) {
        match self {
            Self::Ethernet => (12, 14),
            Self::Sll => (14, 16),
            Self::Sll2 => (0, 20),
            Self::Null | Self::Loop => (0, 4),
            Self::Raw | Self::Ipv4 | Self::Ipv6 | Self::Unknown => (0, 0),
        }
    }
}

impl<'a> Frame<'a> {
    #[inline]
    pub(crate) fn new(data: &'a [u8], wire: Wire<'a>, link: Link) -> Self {
        let mut frame = Self { data, wire, link, carried: UNREAD };
        frame.carried = match link {
            Link::Ethernet => frame.u16(12),
            Link::Sll => frame.u16(14),
            Link::Sll2 => frame.u16(0),
            _ => Err(Beyond),
        }
        .unwrap_or(UNREAD);
        frame
    }

    /// Octets on the wire.
    pub(crate) fn wire_len(&self) -> u32 {
        match self.wire {
            Wire::Len(len) => len,
            Wire::SubjectOf(packet) => packet.subject_len(),
        }
    }

    /// Where `scope`'s headers begin; `inside` are the frames found in Geneve so far.
    pub(crate) fn place(&self, scope: &Scope, inside: &[Place]) -> Place {
        let (ethertype, payload) = self.link.offsets();
        let inside = |slot: u8| inside.get(usize::from(slot)).copied().unwrap_or_default();
        let (header, ethertype, payload) = match scope.anchor {
            Anchor::Record => (0, ethertype, payload),
            Anchor::Ppp => (payload, payload, payload),
            Anchor::Geneve(slot) => (inside(slot).header, inside(slot).ethertype, inside(slot).payload),
            Anchor::PppInGeneve(slot) => (inside(slot).payload, inside(slot).payload, inside(slot).payload),
        };
        let payload = payload.saturating_add(scope.payload_len);
        Place {
            header: header.saturating_add(scope.header_len),
            ethertype: ethertype.saturating_add(scope.ethertype_len),
            payload,
            network: payload.saturating_add(scope.labels_len),
        }
    }

    /// Whether the link header says that `protocol` follows.
    #[inline]
    pub(crate) fn carries(&self, protocol: u32, scope: &Scope, place: &Place) -> Answer<bool> {
        let is_simple = protocol > LONGEST_802_3 && protocol != ETHERTYPE_ATALK && protocol != ETHERTYPE_AARP;
        if is_simple && self.carried != UNREAD && scope.is_plain() {
            return Ok(self.carried == protocol);
        }
        self.carries_anywhere(protocol, scope, place)
    }

    #[inline(never)]
    fn carries_anywhere(&self, protocol: u32, scope: &Scope, place: &Place) -> Answer<bool> {
        if scope.labelled {
            let nibble = if protocol == ETHERTYPE_IP { 0x40 } else { 0x60 };
            let last_label = self.u8(u64::from(place.network.saturating_sub(2)))? & 1 == 1;
            return Ok(last_label && self.u8(place.network.into())? & 0xf0 == nibble);
        }
        if scope.is_ppp() {
            return Ok(self.u16(place.ethertype.into())? == ppp_protocol(protocol));
        }
        if scope.anchor != Anchor::Record {
            return self.ethernet_carries(protocol, place);
        }
        match self.link {
            Link::Ethernet => self.ethernet_carries(protocol, place),
            Link::Sll => self.sll_carries(protocol, place),
            Link::Sll2 => Ok(self.u16(place.ethertype.into())? == protocol),
            Link::Null | Link::Loop => self.loopback_carries(protocol),
            Link::Raw => match protocol {
                ETHERTYPE_IP => Ok(self.u8(0)? & 0xf0 == 0x40),
                ETHERTYPE_IPV6 => Ok(self.u8(0)? & 0xf0 == 0x60),
                _ => Ok(false),
            },
            Link::Ipv4 => Ok(protocol == ETHERTYPE_IP),
            Link::Ipv6 => Ok(protocol == ETHERTYPE_IPV6),
            Link::Unknown => Ok(false),
        }
    }

    fn ethernet_carries(&self, protocol: u32, place: &Place) -> Answer<bool> {
        let field = self.u16(place.ethertype.into())?;
        let llc = u64::from(place.payload);
        match protocol {
            ETHERTYPE_ATALK | ETHERTYPE_AARP if field <= LONGEST_802_3 => self.is_snap(llc, protocol),
            _ if protocol > LONGEST_802_3 => Ok(field == protocol),
            SAP_IPX if field == ETHERTYPE_IPX => Ok(true),
            _ if field > LONGEST_802_3 => Ok(false),
            SAP_IPX => {
                Ok(self.is_snap(llc, ETHERTYPE_IPX)? || self.u8(llc)? == SAP_IPX || self.u16(llc)? == 0xffff)
            }
            SAP_ISO | SAP_NETBEUI | SAP_IP => Ok(self.u16(llc)? == protocol << 8 | protocol),
            _ => Ok(self.u8(u64::from(place.ethertype) + 2)? == protocol),
        }
    }

    fn sll_carries(&self, protocol: u32, place: &Place) -> Answer<bool> {
        let field = self.u16(place.ethertype.into())?;
        let llc = u64::from(place.payload);
        match protocol {
            ETHERTYPE_ATALK | ETHERTYPE_AARP if field == SLL_802_2 => self.is_snap(llc, protocol),
            _ if protocol > LONGEST_802_3 => Ok(field == protocol),
            SAP_IPX if field == ETHERTYPE_IPX || field == SLL_802_3 => Ok(true),
            _ if field != SLL_802_2 => Ok(false),
            SAP_IPX => Ok(self.u8(llc)? == SAP_IPX || self.is_snap(llc, ETHERTYPE_IPX)?),
            SAP_ISO | SAP_NETBEUI | SAP_IP => Ok(self.u16(llc)? == protocol << 8 | protocol),
            _ => Ok(self.u8(llc)? == protocol),
        }
    }

    /// BSD address families: 2 is IPv4; 24, 28 and 30 are IPv6 on one system or another.
    fn loopback_carries(&self, protocol: u32) -> Answer<bool> {
        let family = match (protocol, self.link) {
            (ETHERTYPE_IP | ETHERTYPE_IPV6, _) => self.u32(0)?,
            _ => return Ok(false),
        };
        let family = if self.link == Link::Null && family > 0xffff { family.swap_bytes() } else { family };
        Ok(if protocol == ETHERTYPE_IP { family == 2 } else { matches!(family, 24 | 28 | 30) })
    }

    /// An LLC header with SNAP that names this EtherType; AppleTalk has its own organisation code.
    fn is_snap(&self, llc: u64, ethertype: u32) -> Answer<bool> {
        let organisation = if ethertype == ETHERTYPE_ATALK { 0x080007 } else { 0 };
        let second_half = (organisation & 0xffff) << 16 | ethertype;
        Ok(self.u32(llc + 4)? == second_half && self.u32(llc)? == 0xaaaa_0300 | organisation >> 16)
    }

    /// The IPv4 header's length in octets, by its own field.
    #[inline]
    pub(crate) fn ipv4_header_len(&self, place: &Place) -> Answer<u32> {
        Ok((self.u8(place.network.into())? & 0xf) * 4)
    }

    #[inline]
    pub(crate) fn u8(&self, at: u64) -> Answer<u32> {
        self.array::<1>(at).map(|[a]| u32::from(a))
    }

    #[inline]
    pub(crate) fn u16(&self, at: u64) -> Answer<u32> {
        self.array::<2>(at).map(|octets| u32::from(u16::from_be_bytes(octets)))
    }

    #[inline]
    pub(crate) fn u32(&self, at: u64) -> Answer<u32> {
        self.array::<4>(at).map(u32::from_be_bytes)
    }

    #[inline]
    fn array<const N: usize>(&self, at: u64) -> Answer<[u8; N]> {
        let at = usize::try_from(at).map_err(|_| Beyond)?;
        self.data.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(Beyond)
    }
}

/// SAP of IP over 802.2.
const SAP_IP: u32 = 0x06;

/// PPP's number for an EtherType or SAP (RFC 1661 and its registry); others stand for themselves.
fn ppp_protocol(protocol: u32) -> u32 {
    match protocol {
        ETHERTYPE_IP => 0x21,
        ETHERTYPE_IPV6 => 0x57,
        0x6003 => 0x27,
        ETHERTYPE_ATALK => 0x29,
        0x0600 => 0x25,
        SAP_ISO => 0x23,
        0x42 => 0x31,
        SAP_IPX => 0x2b,
        other => other,
    }
}
