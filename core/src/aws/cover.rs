//! The smallest set of rules that separates the packets to keep from those to drop, found by greedy covering.
//!
//! One side is listed, the other is the rest. Conditions (from [`super::probe`]) are chosen by how many listed
//! packets each adds; rest packets that they take along become exceptions in front of them. Rules that are too many
//! are joined where the joined rule takes no further rest packet along, and in the end where it takes the least.
//!
//! A packet that is lost is worse than one too many: it can never be looked at, the other can be filtered out later.
//! So a rule that rejects takes no packet along that is to be kept, unless one in front of it accepts that; rules that
//! accept are widened until they hold all that is to be kept; and what does not fit into the budget is kept.

use ipnet::IpNet;

use super::{
    explain::Tally,
    inventory::{Action, Direction, MirrorFilter, PortRange, Rule},
    rules::Match,
    traffic::{Ports, Traffic},
};

/// Packets that are alike to a filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) traffic: Traffic,
    /// To be mirrored.
    pub(super) keep: Tally,
    /// Not to be mirrored.
    pub(super) drop: Tally,
}

impl Cell {
    fn weight(&self, action: Action) -> u64 {
        match action {
            Action::Accept => self.keep.packets,
            Action::Reject => self.drop.packets,
        }
    }
}

/// How a set of rules is built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// What is done with the packets that are listed.
    pub(super) listed: Action,
    /// Whether listed conditions may take rest packets along, to be mended by exceptions.
    pub(super) with_exceptions: bool,
    /// The most rules over both directions.
    pub(super) max_rules: usize,
}

/// More than this many rules are not joined, but cut.
const MAX_CHOSEN: usize = 32;

/// Builds the rules of `plan` from what is known: `accept` holds conditions for packets to keep, `reject` for those
/// to drop.
pub(super) fn build(plan: &Plan, cells: &[Cell], accept: &[Rule], reject: &[Rule]) -> MirrorFilter {
    let (listed, rest) = match plan.listed {
        Action::Accept => (accept, reject),
        Action::Reject => (reject, accept),
    };
    let opposite = opposite(plan.listed);
    let mut fronts: Vec<Vec<Rule>> = Vec::new();
    let finals: Vec<Rule> = if plan.listed == Action::Reject { accept_all(cells) } else { Vec::new() };
    for direction in Direction::BOTH {
        let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.traffic.direction == direction).collect();
        let conditions = of_direction(listed, direction);
        let mut chosen = choose(&cells, &conditions, plan.listed, !plan.with_exceptions);
        if plan.listed == Action::Accept {
            complete(&mut chosen, &cells);
        }
        let mut exceptions = Vec::new();
        if plan.with_exceptions {
            let taken = |cell: &&Cell| cell.weight(opposite) > 0 && matches_any(&chosen, &cell.traffic);
            let taken: Vec<&Cell> = cells.iter().copied().filter(taken).collect();
            let protected =
                |cell: &&Cell| cell.weight(plan.listed) > 0 && matches_any(&chosen, &cell.traffic);
            let around: Vec<&Cell> = cells.iter().copied().filter(protected).chain(taken).collect();
            exceptions = choose(&around, &of_direction(rest, direction), opposite, true);
        }
        exceptions.iter_mut().for_each(|rule| rule.action = Some(opposite));
        chosen.iter_mut().for_each(|rule| rule.action = Some(plan.listed));
        fronts.extend([exceptions, chosen]);
    }
    let budget = plan.max_rules.saturating_sub(finals.len());
    join_until(&mut fronts, cells, budget);
    shrink(&mut fronts, cells, budget);
    numbered(fronts, finals)
}

/// Packets that `filter` keeps though they were to be dropped, and drops though they were to be kept.
pub(super) fn wrong(filter: &MirrorFilter, cells: &[Cell]) -> (Tally, Tally) {
    let (mut kept, mut dropped) = (Tally::default(), Tally::default());
    for cell in cells {
        match filter.judge(&cell.traffic).is_mirrored() {
            true => kept.add(cell.drop),
            false => dropped.add(cell.keep),
        }
    }
    (kept, dropped)
}

fn opposite(action: Action) -> Action {
    match action {
        Action::Accept => Action::Reject,
        Action::Reject => Action::Accept,
    }
}

fn of_direction(rules: &[Rule], direction: Direction) -> Vec<Rule> {
    rules.iter().filter(|rule| rule.direction == direction).cloned().collect()
}

fn matches_any(rules: &[Rule], traffic: &Traffic) -> bool {
    rules.iter().any(|rule| rule.matches(traffic) == Match::Yes)
}

