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
