//! What a mirror filter does with a packet, decided offline as AWS decides it.
//!
//! Within the packet's direction the rules are tried by ascending number; the first that matches decides; a packet
//! that none matches is not mirrored. An IPv4 rule never matches IPv6, and ports exist only for TCP and UDP. AWS
//! does not say what a port range does with packets that show no port (later fragments, other protocols): here it
//! does not match, and the verdict says that this rule was in doubt. Traffic with Amazon's DNS is mirrored
//! whatever the rules say, where the filter names that service.
//!
//! Source: AWS, "Traffic Mirroring concepts: filters", CreateTrafficMirrorFilterRule.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    inventory::{Action, MirrorFilter, PortRange, Rule},
    traffic::{Ports, Traffic},
};

/// What a filter does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Mirrored or not, and by which rule.
    pub outcome: Outcome,
    /// The first rule (its index in the filter) whose port range the packet could neither meet nor miss, or of which
    /// a value could not be read, if there was one before the outcome.
    pub in_doubt: Option<usize>,
}

/// How a filter came to its verdict. Numbers are indices into [`MirrorFilter::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An accept rule matched.
    Accepted(usize),
    /// A reject rule matched.
    Rejected(usize),
    /// Traffic of a network service that the filter mirrors apart from its rules.
    Service,
    /// No rule matched.
    Unmatched,
}

/// Whether a rule matches a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// All its conditions hold.
    Yes,
    /// One of them does not.
    No,
    /// All hold but the port range, and the packet shows no port; or some of them could not be read.
    InDoubt,
}

impl Verdict {
    /// Whether the packet is mirrored.
    pub const fn is_mirrored(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted(_) | Outcome::Service)
    }
}

impl MirrorFilter {
    /// What the filter does with a packet.
    pub fn judge(&self, traffic: &Traffic) -> Verdict {
        let mut in_doubt = None;
        if self.mirrors_amazon_dns && is_amazon_dns(traffic) {
            return Verdict { outcome: Outcome::Service, in_doubt };
        }
        for (index, rule) in self.rules_of(traffic.direction) {
            match (rule.matches(traffic), rule.action) {
                (Match::Yes, Some(Action::Accept)) => {
                    return Verdict { outcome: Outcome::Accepted(index), in_doubt };
                }
                (Match::Yes, Some(Action::Reject)) => {
                    return Verdict { outcome: Outcome::Rejected(index), in_doubt };
                }
                (Match::InDoubt, action) if action.is_some() || !rule.faults.is_empty() => {
                    in_doubt = in_doubt.or(Some(index));
                }
                (Match::No | Match::InDoubt, _) | (_, None) => {}
            }
        }
        Verdict { outcome: Outcome::Unmatched, in_doubt }
    }
}

impl Rule {
    /// Whether the rule matches a packet of its direction.
    pub fn matches(&self, traffic: &Traffic) -> Match {
        let is_within = |net: Option<ipnet::IpNet>, address| net.is_none_or(|net| net.contains(&address));
        let fits = self.direction == traffic.direction
            && self.protocol.is_none_or(|protocol| protocol == traffic.protocol)
            && is_within(self.source, traffic.src)
            && is_within(self.destination, traffic.dst);
        if !fits {
            return Match::No;
        }
        if !self.faults.is_empty() {
            return Match::InDoubt;
        }
        let is_met = |range: Option<PortRange>, port| range.is_none_or(|range| range.contains(port));
        match traffic.ports {
            Ports::Known { src, dst }
                if is_met(self.source_ports, src) && is_met(self.destination_ports, dst) =>
            {
                Match::Yes
            }
            Ports::Known { .. } => Match::No,
            _ if self.source_ports.is_none() && self.destination_ports.is_none() => Match::Yes,
            _ => Match::InDoubt,
        }
    }
}

/// Whether the packet goes to or comes from Amazon's DNS: its link-local addresses, or the resolver of the VPC,
/// which is the network's address plus two. The VPC's network is not known here, so a private address that ends
/// in .2 counts.
fn is_amazon_dns(traffic: &Traffic) -> bool {
    match traffic.ports {
        Ports::Known { src, dst } => {
            (src == DNS && is_resolver(traffic.src)) || (dst == DNS && is_resolver(traffic.dst))
        }
        Ports::None | Ports::Hidden => false,
    }
}

const DNS: u16 = 53;
const RESOLVER_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
const RESOLVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253);

