//! Which rule of which mirror filter the packets of a capture match.
//!
//! With sessions, each packet is judged by the filter of its own session; without them, every filter judges every
//! mirrored packet. Packets that look alike to a filter are counted first and judged once.

use core::fmt;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{
    inventory::{Action, Direction, Inventory, MirrorFilter},
    join::{Join, Joined, Sources},
    rules::{Outcome, Verdict},
    table::{Align, Table, share, wrap},
    traffic::{Evidence, Side, Traffic, captured_len, frame_len},
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
    /// Packets that showed no port to a rule that asked for one, and so may fare otherwise with AWS.
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
}

/// Unmatched traffic of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Direction.
    pub direction: Direction,
    /// Whether it is IPv6.
    pub is_ipv6: bool,
    /// Protocol number.
    pub protocol: u8,
    /// The lower port and its side, where the protocol has ports.
    pub service: Option<(Side, u16)>,
    /// How much.
    pub tally: Tally,
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
    groups: HashMap<(usize, Direction, bool, u8, Option<(Side, u16)>), Tally>,
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
        for (&(filter, direction, is_ipv6, protocol, service), &tally) in &self.groups {
            let group = Group { direction, is_ipv6, protocol, service, tally };
            explanation.filters[filter].unmatched_groups.push(group);
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
            let service = traffic.service();
            let key = (filter, traffic.direction, traffic.is_ipv6(), traffic.protocol, service);
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
        self.unmatched_groups.sort_by_key(|group| {
            let Group { direction, is_ipv6, protocol, service, tally } = *group;
            (core::cmp::Reverse(tally.packets), direction, is_ipv6, protocol, service)
        });
        self.unmatched_groups.truncate(TOP_GROUPS);
    }
}

/// The report for people, at most 100 columns wide.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_totals(&mut out);
        if !self.sessions.is_empty() {
            out.push('\n');
            self.write_sessions(&mut out);
        }
        for filter in &self.filters {
            out.push('\n');
            filter.write(&mut out);
        }
        f.write_str(&out)
    }
}

impl Explanation {
    fn write_totals(&self, out: &mut String) {
        let total = self.total.packets;
        wrap(out, "", &format!("{} of {total} packets are mirrored.", self.mirrored.packets));
        let notes = [
            (self.inline, "came inline through a GWLB endpoint: no mirror filter judges them."),
            (self.bare, "have no tunnel: they were not mirrored, or not captured at the target."),
            (self.without_ip, "are mirrored but hold no IP: no rule is about them."),
            (self.direction_assumed, "do not show their direction and were taken as ingress."),
            (self.without_session, "belong to no session in the files."),
            (self.without_filter, "belong to a session whose filter is not in the files."),
        ];
        for (tally, note) in notes {
            if tally.packets > 0 {
                wrap(out, "  ", &format!("{} {note}", tally.packets));
            }
        }
    }

    fn write_sessions(&self, out: &mut String) {
        let mut table = Table::new(&[
            ("session", Align::Flexible),
            ("vni", Align::Right),
            ("packets", Align::Right),
            ("accepted", Align::Right),
            ("length", Align::Right),
            ("cut", Align::Right),
            ("octets cut", Align::Right),
            ("incomplete", Align::Right),
        ]);
        for session in &self.sessions {
            table.row([
                titled(&session.id, session.name.as_deref()),
                session.vni.map_or("?".into(), |vni| vni.to_string()),
                session.seen.packets.to_string(),
                session.accepted.packets.to_string(),
                session.packet_length.map_or("whole".into(), |len| len.to_string()),
                session.cut.packets.to_string(),
                session.cut_len.to_string(),
                session.incomplete.packets.to_string(),
            ]);
        }
        table.write(out);
        for session in &self.sessions {
            let (id, earlier, ambiguous) = (&session.id, session.taken_earlier, session.ambiguous);
            if earlier.packets > 0 {
                let note = format!(
                    "{} packets of {id} are accepted by an earlier session of the same interface, which should \
                     have mirrored them: sessions or filters have changed since the capture.",
                    earlier.packets
                );
                wrap(out, "  ", &note);
            }
            if ambiguous.packets > 0 {
                let note = format!(
                    "{} packets of {id} may belong to other sessions with the same VNI: give the interfaces \
                     and targets as well.",
                    ambiguous.packets
                );
                wrap(out, "  ", &note);
            }
        }
    }
}

