//! A packet is a record, its stack, and the answer to "whose is it": mirrored, inline, or neither.

use core::net::IpAddr;

use crate::{
    aws::{
        gwlb::GwlbContext,
        mirror::{MirrorContext, MirrorIdentity},
    },
    express,
    layers::{Layer, ipv6_ext, vxlan},
    record::Record,
    stack::{Decoder, Span, Stack},
};

/// A decoded record: what filters judge and sinks take.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// The record as the source delivered it.
    pub record: Record<'a>,
    /// Its layers.
    pub stack: Stack<'a>,
    /// How it came.
    pub envelope: Envelope,
    /// Index in the stack of the first layer that is not envelope: the mirrored frame, the inline packet, or
    /// the record's own first layer. Equal to the number of layers where nothing of it could be read.
    pub subject: usize,
}

/// How a packet came to the appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// A copy, made by a mirror session.
    Mirrored(MirrorContext),
    /// The packet itself, routed through a GWLB endpoint. `None` for Geneve that names no endpoint.
    Inline(Option<GwlbContext>),
    /// Neither: no tunnel that GWLB or a mirror session would make, or one whose headers could not be read.
    Bare,
}

impl<'a> Packet<'a> {
    /// Decodes `record` and finds out how it came.
    #[inline]
    pub fn decode(decoder: &Decoder, record: Record<'a>) -> Self {
        let mut packet = Self::undecoded(record);
        packet.decode_in_place(decoder);
        packet
    }

    /// A packet of which nothing was read yet, for [`Packet::decode_in_place`].
    #[inline(always)]
    pub fn undecoded(record: Record<'a>) -> Self {
        Self { record, stack: Stack::new(record.data), envelope: Envelope::Bare, subject: 0 }
    }

    /// As [`Packet::decode`], for loops over many packets: a packet is large, and handing one over costs a quarter
    /// of the decoding.
    #[inline(always)]
    pub fn decode_in_place(&mut self, decoder: &Decoder) {
        self.stack.clear();
        if decoder.decode_express(&self.record, &mut self.stack)
            && let Some(context) = express::context(self.record.data)
        {
            self.envelope = Envelope::Mirrored(context);
            self.subject = express::LAYERS;
        } else {
            self.walk(decoder);
        }
    }

    /// As [`Packet::decode`], layer by layer from the first octet on.
    #[cfg(test)]
    pub(crate) fn decode_by_walk(decoder: &Decoder, record: Record<'a>) -> Self {
        let mut packet = Self::undecoded(record);
        packet.walk(decoder);
        packet
    }

    fn walk(&mut self, decoder: &Decoder) {
        decoder.decode_into(&self.record, &mut self.stack);
        (self.envelope, self.subject) = envelope(&self.stack);
    }

    /// The layers of the mirrored or inline packet, or of the whole record where there is no envelope.
    #[inline]
    pub fn subject_layers(&self) -> &[Span] {
        self.stack.layers().get(self.subject..).unwrap_or_default()
    }

    /// The layers of the tunnels around the subject.
    #[inline]
    pub fn envelope_layers(&self) -> &[Span] {
        self.stack.layers().get(..self.subject).unwrap_or_default()
    }

    /// Octets of the subject on the wire: the mirrored frame or inline packet by its lengths, else the record.
    #[inline]
    pub fn subject_len(&self) -> u32 {
        match (self.subject_layers(), self.envelope_layers().last()) {
            ([first, ..], _) => self.subject_end().saturating_sub(first.offset),
            ([], Some(tunnel)) => tunnel.payload_len(),
            ([], None) => self.record.original_len,
        }
    }

    /// A mirror session with a packet length cuts the frame, so that only the IP header inside knows its length.
    #[inline]
    fn subject_end(&self) -> u32 {
        self.subject_layers().iter().map(|span| span.end).max().unwrap_or_default()
    }

    /// The captured octets of the subject.
    pub fn subject_bytes(&self) -> &'a [u8] {
        match (self.subject_layers().first(), self.envelope_layers().last()) {
            (Some(first), _) => self.stack.from(first),
            (None, Some(tunnel)) => self.stack.payload(tunnel),
            (None, None) => self.record.data,
        }
    }

    /// The identity of the mirror session, for a mirrored packet.
    #[inline]
    pub fn mirror(&self) -> Option<&MirrorContext> {
        self.envelope.mirror()
    }

    /// What GWLB said of the packet, mirrored or inline.
    #[inline]
    pub fn gwlb(&self) -> Option<&GwlbContext> {
        self.envelope.gwlb()
    }
}

