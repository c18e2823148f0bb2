//! Which flow a later fragment belongs to: that of the first fragment with the same addresses, protocol and id.
//!
//! Only the first fragment carries the ports (RFC 791, 2.3; RFC 8200, 4.5). A later one that overtook it (Linux once
//! sent them in that order, and mirrors reorder) waits for it, in a bounded place for a bounded time. Given up, or
//! where the first one was never captured, it belongs to the flow with the ports 0.

use core::hash::BuildHasher;
use std::collections::VecDeque;

use foldhash::quality::FixedState;

use super::{
    arrival::Arrival,
    key::{Fragment, Sighting},
    recent::Recent,
};

/// Fragmented packets that are remembered at a time.
pub const MAX_FRAGMENTED_PACKETS: usize = 4096;
/// Later fragments that wait for their first one at a time. When another one comes, the oldest is given up.
pub const MAX_HELD: usize = 1024;
/// How long the first fragment is remembered and a later one waits: as long as Linux waits for the others.
pub const REASSEMBLY_NS: u64 = 30_000_000_000;

/// The ports of recent first fragments, and the later ones that wait for theirs.
#[derive(Clone, Debug)]
pub(crate) struct Fragments {
    hasher: FixedState,
    /// Made when the first fragment comes: most traffic has none.
    ports: Option<Recent<[u16; 2]>>,
    held: VecDeque<Held>,
    hold_ns: u64,
}

/// A later fragment that waits.
#[derive(Clone, Debug)]
struct Held {
    packet: u64,
    arrival: Arrival,
}

/// What a fragment is to the fragments before it. The number tells the fragmented packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The one with the ports.
    First(u64),
    /// A later one, whose ports are known now.
    Known,
    /// A later one without any.
    Lone(u64),
}

impl Fragments {
    /// `hold_ns` is how long a fragment may wait, at most [`REASSEMBLY_NS`].
    pub(crate) fn new(hasher: FixedState, hold_ns: u64) -> Self {
        Self { hasher, ports: None, held: VecDeque::new(), hold_ns: hold_ns.min(REASSEMBLY_NS) }
    }

    /// Remembers the ports of a first fragment, and gives them to a later one.
    #[cold]
    pub(crate) fn resolve<'a>(
        &mut self,
        session: u16,
        fragment: Fragment,
        sighting: Sighting<'a>,
        now_ns: i64,
    ) -> (Sighting<'a>, Piece) {
        let Sighting { tuple, way, .. } = sighting;
        let (portless, portless_way) = tuple.with_ports(way, 0, 0);
        let packet = self.hasher.hash_one((session, portless, portless_way as u8, fragment.id));
        let ports = self.ports.get_or_insert_with(|| Recent::new(MAX_FRAGMENTED_PACKETS, REASSEMBLY_NS));
        if fragment.is_first {
            let value = [tuple.source_port(way), tuple.source_port(way.opposite())];
            ports.insert(packet, now_ns, value);
            return (sighting, Piece::First(packet));
        }
        let Some([src_port, dst_port]) = ports.find(packet, now_ns).copied() else {
            return (sighting, Piece::Lone(packet));
        };
        let (tuple, way) = tuple.with_ports(way, src_port, dst_port);
        (Sighting { tuple, way, ..sighting }, Piece::Known)
    }

    /// Lets a lone fragment wait. Gives the oldest that waits where there is no room for both.
    pub(crate) fn hold(&mut self, packet: u64, arrival: Arrival) -> Option<Arrival> {
        let oldest = if self.held.len() >= MAX_HELD { self.held.pop_front() } else { None };
        self.held.push_back(Held { packet, arrival });
        oldest.map(|held| held.arrival)
    }

    /// Takes the fragments out that have waited for the first one of this packet, which comes at the time `now_ns`.
    pub(crate) fn release(&mut self, packet: u64, now_ns: i64, mut give: impl FnMut(Arrival)) {
        let hold_ns = self.hold_ns;
        self.held.retain(|held| {
            let is_of = held.packet == packet && held.arrival.now_ns.abs_diff(now_ns) <= hold_ns;
            if is_of {
                give(held.arrival);
            }
            !is_of
        });
    }

    /// Whether any fragment waits.
    #[inline]
    pub(crate) fn any_waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes a fragment out that has waited too long at the time `now_ns`; at no time, any.
    pub(crate) fn overdue(&mut self, now_ns: Option<i64>) -> Option<Arrival> {
        let oldest = self.held.front()?;
        let waits = now_ns.is_some_and(|now_ns| oldest.arrival.now_ns.abs_diff(now_ns) <= self.hold_ns);
        if waits { None } else { self.held.pop_front().map(|held| held.arrival) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::key::{Tuple, UDP};

    fn piece(id: u32, is_first: bool) -> Sighting<'static> {
        let [src_port, dst_port] = if is_first { [5000, 53] } else { [0, 0] };
        let (tuple, way) =
            Tuple::new(([10, 0, 0, 9].into(), src_port), ([10, 0, 0, 1].into(), dst_port), UDP);
        let fragment = Some(Fragment { id, is_first });
        Sighting { tuple, way, fragment, mark: 0, is_identified: true, transport: &[], transport_len: 0 }
    }

    /// What a piece seen by a session at a time becomes.
    fn resolve(
        fragments: &mut Fragments,
        session: u16,
        piece: Sighting<'static>,
        now_ns: i64,
    ) -> (Sighting<'static>, Piece) {
        fragments.resolve(session, piece.fragment.unwrap(), piece, now_ns)
    }

    #[test]
    fn a_later_fragment_takes_the_ports_of_the_first() {
        let mut fragments = Fragments::new(FixedState::default(), REASSEMBLY_NS);
        let first = piece(7, true);
        assert!(matches!(resolve(&mut fragments, 0, first, 0).1, Piece::First(_)));
        let (later, known) = resolve(&mut fragments, 0, piece(7, false), 1);
        assert_eq!(known, Piece::Known);
        assert_eq!((later.tuple, later.way), (first.tuple, first.way));
    }

    #[test]
    fn another_id_another_session_or_a_late_piece_stays_without_ports() {
        let mut fragments = Fragments::new(FixedState::default(), REASSEMBLY_NS);
        resolve(&mut fragments, 0, piece(7, true), 0);
        for (session, id, now_ns) in [(0, 8, 1), (1, 7, 1), (0, 7, REASSEMBLY_NS as i64 + 1)] {
            let (later, lone) = resolve(&mut fragments, session, piece(id, false), now_ns);
            assert!(matches!(lone, Piece::Lone(_)));
            assert_eq!(later.tuple.source_port(later.way), 0);
        }
    }
}
