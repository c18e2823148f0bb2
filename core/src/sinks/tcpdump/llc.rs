//! 802.2 LLC and SNAP. Protocols behind them that tcpdump prints and we do not (STP, CDP, IS-IS) are dumped.

use super::link::{self, Addresses};
use super::view::{Printed, View};
use super::{Cut, Out, ip, names, text};

const SNAP: u8 = 0xaa;
const IP: u8 = 0x06;
const UNNUMBERED_INFORMATION: u16 = 0x03;
const EXCHANGE_ID: u16 = 0xaf;
/// The poll or final bit of an unnumbered frame, and of the others.
const POLL: u16 = 0x10;
const POLL_NUMBERED: u16 = 0x0100;
/// The response bit of a source service access point.
const RESPONSE: u8 = 1;

/// Prints a frame that begins with LLC, or dumps what it could not name.
pub(super) fn print_or_dump(
    out: &mut Out<'_>,
    bytes: &[u8],
    wire_len: u32,
    addresses: Option<&Addresses>,
) -> Printed {
    if !print(out, bytes, wire_len, addresses)? {
        text::dump(out.line, bytes);
    }
    Ok(())
}

/// The control field, which says what kind of frame it is and how long its header.
enum Control {
    Unnumbered(u16),
    Numbered(u16),
}

fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32, addresses: Option<&Addresses>) -> Result<bool, Cut> {
    let view = View::new(bytes, "llc");
    let (Ok([dsap, ssap, first]), 3..) = (view.array::<3>(0), wire_len) else {
        return Ok(too_short(out, bytes));
    };
    let (control, header_len) = if first & 3 == 3 {
        (Control::Unnumbered(first.into()), 3)
    } else {
        let (Ok([a, b]), 4..) = (view.array::<2>(2), wire_len) else { return Ok(too_short(out, bytes)) };
        (Control::Numbered(u16::from_le_bytes([a, b])), 4)
    };
    let (inner, inner_len) = (view.from(header_len), wire_len - header_len as u32);
    let frame = Llc { dsap: dsap & !1, ssap: ssap & !1, response: ssap & RESPONSE, wire_len };
    if matches!(control, Control::Unnumbered(UNNUMBERED_INFORMATION)) {
        match (frame.dsap, frame.ssap) {
            (SNAP, SNAP) => return snap(out, inner, inner_len, addresses),
            (IP, IP) => return ip::print(out, inner, inner_len).map(|()| true),
            _ => {}
        }
    }
    frame.describe(out, addresses);
    match control {
        Control::Unnumbered(control) => frame.unnumbered(out, control, inner, inner_len),
        Control::Numbered(control) => Ok(frame.numbered(out, control)),
    }
}

fn too_short(out: &mut Out<'_>, bytes: &[u8]) -> bool {
    out.line.str(" [|llc]");
    text::dump(out.line, bytes);
    true
}

struct Llc {
    dsap: u8,
    ssap: u8,
    response: u8,
    wire_len: u32,
}

impl Llc {
    /// Who speaks to whom.
    fn describe(&self, out: &mut Out<'_>, addresses: Option<&Addresses>) {
        if self.ssap == self.dsap {
            link::write_llc_addresses(out, addresses);
            access_point(out, "DSAP", self.dsap);
        } else {
            link::write_source(out, addresses);
            access_point(out, "SSAP", self.ssap);
            out.line.str("> ");
            link::write_destination(out, addresses);
            access_point(out, "DSAP", self.dsap);
        }
    }

    /// `false` where the payload is still to be dumped.
    fn unnumbered(&self, out: &mut Out<'_>, control: u16, inner: &[u8], inner_len: u32) -> Result<bool, Cut> {
        out.line.str("Unnumbered, ");
        let command = control & !POLL;
        match names::llc_command(command) {
            Some(name) => out.line.str(name),
            None => out.line.hex(command.into(), 2),
        };
        self.flags(out, control & POLL);
        if command != EXCHANGE_ID {
            return Ok(false);
        }
        match (inner, inner_len) {
            (_, 0) => {}
            ([], _) => {
                out.line.str(" [|llc]");
            }
            ([0x81, a, b, ..], 3..) => {
                out.line.str(": ").hex((*a).into(), 2).byte(b' ').hex((*b).into(), 2);
            }
            ([0x81, ..], _) => {
                out.line.str(" [|llc]");
                text::dump(out.line, inner);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A supervisory frame, or one with information, whose payload is still to be dumped.
    fn numbered(&self, out: &mut Out<'_>, control: u16) -> bool {
        let is_supervisory = control & 3 == 1;
        if is_supervisory {
            let kinds = ["Receiver Ready", "Receiver not Ready", "Reject"];
            let kind = kinds.get(usize::from(control >> 2 & 3)).copied().unwrap_or("?");
            out.line.str("Supervisory, ").str(kind);
        } else {
            out.line.str("Information, send seq ").uint(control >> 1 & 0x7f);
        }
        out.line.str(", rcv seq ").uint(control >> 9 & 0x7f);
        self.flags(out, control & POLL_NUMBERED);
        is_supervisory
    }

    /// `, Flags [Poll], length 46`.
    fn flags(&self, out: &mut Out<'_>, poll: u16) {
        let name = match (self.response != 0, poll != 0) {
            (false, false) => "Command",
            (true, false) => "Response",
            (false, true) => "Poll",
            (true, true) => "Final",
        };
        out.line.str(", Flags [").str(name).str("], length ").uint(self.wire_len);
    }
}

fn access_point(out: &mut Out<'_>, which: &str, value: u8) {
    match names::service_access_point(value) {
        Some(name) => out.line.str(name),
        None => out.line.str("Unknown ").str(which).str(" 0x").hex(value.into(), 2),
    };
    out.line.byte(b' ');
}

/// SNAP: an organization's protocol number, for Ethernet and Cisco an EtherType.
fn snap(out: &mut Out<'_>, bytes: &[u8], wire_len: u32, addresses: Option<&Addresses>) -> Result<bool, Cut> {
    const LEN: usize = 5;
    const BRIDGED: u32 = 0x80c2;
    let view = View::new(bytes, "snap");
    let (organization, protocol) = (view.u24(0)?, view.u16(3)?);
    if (wire_len as usize) < LEN {
        return Err(view.cut());
    }
    let (inner, inner_len) = (view.from(LEN), wire_len - LEN as u32);
    match (organization, protocol) {
        (0 | 0xf8, ether_type) if link::by_ether_type(out, ether_type, inner, inner_len)? => return Ok(true),
        (BRIDGED, 1 | 7) => {
            let padded = View::new(inner, "snap");
            padded.need(2)?;
            link::ethernet(out, padded.from(2), inner_len.saturating_sub(2))?;
            return Ok(true);
        }
        _ => {}
    }
    if out.options.link_header {
        return Ok(false);
    }
    link::write_llc_addresses(out, addresses);
    out.line.str("SNAP, ");
    if organization == 0 {
        out.line.str("ethertype ");
    } else {
        out.line.str("oui ").str(names::organization(organization));
        out.line.str(" (0x").hex(organization.into(), 6).str("), pid ");
    }
    out.line.str(names::snap_protocol(organization, protocol)).str(" (0x").hex(protocol.into(), 4);
    out.line.str("), length ").uint(inner_len).str(": ");
    Ok(false)
}
