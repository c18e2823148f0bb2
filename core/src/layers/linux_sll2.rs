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

#[cfg(test)]
mod tests {
    use crate::{
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv6, layers, value},
        },
        record::LinkType,
    };

    fn record() -> Vec<u8> {
        [&[0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 2, 2, 2, 2, 2, 0, 0][..], &ipv6(59, 0)].concat()
    }

    #[test]
    fn the_protocol_comes_first_and_the_interface_after() {
        assert_eq!(layers(LinkType::LINUX_SLL2, &record()), [Layer::LinuxSll2, Layer::Ipv6]);
        let record = record();
        assert_eq!(value(&decode(LinkType::LINUX_SLL2, &record), "sll.ifindex"), Some(Value::Uint(3)));
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::LINUX_SLL2, &record(), Layer::LinuxSll2, 0, 20);
    }
}
