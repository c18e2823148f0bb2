//! Protocols of lines of text (HTTP, RTSP, SIP, SMTP, FTP, WHOIS) as tcpdump prints them: the protocol's name and
//! the first line. A line that is not plain ASCII is left out; one without an end is marked as cut.
//!
//! HTTP, RTSP and SIP also carry bodies, so that their line is printed only where it begins with a known method
//! or has a status of three digits as its second word.

use super::Ctx;
use crate::sinks::line::Line;

/// Longest first word that is compared.
const MAX_WORD_LEN: usize = 128;

/// Prints the name of `ctx.protocol` and the first line of the segment.
pub(super) fn print(line: &mut Line, bytes: &[u8], wire_len: u32, ctx: &Ctx<'_>) {
    line.str(ctx.protocol);
    let text = Text { bytes, wire_len: wire_len as usize };
    if methods(ctx.protocol).is_none_or(|methods| begins_message(text, methods)) {
        first_line(line, text, ctx.protocol);
    }
}

/// Prints the version line that an SSH connection begins with; of other segments nothing.
pub(super) fn ssh(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const START: &[u8] = b"SSH-";
    let bytes = bytes.get(..wire_len as usize).unwrap_or(bytes);
    let is_cut = bytes.len() < wire_len as usize;
    let same = bytes.iter().zip(START).take_while(|(octet, wanted)| octet == wanted).count();
    let len = bytes.iter().position(|octet| !matches!(octet, b' '..=b'~')).unwrap_or(bytes.len());
    let (shown, behind) = bytes.split_at(len);
    match behind {
        _ if same < START.len() && bytes.len() > same => {}
        [b'\n', ..] | [b'\r', b'\n', ..] => _ = line.str(": SSH: ").raw(shown),
        [] | [b'\r'] if is_cut || same < START.len() => cut(line, "ssh"),
        _ => {}
    }
}

/// A segment's text: the octets captured, and how many there were on the wire.
#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    wire_len: usize,
}

/// The methods of protocols whose messages have bodies; none where every segment is printed.
fn methods(protocol: &str) -> Option<&'static [&'static str]> {
    match protocol {
        "HTTP" => Some(HTTP_METHODS),
        "RTSP" => Some(RTSP_METHODS),
        "SIP" => Some(SIP_METHODS),
        _ => None,
    }
}

fn begins_message(text: Text<'_>, methods: &[&str]) -> bool {
    let Some((first, behind)) = word(text, 0) else { return false };
    let is_method = methods.iter().any(|method| first.eq_ignore_ascii_case(method.as_bytes()));
    let is_status = || word(text, behind).is_some_and(|(second, _)| is_three_digits(second));
    is_method || is_status()
}

fn is_three_digits(word: &[u8]) -> bool {
    word.len() == 3 && word.iter().all(u8::is_ascii_digit)
}

/// The word at `start` and where the next one begins. None for an empty or long one, one with octets that are
/// not plain text, and one that goes on behind the captured octets.
fn word(text: Text<'_>, start: usize) -> Option<(&[u8], usize)> {
    let rest = text.bytes.get(start..text.wire_len.min(text.bytes.len()))?;
    let looked_at = rest.get(..=MAX_WORD_LEN).unwrap_or(rest);
    let len = match looked_at.iter().position(|octet| !octet.is_ascii_graphic()) {
        Some(len) if matches!(looked_at.get(len), Some(b' ' | b'\t' | b'\r' | b'\n')) => len,
        None if looked_at.len() <= MAX_WORD_LEN && text.bytes.len() >= text.wire_len => looked_at.len(),
        _ => return None,
    };
    let word = rest.get(..len).filter(|word| !word.is_empty())?;
    // Only blanks are skipped, as tcpdump does it: a tab ends the search for the next word.
    let blanks = rest.get(len..)?.iter().take_while(|octet| **octet == b' ').count();
    Some((word, start + len + blanks))
}

fn first_line(line: &mut Line, text: Text<'_>, protocol: &str) {
    let bytes = text.bytes.get(..text.wire_len).unwrap_or(text.bytes);
    let is_text = |octet: &u8| matches!(octet, b' '..=b'~' | b'\t');
    let len = bytes.iter().position(|octet| !is_text(octet)).unwrap_or(bytes.len());
    let (shown, behind) = bytes.split_at(len);
    let is_cut = bytes.len() < text.wire_len;
    match behind {
        [b'\n', ..] | [b'\r', b'\n', ..] => _ = line.str(": ").raw(shown),
        [] | [b'\r'] if is_cut => cut(line, protocol),
        [] => {
            line.str(": ").raw(shown);
            cut(line, protocol);
        }
        _ => {}
    }
}

fn cut(line: &mut Line, protocol: &str) {
    line.str(" [|");
    for octet in protocol.bytes() {
        line.byte(octet.to_ascii_lowercase());
    }
    line.str("]");
}

