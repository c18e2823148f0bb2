//! What a network does to packets on a bad day, on request: loss, duplication, reordering, corruption, truncation.
//!
//! Each fault happens to a stated share of the packets, independently of the others, chosen by a seed: the same
//! seed does the same to the same packets. A lost packet suffers nothing else.

use fastrand::Rng;

/// The share of packets, 0 to 1, to which each fault happens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultShares {
    /// Never arrives.
    pub loss: f64,
    /// Arrives twice.
    pub duplicate: f64,
    /// Arrives one to [`Faults::MAX_DELAY`] packets late.
    pub reorder: f64,
    /// One bit is flipped, behind the octets that are spared.
    pub corrupt: f64,
    /// The end is missing, from a place behind the octets that are spared.
    pub truncate: f64,
}

/// How often each fault happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Packets that never arrived.
    pub lost: u64,
    /// Packets that arrived twice.
    pub duplicated: u64,
    /// Packets that arrived late.
    pub reordered: u64,
    /// Packets with a flipped bit.
    pub corrupted: u64,
    /// Packets that were cut.
    pub truncated: u64,
}

/// A packet on its way through the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passing<'a> {
    /// Its octets.
    pub octets: &'a [u8],
    /// How long it was before a fault cut it.
    pub original_len: usize,
    /// Whatever the caller wants to know again: two numbers travel with each packet.
    pub tags: (u64, u64),
    /// Whether corruption or truncation struck it.
    pub damaged: bool,
}

/// Applies faults to packets.
#[derive(Debug)]
pub struct Faults {
    shares: FaultShares,
    /// Octets at the front that stay as they are: headers that the kernel or the capture needs whole.
    spared_len: usize,
    counts: FaultCounts,
    rng: Rng,
    scratch: Vec<u8>,
    held: Vec<Held>,
}

/// A packet that waits for others to overtake it.
#[derive(Debug, Default)]
struct Held {
    octets: Vec<u8>,
    original_len: usize,
    tags: (u64, u64),
    damaged: bool,
    twice: bool,
    /// Packets that still overtake it; `None` where the slot is free.
    left: Option<u32>,
}

impl Faults {
    /// The most packets that overtake a late one.
    pub const MAX_DELAY: u32 = 4;
    /// As many late packets as can wait at a time.
    const HELD: usize = Self::MAX_DELAY as usize + 1;

    /// Faults by these shares, beginning behind `spared_len` octets of each packet.
    pub fn new(shares: FaultShares, spared_len: usize, seed: u64) -> Self {
        let held = (0..Self::HELD).map(|_| Held::default()).collect();
        let rng = Rng::with_seed(seed);
        Self { shares, spared_len, counts: FaultCounts::default(), rng, scratch: Vec::new(), held }
    }

    /// How often each fault happened so far.
    pub fn counts(&self) -> FaultCounts {
        self.counts
    }

