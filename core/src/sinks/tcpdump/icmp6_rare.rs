//! ICMPv6 messages that are hardly ever seen, as tcpdump prints them: node information (RFC 4620), router
//! renumbering (RFC 2894) and RPL (RFC 6550).
//!
//! None of the functions prints the marker of a cut message: they return none, and the caller does it.

use super::{
    chars,
    icmp6::{address, ipv4_at, ipv6_at, u16_at, u32_at},
    text,
};
use crate::sinks::line::Line;

const NODE_INFO_LEN: usize = 16;
const QUERY: u8 = 139;

/// A query about a node, or its reply.
pub(super) fn node_information(
    line: &mut Line,
    bytes: &[u8],
    wire_len: u32,
    kind: u8,
    code: u8,
) -> Option<()> {
    match kind {
        QUERY if bytes.len() == 12 => _ = line.str(" who-are-you request"),
        QUERY => node_query(line, bytes, code)?,
        _ if wire_len as usize > bytes.len() => return None,
        _ => node_reply(line, bytes, code)?,
    }
    Some(())
}

fn node_query(line: &mut Line, bytes: &[u8], code: u8) -> Option<()> {
    line.str(" node information query");
    let subject = bytes.get(NODE_INFO_LEN..)?;
    let [question, flags] = [u16_at(bytes, 4)?, u16_at(bytes, 6)?];
    line.str(" (");
    match question {
        0 => _ = line.str("noop"),
        1 => supported_types(line, flags),
        2 => _ = line.str("DNS name"),
        3 => node_addresses(line, flags & !1),
        _ => _ = line.str("unknown"),
    }
    if question > 1 && subject.is_empty() {
        line.str(", 03 draft");
    } else if question > 1 {
        match code {
            0 if subject.len() == 16 => _ = text::ipv6(line.str(", subject="), ipv6_at(subject, 0)?),
            1 => dns_name(line.str(", subject=DNS name"), subject)?,
            2 if subject.len() == 4 => _ = line.str(", subject=").ipv4(ipv4_at(subject, 0)?),
            0 | 2 => {}
            _ => _ = line.str(", unknown subject"),
        }
    }
    line.byte(b')');
    Some(())
}

fn node_reply(line: &mut Line, bytes: &[u8], code: u8) -> Option<()> {
    let answer = bytes.get(NODE_INFO_LEN..)?;
    line.str(" node information reply (");
    match code {
        0 => node_answer(line, bytes, answer)?,
        1 => _ = line.str("refused"),
        2 => _ = line.str("unknown"),
        _ => {}
    }
    line.byte(b')');
    Some(())
}

fn node_answer(line: &mut Line, bytes: &[u8], answer: &[u8]) -> Option<()> {
    let [question, flags] = [u16_at(bytes, 4)?, u16_at(bytes, 6)?];
    match question {
        0 => _ = line.str("noop"),
        1 => supported_types(line, flags),
        2 => {
            dns_name(line.str("DNS name"), answer.get(4..)?)?;
            if flags & 1 != 0 {
                let ttl = u32_at(answer, 0)?;
                line.str(" [TTL=").uint(ttl).byte(b']');
            }
        }
        3 => {
            line.str("node addresses");
            for entry in answer.chunks_exact(20) {
                address(line, " ", entry, 4)?;
                line.byte(b'(').uint(u32_at(entry, 0)?).byte(b')');
            }
            address_flags(line, flags);
        }
        _ => _ = line.str("unknown"),
    }
    Some(())
}

fn supported_types(line: &mut Line, flags: u16) {
    line.str("supported qtypes");
    if flags != 0 {
        line.str(if flags & 1 != 0 { " [C]" } else { " []" });
    }
}

fn node_addresses(line: &mut Line, flags: u16) {
    line.str("node addresses");
    address_flags(line, flags);
}

