//! GRE (RFC 2784, keys and sequence numbers by RFC 2890) and its PPTP variant (version 1, RFC 2637).
//!
//! Written here because etherparse has no GRE. Real GWLB traffic carries it inline.

use super::{Cursor, Header, Next};
use crate::{error::Fault, field::Fields};

const FIXED_LEN: usize = 4;
const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let [a, b, c, d] = *at.head::<FIXED_LEN>()?;
    let (flags, protocol) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let version = flags & VERSION;
    if version > 1 {
        return Err(Fault::bad("version", 1, 1, version.into()));
    }
    if flags & ROUTING != 0 {
        return Err(Fault::bad("routing-present bit (deprecated by RFC 2784)", 0, 0, 1));
    }
    let words = Words::of(flags);
    let header_len = FIXED_LEN + 4 * words.count();
    let had = at.rest().len();
    if had < header_len {
        return Err(Fault::cut(header_len, had));
    }
    Ok(Header::open_ended(at, header_len, Next::ether_type(protocol)))
}

/// Which optional words follow the fixed four octets.
struct Words {
    checksum: bool,
    key: bool,
    sequence: bool,
    acknowledgment: bool,
}

impl Words {
    fn of(flags: u16) -> Self {
        let is = |bit| flags & bit != 0;
        let acknowledgment = flags & VERSION == 1 && is(ACKNOWLEDGMENT);
        Self { checksum: is(CHECKSUM), key: is(KEY), sequence: is(SEQUENCE), acknowledgment }
    }

    fn count(&self) -> usize {
        [self.checksum, self.key, self.sequence, self.acknowledgment]
            .into_iter()
            .filter(|present| *present)
            .count()
    }
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    if let Some(flags) = fields.number(0, 2) {
        fields.hex("gre.flags_and_version", "Flags and version", 0, 2);
        fields.nest(|fields| flag_fields(fields, flags & u64::from(VERSION) == 1));
    }
    fields.hex("gre.proto", "Protocol type", 2, 2).named(super::ethernet::ether_type_name);
    let flags = fields.number(0, 2).unwrap_or_default() as u16;
    let (words, is_pptp) = (Words::of(flags), flags & VERSION == 1);
    let mut at = FIXED_LEN;
    if words.checksum {
        fields.hex("gre.checksum", "Checksum", at, 2).uint("gre.offset", "Offset", at + 2, 2);
        at += 4;
    }
    if words.key {
        if is_pptp {
            fields.uint("gre.key.payload_length", "Payload length", at, 2);
            fields.uint("gre.key.call_id", "Call id", at + 2, 2);
        } else {
            fields.hex("gre.key", "Key", at, 4);
        }
        at += 4;
    }
    if words.sequence {
        fields.uint("gre.sequence_number", "Sequence number", at, 4);
        at += 4;
    }
    if words.acknowledgment {
        fields.uint("gre.ack_number", "Acknowledgment number", at, 4);
    }
}

fn flag_fields(fields: &mut Fields<'_>, is_pptp: bool) {
    for (key, label, mask) in [
        ("gre.flags.checksum", "Checksum present", CHECKSUM),
        ("gre.flags.routing", "Routing present", ROUTING),
        ("gre.flags.key", "Key present", KEY),
        ("gre.flags.sequence_number", "Sequence number present", SEQUENCE),
        ("gre.flags.strict_source_route", "Strict source route", 0x0800),
        ("gre.flags.recursion_control", "Recursion control", 0x0700),
    ] {
        fields.bits(key, label, 0, 2, mask.into());
    }
    let mut reserved = 0x00f8;
    if is_pptp {
        fields.bits("gre.flags.ack", "Acknowledgment present", 0, 2, ACKNOWLEDGMENT.into());
        reserved &= !ACKNOWLEDGMENT;
    }
    fields.bits("gre.flags.reserved", "Reserved", 0, 2, reserved.into());
    fields.bits("gre.flags.version", "Version", 0, 2, VERSION.into());
}

