//! Traffic that never was: flows of plausible packets, made by a seed, to try everything on without AWS.
//!
//! TCP with handshake, acknowledged data and FIN (TLS with a server name, HTTP, others), DNS with answers, other
//! UDP, and pings, over IPv4 and IPv6, between the mirrored interfaces of a [`Network`] and the world. The flows
//! run side by side, a few long and many short. The same options make the same octets, on every machine.

mod flow;
mod frame;
mod payload;

use fastrand::Rng;

use crate::encap::{Network, mix};
use flow::{Flow, Spec};
use frame::FrameWriter;

/// Flows that are under way at a time; later ones begin where earlier ones end. Bounds the memory.
pub const MAX_ACTIVE_FLOWS: u64 = 65_536;

/// 2026-01-01T00:00:00Z, so that a capture does not depend on the day on which it is made.
pub const START_NS: i64 = 1_767_225_600_000_000_000;

/// How much traffic, and of what kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneratorOptions {
    /// Distinct flows, each in one mirror session; no more than packets.
    pub flows: u64,
    /// Packets of all flows together.
    pub packets: u64,
    /// Packets a second, by their timestamps.
    pub rate: u64,
    /// What chance is made of.
    pub seed: u64,
    /// How long packets are.
    pub sizes: Sizes,
    /// Share of flows, 0 to 1, that are IPv6.
    pub ipv6_share: f64,
    /// Share of flows with a VLAN tag.
    pub vlan_share: f64,
    /// Share of flows that are routed through the endpoint instead of being mirrored.
    pub inline_share: f64,
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self {
            flows: 1_000,
            packets: 100_000,
            rate: 100_000,
            seed: 1,
            sizes: Sizes::Imix,
            ipv6_share: 0.0,
            vlan_share: 0.0,
            inline_share: 0.0,
        }
    }
}

/// How long the packets of the data phase are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sizes {
    /// Frames of 60, 590 and 1514 octets, so often that the "Internet mix" of 7 : 4 : 1 comes out for all.
    #[default]
    Imix,
    /// As small as the headers allow: TCP over IPv4 has frames of 60 octets.
    Small,
}

/// A frame, as it passed the mirrored interface.
#[derive(Clone, Copy, Debug)]
pub struct Generated<'a> {
    /// Nanoseconds since 1970-01-01 UTC.
    pub timestamp_ns: i64,
    /// Index of the session in the network.
    pub session: u64,
    /// Whether the packet is routed through the session's endpoint, not mirrored.
    pub inline: bool,
    /// From the Ethernet header on.
    pub frame: &'a [u8],
}

/// Makes the frames one after another.
#[derive(Debug)]
pub struct Generator<'n> {
    network: &'n Network,
    options: GeneratorOptions,
    flows: Flows,
    rng: Rng,
    made: u64,
    frame: FrameWriter,
}

impl<'n> Generator<'n> {
    /// A generator at its first packet.
    pub fn new(network: &'n Network, options: GeneratorOptions) -> Self {
        Self {
            network,
            options,
            flows: Flows::new(network, &options),
            rng: Rng::with_seed(mix(options.seed)),
            made: 0,
            frame: FrameWriter::new(options.seed),
        }
    }

    /// The next frame; `None` after the last. Nothing is allocated for it.
    #[inline]
    pub fn next_frame(&mut self) -> Option<Generated<'_>> {
        let flow = self.flows.pick(&mut self.rng, self.network, &self.options)?;
        let spec = flow.spec;
        let step = flow.step(&mut self.rng, self.options.sizes);
        let frame = self.frame.write(self.network.session(spec.session), &spec, &step);
        let elapsed_ns = u128::from(self.made) * 1_000_000_000 / u128::from(self.options.rate.max(1));
        self.made += 1;
        let timestamp_ns = START_NS.saturating_add(elapsed_ns as i64);
        Some(Generated { timestamp_ns, session: spec.session, inline: spec.inline, frame })
    }
}

/// The flows under way, and those still to begin.
#[derive(Debug)]
struct Flows {
    active: Vec<Flow>,
    begun: u64,
    count: u64,
    /// Packets beyond the one that every flow has, dealt out by weight.
    spare: u128,
    total_weight: u128,
    weight: u128,
}

