//! ICMP (RFC 792). The header is type, code, checksum and four octets that depend on the type.
//!
//! Those four octets may be missing from a packet that was cut; type and code alone are still worth keeping.

use super::{Cursor, Header, Next};
use crate::{error::Fault, field::Fields};

const FIXED_LEN: usize = 4;
const HEADER_LEN: usize = 8;
/// Code of "destination unreachable" that carries an MTU (RFC 1191, section 4).
const FRAGMENTATION_NEEDED: u64 = 4;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    at.head::<FIXED_LEN>()?;
    Ok(Header::open_ended(at, HEADER_LEN.min(at.rest().len()), Next::DATA))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("icmp.type", "Type", 0, 1).named(type_name);
    fields.uint("icmp.code", "Code", 1, 1).hex("icmp.checksum", "Checksum", 2, 2);
    match (fields.number(0, 1), fields.number(1, 1)) {
        (Some(0 | 8 | 13..=18), _) => {
            fields.uint("icmp.ident", "Identifier", 4, 2).uint("icmp.seq", "Sequence number", 6, 2)
        }
        (Some(42 | 43), _) => {
            fields.uint("icmp.ident", "Identifier", 4, 2).uint("icmp.ext.echo.seq", "Sequence number", 6, 1)
        }
        (Some(5), _) => fields.ipv4("icmp.redir_gw", "Gateway", 4),
        (Some(3), Some(FRAGMENTATION_NEEDED)) => {
            fields.bytes("icmp.unused", "Unused", 4, 2).uint("icmp.mtu", "MTU of next hop", 6, 2)
        }
        (Some(3 | 4 | 11), _) => fields.bytes("icmp.unused", "Unused", 4, 4),
        (Some(9), _) => {
            fields.uint("icmp.num_addrs", "Addresses", 4, 1);
            fields.uint("icmp.addr_entry_size", "Words of an address", 5, 1);
            fields.uint("icmp.lifetime", "Lifetime in seconds", 6, 2)
        }
        _ => fields.bytes("icmp.rest", "Rest of header", 4, 4),
    };
}

/// The name of an ICMP type (RFC 792, 950, 1256, 8335).
pub fn type_name(value: u64) -> Option<&'static str> {
    Some(match value {
        0 => "echo reply",
        3 => "destination unreachable",
        4 => "source quench",
        5 => "redirect",
        8 => "echo request",
        9 => "router advertisement",
        10 => "router solicitation",
        11 => "time exceeded",
        12 => "parameter problem",
        13 => "timestamp request",
        14 => "timestamp reply",
        17 => "address mask request",
        18 => "address mask reply",
        42 => "extended echo request",
        43 => "extended echo reply",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, named, shown, value},
        },
        record::LinkType,
    };

    fn echo_request() -> Vec<u8> {
        [&ipv4(1, 28)[..], &[8, 0, 0xab, 0xcd, 0x12, 0x34, 0, 9]].concat()
    }

    #[test]
    fn an_echo_request_has_an_identifier() {
        let packet = echo_request();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(value(&stack, "icmp.ident"), Some(Value::Uint(0x1234)));
        assert_eq!(stack.layers()[1].header(), 20..28);
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::RAW, &echo_request(), Layer::Icmp, 20, 4);
    }

    #[test]
    fn type_and_code_are_kept_where_the_rest_is_cut() {
        let packet = echo_request();
        let stack = decode(LinkType::RAW, &packet[..26]);
        assert_eq!(stack.stop(), None);
        assert_eq!(value(&stack, "icmp.type"), Some(Value::Uint(8)));
        assert!(stack.is_truncated());
    }

    #[test]
    fn the_four_octets_behind_the_checksum_depend_on_the_type() {
        let rest_of = |kind, code| {
            let packet = [&ipv4(1, 28)[..], &[kind, code, 0xab, 0xcd], &[2, 3, 0, 9]].concat();
            let lines = shown(&decode(LinkType::RAW, &packet), Layer::Icmp);
            assert_eq!(
                lines[1..3],
                [format!("1..2 icmp.code = {code}"), "2..4 icmp.checksum = 0xabcd".into()]
            );
            lines[3..].join(", ")
        };
        for kind in [0, 8, 13, 14, 15, 16, 17, 18] {
            assert_eq!(rest_of(kind, 0), "4..6 icmp.ident = 515, 6..8 icmp.seq = 9", "{kind}");
        }
        for kind in [42, 43] {
            assert_eq!(rest_of(kind, 0), "4..6 icmp.ident = 515, 6..7 icmp.ext.echo.seq = 0", "{kind}");
        }
        for (kind, code) in [(3, 1), (4, 0), (11, 4)] {
            assert_eq!(rest_of(kind, code), "4..8 icmp.unused = 02030009", "{kind}");
        }
        assert_eq!(rest_of(3, 4), "4..6 icmp.unused = 0203, 6..8 icmp.mtu = 9", "fragmentation needed");
        assert_eq!(rest_of(5, 1), "4..8 icmp.redir_gw = 2.3.0.9");
        let advertisement = "4..5 icmp.num_addrs = 2, 5..6 icmp.addr_entry_size = 3, 6..8 icmp.lifetime = 9";
        assert_eq!(rest_of(9, 0), advertisement);
        assert_eq!(rest_of(12, 0), "4..8 icmp.rest = 02030009");
    }

    #[test]
    fn every_known_type_has_a_name() {
        assert_eq!(
            named(super::type_name),
            [
                (0, "echo reply"),
                (3, "destination unreachable"),
                (4, "source quench"),
                (5, "redirect"),
                (8, "echo request"),
                (9, "router advertisement"),
                (10, "router solicitation"),
                (11, "time exceeded"),
                (12, "parameter problem"),
                (13, "timestamp request"),
                (14, "timestamp reply"),
                (17, "address mask request"),
                (18, "address mask reply"),
                (42, "extended echo request"),
                (43, "extended echo reply"),
            ]
        );
        let packet = echo_request();
        assert_eq!(
            shown(&decode(LinkType::RAW, &packet), Layer::Icmp)[0],
            "0..1 icmp.type = 8 (echo request)"
        );
    }
}
