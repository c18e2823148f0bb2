//! Address Resolution Protocol (RFC 826).

use etherparse::ArpPacketSlice;

use super::{Cursor, Header, Next};
use crate::{error::Fault, field::Fields};

const FIXED_LEN: usize = 8;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let rest = at.rest();
    let packet =
        ArpPacketSlice::from_slice(rest).map_err(|error| Fault::cut(error.required_len, rest.len()))?;
    let addresses_len = usize::from(packet.hw_addr_size()) + usize::from(packet.proto_addr_size());
    Ok(Header::open_ended(at, FIXED_LEN + 2 * addresses_len, Next::DATA))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("arp.hw.type", "Hardware type", 0, 2);
    fields.hex("arp.proto.type", "Protocol type", 2, 2).named(super::ethernet::ether_type_name);
    fields.uint("arp.hw.size", "Hardware size", 4, 1).uint("arp.proto.size", "Protocol size", 5, 1);
    fields.uint("arp.opcode", "Operation", 6, 2).named(operation_name);
    if fields.number(4, 2) == Some(0x0604) {
        fields.mac("arp.src.hw_mac", "Sender MAC", 8).ipv4("arp.src.proto_ipv4", "Sender IP", 14);
        fields.mac("arp.dst.hw_mac", "Target MAC", 18).ipv4("arp.dst.proto_ipv4", "Target IP", 24);
    } else {
        fields.bytes("arp.addresses", "Addresses", FIXED_LEN, usize::MAX);
    }
}

/// The name of an ARP operation.
pub fn operation_name(value: u64) -> Option<&'static str> {
    [None, Some("request"), Some("reply"), Some("reverse request"), Some("reverse reply")]
        .get(value as usize)
        .copied()
        .flatten()
}

#[cfg(test)]
mod tests {
    use crate::{
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, named, shown, value},
        },
        record::LinkType,
    };

    /// A request of 10.0.0.1 for 10.0.0.2, with the padding of a short frame.
    fn frame() -> Vec<u8> {
        let mut frame = [&[0xff; 6][..], &[2; 6], &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 1], &[2; 6]].concat();
        frame.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        frame.resize(60, 0);
        frame
    }

    #[test]
    fn addresses_are_read_and_padding_is_left() {
        let frame = frame();
        let stack = decode(LinkType::ETHERNET, &frame);
        assert_eq!(stack.layers()[1].header(), 14..42);
        assert_eq!(value(&stack, "arp.src.proto_ipv4"), Some(Value::Ipv4([10, 0, 0, 1].into())));
        assert_eq!(value(&stack, "arp.dst.proto_ipv4"), Some(Value::Ipv4([10, 0, 0, 2].into())));
        assert_eq!(value(&stack, "arp.opcode"), Some(Value::Uint(1)));
    }

    #[test]
    fn a_cut_packet_says_how_many_octets_are_missing() {
        assert_cut(LinkType::ETHERNET, &frame()[..22], Layer::Arp, 14, 8);
        let stop = decode(LinkType::ETHERNET, &frame()[..30]).stop().unwrap();
        assert_eq!((stop.offset, stop.needed, stop.had), (14, 28, 16));
    }

    #[test]
    fn every_operation_has_its_name_and_addresses_of_other_sizes_stay_octets() {
        assert_eq!(
            named(super::operation_name),
            [(1, "request"), (2, "reply"), (3, "reverse request"), (4, "reverse reply")]
        );
        assert_eq!(
            shown(&decode(LinkType::ETHERNET, &frame()), Layer::Arp),
            [
                "0..2 arp.hw.type = 1",
                "2..4 arp.proto.type = 0x0800 (IPv4)",
                "4..5 arp.hw.size = 6",
                "5..6 arp.proto.size = 4",
                "6..8 arp.opcode = 1 (request)",
                "8..14 arp.src.hw_mac = 02:02:02:02:02:02",
                "14..18 arp.src.proto_ipv4 = 10.0.0.1",
                "18..24 arp.dst.hw_mac = 00:00:00:00:00:00",
                "24..28 arp.dst.proto_ipv4 = 10.0.0.2",
            ]
        );
        let mut short = frame();
        short[18] = 2;
        let lines = shown(&decode(LinkType::ETHERNET, &short), Layer::Arp);
        assert_eq!(lines[5..], ["8..20 arp.addresses = 0202020202020a0000010000"]);
    }
}
