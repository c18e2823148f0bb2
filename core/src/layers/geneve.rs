//! Geneve (RFC 8926): the tunnel between GWLB and its targets.
//!
//! ```text
//!  0                   1                   2                   3
//! |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//! |        Virtual Network Identifier (VNI)       |    Reserved   |
//! |          Option Class         |      Type     |R|R|R| Length  |  as often as Opt Len has room
//! ```
//!
//! Reserved bits are ignored on receipt. Options that do not fill the option area exactly make the header
//! invalid (section 3.5), so nothing behind them is read.

use super::{Cursor, Header, Next};
use crate::{
    aws::gwlb,
    error::Fault,
    field::{Fields, Value},
};

/// The port that IANA gave Geneve, and the one on which GWLB speaks to its targets.
pub const UDP_PORT: u16 = 6081;
/// Octets of the header before its options.
pub const FIXED_LEN: usize = 8;
/// Octets of an option's header.
pub const OPTION_HEADER_LEN: usize = 4;

const OAM: u8 = 0x80;
const CRITICAL: u8 = 0x40;
const CRITICAL_TYPE: u8 = 0x80;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let [first, _, a, b, ..] = *at.head::<FIXED_LEN>()?;
    let version = first >> 6;
    if version != 0 {
        return Err(Fault::bad("version", 0, 0, version.into()));
    }
    let header_len = FIXED_LEN + options_len(first);
    let rest = at.rest();
    let Some(header) = rest.get(..header_len) else { return Err(Fault::cut(header_len, rest.len())) };
    if !gwlb::has_usual_options(header) {
        check_options(header)?;
    }
    Ok(Header::open_ended(at, header_len, Next::ether_type(u16::from_be_bytes([a, b]))))
}

fn options_len(first: u8) -> usize {
    usize::from(first & 0x3f) * 4
}

fn check_options(header: &[u8]) -> Result<(), Fault> {
    options(header).find_map(Result::err).map_or(Ok(()), Err)
}

/// The content of the fixed part of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geneve {
    /// O bit: a control packet, not to be forwarded.
    pub oam: bool,
    /// C bit: at least one option is critical.
    pub critical: bool,
    /// EtherType of the payload.
    pub protocol_type: u16,
    /// Virtual network identifier, 24 bits; GWLB sends 0.
    pub vni: u32,
    /// Octets of all options.
    pub options_len: usize,
}

/// Reads the fixed part of a header.
pub fn header(octets: &[u8]) -> Option<Geneve> {
    let [first, flags, p, q, a, b, c, _] = *octets.first_chunk()?;
    Some(Geneve {
        oam: flags & OAM != 0,
        critical: flags & CRITICAL != 0,
        protocol_type: u16::from_be_bytes([p, q]),
        vni: u32::from_be_bytes([0, a, b, c]),
        options_len: options_len(first),
    })
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneveOption<'a> {
    /// Who defined it (IANA "Geneve Option Class"); AWS is 0x0108.
    pub class: u16,
    /// What it is, critical bit included.
    pub kind: u8,
    /// Its value.
    pub data: &'a [u8],
    /// Octets from the start of the Geneve header.
    pub at: usize,
}

impl GeneveOption<'_> {
    /// Whether a receiver that does not know the option must drop the packet.
    pub fn is_critical(&self) -> bool {
        self.kind & CRITICAL_TYPE != 0
    }
}

/// The options of a whole Geneve header (fixed part included), in the order of the wire.
pub(crate) fn options(header: &[u8]) -> impl Iterator<Item = Result<GeneveOption<'_>, Fault>> {
    let mut at = FIXED_LEN;
    core::iter::from_fn(move || {
        let rest = header.get(at..).filter(|rest| !rest.is_empty())?;
        let option = option(rest, at);
        at = option.map_or(header.len(), |option| at + OPTION_HEADER_LEN + option.data.len());
        Some(option)
    })
}

/// The well-formed options of a header, up to the first that is not.
pub fn known_options(header: &[u8]) -> impl Iterator<Item = GeneveOption<'_>> {
    options(header).map_while(Result::ok)
}

fn option(rest: &[u8], at: usize) -> Result<GeneveOption<'_>, Fault> {
    let cut = |needed| Fault { at: at as u32, ..Fault::cut(needed, rest.len()) };
    let (&[a, b, kind, len], behind) = rest.split_first_chunk().ok_or(cut(OPTION_HEADER_LEN))?;
    let data_len = usize::from(len & 0x1f) * 4;
    let data = behind.get(..data_len).ok_or(cut(OPTION_HEADER_LEN + data_len))?;
    Ok(GeneveOption { class: u16::from_be_bytes([a, b]), kind, data, at })
}

