//! One IPv6 extension header (RFC 8200, section 4): options, routing, fragment, mobility, HIP, Shim6.
//!
//! Which one it is tells the value that led here. Behind a fragment header with an offset there is no further
//! header, only a piece of payload.

use etherparse::{Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice};

use super::{Cursor, Header, Next, ipv4::protocol_name};
use crate::{
    error::Fault,
    field::{Fields, Value},
};

/// The next-header value of the fragment header (RFC 8200, 4.5).
pub const FRAGMENT: u16 = 44;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let rest = at.rest();
    if at.via == FRAGMENT {
        let header = Ipv6FragmentHeaderSlice::from_slice(rest)
            .map_err(|error| Fault::cut(error.required_len, rest.len()))?;
        let next = match header.fragment_offset().value() {
            0 => Next::ip_protocol(header.next_header().0),
            _ => Next::DATA,
        };
        return Ok(Header::open_ended(at, header.slice().len(), next));
    }
    let header = Ipv6RawExtHeaderSlice::from_slice(rest)
        .map_err(|error| Fault::cut(error.required_len, rest.len()))?;
    Ok(Header::open_ended(at, header.slice().len(), Next::ip_protocol(header.next_header().0)))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    let via = u64::from(fields.span.via);
    fields.push("ipv6.ext.type", "Extension", 0, 0, Value::Uint(via)).named(protocol_name);
    let keys = Keys::of(fields.span.via);
    fields.uint(keys.next_header, "Next header", 0, 1).named(protocol_name);
    if fields.span.via == FRAGMENT {
        if let Some(word) = fields.number(2, 2) {
            fields.push("ipv6.fraghdr.offset", "Fragment offset", 2, 2, Value::Uint(word & 0xfff8));
        }
        fields.bits("ipv6.fraghdr.more", "More fragments", 2, 2, 0x0001);
        fields.hex("ipv6.fraghdr.ident", "Identification", 4, 4);
        return;
    }
    fields.uint(keys.len, "Length in units of 8 octets after the first", 1, 1);
    match fields.span.via {
        ROUTING => {
            fields.uint("ipv6.routing.type", "Routing type", 2, 1);
            fields.uint("ipv6.routing.segleft", "Segments left", 3, 1);
            fields.bytes("ipv6.ext.data", "Data", 4, usize::MAX)
        }
        _ => fields.bytes("ipv6.ext.data", "Data", 2, usize::MAX),
    };
}

const HOP_BY_HOP: u16 = 0;
const ROUTING: u16 = 43;
const DESTINATION: u16 = 60;
const MOBILITY: u16 = 135;

/// What Wireshark calls the two fields that every extension header begins with.
struct Keys {
    next_header: &'static str,
    len: &'static str,
}

