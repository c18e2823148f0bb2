//! VXLAN (RFC 7348): its header, and on the next line the frame within.

use super::view::{Printed, View};
use super::{Out, link};
use crate::layers::vxlan::{HEADER_LEN, VALID_VNI};

/// The VXLAN header and the frame that it carries.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "vxlan");
    out.line.str("VXLAN");
    if (wire_len as usize) < HEADER_LEN {
        out.invalid();
        return Ok(());
    }
    let flags = view.u8(0)?;
    out.line.str(", flags [").str(if flags & VALID_VNI != 0 { "I" } else { "invalid" });
    out.line.str("] (0x").hex(flags.into(), 2).str("), ");
    // Read in pieces, because of a header that is cut as much is shown as was captured.
    let vni = view.u24(4)?;
    out.line.str("vni ").uint(vni).byte(b'\n');
    view.need(HEADER_LEN)?;
    link::ethernet(out, view.from(HEADER_LEN), wire_len - HEADER_LEN as u32)
}
