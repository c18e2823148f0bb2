//! IPv4 (RFC 791), with options and fragments.
//!
//! A total length of 0 is not an error: large frames that the kernel segments later (GSO, BIG TCP) carry it,
//! and then the packet ends where the frame ends.

use etherparse::{
    Ipv4HeaderSlice,
    err::ipv4::{HeaderError, HeaderSliceError},
};

use super::{Cursor, Header, Next};
use crate::{
    error::Fault,
    field::{Fields, Value},
};

/// Octets of a header without options.
const MIN_HEADER_LEN: usize = 20;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let header = Ipv4HeaderSlice::from_slice(at.rest()).map_err(fault)?;
    let header_len = header.slice().len() as u32;
    let end = match u32::from(header.total_len()) {
        0 => at.end,
        total_len if total_len < header_len => {
            return Err(Fault::bad("total length", 2, header_len, total_len));
        }
        total_len => at.offset + total_len,
    };
    let next = match header.fragments_offset().value() {
        0 => Next::ip_protocol(header.protocol().0),
        _ => Next::DATA,
    };
    Ok(Header { header_len, end, next })
}

#[cold]
fn fault(error: HeaderSliceError) -> Fault {
    match error {
        HeaderSliceError::Len(len) => Fault::cut(len.required_len, len.len),
        HeaderSliceError::Content(HeaderError::UnexpectedVersion { version_number }) => {
            Fault::bad("version", 0, 4, version_number.into())
        }
        HeaderSliceError::Content(HeaderError::HeaderLengthSmallerThanHeader { ihl }) => {
            Fault::bad("header length in words", 0, 5, ihl.into())
        }
    }
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.bits("ip.version", "Version", 0, 1, 0xf0);
    if let Some(first) = fields.number(0, 1) {
        fields.push("ip.hdr_len", "Header length", 0, 1, Value::Uint((first & 0xf) * 4));
    }
    if fields.number(1, 1).is_some() {
        fields.hex("ip.dsfield", "Differentiated services", 1, 1).nest(|fields| {
            fields.bits("ip.dsfield.dscp", "DSCP", 1, 1, 0xfc).bits("ip.dsfield.ecn", "ECN", 1, 1, 0x03);
        });
    }
    fields.uint("ip.len", "Total length", 2, 2).hex("ip.id", "Identification", 4, 2);
    if fields.number(6, 1).is_some() {
        fields.bits("ip.flags", "Flags", 6, 1, 0xe0).nest(|fields| {
            fields.bits("ip.flags.rb", "Reserved bit", 6, 1, 0x80);
            fields.bits("ip.flags.df", "Don't fragment", 6, 1, 0x40);
            fields.bits("ip.flags.mf", "More fragments", 6, 1, 0x20);
        });
    }
    if let Some(word) = fields.number(6, 2) {
        fields.push("ip.frag_offset", "Fragment offset", 6, 2, Value::Uint((word & 0x1fff) * 8));
    }
    fields.uint("ip.ttl", "Time to live", 8, 1);
    fields.uint("ip.proto", "Protocol", 9, 1).named(protocol_name);
    fields.hex("ip.checksum", "Header checksum", 10, 2);
    fields.ipv4("ip.src", "Source", 12).ipv4("ip.dst", "Destination", 16);
    if fields.header.len() > MIN_HEADER_LEN {
        fields.bytes("ip.options", "Options", MIN_HEADER_LEN, usize::MAX).nest(option_fields);
    }
}

/// End of option list.
const OPTION_END: u64 = 0;
/// Padding of one octet.
const OPTION_NOP: u64 = 1;

/// Type, length and data of every option (RFC 791, 3.1), as far as they make sense.
fn option_fields(fields: &mut Fields<'_>) {
    let mut at = MIN_HEADER_LEN;
    while let Some(kind) = fields.number(at, 1) {
        fields.hex("ip.opt.type", "Option", at, 1).named(option_name);
        let len = match (kind, fields.number(at + 1, 1)) {
            (OPTION_END, _) => return,
            (OPTION_NOP, _) => 1,
            (_, Some(len @ 2..)) => {
                fields.nest(|fields| {
                    fields.uint("ip.opt.len", "Length", at + 1, 1);
                    fields.bytes("ip.opt.data", "Data", at + 2, len as usize - 2);
                });
                len as usize
            }
            _ => return,
        };
        at += len;
    }
}

