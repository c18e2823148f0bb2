//! A growing line of text, written fast: the one buffer behind every textual sink.
//!
//! `core::fmt` costs more than the decoding of a packet, so numbers and addresses have their own writers.
//! The buffer is reused from packet to packet and holds octets, because payload may be quoted.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Text under construction. Every method appends and returns the line, so that calls chain.
///
/// Room is made ahead, so that digits are written where they stay: to put them together elsewhere first, and then to
/// copy more octets at once than were written at once, makes the processor wait.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The text, and behind it room.
    bytes: Vec<u8>,
    /// Octets of text.
    len: usize,
}

/// The least room that is made.
const MIN_ROOM: usize = 256;

/// Room for the digits of a number of 32 bits.
const DIGITS_LEN: usize = 16;
/// Room for an address, and a point behind it.
const IPV4_LEN: usize = 16;
/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = pairs();
/// Each octet in decimal, followed by a point, and its number of digits.
const OCTETS: [([u8; 4], u8); 256] = octets();

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut value = 0;
    while value < 100 {
        pairs[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    pairs
}

const fn octets() -> [([u8; 4], u8); 256] {
    let mut octets = [([0; 4], 0); 256];
    let mut value = 0;
    while value < 256 {
        let [hundreds, tens, ones] =
            [b'0' + (value / 100) as u8, b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
        octets[value] = match value {
            0..10 => ([ones, b'.', 0, 0], 1),
            10..100 => ([tens, ones, b'.', 0], 2),
            _ => ([hundreds, tens, ones, b'.'], 3),
        };
        value += 1;
    }
    octets
}

/// The two digits of a number below 100; of any other, its last two.
#[inline(always)]
pub(super) fn pair(value: u64) -> [u8; 2] {
    PAIRS[(value % 100) as usize]
}

/// The 16 digits of a number in hexadecimal, all made at once: each half's digits get an octet each.
#[inline(always)]
fn hex_digits(value: u64) -> [u8; 16] {
    let half = |mut digits: u64| {
        digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
        digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
        digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        // One in each octet that needs a letter: those that reach 16 with six more.
        let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        digits + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)
    };
    (u128::from(half(value >> 32)) << 64 | u128::from(half(value & 0xffff_ffff))).to_be_bytes()
}

impl Line {
    /// What has been written so far.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Octets written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets the text and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets everything behind the first `len` octets.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Text.
    #[inline(always)]
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.raw(text.as_bytes())
    }

    /// Texts one behind the other, for which room is made once.
    #[inline(always)]
    pub fn strs<const N: usize>(&mut self, texts: [&str; N]) -> &mut Self {
        let len = texts.iter().map(|text| text.len()).sum();
        let mut place = self.room(len);
        for text in texts {
            let Some((here, rest)) = place.split_at_mut_checked(text.len()) else { return self };
            here.copy_from_slice(text.as_bytes());
            place = rest;
        }
        self.len += len;
        self
    }

    /// Octets as they are.
    #[inline(always)]
    pub fn raw(&mut self, octets: &[u8]) -> &mut Self {
        if let Some(place) = self.room(octets.len()).get_mut(..octets.len()) {
            place.copy_from_slice(octets);
        }
        self.len += octets.len();
        self
    }

    /// One octet.
    #[inline(always)]
    pub fn byte(&mut self, octet: u8) -> &mut Self {
        self.raw(&[octet])
    }

    /// The first `len` of `octets`. All are copied and the rest counts as room: a copy of fixed size is a move or
    /// two, one of varying size a call.
    #[inline(always)]
    pub fn prefix<const N: usize>(&mut self, octets: &[u8; N], len: usize) -> &mut Self {
        if let Some(place) = self.room(N).first_chunk_mut() {
            *place = *octets;
        }
        self.len += len.min(N);
        self
    }

    /// The room behind the text, at least `len` octets.
    #[inline(always)]
    fn room(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() - self.len < len {
            self.grow(len);
        }
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        let needed = self.len + len;
        self.bytes.resize((needed + MIN_ROOM).max(2 * self.bytes.len()), 0);
    }

    /// Writes a number of exactly five digits over those that stand `at` octets from the beginning.
    #[inline]
    pub fn replace_five_digits(&mut self, at: usize, value: u16) -> &mut Self {
        let [a, b] = PAIRS[usize::from(value / 10 % 100)];
        let [c, d] = PAIRS[usize::from(value / 1000 % 100)];
        if let Some(place) = self.bytes.get_mut(..self.len).and_then(|text| text.get_mut(at..at + 5)) {
            place.copy_from_slice(&[c, d, a, b, b'0' + (value % 10) as u8]);
        }
        self
    }

    /// An unsigned number in decimal.
    #[inline]
    pub fn uint(&mut self, value: impl Into<u64>) -> &mut Self {
        let value = value.into();
        match u32::try_from(value) {
            Ok(value) => self.small(value, 1),
            Err(_) => self.str(itoa::Buffer::new().format(value)),
        }
    }

    /// A signed number in decimal.
    #[inline]
    pub fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        self.str(itoa::Buffer::new().format(value.into()))
    }

    /// An unsigned number in decimal, padded with zeros to `width` digits.
    #[inline(always)]
    pub fn padded(&mut self, value: u64, width: usize) -> &mut Self {
        match width {
            2 if value < 100 => self.raw(&PAIRS[value as usize]),
            6 if value < 1_000_000 => self.microseconds(value as u32),
            9 if value < 1_000_000_000 => {
                let (micros, rest) = (value as u32 / 1000, value as usize % 1000);
                self.microseconds(micros).byte(b'0' + (rest / 100) as u8).raw(&PAIRS[rest % 100])
            }
            _ => self.padded_to_any(value, width),
        }
    }

    fn padded_to_any(&mut self, value: u64, width: usize) -> &mut Self {
        if let (Ok(value), 0..=10) = (u32::try_from(value), width) {
            return self.small(value, width);
        }
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value);
        for _ in digits.len()..width {
            self.byte(b'0');
        }
        self.str(digits)
    }

    /// Six digits: the fraction of a second, which every line has.
    #[inline]
    fn microseconds(&mut self, value: u32) -> &mut Self {
        let [a, b] = PAIRS[(value / 10_000 % 100) as usize];
        let [c, d] = PAIRS[(value / 100 % 100) as usize];
        let [e, f] = PAIRS[(value % 100) as usize];
        self.raw(&[a, b, c, d, e, f])
    }

    /// A number in decimal with at least `width` digits, which are at most ten.
    #[inline]
    fn small(&mut self, mut value: u32, width: usize) -> &mut Self {
        let len = (value.checked_ilog10().unwrap_or(0) as usize + 1).max(width);
        let Some(digits) = self.room(DIGITS_LEN).first_chunk_mut::<DIGITS_LEN>() else { return self };
        *digits = [b'0'; DIGITS_LEN];
        let mut end = len;
        while value >= 10 {
            let pair = PAIRS[(value % 100) as usize];
            value /= 100;
            if let Some(place) = digits.get_mut(end - 2..end) {
                place.copy_from_slice(&pair);
            }
            end -= 2;
        }
        if value > 0
            && let Some(place) = digits.get_mut(end - 1)
        {
            *place = b'0' + value as u8;
        }
        self.len += len;
        self
    }

    /// A number in lower-case hexadecimal without prefix, padded with zeros to `width` digits.
    #[inline]
    pub fn hex(&mut self, value: u64, width: usize) -> &mut Self {
        let needed = (64 - value.leading_zeros()).div_ceil(4).max(1) as usize;
        for _ in 16..width {
            self.byte(b'0');
        }
        let len = needed.max(width.min(16));
        let digits = u128::from_be_bytes(hex_digits(value));
        self.prefix(&(digits << (8 * (16 - len))).to_be_bytes(), len)
    }

    /// Octets in hexadecimal with nothing between them.
    pub fn hex_bytes(&mut self, octets: &[u8]) -> &mut Self {
        for octet in octets {
            self.hex((*octet).into(), 2);
        }
        self
    }

    /// A MAC address, or any other link-layer address, with colons.
    #[inline]
    pub fn mac(&mut self, octets: &[u8]) -> &mut Self {
        let [a, b, c, d, e, f] = *octets else {
            for (i, octet) in octets.iter().enumerate() {
                self.str(if i > 0 { ":" } else { "" }).hex((*octet).into(), 2);
            }
            return self;
        };
        let digits = hex_digits(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        let [_, _, _, _, a, b, c, d, e, f, g, h, i, j, k, l] = digits;
        self.raw(&[a, b, b':', c, d, b':', e, f, b':', g, h, b':', i, j, b':', k, l])
    }

    /// An IPv4 address.
    #[inline]
    pub fn ipv4(&mut self, address: Ipv4Addr) -> &mut Self {
        let Some(text) = self.room(IPV4_LEN).first_chunk_mut::<IPV4_LEN>() else { return self };
        let mut at = 0;
        for octet in address.octets() {
            let (digits, len) = OCTETS[usize::from(octet)];
            if let Some(place) = text.get_mut(at..at + 4) {
                place.copy_from_slice(&digits);
            }
            at += usize::from(len) + 1;
        }
        self.len += at - 1;
        self
    }

    /// An IPv6 address in the form of RFC 5952.
    #[inline]
    pub fn ipv6(&mut self, address: Ipv6Addr) -> &mut Self {
        self.fmt(format_args!("{address}"))
    }

    /// An address of either family.
    #[inline]
    pub fn ip(&mut self, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(address) => self.ipv4(address),
            IpAddr::V6(address) => self.ipv6(address),
        }
    }

    /// Whatever `format_args!` can say; for what is rare.
    pub fn fmt(&mut self, arguments: fmt::Arguments<'_>) -> &mut Self {
        // Writing to memory cannot fail.
        let _ = fmt::Write::write_fmt(self, arguments);
        self
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_read_as_the_standard_library_writes_them() {
        let mut line = Line::default();
        let mut value = 1_u64;
        for _ in 0..20 {
            for value in [value - 1, value, value.wrapping_mul(7), value + 99] {
                for width in [1, 2, 6, 9, 10, 18] {
                    line.clear();
                    line.uint(value).byte(b' ').padded(value, width).byte(b' ').hex(value, width);
                    assert_eq!(
                        line.as_bytes(),
                        format!("{value} {value:0width$} {value:0width$x}").as_bytes()
                    );
                }
            }
            value = value.wrapping_mul(10).max(1);
        }
        for octet in 0..=255 {
            line.clear();
            line.ipv4([octet, 0, 255, octet].into());
            assert_eq!(line.as_bytes(), format!("{octet}.0.255.{octet}").as_bytes());
        }
    }

    #[test]
    fn a_number_of_five_digits_takes_the_place_of_another() {
        let mut line = Line::default();
        line.str("port 60000, ").replace_five_digits(5, 49_153);
        assert_eq!(line.as_bytes(), b"port 49153, ");
        line.replace_five_digits(8, 65_535);
        assert_eq!(line.as_bytes(), b"port 49153, ", "nothing is written behind the end");
    }

    #[test]
    fn numbers_and_addresses_read_as_the_standard_library_writes_them() {
        let mut line = Line::default();
        line.uint(0u32).byte(b' ').padded(42, 6).byte(b' ').hex(0xbeef, 2).byte(b' ').hex(0, 4);
        line.byte(b' ').ip([10, 0, 255, 1].into()).byte(b' ').ipv6(Ipv6Addr::LOCALHOST);
        line.byte(b' ').mac(&[0, 0x1b, 0xff]).byte(b' ').int(-3);
        line.byte(b' ').mac(&[0x01, 0x23, 0x9a, 0xaf, 0xfe, 0x0a]).byte(b' ').strs(["a", "", "bc"]);
        let expected = b"0 000042 beef 0000 10.0.255.1 ::1 00:1b:ff -3 01:23:9a:af:fe:0a abc";
        assert_eq!(line.as_bytes(), expected);
    }
}
