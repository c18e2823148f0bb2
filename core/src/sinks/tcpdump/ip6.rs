//! IPv6 (tcpdump's `ip6`) with its extension headers, each of which adds a word to the line.

use super::ip::{self, Ip};
use super::names::ip_protocols;
use super::view::{Printed, View};
use super::{Cut, Out, link, text};

const HEADER_LEN: usize = 40;
const FRAGMENT_LEN: usize = 8;
const MOBILITY: u8 = 135;
const MOBILITY_OLD: u8 = 62;
/// Hop-by-hop options that tcpdump checks: padding, router alert, jumbo payload, home address.
const PAD1: u8 = 0;
const ROUTER_ALERT: u8 = 5;
const JUMBO: u8 = 0xc2;
const HOME_ADDRESS: u8 = 0xc9;

/// An IPv6 packet, of which `wire_len` octets are in the layer around it.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    out.deeper(|out| header(out, bytes, wire_len))
}

fn header(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "ip6");
    let [first, _, _, _, a, b, next, ..] = view.array::<HEADER_LEN>(0)?;
    if wire_len < HEADER_LEN as u32 {
        out.line.str("truncated-ip6 ").uint(wire_len);
        return Ok(());
    }
    if !out.options.link_header {
        out.line.str("IP6 ");
    }
    if first >> 4 != 6 {
        out.line.str("version error: ").uint(first >> 4).str(" != 6");
        return Ok(());
    }
    let payload_len = u32::from(u16::from_be_bytes([a, b]));
    let len = match payload_len {
        0 => wire_len.saturating_add(HEADER_LEN as u32),
        _ => payload_len + HEADER_LEN as u32,
    };
    if payload_len != 0 {
        missing(out, len, wire_len);
    }
    let ip = Ip {
        src: view.ipv6(8)?.into(),
        dst: view.ipv6(24)?.into(),
        protocol: next,
        fragmented: false,
        bytes: link::cut(bytes, len),
    };
    let walk = Walk { outer: bytes, outer_len: wire_len, len, payload_len, jumbo: false, ip };
    walk.headers(out, next)
}

fn missing(out: &mut Out<'_>, len: u32, wire_len: u32) {
    if wire_len < len {
        out.line.str("truncated-ip6 - ").uint(len - wire_len).str(" bytes missing!");
    }
}

/// The way through the extension headers of one packet.
struct Walk<'a> {
    /// The captured octets without the cut at the packet's end, and the length of the layer around it.
    outer: &'a [u8],
    outer_len: u32,
    /// Length of the packet, and of its payload: both change where a jumbo payload option is found.
    len: u32,
    payload_len: u32,
    jumbo: bool,
    ip: Ip<'a>,
}

