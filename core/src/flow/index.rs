//! Where a session's tuple leads: from its hash to the slot of its flow.
//!
//! An entry carries 32 bits of the hash beside the slot, so that hardly ever a flow is looked at that is not the one,
//! and none when the table grows.

use hashbrown::HashTable;

/// A slot in the low bits, and above them the session's place among those of the flow.
pub(super) type Entry = u32;

const PLACE_SHIFT: u32 = 30;
const SLOT_MASK: u32 = (1 << PLACE_SHIFT) - 1;
/// Slots that an entry can name.
pub(super) const MAX_SLOTS: usize = 1 << PLACE_SHIFT;
/// Octets of an entry with its control octet, in a table that is 7/16 full and being copied to one of twice the size.
pub(super) const ENTRY_LEN: usize = (size_of::<(u32, Entry)>() + 1) * 16 / 7 * 3 / 2;

#[inline]
pub(super) fn entry(slot: u32, place: usize) -> Entry {
    slot | (place as u32) << PLACE_SHIFT
}

/// The slot and the place that an entry names.
#[inline]
pub(super) fn slot_and_place(entry: Entry) -> (u32, usize) {
    (entry & SLOT_MASK, (entry >> PLACE_SHIFT) as usize)
}

/// Entries by hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    table: HashTable<(u32, Entry)>,
}

impl Index {
    /// The entry under `hash` of which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Entry) -> bool) -> Option<Entry> {
        let tag = tag(hash);
        let found = self.table.find(spread(tag), |(known, entry)| *known == tag && is_it(*entry))?;
        Some(found.1)
    }

    /// Adds an entry, which must not be there.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry) {
        let tag = tag(hash);
        self.table.insert_unique(spread(tag), (tag, entry), |(tag, _)| spread(*tag));
    }

    pub(super) fn remove(&mut self, hash: u64, entry: Entry) {
        if let Ok(found) = self.table.find_entry(spread(tag(hash)), |known| known.1 == entry) {
            found.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }
}

#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The table takes its place from the low bits and compares the high ones.
#[inline]
fn spread(tag: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_its_slot_and_its_place_up_to_the_greatest() {
        for (slot, place) in [(0, 0), (5, 3), (SLOT_MASK, 2)] {
            assert_eq!(slot_and_place(entry(slot, place)), (slot, place));
        }
    }

    #[test]
    fn a_flow_is_looked_at_only_where_the_upper_half_of_the_hash_is_the_same() {
        let mut index = Index::default();
        for slot in 0..100 {
            index.insert(u64::from(slot) << 32 | 7, entry(slot, 0));
        }
        for slot in 0..100u32 {
            let hash = u64::from(slot) << 32;
            let looked_at =
                |other: u32| Some(entry(other, 0)) == index.find(hash, |found| found == entry(other, 0));
            assert!(looked_at(slot));
            assert!(!looked_at((slot + 1) % 100));
        }
    }

    #[test]
    fn of_two_flows_with_one_hash_the_one_that_is_asked_for_is_found() {
        let mut index = Index::default();
        (1..=2).for_each(|slot| index.insert(7 << 32, entry(slot, 0)));
        for slot in 1..=2 {
            assert_eq!(index.find(7 << 32, |found| found == entry(slot, 0)), Some(entry(slot, 0)));
        }
        index.remove(7 << 32, entry(1, 0));
        assert_eq!(index.find(7 << 32, |_| true), Some(entry(2, 0)));
    }

    #[test]
    fn tags_are_spread_over_the_table_and_within_a_group_of_it() {
        // The low bits choose the place, and the seven highest tell the entries of a group apart.
        let spread_of = |tags: [u32; 4]| tags.map(|tag| (spread(tag) & 3, spread(tag) >> 57));
        assert_eq!(spread_of([0, 1, 2, 3]), [(0, 0), (1, 0), (2, 0), (3, 0)]);
        assert_eq!(spread_of([0, 1 << 25, 2 << 25, 127 << 25]), [(0, 0), (0, 1), (0, 2), (0, 127)]);
    }
}