/// Whether the octets look like Geneve although only the source port says so.
pub(crate) fn is_plausible(at: &Cursor<'_>) -> bool {
    parse(at).is_ok()
        && header(at.rest()).is_some_and(|header| matches!(header.protocol_type, 0x0800 | 0x86dd | 0x6558))
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.bits("geneve.version", "Version", 0, 1, 0xc0);
    if let Some(first) = fields.number(0, 1) {
        fields.push(
            "geneve.option.length",
            "Length of all options",
            0,
            1,
            Value::Uint(options_len(first as u8) as u64),
        );
    }
    if fields.number(1, 1).is_some() {
        fields.hex("geneve.flags", "Flags", 1, 1).nest(|fields| {
            fields.bits("geneve.flags.oam", "Control packet (O)", 1, 1, OAM.into());
            fields.bits("geneve.flags.critical", "Critical options present (C)", 1, 1, CRITICAL.into());
            fields.bits("geneve.flags.reserved", "Reserved", 1, 1, 0x3f);
        });
    }
    fields.hex("geneve.proto_type", "Protocol type", 2, 2).named(super::ethernet::ether_type_name);
    fields.uint("geneve.vni", "VNI", 4, 3).hex("geneve.reserved", "Reserved", 7, 1);
    if fields.header.len() > FIXED_LEN {
        fields.bytes("geneve.options", "Options", FIXED_LEN, usize::MAX).nest(option_fields);
    }
}

fn option_fields(fields: &mut Fields<'_>) {
    let header = fields.header;
    for option in options(header) {
        match option {
            Ok(option) => option_field(fields, &option),
            Err(fault) => {
                fields.bytes("geneve.options.malformed", "Malformed option", fault.at as usize, usize::MAX);
            }
        }
    }
}

