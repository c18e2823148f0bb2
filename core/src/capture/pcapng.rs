//! The pcapng format ([draft-ietf-opsawg-pcapng]): sections of blocks, each with its length at both ends.
//!
//! ```text
//!  0    4            8                            total_len - 4
//!  │type│ total_len  │ body … padded to 4 octets  │ total_len │
//!
//!  body of an Enhanced Packet Block:
//!  │interface│ticks high│ticks low│captured│original│ data … padded │ options … │
//! ```
//!
//! Describing blocks go through `pcap-parser`; the packet blocks are framed here (see [`super`]).
//!
//! [draft-ietf-opsawg-pcapng]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/

use pcap_parser as parser;
use pcap_parser::OptionCode;

use crate::record::LinkType;

use super::error::Cause;
use super::interface::{Interface, Section, Statistics};
use super::options::OptionList;
use super::reader::Frame;
use super::timestamp::Resolution;

/// A section header's type reads the same in either byte order.
pub(super) const SECTION_HEADER_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// Type, length in front, length behind.
pub(super) const BLOCK_FRAME_LEN: usize = 12;
const SECTION_HEADER_LEN: u32 = 28;
const INTERFACE_DESCRIPTION_LEN: u32 = 20;
const INTERFACE_STATISTICS_LEN: u32 = 24;
const ENHANCED_PACKET_LEN: u32 = 32;
const SIMPLE_PACKET_LEN: u32 = 16;
/// Octets in front of a packet's data, from the block's first.
const ENHANCED_PACKET_DATA: usize = 28;
const SIMPLE_PACKET_DATA: usize = 12;

/// What a block is to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Section,
    Interface,
    Statistics,
    EnhancedPacket,
    ObsoletePacket,
    SimplePacket,
    /// Name resolution, secrets, custom, unknown: nothing that a packet needs.
    Other,
}

/// A block's first octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) total_len: u32,
    pub(super) big_endian: bool,
}

/// Reads a block's head; `None` where fewer than [`BLOCK_FRAME_LEN`] octets, which any block has, arrived.
#[inline]
pub(super) fn parse_head(pending: &[u8], big_endian: bool) -> Result<Option<Head>, Cause> {
    let Some((&[a, b, c, d, e, f, g, h, magic @ ..], _)) = pending.split_first_chunk::<BLOCK_FRAME_LEN>()
    else {
        return Ok(None);
    };
    let block_type = word([a, b, c, d], big_endian);
    // A section header brings its own byte order, for itself and what follows.
    let big_endian = if block_type == SECTION_HEADER { section_byte_order(magic)? } else { big_endian };
    let total_len = word([e, f, g, h], big_endian);
    let (kind, min_len) = match block_type {
        ENHANCED_PACKET => (Kind::EnhancedPacket, ENHANCED_PACKET_LEN),
        SECTION_HEADER => (Kind::Section, SECTION_HEADER_LEN),
        INTERFACE_DESCRIPTION => (Kind::Interface, INTERFACE_DESCRIPTION_LEN),
        OBSOLETE_PACKET => (Kind::ObsoletePacket, ENHANCED_PACKET_LEN),
        SIMPLE_PACKET => (Kind::SimplePacket, SIMPLE_PACKET_LEN),
        INTERFACE_STATISTICS => (Kind::Statistics, INTERFACE_STATISTICS_LEN),
        _ => (Kind::Other, BLOCK_FRAME_LEN as u32),
    };
    if total_len < min_len || !total_len.is_multiple_of(4) {
        return Err(Cause::BlockLen { claimed_len: total_len });
    }
    Ok(Some(Head { kind, total_len, big_endian }))
}

fn section_byte_order(magic: [u8; 4]) -> Result<bool, Cause> {
    match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
        (BYTE_ORDER_MAGIC, _) => Ok(false),
        (_, BYTE_ORDER_MAGIC) => Ok(true),
        _ => Err(Cause::ByteOrder { magic }),
    }
}

/// Compares the length behind a whole block with the one in front.
#[inline]
pub(super) fn check_trailer(head: Head, block: &[u8]) -> Result<(), Cause> {
    let trailing_len = block.last_chunk().map_or(0, |&bytes| word(bytes, head.big_endian));
    if trailing_len == head.total_len {
        return Ok(());
    }
    Err(Cause::BlockLenMismatch { leading_len: head.total_len, trailing_len })
}

/// Reads a whole Section Header Block.
pub(super) fn parse_section(block: &[u8], number: u32) -> Result<Section, Cause> {
    let (_, parsed) = parser::parse_sectionheaderblock(block).map_err(|_| Cause::Description)?;
    if parsed.major_version != 1 {
        return Err(Cause::UnsupportedVersion { major: parsed.major_version, minor: parsed.minor_version });
    }
    let big_endian = parsed.big_endian();
    let options = OptionList { options: &parsed.options, big_endian };
    Ok(Section {
        number,
        big_endian,
        hardware: options.text(OptionCode::ShbHardware),
        os: options.text(OptionCode::ShbOs),
        application: options.text(OptionCode::ShbUserAppl),
        comment: options.text(OptionCode::Comment),
    })
}

