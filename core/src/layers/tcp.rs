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
    use crate::{
        layers::{
            Layer,
            testing::{decode, ipv4, named, shown},
        },
        record::LinkType,
    };

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

    /// IPv4 / TCP 443 to 50000 with these flags and options, whose length is one of whole words.
    fn packet(offset_and_flags: [u8; 2], options: &[u8]) -> Vec<u8> {
        let mut packet = ipv4(6, 40 + options.len() as u16);
        packet.extend([0x01, 0xbb, 0xc3, 0x50]); // ports
        packet.extend([0, 0, 0x10, 0, 0, 0, 0x20, 1]); // sequence, acknowledgment
        packet.extend(offset_and_flags);
        packet.extend([0x01, 0x00, 0xbe, 0xef, 0, 5]); // window, checksum, urgent pointer
        packet.extend(options);
        packet
    }

    #[test]
    fn every_field_of_a_header_is_shown_with_its_octets() {
        // Accurate ECN and a reserved bit; ECE, ACK, SYN.
        let packet = packet([0x53, 0x52], &[]);
        assert_eq!(
            shown(&decode(LinkType::RAW, &packet), Layer::Tcp),
            [
                "0..2 tcp.srcport = 443",
                "2..4 tcp.dstport = 50000",
                "4..8 tcp.seq_raw = 4096",
                "8..12 tcp.ack_raw = 8193",
                "12..13 tcp.hdr_len = 20",
                "12..14 tcp.flags = 0x352",
                "  12..13 tcp.flags.res = 1",
                "  12..13 tcp.flags.ae = 1",
                "  13..14 tcp.flags.cwr = 0",
                "  13..14 tcp.flags.ece = 1",
                "  13..14 tcp.flags.urg = 0",
                "  13..14 tcp.flags.ack = 1",
                "  13..14 tcp.flags.push = 0",
                "  13..14 tcp.flags.reset = 0",
                "  13..14 tcp.flags.syn = 1",
                "  13..14 tcp.flags.fin = 0",
                "14..16 tcp.window_size_value = 256",
                "16..18 tcp.checksum = 0xbeef",
                "18..20 tcp.urgent_pointer = 5",
            ]
        );
    }

    #[test]
    fn every_option_is_shown_with_what_is_in_it() {
        let options = [
            &[2, 4, 0x05, 0xb4][..],                      // maximum segment size 1460
            &[4, 2],                                      // SACK permitted
            &[8, 10, 0, 0, 0, 7, 0, 0, 0, 8],             // timestamps
            &[1],                                         // no operation
            &[3, 3, 9],                                   // window scale
            &[5, 12, 0, 0, 0, 3, 0, 0, 0, 4, 0xff, 0xff], // one SACK block, and two octets that are none
            &[34, 4, 0xaa, 0xbb],                         // fast open cookie
            &[99, 3, 0xcc],                               // nobody's
            &[0],                                         // end
        ]
        .concat();
        let packet = packet([0xf0, 0x10], &options);
        let lines = shown(&decode(LinkType::RAW, &packet), Layer::Tcp);
        assert_eq!(lines[4], "12..13 tcp.hdr_len = 60");
        assert_eq!(
            lines[20..],
            [
                "  20..24 tcp.options.mss = maximum segment size",
                "    20..21 tcp.option_kind = 2",
                "    21..22 tcp.option_len = 4",
                "    22..24 tcp.options.mss_val = 1460",
                "  24..26 tcp.options.sack_perm = SACK permitted",
                "    24..25 tcp.option_kind = 4",
                "    25..26 tcp.option_len = 2",
                "  26..36 tcp.options.timestamp = timestamps",
                "    26..27 tcp.option_kind = 8",
                "    27..28 tcp.option_len = 10",
                "    28..32 tcp.options.timestamp.tsval = 7",
                "    32..36 tcp.options.timestamp.tsecr = 8",
                "  36..37 tcp.options.nop = no operation",
                "    36..37 tcp.option_kind = 1",
                "  37..40 tcp.options.wscale = window scale",
                "    37..38 tcp.option_kind = 3",
                "    38..39 tcp.option_len = 3",
                "    39..40 tcp.options.wscale.shift = 9",
                "  40..52 tcp.options.sack = SACK",
                "    40..41 tcp.option_kind = 5",
                "    41..42 tcp.option_len = 12",
                "    42..46 tcp.options.sack_le = 3",
                "    46..50 tcp.options.sack_re = 4",
                "  52..56 tcp.options.tfo = fast open cookie",
                "    52..53 tcp.option_kind = 34",
                "    53..54 tcp.option_len = 4",
                "    54..56 tcp.options.tfo.cookie = aabb",
                "  56..59 tcp.option = unknown",
                "    56..57 tcp.option_kind = 99",
                "    57..58 tcp.option_len = 3",
                "    58..59 tcp.options.data = cc",
                "  59..60 tcp.options.eol = end of options",
                "    59..60 tcp.option_kind = 0",
            ]
        );
    }

    #[test]
    fn options_of_a_wrong_length_are_data_and_what_is_cut_is_malformed() {
        let options = [
            &[19, 18][..],
            &[0xdd; 16],                                              // MD5 signature
            &[5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4], // two SACK blocks
            &[2, 3, 0x05],                                            // a segment size of one octet
            &[8],                                                     // timestamps without a length
        ]
        .concat();
        let packet = packet([0xf0, 0x10], &options);
        let lines = shown(&decode(LinkType::RAW, &packet), Layer::Tcp);
        let edges: Vec<_> = lines.iter().filter(|line| line.contains("sack_")).collect();
        assert_eq!(
            edges,
            [
                "    40..44 tcp.options.sack_le = 1",
                "    44..48 tcp.options.sack_re = 2",
                "    48..52 tcp.options.sack_le = 3",
                "    52..56 tcp.options.sack_re = 4",
            ]
        );
        assert_eq!(lines[23], format!("    22..38 tcp.options.md5.digest = {}", "dd".repeat(16)));
        assert_eq!(
            lines[lines.len() - 2..],
            ["    58..59 tcp.options.data = 05", "  59..60 tcp.options.malformed = 08"]
        );
    }

    #[test]
    fn every_known_option_has_a_name() {
        let names = named(option_name);
        assert_eq!(
            names,
            [
                (0, "end of options"),
                (1, "no operation"),
                (2, "maximum segment size"),
                (3, "window scale"),
                (4, "SACK permitted"),
                (5, "SACK"),
                (8, "timestamps"),
                (19, "MD5 signature"),
                (28, "user timeout"),
                (29, "TCP authentication"),
                (30, "multipath TCP"),
                (34, "fast open cookie"),
                (69, "encryption negotiation"),
                (172, "accurate ECN"),
                (174, "accurate ECN"),
                (254, "experiment"),
            ]
        );
        let md5_and_experiments = [19, 253, 254, 252].map(option_key);
        let own = "tcp.options.experimental";
        assert_eq!(md5_and_experiments, ["tcp.options.md5", own, own, "tcp.option"]);
    }
}
