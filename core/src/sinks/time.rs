//! How a packet's time is written: tcpdump's styles and RFC 3339.
//!
//! Captures are in order of time, so the text of the last second is kept and most packets only add their
//! fraction. Local time needs an operating system: the caller says what offset holds at a given second.

use super::line::{Line, pair};

/// What tcpdump's `-t` options choose between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStyle {
    /// `-t`: nothing.
    None,
    /// No option: `08:55:14.941738`.
    TimeOfDay,
    /// `-tt`: seconds since 1970, `1656579314.941738`.
    Epoch,
    /// `-ttt`: since the packet before.
    SincePrevious,
    /// `-tttt`: `2022-06-30 08:55:14.941738`.
    #[default]
    DateTime,
    /// `-ttttt`: since the first packet.
    SinceFirst,
}

impl TimeStyle {
    /// The style of so many `t`: tcpdump's, but that none stands for the date, too.
    pub fn by_count(count: u8) -> Self {
        match count {
            0 | 4 => Self::DateTime,
            1 => Self::None,
            2 => Self::Epoch,
            3 => Self::SincePrevious,
            _ => Self::SinceFirst,
        }
    }
}

/// How many digits a fraction of a second has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Six.
    #[default]
    Micro,
    /// Nine.
    Nano,
}

/// Seconds to add to UTC for local time at the given second since 1970.
pub type OffsetAt = fn(i64) -> i32;

/// Writes times in one style.
#[derive(Clone, Debug)]
pub struct Clock {
    style: TimeStyle,
    precision: Precision,
    offset_at: OffsetAt,
    first_ns: Option<i64>,
    previous_ns: Option<i64>,
    cached_second: Option<i64>,
    cached: Line,
}

const NS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// UTC, whatever the second.
pub fn utc(_: i64) -> i32 {
    0
}

impl Clock {
    /// A clock that shows `offset_at`'s time zone; [`utc`] for UTC.
    pub fn new(style: TimeStyle, precision: Precision, offset_at: OffsetAt) -> Self {
        let cached = Line::default();
        Self { style, precision, offset_at, first_ns: None, previous_ns: None, cached_second: None, cached }
    }

    /// Appends the time and a space, or nothing for [`TimeStyle::None`].
    #[inline]
    pub fn write(&mut self, timestamp_ns: i64, line: &mut Line) {
        match self.style {
            TimeStyle::None => return,
            TimeStyle::SincePrevious => {
                let previous = self.previous_ns.replace(timestamp_ns).unwrap_or(timestamp_ns);
                self.difference(timestamp_ns, previous, line);
            }
            TimeStyle::SinceFirst => {
                let first = *self.first_ns.get_or_insert(timestamp_ns);
                self.difference(timestamp_ns, first, line);
            }
            TimeStyle::Epoch | TimeStyle::TimeOfDay | TimeStyle::DateTime => {
                self.absolute(timestamp_ns, line)
            }
        }
        line.byte(b' ');
    }

    fn absolute(&mut self, timestamp_ns: i64, line: &mut Line) {
        let second = timestamp_ns.div_euclid(NS);
        if self.cached_second != Some(second) {
            self.cached_second = Some(second);
            self.cached.clear();
            let local = second.saturating_add(i64::from((self.offset_at)(second)));
            match self.style {
                TimeStyle::Epoch => self.cached.int(second),
                TimeStyle::DateTime => time_of_day(date(&mut self.cached, local).byte(b' '), local),
                _ => time_of_day(&mut self.cached, local),
            };
        }
        line.raw(self.cached.as_bytes());
        self.fraction(timestamp_ns, line);
    }

    /// As tcpdump writes differences: a sign or a space, and hours that begin again after a day.
    fn difference(&self, later_ns: i64, earlier_ns: i64, line: &mut Line) {
        let difference = later_ns.saturating_sub(earlier_ns);
        let magnitude = difference.saturating_abs();
        time_of_day(line.byte(if difference < 0 { b'-' } else { b' ' }), magnitude / NS);
        self.fraction(magnitude, line);
    }

