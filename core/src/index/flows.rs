//! The flows of an index: each packet's row gets the number of its flow, and flows can be asked for by number.

use std::collections::HashMap;

use crate::{
    flow::{FlowCounters, FlowOptions, FlowRecord, FlowTable, SortKey},
    packet::Packet,
};

use super::{
    bits::Bits,
    columns::{Columns, flag},
};

/// How flows are gathered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowsOptions {
    /// The table of flows that go on.
    pub table: FlowOptions,
    /// Flows that ended and are kept; of more the busiest, and the others are counted only.
    pub max_ended: usize,
}

impl Default for FlowsOptions {
    fn default() -> Self {
        Self { table: FlowOptions::default(), max_ended: DEFAULT_MAX_ENDED }
    }
}

/// Ended flows that are kept, unless options say otherwise: some 40 MiB.
pub const DEFAULT_MAX_ENDED: usize = 100_000;

/// Flows that go on and flows that ended.
#[derive(Debug)]
pub struct Flows {
    table: FlowTable,
    ended: Vec<FlowRecord>,
    max_ended: usize,
    left_out: u64,
    /// Rows of packets that wait in the table.
    waiting: Vec<u64>,
    /// Flows that were joined to another.
    joined: HashMap<u32, u32>,
    /// What was asked for last, to go on from there.
    order: Option<Order>,
    /// What the table had counted when the input ended.
    finished: Option<FlowCounters>,
}

#[derive(Debug)]
struct Order {
    sort: SortKey,
    descending: bool,
    /// Packets that the table had counted.
    packets: u64,
    flows: Vec<FlowRecord>,
    places: Vec<usize>,
}

/// Some flows in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowPage {
    /// Flows there are.
    pub total: u64,
    /// Flows that ended and were not kept.
    pub left_out: u64,
    /// The flows that were asked for.
    pub flows: Vec<FlowRecord>,
}

impl Flows {
    pub(crate) fn new(options: FlowsOptions, seed: u64) -> Self {
        let mut table = FlowTable::new(FlowOptions { seed, ..options.table });
        table.trace();
        Self {
            table,
            ended: Vec::new(),
            max_ended: options.max_ended,
            left_out: 0,
            waiting: Vec::new(),
            joined: HashMap::new(),
            order: None,
            finished: None,
        }
    }

    /// Counts the packet of a row.
    #[inline]
    pub(crate) fn observe(&mut self, packet: &Packet<'_>, row: u64, columns: &mut Columns) {
        let Self { table, ended, max_ended, left_out, waiting, .. } = self;
        if table.gather(packet, &mut |flow| keep(ended, *max_ended, left_out, flow)) {
            waiting.push(row);
        }
        self.note(columns);
    }

    pub(crate) fn settle(&mut self, columns: &mut Columns) {
        let Self { table, ended, max_ended, left_out, .. } = self;
        table.settle(&mut |flow| keep(ended, *max_ended, left_out, flow));
        self.note(columns);
    }

    /// Ends every flow, as the input does, and gives back the memory of the table.
    pub(crate) fn finish(&mut self, columns: &mut Columns) {
        self.settle(columns);
        let Self { table, ended, max_ended, left_out, .. } = self;
        table.finish(&mut |flow| keep(ended, *max_ended, left_out, flow));
        shed(ended, *max_ended, left_out);
        self.finished = Some(table.counters());
        self.order = None;
        *table =
            FlowTable::new(FlowOptions { max_flows: 1, duplicate_capacity: 1, ..FlowOptions::default() });
    }

    /// Writes into the rows which flow they were counted with.
    #[inline]
    fn note(&mut self, columns: &mut Columns) {
        let Some(trace) = self.table.traced() else { return };
        if trace.placed.is_empty() {
            return;
        }
        for (row, placed) in self.waiting.drain(..).zip(&trace.placed) {
            let mut flags = if placed.is_duplicate { flag::DUPLICATE } else { 0 };
            if placed.is_retransmission {
                flags |= flag::RETRANSMISSION;
            }
            columns.set_flow(row, placed.flow, flags);
        }
        self.joined.extend(trace.joined.iter().copied());
        trace.clear();
    }

    /// The flow that a number stands for, which is another where the flow was joined to that.
    pub fn resolve(&self, mut flow: u32) -> u32 {
        while let Some(into) = self.joined.get(&flow) {
            flow = *into;
        }
        flow
    }

    /// The flows that were joined to one of which `is_it` holds.
    pub(crate) fn joined_to(&self, is_it: impl Fn(u32) -> bool) -> Vec<u32> {
        self.joined.keys().copied().filter(|flow| is_it(self.resolve(*flow))).collect()
    }

