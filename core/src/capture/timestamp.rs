//! What a capture's ticks are in nanoseconds: the resolution of an interface (`if_tsresol`,
//! [draft-ietf-opsawg-pcapng](https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/) section 4.2).

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// How long one tick of an interface's timestamps is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    if_tsresol: u8,
    scale: Scale,
}

/// The arithmetic of a resolution, chosen once and not per packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Multiply(u64),
    /// By zero means that a tick is too short to be seen in 64 bits of ticks.
    Divide(u64),
    /// The exponent of the power of two that makes a second.
    Binary(u32),
}

impl Resolution {
    /// One tick is a microsecond: pcapng's default, and pcap's usual magic.
    pub const MICROSECONDS: Self = Self { if_tsresol: 6, scale: Scale::Multiply(1000) };
    /// One tick is a nanosecond.
    pub const NANOSECONDS: Self = Self { if_tsresol: 9, scale: Scale::Multiply(1) };

    /// Reads the value of the option `if_tsresol`: a negative power of 10, or of 2 where the high bit is set.
    #[must_use]
    pub fn from_if_tsresol(if_tsresol: u8) -> Self {
        let exponent = u32::from(if_tsresol & 0x7f);
        let scale = if if_tsresol & 0x80 != 0 {
            Scale::Binary(exponent)
        } else if exponent <= 9 {
            Scale::Multiply(10_u64.pow(9 - exponent))
        } else {
            Scale::Divide(10_u64.checked_pow(exponent - 9).unwrap_or(0))
        };
        Self { if_tsresol, scale }
    }

    /// The value of the option `if_tsresol`.
    #[must_use]
    pub fn if_tsresol(self) -> u8 {
        self.if_tsresol
    }

    /// Nanoseconds in `ticks`, rounded down; what does not fit saturates.
    #[inline]
    #[must_use]
    pub fn nanoseconds(self, ticks: u64) -> i64 {
        i64::try_from(self.wide_nanoseconds(ticks)).unwrap_or(i64::MAX)
    }

    /// Nanoseconds in `ticks` and `offset_s` seconds, rounded down. Only the sum saturates: ticks may be counted from
    /// the year 1601, and do not fit themselves.
    #[must_use]
    pub fn nanoseconds_from(self, ticks: u64, offset_s: i64) -> i64 {
        let offset = i128::from(offset_s) * i128::from(NANOSECONDS_PER_SECOND);
        let sum =
            i128::try_from(self.wide_nanoseconds(ticks)).map_or(i128::MAX, |ns| ns.saturating_add(offset));
        i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
    }

    #[inline]
    fn wide_nanoseconds(self, ticks: u64) -> u128 {
        match self.scale {
            Scale::Multiply(factor) => u128::from(ticks) * u128::from(factor),
            Scale::Divide(divisor) => ticks.checked_div(divisor).unwrap_or(0).into(),
            Scale::Binary(exponent) => (u128::from(ticks) * u128::from(NANOSECONDS_PER_SECOND)) >> exponent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_resolutions_scale_up_and_down_around_the_nanosecond() {
        assert_eq!(Resolution::from_if_tsresol(0).nanoseconds(7), 7_000_000_000);
        assert_eq!(Resolution::from_if_tsresol(6), Resolution::MICROSECONDS);
        assert_eq!(Resolution::from_if_tsresol(9), Resolution::NANOSECONDS);
        assert_eq!(Resolution::from_if_tsresol(12).nanoseconds(1_999), 1);
    }

    #[test]
    fn binary_resolutions_are_exact_before_rounding_down() {
        assert_eq!(Resolution::from_if_tsresol(0x80).nanoseconds(3), 3_000_000_000);
        assert_eq!(Resolution::from_if_tsresol(0x80 | 10).nanoseconds(512), 500_000_000);
        assert_eq!(Resolution::from_if_tsresol(0x80 | 32).nanoseconds(1), 0);
        assert_eq!(Resolution::from_if_tsresol(0x80 | 32).nanoseconds((5 << 32) | (1 << 31)), 5_500_000_000);
    }

    #[test]
    fn an_offset_is_added_before_anything_saturates() {
        // Windows counts tenths of microseconds since 1601.
        let filetime = Resolution::from_if_tsresol(7);
        let (ticks, offset_s) = (133_010_548_690_000_000, -11_644_473_600);
        assert_eq!(filetime.nanoseconds_from(ticks, offset_s), 1_656_581_269_000_000_000);
        assert_eq!(Resolution::NANOSECONDS.nanoseconds_from(u64::MAX, i64::MAX), i64::MAX);
        assert_eq!(Resolution::NANOSECONDS.nanoseconds_from(0, i64::MIN), i64::MIN);
    }

    #[test]
    fn no_resolution_overflows() {
        for if_tsresol in 0..=u8::MAX {
            let resolution = Resolution::from_if_tsresol(if_tsresol);
            for ticks in [0, 1, u64::MAX / 2, u64::MAX] {
                assert!(resolution.nanoseconds(ticks) >= 0, "{if_tsresol:#x} {ticks}");
            }
        }
    }
}
