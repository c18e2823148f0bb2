//! The flows of a whole capture in the order that was asked for, busiest first unless said otherwise.
//!
//! A report keeps the first flows of the order up to a limit and counts the rest, so that it is bounded however
//! many flows end.

use core::cmp::Ordering;

use super::record::FlowRecord;
use crate::order;

/// What flows are sorted by; the greatest comes first, but for times of beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// Octets on the wire of both directions.
    #[default]
    Bytes,
    /// Packets of both directions.
    Packets,
    /// Time from first to last packet.
    Duration,
    /// Time of the first packet, earliest first.
    First,
    /// Time of the last packet, latest first.
    Last,
    /// Round-trip time of the handshake.
    Rtt,
    /// Mean time that the server took to answer.
    Response,
    /// TCP retransmissions of both directions.
    Retransmissions,
    /// Octets that the mirror lost.
    Loss,
    /// Packets that were shown again, by another session or the same one.
    Duplicates,
}

impl SortKey {
    /// Every key with its name.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Bytes, "bytes"),
        (Self::Packets, "packets"),
        (Self::Duration, "duration"),
        (Self::First, "first"),
        (Self::Last, "last"),
        (Self::Rtt, "rtt"),
        (Self::Response, "response"),
        (Self::Retransmissions, "retransmissions"),
        (Self::Loss, "loss"),
        (Self::Duplicates, "duplicates"),
    ];

    /// The place of `a` relative to `b`. Flows that are equal in the key stand in order of time, then of addresses.
    pub fn compare(self, a: &FlowRecord, b: &FlowRecord) -> Ordering {
        let greatest_first = self.value(b).cmp(&self.value(a));
        let in_time = |flow: &FlowRecord| (flow.first_ns, flow.client, flow.server, flow.protocol);
        greatest_first.then_with(|| in_time(a).cmp(&in_time(b))).then_with(|| a.session.cmp(&b.session))
    }

    fn value(self, flow: &FlowRecord) -> i128 {
        match self {
            Self::Bytes => flow.bytes().into(),
            Self::Packets => flow.packets().into(),
            Self::Duration => flow.duration_ns().into(),
            Self::First => -i128::from(flow.first_ns),
            Self::Last => flow.last_ns.into(),
            Self::Rtt => flow.handshake_rtt_ns.map_or(-1, i128::from),
            Self::Response => flow.response_mean_ns().map_or(-1, i128::from),
            Self::Retransmissions => flow.total(|direction| direction.retransmissions.into()).into(),
            Self::Loss => flow.total(|direction| direction.gap_bytes).into(),
            Self::Duplicates => flow.total(|direction| direction.duplicates).into(),
        }
    }
}

/// Flows beyond the limit that are worth a sorting.
const SLACK: usize = 64;

/// Gathers flows as they end.
#[derive(Clone, Debug)]
pub struct Report {
    flows: Vec<FlowRecord>,
    sort: SortKey,
    limit: usize,
    left_out: LeftOut,
}

/// The flows that a report counted and did not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Flows.
    pub flows: u64,
    /// Their packets.
    pub packets: u64,
    /// Their octets.
    pub bytes: u64,
}

impl Report {
    /// A report that keeps the first `limit` flows of the order; in between it holds a quarter more.
    pub fn new(sort: SortKey, limit: usize) -> Self {
        Self { flows: Vec::new(), sort, limit, left_out: LeftOut::default() }
    }

    /// Adds a flow.
    pub fn push(&mut self, flow: FlowRecord) {
        self.flows.push(flow);
        if self.flows.len() > self.limit.saturating_add(self.limit / 4 + SLACK) {
            self.shed();
        }
    }

    /// The flows in order, and what was left out.
    pub fn finish(mut self) -> (Vec<FlowRecord>, LeftOut) {
        self.shed();
        order::sort_by(&mut self.flows, |a, b| self.sort.compare(a, b));
        (self.flows, self.left_out)
    }

    fn shed(&mut self) {
        if self.flows.len() <= self.limit {
            return;
        }
        self.flows.select_nth_unstable_by(self.limit, |a, b| self.sort.compare(a, b));
        for flow in self.flows.drain(self.limit..) {
            self.left_out.flows += 1;
            self.left_out.packets += flow.packets();
            self.left_out.bytes += flow.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::{Frame, table_of};

    fn flows(sizes: &[u32]) -> Vec<FlowRecord> {
        let frames: Vec<_> =
            sizes.iter().zip(1..).map(|(size, port)| Frame::udp(port, 9).payload(*size)).collect();
        table_of(&frames)
    }

    #[test]
    fn the_busiest_flows_are_kept_and_the_rest_is_counted() {
        let mut report = Report::new(SortKey::Bytes, 2);
        let all = flows(&[5, 90, 10, 70, 20]);
        let total: u64 = all.iter().map(FlowRecord::bytes).sum();
        all.into_iter().for_each(|flow| report.push(flow));
        let (kept, left_out) = report.finish();
        let ports: Vec<_> = kept.iter().map(|flow| flow.client.port).collect();
        assert_eq!(ports, [2, 4]);
        assert_eq!((left_out.flows, left_out.packets), (3, 3));
        assert_eq!(left_out.bytes + kept.iter().map(FlowRecord::bytes).sum::<u64>(), total);
    }

    #[test]
    fn equal_flows_stand_in_order_of_time() {
        let mut report = Report::new(SortKey::Packets, 10);
        flows(&[1, 2, 3]).into_iter().rev().for_each(|flow| report.push(flow));
        let ports: Vec<_> = report.finish().0.iter().map(|flow| flow.client.port).collect();
        assert_eq!(ports, [1, 2, 3]);
    }
}
