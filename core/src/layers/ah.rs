//! IP Authentication Header (RFC 4302), under IPv4 and IPv6 alike. What it authenticates stays readable.

use super::{Cursor, Header, Next, ipv4::protocol_name};
use crate::{error::Fault, field::Fields};

/// Next header, length, reserved, SPI and sequence number.
const FIXED_LEN: usize = 12;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let head = at.head::<FIXED_LEN>()?;
    let [next_header, words, ..] = *head;
    let header_len = (usize::from(words) + 2) * 4;
    if header_len < FIXED_LEN {
        return Err(Fault::bad("length in words less 2", 1, 1, words.into()));
    }
    let had = at.rest().len();
    if had < header_len {
        return Err(Fault::cut(header_len, had));
    }
    Ok(Header::open_ended(at, header_len, Next::ip_protocol(next_header)))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("ah.next_header", "Next header", 0, 1).named(protocol_name);
    fields.uint("ah.length", "Length", 1, 1).hex("ah.spi", "SPI", 4, 4).uint("ah.sequence", "Sequence", 8, 4);
    fields.bytes("ah.icv", "Integrity check value", FIXED_LEN, usize::MAX);
}
