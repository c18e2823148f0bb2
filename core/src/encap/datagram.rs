//! The UDP payload that GWLB sends to an appliance: Geneve, its options, and a mirrored or an inline packet.
//!
//! ```text
//!   0  08 00 08 00  00 00 00 00             version 0, 32 octets of options, IPv4 inside (86dd: IPv6), VNI 0
//!   8  01 08 01 02  endpoint id, 8 octets
//!  20  01 08 02 02  attachment id, 8 octets
//!  32  01 08 03 01  flow cookie, 4 octets
//!  40  inline: the IP packet.  mirrored: IPv4 20 (TTL 255, id 0) · UDP 8 (to 4789, checksum 0) · VXLAN 8 · frame
//! ```
//!
//! Source ports of mirror sessions were seen from 65408 up only: seven bits of hash. Answers of the VPC's
//! resolver all leave from 65408, so that a query and its answer are different flows to GWLB.

use core::{fmt, net::IpAddr};

use etherparse::{IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, UdpHeader};

use super::{
    MirrorSession,
    hash::{flow_hash, tuple, tuple_hash},
    mix,
};
use crate::{
    aws::gwlb::{self, EndpointId},
    layers::{Layer, geneve, vxlan},
    packet::Packet,
};

/// Longest packet that GWLB carries (GWLB guide); longer ones it drops.
pub const MAX_INLINE_LEN: usize = 8500;
/// Longest frame that comes through a GWLB endpoint uncut: 8446 octets behind the Ethernet header (VPC guide).
const MAX_FRAME_LEN_OVER_IPV4: usize = 8446 + 14;
/// The same behind an IPv6 header: 8426 octets.
const MAX_FRAME_LEN_OVER_IPV6: usize = 8426 + 14;

const FIRST_MIRROR_PORT: u16 = 65_408;
const MIRROR_PORT_MASK: u64 = 0x7f;
/// GWLB's source ports were seen in the range for ephemeral ports only.
const FIRST_GWLB_PORT: u16 = 49_152;
const GWLB_PORT_MASK: u64 = 0x3fff;

const GENEVE_LEN: usize = 40;
const TTL: u8 = 255;

/// One datagram from GWLB to an appliance, not written yet.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The endpoint through which the packet comes.
    pub endpoint_id: EndpointId,
    /// Its attachment id.
    pub attachment_id: u64,
    /// The cookie: one for both directions of what GWLB takes for a flow.
    pub flow_cookie: u32,
    /// GWLB's own UDP source port, likewise one a flow.
    pub source_port: u16,
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Inline(&'a [u8]),
    Mirrored { session: &'a MirrorSession, port: u16, frame: &'a [u8] },
}

/// Why a packet cannot be wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It holds no IP packet that could be routed through an endpoint.
    NoIp,
    /// It is longer than [`MAX_INLINE_LEN`].
    TooLong,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIp => f.write_str("no IP packet, which is all that is routed through an endpoint"),
            Self::TooLong => write!(f, "longer than the {MAX_INLINE_LEN} octets that GWLB carries"),
        }
    }
}

impl<'a> Datagram<'a> {
    /// A copy of `frame` as the session sends it, cut to the session's packet length. `packet` is the frame
    /// decoded: its subject is what the flow hash is taken of. `key` varies the hashes.
    pub fn mirrored(session: &'a MirrorSession, packet: &Packet<'_>, frame: &'a [u8], key: u64) -> Self {
        let max_len = if session.over_ipv6 { MAX_FRAME_LEN_OVER_IPV6 } else { MAX_FRAME_LEN_OVER_IPV4 };
        let max_len = session.packet_len.map_or(max_len, |len| max_len.min(len as usize));
        let frame = frame.get(..max_len).unwrap_or(frame);
        let port = mirror_port(session, packet, key);
        let flow = tuple_hash(
            (session.identity().source, port),
            (target_address(session), vxlan::UDP_PORT),
            IpNumber::UDP.0,
        );
        Self::new(session, flow ^ key, Content::Mirrored { session, port, frame })
    }

