//! The headers that nearly every mirrored packet has, read in one piece instead of layer by layer.
//!
//! Ethernet, IPv4, UDP, Geneve with the three options of GWLB, IPv4, UDP, VXLAN: 118 octets at fixed places, and
//! behind them most often Ethernet, IPv4, and TCP or UDP. Whatever differs (VLAN tags, IP options, IPv6, fragments,
//! other options) goes to the walk in `stack`. Both give the same stack, which tests prove by changing octets; this
//! way costs a third.

use core::net::IpAddr;

use crate::{
    aws::{
        gwlb::{self, EndpointId, GwlbContext},
        mirror::{MirrorContext, MirrorIdentity},
    },
    layers::{Cursor, Layer},
    stack::{Decoder, Span, Stack},
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

/// Where the headers of a frame lie, and the octets that tell whether it is usual.
const FRAME_IP: usize = 14;
const FRAME_TRANSPORT: usize = 34;
const FRAME_LEN: usize = 54;

const IPV4_TYPE: u16 = 0x0800;
const TCP: u8 = 6;
const UDP: u8 = 17;
const TCP_LEN: u32 = 20;
const UDP_LEN: u32 = 8;

/// Reads the envelope of an Ethernet record that has `end` octets on the wire into an empty stack, and returns where
/// the mirrored frame begins; `None`, and nothing read, if it is not the usual envelope.
#[inline]
pub(crate) fn read<'a>(
    decoder: &'a Decoder,
    bytes: &'a [u8],
    end: u32,
    stack: &mut Stack<'_>,
) -> Option<Cursor<'a>> {
    let head: &[u8; LEN] = bytes.first_chunk()?;
    let geneve_port = be16(head, OUTER_UDP + 2);
    let vxlan_port = be16(head, INNER_UDP + 2);
    let usual = be16(head, 12) == IPV4_TYPE
        && is_plain_ipv4(head, OUTER_IP, UDP)
        && is_plain_ipv4(head, INNER_IP, UDP)
        && is_usual_geneve(head)
        && decoder.geneve_ports.contains(geneve_port)
        && !decoder.vxlan_ports.contains(geneve_port)
        && decoder.vxlan_ports.contains(vxlan_port);
    let outer_ip_end = OUTER_IP as u32 + u32::from(be16(head, OUTER_IP + 2));
    let inner_ip_end = INNER_IP as u32 + u32::from(be16(head, INNER_IP + 2));
    let outer_udp_end = outer_ip_end.min(OUTER_UDP as u32 + u32::from(be16(head, OUTER_UDP + 4)));
    let inner_udp_end = inner_ip_end.min(INNER_UDP as u32 + u32::from(be16(head, INNER_UDP + 4)));
    // Every part must reach to the end of the envelope; what lies inside a header that says otherwise is its affair.
    if !usual || outer_udp_end.min(inner_udp_end) < LEN as u32 {
        return None;
    }
    let mut limit = bytes.len() as u32;
    let mut add = |layer, via, offset: usize, payload: usize, end: u32| {
        limit = limit.min(end);
        stack.push(Span { layer, via, offset: offset as u32, payload: payload as u32, end, limit });
    };
    add(Layer::Ethernet, crate::LinkType::ETHERNET.0, 0, OUTER_IP, end);
    add(Layer::Ipv4, IPV4_TYPE, OUTER_IP, OUTER_UDP, outer_ip_end);
    add(Layer::Udp, UDP.into(), OUTER_UDP, GENEVE, outer_udp_end);
    add(Layer::Geneve, geneve_port, GENEVE, INNER_IP, outer_udp_end);
    add(Layer::Ipv4, IPV4_TYPE, INNER_IP, INNER_UDP, inner_ip_end);
    add(Layer::Udp, UDP.into(), INNER_UDP, VXLAN, inner_udp_end);
    add(Layer::Vxlan, vxlan_port, VXLAN, LEN, inner_udp_end);
    Some(Cursor { bytes, offset: LEN as u32, limit, end: inner_udp_end, via: 0, decoder })
}

