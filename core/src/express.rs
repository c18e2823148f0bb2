//! The envelope that nearly every mirrored packet has, read in one piece instead of layer by layer.
//!
//! Ethernet, IPv4, UDP, Geneve with the three options of GWLB, IPv4, UDP, VXLAN: 118 octets at fixed places.
//! Whatever differs (VLAN tags, IP options, IPv6, fragments, other options) goes to the walk in `stack`. Both give
//! the same stack, which a test proves by changing octets; this way costs a third.

use core::net::IpAddr;

use crate::{
    aws::{
        gwlb::{self, EndpointId, GwlbContext},
        mirror::{MirrorContext, MirrorIdentity},
    },
    layers::Layer,
    stack::{Decoder, Span},
};

/// Octets of the envelope.
pub(crate) const LEN: usize = 118;
/// Layers of the envelope.
pub(crate) const LAYERS: usize = 7;

const OUTER_IP: usize = 14;
const OUTER_UDP: usize = 34;
const GENEVE: usize = 42;
const INNER_IP: usize = 82;
const INNER_UDP: usize = 102;
const VXLAN: usize = 110;

const IPV4_TYPE: u16 = 0x0800;
const UDP: u8 = 17;

/// Reads the envelope of an Ethernet record that has `end` octets on the wire; `None` if it is not the usual one.
#[inline]
pub(crate) fn read(decoder: &Decoder, bytes: &[u8], end: u32) -> Option<[Span; LAYERS]> {
    let head: &[u8; LEN] = bytes.first_chunk()?;
    let usual = be16(head, 12) == IPV4_TYPE && is_plain_udp(head, OUTER_IP) && is_plain_udp(head, INNER_IP);
    let geneve_port = be16(head, OUTER_UDP + 2);
    let vxlan_port = be16(head, INNER_UDP + 2);
    let tunnels = decoder.geneve_ports.contains(geneve_port)
        && !decoder.vxlan_ports.contains(geneve_port)
        && decoder.vxlan_ports.contains(vxlan_port);
    if !(usual && tunnels && is_usual_geneve(head)) {
        return None;
    }
    let outer_ip_end = ip_end(head, OUTER_IP)?;
    let outer_udp_end = udp_end(head, OUTER_UDP, outer_ip_end)?;
    let inner_ip_end = ip_end(head, INNER_IP)?;
    let inner_udp_end = udp_end(head, INNER_UDP, inner_ip_end)?;
    let mut limit = bytes.len() as u32;
    let mut span = |layer, via, offset: usize, payload: usize, end: u32| {
        limit = limit.min(end);
        Span { layer, via, offset: offset as u32, payload: payload as u32, end, limit }
    };
    Some([
        span(Layer::Ethernet, crate::LinkType::ETHERNET.0, 0, OUTER_IP, end),
        span(Layer::Ipv4, IPV4_TYPE, OUTER_IP, OUTER_UDP, outer_ip_end),
        span(Layer::Udp, UDP.into(), OUTER_UDP, GENEVE, outer_udp_end),
        span(Layer::Geneve, geneve_port, GENEVE, INNER_IP, outer_udp_end),
        span(Layer::Ipv4, IPV4_TYPE, INNER_IP, INNER_UDP, inner_ip_end),
        span(Layer::Udp, UDP.into(), INNER_UDP, VXLAN, inner_udp_end),
        span(Layer::Vxlan, vxlan_port, VXLAN, LEN, inner_udp_end),
    ])
}

/// What the envelope that [`read`] accepted says of the packet.
#[inline]
pub(crate) fn context(bytes: &[u8]) -> Option<MirrorContext> {
    let head: &[u8; LEN] = bytes.first_chunk()?;
    let gwlb = GwlbContext {
        endpoint_id: EndpointId(u64::from_be_bytes(octets(head, GENEVE + 12))),
        attachment_id: Some(u64::from_be_bytes(octets(head, GENEVE + 24))),
        flow_cookie: Some(u32::from_be_bytes(octets(head, GENEVE + 36))),
    };
    let identity = MirrorIdentity {
        endpoint_id: Some(gwlb.endpoint_id),
        vni: u32::from_be_bytes(octets(head, VXLAN + 4)) >> 8,
        source: IpAddr::from(octets::<4>(head, INNER_IP + 12)),
    };
    Some(MirrorContext { identity, gwlb: Some(gwlb) })
}

/// IPv4 without options, not a later fragment, carrying UDP.
#[inline]
fn is_plain_udp(head: &[u8; LEN], at: usize) -> bool {
    head[at] == 0x45 && head[at + 9] == UDP && be16(head, at + 6) & 0x1fff == 0
}

