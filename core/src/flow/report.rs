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

    #[test]
    fn each_key_puts_its_greatest_first_and_beginnings_earliest_first() {
        let base = flows(&[100]).remove(0);
        let sorted_by = |key: SortKey, change: &dyn Fn(&mut FlowRecord, u64)| {
            let mut report = Report::new(key, 10);
            // The number says how much of it there is: a little, the most, the least.
            for (number, value) in [(0, 2), (1, 3), (2, 1)] {
                let mut flow = FlowRecord { number, ..base.clone() };
                change(&mut flow, value);
                report.push(flow);
            }
            report.finish().0.iter().map(|flow| flow.number).collect::<Vec<_>>()
        };
        type Change = fn(&mut FlowRecord, u64);
        let changes: [(SortKey, Change); 9] = [
            (SortKey::Bytes, |flow, value| flow.received.bytes = value),
            (SortKey::Packets, |flow, value| flow.received.packets = value),
            (SortKey::Duration, |flow, value| flow.last_ns = flow.first_ns + value as i64),
            (SortKey::Last, |flow, value| flow.last_ns = value as i64),
            (SortKey::Rtt, |flow, value| flow.handshake_rtt_ns = Some(value as u32)),
            (SortKey::Response, |flow, value| (flow.responses, flow.response_sum_ns) = (2, 2 * value)),
            (SortKey::Retransmissions, |flow, value| flow.received.retransmissions = value as u32),
            (SortKey::Loss, |flow, value| flow.received.gap_bytes = value),
            (SortKey::Duplicates, |flow, value| flow.received.duplicates = value),
        ];
        for (key, change) in changes {
            assert_eq!(sorted_by(key, &change), [1, 0, 2], "{key:?}");
        }
        assert_eq!(sorted_by(SortKey::First, &|flow, value| flow.first_ns = value as i64), [2, 0, 1]);
        // What was never measured comes behind what took no time at all.
        let unknown_or = |value: u64| (value as u32).checked_sub(2);
        assert_eq!(
            sorted_by(SortKey::Rtt, &|flow, value| flow.handshake_rtt_ns = unknown_or(value)),
            [1, 0, 2]
        );
        let answered = |flow: &mut FlowRecord, value| flow.responses = unknown_or(value).map_or(0, |_| 1);
        assert_eq!(sorted_by(SortKey::Response, &answered), [0, 1, 2]);
    }

    #[test]
    fn a_report_never_holds_much_more_than_it_shows() {
        let flow = flows(&[1]).remove(0);
        let mut report = Report::new(SortKey::Bytes, 400);
        for _ in 0..2_000 {
            report.push(flow.clone());
            assert!(report.flows.len() <= 400 + 100 + SLACK, "{}", report.flows.len());
        }
        let (kept, left_out) = report.finish();
        assert_eq!((kept.len(), left_out.flows), (400, 1_600));
    }
}
