//! Which addresses, ports and protocol make an expression choose a packet: found by changing the packet and asking.
//!
//! The expression is a closed box. Each field of a copy of the packet is changed in turn; a field that can be
//! anything without changing the answer is left out of the condition, and stays changed while the next is tried.
//! So `port 443` is learned from one packet as "source port 443", whatever addresses the packet had. Blocks of
//! addresses are found bit by bit, ranges of ports by halving.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    inventory::{PortRange, Rule},
    traffic::{Ports, TCP, Traffic, UDP, ip_index},
};
use crate::{
    layers::Layer,
    packet::Packet,
    record::Record,
    stack::{Decoder, Span},
};

/// A packet that can be changed, and the question that is asked of it.
pub(super) struct Probe<'a> {
    decoder: &'a Decoder,
    record: Record<'a>,
    bytes: Vec<u8>,
    ask: &'a mut dyn FnMut(&Packet<'_>) -> bool,
    answer: bool,
    places: Places,
}

/// Where in the record the fields lie.
#[derive(Clone, Copy)]
struct Places {
    src: usize,
    dst: usize,
    address_len: usize,
    protocol: usize,
    ports: Option<usize>,
}

/// The condition under which `ask` gives for this packet the answer that it gives now, as a rule without number and
/// action. `scratch` lends its memory.
pub(super) fn condition(
    decoder: &Decoder,
    packet: &Packet<'_>,
    traffic: &Traffic,
    ask: &mut dyn FnMut(&Packet<'_>) -> bool,
    scratch: &mut Vec<u8>,
) -> Option<Rule> {
    let places = places(packet, traffic)?;
    let mut bytes = core::mem::take(scratch);
    bytes.clear();
    bytes.extend_from_slice(packet.record.data);
    let answer = ask(packet);
    let mut probe = Probe { decoder, record: packet.record, bytes, ask, answer, places };
    let rule = probe.condition(traffic);
    *scratch = probe.bytes;
    Some(rule)
}

fn places(packet: &Packet<'_>, traffic: &Traffic) -> Option<Places> {
    let layers = packet.subject_layers();
    let ip = ip_index(packet)?;
    let start = layers.get(ip)?.offset as usize;
    let extension = |span: &&Span| span.layer == Layer::Ipv6Ext;
    let last = layers.get(ip + 1..)?.iter().take_while(extension).last();
    let behind = layers.get(ip + 1..)?.iter().find(|span| !extension(span));
    let ports =
        behind.filter(|_| matches!(traffic.ports, Ports::Known { .. })).map(|span| span.offset as usize);
    Some(match traffic.is_ipv6() {
        false => Places { src: start + 12, dst: start + 16, address_len: 4, protocol: start + 9, ports },
        true => {
            let protocol = last.map_or(start + 6, |span| span.offset as usize);
            Places { src: start + 8, dst: start + 24, address_len: 16, protocol, ports }
        }
    })
}

impl Probe<'_> {
    fn condition(&mut self, traffic: &Traffic) -> Rule {
        let Places { src, dst, ports, .. } = self.places;
        let source = self.net(src);
        let destination = self.net(dst);
        let (source_ports, destination_ports) = match (traffic.ports, ports) {
            (Ports::Known { src, dst }, Some(at)) => self.both_ports(at, src, dst),
            _ => (None, None),
        };
        let needs_protocol = source_ports.is_some() || destination_ports.is_some();
        let protocol = (needs_protocol || self.protocol_matters(traffic)).then_some(traffic.protocol);
        Rule {
            id: String::new(),
            direction: traffic.direction,
            number: None,
            action: None,
            protocol,
            source_ports,
            destination_ports,
            source: Some(source),
            destination: Some(destination),
            faults: Vec::new(),
        }
    }

    /// Whether the answer stays with the octets at `at` replaced; they are put back.
    fn holds_with(&mut self, at: usize, octets: &[u8]) -> bool {
        let mut before = [0; 16];
        let Some(place) = self.bytes.get_mut(at..at + octets.len()) else { return false };
        before[..octets.len()].copy_from_slice(place);
        place.copy_from_slice(octets);
        let packet = Packet::decode(self.decoder, Record { data: &self.bytes, ..self.record });
        let holds = (self.ask)(&packet) == self.answer;
        self.set(at, &before[..octets.len()]);
        holds
    }

    fn set(&mut self, at: usize, octets: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    }

    /// The widest block around the address at `at` in which one changed bit does not change the answer.
    fn net(&mut self, at: usize) -> IpNet {
        let len = self.places.address_len;
        let mut address = [0; 16];
        address[..len].copy_from_slice(self.bytes.get(at..at + len).unwrap_or(&[0; 16][..len]));
        let matters = |probe: &mut Self, bit: usize| {
            let mut changed = address;
            changed[bit / 8] ^= 0x80 >> (bit % 8);
            !probe.holds_with(at, &changed[..len])
        };
        let mut prefix_len = (0..8 * len).rev().find(|bit| matters(self, *bit)).map_or(0, |bit| bit + 1);
        let inverted = address.map(|octet| !octet);
        if prefix_len == 0 {
            match self.holds_with(at, &inverted[..len]) {
                true => self.set(at, &inverted[..len]),
                false => prefix_len = 8 * len,
            }
        }
        net(&address[..len], prefix_len)
    }

    /// Ranges of both ports. The higher port is freed first, as it is rarely what is meant.
    fn both_ports(&mut self, at: usize, src: u16, dst: u16) -> (Option<PortRange>, Option<PortRange>) {
        if src >= dst {
            let source = self.port(at, src);
            (source, self.port(at + 2, dst))
        } else {
            let destination = self.port(at + 2, dst);
            (self.port(at, src), destination)
        }
    }

    /// The range around `port` that keeps the answer; `None` if any port does, which leaves it changed.
    fn port(&mut self, at: usize, port: u16) -> Option<PortRange> {
        let tried = (0..16).map(|bit| port ^ (1 << bit)).chain([0, u16::MAX]);
        let (mut below, mut above) = (None, None);
        for other in tried.filter(|other| *other != port) {
            if self.holds_with(at, &other.to_be_bytes()) {
                continue;
            }
            match other < port {
                true => below = below.max(Some(other)),
                false => above = Some(above.map_or(other, |above: u16| above.min(other))),
            }
        }
        if below.is_none() && above.is_none() {
            self.set(at, &(!port).to_be_bytes());
            return None;
        }
        let from = below.map_or(0, |fails| self.edge(at, port, fails));
        let to = above.map_or(u16::MAX, |fails| self.edge(at, port, fails));
        Some(PortRange { from, to })
    }

    /// The port between `holds` and `fails` that holds and is nearest to `fails`.
    fn edge(&mut self, at: usize, mut holds: u16, mut fails: u16) -> u16 {
        while holds.abs_diff(fails) > 1 {
            let middle = holds.midpoint(fails);
            match self.holds_with(at, &middle.to_be_bytes()) {
                true => holds = middle,
                false => fails = middle,
            }
        }
        holds
    }

    fn protocol_matters(&mut self, traffic: &Traffic) -> bool {
        const EXPERIMENT: u8 = 253;
        let icmp = if traffic.is_ipv6() { 58 } else { 1 };
        let others = [EXPERIMENT, TCP, UDP, icmp].into_iter().filter(|other| *other != traffic.protocol);
        others.into_iter().any(|other| !self.holds_with(self.places.protocol, &[other]))
    }
}

fn net(address: &[u8], prefix_len: usize) -> IpNet {
    let address = match (<[u8; 4]>::try_from(address), <[u8; 16]>::try_from(address)) {
        (Ok(octets), _) => IpAddr::from(Ipv4Addr::from(octets)),
        (_, Ok(octets)) => IpAddr::from(Ipv6Addr::from(octets)),
        _ => IpAddr::from(Ipv4Addr::UNSPECIFIED),
    };
    IpNet::new(address, prefix_len as u8).map_or(IpNet::from(address), |net| net.trunc())
}
