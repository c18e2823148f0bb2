//! Which rule of which mirror filter the packets of a capture match.
//!
//! With sessions, each packet is judged by the filter of its own session; without them, every filter judges every
//! mirrored packet. Packets that look alike to a filter are counted first and judged once.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{
    inventory::{Action, Direction, Inventory, MirrorFilter},
    join::{Join, Joined, Sources},
    rules::{Outcome, Verdict},
    traffic::{Evidence, Side, Traffic, captured_len, frame_len},
    value::Fault,
};
use crate::packet::{Envelope, Packet};

/// The most different packets that are counted before they are judged.
const MAX_CELLS: usize = 65_536;
/// The most groups of unmatched traffic that are told apart.
const MAX_GROUPS: usize = 16_384;
/// The groups of unmatched traffic that are reported for each filter.
pub const TOP_GROUPS: usize = 10;

/// Packets, and their octets on the wire without the tunnels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Octets of their mirrored frames, before any cut.
    pub bytes: u64,
}

/// What the filters do with a capture.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explanation {
    /// All packets that were looked at.
    pub total: Tally,
    /// Those that a mirror session made.
    pub mirrored: Tally,
    /// Mirrored frames that hold no IP: no rule is about them.
    pub without_ip: Tally,
    /// Packets that a GWLB endpoint routed; no mirror filter is about them.
    pub inline: Tally,
    /// Packets without a tunnel.
    pub bare: Tally,
    /// Mirrored packets whose direction nothing showed; they were taken as ingress.
    pub direction_assumed: Tally,
    /// Mirrored packets that belong to no known session. Zero where no sessions were given.
    pub without_session: Tally,
    /// Packets of a session whose filter is not known.
    pub without_filter: Tally,
    /// One entry a filter.
    pub filters: Vec<FilterUse>,
    /// One entry a session that made packets.
    pub sessions: Vec<SessionUse>,
}

/// What one filter does.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FilterUse {
    /// `tmf-…`.
    pub id: String,
    /// Its Name tag.
    pub name: Option<String>,
    /// Packets that it judged.
    pub judged: Tally,
    /// Packets that an accept rule or the DNS service mirrors.
    pub accepted: Tally,
    /// Packets that a reject rule keeps out.
    pub rejected: Tally,
    /// Packets that no rule matches, which are not mirrored either.
    pub unmatched: Tally,
    /// Packets that are mirrored for the DNS service; part of `accepted`.
    pub by_service: Tally,
    /// Packets that showed no port to a rule that asked for one, or that met a rule that could not be read, and so may
    /// fare otherwise with AWS.
    pub in_doubt: Tally,
    /// Its rules in the order in which they are tried.
    pub rules: Vec<RuleUse>,
    /// The largest groups of unmatched packets.
    pub unmatched_groups: Vec<Group>,
}

/// What one rule decides.
#[derive(Clone, Debug, Serialize)]
pub struct RuleUse {
    /// `tmfr-…`.
    pub id: String,
    /// Its direction.
    pub direction: Direction,
    /// Its number.
    pub number: Option<u32>,
    /// What it does.
    pub action: Option<Action>,
    /// Its conditions in the words of the filter language.
    pub condition: String,
    /// What it decided.
    pub decided: Tally,
    /// Share of the packets that the filter judged, 0 to 1.
    pub share: f64,
    /// Whether it decided nothing.
    pub never_matched: bool,
    /// Its values that could not be read: it decides nothing, and what it might have decided is in doubt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// Unmatched traffic of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Which kind.
    #[serde(flatten)]
    pub kind: Kind,
    /// How much.
    #[serde(flatten)]
    pub tally: Tally,
}

/// A kind of traffic, as coarse as people speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Kind {
    /// Direction.
    pub direction: Direction,
    /// Whether it is IPv6.
    pub is_ipv6: bool,
    /// Protocol number.
    pub protocol: u8,
    /// The lower port and its side, where the protocol has ports.
    pub service: Option<(Side, u16)>,
}

