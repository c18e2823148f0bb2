//! ICMPv6 (RFC 4443), with neighbour discovery (RFC 4861) and multicast listener discovery (RFC 3810).

use super::{Cursor, Header, Next};
use crate::{error::Fault, field::Fields};

const FIXED_LEN: usize = 4;
const HEADER_LEN: usize = 8;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    at.head::<FIXED_LEN>()?;
    Ok(Header::open_ended(at, HEADER_LEN.min(at.rest().len()), Next::DATA))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("icmpv6.type", "Type", 0, 1).named(type_name);
    fields.uint("icmpv6.code", "Code", 1, 1).hex("icmpv6.checksum", "Checksum", 2, 2);
    match fields.number(0, 1) {
        Some(128 | 129) => fields.uint("icmpv6.echo.identifier", "Identifier", 4, 2).uint(
            "icmpv6.echo.sequence_number",
            "Sequence number",
            6,
            2,
        ),
        Some(2) => fields.uint("icmpv6.mtu", "MTU", 4, 4),
        Some(4) => fields.uint("icmpv6.pointer", "Pointer", 4, 4),
        Some(130..=132) => {
            fields.uint("icmpv6.mld.maximum_response_delay", "Maximum response delay", 4, 2);
            fields.bytes("icmpv6.reserved", "Reserved", 6, 2)
        }
        Some(133 | 135 | 137 | 1 | 3) => fields.bytes("icmpv6.reserved", "Reserved", 4, 4),
        Some(134) => {
            fields.uint("icmpv6.nd.ra.cur_hop_limit", "Hop limit", 4, 1);
            fields.hex("icmpv6.nd.ra.flag", "Flags", 5, 1);
            fields.uint("icmpv6.nd.ra.router_lifetime", "Router lifetime in seconds", 6, 2)
        }
        Some(136) => {
            fields.bits("icmpv6.nd.na.flag.r", "Router", 4, 4, 0x8000_0000);
            fields.bits("icmpv6.nd.na.flag.s", "Solicited", 4, 4, 0x4000_0000);
            fields.bits("icmpv6.nd.na.flag.o", "Override", 4, 4, 0x2000_0000)
        }
        Some(143) => {
            fields.bytes("icmpv6.reserved", "Reserved", 4, 2);
            fields.uint("icmpv6.mldr.nb_mcast_records", "Multicast records", 6, 2)
        }
        Some(160 | 161) => fields.uint("icmpv6.echo.identifier", "Identifier", 4, 2).uint(
            "icmpv6.ext.echo.seq",
            "Sequence number",
            6,
            1,
        ),
        _ => fields.bytes("icmpv6.rest", "Rest of header", 4, 4),
    };
}

/// The name of an ICMPv6 type.
pub fn type_name(value: u64) -> Option<&'static str> {
    Some(match value {
        1 => "destination unreachable",
        2 => "packet too big",
        3 => "time exceeded",
        4 => "parameter problem",
        128 => "echo request",
        129 => "echo reply",
        130 => "multicast listener query",
        131 => "multicast listener report",
        132 => "multicast listener done",
        133 => "router solicitation",
        134 => "router advertisement",
        135 => "neighbor solicitation",
        136 => "neighbor advertisement",
        137 => "redirect",
        143 => "multicast listener report v2",
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
        [&ipv4(58, 28)[..], &[128, 0, 0xab, 0xcd, 0x12, 0x34, 0, 9]].concat()
    }

    #[test]
    fn an_echo_request_has_an_identifier() {
        let packet = echo_request();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(value(&stack, "icmpv6.echo.identifier"), Some(Value::Uint(0x1234)));
        assert_eq!(stack.layers()[1].header(), 20..28);
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::RAW, &echo_request(), Layer::Icmpv6, 20, 4);
    }

    #[test]
    fn type_and_code_are_kept_where_the_rest_is_cut() {
        let packet = echo_request();
        let stack = decode(LinkType::RAW, &packet[..26]);
        assert_eq!(stack.stop(), None);
        assert_eq!(value(&stack, "icmpv6.type"), Some(Value::Uint(128)));
        assert!(stack.is_truncated());
    }

    #[test]
    fn the_four_octets_behind_the_checksum_depend_on_the_type() {
        let rest_of = |kind| {
            let packet = [&ipv4(58, 28)[..], &[kind, 7, 0xab, 0xcd], &[0x40, 3, 0, 9]].concat();
            let lines = shown(&decode(LinkType::RAW, &packet), Layer::Icmpv6);
            assert_eq!(lines[1..3], ["1..2 icmpv6.code = 7", "2..4 icmpv6.checksum = 0xabcd"]);
            lines[3..].join(", ").replace("icmpv6.", "")
        };
        for kind in [1, 3, 133, 135, 137] {
            assert_eq!(rest_of(kind), "4..8 reserved = 40030009", "{kind}");
        }
        assert_eq!(rest_of(2), "4..8 mtu = 1073938441");
        assert_eq!(rest_of(4), "4..8 pointer = 1073938441");
        for kind in [128, 129] {
            assert_eq!(
                rest_of(kind),
                "4..6 echo.identifier = 16387, 6..8 echo.sequence_number = 9",
                "{kind}"
            );
        }
        for kind in [130, 131, 132] {
            let listener = "4..6 mld.maximum_response_delay = 16387, 6..8 reserved = 0009";
            assert_eq!(rest_of(kind), listener, "{kind}");
        }
        let router = "4..5 nd.ra.cur_hop_limit = 64, 5..6 nd.ra.flag = 0x03, 6..8 nd.ra.router_lifetime = 9";
        assert_eq!(rest_of(134), router);
        // Solicited is the second bit.
        let neighbor = "4..8 nd.na.flag.r = 0, 4..8 nd.na.flag.s = 1, 4..8 nd.na.flag.o = 0";
        assert_eq!(rest_of(136), neighbor);
        assert_eq!(rest_of(143), "4..6 reserved = 4003, 6..8 mldr.nb_mcast_records = 9");
        for kind in [160, 161] {
            assert_eq!(rest_of(kind), "4..6 echo.identifier = 16387, 6..7 ext.echo.seq = 0", "{kind}");
        }
        assert_eq!(rest_of(200), "4..8 rest = 40030009");
    }

    #[test]
    fn every_known_type_has_a_name() {
        assert_eq!(
            named(super::type_name),
            [
                (1, "destination unreachable"),
                (2, "packet too big"),
                (3, "time exceeded"),
                (4, "parameter problem"),
                (128, "echo request"),
                (129, "echo reply"),
                (130, "multicast listener query"),
                (131, "multicast listener report"),
                (132, "multicast listener done"),
                (133, "router solicitation"),
                (134, "router advertisement"),
                (135, "neighbor solicitation"),
                (136, "neighbor advertisement"),
                (137, "redirect"),
                (143, "multicast listener report v2"),
            ]
        );
        let packet = echo_request();
        let lines = shown(&decode(LinkType::RAW, &packet), Layer::Icmpv6);
        assert_eq!(lines[0], "0..1 icmpv6.type = 128 (echo request)");
    }
}
