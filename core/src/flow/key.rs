//! Which flow a packet belongs to: the innermost IP addresses, protocol and ports, the same for both directions.
//!
//! The innermost IP header counts: a TCP connection inside GRE inside the mirrored frame is one flow, and the GRE
//! around it is none. Ports are read from the octets behind the IP header, so that a header that the capture cut
//! behind its ports still belongs to its flow. Protocols without ports have the ports 0.
//!
//! The mirror session is the other half of the key; the table keeps it beside the tuple, because one flow may be
//! mirrored by several sessions (see [`super::duplicates`]).

use core::{
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    layers::{Layer, ipv6_ext},
    packet::Packet,
    stack::{Span, Stack},
};

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// An address and a port; the port is 0 for protocols that have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// IPv4 or IPv6 address.
    pub address: IpAddr,
    /// Port in host order.
    pub port: u16,
}

/// Which way a packet goes within its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    /// From the lower endpoint to the higher.
    Up = 0,
    /// From the higher endpoint to the lower.
    Down = 1,
}

impl Way {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::Up, Self::Down];

    #[inline]
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// The innermost 5-tuple with the lower endpoint first, so that both directions give the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuple {
    /// Addresses as numbers, upper half first; an IPv4 address fills the low 32 bits.
    addresses: [[u64; 2]; 2],
    ports: [u16; 2],
    pub(crate) protocol: u8,
    is_ipv6: bool,
}

/// As few steps as tell all tuples apart: every packet is hashed.
impl Hash for Tuple {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [[high_a, low_a], [high_b, low_b]] = self.addresses;
        if self.is_ipv6 {
            [high_a, low_a, high_b, low_b].into_iter().for_each(|word| state.write_u64(word));
        } else {
            state.write_u64(low_a << 32 | low_b);
        }
        let [port_a, port_b] = self.ports.map(u64::from);
        let kind = u64::from(self.protocol) << 1 | u64::from(self.is_ipv6);
        state.write_u64(kind << 32 | port_a << 16 | port_b);
    }
}

impl Tuple {
    /// That of no packet.
    pub(crate) const EMPTY: Self =
        Self { addresses: [[0; 2]; 2], ports: [0; 2], protocol: 0, is_ipv6: false };

    /// The tuple of a packet from `src` to `dst`, and which way that is.
    #[inline]
    pub(crate) fn new(src: (IpAddr, u16), dst: (IpAddr, u16), protocol: u8) -> (Self, Way) {
        let addresses = Addresses { numbers: [number(src.0), number(dst.0)], is_ipv6: src.0.is_ipv6() };
        Self::of(addresses, [src.1, dst.1], protocol)
    }

    #[inline]
    fn of(
        Addresses { numbers: [src, dst], is_ipv6 }: Addresses,
        ports: [u16; 2],
        protocol: u8,
    ) -> (Self, Way) {
        let [src_port, dst_port] = ports;
        let is_up = match is_ipv6 {
            true => (src, src_port) <= (dst, dst_port),
            false => (src[1] << 16 | u64::from(src_port)) <= (dst[1] << 16 | u64::from(dst_port)),
        };
        match is_up {
            true => (Self { addresses: [src, dst], ports, protocol, is_ipv6 }, Way::Up),
            false => {
                (Self { addresses: [dst, src], ports: [dst_port, src_port], protocol, is_ipv6 }, Way::Down)
            }
        }
    }

    /// The endpoint that sends the packets that go `way`.
    pub(crate) fn sender(&self, way: Way) -> Endpoint {
        let [high, low] = self.addresses[way as usize];
        let address = match self.is_ipv6 {
            true => IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))),
            false => IpAddr::V4(Ipv4Addr::from_bits(low as u32)),
        };
        Endpoint { address, port: self.ports[way as usize] }
    }

    /// The port of the endpoint that sends the packets that go `way`.
    #[inline]
    pub(crate) fn source_port(&self, way: Way) -> u16 {
        self.ports[way as usize]
    }

    /// The same tuple with other ports, given in the order of a packet that goes `way` without ports.
    pub(crate) fn with_ports(self, way: Way, src_port: u16, dst_port: u16) -> (Self, Way) {
        let [src, dst] = [self.sender(way).address, self.sender(way.opposite()).address];
        Self::new((src, src_port), (dst, dst_port), self.protocol)
    }
}

