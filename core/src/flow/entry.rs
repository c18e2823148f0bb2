//! One flow as the table keeps it: its counters by direction, its connection, and its place among idle flows.

use crate::sinks::sessions::Key as Session;

use super::{
    idle::Link,
    key::{Sighting, TCP, Tuple, UDP, Way},
    record::{DirectionRecord, EndReason, FlowRecord},
    service::{self, ServiceName},
    tcp::{Connection, Moment, Segment},
};

/// Mirror sessions that can share a flow: both ends, and two appliances between them.
pub const MAX_SESSIONS: usize = 4;
/// Marks the unused places of [`Flow::sessions`].
pub(crate) const NOBODY: u32 = u32::MAX;
const UDP_HEADER_LEN: u32 = 8;

/// A flow under observation.
///
/// The time to count a packet is the time to fetch these lines from memory. So they are in order of use: the key,
/// TCP's two sides, what every packet touches, and the direction's own counters take a cache line each; what few
/// packets touch comes last.
#[derive(Clone, Debug)]
#[repr(C, align(128))]
pub(crate) struct Flow {
    pub(crate) tuple: Tuple,
    /// Indices of the sessions that mirror this flow, the first one first.
    pub(crate) sessions: [u32; MAX_SESSIONS],
    pub(crate) connection: Connection,
    pub(crate) last_ns: i64,
    pub(crate) link: Link,
    directions: [Counters; 2],
    answers: Answers,
    name: Option<Box<ServiceName>>,
    first_way: Way,
    name_attempts: u8,
    flow_cookie: Option<u32>,
}

/// The counters of one direction that every protocol has: one cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Counters {
    packets: u64,
    bytes: u64,
    payload_bytes: u64,
    first_ns: i64,
    last_ns: i64,
    duplicates: u64,
    duplicate_bytes: u64,
    truncated: u64,
}

/// How long each way waited for the other's payload.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    /// Who sent payload last, and when.
    last: Option<(Way, i64)>,
    /// By the way that the answer went.
    count: [u32; 2],
    sum_ns: [u64; 2],
    max_ns: [u64; 2],
}

/// What is counted of a packet besides what its headers say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) wire_len: u32,
    pub(crate) is_truncated: bool,
    pub(crate) flow_cookie: Option<u32>,
}

impl Flow {
    pub(crate) fn new(tuple: Tuple, session: u32, way: Way, now_ns: i64) -> Self {
        let mut sessions = [NOBODY; MAX_SESSIONS];
        sessions[0] = session;
        Self {
            tuple,
            sessions,
            connection: Connection::default(),
            last_ns: now_ns,
            link: Link::default(),
            directions: [Counters::default(); 2],
            answers: Answers::default(),
            name: None,
            first_way: way,
            name_attempts: 0,
            flow_cookie: None,
        }
    }

    /// Counts a packet of this flow.
    #[inline]
    pub(crate) fn observe(
        &mut self,
        sighting: &Sighting<'_>,
        segment: Option<&Segment>,
        size: Size,
        at: Moment,
    ) {
        let way = sighting.way;
        let (payload_at, payload_len) = payload(sighting, segment);
        self.directions[way as usize].count(size, payload_len, at.now_ns);
        self.last_ns = self.last_ns.max(at.now_ns);
        self.flow_cookie = self.flow_cookie.or(size.flow_cookie);
        let is_new_payload = match segment {
            Some(segment) => self.connection.observe(way, segment, at),
            None => payload_len > 0,
        };
        if is_new_payload {
            self.answers.note(way, at.now_ns);
            if self.name_attempts < service::MAX_ATTEMPTS && sighting.fragment.is_none() {
                self.look_for_name(sighting, payload_at);
            }
        }
    }

    /// Counts a copy of a packet of this flow.
    pub(crate) fn count_duplicate(&mut self, way: Way, wire_len: u32, now_ns: i64) {
        let counters = &mut self.directions[way as usize];
        counters.duplicates += 1;
        counters.duplicate_bytes += u64::from(wire_len);
        self.last_ns = self.last_ns.max(now_ns);
    }

    /// Time of the earliest packet.
    pub(crate) fn first_ns(&self) -> i64 {
        let seen = self.directions.iter().filter(|counters| counters.packets > 0);
        seen.map(|counters| counters.first_ns).min().unwrap_or(self.last_ns)
    }

    /// The place of a session among those that mirror this flow, 0 for the first one.
    #[inline]
    pub(crate) fn observer(&self, session: u32) -> Option<usize> {
        self.sessions.iter().position(|known| *known == session)
    }

    /// Adds a session; gives its place, or `None` where there is no room.
    pub(crate) fn add_session(&mut self, session: u32) -> Option<usize> {
        let place = self.observer(NOBODY)?;
        self.sessions[place] = session;
        Some(place)
    }

    /// The sessions that mirror this flow.
    pub(crate) fn known_sessions(&self) -> impl Iterator<Item = (usize, u32)> + use<> {
        self.sessions.into_iter().enumerate().filter(|(_, session)| *session != NOBODY)
    }