/// What came from one session.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionUse {
    /// `tms-…`.
    pub id: String,
    /// Its Name tag.
    pub name: Option<String>,
    /// Its VNI.
    pub vni: Option<u32>,
    /// Octets behind the VXLAN header that it mirrors; `None` for whole packets.
    pub packet_length: Option<u32>,
    /// Its packets.
    pub seen: Tally,
    /// Those that its filter accepts.
    pub accepted: Tally,
    /// Those that were longer than the packet length.
    pub cut: Tally,
    /// Octets that the packet length takes away.
    pub cut_len: u64,
    /// Those of which less was captured than was on the wire, for whatever reason.
    pub incomplete: Tally,
    /// Those that an earlier session of the interface accepts, which should have mirrored them instead.
    pub taken_earlier: Tally,
    /// Those that another session could have made as well, by all that is known.
    pub ambiguous: Tally,
}

/// Gathers an [`Explanation`] packet by packet.
#[derive(Clone, Debug)]
pub struct Explainer {
    inventory: Inventory,
    join: Join,
    sources: Sources,
    cells: HashMap<(usize, Traffic), Tally>,
    groups: HashMap<(usize, Kind), Tally>,
    sessions: BTreeMap<usize, SessionUse>,
    explanation: Explanation,
}

impl Explainer {
    /// Explains by the filters, sessions and interfaces of `inventory`.
    pub fn new(inventory: Inventory) -> Self {
        let filters = inventory.filters.iter().map(FilterUse::new).collect();
        Self {
            join: Join::new(&inventory),
            inventory,
            sources: Sources::default(),
            cells: HashMap::new(),
            groups: HashMap::new(),
            sessions: BTreeMap::new(),
            explanation: Explanation { filters, ..Explanation::default() },
        }
    }

    /// Counts one packet.
    pub fn add(&mut self, packet: &Packet<'_>) {
        let one = Tally { packets: 1, bytes: frame_len(packet).into() };
        self.explanation.total.add(one);
        let identity = match &packet.envelope {
            Envelope::Mirrored(context) => context.identity,
            Envelope::Inline(_) => return self.explanation.inline.add(one),
            Envelope::Bare => return self.explanation.bare.add(one),
        };
        self.explanation.mirrored.add(one);
        let place = self.sources.place(&self.join, &self.inventory, identity);
        self.count_session(place, packet, one);
        let Some(source) = self.sources.source(place) else { return };
        let Some(traffic) = Traffic::of(packet, source) else {
            return self.explanation.without_ip.add(one);
        };
        if traffic.evidence == Evidence::Assumed {
            self.explanation.direction_assumed.add(one);
        }
        self.cells.entry((place, traffic)).or_default().add(one);
        if self.cells.len() >= MAX_CELLS || self.sources.is_full() {
            self.judge_all();
        }
    }

    /// What has been gathered.
    pub fn finish(mut self) -> Explanation {
        self.judge_all();
        let mut explanation = self.explanation;
        for (&(filter, kind), &tally) in &self.groups {
            explanation.filters[filter].unmatched_groups.push(Group { kind, tally });
        }
        for filter in &mut explanation.filters {
            filter.finish();
        }
        explanation.sessions = self.sessions.into_values().collect();
        explanation
    }

    fn count_session(&mut self, place: usize, packet: &Packet<'_>, one: Tally) {
        if !self.inventory.has_sessions {
            return;
        }
        let joined = self.sources.joined(place);
        let Some((at, session)) = joined.session.and_then(|at| Some((at, self.inventory.sessions.get(at)?)))
        else {
            return self.explanation.without_session.add(one);
        };
        let entry = self.sessions.entry(at).or_insert_with(|| SessionUse {
            id: session.id.clone(),
            name: session.name.clone(),
            vni: session.vni,
            packet_length: session.packet_length,
            ..SessionUse::default()
        });
        entry.seen.add(one);
        if joined.is_ambiguous {
            entry.ambiguous.add(one);
        }
        if u64::from(captured_len(packet)) < one.bytes {
            entry.incomplete.add(one);
        }
        let excess = session.packet_length.map_or(0, |limit| one.bytes.saturating_sub(limit.into()));
        if excess > 0 {
            entry.cut.add(one);
            entry.cut_len += excess;
        }
    }

    fn judge_all(&mut self) {
        for ((place, traffic), tally) in core::mem::take(&mut self.cells) {
            let joined = self.sources.joined(place);
            if self.inventory.has_sessions {
                self.judge_by_session(&joined, &traffic, tally);
            } else {
                for filter in 0..self.inventory.filters.len() {
                    self.judge(filter, &traffic, tally);
                }
            }
        }
        if self.sources.is_full() {
            self.sources.clear();
        }
    }

