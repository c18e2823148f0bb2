//! MPLS labels (RFC 3032), and behind the last one IP, which only its first octet betrays.

use super::view::{Printed, View};
use super::{Out, ip, ip6, text};

const LABEL_LEN: usize = 4;
const LAST: u32 = 0x100;

/// A stack of labels and what it carries.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "mpls");
    out.line.str("MPLS");
    let mut at = 0;
    let label = loop {
        if (wire_len as usize) < at + LABEL_LEN {
            out.invalid();
            return Ok(());
        }
        let entry = view.u32(at)?;
        at += LABEL_LEN;
        out.line.str(" (label ").uint(entry >> 12).str(", tc ").uint(entry >> 9 & 7);
        if entry & LAST != 0 {
            out.line.str(", [S]");
        }
        out.line.str(", ttl ").uint(entry & 0xff).byte(b')');
        if entry & LAST != 0 {
            break entry >> 12;
        }
    };
    let (inner, inner_len) = (view.from(at), wire_len - at as u32);
    let first = match label {
        // The explicit and implicit null labels say what follows.
        0 | 3 => 0x45,
        2 => 0x60,
        _ if inner_len == 0 => return Ok(()),
        _ => view.u8(at)?,
    };
    match first {
        0x45..=0x4f => ip::print(out.spaced(), inner, inner_len),
        0x60..=0x6f => ip6::print(out.spaced(), inner, inner_len),
        _ => {
            text::dump(out.line, inner);
            Ok(())
        }
    }
}
