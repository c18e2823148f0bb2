//! IGMP, versions 1 to 3 (RFC 1112, 2236, 3376): the eight octets that all versions share.

use super::{Cursor, Header, Next};
use crate::{error::Fault, field::Fields};

const HEADER_LEN: usize = 8;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    at.head::<HEADER_LEN>()?;
    Ok(Header::open_ended(at, HEADER_LEN, Next::DATA))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.hex("igmp.type", "Type", 0, 1).named(type_name);
    match fields.number(0, 2) {
        // A query without a response time is one of version 1, which has none.
        Some(0x1101..=0x11ff | 0x1600..=0x17ff) => {
            fields.uint("igmp.max_resp", "Maximum response time", 1, 1)
        }
        _ => fields.bytes("igmp.reserved", "Reserved", 1, 1),
    };
    fields.hex("igmp.checksum", "Checksum", 2, 2);
    match fields.number(0, 1) {
        Some(0x22) => fields.uint("igmp.num_grp_recs", "Group records", 6, 2),
        _ => fields.ipv4("igmp.maddr", "Group", 4),
    };
}

fn type_name(value: u64) -> Option<&'static str> {
    Some(match value {
        0x11 => "membership query",
        0x12 => "membership report v1",
        0x16 => "membership report v2",
        0x17 => "leave group",
        0x22 => "membership report v3",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, shown, value},
        },
        record::LinkType,
    };

    /// IPv4 / IGMP version 2 report for 224.0.0.251.
    fn report() -> Vec<u8> {
        [&ipv4(2, 28)[..], &[0x16, 0, 9, 4, 224, 0, 0, 251]].concat()
    }

    #[test]
    fn a_report_names_its_group() {
        let packet = report();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(value(&stack, "igmp.maddr"), Some(Value::Ipv4([224, 0, 0, 251].into())));
        assert_eq!(value(&stack, "igmp.max_resp"), Some(Value::Uint(0)));
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::RAW, &report(), Layer::Igmp, 20, 8);
    }

    #[test]
    fn what_the_octets_mean_depends_on_the_version() {
        for (kind, second, expected) in [
            (0x11, 0, "0x11 (membership query), 1..2 igmp.reserved = 00"),
            (0x11, 100, "0x11 (membership query), 1..2 igmp.max_resp = 100"),
            (0x12, 5, "0x12 (membership report v1), 1..2 igmp.reserved = 05"),
            (0x16, 0, "0x16 (membership report v2), 1..2 igmp.max_resp = 0"),
            (0x17, 0, "0x17 (leave group), 1..2 igmp.max_resp = 0"),
            (0x13, 1, "0x13, 1..2 igmp.reserved = 01"),
        ] {
            let packet = [&ipv4(2, 28)[..], &[kind, second, 9, 4, 224, 0, 0, 251]].concat();
            let lines = shown(&decode(LinkType::RAW, &packet), Layer::Igmp);
            assert_eq!(lines[..2].join(", "), format!("0..1 igmp.type = {expected}"));
            assert_eq!(lines[2..], ["2..4 igmp.checksum = 0x0904", "4..8 igmp.maddr = 224.0.0.251"]);
        }
        let third = [&ipv4(2, 28)[..], &[0x22, 0, 9, 4, 0, 0, 0, 3]].concat();
        let lines = shown(&decode(LinkType::RAW, &third), Layer::Igmp);
        assert_eq!(lines[0], "0..1 igmp.type = 0x22 (membership report v3)");
        assert_eq!(lines[3..], ["6..8 igmp.num_grp_recs = 3"]);
    }
}