/// Greedy cover of the cells that weigh for `action`. A strict one takes no condition to accept that matches more
/// packets of the other side than of its own, and none to reject that matches any.
fn choose(cells: &[&Cell], conditions: &[Rule], action: Action, is_strict: bool) -> Vec<Rule> {
    let other = opposite(action);
    let mut matched: Vec<Vec<usize>> = Vec::new();
    for condition in conditions {
        let of = |(at, cell): (usize, &&Cell)| (condition.matches(&cell.traffic) == Match::Yes).then_some(at);
        matched.push(cells.iter().enumerate().filter_map(of).collect());
    }
    let sum = |cells_of: &[usize], action| cells_of.iter().map(|at| cells[*at].weight(action)).sum::<u64>();
    let against: Vec<u64> = matched.iter().map(|cells_of| sum(cells_of, other)).collect();
    let mut is_covered = vec![false; cells.len()];
    let mut chosen = Vec::new();
    while chosen.len() < MAX_CHOSEN {
        let gain = |at: usize| {
            let new = matched[at].iter().filter(|cell| !is_covered[**cell]);
            new.map(|cell| cells[*cell].weight(action)).sum::<u64>()
        };
        let worth = |at: &usize| {
            let gain = gain(*at);
            let is_worth = match action {
                Action::Accept => against[*at] < gain,
                Action::Reject => against[*at] == 0,
            };
            gain > 0 && (!is_strict || is_worth)
        };
        let best = (0..conditions.len()).filter(worth).max_by_key(|at| {
            (
                gain(*at).saturating_sub(against[*at]),
                gain(*at),
                core::cmp::Reverse(narrowness(&conditions[*at])),
            )
        });
        let Some(best) = best else { break };
        matched[best].iter().for_each(|cell| is_covered[*cell] = true);
        chosen.push(conditions[best].clone());
    }
    chosen
}

/// Adds the rules without which packets to keep would be lost: one for each family, as narrow as can be.
fn complete(chosen: &mut Vec<Rule>, cells: &[&Cell]) {
    let mut missing: Vec<Rule> = Vec::new();
    for cell in cells {
        if cell.keep.packets == 0
            || matches_any(chosen, &cell.traffic)
            || matches_any(&missing, &cell.traffic)
        {
            continue;
        }
        let rule = exactly(&cell.traffic);
        match missing.iter_mut().find_map(|known| Some((hull(known, &rule)?, known))) {
            Some((joined, known)) => *known = joined,
            None => missing.push(rule),
        }
    }
    chosen.extend(missing);
}

/// The rule that matches this packet and what looks like it to a filter.
fn exactly(traffic: &Traffic) -> Rule {
    let ports = match traffic.ports {
        Ports::Known { src, dst } => Some((src, dst)),
        Ports::None | Ports::Hidden => None,
    };
    let only = |port| PortRange { from: port, to: port };
    Rule {
        protocol: Some(traffic.protocol),
        source_ports: ports.map(|(src, _)| only(src)),
        destination_ports: ports.map(|(_, dst)| only(dst)),
        source: Some(traffic.src.into()),
        destination: Some(traffic.dst.into()),
        ..everything(traffic.direction, traffic.is_ipv6())
    }
}

/// Fields that a rule restricts, and how far.
fn narrowness(rule: &Rule) -> u32 {
    let ports = [rule.source_ports, rule.destination_ports].iter().flatten().count() as u32;
    let nets = [rule.source, rule.destination].into_iter().flatten().map(|net| u32::from(net.prefix_len()));
    8 * ports + u32::from(rule.protocol.is_some()) + nets.sum::<u32>()
}

/// Whether a condition holds for every packet of its direction and family.
pub(super) fn is_unrestricted(rule: &Rule) -> bool {
    narrowness(rule) == 0
}

/// The rules that accept everything, for each direction and family that the capture shows.
fn accept_all(cells: &[Cell]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for direction in Direction::BOTH {
        for is_ipv6 in [false, true] {
            let is_of =
                |cell: &Cell| cell.traffic.direction == direction && cell.traffic.is_ipv6() == is_ipv6;
            if cells.iter().any(is_of) {
                rules.push(everything(direction, is_ipv6));
            }
        }
    }
    rules
}

fn everything(direction: Direction, is_ipv6: bool) -> Rule {
    let any = match is_ipv6 {
        false => IpNet::V4(ipnet::Ipv4Net::default()),
        true => IpNet::V6(ipnet::Ipv6Net::default()),
    };
    Rule {
        id: String::new(),
        direction,
        number: None,
        action: Some(Action::Accept),
        protocol: None,
        source_ports: None,
        destination_ports: None,
        source: Some(any),
        destination: Some(any),
        faults: Vec::new(),
    }
}

/// Joins rules of one list, pair by pair, while there are more than `budget` and the outcome gets no worse.
fn join_until(lists: &mut [Vec<Rule>], cells: &[Cell], budget: usize) {
    while lists.iter().map(Vec::len).sum::<usize>() > budget {
        let pair = lists.iter().enumerate().find_map(|(list, rules)| Some((list, joinable(rules, cells)?)));
        let Some((list, (first, second, joined))) = pair else { return };
        lists[list][first] = joined;
        lists[list].remove(second);
    }
}

