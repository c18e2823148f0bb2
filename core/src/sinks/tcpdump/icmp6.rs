//! ICMPv6 as tcpdump prints it: `ICMP6, neighbor solicitation, who has fe80::1, length 32`.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Ctx, chars, icmp6_rare, text};
use crate::{layers::Layer, sinks::line::Line, stack::Decoder};

const HEADER_LEN: usize = 8;
const IPV6_HEADER_LEN: usize = 40;
/// A query of multicast listener discovery, version 1; one of version 2 is longer.
const MLD_LEN: u32 = 24;
const MLD2_QUERY_LEN: u32 = 28;
const UNREACHABLE: u8 = 1;
const CUT: &str = " [|icmp6]";

/// What stands behind the message's own words.
enum Tail {
    /// `, length N`.
    Length,
    /// The octets in hexadecimal, because the meaning is not known.
    Octets,
}

/// Prints one message. What is cut ends with `[|icmp6]`.
pub(super) fn print(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    if wire_len == 0 {
        line.str("ICMP6, length 0 (invalid)");
        return;
    }
    match message(line, bytes, wire_len) {
        Some(Tail::Length) => _ = line.str(", length ").uint(wire_len),
        Some(Tail::Octets) => {
            // As much as was captured, without a mark where that is not all.
            chars::hex_lines(line, "\n\t", bytes.get(..wire_len as usize).unwrap_or(bytes));
        }
        None => _ = line.str(CUT),
    }
}

