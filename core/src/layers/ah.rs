//! IP Authentication Header (RFC 4302), under IPv4 and IPv6 alike. What it authenticates stays readable.

use super::{Cursor, Header, Next, ipv4::protocol_name};
use crate::{error::Fault, field::Fields};

/// Next header, length, reserved, SPI and sequence number.
const FIXED_LEN: usize = 12;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let head = at.head::<FIXED_LEN>()?;
    let [next_header, words, ..] = *head;
    let header_len = (usize::from(words) + 2) * 4;
    if header_len < FIXED_LEN {
        return Err(Fault::bad("length in words less 2", 1, 1, words.into()));
    }
    let had = at.rest().len();
    if had < header_len {
        return Err(Fault::cut(header_len, had));
    }
    Ok(Header::open_ended(at, header_len, Next::ip_protocol(next_header)))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("ah.next_header", "Next header", 0, 1).named(protocol_name);
    fields.uint("ah.length", "Length", 1, 1).hex("ah.spi", "SPI", 4, 4).uint("ah.sequence", "Sequence", 8, 4);
    fields.bytes("ah.icv", "Integrity check value", FIXED_LEN, usize::MAX);
}

#[cfg(test)]
mod tests {
    use crate::{
        error::Cause,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv4, shown},
        },
        record::LinkType,
    };

    /// IPv4 / AH with a check value of 12 octets / the first octets of UDP.
    fn packet() -> Vec<u8> {
        let ah = [17, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
        [&ipv4(51, 60)[..], &ah, &[0xcc; 12], &[0, 53, 0, 53, 0, 16, 0, 0], &[0; 8]].concat()
    }

    #[test]
    fn what_it_authenticates_is_read() {
        let packet = packet();
        let stack = decode(LinkType::RAW, &packet);
        let layers: Vec<_> = stack.layers().iter().map(|span| (span.layer, span.offset)).collect();
        assert_eq!(layers, [(Layer::Ipv4, 0), (Layer::Ah, 20), (Layer::Udp, 44)]);
    }

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::RAW, &packet()[..32], Layer::Ah, 20, 12);
    }

    #[test]
    fn a_length_below_the_fixed_part_is_refused_at_its_octet() {
        let mut packet = packet();
        packet[21] = 0;
        let stop = decode(LinkType::RAW, &packet).stop().unwrap();
        assert_eq!((stop.layer, stop.offset, stop.needed, stop.had), (Layer::Ah, 21, 1, 0));
        assert!(matches!(stop.cause, Cause::Bad(_)));
    }

    #[test]
    fn every_field_is_shown_and_the_check_value_may_be_empty() {
        assert_eq!(
            shown(&decode(LinkType::RAW, &packet()), Layer::Ah),
            [
                "0..1 ah.next_header = 17 (UDP)".to_owned(),
                "1..2 ah.length = 4".to_owned(),
                "4..8 ah.spi = 0x00000100".to_owned(),
                "8..12 ah.sequence = 1".to_owned(),
                format!("12..24 ah.icv = {}", "cc".repeat(12)),
            ]
        );
        let mut without = packet();
        without[21] = 1;
        let stack = decode(LinkType::RAW, &without[..32]);
        assert_eq!(
            (stack.stop().map(|stop| stop.layer), shown(&stack, Layer::Ah).len()),
            (Some(Layer::Udp), 4)
        );
    }

    #[test]
    fn a_check_value_that_is_cut_says_how_many_octets_are_missing() {
        let stop = decode(LinkType::RAW, &packet()[..43]).stop().unwrap();
        assert_eq!((stop.layer, stop.offset, stop.needed, stop.had), (Layer::Ah, 20, 24, 23));
        let behind = decode(LinkType::RAW, &packet()[..44]).stop().unwrap();
        assert_eq!(behind.layer, Layer::Udp);
    }
}
