//! IPv4 (tcpdump's `ip`), and what it hands to the printers of its payload.

use core::net::IpAddr;

use super::view::{Printed, View};
use super::{Ctx, Out, gre, icmp, icmp6, igmp, ip6, link, names::ip_protocols, routing, tcp, text, udp};

const MIN_HEADER_LEN: usize = 20;
const OFFSET: u16 = 0x1fff;
const MORE_FRAGMENTS: u16 = 0x2000;

/// Addresses and octets of the IP header around a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// The protocol or next header of the IP header itself; extension headers may lie between.
    pub(super) protocol: u8,
    /// More fragments follow, or a fragment header was seen.
    pub(super) fragmented: bool,
    /// From the header's first octet on, as captured.
    pub(super) bytes: &'a [u8],
}

impl<'a> Ip<'a> {
    /// What the printers of applications need to know.
    pub(super) fn ctx(&self, dst_port: u16, over_tcp: bool, protocol: &'a str) -> Ctx<'a> {
        Ctx { src: self.src, dst_port, over_tcp, mdns: false, protocol, ip: self.bytes }
    }

    /// `src > dst`.
    pub(super) fn addresses(&self, out: &mut Out<'_>) {
        text::ip(text::ip(out.line, self.src).str(" > "), self.dst);
    }

    /// `src.port > dst.port: `, or the ports alone where extension headers have already shown the addresses.
    #[inline]
    pub(super) fn endpoints(&self, out: &mut Out<'_>, own_protocol: u8, src_port: u16, dst_port: u16) {
        if self.protocol == own_protocol {
            text::ip(out.line, self.src).byte(b'.').uint(src_port).str(" > ");
            text::ip(out.line, self.dst).byte(b'.').uint(dst_port).str(": ");
        } else {
            out.line.uint(src_port).str(" > ").uint(dst_port).str(": ");
        }
    }
}

/// An IPv4 packet, of which `wire_len` octets are in the layer around it.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    out.deeper(|out| header(out, bytes, wire_len))
}

fn header(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "ip");
    match view.u8(0)? >> 4 {
        4 => {}
        6 => return wrong_version(out, "IP6, wrong link-layer encapsulation", None),
        other => return wrong_version(out, "IP", Some(other)),
    }
    if !out.options.link_header {
        out.line.str("IP ");
    }
    let [first, _, a, b, _, _, c, d, _, protocol, ..] = view.array::<MIN_HEADER_LEN>(0)?;
    let header_len = usize::from(first & 0xf) * 4;
    let mut len = u32::from(u16::from_be_bytes([a, b]));
    if wire_len < MIN_HEADER_LEN as u32 {
        out.line.str("truncated-ip ").uint(wire_len);
        return Ok(());
    }
    if header_len < MIN_HEADER_LEN {
        out.line.str("bad-hlen ").uint(header_len as u64);
        return Ok(());
    }
    if wire_len < len {
        out.line.str("truncated-ip - ").uint(len - wire_len).str(" bytes missing! ");
    }
    if len < header_len as u32 {
        if len != 0 {
            out.line.str("bad-len ").uint(len);
            return Ok(());
        }
        // Segmentation offload leaves the length at zero: tcpdump takes what the frame holds.
        len = wire_len;
    }
    let view = View::new(link::cut(bytes, len), "ip");
    let fragment = u16::from_be_bytes([c, d]);
    let fragmented = fragment & MORE_FRAGMENTS != 0;
    let (src, dst) = (view.ipv4(12)?.into(), view.ipv4(16)?.into());
    let ip = Ip { src, dst, protocol, fragmented, bytes: view.bytes };
    if fragment & OFFSET != 0 {
        ip.addresses(out);
        out.line.str(": ip-proto-").uint(protocol);
        return Ok(());
    }
    if !prints_addresses(protocol) {
        ip.addresses(out);
        out.line.str(": ");
    }
    if view.bytes.len() < header_len {
        out.line.str(" [remaining caplen(").uint(view.bytes.len() as u64);
        out.line.str(") < header length(").uint(header_len as u64).str(")]");
        return Err(view.cut());
    }
    payload(out, view.from(header_len), len.saturating_sub(header_len as u32), &ip, protocol)
}

fn wrong_version(out: &mut Out<'_>, text: &str, version: Option<u8>) -> Printed {
    out.line.str(text);
    if let Some(version) = version {
        out.line.uint(version);
    }
    out.invalid();
    Ok(())
}