/// Reads the frames that make up most traffic, Ethernet, IPv4 without options, and TCP or UDP; `false`, and nothing
/// read, if there is another one at the cursor.
#[inline]
pub(crate) fn read_frame(at: &Cursor<'_>, stack: &mut Stack<'_>) -> bool {
    let rest = at.rest();
    let Some(head) = rest.first_chunk::<FRAME_LEN>() else { return false };
    let protocol = head[FRAME_IP + 9];
    let total_len = u32::from(be16(head, FRAME_IP + 2));
    if be16(head, 12) != IPV4_TYPE || !is_plain_ipv4(head, FRAME_IP, protocol) {
        return false;
    }
    let [ip, transport] = [FRAME_IP, FRAME_TRANSPORT].map(|header| at.offset + header as u32);
    let ip_end = ip + total_len;
    let ip_limit = at.limit.min(ip_end);
    let (layer, header_len, end) = match protocol {
        TCP => (Layer::Tcp, u32::from(head[FRAME_TRANSPORT + 12] >> 4) * 4, ip_end),
        UDP if !is_tunnel(at.decoder, head) => {
            let len = u32::from(be16(head, FRAME_TRANSPORT + 4));
            (Layer::Udp, UDP_LEN, ip_end.min(transport + len))
        }
        _ => return false,
    };
    let payload = transport + header_len;
    let least_len = if layer == Layer::Tcp { TCP_LEN } else { UDP_LEN };
    if header_len < least_len || payload > ip_limit.min(end) {
        return false;
    }
    let (offset, limit) = (at.offset, at.limit);
    stack.push(Span { layer: Layer::Ethernet, via: at.via, offset, payload: ip, end: at.end, limit });
    let (via, limit) = (IPV4_TYPE, ip_limit);
    stack.push(Span { layer: Layer::Ipv4, via, offset: ip, payload: transport, end: ip_end, limit });
    let (via, limit) = (protocol.into(), ip_limit.min(end));
    stack.push(Span { layer, via, offset: transport, payload, end, limit });
    true
}

/// Whether either port of the frame's datagram belongs to a tunnel.
#[inline]
fn is_tunnel(decoder: &Decoder, head: &[u8; FRAME_LEN]) -> bool {
    let [src, dst] = [FRAME_TRANSPORT, FRAME_TRANSPORT + 2].map(|at| be16(head, at));
    [&decoder.geneve_ports, &decoder.vxlan_ports]
        .iter()
        .any(|ports| ports.contains(src) || ports.contains(dst))
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

/// IPv4 without options, not a later fragment, carrying `protocol`.
#[inline]
fn is_plain_ipv4<const N: usize>(head: &[u8; N], at: usize, protocol: u8) -> bool {
    head[at] == 0x45 && head[at + 9] == protocol && be16(head, at + 6) & 0x1fff == 0
}

/// Version 0, eight words of options, IPv4 inside, and the options in their order.
#[inline]
fn is_usual_geneve(head: &[u8; LEN]) -> bool {
    head[GENEVE] == 0x08
        && be16(head, GENEVE + 2) == IPV4_TYPE
        && gwlb::has_usual_options(&head[GENEVE..INNER_IP])
}

#[inline]
fn be16<const N: usize>(head: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([head[at], head[at + 1]])
}

#[inline]
fn octets<const N: usize>(head: &[u8; LEN], at: usize) -> [u8; N] {
    core::array::from_fn(|i| head[at + i])
}

#[cfg(test)]
mod tests {
    use super::{TCP, UDP};
    use crate::{Decoder, LinkType, Packet, Record, layers::Layer, stack::Stack};

    /// Ethernet, IPv4, UDP, Geneve, IPv4, UDP, VXLAN, Ethernet, IPv4, then TCP with options or UDP.
    fn mirrored(protocol: u8) -> Vec<u8> {
        let tcp = [0x01, 0xbb, 0x80, 0x00, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 0x10, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1];
        let transport = if protocol == TCP { tcp.to_vec() } else { udp(443, 30) };
        let segment = [&transport[..], &[7; 30]].concat();
        let frame = [&[2; 12][..], &[8, 0], &ipv4(protocol, segment.len()), &segment].concat();
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
    fn the_usual_packets_take_the_express_way() {
        for (protocol, innermost) in [(TCP, Layer::Tcp), (UDP, Layer::Udp)] {
            let bytes = mirrored(protocol);
            let decoder = Decoder::default();
            let mut stack = Stack::new(&bytes);
            let frame =
                super::read(&decoder, &bytes, bytes.len() as u32, &mut stack).expect("a usual envelope");
            assert!(super::read_frame(&frame, &mut stack), "a usual frame");
            assert_eq!(stack.layers().last().map(|span| span.layer), Some(innermost));
        }
    }

    #[test]
    fn both_ways_agree_whatever_octet_is_changed() {
        for usual in [TCP, UDP].map(mirrored) {
            for at in 0..usual.len() {
                for value in 0..=u8::MAX {
                    let mut bytes = usual.clone();
                    bytes[at] = value;
                    assert_agreement(&bytes, bytes.len() as u32);
                }
            }
        }
    }

    #[test]
    fn both_ways_agree_on_ports_of_tunnels_inside_the_frame() {
        let usual = mirrored(UDP);
        let ports = super::LEN + super::FRAME_TRANSPORT;
        for at in [ports, ports + 2] {
            for port in [4789_u16, 6081] {
                let mut bytes = usual.clone();
                bytes[at..at + 2].copy_from_slice(&port.to_be_bytes());
                assert_agreement(&bytes, bytes.len() as u32);
            }
        }
    }

    #[test]
    fn both_ways_agree_wherever_the_packet_is_cut() {
        for usual in [TCP, UDP].map(mirrored) {
            for len in 0..usual.len() {
                assert_agreement(&usual[..len], usual.len() as u32);
                assert_agreement(&usual[..len], 0);
            }
        }
    }
}
