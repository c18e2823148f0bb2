//! A selection of packets: one bit a packet, with sums in between so that the n-th packet is found at once.

/// Packets of a word.
const WORD: u64 = 64;
/// Words between two sums.
const STRIDE: usize = 64;

/// Some of the packets from `first` on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    first: u64,
    end: u64,
    words: Vec<u64>,
    /// Packets before each stride.
    sums: Vec<u64>,
    count: u64,
}

/// Bits as they are found, in order.
#[derive(Debug)]
pub struct BitsBuilder {
    first: u64,
    end: u64,
    words: Vec<u64>,
}

impl BitsBuilder {
    /// For the packets from `first` on, none of which is selected yet.
    pub fn new(first: u64) -> Self {
        Self { first, end: first, words: Vec::new() }
    }

    /// Says of the next packet whether it is selected.
    #[inline]
    pub fn push(&mut self, selected: bool) {
        let at = self.end - self.first;
        if at.is_multiple_of(WORD) {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(selected) << (at % WORD);
        }
        self.end += 1;
    }

    /// Says of the next `len` packets, 64 at most, which are selected: one bit each, the lowest first.
    #[inline]
    pub(crate) fn push_word(&mut self, word: u64, len: usize) {
        if (self.end - self.first).is_multiple_of(WORD) {
            self.words.push(word);
            self.end += len as u64;
        } else {
            (0..len).for_each(|bit| self.push(word >> bit & 1 == 1));
        }
    }

    /// Selects a packet at or behind all that were told of.
    pub fn insert(&mut self, packet: u64) {
        self.skip_to(packet);
        self.push(true);
    }

    /// Selects none of the packets up to `end`.
    pub fn skip_to(&mut self, end: u64) {
        if end > self.end {
            self.end = end;
            self.words.resize((end - self.first).div_ceil(WORD) as usize, 0);
        }
    }

    /// The selection.
    pub fn finish(self) -> Bits {
        Bits::new(self.first, self.end, self.words)
    }
}

impl Bits {
    fn new(first: u64, end: u64, words: Vec<u64>) -> Self {
        let mut count = 0;
        let mut sums = Vec::with_capacity(words.len().div_ceil(STRIDE));
        for stride in words.chunks(STRIDE) {
            sums.push(count);
            count += stride.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
        }
        Self { first, end, words, sums, count }
    }

    /// All packets from `first` to before `end`.
    pub fn ones(first: u64, end: u64) -> Self {
        let len = end.saturating_sub(first);
        let mut words = vec![u64::MAX; len.div_ceil(WORD) as usize];
        if let Some(last) = words.last_mut()
            && !len.is_multiple_of(WORD)
        {
            *last = (1 << (len % WORD)) - 1;
        }
        Self::new(first, first.max(end), words)
    }

    /// A selection of the same packets, of which none is selected yet.
    pub fn builder(&self) -> BitsBuilder {
        BitsBuilder::new(self.first)
    }

    /// Packets that are selected.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The packet behind the last one that was judged.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether a packet is selected.
    #[inline]
    pub fn contains(&self, packet: u64) -> bool {
        let Some(at) = packet.checked_sub(self.first) else { return false };
        self.words.get((at / WORD) as usize).is_some_and(|word| word >> (at % WORD) & 1 == 1)
    }

    /// The packet that has `nth` selected packets before it.
    pub fn nth(&self, nth: u64) -> Option<u64> {
        if nth >= self.count {
            return None;
        }
        let stride = self.sums.partition_point(|sum| *sum <= nth) - 1;
        let mut left = nth - self.sums.get(stride)?;
        for (at, word) in self.words.iter().enumerate().skip(stride * STRIDE) {
            let ones = u64::from(word.count_ones());
            if left < ones {
                return Some(self.first + at as u64 * WORD + u64::from(nth_one(*word, left)));
            }
            left -= ones;
        }
        None
    }

    /// Selected packets before a packet: the place where it stands, or would stand.
    pub fn rank(&self, packet: u64) -> u64 {
        let at = packet.clamp(self.first, self.end) - self.first;
        let word = (at / WORD) as usize;
        let stride = word / STRIDE;
        let Some(sum) = self.sums.get(stride) else { return self.count };
        let whole = self.words.get(stride * STRIDE..word).unwrap_or_default();
        let whole: u64 = whole.iter().map(|word| u64::from(word.count_ones())).sum();
        let part = self.words.get(word).map_or(0, |word| word & ((1 << (at % WORD)) - 1));
        sum + whole + u64::from(part.count_ones())
    }

