//! What a record begins with (its link type), Ethernet with VLAN tags, and the dispatch by EtherType.
//!
//! Without `-e` a known protocol is printed and its frame is not; a frame of an unknown type shows its
//! addresses, its type and a dump.

use super::envelope::{self, Envelope};
use super::view::{Printed, View};
use super::{Out, arp, ip, ip6, llc, mpls, names, ppp, text};
use crate::{
    layers::{null, vlan},
    record::{LinkType, Record},
};

const ETHERNET_LEN: usize = 14;
const SLL_LEN: usize = 16;
const SLL2_LEN: usize = 20;
const NULL_LEN: usize = 4;
const TAG_LEN: usize = 4;

/// Greatest value of a type field that is a length.
const MAX_LENGTH: u16 = 1500;
/// Alteon jumbo frames: LLC follows the type.
const JUMBO: u16 = 0x8870;
/// Cooked protocol values below the EtherTypes: raw 802.3 (IPX) and LLC.
const SLL_802_3: u16 = 1;
const SLL_802_2: u16 = 4;

/// Source and destination of a frame, for the lines that show them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    source: [u8; 6],
    destination: [u8; 6],
}

/// Prints a record by its link type; one that is not known is dumped.
pub(super) fn print(out: &mut Out<'_>, record: &Record<'_>) -> Printed {
    let (bytes, wire_len) = (record.data, record.original_len);
    match record.link_type {
        LinkType::ETHERNET => ethernet(out, bytes, wire_len),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
            raw(out, bytes, wire_len)
        }
        LinkType::LINUX_SLL => cooked(out, bytes, wire_len),
        LinkType::LINUX_SLL2 => cooked2(out, bytes, wire_len),
        LinkType::NULL | LinkType::LOOP => loopback(out, bytes, wire_len),
        _ => {
            text::dump(out.line, bytes);
            Ok(())
        }
    }
}

/// The frame behind an envelope whose text is written already.
pub(super) fn mirrored(out: &mut Out<'_>, record: &Record<'_>, envelope: &Envelope) -> Printed {
    // Two IP packets are around it, as on the long way.
    out.depth += 2;
    let frame = cut(record.data, envelope.end).get(envelope::LEN..).unwrap_or_default();
    ethernet(out, frame, envelope.end.saturating_sub(envelope::LEN as u32))
}

/// An Ethernet frame of `wire_len` octets.
pub(super) fn ethernet(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "ether");
    if (wire_len as usize) < bytes.len() {
        out.line.str("[length ").uint(wire_len).str(" < caplen ").uint(bytes.len() as u64).byte(b']');
        out.invalid();
        return Ok(());
    }
    view.need(ETHERNET_LEN)?;
    let addresses = Addresses { destination: view.array(0)?, source: view.array(6)? };
    if out.options.link_header {
        write_addresses(out, &addresses);
    }
    let mut frame = Frame { wire_len, addresses, length_shown: false };
    let (mut at, mut ether_type) = (ETHERNET_LEN, view.u16(12)?);
    while is_tag(ether_type) {
        let tag = View::new(view.from(at), "vlan");
        if (wire_len as usize) < at + TAG_LEN {
            return Err(tag.cut());
        }
        tag.need(TAG_LEN)?;
        frame.tag(out, ether_type, tag.bytes);
        ether_type = tag.u16(2)?;
        at += TAG_LEN;
    }
    frame.body(out, ether_type, view.from(at), wire_len - at as u32)
}

const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x9100 | 0x9200 | 0x88a8)
}

/// What the lines about an Ethernet frame need to know of it.
struct Frame {
    wire_len: u32,
    addresses: Addresses,
    /// `-e` has shown the length already.
    length_shown: bool,
}

impl Frame {
    /// A VLAN tag, which only `-e` shows.
    fn tag(&mut self, out: &mut Out<'_>, ether_type: u16, tag: &[u8]) {
        if !out.options.link_header {
            return;
        }
        write_type(out, ether_type);
        self.length(out);
        if let Some((priority, drop_eligible, id)) = vlan::tag(tag) {
            out.line.str("vlan ").uint(id).str(", p ").uint(priority);
            out.line.str(if drop_eligible { ", DEI, " } else { ", " });
        }
    }

    /// The length at its first call, and only a comma afterwards.
    fn length(&mut self, out: &mut Out<'_>) {
        if core::mem::replace(&mut self.length_shown, true) {
            out.line.str(", ");
        } else {
            out.line.str(", length ").uint(self.wire_len).str(": ");
        }
    }

