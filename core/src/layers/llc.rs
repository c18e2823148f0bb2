//! Logical link control (IEEE 802.2) and its SNAP extension, which gives 802.3 frames an EtherType.

use super::{Cursor, Header, Next};
use crate::{error::Fault, field::Fields};

/// Greatest value of an Ethernet type field that is a length (IEEE 802.3, 3.2.6).
pub(super) const MAX_FRAME_LEN: u16 = 1500;

const SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];
const SNAP_LEN: usize = 8;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let head = at.head::<3>()?;
    if *head != SNAP {
        let header_len = 2 + control_len(at.rest());
        let had = at.rest().len();
        if had < header_len {
            return Err(Fault::cut(header_len, had));
        }
        return Ok(Header::open_ended(at, header_len, Next::DATA));
    }
    let [.., org_a, org_b, org_c, type_a, type_b] = *at.head::<SNAP_LEN>()?;
    let next = match [org_a, org_b, org_c] {
        [0, 0, 0] => Next::ether_type(u16::from_be_bytes([type_a, type_b])),
        _ => Next::DATA,
    };
    Ok(Header::open_ended(at, SNAP_LEN, next))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.hex("llc.dsap", "DSAP", 0, 1).hex("llc.ssap", "SSAP", 1, 1);
    fields.hex("llc.control", "Control", 2, control_len(fields.header));
    if fields.header.starts_with(&SNAP) {
        fields.hex("llc.oui", "Organization code", 3, 3);
        let key = if fields.number(3, 3) == Some(0) { "llc.type" } else { "llc.pid" };
        fields.hex(key, "Type", 6, 2).named(super::ethernet::ether_type_name);
    }
}

/// Unnumbered frames end in the bits 11 and have one octet of control, the others two (IEEE 802.2, 5.4).
fn control_len(header: &[u8]) -> usize {
    match header.get(2) {
        Some(control) if control & 0x03 != 0x03 => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        layers::{
            Layer,
            testing::{decode, ipv4, layers, shown},
        },
        record::LinkType,
    };

    /// An 802.3 frame whose payload begins with `llc`.
    fn frame(llc: &[u8]) -> Vec<u8> {
        [&[1; 12][..], &[0, 60], llc, &ipv4(253, 20)].concat()
    }

    #[test]
    fn snap_with_an_ethertype_leads_on_and_other_organizations_do_not() {
        let snap = |org: u8| frame(&[0xaa, 0xaa, 3, 0, 0, org, 8, 0]);
        assert_eq!(layers(LinkType::ETHERNET, &snap(0)), [Layer::Ethernet, Layer::Llc, Layer::Ipv4]);
        assert_eq!(layers(LinkType::ETHERNET, &snap(12)), [Layer::Ethernet, Layer::Llc]);
    }

    #[test]
    fn numbered_frames_have_a_control_field_of_two_octets() {
        assert_eq!(decode(LinkType::ETHERNET, &frame(&[0x42, 0x42, 3])).layers()[1].header(), 14..17);
        assert_eq!(decode(LinkType::ETHERNET, &frame(&[0x42, 0x42, 1, 1])).layers()[1].header(), 14..18);
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        let stop =
            |len| decode(LinkType::ETHERNET, &frame(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0])[..len]).stop().unwrap();
        assert_eq!((stop(16).needed, stop(16).had, stop(16).offset), (3, 2, 14));
        assert_eq!((stop(20).needed, stop(20).had, stop(20).offset), (8, 6, 14));
    }

    #[test]
    fn fields_are_shown_for_each_kind_of_frame() {
        let fields_of = |llc: &[u8]| {
            let frame = frame(llc);
            shown(&decode(LinkType::ETHERNET, &frame), Layer::Llc).join(", ").replace("llc.", "")
        };
        let snap = "0..1 dsap = 0xaa, 1..2 ssap = 0xaa, 2..3 control = 0x03";
        assert_eq!(
            fields_of(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
            format!("{snap}, 3..6 oui = 0x000000, 6..8 type = 0x0800 (IPv4)")
        );
        assert_eq!(
            fields_of(&[0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0]),
            format!("{snap}, 3..6 oui = 0x00000c, 6..8 pid = 0x2000")
        );
        assert_eq!(fields_of(&[0x42, 0x43, 3]), "0..1 dsap = 0x42, 1..2 ssap = 0x43, 2..3 control = 0x03");
        assert_eq!(
            fields_of(&[0x42, 0x43, 1, 2]),
            "0..1 dsap = 0x42, 1..2 ssap = 0x43, 2..4 control = 0x0102"
        );
    }

    #[test]
    fn a_control_field_that_is_cut_says_how_many_octets_are_missing() {
        let frame = frame(&[0x42, 0x42, 1, 1]);
        let stop = decode(LinkType::ETHERNET, &frame[..17]).stop().unwrap();
        assert_eq!((stop.offset, stop.needed, stop.had), (14, 4, 3));
        assert_eq!(decode(LinkType::ETHERNET, &frame[..18]).stop(), None);
    }
}
