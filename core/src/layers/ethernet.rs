//! Ethernet II and IEEE 802.3 frames, without preamble and frame check sequence.
//!
//! A type field of 1500 or less is the length of an 802.3 frame whose payload begins with LLC.

use etherparse::Ethernet2HeaderSlice;

use super::{Cursor, Header, Layer, Next, llc};
use crate::{error::Fault, field::Fields};

const HEADER_LEN: usize = 14;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let rest = at.rest();
    let header = Ethernet2HeaderSlice::from_slice(rest).map_err(|_| Fault::cut(HEADER_LEN, rest.len()))?;
    Ok(after_type(at, HEADER_LEN, header.ether_type().0))
}

/// What follows a type-or-length field, for the headers that have one.
#[inline]
pub(super) fn after_type(at: &Cursor<'_>, header_len: usize, value: u16) -> Header {
    if value > llc::MAX_FRAME_LEN {
        return Header::open_ended(at, header_len, Next::ether_type(value));
    }
    let end = at.offset.saturating_add(header_len as u32 + u32::from(value)).min(at.end);
    Header { header_len: header_len as u32, end, next: Next::layer(Layer::Llc) }
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.mac("eth.dst", "Destination", 0).mac("eth.src", "Source", 6);
    type_field(fields, "eth.type", "eth.len", 12);
}

/// A type-or-length field under the key that says which of the two it is.
pub(super) fn type_field(fields: &mut Fields<'_>, type_key: &'static str, len_key: &'static str, at: usize) {
    match fields.number(at, 2) {
        Some(value) if value <= u64::from(llc::MAX_FRAME_LEN) => fields.uint(len_key, "Length", at, 2),
        _ => fields.hex(type_key, "Type", at, 2).named(ether_type_name),
    };
}

/// The name of an EtherType.
pub(super) fn ether_type_name(value: u64) -> Option<&'static str> {
    Some(match value {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x8035 => "RARP",
        0x6558 => "Transparent Ethernet bridging",
        0x8100 => "802.1Q VLAN",
        0x88a8 => "802.1ad service VLAN",
        0x86dd => "IPv6",
        0x8847 => "MPLS",
        0x8863 => "PPPoE discovery",
        0x8864 => "PPPoE session",
        0x88be => "ERSPAN type II",
        0x22eb => "ERSPAN type III",
        0x88cc => "LLDP",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        layers::{
            Layer,
            testing::{assert_cut, decode, layers, named, shown},
        },
        record::LinkType,
    };

    fn frame(type_or_len: u16) -> Vec<u8> {
        [&[1; 12][..], &type_or_len.to_be_bytes(), &[0x42, 0x42, 3, 0, 0, 0, 0, 0]].concat()
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::ETHERNET, &frame(0x1234), Layer::Ethernet, 0, 14);
    }

    #[test]
    fn a_length_ends_the_frame_before_its_padding() {
        let frame = frame(4);
        let stack = decode(LinkType::ETHERNET, &frame);
        assert_eq!((stack.layers()[0].end, stack.layers()[1].layer), (18, Layer::Llc));
        assert_eq!(stack.layers()[1].payload_len(), 1);
    }

    #[test]
    fn the_greatest_length_is_1500_and_what_is_greater_is_a_type() {
        assert_eq!(layers(LinkType::ETHERNET, &frame(1500)), [Layer::Ethernet, Layer::Llc]);
        assert_eq!(layers(LinkType::ETHERNET, &frame(1501)), [Layer::Ethernet]);
    }

    #[test]
    fn the_two_octets_behind_the_addresses_are_a_type_or_a_length() {
        let last = |value| {
            let frame = frame(value);
            let lines = shown(&decode(LinkType::ETHERNET, &frame), Layer::Ethernet);
            assert_eq!(lines[..2], ["0..6 eth.dst = 01:01:01:01:01:01", "6..12 eth.src = 01:01:01:01:01:01"]);
            lines[2..].join(", ")
        };
        assert_eq!(last(0x88cc), "12..14 eth.type = 0x88cc (LLDP)");
        assert_eq!(last(1501), "12..14 eth.type = 0x05dd");
        assert_eq!(last(1500), "12..14 eth.len = 1500");
    }

    #[test]
    fn every_known_type_has_a_name() {
        assert_eq!(
            named(super::ether_type_name),
            [
                (0x0800, "IPv4"),
                (0x0806, "ARP"),
                (0x22eb, "ERSPAN type III"),
                (0x6558, "Transparent Ethernet bridging"),
                (0x8035, "RARP"),
                (0x8100, "802.1Q VLAN"),
                (0x86dd, "IPv6"),
                (0x8847, "MPLS"),
                (0x8863, "PPPoE discovery"),
                (0x8864, "PPPoE session"),
                (0x88a8, "802.1ad service VLAN"),
                (0x88be, "ERSPAN type II"),
                (0x88cc, "LLDP"),
            ]
        );
    }
}
