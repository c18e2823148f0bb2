//! What a mirror filter can see of a packet: direction, family, protocol, addresses and ports.
//!
//! A mirrored packet carries no direction. It is found by comparing the mirrored frame with the mirrored
//! interface: first its link-layer address, then its IP addresses. Where neither shows it, the packet counts as
//! arriving, and says that this was assumed: an interface sends from its own addresses, but receives for groups.

use core::net::IpAddr;

use serde::Serialize;

use super::inventory::{Direction, Interface};
use crate::{layers::Layer, packet::Packet};

/// A packet as a mirror filter sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traffic {
    /// Relative to the mirrored interface.
    pub direction: Direction,
    /// How the direction is known.
    pub evidence: Evidence,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol number; for IPv6 the one behind the extension headers.
    pub protocol: u8,
    /// Ports.
    pub ports: Ports,
}

/// Ports of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ports {
    /// TCP or UDP.
    Known {
        /// Source port.
        src: u16,
        /// Destination port.
        dst: u16,
    },
    /// The protocol has none.
    None,
    /// TCP or UDP without its header: a later fragment, or cut before it.
    Hidden,
}

/// How a packet's direction is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The interface's link-layer address is on one side of the frame.
    Mac,
    /// The interface's IP address is on one side of the packet.
    Address,
    /// Nothing shows it.
    Assumed,
}

/// What is known of a mirrored interface. Learns the link-layer address from packets whose IP addresses show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    primary: IpAddr,
    interface: Option<Interface>,
    mac: Option<[u8; 6]>,
}

impl Source {
    /// The interface whose mirrored packets come from `primary`, and what AWS describes of it.
    pub fn new(primary: IpAddr, interface: Option<&Interface>) -> Self {
        Self { primary, interface: interface.cloned(), mac: interface.and_then(|interface| interface.mac) }
    }

    fn owns(&self, address: IpAddr) -> bool {
        let described = |interface: &Interface| {
            interface.addresses.contains(&address)
                || interface.prefixes.iter().any(|prefix| prefix.contains(&address))
        };
        address == self.primary || self.interface.as_ref().is_some_and(described)
    }

    /// The direction of a packet, and how it is known.
    pub fn direction(&mut self, macs: Option<Macs>, src: IpAddr, dst: IpAddr) -> (Direction, Evidence) {
        if let Some(direction) = self.by_mac(macs) {
            return (direction, Evidence::Mac);
        }
        let direction = match (self.owns(src), self.owns(dst)) {
            (true, false) => Direction::Egress,
            (false, true) => Direction::Ingress,
            _ => return (Direction::Ingress, Evidence::Assumed),
        };
        if let Some(macs) = macs.filter(|_| self.mac.is_none()) {
            self.mac = Some(macs.own(direction));
        }
        (direction, Evidence::Address)
    }

    fn by_mac(&self, macs: Option<Macs>) -> Option<Direction> {
        let (own, macs) = (self.mac?, macs?);
        match (macs.src == own, macs.dst == own) {
            (true, false) => Some(Direction::Egress),
            (false, true) => Some(Direction::Ingress),
            _ => None,
        }
    }
}

/// Link-layer addresses of a mirrored frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macs {
    /// Destination.
    pub dst: [u8; 6],
    /// Source.
    pub src: [u8; 6],
}

impl Macs {
    fn own(self, direction: Direction) -> [u8; 6] {
        match direction {
            Direction::Ingress => self.dst,
            Direction::Egress => self.src,
        }
    }
}

impl Traffic {
    /// What a filter sees of the mirrored or inline packet (or the whole record, where there is no envelope);
    /// `None` if it is no IP.
    pub fn of(packet: &Packet<'_>, source: &mut Source) -> Option<Self> {
        let stack = &packet.stack;
        let layers = packet.subject_layers();
        let ip = ip_index(packet)?;
        let (src, dst) = stack.addresses(&layers[ip])?;
        let header = stack.header(&layers[ip]);
        let mut protocol = *header.get(if layers[ip].layer == Layer::Ipv4 { 9 } else { 6 })?;
        let mut last = ip;
        while let Some(extension) = layers.get(last + 1).filter(|next| next.layer == Layer::Ipv6Ext) {
            last += 1;
            protocol = stack.header(extension).first().copied().unwrap_or(protocol);
        }
        let (direction, evidence) = source.direction(macs(packet), src, dst);
        let ports = match protocol {
            TCP | UDP => layers.get(last + 1).and_then(|next| stack.ports(next)).map_or(Ports::Hidden, known),
            _ => Ports::None,
        };
        Some(Self { direction, evidence, src, dst, protocol, ports })
    }