#[inline]
fn number(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(address) => [0, address.to_bits().into()],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [(bits >> 64) as u64, bits as u64]
        }
    }
}

/// Source and destination as [`Tuple`] keeps addresses.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    numbers: [[u64; 2]; 2],
    is_ipv6: bool,
}

/// A piece of a fragmented IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub(crate) id: u32,
    /// Whether it is the piece that carries the transport header.
    pub(crate) is_first: bool,
}

/// What the flow table needs to know of one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'a> {
    pub(crate) tuple: Tuple,
    pub(crate) way: Way,
    /// Set for the first and the later pieces of a fragmented packet.
    pub(crate) fragment: Option<Fragment>,
    /// What the IP header has to tell this packet from others of its flow: identification, flags and fragment
    /// offset in IPv4; the flow label, or identification and offset, in IPv6.
    pub(crate) mark: u64,
    /// Whether `mark` holds an identification: IPv4's if it is not 0, that of an IPv6 fragment.
    pub(crate) is_identified: bool,
    /// The captured octets behind the IP headers.
    pub(crate) transport: &'a [u8],
    /// Octets behind the IP headers on the wire.
    pub(crate) transport_len: u32,
}

impl Sighting<'_> {
    /// Whether it is a piece of a fragmented packet that has no transport header.
    #[inline]
    pub(crate) fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| !fragment.is_first)
    }
}

impl<'a> Sighting<'a> {
    /// Finds the innermost IP packet whose addresses were captured; `None` where there is none.
    #[inline]
    pub(crate) fn of(packet: &Packet<'a>) -> Option<Self> {
        let stack = &packet.stack;
        let inside = Inside::of(stack, packet.subject_layers())?;
        let is_later_fragment = inside.fragment.is_some_and(|fragment| !fragment.is_first);
        let transport = stack.payload(inside.last);
        let ports = match has_ports(inside.protocol) && !is_later_fragment {
            true => port_pair(transport),
            false => [0; 2],
        };
        let (tuple, way) = Tuple::of(inside.addresses, ports, inside.protocol);
        let transport_len = inside.end.saturating_sub(inside.last.payload);
        let Inside { fragment, mark, is_identified, .. } = inside;
        Some(Self { tuple, way, fragment, mark, is_identified, transport, transport_len })
    }
}

fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP | SCTP | UDP_LITE | DCCP)
}

#[inline]
fn port_pair(transport: &[u8]) -> [u16; 2] {
    let [a, b, c, d] = transport.first_chunk::<4>().copied().unwrap_or_default();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

/// What the innermost IP header whose addresses were captured says, with the extension headers behind it.
struct Inside<'s> {
    addresses: Addresses,
    protocol: u8,
    fragment: Option<Fragment>,
    mark: u64,
    is_identified: bool,
    /// The last of these headers.
    last: &'s Span,
    /// Where the IP packet ends.
    end: u32,
}

impl<'s> Inside<'s> {
    #[inline]
    fn of(stack: &Stack<'_>, layers: &'s [Span]) -> Option<Self> {
        layers.iter().enumerate().rev().find_map(|(at, span)| match span.layer {
            Layer::Ipv4 => Some(Self::ipv4(stack.header(span).first_chunk()?, span)),
            Layer::Ipv6 => {
                let inside = Self::ipv6(stack.header(span).first_chunk()?, span);
                Some(inside.behind_extensions(stack, &layers[at + 1..]))
            }
            _ => None,
        })
    }