/// Reads a whole Interface Description Block.
pub(super) fn parse_interface(block: &[u8], section: u32, big_endian: bool) -> Result<Interface, Cause> {
    let parsed = if big_endian {
        parser::parse_interfacedescriptionblock_be(block)
    } else {
        parser::parse_interfacedescriptionblock_le(block)
    };
    let (_, parsed) = parsed.map_err(|_| Cause::Description)?;
    let options = OptionList { options: &parsed.options, big_endian };
    let if_tsresol = options.bytes(OptionCode::IfTsresol).and_then(|value| value.first().copied());
    Ok(Interface {
        section,
        link_type: LinkType(u16::try_from(parsed.linktype.0).unwrap_or(u16::MAX)),
        snap_len: parsed.snaplen,
        name: options.text(OptionCode::IfName),
        description: options.text(OptionCode::IfDescription),
        resolution: if_tsresol.map_or(Resolution::MICROSECONDS, Resolution::from_if_tsresol),
        timestamp_offset_s: options.u64(OptionCode::IfTsoffset).map_or(0, u64::cast_signed),
        statistics: None,
    })
}

/// Reads a whole Interface Statistics Block into its interface of the section's.
pub(super) fn parse_statistics(
    block: &[u8],
    big_endian: bool,
    interfaces: &mut [Interface],
) -> Result<(), Cause> {
    let parsed = if big_endian {
        parser::parse_interfacestatisticsblock_be(block)
    } else {
        parser::parse_interfacestatisticsblock_le(block)
    };
    let (_, parsed) = parsed.map_err(|_| Cause::Description)?;
    let options = OptionList { options: &parsed.options, big_endian };
    // Statistics of an interface that nobody described concern no packet.
    let Some(interface) = interfaces.get_mut(parsed.if_id as usize) else { return Ok(()) };
    let time = |code| options.ticks(code).map(|ticks| interface.timestamp_ns(ticks));
    let statistics = Statistics {
        start_ns: time(OptionCode::IsbStartTime),
        end_ns: time(OptionCode::IsbEndTime),
        received: options.u64(OptionCode::IsbIfRecv),
        dropped: options.u64(OptionCode::IsbIfDrop),
    };
    interface.statistics = Some(statistics);
    Ok(())
}

/// Reads a whole Enhanced Packet Block, or the obsolete Packet Block, whose interface id has 16 bits and is
/// followed by a count of drops. `interfaces` are the section's, the first being number `first` of the file.
#[inline]
pub(super) fn parse_packet(
    head: Head,
    block: &[u8],
    interfaces: &[Interface],
    first: u32,
) -> Result<Frame, Cause> {
    let Some((&header, _)) = block.get(8..).and_then(|body| body.split_first_chunk::<20>()) else {
        return Err(Cause::BlockLen { claimed_len: head.total_len });
    };
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = header;
    let id = match head.kind {
        Kind::ObsoletePacket => {
            u32::from(if head.big_endian { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) })
        }
        _ => word([a, b, c, d], head.big_endian),
    };
    let [high, low] = [[e, f, g, h], [i, j, k, l]].map(|bytes| word(bytes, head.big_endian));
    let [captured_len, original_len] = [[m, n, o, p], [q, r, s, t]].map(|bytes| word(bytes, head.big_endian));
    let interface = find(interfaces, id)?;
    let room_len = head.total_len - ENHANCED_PACKET_LEN;
    if captured_len > room_len {
        return Err(Cause::CapturedLen { claimed_len: captured_len, room_len });
    }
    let data_end = ENHANCED_PACKET_DATA + captured_len as usize;
    Ok(Frame {
        timestamp_ns: interface.timestamp_ns(u64::from(high) << 32 | u64::from(low)),
        interface: first + id,
        link_type: interface.link_type,
        original_len,
        data: (ENHANCED_PACKET_DATA, data_end),
        options: (data_end.next_multiple_of(4), head.total_len as usize - 4),
        total_len: head.total_len as usize,
    })
}

/// Reads a whole Simple Packet Block: no time, no options, the section's first interface, and a captured length
/// that follows from the original and the snapshot length.
pub(super) fn parse_simple_packet(
    head: Head,
    block: &[u8],
    interfaces: &[Interface],
    first: u32,
) -> Result<Frame, Cause> {
    let original_len =
        block.get(8..).and_then(|body| body.first_chunk()).map_or(0, |&bytes| word(bytes, head.big_endian));
    let interface = find(interfaces, 0)?;
    let room_len = head.total_len - SIMPLE_PACKET_LEN;
    let snap_len = if interface.snap_len == 0 { u32::MAX } else { interface.snap_len };
    let captured_len = original_len.min(snap_len).min(room_len);
    let data_end = SIMPLE_PACKET_DATA + captured_len as usize;
    Ok(Frame {
        timestamp_ns: 0,
        interface: first,
        link_type: interface.link_type,
        original_len,
        data: (SIMPLE_PACKET_DATA, data_end),
        options: (data_end, data_end),
        total_len: head.total_len as usize,
    })
}

#[inline]
fn find(interfaces: &[Interface], id: u32) -> Result<&Interface, Cause> {
    interfaces.get(id as usize).ok_or(Cause::UnknownInterface { id, known: interfaces.len() as u32 })
}

#[inline]
fn word(bytes: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}