/// The name of an IPv4 option type (IANA "IP Option Numbers").
fn option_name(value: u64) -> Option<&'static str> {
    Some(match value {
        0 => "end of options",
        1 => "no operation",
        7 => "record route",
        68 => "timestamp",
        130 => "security",
        131 => "loose source route",
        134 => "commercial security",
        137 => "strict source route",
        148 => "router alert",
        _ => return None,
    })
}

/// The name of an IP protocol number.
pub fn protocol_name(value: u64) -> Option<&'static str> {
    Some(match value {
        0 => "IPv6 hop-by-hop options",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        43 => "IPv6 routing",
        44 => "IPv6 fragment",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMPv6",
        59 => "no next header",
        60 => "IPv6 destination options",
        89 => "OSPF",
        103 => "PIM",
        112 => "VRRP",
        132 => "SCTP",
        135 => "Mobility",
        143 => "Ethernet",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        error::Cause,
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, layers, named, shown, value},
        },
        record::LinkType,
    };

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::IPV4, &ipv4(253, 20), Layer::Ipv4, 0, 20);
    }

    #[test]
    fn total_length_zero_ends_where_the_frame_ends() {
        let packet = [&ipv4(17, 0)[..], &[0, 53, 0, 54, 0, 0, 0, 0], &[7; 100]].concat();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(stack.layers()[0].wire_len(), 128);
        assert_eq!((stack.layers()[1].payload_len(), stack.is_truncated()), (100, false));
    }

    #[test]
    fn a_total_length_below_the_header_is_refused_at_its_octet() {
        let stop = decode(LinkType::RAW, &ipv4(17, 19)).stop().unwrap();
        assert_eq!((stop.offset, stop.needed, stop.had), (2, 20, 19));
        assert_eq!(stop.cause, Cause::Bad("total length"));
    }

    #[test]
    fn a_total_length_beyond_the_capture_is_what_the_packet_had() {
        let packet = ipv4(253, 1500);
        let span = decode(LinkType::RAW, &packet).layers()[0];
        assert_eq!((span.wire_len(), span.missing_len(), span.payload_len()), (1500, 1480, 1480));
    }

    #[test]
    fn a_total_length_short_of_the_frame_leaves_its_padding() {
        let packet = [&ipv4(253, 22)[..], &[1, 2, 0, 0, 0]].concat();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(stack.payload(&stack.layers()[0]), [1, 2]);
    }

    #[test]
    fn only_the_first_fragment_has_a_transport_header() {
        let mut packet = [&ipv4(17, 28)[..], &[0, 53, 0, 54, 0, 8, 0, 0]].concat();
        packet[6] = 0x20;
        assert_eq!(layers(LinkType::RAW, &packet), [Layer::Ipv4, Layer::Udp]);
        assert!(decode(LinkType::RAW, &packet).is_fragment(decode(LinkType::RAW, &packet).layers()));
        packet[7] = 1;
        assert_eq!(layers(LinkType::RAW, &packet), [Layer::Ipv4]);
        assert_eq!(value(&decode(LinkType::RAW, &packet), "ip.frag_offset"), Some(Value::Uint(8)));
    }

    #[test]
    fn options_belong_to_the_header() {
        let mut packet = [&ipv4(17, 32)[..], &[0x94, 4, 0, 0], &[0, 53, 0, 54, 0, 8, 0, 0]].concat();
        packet[0] = 0x46;
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(stack.layers()[0].header(), 0..24);
        assert_eq!(value(&stack, "ip.opt.type"), Some(Value::Hex(0x94, 2)));
        packet[0] = 0x44;
        let stop = decode(LinkType::RAW, &packet).stop().unwrap();
        assert_eq!((stop.offset, stop.needed, stop.had), (0, 5, 4));
    }

    #[test]
    fn every_field_of_a_header_is_shown_with_its_octets() {
        let mut packet = [&ipv4(17, 36)[..], &[0x94, 4, 0, 7], &[68, 3, 5, 0], &[0; 8]].concat();
        packet[0] = 0x47; // 7 words of header
        packet[1] = 0xb9; // DSCP 46, ECN 1
        packet[6..8].copy_from_slice(&[0xbf, 0xff]); // reserved bit, more fragments, the greatest offset
        packet[10..12].copy_from_slice(&[0xbe, 0xef]); // checksum
        assert_eq!(
            shown(&decode(LinkType::RAW, &packet), Layer::Ipv4),
            [
                "0..1 ip.version = 4",
                "0..1 ip.hdr_len = 28",
                "1..2 ip.dsfield = 0xb9",
                "  1..2 ip.dsfield.dscp = 46",
                "  1..2 ip.dsfield.ecn = 1",
                "2..4 ip.len = 36",
                "4..6 ip.id = 0x0007",
                "6..7 ip.flags = 5",
                "  6..7 ip.flags.rb = 1",
                "  6..7 ip.flags.df = 0",
                "  6..7 ip.flags.mf = 1",
                "6..8 ip.frag_offset = 65528",
                "8..9 ip.ttl = 64",
                "9..10 ip.proto = 17 (UDP)",
                "10..12 ip.checksum = 0xbeef",
                "12..16 ip.src = 10.0.0.1",
                "16..20 ip.dst = 10.0.0.2",
                "20..28 ip.options = 9404000744030500",
                "  20..21 ip.opt.type = 0x94 (router alert)",
                "    21..22 ip.opt.len = 4",
                "    22..24 ip.opt.data = 0007",
                "  24..25 ip.opt.type = 0x44 (timestamp)",
                "    25..26 ip.opt.len = 3",
                "    26..27 ip.opt.data = 05",
                "  27..28 ip.opt.type = 0x00 (end of options)",
            ]
        );
        let plain = ipv4(17, 20);
        assert_eq!(
            shown(&decode(LinkType::RAW, &plain), Layer::Ipv4).last().unwrap(),
            "16..20 ip.dst = 10.0.0.2"
        );
    }

    #[test]
    fn options_end_at_the_end_of_list_and_where_a_length_makes_no_sense() {
        for (options, count) in [([0, 2, 7, 2], 1), ([1, 7, 1, 7], 2), ([1, 1, 1, 7], 4)] {
            let mut packet = [&ipv4(17, 24)[..], &options].concat();
            packet[0] = 0x46;
            let lines = shown(&decode(LinkType::RAW, &packet), Layer::Ipv4);
            assert_eq!(lines.iter().filter(|line| line.contains("ip.opt.type")).count(), count, "{lines:?}");
        }
    }

    #[test]
    fn the_data_of_an_option_is_all_behind_its_length() {
        // Record route with room for one address, and the end.
        let mut packet = [&ipv4(17, 28)[..], &[7, 7, 4, 1, 2, 3, 4, 0]].concat();
        packet[0] = 0x47;
        let lines = shown(&decode(LinkType::RAW, &packet), Layer::Ipv4);
        assert_eq!(lines[lines.len() - 2], "    22..27 ip.opt.data = 0401020304");
    }

    #[test]
    fn a_total_length_of_the_header_alone_leaves_no_payload() {
        let packet = [&ipv4(253, 20)[..], &[1, 2]].concat();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!((stack.stop(), stack.layers()[0].payload_len()), (None, 0));
    }

    #[test]
    fn every_known_protocol_and_option_has_a_name() {
        assert_eq!(
            named(super::protocol_name),
            [
                (0, "IPv6 hop-by-hop options"),
                (1, "ICMP"),
                (2, "IGMP"),
                (4, "IPv4"),
                (6, "TCP"),
                (17, "UDP"),
                (41, "IPv6"),
                (43, "IPv6 routing"),
                (44, "IPv6 fragment"),
                (47, "GRE"),
                (50, "ESP"),
                (51, "AH"),
                (58, "ICMPv6"),
                (59, "no next header"),
                (60, "IPv6 destination options"),
                (89, "OSPF"),
                (103, "PIM"),
                (112, "VRRP"),
                (132, "SCTP"),
                (135, "Mobility"),
                (143, "Ethernet"),
            ]
        );
        assert_eq!(
            named(super::option_name),
            [
                (0, "end of options"),
                (1, "no operation"),
                (7, "record route"),
                (68, "timestamp"),
                (130, "security"),
                (131, "loose source route"),
                (134, "commercial security"),
                (137, "strict source route"),
                (148, "router alert"),
            ]
        );
    }
}
