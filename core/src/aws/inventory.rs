//! Filters, sessions, targets and interfaces as AWS describes them, gathered from any number of files.
//!
//! Every part may be missing: the owner of a target sees foreign sessions without their filters and interfaces
//! (AWS, "Cross-account traffic mirroring"). What is absent is `None` or empty, never made up.

use core::{fmt, net::IpAddr};
use std::collections::HashMap;

use ipnet::IpNet;
use serde::Serialize;

use super::{gwlb::EndpointId, value::Fault};

/// Everything that is known, in the order in which it was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Inventory {
    /// Mirror filters with their rules.
    pub filters: Vec<MirrorFilter>,
    /// Mirror sessions.
    pub sessions: Vec<MirrorSession>,
    /// Mirror targets.
    pub targets: Vec<MirrorTarget>,
    /// Network interfaces: mirrored ones, and those of endpoints.
    pub interfaces: Vec<Interface>,
    /// Whether a file with filters was read, even an empty one. Only then does a missing filter mean anything.
    pub has_filters: bool,
    /// Whether a file with sessions was read.
    pub has_sessions: bool,
    /// Whether a file with targets was read.
    pub has_targets: bool,
    /// Whether a file with interfaces was read.
    pub has_interfaces: bool,
}

/// `ingress` arrives at the mirrored interface, `egress` leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Arriving at the mirrored interface.
    Ingress,
    /// Leaving it.
    Egress,
}

/// What a rule does with the packets that match it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Mirror.
    Accept,
    /// Do not mirror by this session.
    Reject,
}

/// Ports from `from` to `to`, both included. An inverted range is kept as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct PortRange {
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
}

/// One rule of a mirror filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Rule {
    /// `tmfr-…`; empty where AWS has not given one.
    pub id: String,
    /// Which packets it judges, by their direction.
    pub direction: Direction,
    /// Rules are tried in ascending order, 1 to 32766. A rule without a number comes last.
    pub number: Option<u32>,
    /// What it does. A rule that lacks its action matches nothing.
    pub action: Option<Action>,
    /// IANA protocol number; `None` for all.
    pub protocol: Option<u8>,
    /// Source ports; `None` for all.
    pub source_ports: Option<PortRange>,
    /// Destination ports; `None` for all.
    pub destination_ports: Option<PortRange>,
    /// Source addresses; `None` (AWS demands a value) for all.
    pub source: Option<IpNet>,
    /// Destination addresses; `None` (AWS demands a value) for all.
    pub destination: Option<IpNet>,
    /// Values that could not be read; a rule that has some is in doubt wherever it might match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// A mirror filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MirrorFilter {
    /// `tmf-…`.
    pub id: String,
    /// The value of the Name tag.
    pub name: Option<String>,
    /// Rules of both directions, sorted by direction and number.
    pub rules: Vec<Rule>,
    /// Whether traffic with Amazon's DNS is mirrored, whatever the rules say.
    pub mirrors_amazon_dns: bool,
}

/// A mirror session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MirrorSession {
    /// `tms-…`.
    pub id: String,
    /// The value of the Name tag.
    pub name: Option<String>,
    /// `tmt-…`; empty if unknown.
    pub target_id: String,
    /// `tmf-…`; empty if unknown.
    pub filter_id: String,
    /// `eni-…` of the mirrored interface; empty if unknown.
    pub interface_id: String,
    /// Account that owns the session.
    pub owner_id: Option<String>,
    /// Octets behind the VXLAN header that are mirrored; `None` for whole packets.
    pub packet_length: Option<u32>,
    /// Sessions of one interface are tried in ascending order.
    pub number: Option<u32>,
    /// The VNI.
    pub vni: Option<u32>,
    /// Values that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// A mirror target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MirrorTarget {
    /// `tmt-…`.
    pub id: String,
    /// The value of the Name tag.
    pub name: Option<String>,
    /// `network-interface`, `network-load-balancer` or `gateway-load-balancer-endpoint`, in lower case.
    pub kind: Option<String>,
    /// The endpoint, where the target is one and its id could be read.
    #[serde(serialize_with = "as_text")]
    pub endpoint_id: Option<EndpointId>,
    /// Account that owns the target.
    pub owner_id: Option<String>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// `eni-…`.
    pub id: String,
    /// The value of the Name tag.
    pub name: Option<String>,
    /// `interface`, `gateway_load_balancer_endpoint` and so on.
    pub kind: Option<String>,
    /// Its link-layer address.
    pub mac: Option<[u8; 6]>,
    /// Its addresses of both families, the primary IPv4 address first.
    pub addresses: Vec<IpAddr>,
    /// Prefixes delegated to it.
    pub prefixes: Vec<IpNet>,
    /// `i-…` of the instance that it is attached to.
    pub instance_id: Option<String>,
    /// Account that owns it.
    pub owner_id: Option<String>,
    /// `vpc-…`.
    pub vpc_id: Option<String>,
    /// `subnet-…`.
    pub subnet_id: Option<String>,
    /// Availability zone as the account calls it, such as `us-east-1a`.
    pub zone: Option<String>,
    /// Availability zone as all accounts call it, such as `use1-az1`.
    pub zone_id: Option<String>,
    /// Values that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl Inventory {
    /// Adds what another file said; of two things with one id, the one that comes later is kept.
    pub fn merge(&mut self, other: Self) {
        merge(&mut self.filters, other.filters, |filter| &filter.id);
        merge(&mut self.sessions, other.sessions, |session| &session.id);
        merge(&mut self.targets, other.targets, |target| &target.id);
        merge(&mut self.interfaces, other.interfaces, |interface| &interface.id);
        self.has_filters |= other.has_filters;
        self.has_sessions |= other.has_sessions;
        self.has_targets |= other.has_targets;
        self.has_interfaces |= other.has_interfaces;
    }

    /// Things by id, for callers that look up many.
    pub(super) fn by_id(&self) -> ById<'_> {
        ById {
            filters: index(&self.filters, |filter| &filter.id),
            targets: index(&self.targets, |target| &target.id),
            interfaces: index(&self.interfaces, |interface| &interface.id),
        }
    }
}

