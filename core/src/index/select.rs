//! Which packets pass a filter, as far as the index can tell; for the rest their octets must be read.
//!
//! The filter is reduced once for each class ([`crate::filter::partial`]); then all rows are looked at, most of which
//! need nothing but their class's answer. What runs over all rows is `inline`, so that it is made where it is called:
//! with the optimisation of that crate, which for a browser is not that of this one.

use crate::filter::{
    Filter,
    partial::{Facts, Rest},
};

use super::{
    Index,
    bits::{Bits, BitsBuilder},
    columns::{Chunk, flag},
};

/// What a filter says of the packets of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The packets that pass.
    pub passed: Bits,
    /// The packets whose octets must be read to know.
    pub open: Bits,
}

/// What is known of a class: no, yes, read the octets, or the rest with this number plus [`FIRST_REST`].
type Verdict = u16;
const NO: Verdict = 0;
const YES: Verdict = 1;
const READ: Verdict = 2;
const FIRST_REST: Verdict = 3;

/// Packets whose bits are put together at a time.
const WORD: usize = 64;

/// Different rests that are told apart: filters leave a handful. Classes with further ones are read.
const MAX_RESTS: usize = 256;

/// Answers of a rest that are remembered, and the bits of their number.
const MEMO_BITS: u32 = 10;
const MEMO_LEN: usize = 1 << MEMO_BITS;

/// What a filter leaves to be asked of the rows of a class, and what it answered: rows mostly share lengths and flags with
/// others, and remembering costs a fraction of asking.
struct Asked<'f> {
    rest: Rest<'f>,
    is_bare: bool,
    memo: Vec<Option<(Facts, Verdict)>>,
}

impl Index {
    /// Judges all packets that are there.
    #[inline]
    pub fn select(&self, filter: &Filter) -> Judged {
        let (verdicts, mut rests) = self.verdicts(filter);
        let (mut passed, mut open) =
            (BitsBuilder::new(self.columns.first()), BitsBuilder::new(self.columns.first()));
        for (_, chunk) in self.columns.chunks() {
            let verdict = |class: u32, row: usize| {
                let verdict = verdicts.get(class as usize).copied().unwrap_or(READ);
                if verdict < FIRST_REST {
                    return verdict;
                }
                let asked = rests.get_mut(usize::from(verdict - FIRST_REST));
                asked.map_or(READ, |asked| asked.ask(chunk, row))
            };
            judge(chunk, verdict, &mut passed, &mut open);
        }
        Judged { passed: self.within(passed), open: self.within(open) }
    }

    /// The packets from one time to another, both included.
    #[inline]
    pub fn select_time(&self, from_ns: i64, to_ns: i64) -> Bits {
        let is_within = |chunk: &Chunk, at: usize| {
            chunk.timestamp_ns.get(at).is_some_and(|time| (from_ns..=to_ns).contains(time))
        };
        self.select_rows(is_within)
    }

    /// The packets with at least one of the bits of [`flag`].
    #[inline]
    pub fn select_flags(&self, bits: u16) -> Bits {
        self.select_rows(|chunk, at| chunk.flags.get(at).is_some_and(|flags| flags & bits != 0))
    }

    /// The packets of the flows that `is_chosen` names; joined flows count as the one that they were joined to.
    pub fn select_flows(&self, is_chosen: impl Fn(u32) -> bool) -> Bits {
        self.select_rows(|chunk, at| chunk.flow(at).is_some_and(&is_chosen))
    }

    #[inline]
    pub(crate) fn select_rows(&self, is_chosen: impl Fn(&Chunk, usize) -> bool) -> Bits {
        let mut bits = BitsBuilder::new(self.columns.first());
        for (_, chunk) in self.columns.chunks() {
            choose(chunk, &is_chosen, &mut bits);
        }
        self.within(bits)
    }

    /// Without what a ring has given up but not yet thrown away.
    fn within(&self, bits: BitsBuilder) -> Bits {
        let bits = bits.finish();
        if self.first() == self.columns.first() { bits } else { bits.and(&self.all()) }
    }

