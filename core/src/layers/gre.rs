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
    fields.hex("gre.flags_and_version", "Flags and version", 0, 2);
    fields.hex("gre.proto", "Protocol type", 2, 2).named(super::ethernet::ether_type_name);
    let words = Words::of(fields.number(0, 2).unwrap_or_default() as u16);
    let mut at = FIXED_LEN;
    if words.checksum {
        fields.hex("gre.checksum", "Checksum", at, 2);
        at += 4;
    }
    if words.key {
        fields.hex("gre.key", "Key", at, 4);
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