/// Where in the inventory an id lies.
pub(super) struct ById<'a> {
    pub(super) filters: HashMap<&'a str, usize>,
    pub(super) targets: HashMap<&'a str, usize>,
    pub(super) interfaces: HashMap<&'a str, usize>,
}

fn index<T>(items: &[T], id: impl Fn(&T) -> &String) -> HashMap<&str, usize> {
    items
        .iter()
        .enumerate()
        .map(|(at, item)| (id(item).as_str(), at))
        .filter(|(id, _)| !id.is_empty())
        .collect()
}

fn merge<T>(items: &mut Vec<T>, more: Vec<T>, id: impl Fn(&T) -> &String) {
    let mut known: HashMap<String, usize> =
        items.iter().enumerate().map(|(at, item)| (id(item).clone(), at)).collect();
    for item in more {
        match known.get(id(&item)).filter(|_| !id(&item).is_empty()).copied() {
            Some(at) => items[at] = item,
            None => {
                known.insert(id(&item).clone(), items.len());
                items.push(item);
            }
        }
    }
}

impl MirrorFilter {
    /// Brings the rules into the order in which they are tried.
    pub(super) fn sort(&mut self) {
        self.rules.sort_by_key(|rule| (rule.direction, rule.number.is_none(), rule.number));
    }

    /// The rules of one direction, in the order in which they are tried.
    pub fn rules_of(&self, direction: Direction) -> impl Iterator<Item = (usize, &Rule)> {
        self.rules.iter().enumerate().filter(move |(_, rule)| rule.direction == direction)
    }
}

impl Direction {
    /// Both, in the order in which they are shown.
    pub const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    /// As AWS writes it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl Action {
    /// As AWS writes it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { from: 0, to: u16::MAX };

    /// Whether `port` lies in it.
    pub fn contains(self, port: u16) -> bool {
        (self.from..=self.to).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from == self.to {
            true => write!(f, "{}", self.from),
            false => write!(f, "{}-{}", self.from, self.to),
        }
    }
}

/// A rule in the words of the filter language, so that it can be tried on a capture.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = [("src", self.source_ports), ("dst", self.destination_ports)];
        let ports = ports.into_iter().filter_map(|(side, range)| Some((side, range?)));
        let ports = ports.map(|(side, range)| {
            let word = if range.from == range.to { "port" } else { "portrange" };
            format!("{side} {word} {range}")
        });
        let ports = ports.collect::<Vec<_>>().join(" and ");
        let transport = [self.protocol_term().unwrap_or_default(), ports].join(" ").trim().to_owned();
        let nets = [("src", self.source), ("dst", self.destination)]
            .map(|(side, net)| net.filter(|net| net.prefix_len() > 0).map(|net| format!("{side} net {net}")));
        let terms = [self.family_term(), Some(transport).filter(|term| !term.is_empty())];
        let terms: Vec<_> = terms.into_iter().chain(nets).flatten().collect();
        match terms.is_empty() {
            true => f.write_str("everything"),
            false => f.write_str(&terms.join(" and ")),
        }
    }
}

impl Rule {
    /// Needed only where neither the protocol nor an address tells the family.
    fn family_term(&self) -> Option<String> {
        let nets = [self.source, self.destination].into_iter().flatten();
        let told = matches!(self.protocol, Some(1 | 58)) || nets.clone().any(|net| net.prefix_len() > 0);
        let family = nets.map(|net| if matches!(net, IpNet::V4(_)) { "ip" } else { "ip6" }).next();
        family.filter(|_| !told).map(str::to_owned)
    }

    fn protocol_term(&self) -> Option<String> {
        Some(match self.protocol? {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            58 => "icmp6".to_owned(),
            other => format!("proto {other}"),
        })
    }
}

fn as_text<S: serde::Serializer>(id: &Option<EndpointId>, to: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => to.collect_str(id),
        None => to.serialize_none(),
    }
}