/// Everything before the length; none where the message is cut. A number that is cut takes the words before it
/// along, so that every number is read before anything of its phrase is written.
fn message(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<Tail> {
    let kind = *bytes.first()?;
    line.str("ICMP6, ");
    match type_name(kind) {
        Some(name) => line.str(name),
        None => line.str("unknown icmp6 type (").uint(kind).str(")"),
    };
    let code = *bytes.get(1)?;
    match kind {
        UNREACHABLE => return unreachable(line, bytes, code),
        2 => {
            let mtu = u32_at(bytes, 4)?;
            line.str(", mtu ").uint(mtu);
        }
        3 => time_exceeded(line, bytes, code)?,
        4 => parameter_problem(line, bytes, code)?,
        128 | 129 => {
            let [id, seq] = [u16_at(bytes, 4)?, u16_at(bytes, 6)?];
            line.str(", id ").uint(id).str(", seq ").uint(seq);
        }
        130 if wire_len == MLD_LEN => listener(line, bytes),
        130 if wire_len >= MLD2_QUERY_LEN => listener_query_2(line, bytes, wire_len)?,
        130 => _ = line.str(" unknown-version (len ").uint(wire_len).str(") "),
        131 | 132 => listener(line, bytes),
        133 | 134 | 141 | 142 | 145 | 147 => {}
        135 => address(line, ", who has ", bytes, HEADER_LEN)?,
        136 => address(line, ", tgt is ", bytes, HEADER_LEN)?,
        137 => {
            address(line, ", ", bytes, HEADER_LEN + 16)?;
            address(line, " to ", bytes, HEADER_LEN)?;
        }
        138 => marked(line, |line| icmp6_rare::renumbering(line, bytes, code)),
        139 | 140 => {
            marked(line, |line| icmp6_rare::node_information(line, bytes, wire_len, kind, code));
        }
        143 => listener_report_2(line, bytes, wire_len)?,
        144 | 146 => {
            let id = u16_at(bytes, 4)?;
            line.str(", id 0x").hex(id.into(), 4);
        }
        155 => icmp6_rare::routing_for_lossy_networks(line, code),
        _ => {
            line.str(", length ").uint(wire_len);
            return Some(Tail::Octets);
        }
    }
    Some(Tail::Length)
}

/// These messages mark the cut themselves, before the length.
fn marked(line: &mut Line, write: impl FnOnce(&mut Line) -> Option<()>) {
    if write(line).is_none() {
        line.str(CUT);
    }
}

fn unreachable(line: &mut Line, bytes: &[u8], code: u8) -> Option<Tail> {
    match unreachable_name(code) {
        Some(name) => line.str(", ").str(name),
        None => line.str(", unknown unreach code (").uint(code).str(")"),
    };
    match code {
        0 | 1 | 3 => address(line, " ", bytes, QUOTED_DST)?,
        2 => {
            let source = ipv6_at(bytes, QUOTED_SRC)?;
            address(line, " ", bytes, QUOTED_DST)?;
            text::ipv6(line.str(", source address "), source);
        }
        4 => {
            let (protocol, port) = quoted_port(bytes.get(HEADER_LEN..)?)?;
            address(line, ", ", bytes, QUOTED_DST)?;
            line.byte(b' ').str(protocol).str(" port ").uint(port);
        }
        _ => return Some(Tail::Octets),
    }
    Some(Tail::Length)
}

const QUOTED_SRC: usize = HEADER_LEN + 8;
const QUOTED_DST: usize = HEADER_LEN + 24;

/// The transport of a quoted packet and its destination port; none where they were not quoted.
fn quoted_port(quoted: &[u8]) -> Option<(&'static str, u16)> {
    let stack = Decoder::default().decode_ip(quoted);
    let behind_extensions = |layer| !matches!(layer, Layer::Ipv6 | Layer::Ipv6Ext | Layer::Ah);
    let span = stack.layers().iter().find(|span| behind_extensions(span.layer))?;
    let protocol = match span.layer {
        Layer::Tcp => "tcp",
        Layer::Udp => "udp",
        _ => return None,
    };
    Some((protocol, stack.ports(span)?.1))
}

fn time_exceeded(line: &mut Line, bytes: &[u8], code: u8) -> Option<()> {
    match code {
        0 => return address(line, " for ", bytes, QUOTED_DST),
        1 => line.str(" (reassembly)"),
        _ => line.str(", unknown code (").uint(code).str(")"),
    };
    Some(())
}

fn parameter_problem(line: &mut Line, bytes: &[u8], code: u8) -> Option<()> {
    bytes.get(HEADER_LEN..HEADER_LEN + IPV6_HEADER_LEN)?;
    let pointer = u32_at(bytes, 4)?;
    let what = match code {
        0 => "erroneous",
        1 => "next header",
        2 => "option",
        3 => "incomplete header chain",
        _ => {
            line.str(", code-#").uint(code);
            return Some(());
        }
    };
    line.str(", ").str(what).str(" - octet ").uint(pointer);
    Some(())
}

/// Multicast listener discovery, version 1 (RFC 2710). A message that is cut says nothing.
fn listener(line: &mut Line, bytes: &[u8]) {
    if let (Some(delay), Some(group)) = (u16_at(bytes, 4), ipv6_at(bytes, HEADER_LEN)) {
        line.str("max resp delay: ").uint(delay).str(" addr: ");
        text::ipv6(line, group);
    }
}

/// A query of multicast listener discovery, version 2 (RFC 3810, 5.1).
fn listener_query_2(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    line.str(" v2");
    u16_at(bytes, 4)?;
    address(line, " [gaddr ", bytes, HEADER_LEN)?;
    let sources = u16_at(bytes, 26)?;
    if sources > 0 && wire_len < MLD2_QUERY_LEN + u32::from(sources) * 16 {
        line.str(" [invalid number of sources]");
    } else if sources > 0 {
        line.str(", ").uint(sources).str(" source(s)");
    }
    line.byte(b']');
    Some(())
}

/// A report of multicast listener discovery, version 2 (RFC 3810, 5.2).
fn listener_report_2(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    if wire_len < HEADER_LEN as u32 {
        line.str(" [invalid len ").uint(wire_len).byte(b']');
    } else {
        let groups = u16_at(bytes, 6)?;
        line.str(", ").uint(groups).str(" group record(s)");
    }
    Some(())
}

/// Words, then the address at `at`; neither where it is cut.
pub(super) fn address(line: &mut Line, words: &str, bytes: &[u8], at: usize) -> Option<()> {
    let address = ipv6_at(bytes, at)?;
    text::ipv6(line.str(words), address);
    Some(())
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn ipv4_at(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(*bytes.get(at..)?.first_chunk::<4>()?))
}

pub(super) fn ipv6_at(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    Some(Ipv6Addr::from(*bytes.get(at..)?.first_chunk::<16>()?))
}

fn unreachable_name(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "unreachable route",
        1 => " unreachable prohibited",
        2 => "beyond scope",
        3 => "unreachable address",
        4 => "unreachable port",
        _ => return None,
    })
}

