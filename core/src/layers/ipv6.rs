//! IPv6 (RFC 8200). Its extension headers are layers of their own: see `ipv6_ext` and `ah`.
//!
//! A payload length of 0 means a jumbogram or a large frame that is segmented later; the packet then ends
//! where the frame ends.

use etherparse::{
    Ipv6HeaderSlice,
    err::ipv6::{HeaderError, HeaderSliceError},
};

use super::{Cursor, Header, Next, ipv4::protocol_name};
use crate::{
    error::Fault,
    field::{Fields, Value},
};

const HEADER_LEN: u32 = 40;
/// "No next header" (RFC 8200, 4.7): then a payload length of 0 is simply true.
const NO_NEXT_HEADER: u8 = 59;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let header = Ipv6HeaderSlice::from_slice(at.rest()).map_err(fault)?;
    let next_header = header.next_header().0;
    let end = match header.payload_length() {
        0 if next_header != NO_NEXT_HEADER => at.end,
        payload_len => at.offset + HEADER_LEN + u32::from(payload_len),
    };
    Ok(Header { header_len: HEADER_LEN, end, next: Next::ip_protocol(next_header) })
}

#[cold]
fn fault(error: HeaderSliceError) -> Fault {
    match error {
        HeaderSliceError::Len(len) => Fault::cut(len.required_len, len.len),
        HeaderSliceError::Content(HeaderError::UnexpectedVersion { version_number }) => {
            Fault::bad("version", 0, 6, version_number.into())
        }
    }
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.bits("ipv6.version", "Version", 0, 1, 0xf0);
    if fields.number(0, 4).is_some() {
        fields.bits("ipv6.tclass", "Traffic class", 0, 4, 0x0ff0_0000).nest(|fields| {
            fields.bits("ipv6.tclass.dscp", "DSCP", 0, 4, 0x0fc0_0000);
            fields.bits("ipv6.tclass.ecn", "ECN", 0, 4, 0x0030_0000);
        });
    }
    if let Some(word) = fields.number(1, 3) {
        fields.push("ipv6.flow", "Flow label", 1, 3, Value::Hex(word & 0x000f_ffff, 5));
    }
    fields.uint("ipv6.plen", "Payload length", 4, 2);
    fields.uint("ipv6.nxt", "Next header", 6, 1).named(protocol_name);
    fields.uint("ipv6.hlim", "Hop limit", 7, 1);
    fields.ipv6("ipv6.src", "Source", 8).ipv6("ipv6.dst", "Destination", 24);
}

#[cfg(test)]
mod tests {
    use crate::{
        field::Value,
        layers::{
            Layer,
            testing::{assert_cut, decode, ipv6, layers, value},
        },
        record::LinkType,
    };

    #[test]
    fn a_cut_header_says_how_many_octets_are_missing() {
        assert_cut(LinkType::IPV6, &ipv6(253, 0), Layer::Ipv6, 0, 40);
    }

    #[test]
    fn payload_length_zero_ends_where_the_frame_ends() {
        let packet = [&ipv6(17, 0)[..], &[0, 53, 0, 54, 0, 0, 0, 0], &[7; 100]].concat();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!((stack.layers()[0].wire_len(), stack.layers()[1].payload_len()), (148, 100));
    }

    #[test]
    fn payload_length_zero_is_true_where_nothing_follows() {
        let packet = [&ipv6(59, 0)[..], &[0; 6]].concat();
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!((layers(LinkType::RAW, &packet), stack.layers()[0].wire_len()), (vec![Layer::Ipv6], 40));
    }

    #[test]
    fn class_and_label_are_told_apart() {
        let mut packet = ipv6(59, 0);
        packet[..4].copy_from_slice(&[0x6b, 0x81, 0x23, 0x45]);
        let stack = decode(LinkType::RAW, &packet);
        assert_eq!(value(&stack, "ipv6.tclass"), Some(Value::Uint(0xb8)));
        assert_eq!(value(&stack, "ipv6.flow"), Some(Value::Hex(0x12345, 5)));
    }
}