    fn judge_by_session(&mut self, joined: &Joined, traffic: &Traffic, tally: Tally) {
        let Some(session) = joined.session else { return };
        let earlier = joined.interface.map(|at| self.join.sessions_of(at)).unwrap_or_default();
        let taken_earlier = earlier.iter().take_while(|at| **at != session).any(|at| {
            let filter = self.join.filter_of(*at).and_then(|filter| self.inventory.filters.get(filter));
            filter.is_some_and(|filter| filter.judge(traffic).is_mirrored())
        });
        let is_accepted = match joined.filter {
            Some(filter) => self.judge(filter, traffic, tally).is_mirrored(),
            None => {
                self.explanation.without_filter.add(tally);
                false
            }
        };
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.accepted.add_if(is_accepted, tally);
            entry.taken_earlier.add_if(taken_earlier, tally);
        }
    }

    fn judge(&mut self, filter: usize, traffic: &Traffic, tally: Tally) -> Verdict {
        let verdict = self.inventory.filters[filter].judge(traffic);
        self.explanation.filters[filter].count(&verdict, tally);
        if verdict.outcome == Outcome::Unmatched {
            let key = (filter, Kind::of(traffic));
            if self.groups.len() < MAX_GROUPS || self.groups.contains_key(&key) {
                self.groups.entry(key).or_default().add(tally);
            }
        }
        verdict
    }
}

impl Tally {
    pub(super) fn add(&mut self, more: Self) {
        self.packets += more.packets;
        self.bytes += more.bytes;
    }

    fn add_if(&mut self, condition: bool, more: Self) {
        if condition {
            self.add(more);
        }
    }
}

impl FilterUse {
    fn new(filter: &MirrorFilter) -> Self {
        let rules = filter.rules.iter().map(|rule| RuleUse {
            id: rule.id.clone(),
            direction: rule.direction,
            number: rule.number,
            action: rule.action,
            condition: rule.to_string(),
            decided: Tally::default(),
            share: 0.0,
            never_matched: true,
            faults: rule.faults.clone(),
        });
        Self { id: filter.id.clone(), name: filter.name.clone(), rules: rules.collect(), ..Self::default() }
    }

    fn count(&mut self, verdict: &Verdict, tally: Tally) {
        self.judged.add(tally);
        self.in_doubt.add_if(verdict.in_doubt.is_some(), tally);
        let rule = match verdict.outcome {
            Outcome::Accepted(rule) => {
                self.accepted.add(tally);
                rule
            }
            Outcome::Rejected(rule) => {
                self.rejected.add(tally);
                rule
            }
            Outcome::Service => {
                self.accepted.add(tally);
                return self.by_service.add(tally);
            }
            Outcome::Unmatched => return self.unmatched.add(tally),
        };
        if let Some(rule) = self.rules.get_mut(rule) {
            rule.decided.add(tally);
        }
    }

    fn finish(&mut self) {
        for rule in &mut self.rules {
            rule.never_matched = rule.decided.packets == 0;
            rule.share = rule.decided.packets as f64 / self.judged.packets.max(1) as f64;
        }
        self.unmatched_groups.sort_by_key(|group| (core::cmp::Reverse(group.tally.packets), group.kind));
        self.unmatched_groups.truncate(TOP_GROUPS);
    }
}

impl Kind {
    const fn of(traffic: &Traffic) -> Self {
        let Traffic { direction, protocol, .. } = *traffic;
        Self { direction, is_ipv6: traffic.is_ipv6(), protocol, service: traffic.service() }
    }
}