/// With WebDAV's and its relatives'.
const HTTP_METHODS: &[&str] = &[
    "GET",
    "PUT",
    "COPY",
    "HEAD",
    "LOCK",
    "MOVE",
    "POLL",
    "POST",
    "BCOPY",
    "BMOVE",
    "MKCOL",
    "TRACE",
    "LABEL",
    "MERGE",
    "DELETE",
    "SEARCH",
    "UNLOCK",
    "REPORT",
    "UPDATE",
    "NOTIFY",
    "BDELETE",
    "CONNECT",
    "OPTIONS",
    "CHECKIN",
    "PROPFIND",
    "CHECKOUT",
    "CCM_POST",
    "SUBSCRIBE",
    "PROPPATCH",
    "BPROPFIND",
    "BPROPPATCH",
    "UNCHECKOUT",
    "MKACTIVITY",
    "MKWORKSPACE",
    "UNSUBSCRIBE",
    "RPC_CONNECT",
    "VERSION-CONTROL",
    "BASELINE-CONTROL",
];

const RTSP_METHODS: &[&str] = &[
    "DESCRIBE",
    "ANNOUNCE",
    "GET_PARAMETER",
    "OPTIONS",
    "PAUSE",
    "PLAY",
    "RECORD",
    "REDIRECT",
    "SETUP",
    "SET_PARAMETER",
    "TEARDOWN",
];

const SIP_METHODS: &[&str] = &[
    "ACK",
    "BYE",
    "CANCEL",
    "DO",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "QAUTH",
    "REFER",
    "REGISTER",
    "SPRACK",
    "SUBSCRIBE",
    "UPDATE",
    "PUBLISH",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    fn printed(protocol: &str, bytes: &[u8], wire_len: usize) -> String {
        let ctx = Ctx { protocol, ..sample::ctx() };
        sample::printed(|line| print(line, bytes, wire_len as u32, &ctx))
    }

    fn http(bytes: &[u8]) -> String {
        printed("HTTP", bytes, bytes.len())
    }

    #[test]
    fn request_and_status_lines_are_shown_and_bodies_are_not() {
        assert_eq!(http(b"GET /a HTTP/1.1\r\nHost: a\r\n"), "HTTP: GET /a HTTP/1.1");
        assert_eq!(http(b"propfind /a HTTP/1.1\n"), "HTTP: propfind /a HTTP/1.1");
        assert_eq!(http(b"HTTP/1.1 200 OK\r\n\r\n"), "HTTP: HTTP/1.1 200 OK");
        assert_eq!(http(b"<html>\r\n"), "HTTP");
        assert_eq!(http(b"see 2000 words\r\n"), "HTTP");
        assert_eq!(http(b""), "HTTP");
        assert_eq!(printed("SIP", b"REGISTER sip:a SIP/2.0\r\n", 24), "SIP: REGISTER sip:a SIP/2.0");
        assert_eq!(printed("SMTP", b"250 ok\r\n", 8), "SMTP: 250 ok");
    }

    #[test]
    fn line_without_end_is_marked_and_one_that_is_not_text_is_left_out() {
        assert_eq!(http(b"GET / HTTP/1.1"), "HTTP: GET / HTTP/1.1 [|http]");
        assert_eq!(http(b"GET /\x80 HTTP/1.1\r\n"), "HTTP");
        assert_eq!(http(b"GET /\rx"), "HTTP");
        assert_eq!(http(b"GET /\r"), "HTTP");
        assert_eq!(printed("HTTP", b"GET / HT", 18), "HTTP [|http]");
        assert_eq!(printed("HTTP", b"GE", 18), "HTTP");
        assert_eq!(printed("FTP", b"", 6), "FTP [|ftp]");
    }

    #[test]
    fn version_line_of_ssh_is_shown_and_binary_packets_are_not() {
        let shown =
            |bytes: &[u8]| sample::printed(|line| ssh(line, bytes, bytes.len() as u32, &sample::ctx()));
        assert_eq!(shown(b"SSH-2.0-OpenSSH_9.2\r\n\0\0"), ": SSH: SSH-2.0-OpenSSH_9.2");
        assert_eq!(shown(b"SSH-2.0-x"), "");
        assert_eq!(shown(b"\0\0\x05\x1c"), "");
    }

    #[test]
    fn first_word_longer_than_tcpdump_looks_is_no_method() {
        let line = |len: usize| ["x".repeat(len).as_bytes(), b" 200 OK\r\n"].concat();
        assert!(http(&line(128)).starts_with("HTTP: x"));
        assert_eq!(http(&line(129)), "HTTP");
    }

    #[test]
    fn any_octets_are_printed_without_a_panic() {
        for (len, bytes) in sample::noise(200) {
            printed("HTTP", &bytes, len as usize);
            printed("SMTP", &bytes, len as usize);
        }
    }
}