    /// Takes in what another session's observation of the same flow has counted.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        for (mine, theirs) in self.directions.iter_mut().zip(&other.directions) {
            mine.absorb(theirs);
        }
        for (mine, theirs) in self.connection.sides.iter_mut().zip(&other.connection.sides) {
            mine.absorb(theirs);
        }
        self.connection.absorb_handshake(&other.connection);
        self.answers.absorb(&other.answers);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.name = self.name.take().or(other.name.take());
        self.flow_cookie = self.flow_cookie.or(other.flow_cookie);
    }

    #[cold]
    fn look_for_name(&mut self, sighting: &Sighting<'_>, payload_at: u32) {
        self.name_attempts += 1;
        let payload = sighting.transport.get(payload_at as usize..).unwrap_or_default();
        let ports = [Way::Up, Way::Down].map(|way| self.tuple.source_port(way));
        if let Some(name) = service::name(self.tuple.protocol, ports, payload) {
            self.name = Some(name.into());
            self.name_attempts = service::MAX_ATTEMPTS;
        }
    }

    /// The handshake knows the client. Without one, a well-known port is the server's, else the first to send asks.
    fn client(&self) -> Way {
        let is_served =
            |way: Way| service::by_port(self.tuple.protocol, self.tuple.source_port(way)).is_some();
        self.connection.client().unwrap_or(match (is_served(Way::Up), is_served(Way::Down)) {
            (true, false) => Way::Down,
            (false, true) => Way::Up,
            _ => self.first_way,
        })
    }

    /// The flow as plain values; `session` tells the session of an index.
    pub(crate) fn record(&self, session: impl Fn(u32) -> Session, end: Option<EndReason>) -> FlowRecord {
        let client = self.client();
        let server = client.opposite();
        let [first, others @ ..] = self.sessions;
        let others = others.into_iter().filter(|other| *other != NOBODY);
        FlowRecord {
            session: session(first),
            also_seen_by: others.map(&session).collect(),
            client: self.tuple.sender(client),
            server: self.tuple.sender(server),
            protocol: self.tuple.protocol,
            sent: self.direction(client),
            received: self.direction(server),
            first_ns: self.first_ns(),
            last_ns: self.last_ns,
            state: (self.tuple.protocol == TCP).then_some(self.connection.state),
            end,
            handshake_rtt_ns: self.connection.handshake_rtt_ns(),
            server_rtt_ns: self.connection.server_rtt_ns(),
            responses: self.answers.count[server as usize],
            response_sum_ns: self.answers.sum_ns[server as usize],
            response_max_ns: self.answers.max_ns[server as usize],
            name: self.name.as_deref().cloned(),
            flow_cookie: self.flow_cookie,
        }
    }

    fn direction(&self, way: Way) -> DirectionRecord {
        let counters = &self.directions[way as usize];
        let side = &self.connection.sides[way as usize];
        DirectionRecord {
            packets: counters.packets,
            bytes: counters.bytes,
            payload_bytes: counters.payload_bytes,
            first_ns: counters.first_ns,
            last_ns: counters.last_ns,
            duplicates: counters.duplicates,
            duplicate_bytes: counters.duplicate_bytes,
            truncated: counters.truncated,
            tcp_flags: side.flags,
            retransmissions: side.retransmissions,
            out_of_order: side.out_of_order,
            duplicate_acks: side.duplicate_acks,
            zero_windows: side.zero_windows,
            keep_alives: side.keep_alives,
            gap_bytes: self.connection.gap_len(way),
        }
    }

    /// Gives back what was allocated for it.
    pub(crate) fn clear(&mut self) {
        self.name = None;
        self.connection = Connection::default();
    }
}

/// Where the payload begins behind the IP header, and its octets on the wire.
#[inline]
fn payload(sighting: &Sighting<'_>, segment: Option<&Segment>) -> (u32, u32) {
    let is_later_fragment = sighting.fragment.is_some_and(|fragment| !fragment.is_first);
    match (segment, sighting.tuple.protocol) {
        (Some(segment), _) => (segment.header_len, segment.payload_len),
        (None, UDP) if !is_later_fragment => {
            (UDP_HEADER_LEN, sighting.transport_len.saturating_sub(UDP_HEADER_LEN))
        }
        (None, _) => (0, sighting.transport_len),
    }
}

impl Counters {
    #[inline]
    fn count(&mut self, size: Size, payload_len: u32, now_ns: i64) {
        (self.first_ns, self.last_ns) = match self.packets {
            0 => (now_ns, now_ns),
            _ => (self.first_ns.min(now_ns), self.last_ns.max(now_ns)),
        };
        self.packets += 1;
        self.bytes += u64::from(size.wire_len);
        self.payload_bytes += u64::from(payload_len);
        self.truncated += u64::from(size.is_truncated);
    }

    fn absorb(&mut self, other: &Self) {
        if other.packets > 0 {
            (self.first_ns, self.last_ns) = match self.packets {
                0 => (other.first_ns, other.last_ns),
                _ => (self.first_ns.min(other.first_ns), self.last_ns.max(other.last_ns)),
            };
        }
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.payload_bytes += other.payload_bytes;
        self.duplicates += other.duplicates;
        self.duplicate_bytes += other.duplicate_bytes;
        self.truncated += other.truncated;
    }
}

impl Answers {
    #[inline]
    fn note(&mut self, way: Way, now_ns: i64) {
        if let Some((asked, asked_ns)) = self.last
            && asked != way
        {
            let waited_ns = now_ns.saturating_sub(asked_ns).max(0) as u64;
            let at = way as usize;
            self.count[at] += 1;
            self.sum_ns[at] = self.sum_ns[at].saturating_add(waited_ns);
            self.max_ns[at] = self.max_ns[at].max(waited_ns);
        }
        self.last = Some((way, now_ns));
    }

    fn absorb(&mut self, other: &Self) {
        for at in 0..2 {
            self.count[at] += other.count[at];
            self.sum_ns[at] = self.sum_ns[at].saturating_add(other.sum_ns[at]);
            self.max_ns[at] = self.max_ns[at].max(other.max_ns[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn what_a_packet_touches_lies_in_whole_cache_lines() {
        assert_eq!(offset_of!(Flow, connection), 64);
        assert_eq!(offset_of!(Flow, directions), 256);
        assert_eq!(size_of::<Counters>(), 64);
        assert!(size_of::<Flow>() <= 512, "{}", size_of::<Flow>());
    }
}
