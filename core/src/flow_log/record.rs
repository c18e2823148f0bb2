//! One record of a flow log: one direction of a flow in one interval, or that there is nothing to tell.

use core::net::IpAddr;

use super::sources::{Sources, mirror_source};
use crate::{
    aws::inventory::Interface,
    flow::{DirectionRecord, Endpoint, FlowRecord, tcp::flag},
    sinks::sessions::Key as Session,
};

/// Who writes the log, and what stands in all of its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    /// The name of the agent, unlike that of every other one that writes to the same place.
    pub agent_id: String,
    /// The account that the log belongs to.
    pub account_id: Option<String>,
    /// The region that the log belongs to.
    pub region: Option<String>,
}

/// A record, from which the columns take their values.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// Who writes it.
    pub writer: &'a Writer,
    /// What it tells of.
    pub subject: Subject<'a>,
    /// Nanoseconds since 1970 of the first packet, or of the beginning of the time without any.
    pub start_ns: i64,
    /// Of the last packet, or of the end of that time.
    pub end_ns: i64,
}

/// What a record tells of.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// One direction of a flow.
    Flow(FlowPart<'a>),
    /// No flow.
    Status(Status),
}

/// One direction of a flow, since its last record.
#[derive(Clone, Copy, Debug)]
pub struct FlowPart<'a> {
    /// The flow.
    pub flow: &'a FlowRecord,
    /// What AWS says of the mirrored interface.
    pub interface: Option<&'a Interface>,
    /// Who sent the packets.
    pub src: Endpoint,
    /// To whom.
    pub dst: Endpoint,
    /// Whether `src` opened the flow.
    pub is_from_client: bool,
    /// The counters of these packets.
    pub news: &'a DirectionRecord,
}

/// Why there is a record without a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No packet came in the interval.
    NoData,
    /// Packets or records were lost in the interval.
    SkipData,
}

impl<'a> LogRecord<'a> {
    /// The records of a flow that a report handed out or that ended: of each direction that has news, one.
    pub fn of_flow(
        writer: &'a Writer,
        flow: &'a FlowRecord,
        sources: &'a mut Sources,
    ) -> impl Iterator<Item = Self> + use<'a> {
        let interface = sources.interface(&flow.session);
        let [sent, received] = flow.news();
        let ways = [(flow.client, flow.server, sent, true), (flow.server, flow.client, received, false)];
        ways.into_iter().filter(|(_, _, news, _)| !news.is_empty()).map(
            move |(src, dst, news, is_from_client)| {
                let (start_ns, end_ns) = match news.packets {
                    0 => (flow.last_ns, flow.last_ns),
                    _ => (news.first_ns, news.last_ns),
                };
                let part = FlowPart { flow, interface, src, dst, is_from_client, news };
                Self { writer, subject: Subject::Flow(part), start_ns, end_ns }
            },
        )
    }

    /// A record of the time from `start_ns` to `end_ns` that tells of no flow.
    pub fn of_status(writer: &'a Writer, status: Status, start_ns: i64, end_ns: i64) -> Self {
        Self { writer, subject: Subject::Status(status), start_ns, end_ns }
    }

    /// The direction of a flow, if it is one.
    pub fn part(&self) -> Option<&FlowPart<'a>> {
        match &self.subject {
            Subject::Flow(part) => Some(part),
            Subject::Status(_) => None,
        }
    }
}

impl FlowPart<'_> {
    /// Whether the mirrored interface sent the packets (`Some(true)`) or received them. `None` where neither address
    /// is known to be its own, as at a router's interface.
    pub fn is_egress(&self) -> Option<bool> {
        let source = mirror_source(&self.flow.session)?;
        let is_own = |address: IpAddr| {
            address == source
                || self.interface.is_some_and(|interface| interface.addresses.contains(&address))
        };
        match (is_own(self.src.address), is_own(self.dst.address)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// An address as AWS tells it: that of a packet that leaves or enters the mirrored interface under one of its
    /// secondary IPv4 addresses is the primary one.
    pub fn primary(&self, address: IpAddr) -> IpAddr {
        let Some(interface) = self.interface else { return address };
        match interface.addresses.first() {
            Some(primary) if address.is_ipv4() && interface.addresses.contains(&address) => *primary,
            _ => address,
        }
    }

    /// The flags as AWS tells them: FIN 1, SYN 2, RST 4 and SYN-ACK 18; ACK counts only with SYN, and PSH never.
    pub fn aws_tcp_flags(&self) -> u8 {
        let flags = self.news.tcp_flags;
        let shown = if flags & flag::SYN != 0 && !self.is_from_client { flag::ACK } else { 0 };
        flags & (flag::FIN | flag::SYN | flag::RST | shown)
    }

    /// Every session that mirrored the flow, in an order that all agents share.
    pub fn sessions(&self) -> Vec<Session> {
        let mut sessions = vec![self.flow.session];
        sessions.extend(&self.flow.also_seen_by);
        sessions.sort_unstable();
        sessions
    }
}
