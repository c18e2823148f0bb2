//! The smallest mirror filter that keeps or drops what an expression chooses, learned from a capture and checked
//! against it.
//!
//! An expression can ask for things that no mirror filter sees (flags, lengths, VNIs); then the best set of rules
//! is given with the packets for which it is wrong. A direction or family that the capture does not show gets no
//! rule, because nothing is known of what it would mirror.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    cover::{self, Cell, Plan},
    explain::Tally,
    inventory::{Action, Direction, Inventory, MirrorFilter, Rule},
    join::{Join, Sources},
    lint_rules::MAX_RULES,
    probe,
    traffic::{Evidence, Traffic, frame_len},
};
use crate::{
    packet::{Envelope, Packet},
    stack::Decoder,
};

/// The most different packets that are told apart. What comes beyond is counted, but not learned from.
pub const MAX_CELLS: usize = 65_536;
/// The most different packets for which the expression is probed even though a condition fits them already.
const MAX_PROBED: usize = 2_048;
/// The most conditions that are considered for each side.
const MAX_CONDITIONS: usize = 256;

/// What is to be done with the packets that the expression chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Mirror everything but them.
    Drop,
    /// Mirror nothing but them.
    Keep,
}

/// A suggested filter, and what it does with the capture from which it was learned.
#[derive(Clone, Debug, Serialize)]
pub struct Suggestion {
    /// What was asked for.
    pub goal: Goal,
    /// The rules, numbered; at most ten over both directions.
    pub filter: MirrorFilter,
    /// Mirrored IP packets of the capture.
    pub seen: Tally,
    /// Those that the filter keeps.
    pub kept: Tally,
    /// Those that it drops: what is saved.
    pub dropped: Tally,
    /// Those that the expression chooses.
    pub chosen: Tally,
    /// Those that the filter keeps against the expression.
    pub wrongly_kept: Tally,
    /// Those that the filter drops against the expression.
    pub wrongly_dropped: Tally,
    /// Mirrored packets that were too many to be learned from and checked.
    pub unchecked: Tally,
    /// Packets without IP, inline and without tunnel, about which no rule can say anything.
    pub beyond_rules: Tally,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Suggestion {
    /// Whether the filter does for every packet of the capture what was asked.
    pub const fn is_exact(&self) -> bool {
        self.wrongly_kept.packets == 0 && self.wrongly_dropped.packets == 0 && self.unchecked.packets == 0
    }
}

/// Learns a [`Suggestion`] packet by packet.
#[derive(Clone, Debug)]
pub struct Suggester {
    goal: Goal,
    decoder: Decoder,
    inventory: Inventory,
    join: Join,
    sources: Sources,
    places: HashMap<Traffic, usize>,
    cells: Vec<Cell>,
    accept: Conditions,
    reject: Conditions,
    chosen: Tally,
    unchecked: Tally,
    beyond_rules: Tally,
    direction_assumed: bool,
    scratch: Vec<u8>,
}

/// Conditions of one side, each once.
#[derive(Clone, Debug, Default)]
struct Conditions {
    rules: Vec<Rule>,
    known: HashSet<Rule>,
}

impl Suggester {
    /// Learns for `goal`. `decoder` must be the one that decodes the packets; `inventory`, which may be empty, helps
    /// to tell directions.
    pub fn new(goal: Goal, decoder: Decoder, inventory: Inventory) -> Self {
        Self {
            goal,
            decoder,
            join: Join::new(&inventory),
            inventory,
            sources: Sources::default(),
            places: HashMap::new(),
            cells: Vec::new(),
            accept: Conditions::default(),
            reject: Conditions::default(),
            chosen: Tally::default(),
            unchecked: Tally::default(),
            beyond_rules: Tally::default(),
            direction_assumed: false,
            scratch: Vec::new(),
        }
    }

