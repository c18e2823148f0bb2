//! A growing line of text, written fast: the one buffer behind every textual sink.
//!
//! `core::fmt` costs more than the decoding of a packet, so numbers and addresses have their own writers.
//! The buffer is reused from packet to packet and holds octets, because payload may be quoted.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Text under construction. Every method appends and returns the line, so that calls chain.
#[derive(Clone, Debug, Default)]
pub struct Line {
    bytes: Vec<u8>,
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Line {
    /// What has been written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Octets written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets the text and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Forgets everything behind the first `len` octets.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Text.
    #[inline]
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Octets as they are.
    #[inline]
    pub fn raw(&mut self, octets: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(octets);
        self
    }

    /// One octet.
    #[inline]
    pub fn byte(&mut self, octet: u8) -> &mut Self {
        self.bytes.push(octet);
        self
    }

    /// An unsigned number in decimal.
    #[inline]
    pub fn uint(&mut self, value: impl Into<u64>) -> &mut Self {
        self.str(itoa::Buffer::new().format(value.into()))
    }

    /// A signed number in decimal.
    #[inline]
    pub fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        self.str(itoa::Buffer::new().format(value.into()))
    }

    /// An unsigned number in decimal, padded with zeros to `width` digits.
    #[inline]
    pub fn padded(&mut self, value: u64, width: usize) -> &mut Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value);
        for _ in digits.len()..width {
            self.bytes.push(b'0');
        }
        self.str(digits)
    }

    /// A number in lower-case hexadecimal without prefix, padded with zeros to `width` digits.
    #[inline]
    pub fn hex(&mut self, value: u64, width: usize) -> &mut Self {
        let needed = (64 - value.leading_zeros()).div_ceil(4).max(1) as usize;
        for digit in (0..needed.max(width)).rev() {
            let nibble = if digit < 16 { (value >> (4 * digit)) & 0xf } else { 0 };
            self.bytes.push(HEX[nibble as usize]);
        }
        self
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
        for (i, octet) in octets.iter().enumerate() {
            if i > 0 {
                self.bytes.push(b':');
            }
            self.hex((*octet).into(), 2);
        }
        self
    }

    /// An IPv4 address.
    #[inline]
    pub fn ipv4(&mut self, address: Ipv4Addr) -> &mut Self {
        let [a, b, c, d] = address.octets();
        self.uint(a).byte(b'.').uint(b).byte(b'.').uint(c).byte(b'.').uint(d)
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
    fn numbers_and_addresses_read_as_the_standard_library_writes_them() {
        let mut line = Line::default();
        line.uint(0u32).byte(b' ').padded(42, 6).byte(b' ').hex(0xbeef, 2).byte(b' ').hex(0, 4);
        line.byte(b' ').ip([10, 0, 255, 1].into()).byte(b' ').ipv6(Ipv6Addr::LOCALHOST);
        line.byte(b' ').mac(&[0, 0x1b, 0xff]).byte(b' ').int(-3);
        assert_eq!(line.as_bytes(), b"0 000042 beef 0000 10.0.255.1 ::1 00:1b:ff -3");
    }
}
