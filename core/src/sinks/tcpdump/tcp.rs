//! TCP (RFC 9293): flags, sequence numbers relative to where the conversation began, window, options, length.

use core::net::IpAddr;

use super::ip::Ip;
use super::names::ip_protocols;
use super::ports::{self, App};
use super::sequences::{Base, Key};
use super::tcp_options::{self, SackBase};
use super::view::{Printed, View};
use super::{Out, dns, http, link};
use crate::layers::tcp::MIN_HEADER_LEN;

const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;
const URG: u8 = 0x20;
/// The letters of every combination of flags, in tcpdump's order, and how many they are.
const FLAGS: [([u8; 8], u8); 256] = flags();

const fn flags() -> [([u8; 8], u8); 256] {
    const LETTERS: [u8; 8] = *b"FSRP.UEW";
    let mut texts = [(*b"none    ", 4); 256];
    let mut flags = 1;
    while flags < 256 {
        let (mut text, mut len, mut bit) = ([0; 8], 0, 0);
        while bit < 8 {
            if flags >> bit & 1 != 0 {
                text[len] = LETTERS[bit];
                len += 1;
            }
            bit += 1;
        }
        texts[flags] = (text, len as u8);
        flags += 1;
    }
    texts
}

/// A segment, of which `wire_len` octets are in the IP packet around it.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32, ip: &Ip<'_>) -> Printed {
    let view = View::new(bytes, "tcp");
    let Ok([a, b, c, d]) = view.array(0) else {
        ip.addresses(out);
        out.line.byte(b':');
        return Err(view.cut());
    };
    let (src_port, dst_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    ip.endpoints(out, ip_protocols::TCP, src_port, dst_port);
    let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, _, _, u0, u1] =
        view.array::<MIN_HEADER_LEN>(0)?;
    let segment = Segment {
        src_port,
        dst_port,
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        header_len: u32::from(offset >> 4) * 4,
        flags,
        window: u16::from_be_bytes([w0, w1]),
        urgent: u16::from_be_bytes([u0, u1]),
        wire_len,
        view,
    };
    segment.print(out, ip)
}

/// A segment whose fixed header was read.
struct Segment<'a> {
    src_port: u16,
    dst_port: u16,
    seq: u32,
    ack: u32,
    header_len: u32,
    flags: u8,
    window: u16,
    urgent: u16,
    wire_len: u32,
    view: View<'a>,
}

impl Segment<'_> {
    fn print(mut self, out: &mut Out<'_>, ip: &Ip<'_>) -> Printed {
        let Self { header_len, wire_len, .. } = self;
        if (header_len as usize) < MIN_HEADER_LEN {
            out.line.str(" tcp ").uint(wire_len.wrapping_sub(header_len)).str(" [bad hdr length ");
            out.line.uint(header_len).str(" - too short, < 20]");
            return Ok(());
        }
        if out.options.quiet {
            out.line.str("tcp ").uint(wire_len.wrapping_sub(header_len));
            self.too_long(out);
            return Ok(());
        }
        let (flags, flags_len) = &FLAGS[usize::from(self.flags)];
        out.line.str("Flags [").prefix(flags, usize::from(*flags_len)).byte(b']');
        let sack_base = self.make_relative(out, ip);
        if self.too_long(out) {
            return Ok(());
        }
        let payload_len = wire_len - header_len;
        self.numbers(out, payload_len);
        if header_len as usize > MIN_HEADER_LEN
            && !tcp_options::print(out, &self.view, self.flags, header_len, sack_base)?
        {
            return Ok(());
        }
        out.line.str(", length ").uint(payload_len);
        self.payload(out, payload_len, ip)
    }

    fn too_long(&self, out: &mut Out<'_>) -> bool {
        let too_long = self.header_len > self.wire_len;
        if too_long {
            out.line.str(" [bad hdr length ").uint(self.header_len);
            out.line.str(" - too long, > ").uint(self.wire_len).byte(b']');
        }
        too_long
    }

    fn numbers(&self, out: &mut Out<'_>, payload_len: u32) {
        if payload_len > 0 || self.flags & (SYN | FIN | RST) != 0 {
            out.line.str(", seq ").uint(self.seq);
            if payload_len > 0 {
                out.line.byte(b':').uint(self.seq.wrapping_add(payload_len));
            }
        }
        if self.flags & ACK != 0 {
            out.line.str(", ack ").uint(self.ack);
        }
        out.line.str(", win ").uint(self.window);
        if self.flags & URG != 0 {
            out.line.str(", urg ").uint(self.urgent);
        }
    }

    /// Makes the sequence numbers relative where the conversation is known, remembers it where it is not, and
    /// returns what selective acknowledgments count from.
    fn make_relative(&mut self, out: &mut Out<'_>, ip: &Ip<'_>) -> SackBase {
        if out.options.absolute_sequence || self.flags & ACK == 0 {
            return SackBase::default();
        }
        let reversed = match self.src_port.cmp(&self.dst_port) {
            core::cmp::Ordering::Equal => ip.src > ip.dst,
            order => order.is_gt(),
        };
        let before_ack = self.ack.wrapping_sub(1);
        let fresh = match reversed {
            true => Base { seq: before_ack, ack: self.seq },
            false => Base { seq: self.seq, ack: before_ack },
        };
        let (low_port, high_port) =
            if reversed { (self.dst_port, self.src_port) } else { (self.src_port, self.dst_port) };
        let (low, high) = if reversed { (ip.dst, ip.src) } else { (ip.src, ip.dst) };
        let restart = self.flags & SYN != 0;
        let (base, known) = match (low, high) {
            (IpAddr::V4(low), IpAddr::V4(high)) => {
                let key = Key { low: low.octets(), high: high.octets(), low_port, high_port };
                out.sequences.v4.base(key, fresh, restart)
            }
            (IpAddr::V6(low), IpAddr::V6(high)) => {
                let key = Key { low: low.octets(), high: high.octets(), low_port, high_port };
                out.sequences.v6.base(key, fresh, restart)
            }
            _ => (fresh, false),
        };
        let (own, other) = if reversed { (base.ack, base.seq) } else { (base.seq, base.ack) };
        if known {
            self.seq = self.seq.wrapping_sub(own);
            self.ack = self.ack.wrapping_sub(other);
        }
        SackBase(other)
    }

    fn payload(&self, out: &mut Out<'_>, payload_len: u32, ip: &Ip<'_>) -> Printed {
        if payload_len == 0 {
            return Ok(());
        }
        let Self { src_port, dst_port, header_len, view, .. } = self;
        if view.bytes.len() < *header_len as usize {
            out.line.str(" [remaining caplen(").uint(view.bytes.len() as u64);
            out.line.str(") < header length(").uint(*header_len).str(")]");
            return Err(view.cut());
        }
        let payload = link::cut(view.from(*header_len as usize), payload_len);
        match ports::tcp(*src_port, *dst_port) {
            App::Text(name) => {
                out.line.str(": ");
                http::print(out.line, payload, payload_len, &ip.ctx(*dst_port, true, name));
            }
            App::Service(service) => {
                service(out.line, payload, payload_len, &ip.ctx(*dst_port, true, ""));
            }
            App::Dns(_) => {
                dns::print(out.line, payload, payload_len, &ip.ctx(*dst_port, true, "domain"));
            }
            App::Foreign | App::None | App::Vxlan | App::Geneve | App::Mpls => {}
        }
        Ok(())
    }
}