    /// Whether it is IPv6.
    pub const fn is_ipv6(&self) -> bool {
        self.src.is_ipv6()
    }

    /// The port that names the service: the lower one, with the side on which it lies.
    pub const fn service(&self) -> Option<(Side, u16)> {
        match self.ports {
            Ports::Known { src, dst } if src < dst => Some((Side::Source, src)),
            Ports::Known { dst, .. } => Some((Side::Destination, dst)),
            Ports::None | Ports::Hidden => None,
        }
    }
}

/// One end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// Octets of the mirrored frame on the wire, before the mirror session or the capture cut it; what follows the
/// VXLAN header and what `PacketLength` limits.
pub fn frame_len(packet: &Packet<'_>) -> u32 {
    let layers = packet.subject_layers();
    let Some(first) = layers.first() else { return 0 };
    let ip_end = ip_index(packet).map_or(0, |ip| layers[ip].end);
    first.end.max(ip_end).saturating_sub(first.offset)
}

/// Octets of the mirrored frame that were captured.
pub fn captured_len(packet: &Packet<'_>) -> u32 {
    packet.subject_layers().first().map_or(0, |first| first.limit.saturating_sub(first.offset))
}

/// The first IP layer of the subject, with nothing but the link layer before it.
pub(super) fn ip_index(packet: &Packet<'_>) -> Option<usize> {
    let is_link = |layer| {
        matches!(
            layer,
            Layer::Ethernet | Layer::LinuxSll | Layer::LinuxSll2 | Layer::Null | Layer::Llc | Layer::Vlan
        )
    };
    let layers = packet.subject_layers();
    let index = layers.iter().position(|span| !is_link(span.layer))?;
    matches!(layers[index].layer, Layer::Ipv4 | Layer::Ipv6).then_some(index)
}

fn macs(packet: &Packet<'_>) -> Option<Macs> {
    let ethernet = packet.subject_layers().first().filter(|span| span.layer == Layer::Ethernet)?;
    let header = packet.stack.header(ethernet);
    Some(Macs { dst: *header.first_chunk()?, src: *header.get(6..)?.first_chunk()? })
}

fn known((src, dst): (u16, u16)) -> Ports {
    Ports::Known { src, dst }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 4));
    const PEER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(8, 8, 8, 8));
    const OTHER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 9));

    fn macs(dst: u8, src: u8) -> Option<Macs> {
        Some(Macs { dst: [dst; 6], src: [src; 6] })
    }

    #[test]
    fn the_interfaces_address_shows_the_direction_and_teaches_its_link_layer_address() {
        let mut source = Source::new(OWN, None);
        assert_eq!(source.direction(macs(1, 2), PEER, OWN), (Direction::Ingress, Evidence::Address));
        assert_eq!(source.direction(macs(2, 1), OTHER, PEER), (Direction::Egress, Evidence::Mac));
        assert_eq!(source.direction(macs(1, 2), PEER, OTHER), (Direction::Ingress, Evidence::Mac));
    }

    #[test]
    fn a_packet_that_shows_no_direction_counts_as_arriving_and_says_so() {
        let mut source = Source::new(OWN, None);
        assert_eq!(source.direction(macs(1, 2), OTHER, PEER), (Direction::Ingress, Evidence::Assumed));
        assert_eq!(source.direction(macs(1, 2), OWN, OWN), (Direction::Ingress, Evidence::Assumed));
        assert_eq!(source.direction(None, OWN, PEER), (Direction::Egress, Evidence::Address));
    }

    #[test]
    fn every_address_of_the_described_interface_counts() {
        let interface = Interface {
            addresses: vec![OWN, OTHER],
            prefixes: vec!["10.9.0.0/28".parse().unwrap()],
            ..Interface::default()
        };
        let mut source = Source::new(OWN, Some(&interface));
        assert_eq!(source.direction(None, OTHER, PEER).0, Direction::Egress);
        assert_eq!(source.direction(None, "10.9.0.3".parse().unwrap(), PEER).0, Direction::Egress);
    }
}
