//! TCP (RFC 9293) and its options.

use etherparse::{
    TcpHeaderSlice,
    err::tcp::{HeaderError, HeaderSliceError},
};

use super::{Cursor, Header, Next};
use crate::{
    error::Fault,
    field::{Fields, Value},
};

/// Octets of a TCP header without options.
pub const MIN_HEADER_LEN: usize = 20;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let header = TcpHeaderSlice::from_slice(at.rest()).map_err(fault)?;
    Ok(Header::open_ended(at, header.slice().len(), Next::DATA))
}

#[cold]
fn fault(error: HeaderSliceError) -> Fault {
    match error {
        HeaderSliceError::Len(len) => Fault::cut(len.required_len, len.len),
        HeaderSliceError::Content(HeaderError::DataOffsetTooSmall { data_offset }) => {
            Fault::bad("data offset in words", 12, 5, data_offset.into())
        }
    }
}

/// The options of a TCP header, which may be cut; the last item is an error if they are.
pub fn options(header: &[u8]) -> TcpOptions<'_> {
    TcpOptions { rest: header.get(MIN_HEADER_LEN..).unwrap_or_default(), at: MIN_HEADER_LEN }
}

/// Iterator over the options of one header, ended by an end-of-list option or the header's end.
#[derive(Clone, Debug)]
pub struct TcpOptions<'a> {
    rest: &'a [u8],
    at: usize,
}

/// One option as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpOption<'a> {
    /// Option kind (IANA "TCP Option Kind Numbers").
    pub kind: u8,
    /// The octets behind kind and length.
    pub data: &'a [u8],
    /// Octets from the start of the TCP header.
    pub at: usize,
    /// Octets of the whole option.
    pub len: usize,
}

/// End of option list.
pub const OPTION_END: u8 = 0;
/// Padding of one octet.
pub const OPTION_NOP: u8 = 1;

impl<'a> Iterator for TcpOptions<'a> {
    /// An option, or the octet of the header at which the options stop making sense.
    type Item = Result<TcpOption<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&kind, behind_kind) = self.rest.split_first()?;
        let at = self.at;
        let len = match kind {
            OPTION_END | OPTION_NOP => 1,
            _ => usize::from(behind_kind.first().copied().unwrap_or_default()),
        };
        let Some((option, rest)) =
            self.rest.split_at_checked(len).filter(|_| len > 0 && (len > 1 || kind <= 1))
        else {
            self.rest = &[];
            return Some(Err(at));
        };
        (self.rest, self.at) = if kind == OPTION_END { (&[][..], at) } else { (rest, at + len) };
        Some(Ok(TcpOption { kind, data: option.get(2..).unwrap_or_default(), at, len }))
    }
}

/// The name of an option kind, as Wireshark and tcpdump users know it.
pub fn option_name(kind: u64) -> Option<&'static str> {
    Some(match kind {
        0 => "end of options",
        1 => "no operation",
        2 => "maximum segment size",
        3 => "window scale",
        4 => "SACK permitted",
        5 => "SACK",
        8 => "timestamps",
        19 => "MD5 signature",
        28 => "user timeout",
        29 => "TCP authentication",
        30 => "multipath TCP",
        34 => "fast open cookie",
        69 => "encryption negotiation",
        172 | 174 => "accurate ECN",
        254 => "experiment",
        _ => return None,
    })
}

/// The flags in the second octet of the two.
const FLAGS: [(&str, &str, u64); 8] = [
    ("tcp.flags.cwr", "Congestion window reduced", 0x80),
    ("tcp.flags.ece", "ECN echo", 0x40),
    ("tcp.flags.urg", "Urgent", 0x20),
    ("tcp.flags.ack", "Acknowledgment", 0x10),
    ("tcp.flags.push", "Push", 0x08),
    ("tcp.flags.reset", "Reset", 0x04),
    ("tcp.flags.syn", "Syn", 0x02),
    ("tcp.flags.fin", "Fin", 0x01),
];

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("tcp.srcport", "Source port", 0, 2).uint("tcp.dstport", "Destination port", 2, 2);
    fields.uint("tcp.seq_raw", "Sequence number", 4, 4).uint("tcp.ack_raw", "Acknowledgment number", 8, 4);
    if let Some(octet) = fields.number(12, 1) {
        fields.push("tcp.hdr_len", "Header length", 12, 1, Value::Uint((octet >> 4) * 4));
    }
    if let Some(word) = fields.number(12, 2) {
        fields.push("tcp.flags", "Flags", 12, 2, Value::Hex(word & 0x0fff, 3)).nest(|fields| {
            fields.bits("tcp.flags.res", "Reserved", 12, 1, 0x0e).bits(
                "tcp.flags.ae",
                "Accurate ECN",
                12,
                1,
                0x01,
            );
            for (key, label, mask) in FLAGS {
                fields.bits(key, label, 13, 1, mask);
            }
        });
    }
    fields.uint("tcp.window_size_value", "Window", 14, 2).hex("tcp.checksum", "Checksum", 16, 2);
    fields.uint("tcp.urgent_pointer", "Urgent pointer", 18, 2);
    if fields.header.len() > MIN_HEADER_LEN {
        fields.bytes("tcp.options", "Options", MIN_HEADER_LEN, usize::MAX).nest(option_fields);
    }
}