/// Version 0, eight words of options, IPv4 inside, and the options in their order.
#[inline]
fn is_usual_geneve(head: &[u8; LEN]) -> bool {
    head[GENEVE] == 0x08
        && be16(head, GENEVE + 2) == IPV4_TYPE
        && gwlb::has_usual_options(&head[GENEVE..INNER_IP])
}

/// Where an IP packet ends, if what is inside the envelope lies before that.
#[inline]
fn ip_end(head: &[u8; LEN], at: usize) -> Option<u32> {
    let end = at as u32 + u32::from(be16(head, at + 2));
    (end >= LEN as u32).then_some(end)
}

#[inline]
fn udp_end(head: &[u8; LEN], at: usize, ip_end: u32) -> Option<u32> {
    let end = at as u32 + u32::from(be16(head, at + 4));
    (end >= LEN as u32).then(|| end.min(ip_end))
}

#[inline]
fn be16(head: &[u8; LEN], at: usize) -> u16 {
    u16::from_be_bytes([head[at], head[at + 1]])
}

#[inline]
fn octets<const N: usize>(head: &[u8; LEN], at: usize) -> [u8; N] {
    core::array::from_fn(|i| head[at + i])
}

#[cfg(test)]
mod tests {
    use crate::{Decoder, LinkType, Packet, Record};

    /// Ethernet, IPv4, UDP, Geneve, IPv4, UDP, VXLAN, Ethernet, IPv4, TCP.
    fn mirrored() -> Vec<u8> {
        let tcp =
            [&[0x01, 0xbb, 0x80, 0x00, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0][..], &[7; 30]]
                .concat();
        let frame = [&[2; 12][..], &[8, 0], &ipv4(6, tcp.len()), &tcp].concat();
        let vxlan = [&[8, 0, 0, 0, 0x8e, 0x4b, 0xe5, 0][..], &frame].concat();
        let inner = [&ipv4(17, 8 + vxlan.len()), &udp(4789, vxlan.len()), &vxlan[..]].concat();
        let mut geneve = vec![8, 0, 8, 0, 0, 0, 0, 0, 1, 8, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        geneve.extend([1, 8, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 3, 1, 9, 9, 9, 9]);
        geneve.extend(inner);
        [&[2; 12][..], &[8, 0], &ipv4(17, 8 + geneve.len()), &udp(6081, geneve.len()), &geneve].concat()
    }

    fn ipv4(protocol: u8, payload_len: usize) -> Vec<u8> {
        let [a, b] = (20 + payload_len as u16).to_be_bytes();
        vec![0x45, 0, a, b, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
    }

    fn udp(port: u16, payload_len: usize) -> Vec<u8> {
        [[0xff, 0x80], port.to_be_bytes(), (8 + payload_len as u16).to_be_bytes(), [0, 0]].concat()
    }

    /// Both ways must agree on layers, stop, envelope and subject.
    fn assert_agreement(bytes: &[u8], original_len: u32) {
        let link_type = LinkType::ETHERNET;
        let record = Record {
            number: 1,
            timestamp_ns: 0,
            interface: 0,
            link_type,
            original_len,
            offset: 0,
            data: bytes,
        };
        let decoder = Decoder::default();
        let express = Packet::decode(&decoder, record);
        let walked = Packet::decode_by_walk(&decoder, record);
        assert_eq!(express.stack.layers(), walked.stack.layers());
        assert_eq!(express.stack.stop(), walked.stack.stop());
        assert_eq!((express.envelope, express.subject), (walked.envelope, walked.subject));
    }

    #[test]
    fn the_usual_packet_takes_the_express_way() {
        let bytes = mirrored();
        assert!(super::read(&Decoder::default(), &bytes, bytes.len() as u32).is_some());
        assert_agreement(&bytes, bytes.len() as u32);
    }

    #[test]
    fn both_ways_agree_whatever_octet_of_the_envelope_is_changed() {
        let usual = mirrored();
        for at in 0..usual.len() {
            for value in 0..=u8::MAX {
                let mut bytes = usual.clone();
                bytes[at] = value;
                assert_agreement(&bytes, bytes.len() as u32);
            }
        }
    }

    #[test]
    fn both_ways_agree_wherever_the_packet_is_cut() {
        let usual = mirrored();
        for len in 0..usual.len() {
            assert_agreement(&usual[..len], usual.len() as u32);
            assert_agreement(&usual[..len], 0);
        }
    }
}
