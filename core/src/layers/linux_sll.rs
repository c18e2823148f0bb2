//! Linux "cooked" capture, version 1: what a capture on the interface `any` begins with.
//!
//! Layout: <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>. Read by hand, because etherparse
//! refuses ARP hardware types that it does not know, and their packets are as good as any.

use super::{Cursor, Header, Layer, Next};
use crate::{error::Fault, field::Fields};

const HEADER_LEN: usize = 16;
/// Protocol value for "the payload begins with an LLC header" (`ETH_P_802_2`).
const PROTOCOL_LLC: u16 = 0x0004;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let [.., a, b] = *at.head::<HEADER_LEN>()?;
    Ok(Header::open_ended(at, HEADER_LEN, after_protocol(u16::from_be_bytes([a, b]))))
}

/// What a cooked header's protocol field announces.
#[inline]
pub(super) fn after_protocol(protocol: u16) -> Next {
    match protocol {
        PROTOCOL_LLC => Next::layer(Layer::Llc),
        other => Next::ether_type(other),
    }
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("sll.pkttype", "Packet type", 0, 2).named(packet_type_name);
    fields.uint("sll.hatype", "Link-layer address type", 2, 2);
    fields.uint("sll.halen", "Link-layer address length", 4, 2);
    address(fields, "sll.src.eth", 4, 2, 6);
    fields.hex("sll.etype", "Protocol", 14, 2).named(super::ethernet::ether_type_name);
}

/// The sender's address: a MAC where it has six octets.
pub(super) fn address(fields: &mut Fields<'_>, key: &'static str, len_at: usize, len_len: usize, at: usize) {
    match fields.number(len_at, len_len) {
        Some(6) => fields.mac(key, "Source", at),
        Some(len) => fields.bytes("sll.src.other", "Source", at, len.min(8) as usize),
        None => fields,
    };
}

/// Who the packet was for.
pub(super) fn packet_type_name(value: u64) -> Option<&'static str> {
    ["to us", "broadcast", "multicast", "to another host", "sent by us"].get(value as usize).copied()
}

#[cfg(test)]
mod tests {
    use crate::{
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, layers, named, shown, value},
        },
        record::LinkType,
    };

    fn record(protocol: [u8; 2]) -> Vec<u8> {
        [&[0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0][..], &protocol, &ipv4(253, 20)].concat()
    }

    #[test]
    fn the_protocol_leads_on() {
        assert_eq!(layers(LinkType::LINUX_SLL, &record([8, 0])), [Layer::LinuxSll, Layer::Ipv4]);
        assert_eq!(layers(LinkType::LINUX_SLL, &record([0, 4])), [Layer::LinuxSll, Layer::Llc]);
        let record = record([8, 0]);
        let stack = decode(LinkType::LINUX_SLL, &record);
        assert_eq!(value(&stack, "sll.src.eth"), Some(Value::Mac([2; 6])));
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::LINUX_SLL, &record([8, 0]), Layer::LinuxSll, 0, 16);
    }

    #[test]
    fn every_field_is_shown_and_an_address_that_is_no_mac_stays_octets() {
        let mut record = record([8, 0]);
        assert_eq!(
            shown(&decode(LinkType::LINUX_SLL, &record), Layer::LinuxSll),
            [
                "0..2 sll.pkttype = 4 (sent by us)",
                "2..4 sll.hatype = 1",
                "4..6 sll.halen = 6",
                "6..12 sll.src.eth = 02:02:02:02:02:02",
                "14..16 sll.etype = 0x0800 (IPv4)",
            ]
        );
        record[5] = 3;
        let lines = shown(&decode(LinkType::LINUX_SLL, &record), Layer::LinuxSll);
        assert_eq!(lines[3], "6..9 sll.src.other = 020202");
        assert_eq!(
            named(super::packet_type_name),
            [(0, "to us"), (1, "broadcast"), (2, "multicast"), (3, "to another host"), (4, "sent by us")]
        );
    }
}