    /// Takes a packet and gives what arrives meanwhile to `emit`, in order.
    ///
    /// # Errors
    /// The first that `emit` returns.
    pub fn pass<E>(
        &mut self,
        octets: &[u8],
        tags: (u64, u64),
        mut emit: impl FnMut(Passing<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.shares == FaultShares::default() {
            return emit(Passing { octets, original_len: octets.len(), tags, damaged: false });
        }
        if self.happens(self.shares.loss) {
            self.counts.lost += 1;
        } else {
            self.arrive(octets, tags, &mut emit)?;
        }
        self.release(&mut emit, false)
    }

    /// Gives the packets that still wait to `emit`.
    ///
    /// # Errors
    /// The first that `emit` returns.
    pub fn finish<E>(&mut self, mut emit: impl FnMut(Passing<'_>) -> Result<(), E>) -> Result<(), E> {
        self.release(&mut emit, true)
    }

    fn arrive<E>(
        &mut self,
        octets: &[u8],
        tags: (u64, u64),
        emit: &mut impl FnMut(Passing<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let damaged = self.damage(octets);
        let twice = self.happens(self.shares.duplicate);
        self.counts.duplicated += u64::from(twice);
        if self.happens(self.shares.reorder) && self.hold(octets.len(), tags, damaged, twice) {
            return Ok(());
        }
        let passing = Passing { octets: &self.scratch, original_len: octets.len(), tags, damaged };
        emit(passing)?;
        if twice { emit(passing) } else { Ok(()) }
    }

    /// Copies the packet to the scratch buffer and damages it there, if it is its turn.
    fn damage(&mut self, octets: &[u8]) -> bool {
        self.scratch.clear();
        self.scratch.extend_from_slice(octets);
        let corrupt = self.happens(self.shares.corrupt) && octets.len() > self.spared_len;
        if corrupt {
            let at = self.rng.usize(self.spared_len..octets.len());
            let bit = self.rng.u32(0..8);
            if let Some(octet) = self.scratch.get_mut(at) {
                *octet ^= 1 << bit;
            }
        }
        let truncate = self.happens(self.shares.truncate) && octets.len() > self.spared_len;
        if truncate {
            let len = self.rng.usize(self.spared_len..octets.len());
            self.scratch.truncate(len);
        }
        self.counts.corrupted += u64::from(corrupt);
        self.counts.truncated += u64::from(truncate);
        corrupt || truncate
    }

    fn hold(&mut self, original_len: usize, tags: (u64, u64), damaged: bool, twice: bool) -> bool {
        let Some(slot) = self.held.iter_mut().find(|held| held.left.is_none()) else { return false };
        core::mem::swap(&mut slot.octets, &mut self.scratch);
        // The packet itself counts as the first that goes by, see `release`.
        slot.left = Some(self.rng.u32(1..=Self::MAX_DELAY) + 1);
        (slot.original_len, slot.tags, slot.damaged, slot.twice) = (original_len, tags, damaged, twice);
        self.counts.reordered += 1;
        true
    }

    fn release<E>(
        &mut self,
        emit: &mut impl FnMut(Passing<'_>) -> Result<(), E>,
        all: bool,
    ) -> Result<(), E> {
        for held in &mut self.held {
            let Some(left) = held.left else { continue };
            held.left = (left > 1 && !all).then(|| left - 1);
            if held.left.is_some() {
                continue;
            }
            let (octets, original_len) = (held.octets.as_slice(), held.original_len);
            let passing = Passing { octets, original_len, tags: held.tags, damaged: held.damaged };
            emit(passing)?;
            if held.twice {
                emit(passing)?;
            }
        }
        Ok(())
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.f64() < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKETS: u64 = 20_000;

    fn run(shares: FaultShares, seed: u64) -> (Vec<u64>, FaultCounts, u64) {
        let mut faults = Faults::new(shares, 10, seed);
        let (mut order, mut damaged) = (Vec::new(), 0);
        let mut emit = |passing: Passing<'_>| {
            assert_eq!(passing.octets[..10], [7; 10], "spared octets stay as they are");
            assert_eq!(passing.original_len, 100);
            order.push(passing.tags.0);
            damaged += u64::from(passing.octets != [7; 100]);
            Ok::<_, ()>(())
        };
        for number in 0..PACKETS {
            faults.pass(&[7; 100], (number, 0), &mut emit).unwrap();
        }
        faults.finish(&mut emit).unwrap();
        (order, faults.counts(), damaged)
    }

    fn is_near(count: u64, share: f64) -> bool {
        (count as f64 - share * PACKETS as f64).abs() < 0.15 * share * PACKETS as f64
    }

    #[test]
    fn each_fault_has_its_share_and_its_effect() {
        let share = 0.1;
        let (order, counts, _) = run(FaultShares { loss: share, ..Default::default() }, 1);
        assert!(is_near(counts.lost, share) && order.len() as u64 == PACKETS - counts.lost);

        let (order, counts, _) = run(FaultShares { duplicate: share, ..Default::default() }, 2);
        assert!(is_near(counts.duplicated, share) && order.len() as u64 == PACKETS + counts.duplicated);

        let (mut order, counts, _) = run(FaultShares { reorder: share, ..Default::default() }, 3);
        let overtaken = order.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(is_near(counts.reordered, share) && overtaken > 1000, "{counts:?} {overtaken}");
        order.sort_unstable();
        assert!(order.into_iter().eq(0..PACKETS), "a late packet is not a lost one");

        let (_, counts, damaged) = run(FaultShares { corrupt: share, ..Default::default() }, 4);
        assert!(is_near(counts.corrupted, share) && damaged == counts.corrupted);

        let (_, counts, damaged) = run(FaultShares { truncate: share, ..Default::default() }, 5);
        assert!(is_near(counts.truncated, share) && damaged == counts.truncated);
    }

    #[test]
    fn the_same_seed_does_the_same() {
        let shares = FaultShares { loss: 0.1, duplicate: 0.1, reorder: 0.3, corrupt: 0.1, truncate: 0.1 };
        assert_eq!(run(shares, 9), run(shares, 9));
        assert_ne!(run(shares, 9).0, run(shares, 10).0);
    }

    #[test]
    fn no_packet_is_more_than_the_stated_delay_late() {
        let (order, ..) = run(FaultShares { reorder: 0.5, ..Default::default() }, 3);
        for (place, number) in order.iter().enumerate() {
            let overtook = order[..place].iter().rev().take(64).filter(|earlier| *earlier > number).count();
            assert!(overtook <= Faults::MAX_DELAY as usize, "{overtook}");
        }
    }
}