    fn verdicts<'f>(&self, filter: &'f Filter) -> (Vec<Verdict>, Vec<Asked<'f>>) {
        let mut rests: Vec<Asked<'f>> = Vec::new();
        let verdicts = (0..self.classes.len() as u32).map(|class| {
            let Some(head) = self.classes.head(class, &self.sessions) else {
                return if filter.tree().is_none() { YES } else { READ };
            };
            match Rest::of(filter.tree(), &head) {
                Rest::Known(outcomes) => match outcomes.verdict() {
                    Some(true) => YES,
                    Some(false) => NO,
                    None => READ,
                },
                rest => number(&mut rests, rest, self.classes.is_bare(class, &self.sessions)),
            }
        });
        (verdicts.collect(), rests)
    }
}

/// Says of each row of a chunk what `verdict` says of its class and place. Not inline, as `choose`: an engine puts better
/// code in a function's place only when it is called again, and ten million rows in one call would run with the first.
#[inline(never)]
fn judge(
    chunk: &Chunk,
    mut verdict: impl FnMut(u32, usize) -> Verdict,
    passed: &mut BitsBuilder,
    open: &mut BitsBuilder,
) {
    for (group, classes) in chunk.class.chunks(WORD).enumerate() {
        let (mut yes, mut read) = (0, 0);
        for (bit, class) in classes.iter().enumerate() {
            let verdict = verdict(*class, group * WORD + bit);
            yes |= u64::from(verdict == YES) << bit;
            read |= u64::from(verdict == READ) << bit;
        }
        passed.push_word(yes, classes.len());
        open.push_word(read, classes.len());
    }
}

#[inline(never)]
fn choose(chunk: &Chunk, is_chosen: &impl Fn(&Chunk, usize) -> bool, bits: &mut BitsBuilder) {
    for group in (0..chunk.rows()).step_by(WORD) {
        let len = WORD.min(chunk.rows() - group);
        let chosen = (0..len).fold(0, |word, bit| word | u64::from(is_chosen(chunk, group + bit)) << bit);
        bits.push_word(chosen, len);
    }
}

impl Asked<'_> {
    #[inline]
    fn ask(&mut self, chunk: &Chunk, at: usize) -> Verdict {
        let cell = |column: &[u32]| column.get(at).copied().unwrap_or_default();
        let flags = chunk.flags.get(at).copied().unwrap_or_default();
        let record_len = cell(&chunk.original_len);
        let facts = Facts {
            // A filter takes a record without a tunnel for as long as the capture says.
            subject_len: if self.is_bare { record_len } else { cell(&chunk.subject_len) },
            record_len,
            is_truncated: flags & flag::TRUNCATED != 0,
            tcp_flags: chunk.tcp_flags.get(at).copied().filter(|_| flags & flag::TCP_FLAGS != 0),
        };
        let place = memo_place(&facts);
        match self.memo.get(place) {
            Some(Some((known, verdict))) if *known == facts => *verdict,
            _ => self.answer(facts, place),
        }
    }

    #[inline(never)]
    fn answer(&mut self, facts: Facts, place: usize) -> Verdict {
        let verdict = match self.rest.outcomes(&facts).verdict() {
            Some(true) => YES,
            Some(false) => NO,
            None => READ,
        };
        if let Some(memo) = self.memo.get_mut(place) {
            *memo = Some((facts, verdict));
        }
        verdict
    }
}

/// Where the answer for these facts is remembered. Others may share the place: they take turns.
#[inline]
fn memo_place(facts: &Facts) -> usize {
    let flags = u32::from(facts.tcp_flags.unwrap_or_default()) << 1 | u32::from(facts.is_truncated);
    let mixed = facts.subject_len ^ facts.record_len.rotate_left(16) ^ flags << 7;
    (mixed.wrapping_mul(0x9e37_79b1) >> (u32::BITS - MEMO_BITS)) as usize
}

fn number<'f>(rests: &mut Vec<Asked<'f>>, rest: Rest<'f>, is_bare: bool) -> Verdict {
    let is_it = |known: &Asked<'_>| known.is_bare == is_bare && known.rest == rest;
    let place = rests.iter().position(is_it).unwrap_or_else(|| {
        if rests.len() < MAX_RESTS {
            rests.push(Asked { rest, is_bare, memo: vec![None; MEMO_LEN] });
            rests.len() - 1
        } else {
            MAX_RESTS
        }
    });
    if place == MAX_RESTS { READ } else { FIRST_REST + place as Verdict }
}
