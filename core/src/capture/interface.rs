//! What a capture says of where its packets come from: sections and interfaces, kept within bounds.

use crate::record::LinkType;

use super::timestamp::Resolution;

/// Interfaces that one capture may describe, over all its sections. One more is an error, not a lost packet.
pub const MAX_INTERFACES: usize = 65_536;

/// Octets of names and descriptions that are kept over all interfaces; later ones are left out.
pub const MAX_INTERFACE_TEXT_LEN: usize = 1024 * 1024;

/// A source of packets. A pcap file has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Which section described it, counted from 0.
    pub section: u32,
    /// What each packet begins with.
    pub link_type: LinkType,
    /// Octets at which packets were cut; 0 is no limit. Real files hold longer packets nevertheless.
    pub snap_len: u32,
    /// `if_name`, the device's name.
    pub name: Option<Box<str>>,
    /// `if_description`.
    pub description: Option<Box<str>>,
    /// How long a tick of its timestamps is (`if_tsresol`).
    pub resolution: Resolution,
    /// Seconds to add to its timestamps (`if_tsoffset`).
    pub timestamp_offset_s: i64,
    /// What the capturing program counted, from the interface's last statistics block.
    pub statistics: Option<Statistics>,
}

impl Interface {
    /// Nanoseconds since 1970 of a timestamp of this interface; what does not fit saturates.
    #[inline]
    pub(super) fn timestamp_ns(&self, ticks: u64) -> i64 {
        self.resolution.nanoseconds_from(ticks, self.timestamp_offset_s)
    }
}

/// Counts of a capturing program (Interface Statistics Block); each may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// When the capture began, nanoseconds since 1970.
    pub start_ns: Option<i64>,
    /// When the capture ended, nanoseconds since 1970.
    pub end_ns: Option<i64>,
    /// Packets that the interface received.
    pub received: Option<u64>,
    /// Packets that the interface dropped for want of resources.
    pub dropped: Option<u64>,
}

/// What a pcapng section says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Position in the file, counted from 0.
    pub number: u32,
    /// Whether its numbers are big-endian.
    pub big_endian: bool,
    /// `shb_hardware`.
    pub hardware: Option<Box<str>>,
    /// `shb_os`.
    pub os: Option<Box<str>>,
    /// `shb_userappl`, the program that wrote it.
    pub application: Option<Box<str>>,
    /// Its comments, one a line.
    pub comment: Option<Box<str>>,
}

/// The interfaces seen so far.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    list: Vec<Interface>,
    text_len: usize,
}

impl Interfaces {
    #[inline]
    pub(super) fn list(&self) -> &[Interface] {
        &self.list
    }

    /// The interfaces from this index on.
    pub(super) fn tail_mut(&mut self, first: usize) -> &mut [Interface] {
        self.list.get_mut(first..).unwrap_or(&mut [])
    }

    /// Adds an interface, without its texts once the budget is spent; `false` where there are too many.
    pub(super) fn add(&mut self, mut interface: Interface) -> bool {
        if self.list.len() >= MAX_INTERFACES {
            return false;
        }
        for text in [&mut interface.name, &mut interface.description] {
            let len = text.as_deref().map_or(0, str::len);
            if self.text_len + len > MAX_INTERFACE_TEXT_LEN {
                *text = None;
            } else {
                self.text_len += len;
            }
        }
        self.list.push(interface);
        true
    }
}
