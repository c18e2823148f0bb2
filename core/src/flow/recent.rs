//! A small table that remembers what was seen a moment ago and forgets the rest: its size never changes.
//!
//! Four entries share a bucket; a new entry replaces an empty one or the oldest of its bucket. Look-up and insertion
//! touch one bucket, whatever the traffic. Who fills it with rubbish makes it forget sooner and nothing else.

const WAYS: usize = 4;

/// Entries by 64-bit fingerprint, each with the time when it was last of use.
#[derive(Clone, Debug)]
pub(crate) struct Recent<V> {
    buckets: Box<[Bucket<V>]>,
    window_ns: u64,
}

/// Entries that share two neighbouring cache lines.
#[derive(Clone, Debug)]
#[repr(align(128))]
struct Bucket<V>([Entry<V>; WAYS]);

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    /// 0 for an empty entry.
    fingerprint: u64,
    timestamp_ns: i64,
    value: V,
}

impl<V: Copy + Default> Recent<V> {
    /// Room for at least `capacity` entries, each of which is good for `window_ns`.
    pub(crate) fn new(capacity: usize, window_ns: u64) -> Self {
        let len = capacity.div_ceil(WAYS).next_power_of_two();
        let empty = Entry { fingerprint: 0, timestamp_ns: i64::MIN, value: V::default() };
        Self { buckets: vec![Bucket([empty; WAYS]); len].into(), window_ns }
    }

    /// The value under `fingerprint`, if it is there and no further away in time than the window.
    #[inline]
    pub(crate) fn find(&mut self, fingerprint: u64, now_ns: i64) -> Option<&mut V> {
        let window_ns = self.window_ns;
        let fingerprint = fingerprint.max(1);
        let entry = self.bucket(fingerprint).iter_mut().find(|entry| entry.fingerprint == fingerprint)?;
        (entry.timestamp_ns.abs_diff(now_ns) <= window_ns).then_some(&mut entry.value)
    }

    /// Puts `value` under `fingerprint` in place of what was there, or of the oldest entry of the bucket.
    #[inline]
    pub(crate) fn insert(&mut self, fingerprint: u64, now_ns: i64, value: V) {
        let fingerprint = fingerprint.max(1);
        let bucket = self.bucket(fingerprint);
        let known = bucket.iter().position(|entry| entry.fingerprint == fingerprint);
        let oldest = || (0..bucket.len()).min_by_key(|at| bucket[*at].timestamp_ns);
        if let Some(entry) = known.or_else(oldest).and_then(|at| bucket.get_mut(at)) {
            *entry = Entry { fingerprint, timestamp_ns: now_ns, value };
        }
    }

    #[inline]
    fn bucket(&mut self, fingerprint: u64) -> &mut [Entry<V>] {
        // The length is a power of two.
        let at = fingerprint as usize & (self.buckets.len() - 1);
        &mut self.buckets[at].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut recent = Recent::new(16, 100);
        recent.insert(7, 1_000, 'a');
        assert_eq!(recent.find(7, 1_100).copied(), Some('a'));
        assert_eq!(recent.find(7, 1_101), None);
        assert_eq!(recent.find(7, 899), None);
        assert_eq!(recent.find(8, 1_000), None);
    }

    #[test]
    fn a_full_bucket_forgets_its_oldest_entry() {
        let mut recent = Recent::new(4, 1_000);
        for i in 1..=5 {
            recent.insert(i * 4, i as i64, i);
        }
        assert_eq!(recent.find(4, 5), None);
        assert!((2..=5).all(|i| recent.find(i * 4, 5) == Some(&mut { i })));
    }

    #[test]
    fn the_fingerprint_zero_is_not_an_empty_entry() {
        let mut recent = Recent::<u8>::new(4, u64::MAX);
        assert_eq!(recent.find(0, 0), None);
        recent.insert(0, 0, 9);
        assert_eq!(recent.find(0, 0), Some(&mut 9));
    }
}