#[cfg(test)]
mod tests {
    use crate::{
        error::Cause,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, layers, shown},
        },
        record::LinkType,
    };

    /// IPv4 / GRE with checksum, key and sequence number / IPv4.
    fn packet(flags: u8) -> Vec<u8> {
        [&ipv4(47, 56)[..], &[flags, 0, 8, 0], &[9; 12], &ipv4(253, 20)].concat()
    }

    #[test]
    fn each_optional_word_moves_the_payload() {
        assert_eq!(decode(LinkType::RAW, &packet(0xb0)).layers()[1].header(), 20..36);
        assert_eq!(layers(LinkType::RAW, &packet(0xb0)), [Layer::Ipv4, Layer::Gre, Layer::Ipv4]);
        assert_eq!(decode(LinkType::RAW, &packet(0x20)).layers()[1].header(), 20..28);
        assert_eq!(decode(LinkType::RAW, &packet(0x00)).layers()[1].header(), 20..24);
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::RAW, &packet(0), Layer::Gre, 20, 4);
        let stop = decode(LinkType::RAW, &packet(0xb0)[..30]).stop().unwrap();
        assert_eq!((stop.offset, stop.needed, stop.had, stop.cause), (20, 16, 10, Cause::Cut));
    }

    #[test]
    fn source_routing_and_unknown_versions_are_refused() {
        let mut packet = packet(0x40);
        assert_eq!(decode(LinkType::RAW, &packet).stop().unwrap().offset, 20);
        packet[20..22].copy_from_slice(&[0, 2]);
        let stop = decode(LinkType::RAW, &packet).stop().unwrap();
        assert_eq!((stop.offset, stop.had, stop.cause), (21, 2, Cause::Bad("version")));
    }

    #[test]
    fn every_optional_word_is_shown_where_it_lies() {
        let mut all = packet(0xb0);
        all[24..36].copy_from_slice(&[0xbe, 0xef, 0, 3, 0, 0, 0, 7, 0, 0, 0, 8]);
        assert_eq!(
            shown(&decode(LinkType::RAW, &all), Layer::Gre),
            [
                "0..2 gre.flags_and_version = 0xb000",
                "  0..2 gre.flags.checksum = 1",
                "  0..2 gre.flags.routing = 0",
                "  0..2 gre.flags.key = 1",
                "  0..2 gre.flags.sequence_number = 1",
                "  0..2 gre.flags.strict_source_route = 0",
                "  0..2 gre.flags.recursion_control = 0",
                "  0..2 gre.flags.reserved = 0",
                "  0..2 gre.flags.version = 0",
                "2..4 gre.proto = 0x0800 (IPv4)",
                "4..6 gre.checksum = 0xbeef",
                "6..8 gre.offset = 3",
                "8..12 gre.key = 0x00000007",
                "12..16 gre.sequence_number = 8",
            ]
        );
        let mut key_alone = packet(0x20);
        key_alone[27] = 1;
        let lines = shown(&decode(LinkType::RAW, &key_alone), Layer::Gre);
        assert_eq!(lines[10..], ["4..8 gre.key = 0x09090901"]);
    }

    #[test]
    fn the_key_of_pptp_is_a_length_and_a_call_and_its_acknowledgment_comes_last() {
        // Checksum, key and sequence number; acknowledgment, two reserved bits, version 1; PPP.
        let head = [0xb0, 0x99, 0x88, 0x0b];
        let words = [[0, 1, 0, 2], [0, 9, 0, 7], [0, 0, 0, 3], [0, 0, 0, 4]].concat();
        let packet = [&ipv4(47, 49)[..], &head, &words, &[0xff; 9]].concat();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(stack.layers()[1].header(), 20..40);
        assert_eq!(
            shown(&stack, Layer::Gre)[7..],
            [
                "  0..2 gre.flags.ack = 1",
                "  0..2 gre.flags.reserved = 3",
                "  0..2 gre.flags.version = 1",
                "2..4 gre.proto = 0x880b",
                "4..6 gre.checksum = 0x0001",
                "6..8 gre.offset = 2",
                "8..10 gre.key.payload_length = 9",
                "10..12 gre.key.call_id = 7",
                "12..16 gre.sequence_number = 3",
                "16..20 gre.ack_number = 4",
            ]
        );
        // Without the version, the same bit is reserved and no word follows for it.
        let plain = [&ipv4(47, 49)[..], &[0, 0x80, 8, 0], &words, &[0xff; 9]].concat();
        let stack = decode(LinkType::RAW, &plain);
        assert_eq!(stack.layers()[1].header(), 20..24);
        assert_eq!(shown(&stack, Layer::Gre)[7], "  0..2 gre.flags.reserved = 16");
    }
}