impl Keys {
    fn of(via: u16) -> Self {
        let (next_header, len) = match via {
            HOP_BY_HOP => ("ipv6.hopopts.nxt", "ipv6.hopopts.len"),
            ROUTING => ("ipv6.routing.nxt", "ipv6.routing.len"),
            FRAGMENT => ("ipv6.fraghdr.nxt", ""),
            DESTINATION => ("ipv6.dstopts.nxt", "ipv6.dstopts.len"),
            MOBILITY => ("mip6.proto", "mip6.hlen"),
            _ => ("ipv6.ext.nxt", "ipv6.ext.len"),
        };
        Self { next_header, len }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv6, layers, shown, udp, value},
        },
        record::LinkType,
    };

    #[test]
    fn a_chain_of_headers_leads_to_the_transport() {
        let chain =
            [[60, 0, 0, 0, 0, 0, 0, 0], [43, 0, 0, 0, 0, 0, 0, 0], [17, 0, 0, 0, 0, 0, 0, 0]].concat();
        let packet = [&ipv6(0, 32)[..], &chain, &udp(53, 54, 8)].concat();
        let expected = [Layer::Ipv6, Layer::Ipv6Ext, Layer::Ipv6Ext, Layer::Ipv6Ext, Layer::Udp];
        assert_eq!(layers(LinkType::RAW, &packet), expected);
        let via: Vec<_> = decode(LinkType::RAW, &packet).layers().iter().map(|span| span.via).collect();
        assert_eq!(via[1..], [0, 60, 43, 17]);
    }

    #[test]
    fn behind_a_later_fragment_there_is_no_header() {
        let packet =
            |offset: u8| [&ipv6(44, 16)[..], &[17, 0, 0, offset, 0, 0, 0, 9], &udp(53, 54, 8)].concat();
        assert_eq!(layers(LinkType::RAW, &packet(1)), [Layer::Ipv6, Layer::Ipv6Ext, Layer::Udp]);
        assert_eq!(layers(LinkType::RAW, &packet(8)), [Layer::Ipv6, Layer::Ipv6Ext]);
        let later = packet(9);
        let stack = decode(LinkType::RAW, &later);
        assert_eq!(value(&stack, "ipv6.fraghdr.offset"), Some(Value::Uint(8)));
        assert_eq!(value(&stack, "ipv6.fraghdr.more"), Some(Value::Flag(true)));
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(
            LinkType::RAW,
            &[&ipv6(44, 8)[..], &[59, 0, 0, 0, 0, 0, 0, 9]].concat(),
            Layer::Ipv6Ext,
            40,
            8,
        );
        let options = [&ipv6(0, 24)[..], &[59, 2, 0, 0, 0, 0, 0, 0], &[0; 4]].concat();
        let stop = decode(LinkType::RAW, &options).stop().unwrap();
        assert_eq!((stop.offset, stop.needed, stop.had), (40, 24, 12));
    }

    #[test]
    fn every_extension_has_the_names_of_its_own_protocol() {
        // Next header UDP, one unit of 8 octets more.
        let first_three = |via: u8| {
            let packet = [&ipv6(via, 16)[..], &[17, 1, 3, 4], &[0xaa; 12]].concat();
            shown(&decode(LinkType::RAW, &packet), Layer::Ipv6Ext)
        };
        for (via, name, next_header, len) in [
            (0, " (IPv6 hop-by-hop options)", "ipv6.hopopts.nxt", "ipv6.hopopts.len"),
            (60, " (IPv6 destination options)", "ipv6.dstopts.nxt", "ipv6.dstopts.len"),
            (135, " (Mobility)", "mip6.proto", "mip6.hlen"),
            (140, "", "ipv6.ext.nxt", "ipv6.ext.len"),
        ] {
            assert_eq!(
                first_three(via),
                [
                    format!("0..0 ipv6.ext.type = {via}{name}"),
                    format!("0..1 {next_header} = 17 (UDP)"),
                    format!("1..2 {len} = 1"),
                    format!("2..16 ipv6.ext.data = 0304{}", "aa".repeat(12)),
                ]
            );
        }
        assert_eq!(
            first_three(43),
            [
                "0..0 ipv6.ext.type = 43 (IPv6 routing)".to_owned(),
                "0..1 ipv6.routing.nxt = 17 (UDP)".to_owned(),
                "1..2 ipv6.routing.len = 1".to_owned(),
                "2..3 ipv6.routing.type = 3".to_owned(),
                "3..4 ipv6.routing.segleft = 4".to_owned(),
                format!("4..16 ipv6.ext.data = {}", "aa".repeat(12)),
            ]
        );
        assert_eq!(
            first_three(44),
            [
                "0..0 ipv6.ext.type = 44 (IPv6 fragment)",
                "0..1 ipv6.fraghdr.nxt = 17 (UDP)",
                "2..4 ipv6.fraghdr.offset = 768",
                "2..4 ipv6.fraghdr.more = 0",
                "4..8 ipv6.fraghdr.ident = 0xaaaaaaaa",
            ]
        );
    }
}