/// Whether the printer of this protocol writes the addresses itself, with the ports.
pub(super) const fn prints_addresses(protocol: u8) -> bool {
    matches!(protocol, ip_protocols::TCP | ip_protocols::UDP | ip_protocols::DCCP | ip_protocols::SCTP)
}

/// What an IP protocol number announces, under either version of IP.
pub(super) fn payload(out: &mut Out<'_>, bytes: &[u8], wire_len: u32, ip: &Ip<'_>, protocol: u8) -> Printed {
    let is_v4 = ip.src.is_ipv4();
    match protocol {
        ip_protocols::TCP => return tcp::print(out, bytes, wire_len, ip),
        ip_protocols::UDP => return udp::print(out, bytes, wire_len, ip),
        ip_protocols::ICMP if is_v4 => return icmp::print(out, bytes, wire_len),
        ip_protocols::ICMPV6 if !is_v4 => icmp6::print(out.line, bytes, wire_len, &ip.ctx(0, false, "ICMP6")),
        ip_protocols::IGMP if is_v4 => igmp::print(out.line, bytes, wire_len, &ip.ctx(0, false, "IGMP")),
        ip_protocols::ETHERNET if !is_v4 => return link::ethernet(out, bytes, wire_len),
        ip_protocols::ICMP | ip_protocols::ICMPV6 | ip_protocols::IGMP | ip_protocols::ETHERNET => {
            let required = if matches!(protocol, ip_protocols::ICMP | ip_protocols::IGMP) { 4 } else { 6 };
            out.line.byte(b'[').str(super::names::ip_protocol(protocol));
            out.line.str(" requires IPv").uint(required as u8).byte(b']');
            out.invalid();
        }
        ip_protocols::IPV4 => return print(out, bytes, wire_len),
        ip_protocols::IPV6 => return ip6::print(out, bytes, wire_len),
        ip_protocols::GRE => return gre::print(out, bytes, wire_len),
        ip_protocols::AH => return out.deeper(|out| authentication(out, bytes, wire_len, ip)),
        ip_protocols::ESP => return encrypted(out, bytes, wire_len),
        ip_protocols::EIGRP => routing::eigrp(out.line, bytes, wire_len, &ip.ctx(0, false, "")),
        ip_protocols::OSPF => routing::ospf(out.line, bytes, wire_len, &ip.ctx(0, false, "")),
        ip_protocols::PIM => routing::pim(out.line, bytes, wire_len, &ip.ctx(0, false, "")),
        ip_protocols::VRRP => routing::vrrp(out.line, bytes, wire_len, &ip.ctx(0, false, "")),
        ip_protocols::NO_NEXT_HEADER => {
            out.line.str("no next header");
        }
        other => {
            if prints_addresses(other) && ip.protocol == other {
                ip.addresses(out);
                out.line.str(": ");
            }
            out.line.str(" ip-proto-").uint(other).byte(b' ').uint(wire_len);
        }
    }
    Ok(())
}

/// Authentication header (RFC 4302), and behind it what it authenticates.
fn authentication(out: &mut Out<'_>, bytes: &[u8], wire_len: u32, ip: &Ip<'_>) -> Printed {
    const FIXED_LEN: usize = 12;
    let view = View::new(bytes, "ah");
    let next = view.u8(0)?;
    out.line.str("AH");
    let header_len = (usize::from(view.u8(1)?) + 2) * 4;
    out.line.byte(b'(');
    match view.u16(2)? {
        0 => {}
        reserved => {
            out.line.str("reserved=0x").hex(reserved.into(), 1).str("[MustBeZero],");
        }
    }
    out.line.str("spi=0x").hex(view.u32(4)?.into(), 8);
    out.line.str(",seq=0x").hex(view.u32(8)?.into(), 1).str(",icv=0x");
    let icv_len = header_len.saturating_sub(FIXED_LEN);
    let icv = view.from(FIXED_LEN);
    out.line.hex_bytes(icv.get(..icv_len).unwrap_or(icv));
    view.need(header_len)?;
    out.line.str("): ");
    payload(out, view.from(header_len), wire_len.wrapping_sub(header_len as u32), ip, next)
}

/// Encapsulating security payload (RFC 4303): what can be said without a key.
fn encrypted(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "esp");
    view.need(9)?;
    out.line.str("ESP(spi=0x").hex(view.u32(0)?.into(), 8).str(",seq=0x").hex(view.u32(4)?.into(), 1);
    out.line.str("), length ").uint(wire_len);
    Ok(())
}
