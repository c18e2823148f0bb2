//! Packets and octets over time, by session.

use crate::order;

use super::{Index, bits::Bits, columns::Chunk};

/// Bins of a timeline at most.
pub const MAX_TIMELINE_BINS: usize = 10_000;
/// Sessions that have a line of their own: the busiest. The others share one.
pub const MAX_TIMELINE_SESSIONS: usize = 32;
/// The session number of the line of all other sessions.
pub const OTHER_SESSIONS: u32 = u32::MAX;

/// Packets in bins of equal length. Each line has one number for each bin, line after line.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// Where the first bin begins, nanoseconds since 1970.
    pub start_ns: i64,
    /// The last nanosecond of the last bin.
    pub end_ns: i64,
    /// Bins of each line.
    pub bins: usize,
    /// Session numbers of the lines, the busiest session first.
    pub sessions: Vec<u32>,
    /// Packets.
    pub packets: Vec<u32>,
    /// Octets on the wire of the mirrored frames.
    pub bytes: Vec<f64>,
}

impl Index {
    /// The times of the earliest and the latest packet; `None` where there is none.
    #[inline]
    pub fn span(&self, selected: Option<&Bits>) -> Option<(i64, i64)> {
        let mut span: Option<(i64, i64)> = None;
        self.each(selected, |chunk, at| {
            let Some(time) = chunk.timestamp_ns.get(at).copied() else { return };
            span = Some(span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        });
        span
    }

    /// Packets over time; between these times, or from the first to the last one that is selected.
    #[inline]
    pub fn timeline(&self, bins: usize, range_ns: Option<(i64, i64)>, selected: Option<&Bits>) -> Timeline {
        let bins = bins.clamp(1, MAX_TIMELINE_BINS);
        let (start_ns, end_ns) = range_ns.or_else(|| self.span(selected)).unwrap_or_default();
        let end_ns = end_ns.max(start_ns);
        let sessions = self.busiest_sessions();
        let mut lines = vec![sessions.len() - 1; self.sessions.in_order_seen().len()];
        for (line, session) in sessions.iter().enumerate() {
            if let Some(place) = lines.get_mut(*session as usize) {
                *place = line;
            }
        }
        let mut timeline = Timeline {
            start_ns,
            end_ns,
            bins,
            packets: vec![0; bins * sessions.len()],
            bytes: vec![0.0; bins * sessions.len()],
            sessions,
        };
        // One more than the difference, so that the last nanosecond falls into the last bin.
        let per_ns = bins as f64 / (end_ns.abs_diff(start_ns) as f64 + 1.0);
        self.each(selected, |chunk, at| timeline.count(chunk, at, &lines, per_ns));
        timeline
    }

    fn busiest_sessions(&self) -> Vec<u32> {
        let rows = self.sessions.in_order_seen();
        let mut sessions: Vec<u32> = (0..rows.len() as u32).collect();
        order::sort_by_key(&mut sessions, |session| core::cmp::Reverse(rows[*session as usize].1.packets));
        if sessions.len() > MAX_TIMELINE_SESSIONS {
            sessions.truncate(MAX_TIMELINE_SESSIONS);
            sessions.push(OTHER_SESSIONS);
        }
        if sessions.is_empty() { vec![OTHER_SESSIONS] } else { sessions }
    }

    /// Calls `visit` with every packet that is there and selected.
    #[inline]
    pub(crate) fn each(&self, selected: Option<&Bits>, mut visit: impl FnMut(&Chunk, usize)) {
        let first_kept = self.first();
        for (first, chunk) in self.columns.chunks() {
            let begin = first_kept.saturating_sub(first) as usize;
            match selected {
                None => (begin..chunk.rows()).for_each(|at| visit(chunk, at)),
                Some(bits) => {
                    let end = first + chunk.rows() as u64;
                    let from = first + begin as u64;
                    let packets = bits.iter_from(from).take_while(|packet| *packet < end);
                    packets.for_each(|packet| visit(chunk, (packet - first) as usize));
                }
            }
        }
    }
}

impl Timeline {
    #[inline]
    fn count(&mut self, chunk: &Chunk, at: usize, lines: &[usize], per_ns: f64) {
        let Some(time) = chunk.timestamp_ns.get(at).copied() else { return };
        if !(self.start_ns..=self.end_ns).contains(&time) {
            return;
        }
        let bin = (time.abs_diff(self.start_ns) as f64 * per_ns) as usize;
        let session = chunk.session.get(at).copied().unwrap_or_default();
        let line = lines.get(session as usize).copied().unwrap_or_default();
        let cell = line * self.bins + bin.min(self.bins - 1);
        if let (Some(packets), Some(bytes)) = (self.packets.get_mut(cell), self.bytes.get_mut(cell)) {
            *packets += 1;
            *bytes += f64::from(chunk.subject_len.get(at).copied().unwrap_or_default());
        }
    }
}