/// A pair that can be one rule, and that rule.
fn joinable(rules: &[Rule], cells: &[Cell]) -> Option<(usize, usize, Rule)> {
    for first in 0..rules.len() {
        for second in first + 1..rules.len() {
            let Some(joined) = hull(&rules[first], &rules[second]) else { continue };
            let Some(other) = joined.action.map(opposite) else { continue };
            let takes_more = |cell: &Cell| {
                cell.weight(other) > 0
                    && joined.matches(&cell.traffic) == Match::Yes
                    && !matches_any(rules, &cell.traffic)
            };
            if !cells.iter().any(takes_more) {
                return Some((first, second, joined));
            }
        }
    }
    None
}

/// The narrowest rule that matches all that either matches; `None` for different families.
fn hull(left: &Rule, right: &Rule) -> Option<Rule> {
    let ports = |left: Option<PortRange>, right: Option<PortRange>| {
        let (left, right) = left.zip(right)?;
        Some(PortRange { from: left.from.min(right.from), to: left.to.max(right.to) })
    };
    let protocol = left.protocol.filter(|_| left.protocol == right.protocol);
    let (source_ports, destination_ports) = (
        ports(left.source_ports, right.source_ports).filter(|_| protocol.is_some()),
        ports(left.destination_ports, right.destination_ports).filter(|_| protocol.is_some()),
    );
    let source = Some(supernet(left.source?, right.source?)?);
    let destination = Some(supernet(left.destination?, right.destination?)?);
    Some(Rule { protocol, source_ports, destination_ports, source, destination, ..left.clone() })
}

fn supernet(left: IpNet, right: IpNet) -> Option<IpNet> {
    let mut net = left;
    if matches!(left, IpNet::V4(_)) != matches!(right, IpNet::V4(_)) {
        return None;
    }
    while !net.contains(&right) {
        net = net.supernet()?;
    }
    Some(net)
}

/// Makes do with `budget` rules: leaves out rules that reject, and joins such that accept, whichever keeps the fewest
/// packets more.
fn shrink(lists: &mut [Vec<Rule>], cells: &[Cell], budget: usize) {
    while lists.iter().map(Vec::len).sum::<usize>() > budget {
        let steps = lists.iter().enumerate().filter_map(|(list, rules)| {
            let (cost, step) = cheapest(rules, cells)?;
            Some((cost, list, step))
        });
        let Some((_, list, step)) = steps.min_by_key(|(cost, ..)| *cost) else { return };
        match step {
            Step::LeaveOut(at) => drop(lists[list].remove(at)),
            Step::Join(first, second, joined) => {
                lists[list][first] = joined;
                lists[list].remove(second);
            }
        }
    }
}

/// One rule fewer.
enum Step {
    LeaveOut(usize),
    Join(usize, usize, Rule),
}

/// The way to one rule fewer in a list that keeps the fewest packets more, and their number.
fn cheapest(rules: &[Rule], cells: &[Cell]) -> Option<(u64, Step)> {
    if rules.first()?.action == Some(Action::Reject) {
        let weight = |at: &usize| -> u64 {
            let matched = cells.iter().filter(|cell| rules[*at].matches(&cell.traffic) == Match::Yes);
            matched.map(|cell| cell.drop.packets).sum()
        };
        let (weight, at) = (0..rules.len()).map(|at| (weight(&at), at)).min()?;
        return Some((weight, Step::LeaveOut(at)));
    }
    let is_free = |cell: &&Cell| cell.drop.packets > 0 && !matches_any(rules, &cell.traffic);
    let free: Vec<&Cell> = cells.iter().filter(is_free).collect();
    let pairs =
        (0..rules.len()).flat_map(|first| (first + 1..rules.len()).map(move |second| (first, second)));
    let steps = pairs.filter_map(|(first, second)| {
        let joined = hull(&rules[first], &rules[second])?;
        let taken = free.iter().filter(|cell| joined.matches(&cell.traffic) == Match::Yes);
        Some((taken.map(|cell| cell.drop.packets).sum(), Step::Join(first, second, joined)))
    });
    steps.min_by_key(|(cost, _)| *cost)
}

/// Numbers the rules of each direction 100, 200 and so on; the last ones that accept everything come at the end.
fn numbered(fronts: Vec<Vec<Rule>>, finals: Vec<Rule>) -> MirrorFilter {
    let mut filter = MirrorFilter::default();
    for direction in Direction::BOTH {
        let rules = fronts.iter().flatten().chain(&finals).filter(|rule| rule.direction == direction);
        filter.rules.extend(
            rules.zip(1..).map(|(rule, position)| Rule { number: Some(100 * position), ..rule.clone() }),
        );
    }
    filter
}
