//! BSD loopback: four octets of address family, in the byte order of whoever captured.
//!
//! `LINKTYPE_LOOP` fixes network order; `LINKTYPE_NULL` does not, but no family needs more than 16 bits, so
//! the order can be told from the value.

use super::{Cursor, Header, Layer, Next};
use crate::{
    error::Fault,
    field::{Fields, Value},
};

const HEADER_LEN: usize = 4;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let next = match family(*at.head()?) {
        2 => Next::layer(Layer::Ipv4),
        // NetBSD and OpenBSD; FreeBSD; macOS; Linux.
        24 | 28 | 30 | 10 => Next::layer(Layer::Ipv6),
        _ => Next::DATA,
    };
    Ok(Header::open_ended(at, HEADER_LEN, next))
}

/// The address family, whichever byte order the four octets have.
pub fn family(octets: [u8; 4]) -> u32 {
    u32::from_be_bytes(octets).min(u32::from_le_bytes(octets))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    if let Some(octets) = fields.header.first_chunk() {
        fields.push("null.family", "Family", 0, HEADER_LEN, Value::Uint(family(*octets).into()));
    }
}
