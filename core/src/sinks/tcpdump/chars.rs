//! How tcpdump shows what has no form of its own: octets as text with `^` and `M-` or as lines of hexadecimal, and
//! spans of time.

use crate::sinks::line::Line;

const HEX_LINE_LEN: usize = 16;

/// Octets as text: `^A` for octet 1, `^?` for delete, `M-a` for `a` with the highest bit set.
pub(super) fn text(line: &mut Line, octets: &[u8]) {
    let is_plain = |octet: &u8| matches!(octet, b' '..=b'~');
    let mut rest = octets;
    while !rest.is_empty() {
        let plain = rest.iter().position(|octet| !is_plain(octet)).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(plain);
        line.raw(run);
        rest = match behind {
            [first, others @ ..] => {
                odd(line, *first);
                others
            }
            [] => behind,
        };
    }
}

#[cold]
fn odd(line: &mut Line, octet: u8) {
    if !octet.is_ascii() {
        line.str("M-");
    }
    match octet & 0x7f {
        low @ b' '..=b'~' => line.byte(low),
        low => line.byte(b'^').byte(low ^ 0x40),
    };
}

/// Lines of sixteen octets in pairs, each line behind `indent` and the offset of its first octet.
pub(super) fn hex_lines(line: &mut Line, indent: &str, octets: &[u8]) {
    for (index, row) in octets.chunks(HEX_LINE_LEN).enumerate() {
        line.str(indent).str("0x").hex((index * HEX_LINE_LEN) as u64, 4).str(": ");
        for pair in row.chunks(2) {
            line.byte(b' ').hex_bytes(pair);
        }
    }
}

/// A time span in the units of years, weeks, days, hours, minutes and seconds that are not zero: `1h40s`.
pub(super) fn span(line: &mut Line, mut seconds: u32) {
    const UNITS: [(u32, u8); 6] =
        [(31_536_000, b'y'), (604_800, b'w'), (86_400, b'd'), (3_600, b'h'), (60, b'm'), (1, b's')];
    if seconds == 0 {
        line.str("0s");
    }
    for (len, unit) in UNITS {
        if seconds >= len {
            line.uint(seconds / len).byte(unit);
            seconds %= len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::default();
        write(&mut line);
        String::from_utf8_lossy(line.as_bytes()).into_owned()
    }

    #[test]
    fn octets_that_cannot_be_printed_are_shown_with_caret_and_meta() {
        assert_eq!(written(|line| text(line, b"ab\x01\x7f\xe1\x80 c")), "ab^A^?M-aM-^@ c");
    }

    #[test]
    fn hexadecimal_comes_in_pairs_and_lines_of_sixteen() {
        let octets: Vec<u8> = (0..19).collect();
        let expected = "\n\t0x0000:  0001 0203 0405 0607 0809 0a0b 0c0d 0e0f\n\t0x0010:  1011 12";
        assert_eq!(written(|line| hex_lines(line, "\n\t", &octets)), expected);
    }

    #[test]
    fn time_spans_leave_out_units_that_are_zero() {
        assert_eq!(written(|line| span(line, 3640)), "1h40s");
        assert_eq!(written(|line| span(line, 0)), "0s");
        assert_eq!(written(|line| span(line, 90_061)), "1d1h1m1s");
    }
}
