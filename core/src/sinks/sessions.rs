//! Who mirrored what: one row for each mirror session, and inline and other packets apart.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use foldhash::quality::FixedState;

use super::{
    json::{self, Object},
    line::Line,
    time,
};
use crate::{
    aws::{
        gwlb::EndpointId,
        mirror::{MirrorIdentity, NameOf},
    },
    order,
    packet::{Envelope, Packet},
};

/// Rows that are kept apart. Whoever can send packets can invent sessions; those beyond share one row.
pub const MAX_SESSIONS: usize = 65_536;

/// What a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A mirror session.
    Mirrored(MirrorIdentity),
    /// Inline packets of an endpoint; `None` for Geneve that names no endpoint.
    Inline(Option<EndpointId>),
    /// Packets without a tunnel of GWLB or of a mirror session.
    Bare,
    /// Sessions beyond [`MAX_SESSIONS`].
    Overflow,
}

/// The counters of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Octets on the wire of the mirrored frames (inline: of the inner IP packets; otherwise of the records).
    pub bytes: u64,
    /// Time of the earliest packet, nanoseconds since 1970.
    pub first_ns: i64,
    /// Time of the latest packet.
    pub last_ns: i64,
    /// Packets of which octets are missing, cut by the capture or by the session's packet length.
    pub truncated: u64,
    /// Packets with a header that could not be read.
    pub undecodable: u64,
}

/// Counts packets by session.
#[derive(Clone, Debug)]
pub struct Sessions {
    index: HashMap<Key, usize, FixedState>,
    rows: Vec<(Key, Counters)>,
    recent: Recent<u32>,
    last: usize,
}

impl Default for Sessions {
    /// The seed of the index is chance, so that nobody can choose sessions that collide.
    fn default() -> Self {
        let seed = RandomState::new().hash_one(0);
        let index = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { index, rows: Vec::new(), recent: Recent::default(), last: 0 }
    }
}

/// What is known of sessions seen lately, each in the pair of places that its VNI and source give it, so that the
/// sessions that mostly mirror at a time are found without hashing.
#[derive(Clone, Debug)]
pub(crate) struct Recent<T>(Box<[[(Key, T); 2]; RECENT_PAIRS]>);

const RECENT_PAIRS: usize = 128;

impl<T: Copy + Default> Default for Recent<T> {
    fn default() -> Self {
        Self(Box::new([[(Key::Overflow, T::default()); 2]; RECENT_PAIRS]))
    }
}

impl<T: Copy> Recent<T> {
    /// What was noted of the session of this packet.
    #[inline]
    pub(crate) fn find(&self, packet: &Packet<'_>) -> Option<T> {
        let pair = &self.0[Self::place(packet)];
        pair.iter().find(|(known, _)| known.counts(packet)).map(|(_, value)| *value)
    }

    /// Notes it, in place of what was noted there before the last.
    pub(crate) fn note(&mut self, packet: &Packet<'_>, key: Key, value: T) {
        let [first, second] = &mut self.0[Self::place(packet)];
        *second = std::mem::replace(first, (key, value));
    }

    /// Below [`RECENT_PAIRS`]. Senders can choose sessions that share a place; of those two are found.
    #[inline]
    fn place(packet: &Packet<'_>) -> usize {
        let Some(context) = packet.mirror() else { return 0 };
        let source = match context.identity.source {
            IpAddr::V4(source) => source.to_bits(),
            IpAddr::V6(source) => source.to_bits() as u32,
        };
        // The upper bits of a product depend on all bits of its factors.
        let mixed = (context.identity.vni ^ source).wrapping_mul(0x9e37_79b9);
        (mixed >> (u32::BITS - RECENT_PAIRS.ilog2())) as usize
    }
}