    /// What follows the type field.
    fn body(&mut self, out: &mut Out<'_>, ether_type: u16, bytes: &[u8], wire_len: u32) -> Printed {
        if ether_type <= MAX_LENGTH {
            return self.ieee802_3(out, ether_type, bytes, wire_len);
        }
        if ether_type == JUMBO {
            return llc::print_or_dump(out, bytes, wire_len, Some(&self.addresses));
        }
        if out.options.link_header {
            write_type(out, ether_type);
            self.length(out);
        }
        if !by_ether_type(out, ether_type, bytes, wire_len)? {
            if !out.options.link_header {
                write_addresses(out, &self.addresses);
                write_type(out, ether_type);
                out.line.str(", length ").uint(self.wire_len).str(": ");
            }
            text::dump(out.line, bytes);
        }
        Ok(())
    }

    /// A frame whose type field is a length, which ends where that says.
    fn ieee802_3(&mut self, out: &mut Out<'_>, length: u16, bytes: &[u8], wire_len: u32) -> Printed {
        let wire_len = wire_len.min(length.into());
        let bytes = cut(bytes, wire_len);
        if out.options.link_header {
            out.line.str("802.3");
            if !self.length_shown {
                out.line.str(", length ").uint(wire_len).str(": ");
            }
        }
        llc::print_or_dump(out, bytes, wire_len, Some(&self.addresses))
    }
}

/// The octets up to where their layer ends.
#[inline]
pub(super) fn cut(bytes: &[u8], wire_len: u32) -> &[u8] {
    bytes.get(..wire_len as usize).unwrap_or(bytes)
}

/// `source > destination, `.
fn write_addresses(out: &mut Out<'_>, addresses: &Addresses) {
    out.line.mac(&addresses.source).str(" > ").mac(&addresses.destination).str(", ");
}

/// `source > destination `, or nothing for frames that have no addresses.
pub(super) fn write_llc_addresses(out: &mut Out<'_>, addresses: Option<&Addresses>) {
    if let Some(addresses) = addresses {
        out.line.mac(&addresses.source).str(" > ").mac(&addresses.destination).byte(b' ');
    }
}

/// `source `, and what comes between it and the destination.
pub(super) fn write_source(out: &mut Out<'_>, addresses: Option<&Addresses>) {
    if let Some(addresses) = addresses {
        out.line.mac(&addresses.source).byte(b' ');
    }
}

/// `destination `.
pub(super) fn write_destination(out: &mut Out<'_>, addresses: Option<&Addresses>) {
    if let Some(addresses) = addresses {
        out.line.mac(&addresses.destination).byte(b' ');
    }
}

/// `ethertype IPv4 (0x0800)`; with `-q` the name alone.
fn write_type(out: &mut Out<'_>, ether_type: u16) {
    match (names::ether_type(ether_type), out.options.quiet) {
        (Some(name), true) => out.line.str(name),
        (None, true) => out.line.str("Unknown Ethertype (0x").hex(ether_type.into(), 4).byte(b')'),
        (name, false) => write_named_type(out, name.unwrap_or("Unknown"), ether_type),
    };
}

/// `ethertype NAME (0x0800)`.
fn write_named_type<'l>(
    out: &'l mut Out<'_>,
    name: &str,
    ether_type: u16,
) -> &'l mut crate::sinks::line::Line {
    out.line.str("ethertype ").str(name).str(" (0x").hex(ether_type.into(), 4).byte(b')')
}

/// Prints what an EtherType announces; `false` where tcpdump or we do not know it.
pub(super) fn by_ether_type(
    out: &mut Out<'_>,
    ether_type: u16,
    bytes: &[u8],
    wire_len: u32,
) -> Result<bool, super::Cut> {
    match ether_type {
        0x0800 => ip::print(out, bytes, wire_len)?,
        0x86dd => ip6::print(out, bytes, wire_len)?,
        0x0806 | 0x8035 => arp::print(out, bytes, wire_len)?,
        0x8847 | 0x8848 => mpls::print(out, bytes, wire_len)?,
        0x8863 | 0x8864 | 0x3c12 | 0x3c13 => return ppp::session(out, bytes, wire_len),
        _ => return Ok(false),
    }
    Ok(true)
}

/// IPv4 or IPv6 by the first nibble.
fn raw(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let version = View::new(bytes, "ipn").u8(0)? >> 4;
    if out.options.link_header {
        out.line.str("ip: ");
    }
    match version {
        4 => ip::print(out, bytes, wire_len),
        6 => ip6::print(out, bytes, wire_len),
        version => {
            out.line.str("unknown ip ").uint(version);
            Ok(())
        }
    }
}

/// BSD loopback.
fn loopback(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "null");
    let family = null::family(view.array(0)?);
    if out.options.link_header {
        loopback_header(out, family, wire_len);
    }
    let (bytes, inner_len) = (view.from(NULL_LEN), wire_len.saturating_sub(NULL_LEN as u32));
    match family {
        2 => ip::print(out, bytes, inner_len),
        24 | 28 | 30 => ip6::print(out, bytes, inner_len),
        _ => {
            if !out.options.link_header {
                loopback_header(out, family, wire_len);
            }
            text::dump(out.line, bytes);
            Ok(())
        }
    }
}

