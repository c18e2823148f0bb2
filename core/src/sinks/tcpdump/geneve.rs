//! Geneve (RFC 8926): its header, and on the same line the packet within.

use super::view::{Printed, View};
use super::{Out, link, names, text};
use crate::layers::geneve::{self, FIXED_LEN};

const FLAGS: [(u8, &str); 8] = [
    (0x80, "O"),
    (0x40, "C"),
    (0x20, "R1"),
    (0x10, "R2"),
    (0x08, "R3"),
    (0x04, "R4"),
    (0x02, "R5"),
    (0x01, "R6"),
];
const ETHERNET: u16 = 0x6558;

/// The Geneve header and what it carries.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "geneve");
    out.line.str("Geneve");
    if (wire_len as usize) < FIXED_LEN {
        out.line.str(" [length ").uint(wire_len).str(" < 8]");
        out.invalid();
        return Ok(());
    }
    let [first, flags, .., reserved] = view.array::<FIXED_LEN>(0)?;
    if first >> 6 != 0 {
        out.line.str(" ERROR: unknown-version ").uint(first >> 6);
        return Ok(());
    }
    let Some(header) = geneve::header(bytes) else { return Err(view.cut()) };
    text::flags(out.line.str(", Flags ["), flags, &FLAGS, "none").str("], vni 0x").hex(header.vni.into(), 1);
    if reserved != 0 {
        out.line.str(", rsvd 0x").hex(reserved.into(), 1);
    }
    if out.options.link_header {
        out.line.str(", proto ").str(names::ether_type(header.protocol_type).unwrap_or("unknown"));
        out.line.str(" (0x").hex(header.protocol_type.into(), 4).byte(b')');
    }
    let header_len = FIXED_LEN + header.options_len;
    if (wire_len as usize) < header_len {
        out.line
            .str(" truncated-geneve - ")
            .uint(header_len as u64 - u64::from(wire_len))
            .str(" bytes missing");
        return Ok(());
    }
    view.need(header_len)?;
    if header.options_len > 0 {
        out.line.str(", options [").uint(header.options_len as u64).str(" bytes]");
    }
    out.line.str(": ");
    let (inner, inner_len) = (view.from(header_len), wire_len - header_len as u32);
    if !link::by_ether_type(out, header.protocol_type, inner, inner_len)? {
        if header.protocol_type == ETHERNET {
            return link::ethernet(out, inner, inner_len);
        }
        out.line.str("geneve-proto-0x").hex(header.protocol_type.into(), 1);
    }
    Ok(())
}
