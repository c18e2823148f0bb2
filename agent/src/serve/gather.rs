//! When to let datagrams gather in the socket's buffer, rather than to wake up for a few at a time.
//!
//! Falling asleep and being woken takes a thread about as long as a packet does. What is mirrored comes at hundreds of
//! thousands of packets a second, and a thread that waits in the kernel was woken for each third of them. So, where
//! more would come soon, the thread pauses as a network card's interrupts do: `cargo xtask bench receive` counts the
//! sleeps, and shows what they cost. Times are the kernel's, so a pause does not change them.

use std::time::Duration;

/// How long datagrams gather. The kernel's timers may make it twice as long.
const PAUSE: Duration = Duration::from_micros(100);
/// A call that brought so many was worth it: then there may be more already.
const MANY: usize = 32;
/// A pause is worth it where it saves waking up for so many datagrams.
const WORTHWHILE: u32 = 4;

/// What the last turn of a loop tells about the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gather {
    is_worthwhile: bool,
}

impl Gather {
    /// A turn took so long, waiting included, and brought so many datagrams.
    pub(crate) fn turned(&mut self, received: usize, took: Duration) {
        let is_fast = PAUSE * received as u32 >= took * WORTHWHILE;
        self.is_worthwhile = (1..MANY).contains(&received) && is_fast;
    }

    /// How long to let datagrams gather before the next turn.
    pub(crate) fn pause(self) -> Option<Duration> {
        self.is_worthwhile.then_some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(received: usize, took_us: u64) -> bool {
        let mut gather = Gather::default();
        gather.turned(received, Duration::from_micros(took_us));
        gather.pause().is_some()
    }

    #[test]
    fn datagrams_gather_while_they_come_fast_and_few_at_a_time() {
        assert!(pauses(1, 25), "40,000 a second");
        assert!(pauses(30, 100), "300,000 a second");
        assert!(!pauses(1, 26), "a pause would gather less than four");
        assert!(!pauses(1, 100_000), "a packet now and then is taken at once");
        assert!(!pauses(32, 30), "a call that brought many is followed by the next");
        assert!(!pauses(0, 0), "nothing came");
        assert!(Gather::default().pause().is_none(), "the first datagram is taken at once");
    }
}
