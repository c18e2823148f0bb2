//! What is handed out of one flow: plain values, told from the client's and the server's side.

use crate::sinks::sessions::Key as Session;

use super::{
    key::{Endpoint, TCP},
    service::{self, ServiceName},
    tcp::TcpState,
};

/// A flow as it stands, or as it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// How many flows of its table began before it: what [`super::trace::Placed`] calls it.
    pub number: u32,
    /// The mirror session, or other way of coming, that showed the flow first.
    pub session: Session,
    /// Further sessions that mirrored the same packets, at the other end or on the way.
    pub also_seen_by: Vec<Session>,
    /// Who opened the flow: by the TCP handshake, else by the ports, else whoever was seen first.
    pub client: Endpoint,
    /// The other side.
    pub server: Endpoint,
    /// IP protocol number.
    pub protocol: u8,
    /// Client to server.
    pub sent: DirectionRecord,
    /// Server to client.
    pub received: DirectionRecord,
    /// Time of the earliest packet, nanoseconds since 1970.
    pub first_ns: i64,
    /// Time of the latest packet.
    pub last_ns: i64,
    /// For TCP: how far the connection had come.
    pub state: Option<TcpState>,
    /// What of `sent` and of `received` no report has told yet (see [`super::FlowTable::report`]); `None` before the
    /// first one: all of it.
    pub news: Option<Box<[DirectionRecord; 2]>>,
    /// Why the flow ended; `None` while it goes on.
    pub end: Option<EndReason>,
    /// SYN to the client's ACK, in nanoseconds: a whole round trip, wherever the mirror stands.
    pub handshake_rtt_ns: Option<u32>,
    /// SYN to SYN-ACK: the part of the round trip between the mirror and the server.
    pub server_rtt_ns: Option<u32>,
    /// Times that the server answered: its first payload after payload of the client.
    pub responses: u32,
    /// From the client's last octet to the server's first, nanoseconds, all answers together.
    pub response_sum_ns: u64,
    /// The slowest answer.
    pub response_max_ns: u64,
    /// The name that the client asked for.
    pub name: Option<ServiceName>,
    /// GWLB's cookie on the first packet that had one. Each direction and each mirror has another; it is no key.
    pub flow_cookie: Option<u32>,
}

/// The packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionRecord {
    /// Packets, each counted once however often it was mirrored.
    pub packets: u64,
    /// Octets on the wire of the mirrored frames (inline: of the IP packets), by the lengths in their headers.
    pub bytes: u64,
    /// Octets of TCP or UDP payload on the wire, retransmissions included; behind other protocols' IP headers all.
    pub payload_bytes: u64,
    /// Time of the earliest packet; 0 where there is none.
    pub first_ns: i64,
    /// Time of the latest packet; 0 where there is none.
    pub last_ns: i64,
    /// Copies of these packets, by other sessions or by the same one again; not among `packets`.
    pub duplicates: u64,
    /// Octets of these copies.
    pub duplicate_bytes: u64,
    /// Packets of which octets are missing, cut by the capture or by the session's packet length.
    pub truncated: u64,
    /// All TCP flags seen, or'ed (see [`super::tcp::flag`]).
    pub tcp_flags: u8,
    /// Segments with octets that were sent before.
    pub retransmissions: u32,
    /// Segments that others had overtaken.
    pub out_of_order: u32,
    /// Acknowledgments that said the same as the one before.
    pub duplicate_acks: u32,
    /// Segments that closed the window, or kept it closed.
    pub zero_windows: u32,
    /// TCP keep-alives.
    pub keep_alives: u32,
    /// Octets that the other side acknowledged and that were never seen: the mirror's or the capture's loss.
    pub gap_bytes: u64,
}

impl DirectionRecord {
    /// Whether it counts anything.
    pub fn is_empty(&self) -> bool {
        self.packets == 0 && self.duplicates == 0 && self.gap_bytes == 0
    }
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndReason {
    /// No packet for the idle timeout.
    Idle,
    /// FIN from both sides or RST, and then nothing for the time of lingering.
    Closed,
    /// A SYN opened another connection between the same ports.
    Reused,
    /// The table was full.
    Evicted,
    /// The input ended.
    EndOfInput,
}

impl EndReason {
    /// The word for people and for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Closed => "closed",
            Self::Reused => "reused",
            Self::Evicted => "evicted",
            Self::EndOfInput => "end-of-input",
        }
    }

    /// The value of IPFIX's `flowEndReason` (element 136, RFC 5102).
    pub fn ipfix(self) -> u8 {
        match self {
            Self::Idle => 1,
            Self::Closed | Self::Reused => 3,
            Self::EndOfInput => 4,
            Self::Evicted => 5,
        }
    }
}

impl FlowRecord {
    /// What of `sent` and of `received` no report has told yet. The sums over all reports of a flow and its end are
    /// those of the flow.
    pub fn news(&self) -> [&DirectionRecord; 2] {
        match &self.news {
            Some(news) => news.each_ref(),
            None => [&self.sent, &self.received],
        }
    }

    /// The sum of a counter over both directions.
    pub fn total(&self, value: impl Fn(&DirectionRecord) -> u64) -> u64 {
        value(&self.sent) + value(&self.received)
    }

    /// Packets of both directions.
    pub fn packets(&self) -> u64 {
        self.total(|direction| direction.packets)
    }

    /// Octets on the wire of both directions.
    pub fn bytes(&self) -> u64 {
        self.total(|direction| direction.bytes)
    }

    /// From the earliest packet to the latest, nanoseconds.
    pub fn duration_ns(&self) -> u64 {
        self.last_ns.abs_diff(self.first_ns)
    }

    /// The mean time that the server took to answer.
    pub fn response_mean_ns(&self) -> Option<u64> {
        self.response_sum_ns.checked_div(self.responses.into())
    }

    /// The service that is usual on the server's port.
    pub fn service(&self) -> Option<&'static str> {
        service::by_port(self.protocol, self.server.port)
    }

    /// Whether it is a TCP connection.
    pub fn is_tcp(&self) -> bool {
        self.protocol == TCP
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::{Frame, table_of};

    #[test]
    fn every_end_has_a_word_and_the_number_of_ipfix() {
        // RFC 5102: 1 idle timeout, 3 end of flow detected, 4 forced end, 5 lack of resources.
        for (end, name, number) in [
            (EndReason::Idle, "idle", 1),
            (EndReason::Closed, "closed", 3),
            (EndReason::Reused, "reused", 3),
            (EndReason::Evicted, "evicted", 5),
            (EndReason::EndOfInput, "end-of-input", 4),
        ] {
            assert_eq!((end.name(), end.ipfix()), (name, number));
        }
    }

    #[test]
    fn a_flow_lasts_from_its_first_packet_to_its_last_and_answers_have_a_mean() {
        let query = Frame::udp(40000, 53).payload(30);
        let answer = query.clone().back();
        let frames = [query.clone(), answer.clone().at_ms(10), query.at_ms(20), answer.at_ms(50)];
        let flow = table_of(&frames).remove(0);
        assert_eq!((flow.duration_ns(), flow.response_mean_ns()), (50_000_000, Some(20_000_000)));
        assert!(!flow.is_tcp());
        let silent = table_of(&[Frame::tcp(1, 2, 0, 0, 0)]).remove(0);
        assert_eq!((silent.duration_ns(), silent.response_mean_ns(), silent.is_tcp()), (0, None, true));
    }
}