fn option_fields(fields: &mut Fields<'_>) {
    let header = fields.header;
    for option in options(header) {
        match option {
            Ok(option) => option_field(fields, &option),
            Err(at) => {
                fields.bytes("tcp.options.malformed", "Malformed options", at, usize::MAX);
            }
        }
    }
}

fn option_field(fields: &mut Fields<'_>, option: &TcpOption<'_>) {
    let (at, data_at) = (option.at, option.at + 2);
    let name = option_name(option.kind.into()).unwrap_or("unknown");
    fields.push(option_key(option.kind), "Option", at, option.len, Value::Text(name.into()));
    fields.nest(|fields| {
        fields.uint("tcp.option_kind", "Kind", at, 1);
        if option.len > 1 {
            fields.uint("tcp.option_len", "Length", at + 1, 1);
        }
        match (option.kind, option.data.len()) {
            (2, 2) => fields.uint("tcp.options.mss_val", "Maximum segment size", data_at, 2),
            (3, 1) => fields.uint("tcp.options.wscale.shift", "Shift count", data_at, 1),
            (5, len) => {
                for edge in (data_at..data_at + len - len % 8).step_by(8) {
                    fields.uint("tcp.options.sack_le", "Left edge", edge, 4);
                    fields.uint("tcp.options.sack_re", "Right edge", edge + 4, 4);
                }
                fields
            }
            (8, 8) => fields.uint("tcp.options.timestamp.tsval", "Timestamp value", data_at, 4).uint(
                "tcp.options.timestamp.tsecr",
                "Timestamp echo reply",
                data_at + 4,
                4,
            ),
            (19, 16) => fields.bytes("tcp.options.md5.digest", "MD5 digest", data_at, 16),
            (34, len @ 1..) => fields.bytes("tcp.options.tfo.cookie", "Fast open cookie", data_at, len),
            (_, 0) => fields,
            (_, len) => fields.bytes("tcp.options.data", "Data", data_at, len),
        };
    });
}

/// What Wireshark calls an option as a whole.
fn option_key(kind: u8) -> &'static str {
    match kind {
        OPTION_END => "tcp.options.eol",
        OPTION_NOP => "tcp.options.nop",
        2 => "tcp.options.mss",
        3 => "tcp.options.wscale",
        4 => "tcp.options.sack_perm",
        5 => "tcp.options.sack",
        8 => "tcp.options.timestamp",
        19 => "tcp.options.md5",
        34 => "tcp.options.tfo",
        253 | 254 => "tcp.options.experimental",
        _ => "tcp.option",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_with(options: &[u8]) -> Vec<u8> {
        [&[0; MIN_HEADER_LEN][..], options].concat()
    }

    #[test]
    fn options_end_at_the_end_of_list() {
        let header = header_with(&[1, 2, 4, 5, 0xb4, 0, 9, 9]);
        let kinds: Vec<_> = options(&header).map(|option| option.map(|option| option.kind)).collect();
        assert_eq!(kinds, [Ok(1), Ok(2), Ok(0)]);
    }

    #[test]
    fn an_option_that_claims_more_than_the_header_holds_reports_its_own_offset() {
        let header = header_with(&[1, 8, 10, 0]);
        assert_eq!(options(&header).last(), Some(Err(21)));
    }

    #[test]
    fn an_option_of_length_zero_or_one_ends_the_options() {
        for len in [0, 1] {
            let header = header_with(&[8, len, 1, 1]);
            assert_eq!(options(&header).collect::<Vec<_>>(), [Err(20)]);
        }
    }
}