    /// The decoded packet itself, on its way through the session's endpoint.
    ///
    /// # Errors
    /// [`Refused`] where GWLB would not carry it.
    pub fn inline(session: &MirrorSession, packet: &Packet<'a>, key: u64) -> Result<Self, Refused> {
        let layers = packet.subject_layers();
        let ip = layers.iter().find(|span| matches!(span.layer, Layer::Ipv4 | Layer::Ipv6));
        let octets = packet.stack.from(ip.ok_or(Refused::NoIp)?);
        if octets.len() > MAX_INLINE_LEN {
            return Err(Refused::TooLong);
        }
        let flow = flow_hash(&packet.stack, layers).ok_or(Refused::NoIp)?;
        Ok(Self::new(session, flow ^ key, Content::Inline(octets)))
    }

    fn new(session: &MirrorSession, flow: u64, content: Content<'a>) -> Self {
        let hash = mix(flow ^ session.endpoint_id.0);
        Self {
            endpoint_id: session.endpoint_id,
            attachment_id: session.attachment_id,
            flow_cookie: (hash >> 32) as u32,
            source_port: FIRST_GWLB_PORT + (hash & GWLB_PORT_MASK) as u16,
            content,
        }
    }

    /// Whether it is a packet itself, which the appliance has to return.
    pub fn is_inline(&self) -> bool {
        matches!(self.content, Content::Inline(_))
    }

    /// Octets that [`put_payload`](Self::put_payload) appends.
    pub fn payload_len(&self) -> usize {
        GENEVE_LEN
            + match self.content {
                Content::Inline(packet) => packet.len(),
                Content::Mirrored { session, frame, .. } => {
                    let ip_len = if session.over_ipv6 { Ipv6Header::LEN } else { Ipv4Header::MIN_LEN };
                    ip_len + UdpHeader::LEN + vxlan::HEADER_LEN + frame.len()
                }
            }
    }

    /// Appends the datagram from its Geneve header on.
    #[inline]
    pub fn put_payload(&self, out: &mut Vec<u8>) {
        out.reserve(self.payload_len());
        out.extend_from_slice(&self.geneve());
        match self.content {
            Content::Inline(packet) => out.extend_from_slice(packet),
            Content::Mirrored { session, port, frame } => {
                put_vxlan(out, session, port, frame.len());
                out.extend_from_slice(frame);
            }
        }
    }

    fn geneve(&self) -> [u8; GENEVE_LEN] {
        let is_ipv6 = match self.content {
            Content::Inline(packet) => packet.first().is_some_and(|first| first >> 4 == 6),
            Content::Mirrored { session, .. } => session.over_ipv6,
        };
        let protocol_type: u16 = if is_ipv6 { 0x86dd } else { 0x0800 };
        let mut header = [0; GENEVE_LEN];
        header[0] = ((GENEVE_LEN - geneve::FIXED_LEN) / 4) as u8;
        header[2..4].copy_from_slice(&protocol_type.to_be_bytes());
        header[8..12].copy_from_slice(&option(gwlb::ENDPOINT_ID, 8));
        header[12..20].copy_from_slice(&self.endpoint_id.0.to_be_bytes());
        header[20..24].copy_from_slice(&option(gwlb::ATTACHMENT_ID, 8));
        header[24..32].copy_from_slice(&self.attachment_id.to_be_bytes());
        header[32..36].copy_from_slice(&option(gwlb::FLOW_COOKIE, 4));
        header[36..40].copy_from_slice(&self.flow_cookie.to_be_bytes());
        header
    }
}

const fn option(kind: u8, data_len: u8) -> [u8; 4] {
    let [high, low] = gwlb::CLASS.to_be_bytes();
    [high, low, kind, data_len / 4]
}

fn target_address(session: &MirrorSession) -> IpAddr {
    if session.over_ipv6 { IpAddr::V6(session.target.ipv6) } else { IpAddr::V4(session.target.ipv4) }
}

