//! Redis' protocol (RESP) as tcpdump prints it: `: RESP "GET" "key"`.
//!
//! Arrays may lie in arrays. What is printed of their elements does not depend on the nesting, so that it is
//! enough to count how many elements are still owed.

use super::{Ctx, chars, udp_services::cut};
use crate::sinks::line::Line;

/// Prints all values of the segment.
pub(super) fn print(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    line.str(": RESP");
    let bytes = bytes.get(..wire_len as usize).unwrap_or(bytes);
    if values(line, bytes).is_none() || bytes.len() < wire_len as usize {
        cut(line, "resp");
    }
}

/// Prints values until the octets end; none where they end inside of one.
fn values(line: &mut Line, mut rest: &[u8]) -> Option<()> {
    let mut owed = 0_u64;
    while let Some((kind, behind)) = rest.split_first() {
        owed = owed.saturating_sub(1);
        rest = match kind {
            b'+' | b'-' | b':' => simple(line, behind)?,
            b'$' => bulk(line, behind)?,
            b'*' => {
                let (elements, behind) = length(behind)?;
                match elements {
                    Length::Of(count) if count > 0 => owed += u64::from(count),
                    other => unusual(line, other),
                }
                behind
            }
            _ => inline(line, rest)?,
        };
    }
    (owed == 0).then_some(())
}

fn segment(line: &mut Line, octets: &[u8]) {
    chars::text(line.str(" \""), octets);
    line.byte(b'"');
}

/// Text up to the end of the line.
fn simple<'a>(line: &mut Line, octets: &'a [u8]) -> Option<&'a [u8]> {
    let len = octets.windows(2).position(|pair| pair == b"\r\n")?;
    segment(line, octets.get(..len)?);
    octets.get(len + 2..)
}

/// As many octets as announced, and whatever stands before the next end of a line.
fn bulk<'a>(line: &mut Line, octets: &'a [u8]) -> Option<&'a [u8]> {
    let (len, behind) = length(octets)?;
    match len {
        Length::Of(len) if len > 0 => {
            let (text, behind) = behind.split_at_checked(len as usize)?;
            segment(line, text);
            behind_line(behind)
        }
        Length::Of(_) => {
            unusual(line, len);
            behind_line(behind)
        }
        other => {
            unusual(line, other);
            Some(behind)
        }
    }
}

fn behind_line(octets: &[u8]) -> Option<&[u8]> {
    let end = octets.windows(2).position(|pair| pair == b"\r\n")?;
    octets.get(end + 2..)
}

/// A command typed by hand: a line that ends with any mixture of carriage returns and line feeds.
fn inline<'a>(line: &mut Line, octets: &'a [u8]) -> Option<&'a [u8]> {
    let is_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
    let skip_ends = |octets: &'a [u8]| {
        octets.get(octets.iter().take_while(|octet| is_end(octet)).count()..).unwrap_or_default()
    };
    let text = skip_ends(octets);
    let len = text.iter().position(is_end)?;
    segment(line, text.get(..len)?);
    Some(skip_ends(text.get(len..)?))
}

#[derive(Clone, Copy)]
enum Length {
    Of(u32),
    Null,
    TooLarge,
    Negative,
    Invalid,
}

fn unusual(line: &mut Line, length: Length) {
    line.str(match length {
        Length::Of(_) => " empty",
        Length::Null => " null",
        Length::TooLarge => " length too large",
        Length::Negative => " length negative and not -1",
        Length::Invalid => " invalid",
    });
}

/// A length and what follows its line; none where that is cut. An invalid one ends behind the octet that is wrong.
fn length(octets: &[u8]) -> Option<(Length, &[u8])> {
    let (negative, digits) = match octets.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, octets),
    };
    let count = digits.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let behind = digits.get(count..)?;
    let wrong = if count == 0 { 1 } else { wrong_line_end(behind)? };
    if wrong > 0 {
        return Some((Length::Invalid, behind.get(wrong..)?));
    }
    let value = digits
        .get(..count)?
        .iter()
        .try_fold(0_i32, |sum, digit| sum.checked_mul(10)?.checked_add(i32::from(digit - b'0')));
    let length = match value {
        Some(1) if negative => Length::Null,
        _ if negative => Length::Negative,
        Some(value) => Length::Of(value.unsigned_abs()),
        None => Length::TooLarge,
    };
    Some((length, behind.get(2..)?))
}

/// How many octets lead up to one that should be part of `\r\n` and is not; 0 where nothing is wrong.
fn wrong_line_end(octets: &[u8]) -> Option<usize> {
    match octets {
        [b'\r', b'\n', ..] => Some(0),
        [b'\r', _, ..] => Some(2),
        [] | [b'\r'] => None,
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    fn printed(bytes: &[u8]) -> String {
        sample::printed(|line| print(line, bytes, bytes.len() as u32, &sample::ctx()))
    }

    #[test]
    fn values_of_every_kind_are_shown_in_a_row() {
        assert_eq!(printed(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), ": RESP \"GET\" \"key\"");
        assert_eq!(printed(b"+OK\r\n:1\r\n-ERR no\r\n"), ": RESP \"OK\" \"1\" \"ERR no\"");
        assert_eq!(printed(b"$-1\r\n$0\r\n\r\n*0\r\n"), ": RESP null empty empty");
        assert_eq!(printed(b"PING\r\nPING\n"), ": RESP \"PING\" \"PING\"");
        assert_eq!(printed(b"$x\r\n"), ": RESP invalid [|resp]");
    }

    #[test]
    fn values_that_are_owed_or_cut_are_marked() {
        assert_eq!(printed(b"*2\r\n+OK\r\n"), ": RESP \"OK\" [|resp]");
        assert_eq!(printed(b"$9\r\nshort\r\n"), ": RESP [|resp]");
        assert_eq!(printed(b"+no end"), ": RESP [|resp]");
    }

    #[test]
    fn arrays_in_arrays_need_no_stack() {
        let deep = b"*1\r\n".repeat(200_000);
        assert_eq!(printed(&deep), ": RESP [|resp]");
        for (len, bytes) in sample::noise(200) {
            sample::printed(|line| print(line, &bytes, len, &sample::ctx()));
        }
    }
}
