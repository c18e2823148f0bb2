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
    fields.bits("ip.dsfield.dscp", "DSCP", 1, 1, 0xfc).bits("ip.dsfield.ecn", "ECN", 1, 1, 0x03);
    fields.uint("ip.len", "Total length", 2, 2).hex("ip.id", "Identification", 4, 2);
    fields.bits("ip.flags.rb", "Reserved bit", 6, 1, 0x80).bits("ip.flags.df", "Don't fragment", 6, 1, 0x40);
    fields.bits("ip.flags.mf", "More fragments", 6, 1, 0x20);
    if let Some(word) = fields.number(6, 2) {
        fields.push("ip.frag_offset", "Fragment offset", 6, 2, Value::Uint((word & 0x1fff) * 8));
    }
    fields.uint("ip.ttl", "Time to live", 8, 1);
    fields.uint("ip.proto", "Protocol", 9, 1).named(protocol_name);
    fields.hex("ip.checksum", "Header checksum", 10, 2);
    fields.ipv4("ip.src", "Source", 12).ipv4("ip.dst", "Destination", 16);
    fields.bytes("ip.options", "Options", 20, usize::MAX);
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
