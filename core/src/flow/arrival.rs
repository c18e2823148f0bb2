//! A packet on its way into the table: all that will be counted of it, so that its octets need not stay.
//!
//! Only a payload in which a name may stand is copied, into one buffer for all that wait.

use super::{
    duplicates::Showing,
    key::{Sighting, TCP, Tuple, UDP, Way},
    segment::Segment,
    service,
};

const UDP_HEADER_LEN: u32 = 8;

/// What is counted of one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) tuple: Tuple,
    pub(crate) way: Way,
    pub(crate) session: u16,
    pub(crate) is_fragment: bool,
    /// Whether its time is past because it waited for nothing: no flow is idle because of it.
    pub(crate) is_late: bool,
    pub(crate) is_truncated: bool,
    pub(crate) wire_len: u32,
    /// Octets of transport payload on the wire.
    pub(crate) payload_len: u32,
    pub(crate) now_ns: i64,
    pub(crate) tuple_hash: u64,
    /// Tells copies from other packets: [`Showing`], part by part, so that all of this is two cache lines.
    pub(crate) fingerprint: u64,
    pub(crate) checksum: u16,
    pub(crate) is_identified: bool,
    pub(crate) segment: Option<Segment>,
    pub(crate) flow_cookie: Option<u32>,
    /// Where its payload lies among those that were kept; empty where no name can be in it.
    pub(crate) payload: (u32, u32),
    /// Whether its flow is to be noted where a trace is kept: not when it had to wait for another packet.
    pub(crate) is_traced: bool,
    /// The index entry that probably leads to its flow.
    pub(crate) hint: Option<u32>,
}

impl Arrival {
    /// One of which nothing is known yet.
    pub(crate) const EMPTY: Self = Self {
        tuple: Tuple::EMPTY,
        way: Way::Up,
        session: 0,
        is_fragment: false,
        is_late: false,
        is_truncated: false,
        wire_len: 0,
        payload_len: 0,
        now_ns: 0,
        tuple_hash: 0,
        fingerprint: 0,
        checksum: 0,
        is_identified: false,
        segment: None,
        flow_cookie: None,
        payload: (0, 0),
        is_traced: true,
        hint: None,
    };

    #[inline]
    pub(crate) fn showing(&self) -> Showing {
        let Self { fingerprint, checksum, is_identified, .. } = *self;
        Showing { fingerprint, checksum, is_identified }
    }

    /// Under what the index has the flow that a session's packets of this tuple belong to.
    #[inline]
    pub(crate) fn index_hash(&self, session: u16) -> u64 {
        index_hash(self.tuple_hash, session)
    }
}

/// Spreads the sessions of one tuple over the index. The tuple's hash is secret, so that its sum with a number that
/// is not stays so.
#[inline]
pub(crate) fn index_hash(tuple_hash: u64, session: u16) -> u64 {
    tuple_hash.wrapping_add(u64::from(session).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The header of a TCP segment; later fragments have none, and where it was cut short there is nothing to read.
#[inline]
pub(crate) fn segment(sighting: &Sighting<'_>) -> Option<Segment> {
    if sighting.tuple.protocol != TCP || sighting.is_later_fragment() {
        return None;
    }
    Segment::parse(sighting.transport, sighting.transport_len)
}

/// Where the payload begins behind the IP header, and its octets on the wire.
#[inline]
pub(crate) fn payload(sighting: &Sighting<'_>, segment: Option<&Segment>) -> (u32, u32) {
    match (segment, sighting.tuple.protocol) {
        (Some(segment), _) => (segment.header_len.into(), segment.payload_len),
        (None, UDP) if !sighting.is_later_fragment() => {
            (UDP_HEADER_LEN, sighting.transport_len.saturating_sub(UDP_HEADER_LEN))
        }
        (None, _) => (0, sighting.transport_len),
    }
}

/// The payloads of the packets that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payloads(Vec<u8>);

impl Payloads {
    /// Keeps the captured payload behind `at` if a name may stand in it.
    #[inline]
    pub(crate) fn keep(&mut self, sighting: &Sighting<'_>, at: u32) -> (u32, u32) {
        let payload = sighting.transport.get(at as usize..).unwrap_or_default();
        let ports = [Way::Up, Way::Down].map(|way| sighting.tuple.source_port(way));
        if sighting.fragment.is_some() || !service::may_name(sighting.tuple.protocol, ports, payload) {
            return (0, 0);
        }
        let from = self.0.len();
        let len = payload.len().min(service::MAX_SEARCHED_LEN);
        self.0.extend_from_slice(payload.get(..len).unwrap_or_default());
        (from as u32, self.0.len() as u32)
    }

    pub(crate) fn of(&self, arrival: &Arrival) -> &[u8] {
        let (from, to) = arrival.payload;
        self.0.get(from as usize..to as usize).unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_is_two_cache_lines() {
        assert!(size_of::<Arrival>() <= 128, "{}", size_of::<Arrival>());
    }
}
