//! One flow as the table keeps it: its counters by direction, its connection, and its place among idle flows.

use crate::sinks::sessions::Key as Session;

use super::{
    arrival::Arrival,
    idle::Class,
    key::{TCP, Tuple, Way},
    record::{DirectionRecord, EndReason, FlowRecord},
    service::{self, ServiceName},
    tcp::{Connection, Moment},
};

/// Mirror sessions that can share a flow: both ends, and two appliances between them.
pub const MAX_SESSIONS: usize = 4;
/// Marks the unused places of [`Flow::sessions`].
pub(crate) const NOBODY: u16 = u16::MAX;

/// A flow under observation.
///
/// The time to count a packet is the time to fetch these lines from memory. So what every packet touches lies in
/// three cache lines: the key and who spoke last, the counters of its direction, and where the TCP connection
/// stands. What few packets touch lies behind.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Flow {
    pub(crate) tuple: Tuple,
    /// Numbers of the sessions that mirror this flow, the first one first.
    pub(crate) sessions: [u16; MAX_SESSIONS],
    pub(crate) last_ns: i64,
    /// Since when it is where it is in its list, in the units of [`super::idle`].
    pub(crate) listed: u32,
    pub(crate) class: Class,
    name_attempts: u8,
    knows_cookie: bool,
    /// Who sent payload last.
    talker: Option<Way>,
    directions: [Counters; 2],
    /// When payload was sent last.
    talked_ns: i64,
    pub(crate) connection: Connection,
    name: Option<Box<ServiceName>>,
    flow_cookie: u32,
    first_way: Way,
    rarities: [Rarities; 2],
    /// How many flows of the table began before it.
    pub(crate) number: u32,
    reported: Option<Box<Reported>>,
}

/// What reports have told of a flow: its counters then, by way. Those of the flow begin anew with each report, those of
/// its connection go on.
pub(crate) type Reported = [DirectionRecord; 2];

/// What packets count for their direction: a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct Counters {
    packets: u64,
    bytes: u64,
    payload_bytes: u64,
    first_ns: i64,
    last_ns: i64,
    answers: Answers,
}

/// What few packets count for their direction.
#[derive(Clone, Copy, Debug, Default)]
struct Rarities {
    duplicates: u64,
    duplicate_bytes: u64,
    truncated: u64,
}

/// How long the other side waited for this one's payload.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    sum_ns: u64,
    max_ns: u64,
    count: u32,
}

impl Flow {
    pub(crate) fn new(arrival: &Arrival, number: u32) -> Self {
        let mut sessions = [NOBODY; MAX_SESSIONS];
        sessions[0] = arrival.session;
        Self {
            tuple: arrival.tuple,
            sessions,
            last_ns: arrival.now_ns,
            listed: 0,
            class: Class::default(),
            name_attempts: 0,
            knows_cookie: false,
            talker: None,
            directions: [Counters::default(); 2],
            talked_ns: 0,
            connection: Connection::default(),
            rarities: [Rarities::default(); 2],
            name: None,
            reported: None,
            flow_cookie: 0,
            number,
            first_way: arrival.way,
        }
    }

    /// Counts a packet of this flow, shown by its session number `observer`. Of its payload at least that part is
    /// given in which a name may stand.
    #[inline]
    pub(crate) fn observe(&mut self, arrival: &Arrival, payload: &[u8], observer: u8) {
        let Arrival { way, now_ns, .. } = *arrival;
        self.directions[way as usize].count(arrival);
        if arrival.is_truncated {
            self.rarities[way as usize].truncated += 1;
        }
        self.last_ns = self.last_ns.max(now_ns);
        if !self.knows_cookie
            && let Some(flow_cookie) = arrival.flow_cookie
        {
            (self.flow_cookie, self.knows_cookie) = (flow_cookie, true);
        }
        let is_new_payload = match &arrival.segment {
            Some(segment) => self.connection.observe(way, segment, Moment { now_ns, observer }),
            None => arrival.payload_len > 0,
        };
        if arrival.is_fragment {
            self.connection.lose_track(way);
        }
        if is_new_payload {
            self.hear(way, now_ns);
            if self.name_attempts < service::MAX_ATTEMPTS && !arrival.is_fragment {
                self.name_attempts += 1;
                self.look_for_name(payload);
            }
        }
    }

    /// Takes the first payload after the other side's as an answer.
    #[inline]
    fn hear(&mut self, way: Way, now_ns: i64) {
        if self.talker == Some(way.opposite()) {
            let waited_ns = now_ns.saturating_sub(self.talked_ns).max(0);
            self.directions[way as usize].answers.note(waited_ns as u64);
        }
        (self.talker, self.talked_ns) = (Some(way), now_ns);
    }

    /// Tells memory that a packet for this flow comes: reads what it will touch.
    #[inline]
    pub(crate) fn look_ahead(&self, way: Way) -> u64 {
        self.last_ns as u64 ^ self.directions[way as usize].packets ^ self.talked_ns as u64
    }

