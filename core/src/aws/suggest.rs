//! The smallest mirror filter that keeps or drops what an expression chooses, learned from a capture and checked
//! against it.
//!
//! An expression can ask for things that no mirror filter sees (flags, lengths, VNIs); then the set of rules is given
//! that loses no packet that is wanted and keeps the fewest that are not, with their number. A direction or family
//! that the capture does not show gets no rule, because nothing is known of what it would mirror.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    cover::{self, Cell, Plan},
    explain::Tally,
    inventory::{Action, Direction, Inventory, MirrorFilter, Rule},
    join::{Join, Sources},
    lint_rules::MAX_RULES,
    probe,
    traffic::{Evidence, Ports, Traffic, frame_len},
};
use crate::{
    packet::{Envelope, Packet},
    stack::Decoder,
};

/// The most different packets that are told apart. Beyond it, packets of one kind are judged alike.
pub const MAX_CELLS: usize = 65_536;
/// The most kinds that are told apart beyond it. What comes after these is counted, but neither learned from nor
/// checked.
const MAX_KINDS: usize = 65_536;
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
    /// Packets that were learned from and checked by another of their kind: direction, protocol, networks (/24, /64)
    /// and the lower port.
    pub by_kind: Tally,
    /// Mirrored packets that were too many to be learned from and checked even so.
    pub unchecked: Tally,
    /// Packets without IP, inline and without tunnel, about which no rule can say anything.
    pub beyond_rules: Tally,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Suggestion {
    /// Whether the filter does for every packet of the capture what was asked.
    pub const fn is_exact(&self) -> bool {
        let Self { wrongly_kept, wrongly_dropped, by_kind, unchecked, .. } = self;
        wrongly_kept.packets + wrongly_dropped.packets + by_kind.packets + unchecked.packets == 0
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
    kinds: HashMap<Traffic, usize>,
    cells: Vec<Cell>,
    accept: Conditions,
    reject: Conditions,
    chosen: Tally,
    by_kind: Tally,
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
            kinds: HashMap::new(),
            cells: Vec::new(),
            accept: Conditions::default(),
            reject: Conditions::default(),
            chosen: Tally::default(),
            by_kind: Tally::default(),
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
        let Some(place) = self.place(traffic, one) else { return self.unchecked.add(one) };
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
        let mut best: Option<((u64, u64, bool, usize), MirrorFilter)> = None;
        for (listed, with_exceptions) in plans {
            let plan = Plan { listed, with_exceptions, max_rules: MAX_RULES };
            let filter = cover::build(&plan, &self.cells, accept, reject);
            let (kept, dropped) = cover::wrong(&filter, &self.cells);
            let cost = (dropped.packets, kept.packets, listed != chosen && !is_open, filter.rules.len());
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

    /// Where packets that look like this one are counted.
    fn place(&mut self, traffic: Traffic, one: Tally) -> Option<usize> {
        if let Some(place) = self.places.get(&traffic) {
            return Some(*place);
        }
        if self.places.len() < MAX_CELLS {
            self.places.insert(traffic, self.cells.len());
        } else {
            let kind = kind(&traffic);
            if let Some(place) = self.kinds.get(&kind) {
                self.by_kind.add(one);
                return Some(*place);
            }
            if self.kinds.len() >= MAX_KINDS {
                return None;
            }
            self.kinds.insert(kind, self.cells.len());
        }
        self.cells.push(Cell { traffic, keep: Tally::default(), drop: Tally::default() });
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
            by_kind: self.by_kind,
            unchecked: self.unchecked,
            beyond_rules: self.beyond_rules,
            notes: Vec::new(),
        };
        suggestion.notes = notes(&suggestion, &self.cells, self.direction_assumed);
        suggestion
    }
}

/// What packets of one kind have in common: a client's port and the last part of an address tell them apart no more.
fn kind(traffic: &Traffic) -> Traffic {
    let network = |address: IpAddr| match address {
        IpAddr::V4(address) => IpAddr::from(Ipv4Addr::from_bits(address.to_bits() & !0xff)),
        IpAddr::V6(address) => IpAddr::from(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    };
    let ports = match traffic.ports {
        Ports::Known { src, dst } if src < dst => Ports::Known { src, dst: u16::MAX },
        Ports::Known { dst, .. } => Ports::Known { src: u16::MAX, dst },
        ports @ (Ports::None | Ports::Hidden) => ports,
    };
    Traffic { src: network(traffic.src), dst: network(traffic.dst), ports, ..*traffic }
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
mod tests;
