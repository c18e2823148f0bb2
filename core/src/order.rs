//! Sorting of large rows: their positions are sorted, and each row moves once.
//!
//! The standard sort is instantiated for every type and comparison, some kilobytes each, which a browser downloads.
//! This one is the same code for all.

use core::{cmp::Ordering, mem};

/// Sorts `rows`; equal ones keep their order.
pub fn sort_by<T>(rows: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut order = positions(rows.len(), &mut |a, b| compare(&rows[a], &rows[b]));
    arrange(&mut order, &mut |a, b| rows.swap(a, b));
}

/// Sorts `rows` by what `key` says of each.
pub fn sort_by_key<T, K: Ord>(rows: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(rows, |a, b| key(a).cmp(&key(b)));
}

/// For each place of the sorted rows, where that row is now.
#[inline(never)]
fn positions(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<_> = (0..len).collect();
    order.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
    order
}

/// Brings rows into `order`, one cycle of the permutation after the other.
#[inline(never)]
fn arrange(order: &mut [usize], swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        let mut at = start;
        loop {
            let from = mem::replace(&mut order[at], at);
            if from == start {
                break;
            }
            swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_as_the_standard_library_sorts_them() {
        let mut rows: Vec<(u32, u32)> =
            (0..1000_u32).map(|n| (n.wrapping_mul(2_654_435_761) % 97, n)).collect();
        let mut expected = rows.clone();
        expected.sort_by_key(|row| row.0);
        sort_by_key(&mut rows, |row| row.0);
        assert_eq!(rows, expected);
    }

    #[test]
    fn nothing_and_one_row_are_sorted_already() {
        let (mut nothing, mut one) = ([0_u8; 0], [1]);
        sort_by_key(&mut nothing, |row| *row);
        sort_by_key(&mut one, |row| *row);
        assert_eq!(one, [1]);
    }
}