    /// Takes one packet. `chooses` is the expression; it is asked again about changed copies of the packet.
    pub fn add(&mut self, packet: &Packet<'_>, mut chooses: impl FnMut(&Packet<'_>) -> bool) {
        let one = Tally { packets: 1, bytes: frame_len(packet).into() };
        let Some(traffic) = self.traffic(packet) else { return self.beyond_rules.add(one) };
        let is_chosen = chooses(packet);
        if is_chosen {
            self.chosen.add(one);
        }
        let action = if is_chosen == (self.goal == Goal::Keep) { Action::Accept } else { Action::Reject };
        let Some(place) = self.place(traffic) else { return self.unchecked.add(one) };
        let cell = &mut self.cells[place];
        let side = match action {
            Action::Accept => &mut cell.keep,
            Action::Reject => &mut cell.drop,
        };
        side.add(one);
        if side.packets == 1 {
            self.learn(packet, &traffic, action, &mut chooses);
        }
    }

    /// The best filter for what was taken.
    pub fn finish(self) -> Suggestion {
        let (accept, reject) = (&self.accept.rules, &self.reject.rules);
        let (chosen, rest) = match self.goal {
            Goal::Drop => (Action::Reject, Action::Accept),
            Goal::Keep => (Action::Accept, Action::Reject),
        };
        // What the expression chooses is listed, so that the filter means the same beyond this capture. Only
        // where that is "everything but", or does not come out exactly, the rest may be listed instead.
        let conditions = if chosen == Action::Accept { accept } else { reject };
        let is_open = conditions.iter().any(cover::is_unrestricted);
        let plans = [(chosen, true), (chosen, false), (rest, true), (rest, false)];
        let mut best: Option<((u64, bool, usize), MirrorFilter)> = None;
        for (listed, with_exceptions) in plans {
            let plan = Plan { listed, with_exceptions, max_rules: MAX_RULES };
            let filter = cover::build(&plan, &self.cells, accept, reject);
            let (kept, dropped) = cover::wrong(&filter, &self.cells);
            let cost = (kept.packets + dropped.packets, listed != chosen && !is_open, filter.rules.len());
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, filter));
            }
        }
        let filter = best.map(|(_, filter)| filter).unwrap_or_default();
        self.measured(filter)
    }

    fn traffic(&mut self, packet: &Packet<'_>) -> Option<Traffic> {
        let Envelope::Mirrored(context) = &packet.envelope else { return None };
        if self.sources.is_full() {
            self.sources.clear();
        }
        let place = self.sources.place(&self.join, &self.inventory, context.identity);
        let traffic = Traffic::of(packet, self.sources.source(place)?)?;
        self.direction_assumed |= traffic.evidence == Evidence::Assumed;
        // How the direction is known is nothing that a rule sees.
        Some(Traffic { evidence: Evidence::Address, ..traffic })
    }

    fn place(&mut self, traffic: Traffic) -> Option<usize> {
        if let Some(place) = self.places.get(&traffic) {
            return Some(*place);
        }
        if self.cells.len() >= MAX_CELLS {
            return None;
        }
        self.cells.push(Cell { traffic, keep: Tally::default(), drop: Tally::default() });
        self.places.insert(traffic, self.cells.len() - 1);
        Some(self.cells.len() - 1)
    }

    fn learn(
        &mut self,
        packet: &Packet<'_>,
        traffic: &Traffic,
        action: Action,
        chooses: &mut dyn FnMut(&Packet<'_>) -> bool,
    ) {
        let conditions = match action {
            Action::Accept => &mut self.accept,
            Action::Reject => &mut self.reject,
        };
        let is_early = self.cells.len() <= MAX_PROBED;
        if conditions.rules.len() >= MAX_CONDITIONS || (!is_early && conditions.fit(traffic)) {
            return;
        }
        let condition = probe::condition(&self.decoder, packet, traffic, chooses, &mut self.scratch);
        if let Some(rule) = condition.filter(|rule| conditions.known.insert(rule.clone())) {
            conditions.rules.push(rule);
        }
    }

    fn measured(self, filter: MirrorFilter) -> Suggestion {
        let (wrongly_kept, wrongly_dropped) = cover::wrong(&filter, &self.cells);
        let (mut seen, mut kept, mut dropped) = (Tally::default(), Tally::default(), Tally::default());
        for cell in &self.cells {
            let is_mirrored = filter.judge(&cell.traffic).is_mirrored();
            for side in [cell.keep, cell.drop] {
                seen.add(side);
                if is_mirrored { kept.add(side) } else { dropped.add(side) }
            }
        }
        let mut suggestion = Suggestion {
            goal: self.goal,
            filter,
            seen,
            kept,
            dropped,
            chosen: self.chosen,
            wrongly_kept,
            wrongly_dropped,
            unchecked: self.unchecked,
            beyond_rules: self.beyond_rules,
            notes: Vec::new(),
        };
        suggestion.notes = notes(&suggestion, &self.cells, self.direction_assumed);
        suggestion
    }
}