    #[inline]
    fn ipv4(header: &[u8; 20], span: &'s Span) -> Self {
        let &[_, _, _, _, id_a, id_b, word_a, word_b, _, protocol, _, _, src @ .., d0, d1, d2, d3] = header;
        let [src, dst] = [src, [d0, d1, d2, d3]].map(|octets| [0, u32::from_be_bytes(octets).into()]);
        let (id, word) = (u16::from_be_bytes([id_a, id_b]), u16::from_be_bytes([word_a, word_b]));
        Self {
            addresses: Addresses { numbers: [src, dst], is_ipv6: false },
            protocol,
            fragment: ipv4_fragment(id, word),
            mark: u64::from(id) << 16 | u64::from(word),
            is_identified: id != 0,
            last: span,
            end: span.end,
        }
    }

    #[inline]
    fn ipv6(header: &[u8; 40], span: &'s Span) -> Self {
        let mut words = header.as_chunks::<8>().0.iter().map(|octets| u64::from_be_bytes(*octets));
        let [first, a, b, c, d] = core::array::from_fn(|_| words.next().unwrap_or_default());
        Self {
            addresses: Addresses { numbers: [[a, b], [c, d]], is_ipv6: true },
            protocol: header[6],
            fragment: None,
            // The flow label.
            mark: first >> 32 & 0x000f_ffff,
            is_identified: false,
            last: span,
            end: span.end,
        }
    }

    fn behind_extensions(mut self, stack: &Stack<'_>, layers: &'s [Span]) -> Self {
        for span in layers.iter().take_while(|span| matches!(span.layer, Layer::Ipv6Ext | Layer::Ah)) {
            let header = stack.header(span);
            if span.via == ipv6_ext::FRAGMENT {
                self.fragment = ipv6_fragment(header);
                self.mark = word(header, 4) << 32 | word(header, 0);
                self.is_identified = true;
            }
            self.protocol = header.first().copied().unwrap_or(self.protocol);
            self.last = span;
        }
        self
    }
}

#[inline]
fn word(header: &[u8], at: usize) -> u64 {
    let octets = header.get(at..).and_then(|rest| rest.first_chunk::<4>());
    octets.map_or(0, |octets| u32::from_be_bytes(*octets).into())
}

#[inline]
fn ipv4_fragment(id: u16, word: u16) -> Option<Fragment> {
    // More fragments, or an offset.
    (word & 0x3fff != 0).then_some(Fragment { id: id.into(), is_first: word & 0x1fff == 0 })
}

fn ipv6_fragment(header: &[u8]) -> Option<Fragment> {
    let [_, _, a, b, id @ ..] = *header.first_chunk::<8>()?;
    let word = u16::from_be_bytes([a, b]);
    // A fragment header with neither offset nor more fragments (RFC 6946) is no fragment.
    (word & 0xfff9 != 0).then_some(Fragment { id: u32::from_be_bytes(id), is_first: word & 0xfff8 == 0 })
}

#[cfg(test)]
mod tests {
    use core::hash::BuildHasher;

    use super::*;
    use crate::{
        layers::testing::{ipv4, record, udp},
        record::LinkType,
        stack::Decoder,
    };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn both_directions_have_one_tuple_and_opposite_ways() {
        let (there, up) = Tuple::new((address(1), 40000), (address(2), 443), TCP);
        let (back, down) = Tuple::new((address(2), 443), (address(1), 40000), TCP);
        assert_eq!(there, back);
        assert_eq!(up, down.opposite());
        assert_eq!(there.sender(up), Endpoint { address: address(1), port: 40000 });
        assert_eq!(there.sender(down), Endpoint { address: address(2), port: 443 });
    }

    #[test]
    fn a_host_that_talks_to_itself_is_told_apart_by_ports() {
        let (there, up) = Tuple::new((address(1), 5000), (address(1), 80), TCP);
        let (back, down) = Tuple::new((address(1), 80), (address(1), 5000), TCP);
        assert_eq!(there, back);
        assert_ne!(up, down);
    }

