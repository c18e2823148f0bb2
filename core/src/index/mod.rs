//! An index answers questions about millions of packets without their octets: [`BYTES_PER_PACKET`] stay of each.
//!
//! ```text
//!  Packet ─ head ────────── classes ──── columns ─────────── select ─── bits
//!           what filters    each once    one row a packet,   the rest   one bit a packet
//!           read of it                   in chunks           is re-read
//! ```
//!
//! Rows point to what many packets have in common: a class (addresses, ports, tunnel), a session, a flow, an origin.
//! Whoever keeps the capture reads a packet's octets again at [`Row::offset`] of its source when they are needed.

mod bits;
mod classes;
mod columns;
mod flows;
mod follow;
mod head;
mod overview;
mod select;
mod timeline;

use core::net::IpAddr;
use std::collections::HashMap;

pub use bits::{Bits, BitsBuilder};
pub use classes::Talk;
pub use columns::{BYTES_PER_PACKET, CHUNK_LEN, Row, flag};
pub use flows::{Chosen, DEFAULT_MAX_ENDED, FlowPage, Flows, FlowsOptions};
pub use follow::{Follow, MAX_PIECES, MAX_WAITING_LEN, Piece, Side};
pub use overview::{Overview, Port, SIZE_STEPS, SessionShare, Share, Talker};
pub use select::Judged;
pub use timeline::{MAX_TIMELINE_BINS, MAX_TIMELINE_SESSIONS, OTHER_SESSIONS, Timeline};

use crate::{
    layers::{Layer, geneve},
    packet::{Envelope, Packet},
    record::LinkType,
    sinks::sessions::{self, Sessions},
};
use classes::Classes;
use columns::Columns;

/// Where records come from: rows with the same origin share the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Which of several captures, counted from 0.
    pub source: u16,
    /// The interface of that capture.
    pub interface: u32,
    /// What the records begin with.
    pub link_type: LinkType,
}

/// Why a packet did not get into the index. Those before it stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There is no memory for more.
    Memory,
    /// As many packets as were allowed are there.
    Packets,
    /// More interfaces than can be told apart (65,535).
    Origins,
}

/// Bounds of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexOptions {
    /// Packets at most; more are [`Full::Packets`], or push out the oldest where `is_ring`.
    pub max_packets: u64,
    /// Whether the oldest packets make room for new ones, a chunk at a time.
    pub is_ring: bool,
    /// How flows are gathered, if they are.
    pub flows: Option<FlowsOptions>,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { max_packets: u64::MAX, is_ring: false, flows: None }
    }
}

/// The index of one capture, or of several in order of time.
#[derive(Debug)]
pub struct Index {
    options: IndexOptions,
    columns: Columns,
    classes: Classes,
    sessions: Sessions,
    flows: Option<Flows>,
    origins: Vec<Origin>,
    origin_numbers: HashMap<Origin, u16>,
    last_ns: i64,
}

impl Index {
    /// An empty index; `seed` is a random number that senders of packets cannot know.
    pub fn new(options: IndexOptions, seed: u64) -> Self {
        Self {
            columns: Columns::default(),
            classes: Classes::new(seed),
            sessions: Sessions::default(),
            flows: options.flows.clone().map(|flows| Flows::new(flows, seed)),
            origins: Vec::new(),
            origin_numbers: HashMap::new(),
            last_ns: i64::MIN,
            options,
        }
    }

    /// Adds a packet of a source.
    ///
    /// # Errors
    /// Where there is no room for it; nothing of it was taken then.
    #[inline]
    pub fn push(&mut self, source: u16, packet: &Packet<'_>) -> Result<(), Full> {
        if !self.options.is_ring && self.columns.rows() >= self.options.max_packets {
            return Err(Full::Packets);
        }
        let record = &packet.record;
        let origin =
            self.origin(Origin { source, interface: record.interface, link_type: record.link_type })?;
        self.columns.reserve()?;
        self.sessions.observe(packet);
        let session = self.sessions.last_seen() as u32;
        let (class, facts) = self.classes.class(packet, session);
        let mut flags = envelope_flags(packet) | facts.flags;
        if has_unknown_option(packet) {
            flags |= flag::UNKNOWN_OPTION;
        }
        if record.timestamp_ns < self.last_ns {
            flags |= flag::CLOCK_BACK;
        }
        self.last_ns = record.timestamp_ns;
        self.columns.push(&Row {
            timestamp_ns: record.timestamp_ns,
            offset: record.offset,
            captured_len: record.data.len() as u32,
            original_len: record.original_len,
            subject_len: packet.subject_len(),
            class,
            flow: None,
            session,
            origin,
            flags,
            tcp_flags: facts.tcp_flags,
        });
        if let Some(flows) = &mut self.flows {
            flows.observe(packet, self.columns.end() - 1, &mut self.columns);
        }
        if self.options.is_ring {
            self.columns.forget_before(self.columns.end().saturating_sub(self.options.max_packets));
        }
        Ok(())
    }

