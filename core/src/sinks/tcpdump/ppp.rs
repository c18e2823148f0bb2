//! PPPoE sessions (RFC 2516) and the PPP frames in them (RFC 1661), as far as they carry IP or MPLS.

use super::view::{Cut, Printed, View};
use super::{Out, ip, ip6, mpls};

const PPPOE_LEN: usize = 6;
/// Address and control octets that may precede the protocol, and the two that stand for directions.
const ALL_STATIONS: [u8; 2] = [0xff, 0x03];
const INCOMING: [u8; 2] = [0x00, 0x03];
const OUTGOING: [u8; 2] = [0x0f, 0x03];

/// A session packet. `false`, with nothing written, for discovery and for PPP protocols that we do not print.
pub(super) fn session(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Result<bool, Cut> {
    let view = View::new(bytes, "pppoe");
    let Some(room) = wire_len.checked_sub(PPPOE_LEN as u32) else {
        out.line.str(" (length ").uint(wire_len).str(" < 6)");
        out.invalid();
        return Ok(true);
    };
    view.need(PPPOE_LEN)?;
    let (first, code, session, len) = (view.u8(0)?, view.u8(1)?, view.u16(2)?, u32::from(view.u16(4)?));
    let Some(frame) = Frame::read(view.from(PPPOE_LEN)).filter(|_| code == 0) else { return Ok(false) };
    for (name, value) in [(" [ver ", first >> 4), (" [type ", first & 0xf)] {
        if value != 1 {
            out.line.str(name).uint(value).byte(b']');
        }
    }
    out.line.str("PPPoE ");
    if len > room {
        out.line.str(" [len ").uint(len).str(" > ").uint(room).str("!]");
    }
    if session != 0 {
        out.line.str(" [ses 0x").hex(session.into(), 1).byte(b']');
    }
    out.line.byte(b' ');
    frame.print(out, len.min(room))?;
    Ok(true)
}

/// A PPP frame behind another header, for which tcpdump has names that we do not.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    match Frame::read(bytes) {
        Some(frame) => frame.print(out, wire_len),
        None => {
            out.line.str("PPP, length ").uint(wire_len);
            Ok(())
        }
    }
}

/// A PPP frame of a protocol that is printed.
struct Frame<'a> {
    protocol: u16,
    payload: &'a [u8],
    header_len: u32,
}

impl<'a> Frame<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let has_address = matches!(bytes.first_chunk(), Some(&(ALL_STATIONS | INCOMING | OUTGOING)));
        let at = if has_address { 2 } else { 0 };
        let (protocol, len) = match bytes.get(at..)? {
            // The compressed form has one octet, which is odd.
            [first, ..] if first % 2 == 1 => (u16::from(*first), 1),
            [a, b, ..] => (u16::from_be_bytes([*a, *b]), 2),
            _ => return None,
        };
        let frame = Self { protocol, payload: bytes.get(at + len..)?, header_len: (at + len) as u32 };
        matches!(protocol, 0x0021 | 0x0057 | 0x0281 | 0x0283 | 0x0800 | 0x86dd).then_some(frame)
    }

    fn print(&self, out: &mut Out<'_>, wire_len: u32) -> Printed {
        let wire_len = wire_len.saturating_sub(self.header_len);
        match self.protocol {
            0x0021 | 0x0800 => ip::print(out, self.payload, wire_len),
            0x0057 | 0x86dd => ip6::print(out, self.payload, wire_len),
            _ => mpls::print(out, self.payload, wire_len),
        }
    }
}
