//! Pieces of text that tcpdump writes its own way: IPv6 addresses, hexadecimal dumps, lists of flags.

use core::net::{IpAddr, Ipv6Addr};

use crate::sinks::line::Line;

/// Octets in one line of a dump.
const DUMP_WIDTH: usize = 16;
/// Columns that the hexadecimal half of a dump takes.
const DUMP_COLUMNS: usize = 40;

/// An address of either family.
#[inline]
pub(super) fn ip(line: &mut Line, address: IpAddr) -> &mut Line {
    match address {
        IpAddr::V4(address) => line.ipv4(address),
        IpAddr::V6(address) => ipv6(line, address),
    }
}

/// An IPv6 address as RFC 5952 has it, but with an IPv4 tail for the deprecated `::a.b.c.d` too.
pub(super) fn ipv6(line: &mut Line, address: Ipv6Addr) -> &mut Line {
    let words = address.segments();
    let (start, len) = longest_zero_run(&words);
    if start == 0 && (len == 6 || (len == 5 && words[5] == 0xffff)) {
        line.str(if len == 5 { "::ffff:" } else { "::" });
        let [.., a, b, c, d] = address.octets();
        return line.ipv4([a, b, c, d].into());
    }
    for (index, word) in words.iter().enumerate() {
        if len > 1 && (start..start + len).contains(&index) {
            if index == start {
                line.str("::");
            }
        } else {
            if index > 0 && (len < 2 || index != start + len) {
                line.byte(b':');
            }
            line.hex((*word).into(), 1);
        }
    }
    line
}

/// Where the first of the longest runs of zeros begins, and how long it is.
fn longest_zero_run(words: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (index, word) in words.iter().enumerate() {
        run = if *word == 0 { run + 1 } else { 0 };
        if run > best.1 {
            best = (index + 1 - run, run);
        }
    }
    best
}

/// Octets as tcpdump dumps what it cannot name: each line on its own, indented, hexadecimal and ASCII.
pub(super) fn dump(line: &mut Line, octets: &[u8]) {
    for (index, row) in octets.chunks(DUMP_WIDTH).enumerate() {
        line.str("\n\t0x").hex((index * DUMP_WIDTH) as u64, 4).str(": ");
        let start = line.len();
        for pair in row.chunks(2) {
            line.byte(b' ').hex_bytes(pair);
        }
        while line.len() < start + DUMP_COLUMNS {
            line.byte(b' ');
        }
        line.str("  ");
        for octet in row {
            line.byte(if octet.is_ascii_graphic() { *octet } else { b'.' });
        }
    }
}

/// The names of the bits that are set, one after the other, or `none`.
pub(super) fn flags<'l>(line: &'l mut Line, bits: u8, names: &[(u8, &str)], none: &str) -> &'l mut Line {
    let start = line.len();
    for (bit, name) in names {
        if bits & bit != 0 {
            line.str(name);
        }
    }
    if line.len() == start { line.str(none) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(address: &str) -> String {
        let mut line = Line::default();
        ipv6(&mut line, address.parse().unwrap());
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn addresses_are_shortened_as_tcpdump_shortens_them() {
        for address in
            ["::", "::1", "1::", "fe80::1:0:0:2", "1:0:2:0:3:0:4:0", "2001:db8::5:0:7", "::ffff:10.0.0.1"]
        {
            assert_eq!(written(address), address);
        }
        assert_eq!(written("::102:304"), "::1.2.3.4");
        assert_eq!(written("1:0:0:2:0:0:0:3"), "1:0:0:2::3");
    }

    #[test]
    fn a_dump_ends_with_what_is_printable() {
        let mut line = Line::default();
        dump(&mut line, b"0123456789abcdef\x01z");
        let expected = "\n\t0x0000:  3031 3233 3435 3637 3839 6162 6364 6566  0123456789abcdef\
                        \n\t0x0010:  017a                                     .z";
        assert_eq!(line.as_bytes(), expected.as_bytes());
    }
}