fn loopback_header(out: &mut Out<'_>, family: u32, wire_len: u32) {
    let name = match family {
        2 => Some("IPv4"),
        6 => Some("NS"),
        7 => Some("ISO"),
        16 => Some("Appletalk"),
        23 => Some("IPX"),
        24 | 28 | 30 => Some("IPv6"),
        _ => None,
    };
    match (name, out.options.quiet) {
        (Some(name), true) => out.line.str(name),
        (None, true) => out.line.str("Unknown AF ").uint(family),
        (name, false) => out.line.str("AF ").str(name.unwrap_or("Unknown")).str(" (").uint(family).byte(b')'),
    };
    out.line.str(", length ").uint(wire_len).str(": ");
}

/// Linux cooked capture, version 1.
fn cooked(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "sll");
    view.need(SLL_LEN)?;
    let header = Cooked {
        packet_type: view.u16(0)?,
        interface: None,
        address: (view.u16(4)? == 6).then_some(view.array(6)?),
        protocol: view.u16(14)?,
        wire_len,
    };
    header.body(out, view.from(SLL_LEN), wire_len.saturating_sub(SLL_LEN as u32))
}

/// Linux cooked capture, version 2, which begins with where and in which direction the packet went.
fn cooked2(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let view = View::new(bytes, "sll2");
    view.need(SLL2_LEN)?;
    let header = Cooked {
        packet_type: view.u8(10)?.into(),
        interface: Some(view.u32(4)?),
        address: (view.u8(11)? == 6).then_some(view.array(12)?),
        protocol: view.u16(0)?,
        wire_len,
    };
    // tcpdump asks the machine that it runs on for the name of the interface, which need not be the machine that
    // captured. Without an operating system the answer is the one for an unknown interface.
    let direction = header.direction();
    out.line.str("?     ").str(direction);
    for _ in direction.len()..4 {
        out.line.byte(b' ');
    }
    header.body(out, view.from(SLL2_LEN), wire_len.saturating_sub(SLL2_LEN as u32))
}

/// A cooked header of either version.
struct Cooked {
    packet_type: u16,
    /// Version 2 only.
    interface: Option<u32>,
    address: Option<[u8; 6]>,
    protocol: u16,
    wire_len: u32,
}

impl Cooked {
    fn direction(&self) -> &'static str {
        ["In", "B", "M", "P", "Out"].get(usize::from(self.packet_type)).copied().unwrap_or("?")
    }

    fn header(&self, out: &mut Out<'_>) {
        match self.interface {
            Some(index) => out.line.str("ifindex ").uint(index).byte(b' '),
            None => {
                let direction = self.direction();
                for _ in direction.len()..3 {
                    out.line.byte(b' ');
                }
                out.line.str(direction).byte(b' ')
            }
        };
        if let Some(address) = &self.address {
            out.line.mac(address).byte(b' ');
        }
        if out.options.quiet {
            return;
        }
        match self.protocol {
            SLL_802_3 => out.line.str("802.3"),
            SLL_802_2 => out.line.str("802.2"),
            other if other <= MAX_LENGTH => write_named_type(out, "Unknown", other),
            other => write_named_type(out, names::ether_type(other).unwrap_or("Unknown"), other),
        };
        out.line.str(", length ").uint(self.wire_len).str(": ");
    }

    fn body(&self, out: &mut Out<'_>, mut bytes: &[u8], mut wire_len: u32) -> Printed {
        if out.options.link_header {
            self.header(out);
        }
        let mut protocol = self.protocol;
        while protocol == 0x8100 {
            let tag = View::new(bytes, "vlan");
            tag.need(TAG_LEN)?;
            protocol = match tag.u16(2)? {
                length if length <= MAX_LENGTH => SLL_802_2,
                other => other,
            };
            if !out.options.quiet {
                out.line.str("ethertype ").str(names::ether_type(protocol).unwrap_or("Unknown")).str(", ");
            }
            (bytes, wire_len) = (tag.from(TAG_LEN), wire_len.saturating_sub(TAG_LEN as u32));
        }
        match protocol {
            SLL_802_2 => return llc::print_or_dump(out, bytes, wire_len, None),
            other if other <= MAX_LENGTH => text::dump(out.line, bytes),
            other => {
                if !by_ether_type(out, other, bytes, wire_len)? {
                    if !out.options.link_header {
                        self.header(out);
                    }
                    text::dump(out.line, bytes);
                }
            }
        }
        Ok(())
    }
}
