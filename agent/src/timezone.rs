//! Local time, which only the operating system knows: the variable `TZ` or the machine's setting.

use std::sync::OnceLock;

use jiff::{Timestamp, tz::TimeZone};

/// Seconds that local time is ahead of UTC at `second` since 1970.
pub(crate) fn local_offset(second: i64) -> i32 {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let zone = ZONE.get_or_init(TimeZone::system);
    Timestamp::from_second(second).map_or(0, |timestamp| zone.to_offset(timestamp).seconds())
}
