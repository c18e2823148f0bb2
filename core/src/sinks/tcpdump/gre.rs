//! GRE (RFC 1701, 2784, 2890) and its PPTP variant (RFC 2637), followed by the packet within.

use super::view::{Printed, View};
use super::{Cut, Out, ip, ip6, link, mpls, names, ppp};

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// A GRE header of either version and what it carries.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    // Neither the octets nor the announced length may run out: both mean a cut header to tcpdump.
    let mut gre = Gre { view: View::new(link::cut(bytes, wire_len), "gre"), at: 2 };
    let flags = gre.view.u16(0)?;
    out.line.str("GREv").uint(flags & VERSION);
    let protocol = match flags & VERSION {
        0 => gre.version_0(out, flags)?,
        1 => gre.version_1(out, flags)?,
        _ => {
            out.line.str(" ERROR: unknown-version");
            return Ok(());
        }
    };
    if out.options.link_header {
        out.line.str(", proto ").str(names::ether_type(protocol).unwrap_or("unknown"));
        out.line.str(" (0x").hex(protocol.into(), 4).byte(b')');
    }
    out.line.str(", length ").uint(wire_len);
    let is_version_1 = flags & VERSION == 1;
    if is_version_1 && flags & SEQUENCE == 0 {
        return Ok(());
    }
    out.line.str(": ");
    let (inner, inner_len) =
        (bytes.get(gre.at..).unwrap_or_default(), wire_len.saturating_sub(gre.at as u32));
    match protocol {
        0x0800 if !is_version_1 => return ip::print(out, inner, inner_len),
        0x86dd if !is_version_1 => return ip6::print(out, inner, inner_len),
        0x8847 if !is_version_1 => return mpls::print(out, inner, inner_len),
        0x880b if is_version_1 => return ppp::print(out, inner, inner_len),
        0x6558 if !is_version_1 => return link::ethernet(out, inner, inner_len),
        other => out.line.str("gre-proto-0x").hex(other.into(), 1),
    };
    Ok(())
}

/// A header under reading.
struct Gre<'a> {
    view: View<'a>,
    at: usize,
}

impl Gre<'_> {
    fn u16(&mut self) -> Result<u16, Cut> {
        let value = self.view.u16(self.at)?;
        self.at += 2;
        Ok(value)
    }

    fn u32(&mut self) -> Result<u32, Cut> {
        let value = self.view.u32(self.at)?;
        self.at += 4;
        Ok(value)
    }

    /// Returns the protocol type.
    fn version_0(&mut self, out: &mut Out<'_>, flags: u16) -> Result<u16, Cut> {
        let protocol = self.u16()?;
        if flags & (CHECKSUM | ROUTING) != 0 {
            self.u16()?;
            out.line.str(", off 0x").hex(self.u16()?.into(), 1);
        }
        if flags & KEY != 0 {
            out.line.str(", key=0x").hex(self.u32()?.into(), 1);
        }
        if flags & SEQUENCE != 0 {
            out.line.str(", seq ").uint(self.u32()?);
        }
        if flags & ROUTING != 0 {
            self.routes(out)?;
        }
        Ok(protocol)
    }

    /// Returns the protocol type.
    fn version_1(&mut self, out: &mut Out<'_>, flags: u16) -> Result<u16, Cut> {
        let protocol = self.u16()?;
        if flags & KEY != 0 {
            out.line.str(", call ").uint(self.u32()? & 0xffff);
        }
        if flags & SEQUENCE != 0 {
            out.line.str(", seq ").uint(self.u32()?);
        }
        if flags & ACKNOWLEDGMENT != 0 {
            out.line.str(", ack ").uint(self.u32()?);
        }
        if flags & SEQUENCE == 0 {
            out.line.str(", no-payload");
        }
        Ok(protocol)
    }

    /// Source routes, up to the empty one that ends them.
    fn routes(&mut self, out: &mut Out<'_>) -> Printed {
        loop {
            let [a, b, offset, len] = self.u32()?.to_be_bytes();
            let family = u16::from_be_bytes([a, b]);
            if family == 0 && len == 0 {
                return Ok(());
            }
            match family {
                0x0800 => {
                    out.line.str(", (rtaf=ip");
                    self.route(out, offset, len, 4)?;
                }
                0xfffe => {
                    out.line.str(", (rtaf=asn");
                    self.route(out, offset, len, 2)?;
                }
                other => {
                    out.line.str(", (rtaf=0x").hex(other.into(), 1).byte(b')');
                }
            }
            self.view.need(self.at + usize::from(len))?;
            self.at += usize::from(len);
        }
    }

    /// One source route: addresses or numbers of `size` octets, the current one with an asterisk.
    fn route(&mut self, out: &mut Out<'_>, offset: u8, len: u8, size: u8) -> Printed {
        if !offset.is_multiple_of(size) {
            out.line.str(", badoffset=").uint(offset);
        } else if !len.is_multiple_of(size) {
            out.line.str(", badlength=").uint(len);
        } else if offset >= len {
            out.line.str(", badoff/len=").uint(offset).byte(b'/').uint(len);
        } else {
            for hop in (0..len).step_by(size.into()) {
                let at = self.at + usize::from(hop);
                let (ip, number) = (self.view.ipv4(at), self.view.u16(at));
                if (size == 4 && ip.is_err()) || number.is_err() {
                    out.line.byte(b')');
                    return Err(self.view.cut());
                }
                out.line.str(if hop == offset { " *" } else { " " });
                match ip {
                    Ok(ip) if size == 4 => out.line.ipv4(ip),
                    _ => out.line.hex(number?.into(), 1),
                };
            }
        }
        out.line.byte(b')');
        Ok(())
    }
}
