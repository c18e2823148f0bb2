//! `10.0.0.1.443 > 10.0.0.2.50000: `, remembered from one packet to the next.
//!
//! A mirrored packet has three pairs of endpoints, and those of its tunnels are few. Writing them is a third of
//! the work; finding them in a small table, one place for each hash, is not.

use core::net::Ipv4Addr;

use crate::sinks::line::Line;

/// Places in the table; a power of two.
const PLACES: usize = 2048;
/// The longest text: two addresses of 15 octets, two ports of five, and what is between them.
const TEXT_LEN: usize = 48;

/// Addresses and ports as they lie in the headers: source and destination of IP, then the two ports.
type Key = [u8; 12];

#[derive(Clone, Copy, Debug)]
struct Place {
    key: Key,
    len: u8,
    text: [u8; TEXT_LEN],
}

/// Texts of IPv4 endpoints.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    places: Vec<Place>,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self { places: vec![Place { key: [0; 12], len: 0, text: [0; TEXT_LEN] }; PLACES] }
    }
}

impl Endpoints {
    /// Appends the text of a pair of endpoints, from the table where it is there.
    #[inline]
    pub(super) fn write(
        &mut self,
        line: &mut Line,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        src_port: u16,
        dst_port: u16,
    ) {
        let ([a, b, c, d], [e, f, g, h]) = (src.octets(), dst.octets());
        let ([i, j], [k, l]) = (src_port.to_be_bytes(), dst_port.to_be_bytes());
        let key = [a, b, c, d, e, f, g, h, i, j, k, l];
        let Some(place) = self.places.get_mut(place_of(key)) else { return };
        if place.key == key && place.len > 0 {
            line.prefix(&place.text, place.len.into());
        } else {
            place.fill(line, key, src, dst, src_port, dst_port);
        }
    }
}

impl Place {
    /// Writes the text and takes the place of another.
    fn fill(
        &mut self,
        line: &mut Line,
        key: Key,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        src_port: u16,
        dst_port: u16,
    ) {
        let start = line.len();
        line.ipv4(src).byte(b'.').uint(src_port).str(" > ").ipv4(dst).byte(b'.').uint(dst_port).str(": ");
        let written = line.as_bytes().get(start..).unwrap_or_default();
        if let Some(text) = self.text.get_mut(..written.len()) {
            text.copy_from_slice(written);
            (self.key, self.len) = (key, written.len() as u8);
        }
    }
}

/// Mixes the key so that neighbouring addresses and ports fall apart. Whoever chooses colliding endpoints gains
/// nothing but texts that are written again.
#[inline]
fn place_of(key: Key) -> usize {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = key;
    let addresses = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let ports = u64::from(u32::from_le_bytes([i, j, k, l]));
    let mixed = (addresses ^ ports.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - PLACES.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_the_same_from_the_table_and_after_another_took_their_place() {
        let mut endpoints = Endpoints::default();
        let mut line = Line::default();
        for round in 0..3 {
            for n in 0..3 * PLACES as u32 {
                let (src, dst) = (Ipv4Addr::from(n.wrapping_mul(65_521)), Ipv4Addr::from(u32::MAX - n % 7));
                line.clear();
                endpoints.write(&mut line, src, dst, n as u16, u16::MAX);
                let expected = format!("{src}.{} > {dst}.65535: ", n as u16);
                assert_eq!(line.as_bytes(), expected.as_bytes(), "round {round}");
            }
        }
    }
}
