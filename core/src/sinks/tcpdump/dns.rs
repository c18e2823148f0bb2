//! DNS as tcpdump prints it: `4321+ A? example.com. (29)` and `4321 1/0/0 A 192.0.2.1 (45)`.
//!
//! Only answers are printed of a response; authority and additional records are counted. Their OPT record
//! counts for the response code all the same.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Ctx, chars, dns_names, dns_options, text};
use crate::{
    app::dns::{HEADER_LEN, Header, Label, Message, NameError, Record},
    sinks::line::Line,
};

/// Octets of a name behind which it is cut off.
const MAX_NAME_LEN: usize = 255;

/// Length octets before a message over TCP (RFC 1035, 4.2.2).
const TCP_PREFIX_LEN: u32 = 2;

pub(super) const OPT: u16 = 41;
const CLASS_IN: u16 = 1;
/// In a question of mDNS "unicast wanted", in a record "flush what you know" (RFC 6762).
const MDNS_CLASS_BIT: u16 = 0x8000;
const INVERSE_QUERY: u8 = 1;

/// Prints a message; over TCP with its length in front, and only where the segment holds it whole.
pub(super) fn print(line: &mut Line, bytes: &[u8], wire_len: u32, ctx: &Ctx<'_>) {
    let (bytes, wire_len) = match ctx.over_tcp {
        true => match behind_prefix(line, bytes, wire_len) {
            Some(message) => message,
            None => return,
        },
        false => (bytes, wire_len),
    };
    if wire_len < HEADER_LEN as u32 {
        line.str("domain [length ").uint(wire_len).str(" < 12] (invalid)");
        return;
    }
    match Message::parse(bytes).and_then(|message| body(line, &message, ctx.mdns)) {
        Some(()) => line.str(" (").uint(wire_len).str(")"),
        None => line.str(" [|domain]"),
    };
}

/// The message behind its length, and its length; none if that was printed as wrong.
fn behind_prefix<'a>(line: &mut Line, bytes: &'a [u8], wire_len: u32) -> Option<(&'a [u8], u32)> {
    let Some(message_len) = wire_len.checked_sub(TCP_PREFIX_LEN) else {
        line.str(" [DNS over TCP: length ").uint(wire_len).str(" < 2] (invalid)");
        return None;
    };
    let Some((prefix, message)) = bytes.split_first_chunk() else {
        line.str(" [|domain]");
        return None;
    };
    let claimed = u16::from_be_bytes(*prefix);
    if u32::from(claimed) != message_len {
        line.str(" [prefix length(").uint(claimed).str(") != length(").uint(message_len).str(")] (invalid)");
        return None;
    }
    line.byte(b' ');
    Some((message, message_len))
}

/// Everything but the length at the end; none where the message is cut or wrong.
fn body(line: &mut Line, message: &Message<'_>, mdns: bool) -> Option<()> {
    let header = message.header();
    line.uint(header.id).str(dns_names::opcode(header.opcode()));
    match header.is_response() {
        true => response(line, message, &header, mdns),
        false => query(line, message, &header, mdns),
    }
}

fn query(line: &mut Line, message: &Message<'_>, header: &Header, mdns: bool) -> Option<()> {
    flag(line, header.flags, 0x0100, "+");
    flag(line, header.flags, 0x0010, "%");
    if header.flags & 0x06cf != 0 {
        line.str(" [b2&3=0x").hex(header.flags.into(), 1).str("]");
    }
    let inverse = header.opcode() == INVERSE_QUERY;
    let [usual_questions, usual_answers] = if inverse { [0, 1] } else { [1, 0] };
    let questions = |line: &mut Line| count(line, header.question_count, usual_questions, "q]");
    let answers = |line: &mut Line| count(line, header.answer_count, usual_answers, "a]");
    if inverse {
        questions(line);
        answers(line);
    } else {
        answers(line);
        questions(line);
    }
    count(line, header.authority_count, 0, "n]");
    count(line, header.additional_count, 0, "au]");
    let mut at = HEADER_LEN;
    for _ in 0..header.question_count {
        at = question(line, message, at, mdns)?;
    }
    Some(())
}