    /// What the table counted.
    pub fn counters(&self) -> FlowCounters {
        self.finished.unwrap_or_else(|| self.table.counters())
    }

    /// Ended flows that were not kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Every flow, those that ended first.
    pub fn all(&self) -> impl Iterator<Item = FlowRecord> {
        self.ended.iter().cloned().chain(self.table.iter())
    }

    /// A flow by its number.
    pub fn find(&self, flow: u32) -> Option<FlowRecord> {
        let flow = self.resolve(flow);
        self.all().find(|record| record.number == flow)
    }

    /// `count` flows in order, from the one with `from` before it; with `chosen` only of those.
    pub fn page(
        &mut self,
        (sort, descending): (SortKey, bool),
        (from, count): (usize, usize),
        chosen: Option<&Chosen>,
    ) -> FlowPage {
        let packets = self.counters().packets;
        let is_known =
            |order: &Order| (order.sort, order.descending, order.packets) == (sort, descending, packets);
        if !self.order.as_ref().is_some_and(is_known) {
            let flows: Vec<_> = self.all().collect();
            // Positions are sorted: a flow is large.
            let mut places: Vec<usize> = (0..flows.len()).collect();
            places.sort_unstable_by(|a, b| sort.compare(&flows[*a], &flows[*b]));
            if !descending {
                places.reverse();
            }
            self.order = Some(Order { sort, descending, packets, flows, places });
        }
        let Some(Order { flows, places, .. }) = &self.order else { return FlowPage::default() };
        let is_chosen = |flow: &&FlowRecord| chosen.is_none_or(|chosen| chosen.contains(flow.number));
        let in_order = || places.iter().filter_map(|place| flows.get(*place)).filter(is_chosen);
        let total = in_order().count() as u64;
        let flows = in_order().skip(from).take(count).cloned().collect();
        FlowPage { total, left_out: self.left_out, flows }
    }
}

/// Flows that have a packet in a selection.
#[derive(Clone, Debug)]
pub struct Chosen(Bits);

impl Chosen {
    /// Whether a flow is one of them.
    pub fn contains(&self, flow: u32) -> bool {
        self.0.contains(flow.into())
    }
}

impl super::Index {
    /// The flows that have a packet among those selected.
    pub fn flows_in(&self, selected: &Bits) -> Chosen {
        let mut flows = std::collections::BTreeSet::new();
        if let Some(table) = &self.flows {
            let mut last = None;
            for (first, chunk) in self.columns.chunks() {
                for at in 0..chunk.rows() {
                    let flow = chunk.flow(at);
                    if flow.is_none() || flow == last || !selected.contains(first + at as u64) {
                        continue;
                    }
                    last = flow;
                    flows.extend(flow.map(|flow| table.resolve(flow)));
                }
            }
        }
        let mut bits = super::BitsBuilder::new(0);
        flows.into_iter().for_each(|flow| bits.insert(flow.into()));
        Chosen(bits.finish())
    }

    /// The packets of a flow, copies by other sessions included.
    pub fn packets_of(&self, flow: u32) -> Bits {
        let Some(table) = &self.flows else { return super::BitsBuilder::new(self.first()).finish() };
        let flow = table.resolve(flow);
        // At most as many as sessions can share a flow.
        let numbers = [table.joined_to(|into| into == flow), vec![flow]].concat();
        self.select_flows(|other| numbers.contains(&other))
    }
}

/// Ended flows beyond the bound that are worth a sorting.
const SLACK: usize = 64;

fn keep(ended: &mut Vec<FlowRecord>, max_ended: usize, left_out: &mut u64, flow: FlowRecord) {
    ended.push(flow);
    if ended.len() > max_ended.saturating_add(max_ended / 4 + SLACK) {
        shed(ended, max_ended, left_out);
    }
}

/// Leaves the busiest flows.
fn shed(ended: &mut Vec<FlowRecord>, max_ended: usize, left_out: &mut u64) {
    if ended.len() > max_ended {
        let surplus = ended.len() - max_ended;
        let mut sizes: Vec<u64> = ended.iter().map(FlowRecord::bytes).collect();
        let (smaller, most, _) = sizes.select_nth_unstable(surplus - 1);
        let most = *most;
        // Of flows as large as the largest that goes, the first to end go.
        let mut equal = surplus - smaller.iter().filter(|size| **size < most).count();
        ended.retain(|flow| {
            let goes = flow.bytes() < most || flow.bytes() == most && equal > 0;
            equal -= usize::from(goes && flow.bytes() == most);
            !goes
        });
        *left_out += surplus as u64;
    }
}