impl FilterUse {
    fn write(&self, out: &mut String) {
        let title = format!(
            "Filter {}: {} of {} packets accepted, {} rejected, {} not matched by any rule",
            titled(&self.id, self.name.as_deref()),
            self.accepted.packets,
            self.judged.packets,
            self.rejected.packets,
            self.unmatched.packets,
        );
        wrap(out, "", &title);
        let mut table = Table::new(&[
            ("direction", Align::Left),
            ("rule", Align::Right),
            ("action", Align::Left),
            ("matches", Align::Flexible),
            ("packets", Align::Right),
            ("bytes", Align::Right),
            ("share", Align::Right),
            ("rule id", Align::Left),
        ]);
        for rule in &self.rules {
            table.row([
                rule.direction.text().into(),
                rule.number.map_or("?".into(), |number| number.to_string()),
                rule.action.map_or("?", Action::text).into(),
                rule.condition.clone(),
                rule.decided.packets.to_string(),
                rule.decided.bytes.to_string(),
                self.share_of(rule.decided),
                rule.id.clone(),
            ]);
        }
        let rest = [("service", "amazon-dns", self.by_service), ("none", "no rule matches", self.unmatched)];
        for (action, text, tally) in
            rest.into_iter().filter(|(action, _, tally)| *action == "none" || tally.packets > 0)
        {
            let (packets, bytes) = (tally.packets.to_string(), tally.bytes.to_string());
            let share = self.share_of(tally);
            table.row([
                "any".into(),
                "*".into(),
                action.into(),
                text.into(),
                packets,
                bytes,
                share,
                "-".into(),
            ]);
        }
        table.write(out);
        self.write_notes(out);
    }

    fn share_of(&self, tally: Tally) -> String {
        share(tally.packets, self.judged.packets)
    }

    fn write_notes(&self, out: &mut String) {
        let never: Vec<_> = self.rules.iter().filter(|rule| rule.never_matched).map(RuleUse::short).collect();
        if !never.is_empty() {
            wrap(out, "  ", &format!("Never matched: {}.", never.join(", ")));
        }
        if self.in_doubt.packets > 0 {
            let note = format!(
                "{} packets show no port to a rule that asks for one (later fragments, other protocols); AWS does \
                 not say what happens to them, here the rule does not match.",
                self.in_doubt.packets
            );
            wrap(out, "  ", &note);
        }
        if !self.unmatched_groups.is_empty() {
            let groups: Vec<_> = self.unmatched_groups.iter().map(ToString::to_string).collect();
            wrap(out, "  ", &format!("Not matched: {}.", groups.join("; ")));
        }
    }
}

impl RuleUse {
    fn short(&self) -> String {
        let number = self.number.map_or("without number".into(), |number| number.to_string());
        format!("{} {number}", self.direction.text())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match (self.protocol, self.is_ipv6) {
            (1, false) => "icmp".into(),
            (6, false) => "tcp".into(),
            (6, true) => "ip6 tcp".into(),
            (17, false) => "udp".into(),
            (17, true) => "ip6 udp".into(),
            (58, true) => "icmp6".into(),
            (other, is_ipv6) => format!("{} proto {other}", if is_ipv6 { "ip6" } else { "ip" }),
        };
        write!(f, "{} {protocol}", self.direction.text())?;
        match self.service {
            Some((Side::Source, port)) => write!(f, " src port {port}")?,
            Some((Side::Destination, port)) => write!(f, " dst port {port}")?,
            None => {}
        }
        write!(f, " ({})", self.tally.packets)
    }
}

/// An id with its Name tag, where it has one.
pub(super) fn titled(id: &str, name: Option<&str>) -> String {
    let id = if id.is_empty() { "(without id)" } else { id };
    name.map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
}
