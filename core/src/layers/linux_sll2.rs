//! Linux "cooked" capture, version 2: version 1 with the interface index, in another order.
//!
//! Layout: <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>.

use super::{Cursor, Header, linux_sll};
use crate::{error::Fault, field::Fields};

const HEADER_LEN: usize = 20;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let [a, b, ..] = *at.head::<HEADER_LEN>()?;
    Ok(Header::open_ended(at, HEADER_LEN, linux_sll::after_protocol(u16::from_be_bytes([a, b]))))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.hex("sll.etype", "Protocol", 0, 2).named(super::ethernet::ether_type_name);
    fields.uint("sll.ifindex", "Interface index", 4, 4);
    fields.uint("sll.hatype", "Link-layer address type", 8, 2);
    fields.uint("sll.pkttype", "Packet type", 10, 1).named(linux_sll::packet_type_name);
    fields.uint("sll.halen", "Link-layer address length", 11, 1);
    linux_sll::address(fields, "sll.src.eth", 11, 1, 12);
}