fn type_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        UNREACHABLE => "destination unreachable",
        2 => "packet too big",
        3 => "time exceeded in-transit",
        4 => "parameter problem",
        128 => "echo request",
        129 => "echo reply",
        130 => "multicast listener query",
        131 => "multicast listener report",
        132 => "multicast listener done",
        133 => "router solicitation",
        134 => "router advertisement",
        135 => "neighbor solicitation",
        136 => "neighbor advertisement",
        137 => "redirect",
        138 => "router renumbering",
        139 => "who-are-you request",
        140 => "who-are-you reply",
        141 => "inverse neighbor solicitation",
        142 => "inverse neighbor advertisement",
        143 => "multicast listener report v2",
        144 => "ha discovery request",
        145 => "ha discovery reply",
        146 => "mobile router solicitation",
        147 => "mobile router advertisement",
        155 => "RPL",
        200 => "mtrace response",
        201 => "mtrace message",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    fn printed(bytes: &[u8], wire_len: usize) -> String {
        sample::printed(|line| print(line, bytes, wire_len as u32, &sample::ctx()))
    }

    fn whole(parts: &[&[u8]]) -> String {
        let bytes = parts.concat();
        printed(&bytes, bytes.len())
    }

    const TARGET: &[u8] = b"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x09";

    /// An IPv6 header as an error quotes it, with this next header, to `fe80::9`.
    fn quoted(next_header: u8) -> Vec<u8> {
        [&[0x60, 0, 0, 0, 0, 8, next_header, 64][..], &[0x20; 16], TARGET].concat()
    }

    #[test]
    fn everyday_messages_read_as_tcpdump_writes_them() {
        assert_eq!(whole(&[b"\x80\0\0\0\0\x07\0\x02ab"]), "ICMP6, echo request, id 7, seq 2, length 10");
        let solicitation = whole(&[b"\x87\0\0\0\0\0\0\0", TARGET]);
        assert_eq!(solicitation, "ICMP6, neighbor solicitation, who has fe80::9, length 24");
        assert_eq!(whole(&[b"\x02\0\0\0\0\0\x05\xdc"]), "ICMP6, packet too big, mtu 1500, length 8");
        let report = whole(&[b"\x8f\0\0\0\0\0\0\x01"]);
        assert_eq!(report, "ICMP6, multicast listener report v2, 1 group record(s), length 8");
        let query = whole(&[b"\x82\0\0\0\x03\xe8\0\0", &[0; 16], b"\x02\x7d\0\0"]);
        assert_eq!(query, "ICMP6, multicast listener query v2 [gaddr ::], length 28");
    }

    #[test]
    fn errors_name_what_they_quote() {
        let port = whole(&[b"\x01\x04\0\0\0\0\0\0", &quoted(17), b"\x04\0\0\x35\0\x08\0\0"]);
        assert_eq!(port, "ICMP6, destination unreachable, unreachable port, fe80::9 udp port 53, length 56");
        let route = whole(&[b"\x01\x01\0\0\0\0\0\0", &quoted(6)]);
        assert_eq!(route, "ICMP6, destination unreachable,  unreachable prohibited fe80::9, length 48");
        let hop_limit = whole(&[b"\x03\0\0\0\0\0\0\0", &quoted(6)]);
        assert_eq!(hop_limit, "ICMP6, time exceeded in-transit for fe80::9, length 48");
    }

    #[test]
    fn unknown_types_are_shown_in_hexadecimal() {
        let shown = "ICMP6, unknown icmp6 type (7), length 6\n\t0x0000:  0700 0000 6162";
        assert_eq!(whole(&[b"\x07\0\0\0ab"]), shown);
        assert_eq!(printed(b"\x07\0\0\0ab", 60), shown.replace("length 6", "length 60"));
    }

    #[test]
    fn what_is_cut_takes_its_words_along() {
        assert_eq!(printed(b"", 0), "ICMP6, length 0 (invalid)");
        assert_eq!(printed(b"", 8), " [|icmp6]");
        assert_eq!(printed(b"\x87\0\0\0\0\0\0\0\xfe\x80", 24), "ICMP6, neighbor solicitation [|icmp6]");
        let query = printed(b"\x82\0\0\0\x03\xe8\0\0", 28);
        assert_eq!(query, "ICMP6, multicast listener query v2 [|icmp6]");
    }

    #[test]
    fn any_octets_are_printed_without_a_panic() {
        for (len, mut bytes) in sample::noise(60) {
            for kind in 0..=u8::MAX {
                if let Some([first, second, ..]) = bytes.get_mut(..2) {
                    *first = kind;
                    *second &= 7;
                }
                printed(&bytes, len as usize);
            }
        }
    }
}
