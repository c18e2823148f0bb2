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
            testing::{assert_cut, decode, ipv4, value},
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
}