    #[inline]
    fn origin(&mut self, origin: Origin) -> Result<u16, Full> {
        if let Some(last) = self.columns.last_origin()
            && self.origins.get(usize::from(last)) == Some(&origin)
        {
            return Ok(last);
        }
        if let Some(number) = self.origin_numbers.get(&origin) {
            return Ok(*number);
        }
        let number = u16::try_from(self.origins.len()).map_err(|_| Full::Origins)?;
        self.origins.push(origin);
        self.origin_numbers.insert(origin, number);
        Ok(number)
    }

    /// Counts the packets that wait for others with the flows. Before flows are asked for.
    pub fn settle(&mut self) {
        if let Some(flows) = &mut self.flows {
            flows.settle(&mut self.columns);
        }
    }

    /// Ends every flow, because no packet will come any more.
    pub fn finish(&mut self) {
        if let Some(flows) = &mut self.flows {
            flows.finish(&mut self.columns);
        }
    }

    /// The first packet that is there, counted from 0.
    pub fn first(&self) -> u64 {
        match self.options.is_ring {
            true => self.columns.first().max(self.end().saturating_sub(self.options.max_packets)),
            false => self.columns.first(),
        }
    }

    /// The packet behind the last one: how many there were.
    pub fn end(&self) -> u64 {
        self.columns.end()
    }

    /// What is known of a packet; `None` where there is none, or no longer.
    pub fn row(&self, packet: u64) -> Option<Row> {
        self.columns.row(packet)
    }

    /// Where a row's packet came from.
    pub fn origin_of(&self, row: &Row) -> Option<Origin> {
        self.origins.get(usize::from(row.origin)).copied()
    }

    /// The sessions; [`Row::session`] counts them in the order in which they were first seen.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The flows, if they are gathered.
    pub fn flows(&mut self) -> Option<&mut Flows> {
        self.settle();
        self.flows.as_mut()
    }

    /// Source, destination and ports of a row's packet, where it is IP: of the outermost header in the mirrored frame.
    pub fn talk(&self, row: &Row) -> Option<Talk> {
        self.classes.talk(row.class)
    }

    /// The protocol of a row's packet, by the same header.
    pub fn protocol(&self, row: &Row) -> String {
        self.classes.protocol(row.class)
    }

    /// Addresses of the mirrored packets, in the order of the classes; at most `limit`.
    pub fn addresses(&self, limit: usize) -> Vec<IpAddr> {
        self.classes.addresses(limit)
    }

    /// All packets that are there.
    pub fn all(&self) -> Bits {
        Bits::ones(self.first(), self.end())
    }

    /// Octets that the index takes, flows apart.
    pub fn memory_len(&self) -> usize {
        self.columns.memory_len() + self.classes.memory_len()
    }
}

/// What the envelope and the headers tell at a glance: [`flag::MIRRORED`] to [`flag::UNDECODABLE`].
#[inline]
pub fn envelope_flags(packet: &Packet<'_>) -> u16 {
    let mut flags = match packet.envelope {
        Envelope::Mirrored(_) => flag::MIRRORED,
        Envelope::Inline(_) => flag::INLINE,
        Envelope::Bare => 0,
    };
    if packet.stack.is_truncated() {
        flags |= flag::TRUNCATED;
    }
    if packet.stack.stop().is_some() || packet.stack.layers().is_empty() {
        flags |= flag::UNDECODABLE;
    }
    flags
}

/// Whether GWLB's Geneve header has an option that is not one of GWLB's three.
#[inline]
fn has_unknown_option(packet: &Packet<'_>) -> bool {
    use crate::aws::gwlb;
    let geneve = packet.envelope_layers().iter().find(|span| span.layer == Layer::Geneve);
    let Some(header) = geneve.map(|span| packet.stack.header(span)) else { return false };
    !gwlb::has_usual_options(header)
        && geneve::known_options(header).any(|option| {
            let is_gwlbs = (gwlb::ENDPOINT_ID..=gwlb::FLOW_COOKIE).contains(&option.kind);
            option.class != gwlb::CLASS || !is_gwlbs
        })
}

/// The row that a session's number stands for.
pub(crate) fn session_key(sessions: &Sessions, number: u32) -> Option<sessions::Key> {
    sessions.in_order_seen().get(number as usize).map(|(key, _)| *key)
}