    /// Counts a copy of a packet of this flow.
    pub(crate) fn count_duplicate(&mut self, way: Way, wire_len: u32, now_ns: i64) {
        let rarities = &mut self.rarities[way as usize];
        rarities.duplicates += 1;
        rarities.duplicate_bytes += u64::from(wire_len);
        self.last_ns = self.last_ns.max(now_ns);
    }

    /// Time of the earliest packet.
    pub(crate) fn first_ns(&self) -> i64 {
        let seen = Way::BOTH.map(|way| self.direction(way));
        let seen = seen.iter().filter(|direction| direction.packets > 0);
        seen.map(|direction| direction.first_ns).min().unwrap_or(self.last_ns)
    }

    /// The place of a session among those that mirror this flow, 0 for the first one.
    #[inline]
    pub(crate) fn observer(&self, session: u16) -> Option<usize> {
        self.sessions.iter().position(|known| *known == session)
    }

    /// Adds a session; gives its place, or `None` where there is no room.
    pub(crate) fn add_session(&mut self, session: u16) -> Option<usize> {
        let place = self.observer(NOBODY)?;
        self.sessions[place] = session;
        Some(place)
    }

    /// The sessions that mirror this flow.
    pub(crate) fn known_sessions(&self) -> impl Iterator<Item = (usize, u16)> + use<> {
        self.sessions.into_iter().enumerate().filter(|(_, session)| *session != NOBODY)
    }

    /// Takes in what another session's observation of the same flow has counted.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        for at in 0..2 {
            self.directions[at].absorb(&other.directions[at]);
            self.rarities[at].absorb(&other.rarities[at]);
        }
        self.connection.absorb(&other.connection);
        if let Some(theirs) = other.reported.take() {
            let mine = self.reported.get_or_insert_default();
            mine.iter_mut().zip(theirs.iter()).for_each(|(mine, theirs)| mine.add(theirs));
        }
        self.last_ns = self.last_ns.max(other.last_ns);
        self.name = self.name.take().or(other.name.take());
        if !self.knows_cookie {
            (self.flow_cookie, self.knows_cookie) = (other.flow_cookie, other.knows_cookie);
        }
    }

    fn look_for_name(&mut self, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
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
    pub(crate) fn record(&self, session: impl Fn(u16) -> Session, end: Option<EndReason>) -> FlowRecord {
        let client = self.client();
        let server = client.opposite();
        let answers = &self.directions[server as usize].answers;
        let [first, others @ ..] = self.sessions;
        let others = others.into_iter().filter(|other| *other != NOBODY);
        FlowRecord {
            number: self.number,
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
            news: self.reported.is_some().then(|| Box::new([self.news(client), self.news(server)])),
            end,
            handshake_rtt_ns: self.connection.handshake_rtt_ns(),
            server_rtt_ns: self.connection.server_rtt_ns(),
            responses: answers.count,
            response_sum_ns: answers.sum_ns,
            response_max_ns: answers.max_ns,
            name: self.name.as_deref().cloned(),
            flow_cookie: self.knows_cookie.then_some(self.flow_cookie),
        }
    }

    /// Whether it counted anything that no report has told.
    pub(crate) fn has_news(&self) -> bool {
        Way::BOTH.into_iter().any(|way| !self.news(way).is_empty())
    }

    /// Takes all that was counted so far as told.
    pub(crate) fn begin_news(&mut self) {
        let told = Way::BOTH.map(|way| self.direction(way));
        **self.reported.get_or_insert_default() = told;
        self.directions =
            self.directions.map(|Counters { answers, .. }| Counters { answers, ..Default::default() });
        self.rarities = Default::default();
        self.connection.sides.iter_mut().for_each(|side| side.new_flags = 0);
    }

    /// All packets of a direction.
    fn direction(&self, way: Way) -> DirectionRecord {
        let mut sum = self.counted(way);
        if let Some(reported) = &self.reported {
            sum.add_counters(&reported[way as usize]);
        }
        sum.tcp_flags = self.connection.sides[way as usize].flags;
        sum
    }

    /// What no report has told of a direction. A hole that was told of as loss may be filled after all.
    fn news(&self, way: Way) -> DirectionRecord {
        let mut news = self.counted(way);
        if let Some(reported) = &self.reported {
            news.subtract_troubles(&reported[way as usize]);
        }
        news
    }

    /// The counters since the last report, and the connection's since it began.
    fn counted(&self, way: Way) -> DirectionRecord {
        let counters = &self.directions[way as usize];
        let rarities = &self.rarities[way as usize];
        let trouble = &self.connection.troubles[way as usize];
        DirectionRecord {
            packets: counters.packets,
            bytes: counters.bytes,
            payload_bytes: counters.payload_bytes,
            first_ns: counters.first_ns,
            last_ns: counters.last_ns,
            duplicates: rarities.duplicates,
            duplicate_bytes: rarities.duplicate_bytes,
            truncated: rarities.truncated,
            tcp_flags: self.connection.sides[way as usize].new_flags,
            retransmissions: trouble.retransmissions,
            out_of_order: trouble.out_of_order,
            duplicate_acks: trouble.duplicate_acks,
            zero_windows: trouble.zero_windows,
            keep_alives: trouble.keep_alives,
            gap_bytes: self.connection.gap_len(way),
        }
    }

    /// Gives back what was allocated for it, and is nobody's flow any more.
    pub(crate) fn clear(&mut self) {
        self.name = None;
        self.reported = None;
        self.connection = Connection::default();
        // Nothing must find it any more.
        self.sessions = [NOBODY; MAX_SESSIONS];
    }
}