fn option_field(fields: &mut Fields<'_>, option: &GeneveOption<'_>) {
    let GeneveOption { class, kind, at, .. } = *option;
    let len = OPTION_HEADER_LEN + option.data.len();
    let name = gwlb::option_name(class, kind).unwrap_or("Option");
    fields.push("geneve.option", "Option", at, len, Value::Text(name.into())).nest(|fields| {
        fields
            .hex("geneve.option.class", "Class", at, 2)
            .named(|class| (class == u64::from(gwlb::CLASS)).then_some("AWS"));
        fields.hex("geneve.option.type", "Type", at + 2, 1);
        fields.bits("geneve.option.type.critical", "Critical", at + 2, 1, CRITICAL_TYPE.into());
        fields.bits("geneve.option.flags.reserved", "Reserved", at + 3, 1, 0xe0);
        fields.push("geneve.option.length", "Length", at + 3, 1, Value::Uint(len as u64));
        gwlb::option_value(fields, option);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Cause,
        layers::{
            Layer,
            testing::{decode, ipv4, shown, udp},
        },
        record::{LinkType, Record},
        stack::Decoder,
    };

    /// Option length 2 words: class 0x0102, type 0x80 (critical), one word of data.
    const WITH_OPTION: [u8; 16] = [0x02, 0x40, 0x65, 0x58, 0, 0, 7, 0, 0x01, 0x02, 0x80, 0x01, 1, 2, 3, 4];

    #[test]
    fn a_critical_option_of_any_class_stays_readable() {
        let options: Vec<_> = known_options(&WITH_OPTION).collect();
        assert_eq!(options, [GeneveOption { class: 0x0102, kind: 0x80, data: &[1, 2, 3, 4], at: 8 }]);
        assert!(options[0].is_critical());
        let header = header(&WITH_OPTION).unwrap();
        assert!(header.critical && !header.oam);
        assert_eq!((header.vni, header.protocol_type, header.options_len), (7, 0x6558, 8));
    }

    #[test]
    fn an_option_longer_than_the_option_area_reports_its_own_offset() {
        let mut bytes = WITH_OPTION;
        bytes[11] = 0x1f;
        let fault = check_options(&bytes).unwrap_err();
        assert_eq!((fault.at, fault.needed, fault.had), (8, 128, 8));
    }

    #[test]
    fn version_one_is_refused_with_its_offset() {
        // IPv4 / UDP 6081 / Geneve version 1.
        let mut ip = vec![0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        ip.extend([0xea, 0x60, 0x17, 0xc1, 0, 16, 0, 0]);
        ip.extend([0x40, 0, 0x08, 0, 0, 0, 0, 0]);
        let record = Record {
            number: 1,
            timestamp_ns: 0,
            interface: 0,
            link_type: LinkType::RAW,
            original_len: 36,
            offset: 0,
            data: &ip,
        };
        let stack = Decoder::default().decode(&record);
        let stop = stack.stop().unwrap();
        assert_eq!((stop.layer, stop.offset, stop.had), (Layer::Geneve, 28, 1));
        assert_eq!(stop.cause, Cause::Bad("version"));
        assert_eq!(
            stack.layers().iter().map(|span| span.layer).collect::<Vec<_>>(),
            [Layer::Ipv4, Layer::Udp, Layer::Geneve]
        );
    }

    /// IPv4 / UDP from one port to another / these octets.
    fn packet(src: u16, dst: u16, geneve: &[u8]) -> Vec<u8> {
        let len = 8 + geneve.len() as u16;
        [&ipv4(17, 20 + len)[..], &udp(src, dst, len), geneve].concat()
    }

    #[test]
    fn every_field_and_option_is_shown_with_its_octets() {
        let cookie = [0x01, 0x08, 3, 0x21, 0, 0, 0, 9];
        let mut header = [&WITH_OPTION[..], &cookie].concat();
        header[0] = 4;
        assert_eq!(
            shown(&decode(LinkType::RAW, &packet(9, UDP_PORT, &header)), Layer::Geneve),
            [
                "0..1 geneve.version = 0",
                "0..1 geneve.option.length = 16",
                "1..2 geneve.flags = 0x40",
                "  1..2 geneve.flags.oam = 0",
                "  1..2 geneve.flags.critical = 1",
                "  1..2 geneve.flags.reserved = 0",
                "2..4 geneve.proto_type = 0x6558 (Transparent Ethernet bridging)",
                "4..7 geneve.vni = 7",
                "7..8 geneve.reserved = 0x00",
                "8..24 geneve.options = 01028001010203040108032100000009",
                "  8..16 geneve.option = Option",
                "    8..10 geneve.option.class = 0x0102",
                "    10..11 geneve.option.type = 0x80",
                "    10..11 geneve.option.type.critical = 1",
                "    11..12 geneve.option.flags.reserved = 0",
                "    11..12 geneve.option.length = 8",
                "    12..16 geneve.option.unknown.data = 01020304",
                "  16..24 geneve.option = AWS flow cookie",
                "    16..18 geneve.option.class = 0x0108 (AWS)",
                "    18..19 geneve.option.type = 0x03",
                "    18..19 geneve.option.type.critical = 0",
                "    19..20 geneve.option.flags.reserved = 1",
                "    19..20 geneve.option.length = 8",
                "    20..24 geneve.aws.cookie = 0x00000009",
            ]
        );
        let bare = [0, 0, 0x12, 0x34, 0, 0, 7, 0];
        let lines = shown(&decode(LinkType::RAW, &packet(9, UDP_PORT, &bare)), Layer::Geneve);
        assert_eq!(lines.last().unwrap(), "7..8 geneve.reserved = 0x00");
    }

    #[test]
    fn options_are_critical_by_the_highest_bit_of_their_type_and_the_header_by_its_own() {
        let option = |kind| GeneveOption { class: 0x0108, kind, data: &[], at: 8 }.is_critical();
        assert_eq!([0x80, 0xff, 0x7f, 0].map(option), [true, true, false, false]);
        let flags = |octet| {
            let header = header(&[0, octet, 8, 0, 0, 0, 0, 0]).unwrap();
            (header.oam, header.critical)
        };
        assert_eq!([0x80, 0x40, 0x3f].map(flags), [(true, false), (false, true), (false, false)]);
    }

    #[test]
    fn from_the_port_of_geneve_it_is_geneve_only_where_it_carries_ip_or_ethernet() {
        let third = |protocol_type: u16, version: u8| {
            let [a, b] = protocol_type.to_be_bytes();
            let packet = packet(UDP_PORT, 9, &[version << 6, 0, a, b, 0, 0, 0, 0]);
            decode(LinkType::RAW, &packet).layers().get(2).map(|span| span.layer)
        };
        for protocol_type in [0x0800, 0x86dd, 0x6558] {
            assert_eq!(third(protocol_type, 0), Some(Layer::Geneve), "{protocol_type:#x}");
            assert_eq!(third(protocol_type, 1), None, "{protocol_type:#x}, version 1");
        }
        assert_eq!(third(0x1234, 0), None);
    }

    #[test]
    fn a_packet_whose_options_do_not_fill_their_room_stops_there() {
        let mut header = WITH_OPTION;
        for (words, needed) in [(2, 12), (0x1f, 128)] {
            header[11] = words;
            let packet = packet(9, UDP_PORT, &header);
            let stop = decode(LinkType::RAW, &packet).stop().unwrap();
            assert_eq!((stop.layer, stop.offset, stop.needed, stop.had), (Layer::Geneve, 36, needed, 8));
        }
        header[11] = 1;
        let packet = packet(9, UDP_PORT, &header);
        assert_ne!(decode(LinkType::RAW, &packet).stop().map(|stop| stop.layer), Some(Layer::Geneve));
    }
}
