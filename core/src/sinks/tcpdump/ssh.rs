//! SSH: the line with which each side names its version (RFC 4253, 4.2). Everything after it is binary.

use super::Out;
use super::view::{Printed, View};

const GREETING: [u8; 4] = *b"SSH-";

/// A segment of `wire_len` octets; nothing is shown of one that does not begin with a version.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "ssh");
    for (at, expected) in GREETING.into_iter().enumerate() {
        if view.u8(at)? != expected {
            return Ok(());
        }
    }
    for at in GREETING.len()..wire_len as usize {
        let is_end = match view.u8(at)? {
            b'\n' => true,
            b'\r' if at + 1 >= wire_len as usize || view.u8(at + 1)? != b'\n' => return Ok(()),
            b'\r' => true,
            b' '..=b'~' => false,
            _ => return Ok(()),
        };
        if is_end {
            out.line.str(": SSH: ").raw(view.slice(0, at)?);
            return Ok(());
        }
    }
    Ok(())
}
