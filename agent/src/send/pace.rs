//! When each packet is due: at a rate, at the packets' own times, or at once.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How fast packets go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as they can be made.
    Unbound,
    /// So many packets a second.
    Rate(u64),
    /// By their own times, so many times as fast.
    Speed(f64),
}

/// Shorter waits are not worth a sleep: a few packets go early instead.
const SHORTEST_SLEEP: Duration = Duration::from_micros(500);
/// How long an interrupt may go unheard.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

impl Pace {
    /// Nanoseconds from the first packet to packet `number` (from 0), which is by its own time `elapsed_ns`
    /// after the first.
    pub(crate) fn due_ns(self, number: u64, elapsed_ns: i64) -> i64 {
        match self {
            Self::Unbound => elapsed_ns,
            Self::Rate(rate) => {
                let due_ns = u128::from(number) * 1_000_000_000 / u128::from(rate.max(1));
                i64::try_from(due_ns).unwrap_or(i64::MAX)
            }
            Self::Speed(speed) => (elapsed_ns as f64 / speed) as i64,
        }
    }

    /// Waits until `due_ns` after `start`, unless it `is_over` before.
    pub(crate) fn wait(self, start: Instant, due_ns: i64, is_over: impl Fn() -> bool) {
        if self == Self::Unbound {
            return;
        }
        let due = Duration::from_nanos(due_ns.max(0).cast_unsigned());
        loop {
            let left = due.saturating_sub(start.elapsed());
            if left < SHORTEST_SLEEP || is_over() {
                return;
            }
            thread::sleep(left.min(LONGEST_SLEEP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_packets_and_a_speed_divides_time() {
        assert_eq!(Pace::Rate(1_000).due_ns(2_500, 7), 2_500_000_000);
        assert_eq!(Pace::Speed(2.0).due_ns(5, 3_000), 1_500);
        assert_eq!(Pace::Unbound.due_ns(5, 3_000), 3_000);
    }
}
