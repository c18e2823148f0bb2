//! VXLAN (RFC 7348): how VPC Traffic Mirroring wraps a mirrored frame; the VNI names the mirror session.
//!
//! ```text
//!  0                   1                   2                   3
//! |R|R|R|R|I|R|R|R|            Reserved                           |
//! |                VXLAN Network Identifier (VNI) |   Reserved    |
//! ```
//!
//! Reserved bits are ignored on receipt, as the RFC says; the fields report them.

use super::{Cursor, Header, Layer, Next};
use crate::{error::Fault, field::Fields};

/// The port that IANA gave VXLAN, and the one that mirror sessions use.
pub const UDP_PORT: u16 = 4789;
/// Octets of a VXLAN header.
pub const HEADER_LEN: usize = 8;
/// The I flag: the VNI is valid.
pub const VALID_VNI: u8 = 0x08;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    at.head::<HEADER_LEN>()?;
    Ok(Header::open_ended(at, HEADER_LEN, Next::layer(Layer::Ethernet)))
}

/// Flags, the reserved octets and the VNI of a header of at least eight octets.
#[inline]
pub fn header(octets: &[u8]) -> Option<Vxlan> {
    let [flags, r1, r2, r3, a, b, c, r4] = *octets.first_chunk()?;
    Some(Vxlan { flags, reserved: [r1, r2, r3, r4], vni: u32::from_be_bytes([0, a, b, c]) })
}

/// The content of a VXLAN header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// The first octet.
    pub flags: u8,
    /// Octets 1 to 3 and 7.
    pub reserved: [u8; 4],
    /// The network identifier, 24 bits.
    pub vni: u32,
}

impl Vxlan {
    /// Whether any bit is set that RFC 7348 reserves.
    pub fn has_reserved_bits(&self) -> bool {
        self.flags & !VALID_VNI != 0 || self.reserved != [0; 4]
    }
}

/// Whether the octets look like VXLAN although only the source port says so.
pub(crate) fn is_plausible(at: &Cursor<'_>) -> bool {
    header(at.rest()).is_some_and(|vxlan| vxlan.flags == VALID_VNI && !vxlan.has_reserved_bits())
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    if fields.number(0, 2).is_some() {
        fields.hex("vxlan.flags", "Flags", 0, 2);
        if let Some(meaning) = header(fields.header).and_then(remark) {
            fields.meaning(meaning);
        }
        fields.nest(|fields| {
            fields.bits("vxlan.flag_i", "VNI is valid (I)", 0, 2, 0x0800);
        });
    }
    fields.uint("vxlan.gbp", "Reserved (group policy id)", 2, 2);
    fields.uint("vxlan.vni", "VNI", 4, 3);
    fields.hex("vxlan.reserved8", "Reserved", 7, 1);
}

fn remark(vxlan: Vxlan) -> Option<&'static str> {
    match vxlan.flags & VALID_VNI {
        0 => Some("the I flag is not set: the VNI is not valid"),
        _ => vxlan.has_reserved_bits().then_some("reserved bits are set"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        field::{self, Value},
        layers::testing::{assert_cut, decode, ipv4, udp, value},
        record::LinkType,
    };

    fn packet(header: [u8; 8]) -> Vec<u8> {
        [&ipv4(17, 50)[..], &udp(9, UDP_PORT, 30), &header, &[1; 14]].concat()
    }

    #[test]
    fn reserved_bits_are_tolerated_and_reported() {
        for header in [[8, 0, 0, 0, 0, 0, 7, 0], [0x88, 1, 2, 3, 0, 0, 7, 9], [0, 0, 0, 0, 0, 0, 7, 0]] {
            let packet = packet(header);
            let stack = decode(LinkType::RAW, &packet);
            assert_eq!(stack.layers()[3].layer, Layer::Ethernet);
            assert_eq!(value(&stack, "vxlan.vni"), Some(Value::Uint(7)));
            let flags = field::tree(&stack)[2].fields[0].clone();
            assert_eq!(flags.meaning.is_some(), header != [8, 0, 0, 0, 0, 0, 7, 0], "{header:?}");
        }
    }

    #[test]
    fn a_reserved_bit_is_seen_wherever_it_is() {
        let is_seen = |octets: [u8; 8]| header(&octets).map(|vxlan| vxlan.has_reserved_bits());
        assert_eq!(is_seen([8, 0, 0, 0, 1, 2, 3, 0]), Some(false));
        for (at, bit) in [(0, 0x80), (0, 1), (1, 1), (2, 0x40), (3, 8), (7, 2)] {
            let mut octets = [8, 0, 0, 0, 1, 2, 3, 0];
            octets[at] |= bit;
            assert_eq!(is_seen(octets), Some(true), "{bit:#x} of octet {at}");
        }
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::RAW, &packet([8, 0, 0, 0, 0, 0, 7, 0]), Layer::Vxlan, 28, 8);
    }
}
