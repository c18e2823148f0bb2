//! ARP and RARP (RFC 826, RFC 903), for addresses of any length.

use super::view::{Cut, Printed, View};
use super::{Out, names, text};

const FIXED_LEN: usize = 8;
const IPV4: u16 = 0x0800;
const TRAILERS: u16 = 0x1000;

/// An ARP packet, padding included.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "arp");
    view.need(FIXED_LEN)?;
    let arp = Arp {
        hardware: view.u16(0)?,
        protocol: view.u16(2)?,
        hardware_len: view.u8(4)?.into(),
        protocol_len: view.u8(5)?.into(),
        view,
    };
    view.need(FIXED_LEN + 2 * (arp.hardware_len + arp.protocol_len))?;
    if !out.options.link_header {
        out.line.str("ARP, ");
    }
    if !arp.is_ip() || arp.protocol_len != 4 || arp.hardware_len == 0 {
        arp.kinds(out);
    } else if !arp.operation(out)? {
        text::dump(out.line, bytes);
        return Ok(());
    }
    out.line.str(", length ").uint(wire_len);
    Ok(())
}

struct Arp<'a> {
    hardware: u16,
    protocol: u16,
    hardware_len: usize,
    protocol_len: usize,
    view: View<'a>,
}

impl Arp<'_> {
    fn is_ip(&self) -> bool {
        matches!(self.protocol, IPV4 | TRAILERS)
    }

    /// What kinds of addresses these are, where they are not what ARP is for today.
    fn kinds(&self, out: &mut Out<'_>) {
        match names::arp_hardware(self.hardware) {
            Some(name) => out.line.str(name),
            None => out.line.str("Unknown Hardware (").uint(self.hardware).byte(b')'),
        };
        out.line.str(" (len ").uint(self.hardware_len as u64).str("), ");
        match names::ether_type(self.protocol) {
            Some(name) => out.line.str(name),
            None => out.line.str("Unknown Protocol (0x").hex(self.protocol.into(), 4).byte(b')'),
        };
        out.line.str(" (len ").uint(self.protocol_len as u64).byte(b')');
    }

    /// `false` for an operation that is not known.
    fn operation(&self, out: &mut Out<'_>) -> Result<bool, Cut> {
        match self.view.u16(6)? {
            1 => {
                out.line.str("Request who-has ");
                self.target_ip(out)?;
                if self.address(self.target_at())?.iter().any(|octet| *octet != 0) {
                    out.line.str(" (");
                    self.mac(out, self.target_at())?;
                    out.line.byte(b')');
                }
                out.line.str(" tell ");
                self.sender_ip(out)?;
            }
            2 => {
                out.line.str("Reply ");
                self.sender_ip(out)?;
                out.line.str(" is-at ");
                self.mac(out, FIXED_LEN)?;
            }
            operation @ (3 | 8) => {
                out.line.str(if operation == 3 { "Reverse" } else { "Inverse" }).str(" Request who-is ");
                self.mac(out, self.target_at())?;
                out.line.str(" tell ");
                self.mac(out, FIXED_LEN)?;
            }
            4 => {
                out.line.str("Reverse Reply ");
                self.mac(out, self.target_at())?;
                out.line.str(" at ");
                self.target_ip(out)?;
            }
            9 => {
                out.line.str("Inverse Reply ");
                self.mac(out, FIXED_LEN)?;
                out.line.str(" at ");
                self.sender_ip(out)?;
            }
            10 => {
                out.line.str("NACK Reply ");
                return Ok(false);
            }
            other => {
                out.line.str("Unknown (").uint(other).str(") ");
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn target_at(&self) -> usize {
        FIXED_LEN + self.hardware_len + self.protocol_len
    }

    fn sender_ip(&self, out: &mut Out<'_>) -> Printed {
        out.line.ipv4(self.view.ipv4(FIXED_LEN + self.hardware_len)?);
        Ok(())
    }

    fn target_ip(&self, out: &mut Out<'_>) -> Printed {
        out.line.ipv4(self.view.ipv4(self.target_at() + self.hardware_len)?);
        Ok(())
    }

    fn address(&self, at: usize) -> Result<&[u8], Cut> {
        self.view.slice(at, self.hardware_len)
    }

    fn mac(&self, out: &mut Out<'_>, at: usize) -> Printed {
        let address = self.address(at)?;
        out.line.mac(address);
        Ok(())
    }
}
