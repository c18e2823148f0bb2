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