fn is_resolver(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, _, d] = address.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            address == RESOLVER_V4 || (d == 2 && (address.is_private() || is_shared))
        }
        IpAddr::V6(address) => address == RESOLVER_V6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{inventory::Direction, traffic::Evidence};

    fn rule(direction: Direction, number: u32, action: Action, source: &str) -> Rule {
        Rule {
            id: String::new(),
            direction,
            number: Some(number),
            action: Some(action),
            protocol: None,
            source_ports: None,
            destination_ports: None,
            source: source.parse().ok(),
            destination: None,
            faults: Vec::new(),
        }
    }

    fn filter(rules: &[Rule]) -> MirrorFilter {
        let mut filter = MirrorFilter { rules: rules.to_vec(), ..MirrorFilter::default() };
        filter.sort();
        filter
    }

    fn tcp(src: &str, src_port: u16, dst: &str, dst_port: u16) -> Traffic {
        Traffic {
            direction: Direction::Ingress,
            evidence: Evidence::Address,
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            protocol: 6,
            ports: Ports::Known { src: src_port, dst: dst_port },
        }
    }

    #[test]
    fn the_rule_with_the_lowest_number_decides_wherever_it_stands() {
        let filter = filter(&[
            rule(Direction::Ingress, 20, Action::Accept, "0.0.0.0/0"),
            rule(Direction::Ingress, 10, Action::Reject, "10.0.0.0/8"),
        ]);
        assert_eq!(filter.judge(&tcp("10.1.1.1", 1, "1.1.1.1", 2)).outcome, Outcome::Rejected(0));
        assert_eq!(filter.judge(&tcp("9.1.1.1", 1, "1.1.1.1", 2)).outcome, Outcome::Accepted(1));
    }

    #[test]
    fn a_packet_of_a_direction_without_rules_is_not_mirrored() {
        let filter = filter(&[rule(Direction::Egress, 1, Action::Accept, "0.0.0.0/0")]);
        assert_eq!(filter.judge(&tcp("10.1.1.1", 1, "1.1.1.1", 2)).outcome, Outcome::Unmatched);
    }

    #[test]
    fn an_ipv4_rule_never_matches_ipv6() {
        let filter = filter(&[rule(Direction::Ingress, 1, Action::Accept, "0.0.0.0/0")]);
        assert_eq!(filter.judge(&tcp("::ffff:10.1.1.1", 1, "::1", 2)).outcome, Outcome::Unmatched);
    }

    #[test]
    fn port_ranges_include_both_ends_and_an_inverted_one_matches_nothing() {
        let mut ranged = rule(Direction::Ingress, 1, Action::Accept, "0.0.0.0/0");
        ranged.source_ports = Some(PortRange { from: 80, to: 82 });
        let ports = |rule: &Rule| -> Vec<u16> {
            (78..85).filter(|port| rule.matches(&tcp("1.1.1.1", *port, "2.2.2.2", 9)) == Match::Yes).collect()
        };
        assert_eq!(ports(&ranged), [80, 81, 82]);
        ranged.source_ports = Some(PortRange { from: 82, to: 80 });
        assert!(ports(&ranged).is_empty());
    }

    #[test]
    fn a_later_fragment_does_not_meet_a_port_range_and_the_verdict_says_that_it_was_in_doubt() {
        let mut ranged = rule(Direction::Ingress, 1, Action::Reject, "0.0.0.0/0");
        ranged.destination_ports = Some(PortRange { from: 80, to: 80 });
        let filter = filter(&[ranged, rule(Direction::Ingress, 2, Action::Accept, "0.0.0.0/0")]);
        let fragment = Traffic { ports: Ports::Hidden, ..tcp("1.1.1.1", 0, "2.2.2.2", 0) };
        let verdict = filter.judge(&fragment);
        assert_eq!(verdict, Verdict { outcome: Outcome::Accepted(1), in_doubt: Some(0) });
    }

    #[test]
    fn a_rule_without_an_action_is_passed_over() {
        let mut idle = rule(Direction::Ingress, 1, Action::Reject, "0.0.0.0/0");
        idle.action = None;
        let filter = filter(&[idle, rule(Direction::Ingress, 2, Action::Accept, "0.0.0.0/0")]);
        assert_eq!(filter.judge(&tcp("1.1.1.1", 1, "2.2.2.2", 2)).outcome, Outcome::Accepted(1));
    }

    #[test]
    fn the_dns_service_is_mirrored_whatever_the_rules_say() {
        let mut filter = filter(&[rule(Direction::Ingress, 1, Action::Reject, "0.0.0.0/0")]);
        filter.mirrors_amazon_dns = true;
        for resolver in ["169.254.169.253", "10.10.0.2"] {
            assert!(filter.judge(&tcp(resolver, 53, "10.10.0.4", 4000)).is_mirrored(), "{resolver}");
        }
        assert!(!filter.judge(&tcp("8.8.8.8", 53, "10.10.0.4", 4000)).is_mirrored());
        assert!(!filter.judge(&tcp("10.10.0.2", 54, "10.10.0.4", 4000)).is_mirrored());
    }
}