    /// The selected packets from `from` on, in order.
    pub fn iter_from(&self, from: u64) -> impl Iterator<Item = u64> + '_ {
        let at = from.saturating_sub(self.first);
        let start = (at / WORD) as usize;
        let words = self.words.iter().copied().enumerate().skip(start);
        words.flat_map(move |(place, word)| {
            let word = if place == start { word & (u64::MAX << (at % WORD)) } else { word };
            let base = self.first + place as u64 * WORD;
            ones(word).map(move |bit| base + bit)
        })
    }

    /// The selected packets, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.iter_from(self.first)
    }

    /// The packets that are in both.
    pub fn and(&self, other: &Self) -> Self {
        let mut both = BitsBuilder::new(self.first.max(other.first));
        both.skip_to(self.end.min(other.end));
        for (place, word) in both.words.iter_mut().enumerate() {
            let packet = both.first + place as u64 * WORD;
            *word = self.word_at(packet) & other.word_at(packet);
        }
        let Some(last) = both.words.last_mut() else { return both.finish() };
        let used = (both.end - both.first) % WORD;
        if used != 0 {
            *last &= (1 << used) - 1;
        }
        both.finish()
    }

    /// The packets that are in at least one of two selections of the same packets.
    pub fn or(mut self, other: &Self) -> Self {
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
        Self::new(self.first, self.end, self.words)
    }

    /// 64 bits from a packet on.
    fn word_at(&self, packet: u64) -> u64 {
        let at = packet - self.first;
        let (word, shift) = ((at / WORD) as usize, at % WORD);
        let low = self.words.get(word).map_or(0, |word| word >> shift);
        let high = self.words.get(word + 1).filter(|_| shift > 0).map_or(0, |word| word << (WORD - shift));
        low | high
    }
}

/// The place of the one that has `nth` ones below it.
fn nth_one(mut word: u64, nth: u64) -> u32 {
    for _ in 0..nth {
        word &= word - 1;
    }
    word.trailing_zeros()
}

fn ones(mut word: u64) -> impl Iterator<Item = u64> {
    core::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(u64::from(bit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(first: u64, list: &[bool]) -> Bits {
        let mut builder = BitsBuilder::new(first);
        list.iter().for_each(|selected| builder.push(*selected));
        builder.finish()
    }

    proptest! {
        #[test]
        fn the_nth_packet_and_its_rank_are_those_of_a_list(
            first in 0u64..200,
            list in proptest::collection::vec(any::<bool>(), 0..9_000),
        ) {
            let bits = bits(first, &list);
            let chosen: Vec<u64> =
                list.iter().zip(first..).filter(|(selected, _)| **selected).map(|(_, packet)| packet).collect();
            prop_assert_eq!(bits.count(), chosen.len() as u64);
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), chosen.clone());
            for (nth, packet) in chosen.iter().enumerate() {
                prop_assert_eq!(bits.nth(nth as u64), Some(*packet));
                prop_assert_eq!(bits.rank(*packet), nth as u64);
                prop_assert!(bits.contains(*packet));
            }
            prop_assert_eq!(bits.nth(chosen.len() as u64), None);
            prop_assert_eq!(bits.rank(u64::MAX), chosen.len() as u64);
        }

        #[test]
        fn both_are_the_packets_in_both_wherever_they_begin(
            (a, b) in (0u64..130, 0u64..130),
            (one, two) in (proptest::collection::vec(any::<bool>(), 0..300), proptest::collection::vec(any::<bool>(), 0..300)),
        ) {
            let (one, two) = (bits(a, &one), bits(b, &two));
            let both: Vec<u64> = one.iter().filter(|packet| two.contains(*packet)).collect();
            prop_assert_eq!(one.and(&two).iter().collect::<Vec<_>>(), both);
        }
    }

    #[test]
    fn all_packets_are_those_up_to_the_end() {
        for len in [0, 1, 63, 64, 65, 5_000] {
            assert_eq!(Bits::ones(7, 7 + len).iter().collect::<Vec<_>>(), (7..7 + len).collect::<Vec<_>>());
        }
        assert_eq!(Bits::ones(0, 10).iter_from(8).collect::<Vec<_>>(), [8, 9]);
    }
}
