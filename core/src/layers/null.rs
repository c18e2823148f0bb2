//! BSD loopback: four octets of address family, in the byte order of whoever captured.
//!
//! `LINKTYPE_LOOP` fixes network order; `LINKTYPE_NULL` does not, but no family needs more than 16 bits, so
//! the order can be told from the value.

use super::{Cursor, Header, Layer, Next};
use crate::{
    error::Fault,
    field::{Fields, Value},
};

const HEADER_LEN: usize = 4;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let next = match family(*at.head()?) {
        2 => Next::layer(Layer::Ipv4),
        // NetBSD and OpenBSD; FreeBSD; macOS; Linux.
        24 | 28 | 30 | 10 => Next::layer(Layer::Ipv6),
        _ => Next::DATA,
    };
    Ok(Header::open_ended(at, HEADER_LEN, next))
}

/// The address family, whichever byte order the four octets have.
pub fn family(octets: [u8; 4]) -> u32 {
    u32::from_be_bytes(octets).min(u32::from_le_bytes(octets))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    if let Some(octets) = fields.header.first_chunk() {
        fields.push("null.family", "Family", 0, HEADER_LEN, Value::Uint(family(*octets).into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, ipv6, layers, shown},
        },
        record::LinkType,
    };

    #[test]
    fn the_family_is_read_in_either_byte_order() {
        for family in [[0, 0, 0, 2], [2, 0, 0, 0]] {
            let record = [&family[..], &ipv4(253, 20)].concat();
            assert_eq!(layers(LinkType::NULL, &record), [Layer::Null, Layer::Ipv4]);
            assert_eq!(layers(LinkType::LOOP, &record), [Layer::Null, Layer::Ipv4]);
        }
    }

    #[test]
    fn every_system_has_its_own_number_for_ipv6() {
        for family in [10, 24, 28, 30] {
            let record = [&[family, 0, 0, 0][..], &ipv6(59, 0)].concat();
            assert_eq!(layers(LinkType::NULL, &record), [Layer::Null, Layer::Ipv6], "family {family}");
        }
        assert_eq!(layers(LinkType::NULL, &[7, 0, 0, 0, 1]), [Layer::Null]);
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::NULL, &[9, 0, 0, 0], Layer::Null, 0, 4);
    }

    #[test]
    fn the_family_is_shown_as_the_system_means_it() {
        let lines = shown(&decode(LinkType::NULL, &[30, 0, 0, 0]), Layer::Null);
        assert_eq!(lines, ["0..4 null.family = 30"]);
    }
}
