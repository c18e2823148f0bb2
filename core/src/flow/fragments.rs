//! Which flow a later fragment belongs to: that of the first fragment with the same addresses, protocol and id.
//!
//! Only the first fragment carries the ports (RFC 791, 2.3; RFC 8200, 4.5). A later one that comes before it, or
//! whose first one was never captured, belongs to the flow with the ports 0.

use core::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::{key::Sighting, recent::Recent};

/// Fragmented packets that are remembered at a time.
pub const MAX_FRAGMENTED_PACKETS: usize = 4096;
/// How long the first fragment is remembered: as long as Linux waits for the others.
pub const REASSEMBLY_NS: u64 = 30_000_000_000;

/// The ports of recent first fragments.
#[derive(Clone, Debug)]
pub(crate) struct Fragments {
    hasher: FixedState,
    /// Made when the first fragment comes: most traffic has none.
    ports: Option<Recent<[u16; 2]>>,
}

impl Fragments {
    pub(crate) fn new(hasher: FixedState) -> Self {
        Self { hasher, ports: None }
    }

    /// Remembers the ports of a first fragment, and gives them to a later one.
    #[cold]
    pub(crate) fn resolve(&mut self, session: u16, sighting: &mut Sighting<'_>, now_ns: i64) {
        let Some(fragment) = sighting.fragment else { return };
        let Sighting { tuple, way, .. } = *sighting;
        let (portless, portless_way) = tuple.with_ports(way, 0, 0);
        let fingerprint = self.hasher.hash_one((session, portless, portless_way as u8, fragment.id));
        let ports = self.ports.get_or_insert_with(|| Recent::new(MAX_FRAGMENTED_PACKETS, REASSEMBLY_NS));
        if fragment.is_first {
            let value = [tuple.source_port(way), tuple.source_port(way.opposite())];
            ports.insert(fingerprint, now_ns, value);
        } else if let Some([src_port, dst_port]) = ports.find(fingerprint, now_ns).copied() {
            (sighting.tuple, sighting.way) = tuple.with_ports(way, src_port, dst_port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::key::{Fragment, Tuple, UDP};

    fn piece(id: u32, is_first: bool) -> Sighting<'static> {
        let [src_port, dst_port] = if is_first { [5000, 53] } else { [0, 0] };
        let (tuple, way) =
            Tuple::new(([10, 0, 0, 9].into(), src_port), ([10, 0, 0, 1].into(), dst_port), UDP);
        let fragment = Some(Fragment { id, is_first });
        Sighting { tuple, way, fragment, mark: 0, is_identified: true, transport: &[], transport_len: 0 }
    }

    #[test]
    fn a_later_fragment_takes_the_ports_of_the_first() {
        let mut fragments = Fragments::new(FixedState::default());
        let (mut first, mut later) = (piece(7, true), piece(7, false));
        fragments.resolve(0, &mut first, 0);
        fragments.resolve(0, &mut later, 1);
        assert_eq!((later.tuple, later.way), (first.tuple, first.way));
    }

    #[test]
    fn another_id_another_session_or_a_late_piece_stays_without_ports() {
        let mut fragments = Fragments::new(FixedState::default());
        fragments.resolve(0, &mut piece(7, true), 0);
        for (session, id, now_ns) in [(0, 8, 1), (1, 7, 1), (0, 7, REASSEMBLY_NS as i64 + 1)] {
            let mut later = piece(id, false);
            fragments.resolve(session, &mut later, now_ns);
            assert_eq!(later.tuple.source_port(later.way), 0);
        }
    }
}