fn address_flags(line: &mut Line, flags: u16) {
    const LETTERS: [(u16, u8); 7] =
        [(0x40, b'a'), (0x20, b'G'), (0x10, b'S'), (0x08, b'L'), (0x04, b'C'), (0x02, b'A'), (0x01, b'T')];
    if flags == 0 {
        return;
    }
    line.str(" [");
    for (_, letter) in LETTERS.iter().filter(|(bit, _)| flags & bit != 0) {
        line.byte(*letter);
    }
    line.byte(b']');
}

/// A name behind one length octet (an old draft), or labels without compression.
fn dns_name(line: &mut Line, octets: &[u8]) -> Option<()> {
    let (len, rest) = octets.split_first()?;
    line.str(", \"");
    if usize::from(*len) == rest.len() {
        chars::text(line, rest);
    } else {
        labels(line, octets);
    }
    line.byte(b'"');
    Some(())
}

fn labels(line: &mut Line, mut octets: &[u8]) {
    while let Some((len, rest)) = octets.split_first() {
        let Some((label, behind)) = rest.split_at_checked((*len).into()) else {
            line.str("???");
            return;
        };
        if label.is_empty() {
            match behind {
                [] => line.byte(b'.'),
                [0] => line,
                _ => line.str("???"),
            };
            return;
        }
        chars::text(line, label);
        if behind.len() > 1 && behind.first() != Some(&0) {
            line.byte(b'.');
        }
        octets = behind;
    }
}

/// Router renumbering: a command with what it matches and what it puts there, or a result.
pub(super) fn renumbering(line: &mut Line, bytes: &[u8], code: u8) -> Option<()> {
    u32_at(bytes, 12)?;
    match code {
        0 => line.str(", command"),
        1 => line.str(", result"),
        255 => line.str(", sequence number reset"),
        _ => line.str(", code-#").uint(code),
    };
    let seq = u32_at(bytes, 4)?;
    line.str(", seq=").uint(seq);
    if code == 0 { prefix_control(line, bytes.get(16..)?) } else { Some(()) }
}

fn prefix_control(line: &mut Line, bytes: &[u8]) -> Option<()> {
    const MATCH_LEN: usize = 24;
    const USE_LEN: usize = 32;
    let (part, rest) = bytes.split_at_checked(MATCH_LEN)?;
    line.str(" match(");
    match part[0] {
        1 => line.str("add"),
        2 => line.str("change"),
        3 => line.str("setglobal"),
        other => line.byte(b'#').uint(other),
    };
    address(line, ",", part, 8)?;
    line.byte(b'/').uint(part[3]).byte(b')');
    let uses = i32::from(part[1]) - 3;
    if uses % 4 != 0 {
        return None;
    }
    for index in 0..usize::try_from(uses / 4).unwrap_or_default() {
        let part = rest.get(index * USE_LEN..)?.get(..USE_LEN)?;
        line.str(" use(");
        // tcpdump tests the first of the four octets of flags against masks in network order.
        match part[12] {
            0 => {}
            flags => {
                line.str(if flags & 0x80 != 0 { "V" } else { "" });
                line.str(if flags & 0x40 != 0 { "P" } else { "" }).byte(b',');
            }
        }
        address(line, "", part, 16)?;
        line.byte(b'/').uint(part[0]).byte(b'/').uint(part[1]).byte(b')');
    }
    Some(())
}

/// RPL control messages: only what kind it is.
pub(super) fn routing_for_lossy_networks(line: &mut Line, code: u8) {
    match code {
        0x80.. => line.str(", (SEC) [worktodo]"),
        0 => line.str(", (CLR)DODAG Information Solicitation"),
        1 => line.str(", (CLR)DODAG Information Object"),
        2 => line.str(", (CLR)Destination Advertisement Object"),
        3 => line.str(", (CLR)Destination Advertisement Object Ack"),
        _ => line.str(", (CLR)RPL message, unknown code ").uint(code),
    };
}