fn response(line: &mut Line, message: &Message<'_>, header: &Header, mdns: bool) -> Option<()> {
    dns_names::response_code(line, full_response_code(message, header));
    flag(line, header.flags, 0x0400, "*");
    flag(line, !header.flags, 0x0080, "-");
    flag(line, header.flags, 0x0200, "|");
    flag(line, header.flags, 0x0020, "$");
    count(line, header.question_count, 1, "q]");
    let mut at = HEADER_LEN;
    for index in 0..header.question_count {
        line.str(if index > 0 { "," } else { "" });
        at = message.skip_name(at)? + 4;
    }
    line.byte(b' ').uint(header.answer_count).byte(b'/').uint(header.authority_count);
    line.byte(b'/').uint(header.additional_count);
    for index in 0..header.answer_count {
        if index > 0 {
            if at >= message.bytes().len() {
                return None;
            }
            line.byte(b',');
        }
        at = answer(line, message, at, mdns)?;
    }
    Some(())
}

fn flag(line: &mut Line, flags: u16, mask: u16, sign: &str) {
    if flags & mask != 0 {
        line.str(sign);
    }
}

fn count(line: &mut Line, count: u16, usual: u16, unit: &str) {
    if count != usual {
        line.str(" [").uint(count).str(unit);
    }
}

/// The response code with the eight bits that an OPT record among the additional ones adds.
fn full_response_code(message: &Message<'_>, header: &Header) -> u16 {
    let extension = || {
        if header.additional_count == 0 {
            return None;
        }
        let mut at = HEADER_LEN;
        for _ in 0..header.question_count {
            at = message.skip_name(at)? + 4;
        }
        for _ in 0..u32::from(header.answer_count) + u32::from(header.authority_count) {
            at = message.record_at(at)?.end();
        }
        for _ in 0..header.additional_count {
            let fixed = message.skip_name(at)?;
            if message.u16(fixed)? == OPT {
                return message.bytes().get(fixed + 4).copied();
            }
            at = message.record_at(at)?.end();
        }
        None
    };
    u16::from(header.response_code()) | u16::from(extension().unwrap_or_default()) << 4
}

/// Prints the question at `at`; where the next one begins, or none if this one is cut or wrong.
fn question(line: &mut Line, message: &Message<'_>, at: usize, mdns: bool) -> Option<usize> {
    let (question, behind) = message.question_at(at)?;
    line.byte(b' ');
    dns_names::record_type(line, question.record_type);
    let mdns_bit = if mdns { MDNS_CLASS_BIT } else { 0 };
    class(line, question.class & !mdns_bit);
    if mdns {
        line.str(if question.class & MDNS_CLASS_BIT != 0 { " (QU)" } else { " (QM)" });
    }
    line.str("? ");
    name(line, message, at)?;
    Some(behind)
}

/// Prints the record at `at`; where the next one begins, or none if this one is cut or wrong. A record whose
/// fixed part is cut prints nothing and ends the list.
fn answer(line: &mut Line, message: &Message<'_>, at: usize, mdns: bool) -> Option<usize> {
    let Some(mut record) = message.record_at(at) else { return Some(message.bytes().len()) };
    let flush = mdns && record.class & MDNS_CLASS_BIT != 0;
    if mdns {
        record.class &= !MDNS_CLASS_BIT;
    }
    if record.record_type != OPT {
        class(line, record.class);
    }
    line.str(if flush { " (Cache flush)" } else { "" }).byte(b' ');
    dns_names::record_type(line, record.record_type);
    if record.end() > message.bytes().len() {
        return None;
    }
    data(line, message, &record)?;
    Some(record.end())
}

fn class(line: &mut Line, class: u16) {
    if class != CLASS_IN {
        line.byte(b' ');
        dns_names::class(line, class);
    }
}

