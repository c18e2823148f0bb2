//! The first sequence numbers of TCP conversations, to which later ones are shown relative.
//!
//! As in tcpdump, both directions share an entry, which begins with the first packet that has ACK set and begins
//! anew with SYN. Unlike tcpdump's, the table is bounded: conversations fill a young generation; when it is full it
//! becomes the old one, and what was old and unused is forgotten. Hash seeds differ from process to process.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Conversations of one address family in one generation; at most twice as many are remembered.
const MAX_YOUNG: usize = 57_344;

/// Addresses and ports of one family, in tcpdump's collating order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key<A> {
    pub(super) low: A,
    pub(super) high: A,
    pub(super) low_port: u16,
    pub(super) high_port: u16,
}

/// Where the sequence numbers of both directions began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// Of the direction from `low` to `high`.
    pub(super) seq: u32,
    /// Of the other direction.
    pub(super) ack: u32,
}

/// What is remembered of both address families.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequences {
    pub(super) v4: Table<[u8; 4]>,
    pub(super) v6: Table<[u8; 16]>,
}

/// Two generations of conversations.
#[derive(Clone, Debug)]
pub(super) struct Table<A> {
    young: HashMap<Key<A>, Base, RandomState>,
    old: HashMap<Key<A>, Base, RandomState>,
}

impl<A> Default for Table<A> {
    fn default() -> Self {
        Self { young: HashMap::default(), old: HashMap::default() }
    }
}

impl<A: Copy + Eq + core::hash::Hash> Table<A> {
    /// The base of a conversation and whether it was known; `fresh` is what to remember where it was not, or
    /// where `restart` says that it begins anew.
    pub(super) fn base(&mut self, key: Key<A>, fresh: Base, restart: bool) -> (Base, bool) {
        if let Some(base) = self.young.get_mut(&key) {
            if restart {
                *base = fresh;
            }
            return (*base, !restart);
        }
        let known = self.old.remove(&key).filter(|_| !restart);
        let base = known.unwrap_or(fresh);
        if self.young.len() == MAX_YOUNG {
            core::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, base);
        (base, known.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> Key<[u8; 4]> {
        Key { low: n.to_be_bytes(), high: [0; 4], low_port: 1, high_port: 2 }
    }

    #[test]
    fn a_flood_of_conversations_neither_grows_the_table_nor_forgets_one_in_use() {
        let mut table = Table::default();
        let first = Base { seq: 7, ack: 9 };
        table.base(key(0), first, false);
        for n in 1..4 * MAX_YOUNG as u32 {
            table.base(key(n), Base { seq: n, ack: n }, false);
            if n % 1000 == 0 {
                assert_eq!(table.base(key(0), Base { seq: 0, ack: 0 }, false), (first, true));
            }
        }
        assert!(table.young.len() <= MAX_YOUNG && table.old.len() <= MAX_YOUNG);
        assert_eq!(table.base(key(1), first, false), (first, false));
    }
}