/// An id with its Name tag, where it has one.
pub(super) fn titled(id: &str, name: Option<&str>) -> String {
    let id = if id.is_empty() { "(without id)" } else { id };
    name.map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::describe,
        record::{LinkType, Record},
        stack::Decoder,
    };

    const FILTER: &str = r#""TrafficMirrorFilters":[{"TrafficMirrorFilterId":"tmf-1","IngressFilterRules":[
        {"RuleNumber":1,"RuleAction":"accept","Protocol":17,"SourceCidrBlock":"0.0.0.0/0","DestinationCidrBlock":"0.0.0.0/0"},
        {"RuleNumber":2,"RuleAction":"reject","Protocol":1,"SourceCidrBlock":"0.0.0.0/0","DestinationCidrBlock":"0.0.0.0/0"}]}]"#;

    /// A packet of VNI 7, mirrored by 10.0.0.4, from 8.8.8.8 to it, of which `captured` octets of payload are there
    /// though IP says 100.
    fn frame(protocol: u8, captured: usize) -> Vec<u8> {
        let payload = vec![0; captured];
        let ip = |protocol, src: [u8; 4], dst: [u8; 4], len: u16| {
            let [high, low] = len.to_be_bytes();
            [&[0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0][..], &src, &dst].concat()
        };
        let ethernet = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0];
        let inner = [&ethernet[..], &ip(protocol, [8, 8, 8, 8], [10, 0, 0, 4], 120), &payload].concat();
        let [high, low] = (16 + inner.len() as u16).to_be_bytes();
        let udp = [0xff, 0xb9, 0x12, 0xb5, high, low, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0];
        let outer = ip(17, [10, 0, 0, 4], [10, 0, 0, 46], 36 + inner.len() as u16);
        [&ethernet[..], &outer, &udp, &inner].concat()
    }

    fn explain(json: &str, frames: &[Vec<u8>]) -> Explanation {
        let mut explainer = Explainer::new(describe::parse(json.as_bytes()).unwrap());
        for data in frames {
            let original_len = data.len() as u32;
            let link_type = LinkType::ETHERNET;
            let record =
                Record { number: 1, timestamp_ns: 0, interface: 0, link_type, original_len, offset: 0, data };
            explainer.add(&Packet::decode(&Decoder::default(), record));
        }
        explainer.finish()
    }

    #[test]
    fn every_packet_is_counted_once_by_rule_or_as_unmatched() {
        let explanation = explain(
            &format!("{{{FILTER}}}"),
            &[frame(17, 100), frame(1, 100), frame(6, 100), frame(17, 100)],
        );
        let filter = &explanation.filters[0];
        let packets: Vec<u64> = filter.rules.iter().map(|rule| rule.decided.packets).collect();
        assert_eq!(packets, [2, 1]);
        assert_eq!((filter.accepted.packets, filter.rejected.packets, filter.unmatched.packets), (2, 1, 1));
        assert_eq!(filter.judged, Tally { packets: 4, bytes: 4 * 134 });
        assert!(explanation.to_string().contains("2 of 4 packets accepted, 1 rejected"), "{explanation}");
    }

    #[test]
    fn a_session_tells_what_its_packet_length_cuts_and_what_was_not_captured() {
        let session = r#""TrafficMirrorSessions":[{"TrafficMirrorSessionId":"tms-1","VirtualNetworkId":7,
            "TrafficMirrorFilterId":"tmf-1","PacketLength":64}]"#;
        let explanation = explain(&format!("{{{FILTER},{session}}}"), &[frame(17, 30), frame(17, 100)]);
        let session = &explanation.sessions[0];
        assert_eq!((session.seen.packets, session.accepted.packets), (2, 2));
        assert_eq!((session.cut.packets, session.cut_len), (2, 2 * (134 - 64)));
        assert_eq!(session.incomplete.packets, 1);
    }

    #[test]
    fn packets_of_no_known_session_are_counted_and_not_judged() {
        let session = r#""TrafficMirrorSessions":[{"TrafficMirrorSessionId":"tms-1","VirtualNetworkId":8,"TrafficMirrorFilterId":"tmf-1"}]"#;
        let explanation = explain(&format!("{{{FILTER},{session}}}"), &[frame(17, 100)]);
        assert_eq!(explanation.without_session.packets, 1);
        assert_eq!(explanation.filters[0].judged.packets, 0);
        assert!(explanation.sessions.is_empty());
    }

    #[test]
    fn a_packet_that_an_earlier_session_accepts_is_pointed_out() {
        let json = format!(
            r#"{{{FILTER},"TrafficMirrorSessions":[
            {{"TrafficMirrorSessionId":"tms-1","VirtualNetworkId":6,"SessionNumber":1,"NetworkInterfaceId":"eni-1","TrafficMirrorFilterId":"tmf-1"}},
            {{"TrafficMirrorSessionId":"tms-2","VirtualNetworkId":7,"SessionNumber":2,"NetworkInterfaceId":"eni-1","TrafficMirrorFilterId":"tmf-1"}}],
            "NetworkInterfaces":[{{"NetworkInterfaceId":"eni-1","PrivateIpAddress":"10.0.0.4"}}]}}"#
        );
        let explanation = explain(&json, &[frame(17, 100), frame(1, 100)]);
        assert_eq!(explanation.sessions[0].taken_earlier.packets, 1);
    }
}