impl Walk<'_> {
    fn headers(mut self, out: &mut Out<'_>, mut next: u8) -> Printed {
        let (mut at, mut previous) = (HEADER_LEN, None);
        // As tcpdump does: the header ends the line where nothing of the payload was captured or announced.
        if self.len < HEADER_LEN as u32 {
            return Err(Cut("ip6"));
        }
        if !ip::prints_addresses(next) {
            self.ip.addresses(out);
            out.line.str(": ");
        }
        loop {
            let view = View::new(self.ip.bytes.get(at..).unwrap_or_default(), "ip6");
            let advance = match next {
                ip_protocols::HOP_BY_HOP => match self.hop_by_hop(out, view.bytes, previous)? {
                    Some(advance) => advance,
                    None => return Ok(()),
                },
                ip_protocols::DESTINATION => destination(out, view.bytes)?,
                ip_protocols::FRAGMENT => match self.fragment(out, view.bytes, at)? {
                    Some(advance) => advance,
                    None => return Ok(()),
                },
                ip_protocols::ROUTING => match routing(out, view)? {
                    Some(advance) => advance,
                    None => return Ok(()),
                },
                MOBILITY | MOBILITY_OLD => {
                    out.line.str("mobility: ip-proto-").uint(next);
                    return Ok(());
                }
                other => return self.payload(out, at, other),
            };
            previous = Some(next);
            next = view.u8(0)?;
            at += advance;
            if self.ip.bytes.len() <= at - advance {
                return Ok(());
            }
            if (self.len as usize) < at {
                return Err(Cut("ip6"));
            }
        }
    }

    /// What is behind the last extension header, `at` octets into the packet.
    fn payload(&mut self, out: &mut Out<'_>, at: usize, protocol: u8) -> Printed {
        if self.jumbo {
            self.len = self.payload_len.saturating_add(HEADER_LEN as u32);
            if (self.len as usize) < at {
                return Err(Cut("ip6"));
            }
            missing(out, self.len, self.outer_len);
            self.ip.bytes = link::cut(self.outer, self.len);
        } else if self.payload_len == 0 {
            if at > HEADER_LEN {
                return Err(Cut("ip6"));
            }
            self.len = HEADER_LEN as u32;
            self.ip.bytes = link::cut(self.outer, self.len);
        }
        let bytes = self.ip.bytes.get(at..).unwrap_or_default();
        ip::payload(out, bytes, self.len.saturating_sub(at as u32), &self.ip, protocol)
    }

    /// `None` where the packet ends here, by tcpdump's judgement.
    fn hop_by_hop(
        &mut self,
        out: &mut Out<'_>,
        bytes: &[u8],
        previous: Option<u8>,
    ) -> Result<Option<usize>, Cut> {
        if previous.is_some() {
            out.line.str(if previous == Some(ip_protocols::HOP_BY_HOP) {
                "[The Hop-by-Hop Options header was already found]"
            } else {
                "[The Hop-by-Hop Options header don't follow the IPv6 header]"
            });
            out.invalid();
            return Ok(None);
        }
        let header = options_header(bytes, "hbhopt")?;
        out.line.str("HBH ");
        let valid = self.check_options(out, header.get(2..).unwrap_or_default());
        if !valid {
            out.line.str(" [|hbhopt]");
        }
        if self.payload_len == 0 && !self.jumbo {
            out.line.str("[No valid Jumbo Payload Hop-by-Hop option found]");
            out.invalid();
            return Ok(None);
        }
        Ok(valid.then_some(header.len()))
    }

    /// Looks for the jumbo payload option, and says which option has the wrong length.
    fn check_options(&mut self, out: &mut Out<'_>, mut options: &[u8]) -> bool {
        while let Some((&kind, behind)) = options.split_first() {
            if kind == PAD1 {
                options = behind;
                continue;
            }
            let Some(len) = behind.first().map(|len| usize::from(*len)) else { return false };
            let Some((data, rest)) = behind.get(1..).and_then(|data| data.split_at_checked(len)) else {
                return false;
            };
            let (name, least, exact) = match kind {
                ROUTER_ALERT => ("rtalert", 2, true),
                JUMBO => ("jumbo", 4, true),
                HOME_ADDRESS => ("homeaddr", 16, false),
                _ => ("", 0, false),
            };
            if options.len() < least + 2 {
                out.line.byte(b'(').str(name).str(": trunc)");
                return false;
            }
            if len < least || (exact && len > least) {
                out.line.byte(b'(').str(name).str(": invalid len ").uint(len as u64).byte(b')');
                return false;
            }
            if let (JUMBO, Some(octets), false, 0) = (kind, data.first_chunk(), self.jumbo, self.payload_len)
            {
                let jumbo_len = u32::from_be_bytes(*octets);
                if jumbo_len > u16::MAX.into() {
                    (self.jumbo, self.payload_len) = (true, jumbo_len);
                }
            }
            options = rest;
        }
        true
    }

    /// A fragment header; behind any but the first fragment nothing can be read.
    fn fragment(&mut self, out: &mut Out<'_>, bytes: &[u8], at: usize) -> Result<Option<usize>, Cut> {
        let offset = View::new(bytes, "frag6").u16(2)? & 0xfff8;
        let announced = u64::from(View::new(self.ip.bytes, "frag6").u16(4)?) + HEADER_LEN as u64;
        let len = announced.wrapping_sub((at + FRAGMENT_LEN) as u64);
        out.line.str("frag (").uint(offset).byte(b'|').uint(len).byte(b')');
        if offset != 0 {
            return Ok(None);
        }
        out.line.byte(b' ');
        self.ip.fragmented = true;
        Ok((bytes.len() > FRAGMENT_LEN).then_some(FRAGMENT_LEN))
    }
}

/// A header that says its length in units of eight octets.
fn options_header<'a>(bytes: &'a [u8], protocol: &'static str) -> Result<&'a [u8], Cut> {
    let view = View::new(bytes, protocol);
    view.slice(0, (usize::from(view.u8(1)?) + 1) * 8)
}

fn destination(out: &mut Out<'_>, bytes: &[u8]) -> Result<usize, Cut> {
    let header = options_header(bytes, "dstopt")?;
    out.line.str("DSTOPT ");
    Ok(header.len())
}

/// A routing header of type 0, 2 or 4 (segment routing); `None` behind any other.
fn routing(out: &mut Out<'_>, view: View<'_>) -> Result<Option<usize>, Cut> {
    view.u8(0)?;
    let view = View::new(view.bytes, "rt6");
    out.line.str("RT6");
    let (len, kind) = (view.u8(1)?, view.u8(2)?);
    out.line.str(" (len=").uint(len).str(", type=").uint(kind);
    if kind == 0 {
        out.line.str(" [Deprecated]");
    }
    out.line.str(", segleft=").uint(view.u8(3)?);
    match kind {
        0 | 2 => {
            let reserved = view.u32(4)?;
            if reserved != 0 {
                out.line.str(", rsv=0x").hex(reserved.into(), 1);
            }
        }
        4 => {
            out.line.str(", last-entry=").uint(view.u8(4)?);
            let flags = view.u8(5)?;
            if flags != 0 {
                out.line.str(", flags=0x").hex(flags.into(), 1);
            }
            out.line.str(", tag=").hex(view.u16(6)?.into(), 1);
        }
        _ => {
            out.line.str(" (unknown type)");
            out.invalid();
            return Ok(None);
        }
    }
    if len % 2 == 1 {
        out.line.str(" (invalid length ").uint(len).byte(b')');
        out.invalid();
        return Ok(None);
    }
    for index in 0..usize::from(len / 2) {
        let address = view.ipv6(8 + 16 * index)?;
        text::ipv6(out.line.str(", [").uint(index as u64).byte(b']'), address);
    }
    out.line.str(") ");
    Ok(Some((usize::from(len) + 1) * 8))
}