    #[test]
    fn an_ipv4_address_never_equals_the_ipv6_address_of_the_same_number() {
        let (v4, _) = Tuple::new((address(1), 1), (address(2), 2), UDP);
        let same = |last: u8| IpAddr::V6(Ipv6Addr::from_bits(u128::from(0x0a00_0000 + u32::from(last))));
        let (v6, _) = Tuple::new((same(1), 1), (same(2), 2), UDP);
        assert_ne!(v4, v6);
    }

    #[test]
    fn ports_learnt_later_keep_the_direction() {
        let (without, way) = Tuple::new((address(2), 0), (address(1), 0), UDP);
        let (with, way) = without.with_ports(way, 53, 40000);
        assert_eq!(with.sender(way), Endpoint { address: address(2), port: 53 });
    }

    #[test]
    fn a_fragment_header_without_offset_and_more_is_no_fragment() {
        assert_eq!(ipv6_fragment(&[17, 0, 0, 0, 1, 2, 3, 4]), None);
        let first = ipv6_fragment(&[17, 0, 0, 1, 0, 0, 0, 9]).unwrap();
        assert_eq!(first, Fragment { id: 9, is_first: true });
        let later = ipv6_fragment(&[17, 0, 0, 8, 0, 0, 0, 9]).unwrap();
        assert!(!later.is_first);
    }

