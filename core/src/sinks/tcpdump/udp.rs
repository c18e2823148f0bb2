//! UDP (RFC 768), and by its ports what it carries.

use super::ip::Ip;
use super::names::ip_protocols;
use super::ports::{self, App};
use super::view::{Printed, View};
use super::{Ctx, Out, dns, geneve, http, mpls, vxlan};
use crate::layers::udp::HEADER_LEN;

/// A datagram, of which `wire_len` octets are in the IP packet around it.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32, ip: &Ip<'_>) -> Printed {
    let view = View::new(bytes, "udp");
    let Ok([a, b, c, d]) = view.array(0) else {
        if ip.protocol == ip_protocols::UDP {
            ip.addresses(out);
            out.line.str(": ");
        }
        return Err(view.cut());
    };
    let (src_port, dst_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    ip.endpoints(out, ip_protocols::UDP, src_port, dst_port);
    if wire_len < HEADER_LEN as u32 {
        out.line.str("truncated-udp ").uint(wire_len);
        return Ok(());
    }
    let announced = match u32::from(view.u16(4)?) {
        0 if wire_len > u16::MAX.into() => wire_len,
        len => len,
    };
    let Some(announced_len) = announced.checked_sub(HEADER_LEN as u32) else {
        out.line.str("truncated-udplength ").uint(announced);
        return Ok(());
    };
    view.need(HEADER_LEN)?;
    let datagram = Datagram {
        announced_len,
        payload_len: announced_len.min(wire_len - HEADER_LEN as u32),
        payload: view.from(HEADER_LEN),
        src_port,
        dst_port,
    };
    datagram.payload(out, ip)
}

/// A datagram whose header was read.
struct Datagram<'a> {
    /// Octets of payload by the datagram's own length field, and as far as the IP packet has room.
    announced_len: u32,
    payload_len: u32,
    /// Captured octets up to the end of the IP packet, because tcpdump reads behind the datagram's own end.
    payload: &'a [u8],
    src_port: u16,
    dst_port: u16,
}

impl Datagram<'_> {
    fn payload(&self, out: &mut Out<'_>, ip: &Ip<'_>) -> Printed {
        let Self { payload, payload_len, dst_port, .. } = *self;
        if out.options.quiet {
            self.generic(out, ip.fragmented);
            return Ok(());
        }
        match self.app(out) {
            App::Vxlan => return vxlan::print(out, payload, payload_len),
            App::Geneve => return geneve::print(out, payload, payload_len),
            App::Mpls => return mpls::print(out, payload, payload_len),
            App::Dns(mdns) => {
                let ctx = Ctx { mdns, ..ip.ctx(dst_port, false, "domain") };
                // tcpdump reads to the end of the IP packet, whatever the datagram\'s own length says.
                dns::print(out.line, payload, payload_len, &ctx);
            }
            App::Text(name) => {
                let ctx = ip.ctx(dst_port, false, name);
                http::print(out.line, payload, payload_len, &ctx);
            }
            App::Service(service) => {
                service(out.line, payload, payload_len, &ip.ctx(dst_port, false, ""));
            }
            App::Foreign | App::None => self.generic(out, ip.fragmented),
        }
        Ok(())
    }

    /// tcpdump's own ports, and then those that the user gave the tunnels.
    fn app(&self, out: &Out<'_>) -> App {
        let own = ports::udp(self.src_port, self.dst_port);
        let decoder = &out.options.decoder;
        match own {
            App::None if decoder.vxlan_ports.contains(self.dst_port) => App::Vxlan,
            App::None if decoder.geneve_ports.contains(self.dst_port) => App::Geneve,
            own => own,
        }
    }

    fn generic(&self, out: &mut Out<'_>, fragmented: bool) {
        if self.announced_len > self.payload_len && !fragmented {
            out.line.str("UDP, bad length ").uint(self.announced_len).str(" > ").uint(self.payload_len);
        } else {
            out.line.str("UDP, length ").uint(self.announced_len);
        }
    }
}
