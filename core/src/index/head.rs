//! The head of a packet: what filters read of it most, without what differs from packet to packet.
//!
//! Link header, VLAN tags, and the first IP or ARP header of the subject, behind IP the ports or the ICMP type. Zero
//! are DSCP and ECN, lengths, identification, TTL, checksum, flow label, options, and of the fragment offset all but
//! whether there is one. Nothing is added that was not captured, and a header that could not be read whole ends it.

use arrayvec::ArrayVec;

use crate::{filter::partial::HeadLink, layers::Layer, packet::Packet, stack::Span};

/// Octets of a head at most: a link header, [`MAX_TAGS`] tags, the longest IPv4 header, ports.
pub(crate) const MAX_LEN: usize = 20 + 4 * MAX_TAGS as usize + 60 + 4;
const MAX_TAGS: u8 = 4;
const ARP_LEN: usize = 28;

/// A packet's head, and what of it differs from packet to packet.
#[derive(Debug)]
pub(crate) struct PacketHead {
    pub(crate) link: HeadLink,
    pub(crate) octets: ArrayVec<u8, MAX_LEN>,
    pub(crate) tags: u8,
    pub(crate) network: Network,
    /// Where the network header begins.
    pub(crate) network_at: u8,
    /// Octet 13 of TCP behind IPv4.
    pub(crate) tcp_flags: Option<u8>,
    pub(crate) is_fragment: bool,
}

/// What the network header is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    #[default]
    None,
    Arp,
    Ipv4,
    Ipv6,
    /// Another layer, by its place in [`Layer::ALL`].
    Other(u8),
}

impl PacketHead {
    #[inline]
    pub(crate) fn of(packet: &Packet<'_>) -> Self {
        let mut head = Self {
            link: HeadLink::of(packet),
            octets: ArrayVec::new(),
            tags: 0,
            network: Network::None,
            network_at: 0,
            tcp_flags: None,
            is_fragment: false,
        };
        let layers = packet.subject_layers();
        for (at, span) in layers.iter().enumerate() {
            let is_next = layers[0].offset as usize + head.octets.len() == span.offset as usize;
            if !is_next || !packet.stack.is_complete(packet.subject + at) {
                break;
            }
            if !head.add(packet, at, span) {
                break;
            }
        }
        head
    }

    /// Adds a layer; `false` where the head ends with it.
    #[inline]
    fn add(&mut self, packet: &Packet<'_>, at: usize, span: &Span) -> bool {
        let header = packet.stack.header(span);
        match span.layer {
            Layer::Ethernet | Layer::LinuxSll | Layer::LinuxSll2 | Layer::Null if at == 0 => {
                self.push(header)
            }
            Layer::Vlan if self.tags < MAX_TAGS && at > 0 => {
                self.tags += 1;
                self.push(header)
            }
            _ => {
                self.network_at = self.octets.len() as u8;
                self.add_network(packet, at, span, header);
                false
            }
        }
    }

    #[inline]
    fn push(&mut self, octets: &[u8]) -> bool {
        self.octets.try_extend_from_slice(octets).is_ok()
    }

    #[inline]
    fn add_network(&mut self, packet: &Packet<'_>, at: usize, span: &Span, header: &[u8]) {
        match span.layer {
            Layer::Ipv4 => self.add_ipv4(packet, span, header),
            Layer::Ipv6 => self.add_ipv6(packet, at, span, header),
            Layer::Arp => {
                self.network = Network::Arp;
                self.push(header.get(..ARP_LEN).unwrap_or(header));
            }
            other => self.network = Network::Other(other as u8),
        }
    }

    #[inline]
    fn add_ipv4(&mut self, packet: &Packet<'_>, span: &Span, header: &[u8]) {
        let Some(fixed) = header.first_chunk::<20>() else { return };
        self.network = Network::Ipv4;
        let [first, _, _, _, _, _, high, low, _, protocol, _, _, addresses @ ..] = *fixed;
        let is_later = (high & 0x1f, low) != (0, 0);
        self.is_fragment = is_later || high & 0x20 != 0;
        self.push(&[first, 0, 0, 0, 0, 0, 0, u8::from(is_later), 0, protocol, 0, 0]);
        self.push(&addresses);
        self.push([0; 40].get(..header.len() - fixed.len()).unwrap_or_default());
        if !is_later {
            let payload = packet.stack.payload(span);
            self.push_payload(protocol, payload);
            if protocol == TCP {
                self.tcp_flags = payload.get(13).copied();
            }
        }
    }

    #[inline]
    fn add_ipv6(&mut self, packet: &Packet<'_>, at: usize, span: &Span, header: &[u8]) {
        let Some([first, _, _, _, _, _, next, _, addresses @ ..]) = header.first_chunk::<40>() else {
            return;
        };
        self.network = Network::Ipv6;
        self.is_fragment = packet.stack.is_fragment(packet.subject_layers().get(at..).unwrap_or_default());
        self.push(&[first & 0xf0, 0, 0, 0, 0, 0, *next, 0]);
        self.push(addresses);
        let payload = packet.stack.payload(span);
        if packet.subject_layers().get(at + 1).is_some_and(|inside| inside.layer == Layer::Ipv6Ext) {
            self.push(payload.get(..1).unwrap_or_default());
        } else {
            self.push_payload(*next, payload);
        }
    }

    /// Ports, or type and code.
    #[inline]
    fn push_payload(&mut self, protocol: u8, payload: &[u8]) {
        let len = match protocol {
            TCP | UDP | 33 | 132 | 136 => 4,
            ICMP | ICMPV6 => 2,
            _ => 0,
        };
        self.push(payload.get(..len).unwrap_or_default());
    }
}

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
