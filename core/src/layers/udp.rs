//! UDP (RFC 768). A length of 0 is what jumbograms and frames that are segmented later carry.
//!
//! A length beyond the IP packet is normal in the first fragment of a datagram; the layer then ends where the
//! IP packet ends.

use etherparse::UdpHeaderSlice;

use super::{Cursor, Header, Next};
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
    let next = Next::UdpPorts { src: header.source_port(), dst: header.destination_port() };
    Ok(Header { header_len: HEADER_LEN as u32, end, next })
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("udp.srcport", "Source port", 0, 2).uint("udp.dstport", "Destination port", 2, 2);
    fields.uint("udp.length", "Length", 4, 2).hex("udp.checksum", "Checksum", 6, 2);
}