impl Conditions {
    fn fit(&self, traffic: &Traffic) -> bool {
        self.rules.iter().any(|rule| rule.matches(traffic) == super::rules::Match::Yes)
    }
}

fn notes(suggestion: &Suggestion, cells: &[Cell], direction_assumed: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if suggestion.seen.packets == 0 {
        notes.push("The capture holds no mirrored IP packet: there is nothing to learn from.".into());
        return notes;
    }
    if suggestion.filter.rules.is_empty() {
        notes.push("The filter needs no rule, because none of this traffic is to be mirrored.".into());
    }
    if suggestion.chosen.packets == 0 {
        notes.push("The expression chooses no packet of the capture.".into());
    }
    for direction in Direction::BOTH {
        if !cells.iter().any(|cell| cell.traffic.direction == direction) {
            let text = direction.text();
            notes.push(format!(
                "The capture shows no {text} packet, so there is no {text} rule: none is mirrored."
            ));
        }
    }
    let families: HashSet<bool> = cells.iter().map(|cell| cell.traffic.is_ipv6()).collect();
    if families.len() == 1 {
        let absent = if families.contains(&true) { "IPv4" } else { "IPv6" };
        notes.push(format!("The capture shows no {absent}, so there is no rule for it: none is mirrored."));
    }
    if direction_assumed {
        let note = "Some packets do not show their direction and were taken as ingress; give the interfaces \
                    (describe-network-interfaces) to tell them apart.";
        notes.push(note.into());
    }
    if !suggestion.is_exact() {
        let note = "No set of ten rules was found that does exactly this: rules see only direction, protocol, \
                    addresses and ports.";
        notes.push(note.into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        aws::{describe, explain::Explainer},
        layers::Layer,
        record::{LinkType, Record},
    };

    /// The mirrored interface.
    const OWN: [u8; 4] = [10, 0, 0, 4];

    /// A mirrored packet: Ethernet, IPv4, UDP, VXLAN, Ethernet, IPv4 and the ports of TCP or UDP.
    fn mirrored(protocol: u8, src: [u8; 4], src_port: u16, dst: [u8; 4], dst_port: u16) -> Vec<u8> {
        let transport = match protocol {
            6 => 20,
            _ => 8,
        };
        let mut inner = vec![0; 12];
        inner.extend([8, 0]);
        inner.extend(ipv4(protocol, src, dst, transport));
        let mut header = vec![0; transport];
        header[..2].copy_from_slice(&src_port.to_be_bytes());
        header[2..4].copy_from_slice(&dst_port.to_be_bytes());
        match protocol {
            6 => header[12] = 0x50,
            _ => header[5] = 8,
        }
        inner.extend(header);
        let mut frame = vec![0; 12];
        frame.extend([8, 0]);
        frame.extend(ipv4(17, OWN, [10, 0, 0, 46], 16 + inner.len()));
        frame.extend([0xff, 0xb9, 0x12, 0xb5]);
        frame.extend(((16 + inner.len()) as u16).to_be_bytes());
        frame.extend([0, 0, 8, 0, 0, 0, 0, 0, 7, 0]);
        frame.extend(inner);
        frame
    }

    fn ipv4(protocol: u8, src: [u8; 4], dst: [u8; 4], payload_len: usize) -> Vec<u8> {
        let mut header = vec![0x45, 0];
        header.extend(((20 + payload_len) as u16).to_be_bytes());
        header.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
        header.extend(src);
        header.extend(dst);
        header
    }

    fn with_packet<T>(frame: &[u8], take: impl FnOnce(&Packet<'_>) -> T) -> T {
        let record = Record {
            number: 1,
            timestamp_ns: 0,
            interface: 0,
            link_type: LinkType::ETHERNET,
            original_len: frame.len() as u32,
            offset: 0,
            data: frame,
        };
        take(&Packet::decode(&Decoder::default(), record))
    }

    /// Protocol, addresses and ports of the mirrored packet, read from its layers as an expression would.
    fn seen(packet: &Packet<'_>) -> Option<(Layer, [IpAddr; 2], [u16; 2])> {
        let layers = packet.subject_layers();
        let (src, dst) = packet.stack.addresses(layers.get(1)?)?;
        let transport = layers.get(2)?;
        let (src_port, dst_port) = packet.stack.ports(transport)?;
        Some((transport.layer, [src, dst], [src_port, dst_port]))
    }

    fn has_port(packet: &Packet<'_>, port: u16) -> bool {
        seen(packet).is_some_and(|(_, _, ports)| ports.contains(&port))
    }

    fn suggest(goal: Goal, frames: &[Vec<u8>], chooses: impl Fn(&Packet<'_>) -> bool) -> Suggestion {
        let mut suggester = Suggester::new(goal, Decoder::default(), Inventory::default());
        for frame in frames {
            with_packet(frame, |packet| suggester.add(packet, &chooses));
        }
        suggester.finish()
    }

    fn rules(suggestion: &Suggestion) -> Vec<String> {
        let text = |rule: &Rule| {
            format!("{} {} {rule}", rule.direction.text(), rule.action.map_or("?", Action::text))
        };
        suggestion.filter.rules.iter().map(text).collect()
    }

    /// Web traffic of the interface as client and DNS, both directions, from several peers.
    fn traffic() -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for peer in 1..20 {
            for port in [443, 80, 8080] {
                let (theirs, client) = ([52, 94, peer, 9], 40_000 + u16::from(peer));
                frames.push(mirrored(6, OWN, client, theirs, port));
                frames.push(mirrored(6, theirs, port, OWN, client));
            }
            frames.push(mirrored(17, OWN, 5_000, [10, 0, 0, 2], 53));
            frames.push(mirrored(17, [10, 0, 0, 2], 53, OWN, 5_000));
        }
        frames
    }

    #[test]
    fn dropping_a_port_takes_one_reject_and_one_accept_all_a_direction() {
        let suggestion = suggest(Goal::Drop, &traffic(), |packet| has_port(packet, 443));
        assert!(suggestion.is_exact());
        assert_eq!(
            rules(&suggestion),
            [
                "ingress reject ip and tcp src port 443",
                "ingress accept ip",
                "egress reject ip and tcp dst port 443",
                "egress accept ip",
            ]
        );
    }

    #[test]
    fn keeping_a_port_takes_one_accept_a_direction() {
        let suggestion = suggest(Goal::Keep, &traffic(), |packet| has_port(packet, 53));
        assert!(suggestion.is_exact());
        assert_eq!(
            rules(&suggestion),
            ["ingress accept ip and udp src port 53", "egress accept ip and udp dst port 53",]
        );
    }

    #[test]
    fn a_network_is_found_as_the_block_that_the_expression_means() {
        let is_within = |packet: &Packet<'_>| {
            let addresses = packet.subject_layers().get(1).and_then(|ip| packet.stack.addresses(ip));
            let is_in = |address| matches!(address, IpAddr::V4(v4) if v4.octets()[..2] == [52, 94]);
            addresses.is_some_and(|(src, dst)| is_in(src) || is_in(dst))
        };
        let suggestion = suggest(Goal::Drop, &traffic(), is_within);
        assert!(suggestion.is_exact());
        assert_eq!(rules(&suggestion)[0], "ingress reject src net 52.94.0.0/16");
    }

    #[test]
    fn a_range_of_ports_is_found_with_both_its_ends() {
        let is_within = |packet: &Packet<'_>| {
            seen(packet).is_some_and(|(_, _, ports)| ports.iter().any(|port| (8_000..=8_100).contains(port)))
        };
        let suggestion = suggest(Goal::Drop, &traffic(), is_within);
        assert_eq!(rules(&suggestion)[0], "ingress reject ip and tcp src portrange 8000-8100");
    }

    #[test]
    fn an_exception_stands_in_front_of_what_it_is_excepted_from() {
        let spared: IpAddr = [52, 94, 3, 9].into();
        let chooses = |packet: &Packet<'_>| {
            seen(packet)
                .is_some_and(|(_, addresses, ports)| ports.contains(&443) && !addresses.contains(&spared))
        };
        let suggestion = suggest(Goal::Drop, &traffic(), chooses);
        assert!(suggestion.is_exact(), "{suggestion}");
        assert!(suggestion.filter.rules.len() <= 6, "{suggestion}");
    }

    #[test]
    fn a_negated_expression_is_listed_by_what_it_leaves_out() {
        let suggestion = suggest(Goal::Keep, &traffic(), |packet| !has_port(packet, 443));
        assert!(suggestion.is_exact());
        assert_eq!(suggestion.filter.rules.len(), 4, "{suggestion}");
    }

    #[test]
    fn the_expression_is_listed_even_where_it_chooses_the_whole_capture() {
        let frames: Vec<_> = traffic()
            .into_iter()
            .filter(|frame| with_packet(frame, |packet| has_port(packet, 443)))
            .collect();
        let dropped = suggest(Goal::Drop, &frames, |packet| has_port(packet, 443));
        assert_eq!(rules(&dropped)[..2], ["ingress reject ip and tcp src port 443", "ingress accept ip",]);
        let kept = suggest(Goal::Keep, &frames, |packet| has_port(packet, 443));
        assert_eq!(rules(&kept)[0], "ingress accept ip and tcp src port 443");
    }

    #[test]
    fn dropping_everything_but_a_port_lists_that_port() {
        let suggestion = suggest(Goal::Drop, &traffic(), |packet| !has_port(packet, 443));
        assert!(suggestion.is_exact());
        assert_eq!(
            rules(&suggestion),
            ["ingress accept ip and tcp src port 443", "egress accept ip and tcp dst port 443",]
        );
    }

    #[test]
    fn what_no_rule_can_see_is_said_and_counted() {
        let mut suggester = Suggester::new(Goal::Drop, Decoder::default(), Inventory::default());
        for (count, frame) in traffic().iter().chain(&traffic()).enumerate() {
            with_packet(frame, |packet| suggester.add(packet, |_| count.is_multiple_of(3)));
        }
        let suggestion = suggester.finish();
        assert!(!suggestion.is_exact());
        assert!(suggestion.to_string().contains("not exact"), "{suggestion}");
        assert!(suggestion.filter.rules.len() <= MAX_RULES);
    }

    #[test]
    fn a_direction_that_the_capture_does_not_show_gets_no_rule_and_a_note() {
        let frames: Vec<_> = traffic().into_iter().skip(1).step_by(2).collect();
        let suggestion = suggest(Goal::Drop, &frames, |packet| has_port(packet, 443));
        assert_eq!(suggestion.filter.rules.len(), 2, "{suggestion}");
        assert!(suggestion.notes.iter().any(|note| note.contains("no egress packet")));
    }

    #[test]
    fn the_json_reads_back_as_the_same_filter() {
        let suggestion = suggest(Goal::Drop, &traffic(), |packet| has_port(packet, 443));
        let read = describe::parse(suggestion.filter.to_json().as_bytes()).unwrap();
        assert_eq!(read.filters, [suggestion.filter]);
    }

    #[test]
    fn every_rule_is_in_the_commands_and_in_the_template() {
        let filter = suggest(Goal::Drop, &traffic(), |packet| has_port(packet, 443)).filter;
        assert_eq!(filter.to_cli().matches("create-traffic-mirror-filter-rule").count(), filter.rules.len());
        assert!(filter.to_cli().contains("--protocol 6 --source-port-range FromPort=443,ToPort=443"));
        let template = filter.to_cloudformation();
        assert_eq!(template.matches("Type: AWS::EC2::TrafficMirrorFilterRule").count(), filter.rules.len());
        assert!(template.contains("      SourcePortRange:\n        FromPort: 443\n        ToPort: 443\n"));
    }

    fn packets() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let port = prop_oneof![Just(80), Just(443), Just(53), 1_024..u16::MAX];
        let address = (0..4u8, 0..4u8).prop_map(|(c, d)| [172, 16, c, d]);
        let packet = (prop_oneof![Just(6u8), Just(17)], address, port.clone(), port, any::<bool>());
        let packet = packet.prop_map(|(protocol, peer, own_port, port, is_egress)| match is_egress {
            true => mirrored(protocol, OWN, own_port, peer, port),
            false => mirrored(protocol, peer, port, OWN, own_port),
        });
        proptest::collection::vec(packet, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// What a suggestion claims is what its rules do, judged packet by packet after a trip through JSON.
        #[test]
        fn the_claimed_figures_are_those_of_the_evaluator(
            frames in packets(), port in prop_oneof![Just(80u16), Just(443), Just(53)], keep in any::<bool>(),
            net in 0..4u8, only_tcp in any::<bool>(),
        ) {
            let goal = if keep { Goal::Keep } else { Goal::Drop };
            let chooses = |packet: &Packet<'_>| seen(packet).is_some_and(|(layer, addresses, ports)| {
                let is_within = addresses.iter().any(|a| matches!(a, IpAddr::V4(v4) if v4.octets()[2] == net));
                (ports.contains(&port) || is_within) && (!only_tcp || layer == Layer::Tcp)
            });
            let suggestion = suggest(goal, &frames, chooses);
            prop_assert!(suggestion.filter.rules.len() <= MAX_RULES);
            let inventory = describe::parse(suggestion.filter.to_json().as_bytes()).unwrap();
            let mut explainer = Explainer::new(inventory.clone());
            let (mut wrongly_kept, mut wrongly_dropped) = (0, 0);
            for frame in &frames {
                with_packet(frame, |packet| {
                    explainer.add(packet);
                    let traffic = Traffic::of(packet, &mut crate::aws::traffic::Source::new(OWN.into(), None)).unwrap();
                    let is_kept = inventory.filters[0].judge(&traffic).is_mirrored();
                    let should_be_kept = chooses(packet) == keep;
                    wrongly_kept += u64::from(is_kept && !should_be_kept);
                    wrongly_dropped += u64::from(!is_kept && should_be_kept);
                });
            }
            let explained = explainer.finish();
            prop_assert_eq!(explained.filters[0].accepted, suggestion.kept);
            prop_assert_eq!(wrongly_kept, suggestion.wrongly_kept.packets);
            prop_assert_eq!(wrongly_dropped, suggestion.wrongly_dropped.packets);
        }
    }
}