fn mirror_port(session: &MirrorSession, packet: &Packet<'_>, key: u64) -> u16 {
    const DNS: u16 = 53;
    let layers = packet.subject_layers();
    let Some((src, dst, protocol, ports)) = tuple(&packet.stack, layers) else { return FIRST_MIRROR_PORT };
    if protocol == IpNumber::UDP.0 && ports.0 == DNS && session.is_resolver(src) {
        return FIRST_MIRROR_PORT;
    }
    let hash = mix(tuple_hash((src, ports.0), (dst, ports.1), protocol) ^ key);
    FIRST_MIRROR_PORT + (hash & MIRROR_PORT_MASK) as u16
}

/// The headers of a mirror packet. Their lengths fit: frames are cut far below 65,535 octets.
fn put_vxlan(out: &mut Vec<u8>, session: &MirrorSession, port: u16, frame_len: usize) {
    let udp_len = (UdpHeader::LEN + vxlan::HEADER_LEN + frame_len) as u16;
    if session.over_ipv6 {
        out.extend_from_slice(&ipv6(session, udp_len));
    } else {
        out.extend_from_slice(&ipv4(session.source.ipv4.octets(), session.target.ipv4.octets(), udp_len));
    }
    let udp =
        UdpHeader { source_port: port, destination_port: vxlan::UDP_PORT, length: udp_len, checksum: 0 };
    out.extend_from_slice(&udp.to_bytes());
    let [_, a, b, c] = session.vni.to_be_bytes();
    out.extend_from_slice(&[vxlan::VALID_VNI, 0, 0, 0, a, b, c, 0]);
}

/// The IPv4 header as AWS's tunnels write it: id 0, no flag, TTL 255.
#[inline]
pub(super) fn ipv4(source: [u8; 4], destination: [u8; 4], udp_len: u16) -> [u8; Ipv4Header::MIN_LEN] {
    let mut header = Ipv4Header {
        total_len: udp_len + Ipv4Header::MIN_LEN as u16,
        dont_fragment: false,
        time_to_live: TTL,
        protocol: IpNumber::UDP,
        source,
        destination,
        ..Default::default()
    };
    header.header_checksum = header.calc_header_checksum();
    header.to_bytes().first_chunk().copied().unwrap_or([0; Ipv4Header::MIN_LEN])
}