impl Flows {
    fn new(network: &Network, options: &GeneratorOptions) -> Self {
        let count = options.flows.clamp(1, options.packets.max(1)).min(options.packets);
        let total_weight =
            (0..count).map(|index| u128::from(Spec::new(index, network, options).weight)).sum();
        let spare = u128::from(options.packets - count);
        let mut flows = Self { active: Vec::new(), begun: 0, count, spare, total_weight, weight: 0 };
        while flows.begun < count.min(MAX_ACTIVE_FLOWS) {
            let flow = flows.begin(network, options);
            flows.active.push(flow);
        }
        flows
    }

    /// A flow with a packet left, by chance.
    #[inline]
    fn pick(&mut self, rng: &mut Rng, network: &Network, options: &GeneratorOptions) -> Option<&mut Flow> {
        loop {
            let len = self.active.len();
            if len == 0 {
                return None;
            }
            let at = rng.usize(..len);
            if !self.active[at].is_over() {
                return self.active.get_mut(at);
            }
            if self.begun < self.count {
                self.active[at] = self.begin(network, options);
            } else {
                self.active.swap_remove(at);
            }
        }
    }

    /// Deals out the packets so that their sum is exact, however the weights round.
    fn begin(&mut self, network: &Network, options: &GeneratorOptions) -> Flow {
        let spec = Spec::new(self.begun, network, options);
        let dealt = self.spare * self.weight / self.total_weight;
        self.weight += u128::from(spec.weight);
        let share = self.spare * self.weight / self.total_weight - dealt;
        self.begun += 1;
        Flow::new(spec, 1 + share as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::net::IpAddr;

    use super::*;
    use crate::{
        Decoder, Layer, LinkType, Packet, Record,
        encap::{NetworkOptions, flow_hash},
    };

    fn each(options: GeneratorOptions, sessions: u32, mut take: impl FnMut(&Generated<'_>, &Packet<'_>)) {
        let network = Network::new(&NetworkOptions { sessions, ..Default::default() });
        let mut generator = Generator::new(&network, options);
        let decoder = Decoder::default();
        while let Some(generated) = generator.next_frame() {
            let record = Record {
                number: 1,
                timestamp_ns: generated.timestamp_ns,
                interface: 0,
                link_type: LinkType::ETHERNET,
                original_len: generated.frame.len() as u32,
                offset: 0,
                data: generated.frame,
            };
            take(&generated, &Packet::decode(&decoder, record));
        }
    }

    /// Addresses, protocol and ports, the same for both directions. Pings have no ports.
    fn tuple(packet: &Packet<'_>) -> (u8, [(IpAddr, u16); 2]) {
        let layers = packet.stack.layers();
        let ip = layers.iter().find(|span| matches!(span.layer, Layer::Ipv4 | Layer::Ipv6)).unwrap();
        let transport = layers.last().unwrap();
        let (src, dst) = packet.stack.addresses(ip).unwrap();
        let (from, to) = packet.stack.ports(transport).unwrap_or_default();
        let mut ends = [(src, from), (dst, to)];
        ends.sort_unstable();
        (transport.layer as u8, ends)
    }

    #[test]
    fn packets_and_flows_are_as_many_as_asked_for() {
        let shapes = [(1, 1, 3), (7, 7, 3), (1_000, 20_000, 3), (66_000, 70_000, 3), (10, 3, 3), (5, 0, 3)];
        for (flows, packets, sessions) in shapes.into_iter().chain([(300_000, 300_000, 1)]) {
            let (mut seen, mut count) = (HashSet::new(), 0);
            let options =
                GeneratorOptions { flows, packets, ipv6_share: 0.1, vlan_share: 0.1, ..Default::default() };
            each(options, sessions, |generated, packet| {
                count += 1;
                seen.insert((generated.session, tuple(packet)));
            });
            assert_eq!((count, seen.len() as u64), (packets, flows.min(packets)));
        }
    }

    #[test]
    fn every_frame_decodes_to_its_end() {
        let options =
            GeneratorOptions { ipv6_share: 0.5, vlan_share: 0.2, packets: 30_000, ..Default::default() };
        let mut layers = HashMap::new();
        each(options, 2, |_, packet| {
            assert_eq!(packet.stack.stop(), None);
            assert!(!packet.stack.is_truncated());
            for span in packet.stack.layers() {
                *layers.entry(span.layer).or_insert(0) += 1;
            }
        });
        for layer in [Layer::Tcp, Layer::Udp, Layer::Icmp, Layer::Icmpv6, Layer::Vlan, Layer::Ipv6] {
            assert!(layers[&layer] > 100, "{layer}: {layers:?}");
        }
    }

    #[test]
    fn shares_are_shares_of_the_flows() {
        let (mut inline, mut ipv6, mut all) = (HashSet::new(), HashSet::new(), HashSet::new());
        let options =
            GeneratorOptions { inline_share: 0.25, ipv6_share: 0.5, flows: 4_000, ..Default::default() };
        each(options, 1, |generated, packet| {
            let hash = flow_hash(&packet.stack, packet.stack.layers()).unwrap();
            all.insert(hash);
            if generated.inline {
                inline.insert(hash);
            }
            if packet.stack.layers().iter().any(|span| span.layer == Layer::Ipv6) {
                ipv6.insert(hash);
            }
        });
        assert_eq!(all.len(), 4_000);
        assert!((900..1_100).contains(&inline.len()), "{}", inline.len());
        assert!((1_850..2_150).contains(&ipv6.len()), "{}", ipv6.len());
    }

    #[test]
    fn the_internet_mix_has_its_mean() {
        let mut octets = 0;
        let options = GeneratorOptions { flows: 2_000, packets: 100_000, ..Default::default() };
        each(options, 1, |generated, _| octets += generated.frame.len());
        let mean_with_tunnels = octets / 100_000 + 118;
        assert!((455..=490).contains(&mean_with_tunnels), "{mean_with_tunnels}");
    }

    #[test]
    fn a_tcp_segment_acknowledges_what_the_other_side_sent() {
        // For each direction of each connection: the sequence number that must follow.
        let mut next: HashMap<(u64, u16, u16), u32> = HashMap::new();
        let options = GeneratorOptions { flows: 200, packets: 20_000, ..Default::default() };
        each(options, 1, |_, packet| {
            let Some(tcp) = packet.stack.layers().iter().find(|span| span.layer == Layer::Tcp) else {
                return;
            };
            let header = packet.stack.header(tcp);
            let [seq, ack] = [4, 8].map(|at| u32::from_be_bytes(*header[at..].first_chunk().unwrap()));
            let (src, dst) = packet.stack.ports(tcp).unwrap();
            let flow = flow_hash(&packet.stack, packet.stack.layers()).unwrap();
            if let Some(expected) = next.get(&(flow, src, dst)) {
                assert_eq!(seq, *expected);
            }
            if let Some(expected) = next.get(&(flow, dst, src)) {
                assert_eq!(ack, *expected);
            }
            let syn_or_fin = u32::from(header[13] & 3 != 0);
            let len = packet.stack.payload(tcp).len() as u32;
            next.insert((flow, src, dst), seq.wrapping_add(len + syn_or_fin));
        });
        assert!(next.len() > 200);
    }

    #[test]
    fn the_same_seed_makes_the_same_octets_and_another_does_not() {
        let octets = |seed| {
            let mut sum = Vec::new();
            let options = GeneratorOptions { seed, packets: 2_000, flows: 100, ..Default::default() };
            each(options, 4, |generated, _| sum.extend_from_slice(generated.frame));
            sum
        };
        assert!(octets(5) == octets(5));
        assert!(octets(5) != octets(6));
    }

    /// Benchmarks name a seed, so its octets may only change on purpose.
    #[test]
    fn a_seed_stands_for_these_octets() {
        let mut sum = 0;
        let options = GeneratorOptions {
            packets: 2_000,
            flows: 100,
            ipv6_share: 0.3,
            vlan_share: 0.1,
            ..Default::default()
        };
        each(options, 4, |generated, _| {
            sum = generated.frame.iter().fold(sum, |sum, octet| mix(sum ^ u64::from(*octet)));
        });
        assert_eq!(sum, 11_934_742_903_161_194_625);
    }
}
