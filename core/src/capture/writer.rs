//! Captures written: pcapng blocks, and the nanosecond form of classic pcap, appended to the caller's buffer.
//!
//! By hand, because what the crates offer allocates for each block. Every call appends one whole block, so a
//! buffer flushed between calls never leaves half a block behind. All numbers are little-endian, all times
//! nanoseconds ([draft-ietf-opsawg-pcapng] sections 4.1 to 4.3 and 4.6).
//!
//! [draft-ietf-opsawg-pcapng]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/

use crate::record::LinkType;

use super::interface::Statistics;
use super::reader::MAX_RECORD_LEN;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const PCAP_NANOSECONDS_MAGIC: u32 = 0xa1b2_3c4d;

const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const SHB_HARDWARE: u16 = 2;
const SHB_OS: u16 = 3;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const ISB_STARTTIME: u16 = 2;
const ISB_ENDTIME: u16 = 3;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;

/// `if_tsresol` of every interface written: one tick is a nanosecond.
const NANOSECOND_RESOLUTION: u8 = 9;
/// Longest text of one option: its length has 16 bits, and the padding must fit as well.
const MAX_OPTION_LEN: usize = 65_532;

/// What a section says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SectionHeader<'a> {
    /// `shb_hardware`.
    pub hardware: Option<&'a str>,
    /// `shb_os`.
    pub os: Option<&'a str>,
    /// `shb_userappl`, the program that writes.
    pub application: Option<&'a str>,
    /// A comment on the section.
    pub comment: Option<&'a str>,
}

/// A source of packets.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceHeader<'a> {
    /// What each packet begins with.
    pub link_type: LinkType,
    /// Octets at which packets were cut; 0 is no limit.
    pub snap_len: u32,
    /// `if_name`.
    pub name: Option<&'a str>,
    /// `if_description`.
    pub description: Option<&'a str>,
}

/// A packet to be written.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// What [`PcapngWriter::interface`] returned; classic pcap has no such thing.
    pub interface: u32,
    /// Nanoseconds since 1970-01-01 UTC; earlier times are written as 0, the formats have no sign.
    pub timestamp_ns: i64,
    /// Octets on the wire.
    pub original_len: u32,
    /// The captured octets, cut at [`MAX_RECORD_LEN`] less the block's own fields.
    pub data: &'a [u8],
    /// A comment on the packet; classic pcap has no place for it.
    pub comment: Option<&'a str>,
}

/// Writes one pcapng section.
///
/// ```
/// use mirrorscope_core::LinkType;
/// use mirrorscope_core::capture::{InterfaceHeader, Packet, PcapngWriter, SectionHeader};
///
/// let mut out = Vec::new();
/// let mut writer = PcapngWriter::begin(&mut out, &SectionHeader::default());
/// let header = InterfaceHeader { link_type: LinkType::ETHERNET, snap_len: 0, name: Some("eth0"), description: None };
/// let interface = writer.interface(&mut out, &header);
/// writer.packet(&mut out, &Packet { interface, timestamp_ns: 1, original_len: 60, data: &[0; 60], comment: None });
/// ```
#[derive(Debug)]
pub struct PcapngWriter {
    interfaces: u32,
}

impl PcapngWriter {
    /// Begins a section.
    pub fn begin(out: &mut Vec<u8>, header: &SectionHeader<'_>) -> Self {
        block(out, SECTION_HEADER, |out| {
            put_u32(out, BYTE_ORDER_MAGIC);
            // Version 1.0, and a section length that is not known yet.
            out.extend_from_slice(&[1, 0, 0, 0]);
            put_u64(out, u64::MAX);
            let texts = [
                (COMMENT, header.comment),
                (SHB_HARDWARE, header.hardware),
                (SHB_OS, header.os),
                (SHB_USERAPPL, header.application),
            ];
            put_texts(out, &texts);
            put_end_of_options(out, texts.iter().any(|(_, text)| text.is_some()));
        });
        Self { interfaces: 0 }
    }

    /// Describes an interface and returns its id for packets.
    pub fn interface(&mut self, out: &mut Vec<u8>, header: &InterfaceHeader<'_>) -> u32 {
        block(out, INTERFACE_DESCRIPTION, |out| {
            out.extend_from_slice(&header.link_type.0.to_le_bytes());
            out.extend_from_slice(&[0, 0]);
            put_u32(out, header.snap_len);
            put_texts(out, &[(IF_NAME, header.name), (IF_DESCRIPTION, header.description)]);
            put_option(out, IF_TSRESOL, &[NANOSECOND_RESOLUTION]);
            put_end_of_options(out, true);
        });
        let id = self.interfaces;
        self.interfaces += 1;
        id
    }

