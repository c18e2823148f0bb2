//! UDP (RFC 768). A length of 0 is what jumbograms and frames that are segmented later carry.
//!
//! A length beyond the IP packet is normal in the first fragment of a datagram; the layer then ends where the
//! IP packet ends.

use etherparse::UdpHeaderSlice;

use super::{Cursor, Header, Layer, Next, geneve, vxlan};
use crate::{error::Fault, field::Fields};

/// Octets of a UDP header.
pub const HEADER_LEN: usize = 8;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let rest = at.rest();
    let header = UdpHeaderSlice::from_slice(rest).map_err(|_| Fault::cut(HEADER_LEN, rest.len()))?;
    let end = match u32::from(header.length()) {
        0 => at.end,
        len if len < HEADER_LEN as u32 => return Err(Fault::bad("length", 4, HEADER_LEN as u32, len)),
        len => at.end.min(at.offset + len),
    };
    let (src, dst) = (header.source_port(), header.destination_port());
    Ok(Header { header_len: HEADER_LEN as u32, end, next: tunnel(at, src, dst) })
}

/// The destination port decides. The source port alone counts only where the octets look right, because any
/// client may own port 4789 or 6081 for a moment.
#[inline]
fn tunnel(at: &Cursor<'_>, src: u16, dst: u16) -> Next {
    let decoder = at.decoder;
    if decoder.vxlan_ports.contains(dst) {
        return Next { layer: Some(Layer::Vxlan), via: dst };
    }
    if decoder.geneve_ports.contains(dst) {
        return Next { layer: Some(Layer::Geneve), via: dst };
    }
    let inside = Cursor { offset: at.offset + HEADER_LEN as u32, ..*at };
    if decoder.vxlan_ports.contains(src) && vxlan::is_plausible(&inside) {
        return Next { layer: Some(Layer::Vxlan), via: src };
    }
    if decoder.geneve_ports.contains(src) && geneve::is_plausible(&inside) {
        return Next { layer: Some(Layer::Geneve), via: src };
    }
    Next { layer: None, via: dst }
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("udp.srcport", "Source port", 0, 2).uint("udp.dstport", "Destination port", 2, 2);
    fields.uint("udp.length", "Length", 4, 2).hex("udp.checksum", "Checksum", 6, 2);
}

#[cfg(test)]
mod tests {
    use crate::{
        error::Cause,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, layers, record, shown, udp},
        },
        record::LinkType,
        stack::{Decoder, Ports},
    };

    fn packet(src: u16, dst: u16, len: u16, payload: &[u8]) -> Vec<u8> {
        [&ipv4(17, 28 + payload.len() as u16)[..], &udp(src, dst, len), payload].concat()
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::RAW, &packet(53, 54, 8, &[]), Layer::Udp, 20, 8);
    }

    #[test]
    fn length_zero_ends_where_the_ip_packet_ends() {
        assert_eq!(decode(LinkType::RAW, &packet(53, 54, 0, &[1; 9])).layers()[1].payload_len(), 9);
    }

    #[test]
    fn a_length_below_the_header_is_refused_at_its_octet() {
        let stop = decode(LinkType::RAW, &packet(53, 54, 7, &[])).stop().unwrap();
        assert_eq!((stop.offset, stop.needed, stop.had, stop.cause), (24, 8, 7, Cause::Bad("length")));
    }

    #[test]
    fn a_length_beyond_the_ip_packet_ends_with_it() {
        assert_eq!(decode(LinkType::RAW, &packet(53, 54, 999, &[1; 9])).layers()[1].payload_len(), 9);
    }

    #[test]
    fn a_tunnel_is_found_by_the_destination_port() {
        let vxlan = [8, 0, 0, 0, 0, 0, 7, 0, 1, 2];
        let geneve = [0, 0, 0x12, 0x34, 0, 0, 0, 0];
        assert_eq!(layers(LinkType::RAW, &packet(9, 4789, 18, &vxlan))[2], Layer::Vxlan);
        assert_eq!(layers(LinkType::RAW, &packet(9, 6081, 16, &geneve))[2], Layer::Geneve);
        assert_eq!(layers(LinkType::RAW, &packet(9, 10, 18, &vxlan)), [Layer::Ipv4, Layer::Udp]);
    }

    #[test]
    fn the_source_port_alone_needs_octets_that_look_right() {
        let vxlan = [8, 0, 0, 0, 0, 0, 7, 0, 1, 2];
        assert_eq!(layers(LinkType::RAW, &packet(4789, 9, 18, &vxlan))[2], Layer::Vxlan);
        assert_eq!(layers(LinkType::RAW, &packet(4789, 9, 18, &[1; 10])), [Layer::Ipv4, Layer::Udp]);
        assert_eq!(layers(LinkType::RAW, &packet(6081, 9, 18, &[1; 10])), [Layer::Ipv4, Layer::Udp]);
    }

    #[test]
    fn tunnels_on_other_ports_are_a_setting() {
        let decoder = Decoder { geneve_ports: Ports::new(&[7000, 7001]), ..Decoder::default() };
        let geneve = |port| packet(9, port, 16, &[0, 0, 0x12, 0x34, 0, 0, 0, 0]);
        let last = |port| {
            decoder.decode(&record(LinkType::RAW, &geneve(port))).layers().last().map(|span| span.layer)
        };
        assert_eq!((last(7001), last(6081)), (Some(Layer::Geneve), Some(Layer::Udp)));
    }

    #[test]
    fn every_field_is_shown_with_its_octets() {
        let mut packet = packet(53, 50000, 9, &[1]);
        packet[26..28].copy_from_slice(&[0xbe, 0xef]);
        assert_eq!(
            shown(&decode(LinkType::RAW, &packet), Layer::Udp),
            [
                "0..2 udp.srcport = 53",
                "2..4 udp.dstport = 50000",
                "4..6 udp.length = 9",
                "6..8 udp.checksum = 0xbeef"
            ]
        );
    }

    #[test]
    fn a_reserved_bit_is_enough_for_a_client_on_the_port_of_vxlan() {
        for vxlan in [[8, 0, 0, 0, 0, 0, 7, 1], [8, 1, 0, 0, 0, 0, 7, 0], [0; 8]] {
            assert_eq!(
                layers(LinkType::RAW, &packet(4789, 9, 16, &vxlan)),
                [Layer::Ipv4, Layer::Udp],
                "{vxlan:?}"
            );
        }
    }
}
