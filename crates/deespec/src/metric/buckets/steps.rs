//! The steps in which a histogram keeps its sum. A sum of whole numbers is exact in any order, and
//! one atomic add is enough to keep it; a sum of floating-point numbers is neither.

use super::{Buckets, refuse};
use crate::metric::MetricError;

/// Most steps that one observation adds to a sum, whatever it is: a quarter of what 64 bits tell
/// apart.
pub(super) const STEPS_MAX: f64 = (1_u64 << 62) as f64;

/// Steps of a wide sum to one.
const BILLION: f64 = 1e9;

impl Buckets {
    /// These buckets with another step of the sum, in the unit of the observations.
    ///
    /// Up to 1 the step is taken as the fraction 1/n, where n is a whole number if the reciprocal
    /// is within a billionth part of one: 1e-9, which no floating-point number is exactly, means a
    /// billion steps to one.
    ///
    /// # Errors
    ///
    /// A resolution that is not positive, or so small or large that its reciprocal or a full sum is
    /// no normal number, or so small that the largest bound is more than 2^62 of it.
    ///
    /// ```
    /// let money = deespec::Buckets::native(3, 1.0, 1e6)?.with_resolution(0.01)?;
    /// assert_eq!(money.resolution(), 0.01);
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    pub fn with_resolution(self, resolution: f64) -> Result<Self, MetricError> {
        let reciprocal = 1.0 / resolution;
        let whole = reciprocal.round();
        let near = resolution <= 1.0 && (reciprocal - whole).abs() <= 1e-9 * whole;
        let largest = self.largest();
        if largest / resolution > STEPS_MAX {
            return refuse(format!(
                "the resolution {resolution:?} is too fine for values of up to {largest:?}"
            ));
        }
        self.with_steps_per_one(if near { whole } else { reciprocal })
            .or_else(|_| refuse(format!("the resolution {resolution:?} cannot be used")))
    }

    pub(super) fn with_steps_per_one(mut self, steps_per_one: f64) -> Result<Self, MetricError> {
        let full = i64::MAX as f64 / steps_per_one;
        if !steps_per_one.is_normal() || steps_per_one < 0.0 || !full.is_finite() {
            return refuse(format!("{steps_per_one:?} steps per one cannot be used"));
        }
        self.steps_per_one = steps_per_one;
        Ok(self)
    }

    /// These buckets beside a wide sum, which is in billionths whatever their bounds are.
    pub(crate) fn in_billionths(mut self) -> Self {
        self.steps_per_one = BILLION;
        self
    }

    /// Whether a wide sum may stand beside them.
    pub(crate) fn are_in_billionths(&self) -> bool {
        self.steps_per_one == BILLION
    }

    /// The step in which the sum is kept, in the unit of the observations.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        1.0 / self.steps_per_one
    }

    /// What this value adds to the sum: the nearest whole number of steps, at most 2^62 of them in
    /// either direction, and 0 for NaN.
    #[inline]
    pub(crate) fn to_steps(&self, value: f64) -> i64 {
        let steps = (value * self.steps_per_one).clamp(-STEPS_MAX, STEPS_MAX);
        // Adding a half and cutting the fraction off rounds to the nearest, without the call into
        // the C library that `round` is on older processors. The half must be the number below
        // 0.5, or else 0.49999999999999994 would become 1.
        (steps + 0.5_f64.next_down().copysign(steps)) as i64
    }

    /// How many steps of the sum a value is, in either direction; `None` where it is no number, or more than the 2^62
    /// steps that one observation adds at most.
    ///
    /// ```
    /// let money = deespec::Buckets::native(3, 1.0, 1e6)?.with_resolution(0.01)?;
    /// assert_eq!(money.steps(-1.5), Some(150));
    /// assert_eq!(money.steps(1e17), None);
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    #[must_use]
    pub fn steps(&self, value: f64) -> Option<u64> {
        let fits = (value * self.steps_per_one).abs() <= STEPS_MAX;
        fits.then(|| self.to_steps(value).unsigned_abs())
    }

    /// The sum that so many steps are.
    #[expect(clippy::wrong_self_convention, reason = "the steps are not a Self")]
    pub(crate) fn from_steps(&self, steps: i64) -> f64 {
        self.of_steps(steps as f64)
    }

    /// As [`Buckets::from_steps`], also of more than 64 bits tell apart.
    pub(crate) fn of_steps(&self, steps: f64) -> f64 {
        steps / self.steps_per_one
    }

    /// How many steps two sums are apart, modulo 2^64: one as a number, one in steps.
    pub(crate) fn steps_apart(&self, sum: f64, steps: i64) -> Option<u128> {
        let apart = (self.nearest_steps(sum)? - i128::from(steps)).rem_euclid(1 << 64);
        Some(apart.min((1 << 64) - apart).unsigned_abs())
    }

    /// The whole number of steps that is nearest to a sum; `None` where that is none.
    pub(crate) fn nearest_steps(&self, sum: f64) -> Option<i128> {
        let steps = (sum * self.steps_per_one).round();
        // The largest that is a whole number in 128 bits, and more than any count can sum up to.
        (steps.abs() < 1e38).then_some(steps as i128)
    }
}

/// The largest bound up to which a millionth of one suits: a sum then has room for 9.2e12, which is
/// ninety million such values.
const SMALL: f64 = 1e5;

