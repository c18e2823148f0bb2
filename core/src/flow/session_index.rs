//! Mirror sessions by number, because a number fits into a flow.

use core::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use crate::{
    packet::Packet,
    sinks::sessions::{Key as Session, Recent},
};

/// Sessions that are told apart. Whoever can send packets can invent sessions; those beyond share the number 0.
const MAX_SESSIONS: usize = (u16::MAX - 1) as usize;

/// Numbers sessions in the order in which they are seen.
#[derive(Clone, Debug)]
pub(super) struct SessionIndex {
    hasher: FixedState,
    numbers: HashTable<u16>,
    keys: Vec<Session>,
    recent: Recent<u16>,
}

impl SessionIndex {
    pub(super) fn new(hasher: FixedState) -> Self {
        let numbers = HashTable::new();
        Self { hasher, numbers, keys: vec![Session::Overflow], recent: Recent::default() }
    }

    /// The number of the session that a packet belongs to; it is never `u16::MAX`.
    #[inline]
    pub(super) fn of(&mut self, packet: &Packet<'_>) -> u16 {
        if let Some(number) = self.recent.find(packet) {
            return number;
        }
        let session = Session::of(packet);
        let number = self.number(session);
        self.recent.note(packet, session, number);
        number
    }

    fn number(&mut self, session: Session) -> u16 {
        let Self { hasher, numbers, keys, .. } = self;
        let hash = hash(hasher, &session);
        let is_it = |number: &u16| keys.get(usize::from(*number)) == Some(&session);
        if let Some(number) = numbers.find(hash, is_it) {
            return *number;
        }
        if keys.len() > MAX_SESSIONS {
            return 0;
        }
        let number = keys.len() as u16;
        keys.push(session);
        let of_number =
            |number: &u16| keys.get(usize::from(*number)).map_or(0, |key| self::hash(hasher, key));
        numbers.insert_unique(hash, number, of_number);
        number
    }

    pub(super) fn key(&self, number: u16) -> Session {
        self.keys.get(usize::from(number)).copied().unwrap_or(Session::Overflow)
    }
}

/// As few steps as tell most sessions apart.
#[inline]
fn hash(hasher: &FixedState, session: &Session) -> u64 {
    let mut hasher = hasher.build_hasher();
    match session {
        Session::Mirrored(identity) => {
            hasher.write_u64(identity.endpoint_id.map_or(0, |endpoint| endpoint.0));
            hasher.write_u32(identity.vni);
            match identity.source {
                IpAddr::V4(source) => hasher.write_u32(source.to_bits()),
                IpAddr::V6(source) => hasher.write_u128(source.to_bits()),
            }
        }
        Session::Inline(endpoint) => hasher.write_u64(endpoint.map_or(0, |endpoint| endpoint.0)),
        Session::Bare | Session::Overflow => {}
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::gwlb::EndpointId;

    #[test]
    fn invented_sessions_beyond_the_bound_share_one_number() {
        let mut index = SessionIndex::new(FixedState::default());
        let session = |number: u64| Session::Inline(Some(EndpointId(number)));
        let numbers: Vec<_> =
            (1..=MAX_SESSIONS as u64 + 2).map(|number| index.number(session(number))).collect();
        assert_eq!((numbers[0], numbers[1]), (1, 2));
        assert_eq!(numbers[MAX_SESSIONS - 1..], [u16::MAX - 1, 0, 0]);
        assert_eq!(index.number(session(2)), 2);
        assert_eq!((index.key(2), index.key(0)), (session(2), Session::Overflow));
    }
}