    /// Writes a packet. Nothing is allocated but what `out` needs to grow.
    #[inline]
    pub fn packet(&mut self, out: &mut Vec<u8>, packet: &Packet<'_>) {
        debug_assert!(packet.interface < self.interfaces, "the packet's interface was not described");
        let data =
            captured(packet, 64 + packet.comment.map_or(0, |comment| comment.len().min(MAX_OPTION_LEN)));
        block(out, ENHANCED_PACKET, |out| {
            put_u32(out, packet.interface);
            put_ticks(out, packet.timestamp_ns);
            put_u32(out, data.len() as u32);
            put_u32(out, packet.original_len);
            out.extend_from_slice(data);
            pad(out, data.len());
            put_texts(out, &[(COMMENT, packet.comment)]);
            put_end_of_options(out, packet.comment.is_some());
        });
    }

    /// Writes an interface's counts, with the time at which they were taken.
    pub fn statistics(
        &mut self,
        out: &mut Vec<u8>,
        interface: u32,
        timestamp_ns: i64,
        statistics: &Statistics,
    ) {
        block(out, INTERFACE_STATISTICS, |out| {
            put_u32(out, interface);
            put_ticks(out, timestamp_ns);
            for (code, time) in [(ISB_STARTTIME, statistics.start_ns), (ISB_ENDTIME, statistics.end_ns)] {
                let Some(time) = time else { continue };
                put_option_header(out, code, 8);
                put_ticks(out, time);
            }
            for (code, count) in [(ISB_IFRECV, statistics.received), (ISB_IFDROP, statistics.dropped)] {
                let Some(count) = count else { continue };
                put_option(out, code, &count.to_le_bytes());
            }
            put_end_of_options(out, *statistics != Statistics::default());
        });
    }
}

/// Writes classic pcap with nanoseconds: one link type, no interfaces, no comments.
#[derive(Debug)]
pub struct PcapWriter;

impl PcapWriter {
    /// Begins a file.
    pub fn begin(out: &mut Vec<u8>, link_type: LinkType, snap_len: u32) -> Self {
        put_u32(out, PCAP_NANOSECONDS_MAGIC);
        // Version 2.4, and two fields that are always zero.
        out.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        put_u32(out, snap_len);
        put_u32(out, link_type.0.into());
        Self
    }

    /// Writes a packet. Seconds beyond 2106 are written as the last that fit.
    #[inline]
    pub fn packet(&mut self, out: &mut Vec<u8>, packet: &Packet<'_>) {
        let nanoseconds = packet.timestamp_ns.max(0).cast_unsigned();
        let data = captured(packet, 0);
        put_u32(out, u32::try_from(nanoseconds / 1_000_000_000).unwrap_or(u32::MAX));
        put_u32(out, (nanoseconds % 1_000_000_000) as u32);
        put_u32(out, data.len() as u32);
        put_u32(out, packet.original_len);
        out.extend_from_slice(data);
    }
}

/// A packet's octets, cut so that our own reader takes them with `overhead_len` octets around them.
#[inline]
fn captured<'a>(packet: &Packet<'a>, overhead_len: usize) -> &'a [u8] {
    let limit_len = MAX_RECORD_LEN as usize - overhead_len;
    packet.data.get(..limit_len).unwrap_or(packet.data)
}

/// Appends a block around what `body` appends; the body's length is a multiple of 4.
#[inline]
fn block(out: &mut Vec<u8>, block_type: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put_u32(out, block_type);
    put_u32(out, 0);
    body(out);
    let total_len = (out.len() + 4 - start) as u32;
    if let Some(len) = out.get_mut(start + 4..start + 8) {
        len.copy_from_slice(&total_len.to_le_bytes());
    }
    put_u32(out, total_len);
}

fn put_texts(out: &mut Vec<u8>, texts: &[(u16, Option<&str>)]) {
    for (code, text) in texts {
        let Some(text) = text else { continue };
        put_option(
            out,
            *code,
            text.get(..text.floor_char_boundary(MAX_OPTION_LEN)).unwrap_or(text).as_bytes(),
        );
    }
}

fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    put_option_header(out, code, value.len() as u16);
    out.extend_from_slice(value);
    pad(out, value.len());
}

fn put_option_header(out: &mut Vec<u8>, code: u16, len: u16) {
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
}

/// A list of options ends with a mark; no list needs none.
fn put_end_of_options(out: &mut Vec<u8>, any: bool) {
    if any {
        put_option_header(out, END_OF_OPTIONS, 0);
    }
}

/// A timestamp: the high half first, each half little-endian.
fn put_ticks(out: &mut Vec<u8>, timestamp_ns: i64) {
    let ticks = timestamp_ns.max(0).cast_unsigned();
    put_u32(out, (ticks >> 32) as u32);
    put_u32(out, ticks as u32);
}

fn pad(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice([0; 3].get(..len.wrapping_neg() % 4).unwrap_or(&[]));
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}