impl Envelope {
    /// The identity of the mirror session, for a mirrored packet.
    #[inline]
    pub fn mirror(&self) -> Option<&MirrorContext> {
        match self {
            Self::Mirrored(context) => Some(context),
            Self::Inline(_) | Self::Bare => None,
        }
    }

    /// What GWLB said of the packet, mirrored or inline.
    #[inline]
    pub fn gwlb(&self) -> Option<&GwlbContext> {
        match self {
            Self::Mirrored(context) => context.gwlb.as_ref(),
            Self::Inline(context) => context.as_ref(),
            Self::Bare => None,
        }
    }
}

/// The first tunnel decides. Behind Geneve, only VXLAN at once (IP, UDP, VXLAN) is a mirror's; VXLAN deeper
/// inside is the customer's own.
#[inline]
fn envelope(stack: &Stack<'_>) -> (Envelope, usize) {
    let layers = stack.layers();
    let tunnel = layers.iter().position(|span| matches!(span.layer, Layer::Geneve | Layer::Vxlan));
    match tunnel.map(|index| (index, layers[index].layer)) {
        Some((index, Layer::Geneve)) if stack.is_complete(index) => behind_geneve(stack, index),
        Some((index, Layer::Vxlan)) => mirrored(stack, index, None).unwrap_or((Envelope::Bare, 0)),
        _ => (Envelope::Bare, 0),
    }
}

#[inline]
fn behind_geneve(stack: &Stack<'_>, geneve: usize) -> (Envelope, usize) {
    let layers = stack.layers();
    let gwlb = GwlbContext::from_geneve(stack.header(&layers[geneve]));
    let inside = &layers[geneve + 1..];
    let vxlan = inside.iter().position(|span| !is_transport_to_vxlan(span.layer));
    match vxlan.filter(|index| inside[*index].layer == Layer::Vxlan) {
        Some(index) => {
            mirrored(stack, geneve + 1 + index, gwlb).unwrap_or((Envelope::Inline(gwlb), geneve + 1))
        }
        None => (Envelope::Inline(gwlb), geneve + 1),
    }
}

fn is_transport_to_vxlan(layer: Layer) -> bool {
    matches!(layer, Layer::Ipv4 | Layer::Ipv6 | Layer::Ipv6Ext | Layer::Udp)
}

#[inline]
fn mirrored(stack: &Stack<'_>, vxlan: usize, gwlb: Option<GwlbContext>) -> Option<(Envelope, usize)> {
    let layers = stack.layers();
    let vni = vxlan::header(stack.header(&layers[vxlan]))?.vni;
    let source = layers[..vxlan].iter().rev().find_map(|span| Some(stack.addresses(span)?.0))?;
    let identity = MirrorIdentity { endpoint_id: gwlb.map(|gwlb| gwlb.endpoint_id), vni, source };
    Some((Envelope::Mirrored(MirrorContext { identity, gwlb }), vxlan + 1))
}