impl Sessions {
    /// Counts one packet.
    #[inline]
    pub fn observe(&mut self, packet: &Packet<'_>) {
        let row = match self.recent.find(packet) {
            Some(row) => row as usize,
            None => self.find_row(packet),
        };
        self.last = row;
        let counters = &mut self.rows[row].1;
        counters.packets += 1;
        counters.bytes += u64::from(packet.subject_len());
        counters.first_ns = counters.first_ns.min(packet.record.timestamp_ns);
        counters.last_ns = counters.last_ns.max(packet.record.timestamp_ns);
        counters.truncated += u64::from(packet.stack.is_truncated());
        counters.undecodable += u64::from(packet.stack.stop().is_some() || packet.stack.layers().is_empty());
    }

    #[cold]
    fn find_row(&mut self, packet: &Packet<'_>) -> usize {
        let key = Key::of(packet);
        let row = self.row(key, packet.record.timestamp_ns);
        self.recent.note(packet, key, row as u32);
        row
    }

    fn row(&mut self, key: Key, timestamp_ns: i64) -> usize {
        let is_full = self.rows.len() >= MAX_SESSIONS;
        let key = if is_full && !self.index.contains_key(&key) { Key::Overflow } else { key };
        *self.index.entry(key).or_insert_with(|| {
            self.rows.push((key, Counters::at(timestamp_ns)));
            self.rows.len() - 1
        })
    }

    /// The rows in the order in which their first packets came.
    pub fn in_order_seen(&self) -> &[(Key, Counters)] {
        &self.rows
    }

    /// Index into [`Sessions::in_order_seen`] of the row that counted the last packet; 0 before the first.
    #[inline]
    pub fn last_seen(&self) -> usize {
        self.last
    }

    /// The rows: mirror sessions with the most packets first, then inline, then the rest.
    pub fn rows(&self) -> Vec<(Key, Counters)> {
        let mut rows = self.rows.clone();
        order::sort_by_key(&mut rows, |(key, counters)| {
            (kind(key), core::cmp::Reverse(counters.packets), *key)
        });
        rows
    }

    /// Adds what another counter of other packets has seen.
    pub fn merge(&mut self, other: &Self) {
        for (key, counts) in &other.rows {
            let row = self.row(*key, counts.first_ns);
            let counters = &mut self.rows[row].1;
            counters.packets += counts.packets;
            counters.bytes += counts.bytes;
            counters.first_ns = counters.first_ns.min(counts.first_ns);
            counters.last_ns = counters.last_ns.max(counts.last_ns);
            counters.truncated += counts.truncated;
            counters.undecodable += counts.undecodable;
        }
    }

    /// Packets counted.
    pub fn packets(&self) -> u64 {
        self.rows.iter().map(|(_, counters)| counters.packets).sum()
    }
}

impl Counters {
    fn at(timestamp_ns: i64) -> Self {
        Self {
            packets: 0,
            bytes: 0,
            first_ns: timestamp_ns,
            last_ns: timestamp_ns,
            truncated: 0,
            undecodable: 0,
        }
    }
}

impl Key {
    /// The row that counts `packet`.
    #[inline]
    pub fn of(packet: &Packet<'_>) -> Self {
        match &packet.envelope {
            Envelope::Mirrored(context) => Self::Mirrored(context.identity),
            Envelope::Inline(gwlb) => Self::Inline(gwlb.map(|gwlb| gwlb.endpoint_id)),
            Envelope::Bare => Self::Bare,
        }
    }

    /// Whether this row counts `packet`: what comparing with [`Key::of`] tells, without making a key.
    #[inline]
    pub(crate) fn counts(&self, packet: &Packet<'_>) -> bool {
        match (self, &packet.envelope) {
            (Self::Mirrored(identity), Envelope::Mirrored(context)) => *identity == context.identity,
            (Self::Inline(endpoint), Envelope::Inline(gwlb)) => {
                *endpoint == gwlb.map(|gwlb| gwlb.endpoint_id)
            }
            (Self::Bare, Envelope::Bare) => true,
            _ => false,
        }
    }
}

fn kind(key: &Key) -> u8 {
    match key {
        Key::Mirrored(_) => 0,
        Key::Overflow => 1,
        Key::Inline(_) => 2,
        Key::Bare => 3,
    }
}

