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
