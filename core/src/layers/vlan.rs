//! One 802.1Q or 802.1ad tag (IEEE 802.1Q, 9.6). A stack of tags is a stack of these layers.

use etherparse::SingleVlanHeaderSlice;

use super::{Cursor, Header, ethernet};
use crate::{error::Fault, field::Fields};

const HEADER_LEN: usize = 4;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let rest = at.rest();
    let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(|_| Fault::cut(HEADER_LEN, rest.len()))?;
    Ok(ethernet::after_type(at, HEADER_LEN, tag.ether_type().0))
}

/// Priority, drop-eligible bit and VLAN identifier of a tag's header.
pub fn tag(header: &[u8]) -> Option<(u8, bool, u16)> {
    let tag = SingleVlanHeaderSlice::from_slice(header).ok()?;
    Some((tag.priority_code_point().value(), tag.drop_eligible_indicator(), tag.vlan_identifier().value()))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.bits("vlan.priority", "Priority", 0, 2, 0xe000).bits("vlan.dei", "Drop eligible", 0, 2, 0x1000);
    fields.bits("vlan.id", "VLAN ID", 0, 2, 0x0fff);
    ethernet::type_field(fields, "vlan.etype", "vlan.len", 2);
}

#[cfg(test)]
mod tests {
    use crate::{
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, layers, shown},
        },
        record::LinkType,
    };

    /// A service tag, a customer tag, IPv4.
    fn frame() -> Vec<u8> {
        [&[1; 12][..], &[0x88, 0xa8, 0xb0, 0x64, 0x81, 0, 0x0f, 0xff, 8, 0], &ipv4(253, 20)].concat()
    }

    #[test]
    fn a_stack_of_tags_is_a_stack_of_layers() {
        assert_eq!(
            layers(LinkType::ETHERNET, &frame()),
            [Layer::Ethernet, Layer::Vlan, Layer::Vlan, Layer::Ipv4]
        );
        let frame = frame();
        let stack = decode(LinkType::ETHERNET, &frame);
        let tags: Vec<_> = stack.layers()[1..3].iter().map(|span| super::tag(stack.header(span))).collect();
        assert_eq!(tags, [Some((5, true, 100)), Some((0, false, 4095))]);
    }

    #[test]
    fn a_cut_tag_says_how_many_octets_are_missing() {
        assert_cut(LinkType::ETHERNET, &frame(), Layer::Vlan, 14, 4);
        assert_cut(LinkType::ETHERNET, &frame(), Layer::Vlan, 18, 4);
    }

    #[test]
    fn every_field_of_a_tag_is_shown() {
        let mut frame = frame();
        let last = shown(&decode(LinkType::ETHERNET, &frame), Layer::Vlan);
        let expected = [
            "0..2 vlan.priority = 0",
            "0..2 vlan.dei = 0",
            "0..2 vlan.id = 4095",
            "2..4 vlan.etype = 0x0800 (IPv4)",
        ];
        assert_eq!(last, expected);
        // A length in the place of a type, as in 802.3.
        frame[20..22].copy_from_slice(&[0, 3]);
        assert_eq!(shown(&decode(LinkType::ETHERNET, &frame), Layer::Vlan)[3], "2..4 vlan.len = 3");
    }
}