/// The steps per one that suit values between these magnitudes.
pub(super) fn steps_for(smallest: f64, largest: f64) -> f64 {
    if smallest >= 1.0 {
        // Bounds of 1, 5 and 10 may well be seconds, of which a half must count; those of a million
        // are bytes.
        return if largest <= SMALL { 1e6 } else { 1.0 };
    }
    fine_steps_for(smallest).min(power_of_ten(STEPS_MAX / largest).max(COARSEST))
}

/// With fewer steps per one than this a full sum would be no number.
const COARSEST: f64 = 1e-288;

/// The power of ten at or below this.
fn power_of_ten(value: f64) -> f64 {
    let exponent = decimal_exponent(value);
    format!("1e{exponent}").parse().unwrap_or(1.0)
}

/// The decimal exponent as it is printed: the same everywhere, which a logarithm is not.
fn decimal_exponent(value: f64) -> i32 {
    let printed = format!("{value:e}");
    let exponent = printed.split_once('e').and_then(|(_, e)| e.parse().ok());
    exponent.unwrap_or(0)
}

/// The steps per one that suit values below 1 and down to this.
fn fine_steps_for(smallest: f64) -> f64 {
    if smallest >= 1e-6 {
        return 1e9;
    }
    let exponent = decimal_exponent(smallest);
    // 1e308 is the largest power of ten that is a number.
    format!("1e{}", (3 - exponent).min(308))
        .parse()
        .unwrap_or(1e9)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_bounds_leave_room_for_fractions_and_large_ones_for_large_sums() {
        let classic = |bounds: &[f64]| Buckets::classic(bounds.iter().copied()).unwrap();
        assert_eq!(classic(&[1.0, 5.0, 10.0]).resolution(), 1e-6);
        assert_eq!(classic(&[1.0, 1e5]).resolution(), 1e-6);
        assert_eq!(classic(&[1024.0, 1048576.0]).resolution(), 1.0);
        assert_eq!(Buckets::native(0, 1.0, 64.0).unwrap().resolution(), 1e-6);
    }

    #[test]
    fn the_resolution_follows_the_smallest_magnitude() {
        let native = |smallest: f64| {
            let largest = if smallest < 1.0 { 1.0 } else { 1e9 };
            Buckets::native(0, smallest, largest).unwrap().resolution()
        };
        for (smallest, resolution) in [
            (1.0, 1.0),
            (64.0, 1.0),
            (0.999, 1e-9),
            (1e-6, 1e-9),
            (5e-7, 1e-10),
            (1e-7, 1e-10),
            (1e-9, 1e-12),
            (9.9e-10, 1e-13),
        ] {
            assert_eq!(native(smallest), resolution, "{smallest}");
        }
        assert_eq!(native(f64::MIN_POSITIVE), 1e-18, "so fine that 1 has room");
        let wide = Buckets::native(0, 1e-9, 1e9).unwrap();
        assert_eq!(wide.resolution(), 1e-9);
        assert!(wide.with_resolution(1e-12).is_err());
        let classic = |bounds: &[f64]| {
            Buckets::classic(bounds.iter().copied())
                .unwrap()
                .resolution()
        };
        assert_eq!(classic(&[-8.0, 0.0, 2.0]), 1e-6);
        assert_eq!(classic(&[-0.5, 0.0, 2.0]), 1e-9);
        assert_eq!(classic(&[0.0]), 1e-6);
        let chosen = |resolution| Buckets::seconds().with_resolution(resolution).unwrap();
        for resolution in [1e-12, 1e-9, 1e-3, 0.1, 0.25, 0.3, 1.0, 60.0, 1e6] {
            assert_eq!(chosen(resolution).resolution(), resolution);
        }
        assert_eq!(chosen(1e-9), Buckets::seconds());
    }

    #[test]
    fn a_value_becomes_the_nearest_step_and_an_absurd_one_is_limited() {
        let seconds = Buckets::seconds();
        for (value, steps) in [
            (0.0, 0),
            (0.1, 100_000_000),
            (-0.1, -100_000_000),
            (0.4e-9, 0),
            (0.6e-9, 1),
            (-0.6e-9, -1),
            (1e300, 1 << 62),
            (f64::INFINITY, 1 << 62),
            (f64::NEG_INFINITY, -(1 << 62)),
            (f64::NAN, 0),
        ] {
            assert_eq!(seconds.to_steps(value), steps, "{value:?}");
        }
        let ones = Buckets::native(0, 1.0, 2.0).unwrap();
        let ones = ones.with_resolution(1.0).unwrap();
        for value in [
            0.5_f64.next_down(),
            0.5,
            1.5,
            2.5,
            4_503_599_627_370_495.5,
            9e15,
            9_007_199_254_740_991.0,
        ] {
            assert_eq!(ones.to_steps(value), value.round() as i64, "{value:?}");
            assert_eq!(ones.to_steps(-value), -value.round() as i64, "{value:?}");
        }
        assert_eq!(seconds.from_steps(600_000_000), 0.6);
        assert!(seconds.from_steps(i64::MIN) < -9e9);
    }

    proptest! {
        #[test]
        fn a_sum_of_steps_is_exact_in_any_order(
            cents in proptest::collection::vec(-1_000_000_i64..1_000_000, 0..100),
        ) {
            let money = Buckets::seconds().with_resolution(0.01).unwrap();
            let steps = |cents: &i64| money.to_steps(*cents as f64 / 100.0);
            let forwards: i64 = cents.iter().map(steps).sum();
            let backwards: i64 = cents.iter().rev().map(steps).sum();
            prop_assert_eq!(forwards, cents.iter().sum::<i64>());
            prop_assert_eq!(forwards, backwards);
        }
    }
}