impl DirectionRecord {
    /// Adds other packets of the same direction.
    fn add(&mut self, other: &Self) {
        self.add_counters(other);
        self.retransmissions += other.retransmissions;
        self.out_of_order += other.out_of_order;
        self.duplicate_acks += other.duplicate_acks;
        self.zero_windows += other.zero_windows;
        self.keep_alives += other.keep_alives;
        self.gap_bytes += other.gap_bytes;
    }

    fn add_counters(&mut self, other: &Self) {
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

    fn subtract_troubles(&mut self, told: &Self) {
        let counters = [
            (&mut self.retransmissions, told.retransmissions),
            (&mut self.out_of_order, told.out_of_order),
            (&mut self.duplicate_acks, told.duplicate_acks),
            (&mut self.zero_windows, told.zero_windows),
            (&mut self.keep_alives, told.keep_alives),
        ];
        counters.into_iter().for_each(|(counter, told)| *counter = counter.saturating_sub(told));
        self.gap_bytes = self.gap_bytes.saturating_sub(told.gap_bytes);
    }
}

impl Counters {
    #[inline]
    fn count(&mut self, arrival: &Arrival) {
        self.stretch(arrival.now_ns, arrival.now_ns);
        self.packets += 1;
        self.bytes += u64::from(arrival.wire_len);
        self.payload_bytes += u64::from(arrival.payload_len);
    }

    fn absorb(&mut self, other: &Self) {
        if other.packets > 0 {
            self.stretch(other.first_ns, other.last_ns);
        }
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.payload_bytes += other.payload_bytes;
        self.answers.absorb(&other.answers);
    }

    /// Takes in the times of packets that are not counted yet.
    #[inline]
    fn stretch(&mut self, first_ns: i64, last_ns: i64) {
        (self.first_ns, self.last_ns) = match self.packets {
            0 => (first_ns, last_ns),
            _ => (self.first_ns.min(first_ns), self.last_ns.max(last_ns)),
        };
    }
}

impl Rarities {
    fn absorb(&mut self, other: &Self) {
        self.duplicates += other.duplicates;
        self.duplicate_bytes += other.duplicate_bytes;
        self.truncated += other.truncated;
    }
}

impl Answers {
    fn note(&mut self, waited_ns: u64) {
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(waited_ns);
        self.max_ns = self.max_ns.max(waited_ns);
    }

    fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn what_a_packet_touches_lies_in_whole_cache_lines() {
        assert_eq!(offset_of!(Flow, directions), 64);
        assert_eq!(offset_of!(Flow, talked_ns), 192);
        let line_end = offset_of!(Flow, connection) + Connection::HOT_LEN;
        assert!(line_end <= 256, "{line_end}");
        assert!(size_of::<Flow>() <= 448, "{}", size_of::<Flow>());
    }

    #[test]
    fn what_two_parts_of_a_direction_counted_adds_up_and_what_was_told_goes_again() {
        let part = |factor: u32, first_ns, last_ns| {
            let wide = u64::from(factor);
            DirectionRecord {
                packets: 2 * wide,
                bytes: 3 * wide,
                payload_bytes: 5 * wide,
                first_ns,
                last_ns,
                duplicates: 7 * wide,
                duplicate_bytes: 11 * wide,
                truncated: 13 * wide,
                tcp_flags: 0,
                retransmissions: 17 * factor,
                out_of_order: 19 * factor,
                duplicate_acks: 23 * factor,
                zero_windows: 29 * factor,
                keep_alives: 31 * factor,
                gap_bytes: 37 * wide,
            }
        };
        let mut sum = part(1, 50, 60);
        sum.add(&part(3, 40, 55));
        assert_eq!(sum, part(4, 40, 60));
        let nothing = DirectionRecord::default();
        sum.add(&nothing);
        assert_eq!(sum, part(4, 40, 60), "the times of nothing are none");
        let mut begun = nothing;
        begun.add(&part(2, 70, 80));
        assert_eq!(begun, part(2, 70, 80));
        sum.subtract_troubles(&part(3, 0, 0));
        let DirectionRecord {
            retransmissions, out_of_order, duplicate_acks, zero_windows, keep_alives, ..
        } = sum;
        assert_eq!(
            [retransmissions, out_of_order, duplicate_acks, zero_windows, keep_alives],
            [17, 19, 23, 29, 31]
        );
        assert_eq!(sum.gap_bytes, 37);
    }
}