/// Prints what is printed of a record's data, by its type. Some types are read beyond the data's end.
fn data(line: &mut Line, message: &Message<'_>, record: &Record<'_>) -> Option<()> {
    let at = record.data_offset;
    let octets = message.bytes().get(at..)?;
    match record.record_type {
        1 => {
            line.byte(b' ').ipv4(Ipv4Addr::from(*octets.first_chunk::<4>()?));
        }
        28 => _ = text::ipv6(line.byte(b' '), Ipv6Addr::from(*octets.first_chunk::<16>()?)),
        2 | 5 | 12 | 39 => name(line.byte(b' '), message, at)?,
        15 => {
            name(line.byte(b' '), message, at + 2)?;
            line.byte(b' ').uint(message.u16(at)?);
        }
        16 => strings(line, octets, record.data_len.into())?,
        33 => {
            let [priority, weight, port] = [message.u16(at)?, message.u16(at + 2)?, message.u16(at + 4)?];
            name(line.byte(b' '), message, at + 6)?;
            line.byte(b':').uint(port).byte(b' ').uint(priority).byte(b' ').uint(weight);
        }
        38 => a6(line, message, at)?,
        OPT => dns_options::print(line, message, record)?,
        104 => chars::text(line, octets.get(..record.data_len.into())?),
        256 => uri(line, message, at, record.data_len.into())?,
        _ => {}
    }
    Some(())
}

/// The character-strings of a TXT record; the last one may run over the end of the record.
fn strings(line: &mut Line, octets: &[u8], data_len: usize) -> Option<()> {
    let mut at = 0;
    while at < data_len {
        line.str(" \"");
        let len = usize::from(*octets.get(at)?);
        let string = octets.get(at + 1..)?;
        chars::text(line, string.get(..len).unwrap_or(string));
        if string.len() < len {
            return None;
        }
        line.byte(b'"');
        at += 1 + len;
    }
    Some(())
}

/// An A6 record (RFC 2874, historic): prefix length, address suffix, prefix name.
fn a6(line: &mut Line, message: &Message<'_>, at: usize) -> Option<()> {
    let prefix_len = *message.bytes().get(at)?;
    let skipped = usize::from(prefix_len / 8);
    if prefix_len > 128 {
        line.byte(b' ').uint(prefix_len).str("(bad plen)");
        return Some(());
    }
    if prefix_len < 128 {
        let mut address = [0; 16];
        let suffix = message.bytes().get(at + 1..)?.get(..16 - skipped)?;
        address.get_mut(skipped..)?.copy_from_slice(suffix);
        line.byte(b' ').uint(prefix_len).byte(b' ');
        text::ipv6(line, Ipv6Addr::from(address));
    }
    if prefix_len > 0 {
        name(line.byte(b' '), message, at + 17 - skipped)?;
    }
    Some(())
}

/// A URI record (RFC 7553). One that is too short for its two numbers counts as cut behind them.
fn uri(line: &mut Line, message: &Message<'_>, at: usize, data_len: usize) -> Option<()> {
    let [priority, weight] = [message.u16(at)?, message.u16(at + 2)?];
    line.byte(b' ').uint(priority).byte(b' ').uint(weight).byte(b' ');
    let target = message.bytes().get(at + 4..)?;
    chars::text(line, data_len.checked_sub(4).and_then(|len| target.get(..len)).unwrap_or(target));
    (data_len >= 4).then_some(())
}

/// Prints the name at `at` with a dot behind each label; none where it is cut or wrong.
pub(super) fn name(line: &mut Line, message: &Message<'_>, at: usize) -> Option<()> {
    if *message.bytes().get(at)? == 0 {
        line.byte(b'.');
        return Some(());
    }
    let mut len = 0;
    for label in message.name_at(at).labels() {
        let shown = |octets: &'_ [u8]| octets.len().min(MAX_NAME_LEN.saturating_sub(len));
        match label {
            Ok(Label::Text(octets)) => {
                chars::text(line, octets.get(..shown(octets))?);
                len += octets.len();
            }
            Ok(Label::Bits(bits, octets)) => bit_label(line, bits, octets),
            Err(NameError::TooLong) => break,
            Err(error) => {
                name_error(line, error);
                return None;
            }
        }
        if len <= MAX_NAME_LEN {
            line.byte(b'.');
        }
        len += 1;
    }
    if len > MAX_NAME_LEN {
        line.str("<DOMAIN NAME TOO LONG>");
    }
    Some(())
}

