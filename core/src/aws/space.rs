//! Rules as sets of packets: boxes of family, protocol, addresses and ports, which can be cut from each other.
//!
//! So a question like "do the earlier rules leave anything for this one" has an exact answer, also where several
//! rules together cover it. Packets that show no port where their protocol has one are left out of account.

use core::net::IpAddr;

use ipnet::IpNet;

use super::{
    inventory::{PortRange, Rule},
    traffic::{TCP, UDP},
};

/// The most pieces into which a box is cut; beyond it the answer is not known.
const MAX_PIECES: usize = 512;
const DIMENSIONS: usize = 5;

/// One set of packets. Every range includes both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    is_ipv6: bool,
    /// Protocol, source and destination address, source and destination port.
    ranges: [(u128, u128); DIMENSIONS],
}

/// The packets that `rule` matches for certain; empty if there are none.
pub(super) fn regions(rule: &Rule) -> Vec<Region> {
    if !rule.faults.is_empty() {
        return Vec::new();
    }
    let has_ports = rule.source_ports.is_some() || rule.destination_ports.is_some();
    let protocols: Vec<(u128, u128)> = match rule.protocol {
        Some(protocol) if has_ports && protocol != TCP && protocol != UDP => Vec::new(),
        Some(protocol) => vec![(protocol.into(), protocol.into())],
        None if has_ports => vec![(TCP.into(), TCP.into()), (UDP.into(), UDP.into())],
        None => vec![(0, 255)],
    };
    let mut regions = Vec::new();
    for is_ipv6 in [false, true] {
        let Some((src, dst)) = addresses(rule.source, is_ipv6).zip(addresses(rule.destination, is_ipv6))
        else {
            continue;
        };
        let ports = [rule.source_ports, rule.destination_ports].map(|range| {
            let PortRange { from, to } = range.unwrap_or(PortRange::ALL);
            (u128::from(from), u128::from(to))
        });
        regions.extend(
            protocols
                .iter()
                .map(|protocol| Region { is_ipv6, ranges: [*protocol, src, dst, ports[0], ports[1]] }),
        );
    }
    regions.retain(|region| region.ranges.iter().all(|(from, to)| from <= to));
    regions
}

/// What is left of `regions` without `cut`; `None` if it falls into too many pieces.
pub(super) fn without(regions: &[Region], cut: &[Region]) -> Option<Vec<Region>> {
    let mut left = regions.to_vec();
    for cut in cut {
        let mut pieces = Vec::new();
        for region in left {
            region.cut(cut, &mut pieces);
            if pieces.len() > MAX_PIECES {
                return None;
            }
        }
        left = pieces;
    }
    Some(left)
}

/// The packets in both.
pub(super) fn overlap(left: &[Region], right: &[Region]) -> Vec<Region> {
    left.iter().flat_map(|left| right.iter().filter_map(|right| left.intersection(right))).collect()
}

impl Region {
    fn intersection(&self, other: &Self) -> Option<Self> {
        let mut ranges = self.ranges;
        for (range, other) in ranges.iter_mut().zip(other.ranges) {
            *range = (range.0.max(other.0), range.1.min(other.1));
            if range.0 > range.1 {
                return None;
            }
        }
        (self.is_ipv6 == other.is_ipv6).then_some(Self { is_ipv6: self.is_ipv6, ranges })
    }

    /// Adds to `pieces` what is left of the region without `other`.
    fn cut(self, other: &Self, pieces: &mut Vec<Self>) {
        let Some(common) = self.intersection(other) else { return pieces.push(self) };
        let mut rest = self;
        for dimension in 0..DIMENSIONS {
            let ((from, to), (common_from, common_to)) = (rest.ranges[dimension], common.ranges[dimension]);
            if from < common_from {
                pieces.push(rest.with(dimension, (from, common_from - 1)));
            }
            if common_to < to {
                pieces.push(rest.with(dimension, (common_to + 1, to)));
            }
            rest = rest.with(dimension, (common_from, common_to));
        }
    }

    fn with(mut self, dimension: usize, range: (u128, u128)) -> Self {
        self.ranges[dimension] = range;
        self
    }
}

/// The addresses of a block, if it is of that family. No block means all addresses.
fn addresses(net: Option<IpNet>, is_ipv6: bool) -> Option<(u128, u128)> {
    match (net, is_ipv6) {
        (None, false) => Some((0, u32::MAX.into())),
        (None, true) => Some((0, u128::MAX)),
        (Some(IpNet::V4(_)), true) | (Some(IpNet::V6(_)), false) => None,
        (Some(net), _) => Some((number(net.network()), number(net.broadcast()))),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::inventory::{Action, Direction};

    fn rule(protocol: Option<u8>, source: &str, source_ports: Option<(u16, u16)>) -> Vec<Region> {
        regions(&Rule {
            id: String::new(),
            direction: Direction::Ingress,
            number: Some(1),
            action: Some(Action::Accept),
            protocol,
            source_ports: source_ports.map(|(from, to)| PortRange { from, to }),
            destination_ports: None,
            source: source.parse().ok(),
            destination: None,
            faults: Vec::new(),
        })
    }

    #[test]
    fn two_halves_cover_the_whole_together_and_neither_does_alone() {
        let whole = rule(None, "0.0.0.0/0", None);
        let halves = [rule(None, "0.0.0.0/1", None), rule(None, "128.0.0.0/1", None)];
        assert!(!without(&whole, &halves[0]).unwrap().is_empty());
        assert_eq!(without(&whole, &halves.concat()), Some(vec![]));
    }

    #[test]
    fn a_rule_with_ports_and_any_protocol_is_about_tcp_and_udp_only() {
        let ports = rule(None, "10.0.0.0/8", Some((1, 2)));
        assert_eq!(ports.len(), 2);
        assert!(rule(Some(1), "10.0.0.0/8", Some((1, 2))).is_empty());
        assert!(rule(Some(6), "10.0.0.0/8", Some((2, 1))).is_empty());
    }

    #[test]
    fn the_families_do_not_touch() {
        assert!(overlap(&rule(None, "0.0.0.0/0", None), &rule(None, "::/0", None)).is_empty());
    }
}