impl Stack<'_> {
    /// Source and destination of an IP layer; `None` for every other layer, and where they were cut.
    #[inline]
    pub fn addresses(&self, span: &Span) -> Option<(IpAddr, IpAddr)> {
        let header = self.header(span);
        match span.layer {
            Layer::Ipv4 => {
                let [src, dst] = [12, 16].map(|at| header.get(at..)?.first_chunk::<4>().copied());
                Some((IpAddr::from(src?), IpAddr::from(dst?)))
            }
            Layer::Ipv6 => {
                let [src, dst] = [8, 24].map(|at| header.get(at..)?.first_chunk::<16>().copied());
                Some((IpAddr::from(src?), IpAddr::from(dst?)))
            }
            _ => None,
        }
    }

    /// Source and destination port of a TCP or UDP layer, which may be cut behind them.
    #[inline]
    pub fn ports(&self, span: &Span) -> Option<(u16, u16)> {
        match span.layer {
            Layer::Tcp | Layer::Udp => {
                let [a, b, c, d] = *self.header(span).first_chunk()?;
                Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
            }
            _ => None,
        }
    }

    /// Whether an IP packet whose layers these are is a fragment: the first or a later one.
    pub fn is_fragment(&self, layers: &[Span]) -> bool {
        layers.iter().any(|span| match span.layer {
            Layer::Ipv4 => {
                let word = self.header(span).get(6..8).unwrap_or_default();
                word.iter().zip([0x3f, 0xff]).any(|(octet, mask)| octet & mask != 0)
            }
            Layer::Ipv6Ext => span.via == ipv6_ext::FRAGMENT,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        layers::testing::{ipv4, ipv6, record, udp},
        record::LinkType,
    };

    const ENDPOINT: u64 = 0x0a1b_2c3d_4e5f_6071;

    /// Geneve with the three options of GWLB around `inside`, in IPv4 and UDP.
    fn geneve(protocol_type: u16, inside: &[u8]) -> Vec<u8> {
        let mut header = vec![0x08, 0];
        header.extend(protocol_type.to_be_bytes());
        header.extend([0, 0, 0, 0, 1, 8, 1, 2]);
        header.extend(ENDPOINT.to_be_bytes());
        header.extend([1, 8, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 3, 1, 0, 0, 0, 9]);
        let len = (header.len() + inside.len()) as u16;
        [&ipv4(17, 28 + len)[..], &udp(60000, 6081, 8 + len), &header, inside].concat()
    }

    /// VXLAN with this VNI around a frame that holds `packet`.
    fn vxlan(vni: u8, packet: &[u8]) -> Vec<u8> {
        let len = 30 + packet.len() as u16;
        let frame = [&[2; 12][..], &[8, 0], packet].concat();
        [&udp(65000, 4789, len)[..], &[8, 0, 0, 0, 0, 0, vni, 0], &frame].concat()
    }

    fn in_ipv4(datagram: &[u8]) -> Vec<u8> {
        [&ipv4(17, 20 + datagram.len() as u16)[..], datagram].concat()
    }

    fn decode(bytes: &[u8]) -> Packet<'_> {
        Packet::decode(&Decoder::default(), record(LinkType::RAW, bytes))
    }

    fn subject(packet: &Packet<'_>) -> Vec<Layer> {
        packet.subject_layers().iter().map(|span| span.layer).collect()
    }

    #[test]
    fn a_mirror_session_over_ipv6_is_known_by_its_ipv6_source() {
        let datagram = vxlan(7, &ipv4(253, 20));
        let mut mirror = [&ipv6(17, datagram.len() as u16)[..], &datagram].concat();
        mirror[23] = 5;
        let bytes = geneve(0x86dd, &mirror);
        let packet = decode(&bytes);
        let identity = packet.mirror().unwrap().identity;
        assert_eq!((identity.vni, identity.source), (7, "::5".parse().unwrap()));
        assert_eq!(identity.endpoint_id.unwrap().0, ENDPOINT);
        assert_eq!(subject(&packet), [Layer::Ethernet, Layer::Ipv4]);
    }

    #[test]
    fn a_frame_cut_by_the_session_has_the_length_that_its_ip_header_tells() {
        let bytes = geneve(0x0800, &in_ipv4(&vxlan(7, &ipv4(253, 1400))));
        let packet = decode(&bytes);
        assert_eq!((packet.subject_len(), packet.subject_bytes().len()), (1414, 34));
        assert!(packet.stack.is_truncated());
    }

    #[test]
    fn vxlan_inside_the_mirrored_frame_is_the_customers() {
        let customers = in_ipv4(&vxlan(99, &ipv4(253, 20)));
        let bytes = geneve(0x0800, &in_ipv4(&vxlan(7, &customers)));
        let packet = decode(&bytes);
        assert_eq!(packet.mirror().unwrap().identity.vni, 7);
        let expected = [Layer::Ethernet, Layer::Ipv4, Layer::Udp, Layer::Vxlan, Layer::Ethernet, Layer::Ipv4];
        assert_eq!(subject(&packet), expected);
    }

    #[test]
    fn vxlan_deeper_than_at_once_behind_geneve_is_inline_traffic() {
        let gre = [&ipv4(47, 90)[..], &[0, 0, 8, 0], &in_ipv4(&vxlan(99, &[]))].concat();
        let bytes = geneve(0x0800, &gre);
        let packet = decode(&bytes);
        assert!(matches!(packet.envelope, Envelope::Inline(Some(_))));
        assert_eq!(subject(&packet)[..3], [Layer::Ipv4, Layer::Gre, Layer::Ipv4]);
    }

    #[test]
    fn vxlan_at_once_behind_geneve_counts_as_mirrored_whoever_sent_it() {
        // Nothing in the octets tells a customer's own inline VXLAN from a mirror session's.
        let bytes = geneve(0x0800, &in_ipv4(&vxlan(99, &ipv4(253, 20))));
        assert!(decode(&bytes).mirror().is_some());
    }

    #[test]
    fn vxlan_without_geneve_is_mirrored_through_no_endpoint() {
        let bytes = in_ipv4(&vxlan(7, &ipv4(253, 20)));
        let packet = decode(&bytes);
        assert_eq!(packet.mirror().unwrap().identity.endpoint_id, None);
        assert_eq!(packet.gwlb(), None);
    }

    #[test]
    fn geneve_that_names_no_endpoint_is_inline_without_a_context() {
        let header = [0, 0, 8, 0, 0, 0, 0, 0];
        let bytes = [&ipv4(17, 56)[..], &udp(60000, 6081, 36), &header, &ipv4(253, 20)].concat();
        let packet = decode(&bytes);
        assert_eq!((packet.envelope, subject(&packet)), (Envelope::Inline(None), vec![Layer::Ipv4]));
    }

    #[test]
    fn a_tunnel_cut_within_its_header_is_no_envelope() {
        let bytes = geneve(0x0800, &[]);
        let packet = decode(&bytes[..40]);
        assert_eq!((packet.envelope, packet.subject), (Envelope::Bare, 0));
    }

    #[test]
    fn vxlan_behind_geneve_that_is_cut_within_its_header_leaves_an_inline_packet() {
        let bytes = geneve(0x0800, &in_ipv4(&vxlan(7, &ipv4(253, 20))));
        // Outer IP and UDP, Geneve, inner IP and UDP, half of VXLAN.
        let packet = decode(&bytes[..28 + 40 + 28 + 4]);
        assert!(matches!(packet.envelope, Envelope::Inline(Some(_))));
        assert_eq!(subject(&packet), [Layer::Ipv4, Layer::Udp, Layer::Vxlan]);
        assert_eq!(packet.gwlb().unwrap().flow_cookie, Some(9));
    }

    #[test]
    fn a_packet_is_a_fragment_if_one_of_its_ip_headers_says_so() {
        let is_fragment = |bytes: &[u8]| {
            let packet = decode(bytes);
            packet.stack.is_fragment(packet.subject_layers())
        };
        let transport = udp(1, 2, 8);
        let over_ipv4 = |word: [u8; 2]| {
            let mut packet = [&ipv4(17, 28)[..], &transport].concat();
            packet[6..8].copy_from_slice(&word);
            is_fragment(&packet)
        };
        assert_eq!([[0x20, 0], [0, 1], [0x1f, 0xff]].map(over_ipv4), [true; 3]);
        assert_eq!([[0, 0], [0x40, 0], [0x80, 0]].map(over_ipv4), [false; 3]);
        let over_ipv6 =
            |via| is_fragment(&[&ipv6(via, 16)[..], &[17, 0, 0, 0, 0, 0, 0, 0], &transport].concat());
        assert_eq!([44, 0, 60].map(over_ipv6), [true, false, false]);
    }

    #[test]
    fn the_octets_of_an_envelope_are_none_behind_another_link_header() {
        let frame = [&[2; 12][..], &[8, 0], &geneve(0x0800, &in_ipv4(&vxlan(7, &ipv4(6, 40))))].concat();
        let frame = [&frame[..], &[0; 20]].concat();
        let decoder = Decoder::default();
        let of = |link_type| Packet::decode(&decoder, record(link_type, &frame));
        assert_eq!(of(LinkType::ETHERNET).mirror().unwrap().identity.vni, 7);
        for link_type in [LinkType(147), LinkType::RAW] {
            assert_eq!((of(link_type).envelope, of(link_type).stack.layers()), (Envelope::Bare, &[][..]));
        }
    }

    #[test]
    fn a_packet_that_is_decoded_again_has_nothing_of_the_one_before() {
        let decoder = Decoder::default();
        let bytes = in_ipv4(&vxlan(7, &ipv4(253, 20)));
        let mut packet = decode(&bytes);
        let layers = packet.stack.layers().to_vec();
        packet.decode_in_place(&decoder);
        assert_eq!((packet.stack.layers(), packet.stack.stop()), (&layers[..], None));
        assert_eq!(packet.stack.bytes(), bytes);
    }
}