/// The word for the kind of a row.
pub fn kind_name(key: &Key) -> &'static str {
    ["mirrored", "mirrored (further sessions)", "inline", "other"][usize::from(kind(key))]
}

/// Appends the rows as JSON lines.
pub fn print_json(rows: &[(Key, Counters)], name_of: NameOf<'_>, line: &mut Line) {
    for (key, counters) in rows {
        json::object(line, |json| row_json(key, counters, name_of, json));
        line.byte(b'\n');
    }
}

fn row_json(key: &Key, counters: &Counters, name_of: NameOf<'_>, json: &mut Object<'_>) {
    json.text("kind", kind_name(key));
    match key {
        Key::Mirrored(identity) => {
            json::identity(identity, json);
            if let Some(name) = name_of(identity) {
                json.text("name", name);
            }
        }
        Key::Inline(Some(endpoint_id)) => {
            json.text("endpoint", &endpoint_id.to_string());
        }
        Key::Inline(None) | Key::Bare | Key::Overflow => {}
    }
    json.uint("packets", counters.packets).uint("bytes", counters.bytes);
    json.time("first", counters.first_ns).time("last", counters.last_ns);
    json.uint("truncated", counters.truncated).uint("undecodable", counters.undecodable);
}

/// The columns of [`print_csv`].
pub const CSV_HEADER: &str = "kind,endpoint,vni,source,name,packets,bytes,first,last,truncated,undecodable\n";

/// Appends the rows as CSV (RFC 4180 but for the line ends, which are `\n`), [`CSV_HEADER`] first.
pub fn print_csv(rows: &[(Key, Counters)], name_of: NameOf<'_>, line: &mut Line) {
    line.str(CSV_HEADER);
    for (key, counters) in rows {
        let name = match key {
            Key::Mirrored(identity) => name_of(identity).unwrap_or_default(),
            _ => "",
        };
        csv_identity(key, line.str(kind_name(key)).byte(b',')).byte(b',');
        csv_cell(line, name).byte(b',').uint(counters.packets).byte(b',').uint(counters.bytes).byte(b',');
        time::rfc3339(line, counters.first_ns).byte(b',');
        time::rfc3339(line, counters.last_ns).byte(b',');
        line.uint(counters.truncated).byte(b',').uint(counters.undecodable).byte(b'\n');
    }
}

/// Endpoint, VNI and source as text; empty where the row has none.
pub fn identity_cells(key: &Key) -> [String; 3] {
    match key {
        Key::Mirrored(identity) => [
            identity.endpoint_id.map(|id| id.to_string()).unwrap_or_default(),
            identity.vni.to_string(),
            identity.source.to_string(),
        ],
        Key::Inline(endpoint_id) => {
            [endpoint_id.map(|id| id.to_string()).unwrap_or_default(), String::new(), String::new()]
        }
        Key::Bare | Key::Overflow => Default::default(),
    }
}

/// The same as three CSV cells.
pub fn csv_identity<'a>(key: &Key, line: &'a mut Line) -> &'a mut Line {
    let (endpoint_id, mirror) = match key {
        Key::Mirrored(identity) => (identity.endpoint_id, Some(identity)),
        Key::Inline(endpoint_id) => (*endpoint_id, None),
        Key::Bare | Key::Overflow => (None, None),
    };
    if let Some(EndpointId(endpoint_id)) = endpoint_id {
        line.str("vpce-").hex(endpoint_id, 17);
    }
    match mirror {
        Some(identity) => line.byte(b',').uint(identity.vni).byte(b',').ip(identity.source),
        None => line.str(",,"),
    }
}

/// A CSV cell, quoted where it must be.
pub fn csv_cell<'a>(line: &'a mut Line, text: &str) -> &'a mut Line {
    if !text.contains([',', '"', '\n', '\r']) {
        return line.str(text);
    }
    line.byte(b'"').str(&text.replace('"', "\"\"")).byte(b'"')
}