    #[inline]
    fn fraction(&self, ns: i64, line: &mut Line) {
        let fraction = ns.rem_euclid(NS) as u64;
        match self.precision {
            Precision::Micro => line.byte(b'.').padded(fraction / 1000, 6),
            Precision::Nano => line.byte(b'.').padded(fraction, 9),
        };
    }
}

/// `2022-06-30T08:55:14.941738000Z` (RFC 3339, UTC, nanoseconds).
pub fn rfc3339(line: &mut Line, timestamp_ns: i64) -> &mut Line {
    let second = timestamp_ns.div_euclid(NS);
    time_of_day(date(line, second).byte(b'T'), second);
    line.byte(b'.').padded(timestamp_ns.rem_euclid(NS) as u64, 9).byte(b'Z')
}

/// `08:55:14` of the day in which `second` lies.
fn time_of_day(line: &mut Line, second: i64) -> &mut Line {
    let of_day = second.rem_euclid(DAY) as u64;
    let [[a, b], [c, d], [e, f]] = [of_day / 3600, of_day / 60 % 60, of_day % 60].map(pair);
    line.raw(&[a, b, b':', c, d, b':', e, f])
}

/// `2022-06-30`, the proleptic Gregorian date on which `second` lies.
fn date(line: &mut Line, second: i64) -> &mut Line {
    let (year, month, day) = civil(second.div_euclid(DAY));
    // 64 bits of nanoseconds end in the year 2262.
    let [[a, b], [c, d], [e, f], [g, h]] = [year / 100, year, month, day].map(pair);
    line.raw(&[a, b, c, d, b'-', e, f, b'-', g, h])
}

/// Year, month and day, `days` days after 1970-01-01. Counted in eras of 400 years that begin on 1 March, so
/// that the leap day is the last of its year. Times before year 0 cannot be written in 64 bits of nanoseconds.
pub fn civil(days: i64) -> (u64, u64, u64) {
    const DAYS_TO_1970: i64 = 719_468;
    const ERA: i64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + 400 * era + i64::from(month <= 2);
    (year as u64, month as u64, day as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: TimeStyle, precision: Precision, times: &[i64]) -> String {
        let mut clock = Clock::new(style, precision, utc);
        let mut line = Line::default();
        times.iter().for_each(|ns| clock.write(*ns, &mut line));
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    const SAMPLE: i64 = 1_656_579_314_941_738_123;

    #[test]
    fn each_style_writes_what_tcpdump_writes() {
        use TimeStyle::*;
        let at = |style| written(style, Precision::Micro, &[SAMPLE]);
        assert_eq!(at(None), "");
        assert_eq!(at(TimeOfDay), "08:55:14.941738 ");
        assert_eq!(at(Epoch), "1656579314.941738 ");
        assert_eq!(at(DateTime), "2022-06-30 08:55:14.941738 ");
        assert_eq!(written(DateTime, Precision::Nano, &[SAMPLE]), "2022-06-30 08:55:14.941738123 ");
    }

    #[test]
    fn differences_are_to_the_previous_or_the_first_packet() {
        let times = [0, 1_500_000_000, 1_250_000_000];
        let micro = Precision::Micro;
        assert_eq!(
            written(TimeStyle::SincePrevious, micro, &times),
            " 00:00:00.000000  00:00:01.500000 -00:00:00.250000 "
        );
        assert_eq!(
            written(TimeStyle::SinceFirst, micro, &times),
            " 00:00:00.000000  00:00:01.500000  00:00:01.250000 "
        );
    }

    #[test]
    fn leap_days_century_ends_and_times_before_1970_are_right() {
        let mut line = Line::default();
        for second in [951_782_400, 4_107_542_399, -1] {
            rfc3339(&mut line, second * NS).byte(b' ');
        }
        let expected =
            "2000-02-29T00:00:00.000000000Z 2100-02-28T23:59:59.000000000Z 1969-12-31T23:59:59.000000000Z ";
        assert_eq!(line.as_bytes(), expected.as_bytes());
    }
}
