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
        return Ok(Header::open_ended(at, head.len(), Next::DATA));
    }
    let [.., org_a, org_b, org_c, type_a, type_b] = *at.head::<SNAP_LEN>()?;
    let next = match [org_a, org_b, org_c] {
        [0, 0, 0] => Next::ether_type(u16::from_be_bytes([type_a, type_b])),
        _ => Next::DATA,
    };
    Ok(Header::open_ended(at, SNAP_LEN, next))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.hex("llc.dsap", "DSAP", 0, 1).hex("llc.ssap", "SSAP", 1, 1).hex("llc.control", "Control", 2, 1);
    if fields.header.starts_with(&SNAP) {
        fields.hex("llc.oui", "Organization code", 3, 3);
        fields.hex("llc.type", "Type", 6, 2).named(super::ethernet::ether_type_name);
    }
}
