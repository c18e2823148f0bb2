//! The pcap format ([draft-ietf-opsawg-pcap]): a 24-octet file header, then records of a 16-octet header and data.
//!
//! ```text
//!  0       4       8       12      16        record header; "modified" files (Kuznetzov) add 8 octets:
//!  │seconds│fraction│captured│original│      interface index, protocol, packet type, padding
//! ```
//!
//! `pcap-parser` reads the file header. Version 2.3 exchanged the two lengths, and some writers said 2.3 without
//! doing so; the larger is then the original length, as libpcap has it.
//!
//! [draft-ietf-opsawg-pcap]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/

use pcap_parser::parse_pcap_header;

use crate::record::LinkType;

use super::error::Cause;
use super::interface::Interface;
use super::reader::{Frame, Parsed};
use super::timestamp::Resolution;

pub(super) const FILE_HEADER_LEN: usize = 24;
const RECORD_HEADER_LEN: usize = 16;
const MODIFIED_RECORD_HEADER_LEN: usize = 24;
const MODIFIED_BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0xcd, 0x34];
const BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0xc3, 0xd4];
const NANOSECONDS_BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0x3c, 0x4d];

/// The link type without the frame check sequence's length in the upper bits.
const LINK_TYPE_MASK: u32 = 0x03ff_ffff;

/// Longest packet that a sound pcap file holds, unless it announces a longer snapshot length: what libpcap and
/// Wireshark take as the limit. A longer claim is damage, found before megabytes are swallowed as one packet.
const MAX_USUAL_SNAP_LEN: u32 = 262_144;

/// How to read a pcap file's records.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    big_endian: bool,
    record_header_len: usize,
    lengths: Lengths,
    resolution: Resolution,
    link_type: LinkType,
    limit_len: u32,
}

/// The order of a record's two lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    LargerIsOriginal,
}

/// Whether these are a pcap file's first octets, as far as they go.
pub(super) fn has_magic(start: &[u8]) -> bool {
    [MODIFIED_BIG_ENDIAN, BIG_ENDIAN, NANOSECONDS_BIG_ENDIAN].iter().any(|magic| {
        let mut reversed = *magic;
        reversed.reverse();
        magic.starts_with(start) || reversed.starts_with(start)
    })
}

/// Reads the file header.
pub(super) fn parse_file_header(
    header: [u8; FILE_HEADER_LEN],
    max_record_len: u32,
) -> Result<(File, Interface), Cause> {
    let modified_big_endian = header.starts_with(&MODIFIED_BIG_ENDIAN);
    let mut readable = header;
    if modified_big_endian {
        // pcap-parser knows this magic in little-endian only; the rest of the header has the usual layout.
        let (magic, _) = readable.split_at_mut(BIG_ENDIAN.len());
        magic.copy_from_slice(&BIG_ENDIAN);
    }
    let (_, parsed) = parse_pcap_header(&readable).map_err(|_| Cause::Description)?;
    let lengths = match (parsed.version_major, parsed.version_minor) {
        (2, 4) => Lengths::CapturedFirst,
        (2, 3) => Lengths::LargerIsOriginal,
        // DG/UX wrote 543.0 and kept the old order.
        (2, 0..=2) | (543, 0) => Lengths::OriginalFirst,
        (major, minor) => return Err(Cause::UnsupportedVersion { major, minor }),
    };
    let link_type = parsed.network.0.cast_unsigned() & LINK_TYPE_MASK;
    let modified = modified_big_endian || parsed.is_modified_format();
    let file = File {
        big_endian: parsed.is_bigendian(),
        record_header_len: if modified { MODIFIED_RECORD_HEADER_LEN } else { RECORD_HEADER_LEN },
        lengths,
        resolution: if parsed.is_nanosecond_precision() {
            Resolution::NANOSECONDS
        } else {
            Resolution::MICROSECONDS
        },
        // The registry ends at 65,535; a larger number must not become a known type by being cut.
        link_type: LinkType(u16::try_from(link_type).unwrap_or(u16::MAX)),
        limit_len: parsed.snaplen.max(MAX_USUAL_SNAP_LEN).min(max_record_len),
    };
    Ok((file, file.interface(parsed.snaplen)))
}

impl File {
    /// The record at the beginning of `pending`.
    #[inline(always)]
    pub(super) fn record(&self, pending: &[u8]) -> Result<Parsed, Cause> {
        let Some((header, _)) = pending.split_first_chunk::<RECORD_HEADER_LEN>() else {
            return Ok(Parsed::Needs(self.record_header_len as u64));
        };
        let [seconds, fraction, first_len, second_len] = words(header, self.big_endian);
        let (captured_len, original_len) = match self.lengths {
            Lengths::CapturedFirst => (first_len, second_len),
            Lengths::OriginalFirst => (second_len, first_len),
            Lengths::LargerIsOriginal => (first_len.min(second_len), first_len.max(second_len)),
        };
        if captured_len > self.limit_len {
            return Err(Cause::TooLong {
                claimed_len: captured_len.into(),
                limit_len: self.limit_len.into(),
            });
        }
        let end = self.record_header_len + captured_len as usize;
        if pending.len() < end {
            return Ok(Parsed::Needs(end as u64));
        }
        let timestamp_ns = i64::from(seconds) * 1_000_000_000 + self.resolution.nanoseconds(fraction.into());
        Ok(Parsed::Frame(Frame {
            timestamp_ns,
            interface: 0,
            link_type: self.link_type,
            original_len,
            data: (self.record_header_len, end),
            options: (end, end),
            total_len: end,
        }))
    }

    fn interface(&self, snap_len: u32) -> Interface {
        Interface {
            section: 0,
            link_type: self.link_type,
            snap_len,
            name: None,
            description: None,
            resolution: self.resolution,
            timestamp_offset_s: 0,
            statistics: None,
        }
    }
}

/// The four numbers of a record header.
#[inline]
fn words(header: &[u8; RECORD_HEADER_LEN], big_endian: bool) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *header;
    let words = [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]];
    if big_endian { words.map(u32::from_be_bytes) } else { words.map(u32::from_le_bytes) }
}