    fn sighting(data: &[u8]) -> Sighting<'_> {
        Sighting::of(&Packet::decode(&Decoder::default(), record(LinkType::RAW, data))).unwrap()
    }

    const LOW: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);
    const HIGH: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1);

    /// IPv6 from the higher address to the lower.
    fn ipv6(version_class_label: [u8; 4], next_header: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = version_class_label.to_vec();
        packet.extend((payload.len() as u16).to_be_bytes());
        packet.extend([next_header, 64]);
        packet.extend([HIGH.octets(), LOW.octets()].concat());
        packet.extend(payload);
        packet
    }

    /// Hop-by-hop options, this fragment header, UDP 5353 to 53 with two octets.
    fn in_fragment(offset_and_more: u8) -> Vec<u8> {
        let options = [44, 0, 1, 4, 0, 0, 0, 0];
        let fragment = [17, 0, 0, offset_and_more, 1, 2, 3, 4];
        ipv6([0x60, 0, 0, 0], 0, &[&options[..], &fragment, &udp(5353, 53, 10), &[8, 9]].concat())
    }

    #[test]
    fn a_flow_over_ipv6_has_its_whole_addresses_and_the_ports_behind_the_extensions() {
        // Hop-by-hop options, destination options.
        let chain = [[60, 0, 1, 4, 0, 0, 0, 0], [17, 0, 1, 4, 0, 0, 0, 0]].concat();
        let packet = ipv6([0x60, 0, 0, 0], 0, &[&chain[..], &udp(5353, 53, 10), &[8, 9]].concat());
        let seen = sighting(&packet);
        assert_eq!(seen.tuple.sender(seen.way), Endpoint { address: HIGH.into(), port: 5353 });
        assert_eq!(seen.tuple.sender(seen.way.opposite()), Endpoint { address: LOW.into(), port: 53 });
        assert_eq!((seen.way, seen.tuple.protocol, seen.fragment), (Way::Down, UDP, None));
        assert_eq!((seen.transport_len, seen.transport), (10, &packet[56..]));
    }

    #[test]
    fn packets_over_ipv6_are_told_apart_by_flow_label_and_not_by_what_routers_change() {
        let mark = |first: [u8; 4]| {
            let packet = ipv6(first, 17, &udp(1, 2, 8));
            let seen = sighting(&packet);
            (seen.mark, seen.is_identified)
        };
        assert_eq!(mark([0x60, 0x0c, 0xde, 0xf1]), (0xc_def1, false));
        // Another traffic class.
        assert_eq!(mark([0x6a, 0xbc, 0xde, 0xf1]), (0xc_def1, false));
    }

    #[test]
    fn a_fragment_over_ipv6_is_known_by_its_identification_and_place() {
        let (first, later) = (in_fragment(1), in_fragment(8));
        let [first, later] = [&first, &later].map(|packet| sighting(packet));
        assert_eq!(first.fragment, Some(Fragment { id: 0x0102_0304, is_first: true }));
        assert_eq!(later.fragment, Some(Fragment { id: 0x0102_0304, is_first: false }));
        assert_eq!((first.is_later_fragment(), later.is_later_fragment()), (false, true));
        assert_eq!((first.mark, later.mark), (0x0102_0304_1100_0001, 0x0102_0304_1100_0008));
        assert!(first.is_identified && later.is_identified);
        assert_eq!(first.tuple.source_port(first.way), 5353);
        assert_eq!((later.tuple.source_port(later.way), later.tuple.protocol), (0, UDP));
    }

    #[test]
    fn only_protocols_with_ports_have_them_and_only_their_first_fragment() {
        let port = |protocol: u8, fragment: [u8; 2]| {
            let mut packet = [&ipv4(protocol, 28)[..], &udp(5353, 53, 8)].concat();
            packet[6..8].copy_from_slice(&fragment);
            let seen = sighting(&packet);
            seen.tuple.source_port(seen.way)
        };
        for protocol in [TCP, UDP, DCCP, SCTP, UDP_LITE] {
            assert_eq!(port(protocol, [0x40, 0]), 5353, "{protocol}, not to be fragmented");
            assert_eq!(port(protocol, [0x20, 0]), 5353, "{protocol}, the first fragment");
            assert_eq!(port(protocol, [0, 1]), 0, "{protocol}, the last fragment");
        }
        for protocol in [1, 47, 50] {
            assert_eq!(port(protocol, [0, 0]), 0, "{protocol}");
        }
    }

    #[test]
    fn the_innermost_addresses_count() {
        // IPv4 / GRE / IPv6 / UDP.
        let inside = ipv6([0x60, 0, 0, 0], 17, &udp(5353, 53, 8));
        let packet = [&ipv4(47, 24 + inside.len() as u16)[..], &[0, 0, 0x86, 0xdd], &inside].concat();
        let seen = sighting(&packet);
        assert_eq!(seen.tuple.sender(seen.way), Endpoint { address: HIGH.into(), port: 5353 });
    }

    #[test]
    fn tuples_that_differ_in_anything_have_different_hashes() {
        let v4 = |a: u8, b: u8, ports: [u16; 2], protocol| {
            Tuple::new((address(a), ports[0]), (address(b), ports[1]), protocol).0
        };
        let v6 = |a: u128, b: u128| {
            let [a, b] = [a, b].map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)));
            Tuple::new((a, 7), (b, 8), UDP).0
        };
        let high = |number: u128| number << 64;
        let tuples = [
            v4(1, 9, [7, 8], UDP),
            v4(2, 9, [7, 8], UDP),
            v4(1, 8, [7, 8], UDP),
            v4(1, 9, [6, 8], UDP),
            v4(1, 9, [7, 6], UDP),
            v4(1, 9, [8, 7], UDP),
            v4(1, 9, [7, 8], TCP),
            v4(1, 9, [7, 8], UDP - 1),
            v6(high(1) + 1, high(9) + 9),
            v6(high(1) + 2, high(9) + 9),
            v6(high(2) + 1, high(9) + 9),
            v6(high(1) + 1, high(9) + 8),
            v6(high(1) + 1, high(8) + 9),
            v6(1, 9),
        ];
        let hasher = foldhash::quality::FixedState::default();
        let hashes: std::collections::BTreeSet<_> =
            tuples.iter().map(|tuple| hasher.hash_one(tuple)).collect();
        assert_eq!(hashes.len(), tuples.len());
    }
}