#[cold]
fn name_error(line: &mut Line, error: NameError<'_>) {
    match error {
        NameError::Cut(octets) => chars::text(line, octets),
        NameError::UnknownExtension(kind) => {
            line.str("<ELT ").uint(kind).str(">");
        }
        NameError::BadPointer => {
            line.str("<BAD PTR>");
        }
        NameError::BadLabelType => {
            line.str("<BAD LABEL TYPE>");
        }
        NameError::TooLong => {}
    }
}

/// A bit string: whole octets, then the bits that are left in one digit or two.
fn bit_label(line: &mut Line, bits: u16, octets: &[u8]) {
    let (whole, left) = (usize::from(bits / 8), u32::from(bits % 8));
    line.str("\\[x").hex_bytes(octets.get(..whole).unwrap_or(octets));
    if let Some(last) = octets.get(whole) {
        let used = u64::from(*last) & (0xff << (8 - left)) & 0xff;
        match left {
            0 => {}
            1..=4 => _ = line.hex(used >> 4, 1),
            _ => _ = line.hex(used, 2),
        }
    }
    line.byte(b'/').uint(bits).byte(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    const QUERY: &[u8] = b"\x10\xe1\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";

    fn printed(bytes: &[u8], ctx: &Ctx<'_>) -> String {
        sample::printed(|line| print(line, bytes, bytes.len() as u32, ctx))
    }

    fn over_udp(bytes: &[u8]) -> String {
        printed(bytes, &sample::ctx())
    }

    /// A response to [`QUERY`] with one answer, whose name is a pointer.
    fn response(record_type: u8, data: &[u8]) -> Vec<u8> {
        let mut message = QUERY.to_vec();
        message[2..8].copy_from_slice(b"\x81\x80\0\x01\0\x01");
        message.extend([0xc0, 12, 0, record_type, 0, 1, 0, 0, 0, 60]);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
        message
    }

    fn answer(record_type: u8, data: &[u8]) -> String {
        let text = over_udp(&response(record_type, data));
        let text = text.strip_prefix("4321 1/0/0 ").unwrap_or(&text);
        text.rsplit_once(" (").map_or(text, |(answer, _)| answer).to_owned()
    }

    #[test]
    fn query_shows_flags_counts_type_name_and_length() {
        assert_eq!(over_udp(QUERY), "4321+ A? example.com. (29)");
        let mut odd = QUERY.to_vec();
        odd[2..12].copy_from_slice(b"\x28\x10\0\x01\0\x02\0\x03\0\x04");
        assert_eq!(over_udp(&odd), "4321 update% [2a] [3n] [4au] A? example.com. (29)");
    }

    #[test]
    fn records_are_shown_by_type() {
        assert_eq!(answer(1, &[192, 0, 2, 1]), "A 192.0.2.1");
        assert_eq!(answer(28, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), "AAAA 2001:db8::1");
        assert_eq!(answer(5, b"\x03www\xc0\x0c"), "CNAME www.example.com.");
        assert_eq!(answer(15, b"\0\x0a\x02mx\xc0\x0c"), "MX mx.example.com. 10");
        assert_eq!(answer(16, b"\x02a\x01\x01\xe9"), "TXT \"a^A\" \"M-i\"");
        assert_eq!(answer(33, b"\0\x01\0\x02\x01\xbb\x01h\0"), "SRV h.:443 1 2");
        assert_eq!(answer(6, b"\0\0abcdefghijklmnopqrst"), "SOA");
        assert_eq!(answer(38, b"\x78\x05\x01x\0"), "A6 120 ::5 x.");
        assert_eq!(answer(200, b"?"), "Type200");
        assert_eq!(answer(2, b"\0"), "NS .");
    }

    #[test]
    fn options_of_edns_are_shown_and_extend_the_response_code() {
        let cookie = b"\0\x0a\0\x08\x01\x23\x45\x67\x89\xab\xcd\xef\0\x0b\0\x02\0\x0f";
        let shown = "OPT UDPsize=1 [COOKIE 0123456789abcdef,KEEPALIVE 1.5 sec]";
        assert_eq!(answer(41, cookie), shown);
        assert_eq!(answer(41, b"\0\x08\0\x07\0\x01\x18\0\xc0\0\x02"), "OPT UDPsize=1 [ECS 192.0.2.0/24/0]");
        assert_eq!(answer(41, b"\0\x08\0\x02\0\x01"), "OPT UDPsize=1 [ECS  (invalid)]");
        let mut bad_version = QUERY.to_vec();
        bad_version[2..12].copy_from_slice(b"\x81\x80\0\x01\0\0\0\0\0\x01");
        bad_version.extend(b"\0\0\x29\x10\0\x01\0\x80\0\0\0");
        assert_eq!(over_udp(&bad_version), "4321 BadVers 0/0/1 (40)");
    }

    #[test]
    fn multicast_dns_shows_its_class_bit() {
        let mdns = Ctx { mdns: true, ..sample::ctx() };
        assert_eq!(printed(QUERY, &mdns), "4321+ A (QM)? example.com. (29)");
        let mut unicast = QUERY.to_vec();
        unicast[27] = 0x80;
        assert_eq!(printed(&unicast, &mdns), "4321+ A (QU)? example.com. (29)");
        assert_eq!(over_udp(&unicast), "4321+ A (Class 32769)? example.com. (29)");
    }

    #[test]
    fn message_over_tcp_must_fill_its_segment() {
        let tcp = Ctx { over_tcp: true, ..sample::ctx() };
        let with_prefix = |len: u8| [&[0, len], QUERY].concat();
        assert_eq!(printed(&with_prefix(29), &tcp), " 4321+ A? example.com. (29)");
        assert_eq!(printed(&with_prefix(30), &tcp), " [prefix length(30) != length(29)] (invalid)");
        assert_eq!(printed(&[0], &tcp), " [DNS over TCP: length 1 < 2] (invalid)");
    }

    #[test]
    fn what_is_cut_or_wrong_is_marked_behind_what_was_read() {
        let whole = response(5, b"\x03www\xc0\x0c");
        let cut = |len: usize| sample::printed(|line| print(line, &whole[..len], 51, &sample::ctx()));
        assert_eq!(cut(8), " [|domain]");
        assert_eq!(cut(14), "4321 [|domain]");
        assert_eq!(cut(29), "4321 1/0/0 (51)");
        assert_eq!(cut(43), "4321 1/0/0 CNAME [|domain]");
        assert_eq!(over_udp(b"\0\x01\0"), "domain [length 3 < 12] (invalid)");
        assert_eq!(over_udp(&response(5, b"\x03www\xc0\x50")), "4321 1/0/0 CNAME www.<BAD PTR> [|domain]");
    }

    #[test]
    fn name_beyond_255_octets_is_cut_off() {
        let mut message = b"\0\x07\0\0\0\x01\0\0\0\0\0\0".to_vec();
        for _ in 0..5 {
            message.push(63);
            message.extend([b'x'; 63]);
        }
        message.extend(b"\0\0\x01\0\x01");
        let label = "x".repeat(63);
        let shown =
            format!("7 A? {label}.{label}.{label}.{label}.<DOMAIN NAME TOO LONG> ({})", message.len());
        assert_eq!(over_udp(&message), shown);
    }

    #[test]
    fn any_octets_are_printed_without_a_panic() {
        for (len, bytes) in sample::noise(300) {
            for ctx in [sample::ctx(), Ctx { over_tcp: true, mdns: true, ..sample::ctx() }] {
                sample::printed(|line| print(line, &bytes, len, &ctx));
            }
        }
    }
}