fn ipv6(session: &MirrorSession, udp_len: u16) -> [u8; Ipv6Header::LEN] {
    Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::default(),
        payload_length: udp_len,
        next_header: IpNumber::UDP,
        hop_limit: TTL,
        source: session.source.ipv6.octets(),
        destination: session.target.ipv6.octets(),
    }
    .to_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Decoder, Envelope, LinkType, Record,
        encap::{Network, NetworkOptions, Outer},
        error::Cause,
    };

    /// Ethernet, IPv4 and UDP with these ports and four octets of payload.
    fn frame(src: [u8; 4], dst: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
        let mut frame = vec![0x0e, 0, 0, 0, 0, 2, 0x0e, 0, 0, 0, 0, 1, 0x08, 0x00];
        frame.extend([0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0]);
        frame.extend([src, dst].concat());
        frame.extend([ports.0.to_be_bytes(), ports.1.to_be_bytes(), [0, 12], [0, 0]].concat());
        frame.extend([1, 2, 3, 4]);
        frame
    }

    fn decode(data: &[u8]) -> Packet<'_> {
        let record = Record {
            number: 1,
            timestamp_ns: 0,
            interface: 0,
            link_type: LinkType::ETHERNET,
            original_len: data.len() as u32,
            offset: 0,
            data,
        };
        Packet::decode(&Decoder::default(), record)
    }

    fn session(options: &NetworkOptions) -> MirrorSession {
        *Network::new(options).session(0)
    }

    fn mirrored<'a>(session: &'a MirrorSession, frame: &'a [u8]) -> Datagram<'a> {
        Datagram::mirrored(session, &decode(frame), frame, 0)
    }

    fn payload(datagram: &Datagram<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        datagram.put_payload(&mut out);
        assert_eq!(out.len(), datagram.payload_len());
        out
    }

    #[test]
    fn the_octets_lie_where_the_wire_notes_say() {
        let session = session(&NetworkOptions { first_vni: 0x8e4c25, ..Default::default() });
        let frame = frame([10, 10, 0, 4], [8, 8, 8, 8], (40_000, 443));
        let datagram = mirrored(&session, &frame);
        let octets = payload(&datagram);
        assert_eq!(octets[..8], [0x08, 0x00, 0x08, 0x00, 0, 0, 0, 0]);
        assert_eq!(octets[8..20], [0x01, 0x08, 0x01, 0x02, 0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f, 0x60, 0x71]);
        assert_eq!(octets[20..32], [0x01, 0x08, 0x02, 0x02, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[32..36], [0x01, 0x08, 0x03, 0x01]);
        assert_eq!(octets[36..40], datagram.flow_cookie.to_be_bytes());
        // IPv4: total length 82, id 0, no flag, TTL 255, UDP, from the interface to the endpoint.
        assert_eq!(octets[40..50], [0x45, 0, 0, 82, 0, 0, 0, 0, 255, 17]);
        assert_eq!(octets[52..60], [10, 10, 0, 4, 10, 10, 0, 250]);
        assert!(octets[60] == 0xff && octets[61] >= 0x80, "source port from 65408 up");
        assert_eq!(octets[62..68], [0x12, 0xb5, 0, 62, 0, 0], "port 4789, no checksum");
        assert_eq!(octets[68..76], [0x08, 0, 0, 0, 0x8e, 0x4c, 0x25, 0]);
        assert_eq!(octets[76..], frame[..]);
    }

    #[test]
    fn an_ipv6_mirror_header_moves_everything_behind_it_by_twenty_octets() {
        let session = session(&NetworkOptions { over_ipv6: 1.0, ..Default::default() });
        let frame = frame([10, 10, 0, 4], [8, 8, 8, 8], (40_000, 443));
        let octets = payload(&mirrored(&session, &frame));
        assert_eq!(octets[2..4], [0x86, 0xdd]);
        assert_eq!((octets[40] >> 4, octets[46], octets[47]), (6, 17, 255));
        assert_eq!(octets[96..], frame[..]);
    }

    #[test]
    fn both_directions_share_port_and_cookie_and_other_flows_do_not() {
        let session = session(&NetworkOptions::default());
        let there = frame([10, 10, 0, 4], [8, 8, 8, 8], (40_000, 443));
        let back = frame([8, 8, 8, 8], [10, 10, 0, 4], (443, 40_000));
        let [a, b] = [&there, &back].map(|frame| Datagram::inline(&session, &decode(frame), 0).unwrap());
        assert_eq!((a.flow_cookie, a.source_port), (b.flow_cookie, b.source_port));
        assert_eq!(payload(&mirrored(&session, &there))[60..62], payload(&mirrored(&session, &back))[60..62]);
        let other = frame([8, 8, 8, 8], [10, 10, 0, 4], (443, 40_001));
        assert_ne!(Datagram::inline(&session, &decode(&other), 0).unwrap().flow_cookie, a.flow_cookie);
    }

    #[test]
    fn the_resolvers_answers_leave_from_the_first_port_and_queries_do_not() {
        let session = session(&NetworkOptions::default());
        let port = |frame: &[u8]| {
            u16::from_be_bytes(payload(&mirrored(&session, frame))[60..62].try_into().unwrap())
        };
        let (mut queries, mut answers) = (Vec::new(), Vec::new());
        for client in 40_000..40_020 {
            queries.push(port(&frame([10, 10, 0, 4], [10, 10, 0, 2], (client, 53))));
            answers.push(port(&frame([10, 10, 0, 2], [10, 10, 0, 4], (53, client))));
        }
        assert!(answers.iter().all(|port| *port == FIRST_MIRROR_PORT));
        assert!(queries.iter().filter(|port| **port != FIRST_MIRROR_PORT).count() > 10);
    }

    #[test]
    fn a_packet_length_cuts_the_frame_behind_the_vxlan_header() {
        let session = session(&NetworkOptions { packet_len: Some(40), ..Default::default() });
        let frame = frame([10, 10, 0, 4], [8, 8, 8, 8], (40_000, 443));
        let octets = payload(&mirrored(&session, &frame));
        assert_eq!(octets[76..], frame[..40]);
        assert_eq!(octets[42..44], [0, 76], "the mirror packet's own length is that of what is sent");
    }

    #[test]
    fn what_gwlb_does_not_carry_is_refused_or_cut() {
        let session = session(&NetworkOptions::default());
        let mut long = frame([10, 10, 0, 4], [8, 8, 8, 8], (1, 2));
        long.resize(14 + 9_000, 0);
        long[16..18].copy_from_slice(&9_000u16.to_be_bytes());
        assert_eq!(Datagram::inline(&session, &decode(&long), 0).unwrap_err(), Refused::TooLong);
        assert_eq!(payload(&mirrored(&session, &long)).len(), 76 + MAX_FRAME_LEN_OVER_IPV4);
        let arp = [&[0xff; 12][..], &[0x08, 0x06], &[0; 28]].concat();
        assert_eq!(Datagram::inline(&session, &decode(&arp), 0).unwrap_err(), Refused::NoIp);
    }

    #[test]
    fn the_outer_checksum_is_right() {
        let session = session(&NetworkOptions::default());
        let frame = frame([10, 10, 0, 4], [8, 8, 8, 8], (40_000, 443));
        let mut out = Vec::new();
        Outer::default().put_frame(&mut out, &mirrored(&session, &frame));
        let udp = UdpHeader::from_slice(&out[34..]).unwrap().0;
        assert_ne!(udp.checksum, 0);
        let source: [u8; 4] = out[26..30].try_into().unwrap();
        let destination = out[30..34].try_into().unwrap();
        assert_eq!(udp.calc_checksum_ipv4_raw(source, destination, &out[42..]).unwrap(), udp.checksum);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            octets in proptest::collection::vec(any::<u8>(), 0..2_000),
            vni in 0u32..1 << 24,
            endpoint in any::<u64>(),
            over_ipv6 in any::<bool>(),
            packet_len in proptest::option::of(1u32..3_000),
        ) {
            let session = MirrorSession {
                vni, over_ipv6, packet_len, endpoint_id: EndpointId(endpoint), ..session(&NetworkOptions::default())
            };
            let datagram = mirrored(&session, &octets);
            let mut out = Vec::new();
            Outer::default().put_frame(&mut out, &datagram);
            let packet = decode(&out);
            let context = packet.mirror().expect("a mirrored packet");
            prop_assert_eq!(context.identity, session.identity());
            prop_assert_eq!(context.gwlb.and_then(|gwlb| gwlb.flow_cookie), Some(datagram.flow_cookie));
            prop_assert_eq!(context.gwlb.and_then(|gwlb| gwlb.attachment_id), Some(0));
            let kept = packet_len.map_or(octets.len(), |len| octets.len().min(len as usize));
            let offset = packet.envelope_layers().last().unwrap().payload as usize;
            prop_assert_eq!(&out[offset..], &octets[..kept]);
        }

        #[test]
        fn an_inline_packet_is_read_back(ports in any::<(u16, u16)>(), src in any::<[u8; 4]>(), dst in any::<[u8; 4]>()) {
            // VXLAN at once behind Geneve is a mirror's by definition.
            prop_assume!(ports.0 != vxlan::UDP_PORT && ports.1 != vxlan::UDP_PORT);
            let session = session(&NetworkOptions::default());
            let frame = frame(src, dst, ports);
            let datagram = Datagram::inline(&session, &decode(&frame), 0).unwrap();
            let mut out = Vec::new();
            Outer::default().put_frame(&mut out, &datagram);
            let packet = decode(&out);
            let Envelope::Inline(Some(gwlb)) = packet.envelope else { panic!("{:?}", packet.envelope) };
            prop_assert_eq!(gwlb.endpoint_id, session.endpoint_id);
            prop_assert_eq!(gwlb.flow_cookie, Some(datagram.flow_cookie));
            prop_assert_eq!(packet.subject_bytes(), &frame[14..]);
            prop_assert!(packet.stack.stop().is_none_or(|stop| stop.cause != Cause::TooDeep));
        }
    }
}
