//! What the sum of a histogram is: a number of steps modulo 2^64, and which of all the numbers that it may be.

use super::{Bucket, Buckets, Distribution, Sum};
use crate::metric::WideSum;
use crate::protection::Protection;

/// How far apart the numbers are that one and the same cell may mean.
const TURN: i128 = 1 << 64;
/// Most steps of one observation.
const OBSERVATION: i128 = 1 << 62;

/// What the buckets say of the sum, in steps.
struct Told {
    /// The least that it can be.
    lowest: i128,
    /// What it is at least, whichever way from zero: each observation counts as the bound of its bucket that
    /// is nearest to zero, or as 0 in a bucket on both sides of it.
    nearest: i128,
    /// The most that it can be.
    highest: i128,
}

impl Told {
    /// As few turns as bring it between the least and the most: what is one observation ahead of the buckets
    /// then looks like a whole turn.
    fn fewest_turns(&self, kept: i128) -> i128 {
        let turns = if kept < self.lowest {
            (self.lowest - kept).div_euclid(TURN) + 1
        } else if kept > self.highest {
            (self.highest - kept).div_euclid(TURN)
        } else {
            0
        };
        kept + turns * TURN
    }
}

impl Distribution {
    /// The sum of all observations, each rounded to [`Buckets::resolution`](super::Buckets::resolution).
    ///
    /// It is kept modulo 2^64 steps (584 years at a nanosecond), and the buckets tell which of the numbers
    /// s + k · 2^64 it is: the one **nearest** to the sum of the bounds that are nearest to zero, one for each
    /// observation; unless that one lies beyond all that the buckets allow, and by more than an observation can have
    /// (2^62 steps), and the next one does not.
    ///
    /// So a sum that is some observations ahead of the buckets or behind them, as a reader may find it and a
    /// killed writer leaves it, is told as it is. How far that reaches:
    ///
    /// - It is exact, whatever the buckets are, for as long as the observations above zero sum up to less than
    ///   2^63 steps (292 years at a nanosecond), and those below zero too.
    /// - It is exact beyond that for as long as the observations, each less that bound of its bucket, do: with the default
    ///   buckets, which are 9 % wide, that is eleven times as much.
    ///
    /// Where neither holds it is a multiple of 2^64 steps nearer to zero than it should be.
    ///
    /// A histogram with a wide sum needs none of this: its sum is exact to a billionth for each observation, whatever the
    /// buckets are; see [`Distribution::wide_sum`].
    #[must_use]
    pub fn sum(&self) -> f64 {
        match self.sum {
            Sum::Steps(_) => self.buckets.of_steps(self.told_steps() as f64),
            Sum::Wide(sum) => sum.to_f64(),
        }
    }

    /// The sum in steps, which may be more than 64 bits hold.
    pub(crate) fn told_steps(&self) -> i128 {
        let kept = match self.sum {
            Sum::Steps(steps) => i128::from(steps),
            Sum::Wide(sum) => return sum.billionths(),
        };
        let told = self.told();
        if !Protection::NearestWrap.stands() {
            return told.fewest_turns(kept);
        }
        let turns = (told.nearest.saturating_sub(kept).saturating_add(TURN / 2)).div_euclid(TURN);
        let sum = kept.saturating_add(turns.saturating_mul(TURN));
        let is_possible = |sum: i128| {
            sum >= told.lowest.saturating_sub(OBSERVATION)
                && sum <= told.highest.saturating_add(OBSERVATION)
        };
        let beside = match sum < told.lowest {
            true => sum.saturating_add(TURN),
            false => sum.saturating_sub(TURN),
        };
        match !is_possible(sum) && is_possible(beside) {
            true => beside,
            false => sum,
        }
    }

    /// How many more steps may come from outside, of a wide sum whole units: as many again and it is exact still, whoever
    /// adds at the same moment.
    pub(crate) fn sum_room(&self) -> u64 {
        if let Sum::Wide(sum) = self.sum {
            return sum.room();
        }
        let ahead = self.told_steps().saturating_sub(self.told().nearest);
        let room = OBSERVATION.saturating_sub(ahead.saturating_abs());
        u64::try_from(room).unwrap_or(0)
    }

    /// What another program counted: its buckets, and their sum in its words. The sum is kept as near as the
    /// steps allow; [`Distribution::unlike`] says what that makes of it.
    pub(crate) fn of_sum(buckets: Buckets, counts: Box<[u64]>, sum: f64) -> Result<Self, String> {
        if !sum.is_finite() {
            return Err(format!("sum is {sum}, which cannot be added to another"));
        }
        let steps = buckets.nearest_steps(sum);
        // What 64 bits do not hold, the buckets tell.
        let kept = steps.map(|steps| Self::new(buckets, counts, steps as i64));
        kept.filter(|kept| Some(kept.told_steps()) == steps)
            .ok_or_else(|| format!("sum is {sum}, more than its buckets can tell"))
    }

    /// The same with a wide sum, in such buckets; `None` where it has one already, or other bounds.
    pub(crate) fn to_wide(&self, buckets: &Buckets) -> Option<Self> {
        let Sum::Steps(_) = self.sum else { return None };
        let same = self.buckets.clone().in_billionths() == *buckets;
        let sum = WideSum::of(self.sum()).filter(|_| same)?;
        Some(Self::wide(buckets.clone(), self.counts.clone(), sum))
    }

    /// The same with a sum in the steps of these buckets; `None` where it has one already, or other bounds, or a sum that
    /// they cannot tell.
    pub(crate) fn to_steps(&self, buckets: &Buckets) -> Option<Self> {
        let Sum::Wide(sum) = self.sum else {
            return None;
        };
        let same = self.buckets == buckets.clone().in_billionths();
        let told = Self::of_sum(buckets.clone(), self.counts.clone(), sum.to_f64());
        told.ok().filter(|_| same)
    }

    /// What is odd about a sum that another program gave, as the end of a sentence about it.
    pub(crate) fn unlike(&self, given: f64) -> Option<String> {
        let kept = self.sum();
        // Less is what summing up in floating point leaves.
        if (kept - given).abs() > 1e-12 * given.abs() {
            // Without the digits that come of the reciprocal.
            let step = format!("{:.11e}", self.buckets.resolution());
            let step = step.parse().unwrap_or(self.buckets.resolution());
            return Some(format!("is kept as {kept}, in steps of {step}"));
        }
        let (is_less, is_more) = match self.sum {
            Sum::Steps(_) => self.is_beyond_steps(),
            Sum::Wide(_) => self.is_beyond(kept),
        };
        let than = match (is_less, is_more) {
            (true, _) => "less",
            (_, true) => "more",
            _ => return None,
        };
        Some(format!(
            "is {than} than its buckets can hold; it is kept as it is"
        ))
    }

    /// Whether the sum is less than the bounds of the buckets allow, and whether it is more.
    fn is_beyond_steps(&self) -> (bool, bool) {
        let (told, steps) = (self.told(), self.told_steps());
        // Each observation may have been rounded to a step, and the sum to 53 bits at each addition.
        let rounded = i128::from(self.count()) + (steps.abs() >> 30) + 1;
        (
            steps < told.lowest.saturating_sub(rounded),
            steps > told.highest.saturating_add(rounded),
        )
    }

    /// As [`Self::is_beyond_steps`], of a sum that no observation is too large for.
    fn is_beyond(&self, sum: f64) -> (bool, bool) {
        let rounded = (self.count() as f64 + 1.0) / 1e9 + sum.abs() * 1e-9;
        let all = |bound: fn(&Bucket) -> f64| -> f64 {
            self.iter()
                .map(|bucket| bound(&bucket) * bucket.count as f64)
                .sum()
        };
        let (lowest, highest) = (all(|bucket| bucket.lower), all(|bucket| bucket.upper));
        (sum < lowest - rounded, sum > highest + rounded)
    }

    fn told(&self) -> Told {
        let none = Told {
            lowest: 0,
            nearest: 0,
            highest: 0,
        };
        self.iter().fold(none, |told, bucket| {
            let Bucket {
                lower,
                upper,
                count,
            } = bucket;
            let nearest = if lower >= 0.0 {
                lower
            } else if upper <= 0.0 {
                upper
            } else {
                0.0
            };
            let add = |sum: i128, bound: f64| {
                let steps = i128::from(self.buckets.to_steps(bound));
                sum.saturating_add(steps * i128::from(count))
            };
            Told {
                lowest: add(told.lowest, lower),
                nearest: add(told.nearest, nearest),
                highest: add(told.highest, upper),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::Buckets;

    fn classic(bounds: &[f64]) -> Buckets {
        Buckets::classic(bounds.iter().copied()).unwrap()
    }

    fn layouts() -> Vec<Buckets> {
        vec![
            Buckets::seconds(),
            Buckets::native(0, 1.0, 8.0).unwrap(),
            Buckets::native(3, 0.1, 100.0)
                .unwrap()
                .with_negative()
                .unwrap(),
            classic(&[1.0, 10.0]),
            classic(&[10.0]),
            classic(&[-5.0, -1.0]),
            classic(&[-5.0, 0.0, 5.0]),
            // So wide that a handful of observations may be anything.
            classic(&[0.5, 1e9]),
            classic(&[1024.0, 1e12]),
        ]
    }

    /// What the cells hold after these observations, and after those whose sum alone was added.
    fn cells(buckets: &Buckets, whole: &[(f64, u64)], sum_alone: &[f64]) -> Distribution {
        let mut all = Distribution::empty(buckets.clone());
        for &(value, count) in whole {
            let steps = buckets.to_steps(value).wrapping_mul(count.cast_signed());
            all.sum = Sum::Steps(all.steps().wrapping_add(steps));
            all.counts[buckets.index_of(value)] += count;
        }
        for &value in sum_alone {
            all.sum = Sum::Steps(all.steps().wrapping_add(buckets.to_steps(value)));
        }
        all
    }

    fn exact(buckets: &Buckets, whole: &[(f64, u64)], sum_alone: &[f64]) -> i128 {
        let one = |value: f64| i128::from(buckets.to_steps(value));
        let whole = whole
            .iter()
            .map(|&(value, count)| one(value) * i128::from(count));
        whole.sum::<i128>() + sum_alone.iter().copied().map(one).sum::<i128>()
    }

    #[test]
    fn a_sum_that_is_ahead_of_the_buckets_is_told_as_it_is() {
        for buckets in layouts() {
            let bounds = (0..buckets.len()).flat_map(|cell| {
                let (lower, upper) = buckets.bounds(cell);
                [lower, upper]
            });
            let bounds: Vec<f64> = bounds.filter(|bound| bound.is_finite()).collect();
            let many = [0, 1, 2, 5, 1000, 100_000];
            for value in bounds.iter().copied().chain([1e300, -1e300, 0.25, 1e6]) {
                for count in many {
                    // What stands on a bound, first observations, and a large one among small ones.
                    for (small, size) in [(0.25, 1), (bounds[0], 7), (0.0, 0)] {
                        let whole = [(small, size * count), (bounds[bounds.len() - 1], count)];
                        // As many as fit, whatever their sign.
                        let above = exact(&buckets, &whole, &[value]).abs();
                        if above >= (1 << 63) {
                            continue;
                        }
                        let found = cells(&buckets, &whole, &[value]).told_steps();
                        let wanted = exact(&buckets, &whole, &[value]);
                        assert_eq!(found, wanted, "{buckets}: {value} on top of {whole:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_wide_sum_is_odd_only_where_its_buckets_have_bounds() {
        let of = |counts: [u64; 3], sum: f64| {
            let buckets = classic(&[1.0, 10.0]).in_billionths();
            let sum = WideSum::of(sum).unwrap();
            Distribution::wide(buckets, Box::new(counts), sum)
        };
        // Far beyond what steps tell.
        assert_eq!(of([0, 0, 1], 1e15).unlike(1e15), None);
        assert_eq!(of([1, 0, 0], -1e15).unlike(-1e15), None);
        for (counts, sum, than) in [
            ([0, 2, 0], 20.001, "more"),
            ([0, 2, 0], 1.999, "less"),
            ([0, 0, 3], 29.9, "less"),
            ([4, 0, 0], 4.1, "more"),
        ] {
            let odd = of(counts, sum).unlike(sum).unwrap();
            assert!(odd.starts_with(&format!("is {than} than")), "{odd}");
        }
        let odd = of([1, 0, 0], 0.5).unlike(0.500_000_000_1).unwrap();
        assert!(odd.contains("in steps of 0.000000001"), "{odd}");
    }

    #[test]
    fn as_few_turns_as_possible_would_be_wrong_there() {
        let ahead = cells(&classic(&[1.0, 10.0]), &[(10.0, 3)], &[10.0]);
        assert_eq!(ahead.sum(), 40.0);
        let kept = i128::from(ahead.steps());
        assert_eq!(ahead.told().fewest_turns(kept), kept - TURN);
    }

    #[test]
    fn a_sum_that_is_behind_the_buckets_is_told_as_it_is() {
        // A rotation between the two additions leaves the sum in one epoch and the count in the next.
        for buckets in layouts() {
            for cell in 0..buckets.len() {
                let mut found = Distribution::empty(buckets.clone());
                found.counts[cell] = 1;
                assert_eq!(found.sum(), 0.0, "{buckets}: bucket {cell}");
            }
        }
    }

    #[test]
    fn a_sum_within_292_years_is_exact_whatever_the_buckets() {
        let wide = classic(&[0.5, 1e9]);
        // The upper bound says 2e10 seconds of them, more than 2^64 steps.
        let small = cells(&wide, &[(1.0, 20)], &[]);
        assert_eq!(small.sum(), 20.0);
        let all = cells(&wide, &[(1.0, 9_000_000_000)], &[1e8]);
        assert_eq!(all.sum(), 9.1e9);
    }

    #[test]
    fn a_sum_beyond_63_bits_is_told_by_narrow_buckets_and_those_without_a_bound() {
        let ten = classic(&[1.0, 10.0]);
        for (buckets, whole) in [
            (&Buckets::seconds(), vec![(9000.0, 9_000_000)]),
            (
                &Buckets::seconds(),
                vec![(0.1, 1 << 40), (9000.0, 5_000_000)],
            ),
            (&ten, vec![(10.0, 1_000_000_000_000)]),
            // Two that are limited, above the last bound.
            (&ten, vec![(10.0, 5), (1e300, 2)]),
            (&ten, vec![(9.0, 1_400_000_000_000)]),
        ] {
            for ahead in [&[][..], &[10.0], &[10.0, 10.0]] {
                let found = cells(buckets, &whole, ahead).told_steps();
                assert_eq!(found, exact(buckets, &whole, ahead), "{buckets} {whole:?}");
            }
        }
    }

    #[test]
    fn counts_that_no_store_holds_have_a_sum_without_a_panic() {
        for buckets in layouts() {
            let mut all = Distribution::empty(buckets);
            all.counts.fill(u64::MAX);
            for steps in [i64::MIN, -1, 0, i64::MAX] {
                all.sum = Sum::Steps(steps);
                assert!(all.sum().is_finite());
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_was_observed_and_not_counted_yet_the_sum_is_exact(
            layout in 0..9_usize,
            whole in proptest::collection::vec((-1e6..1e6_f64, 0..1000_u64), 0..20),
            ahead in proptest::collection::vec(-1e6..1e6_f64, 0..3),
        ) {
            let buckets = &layouts()[layout];
            let found = cells(buckets, &whole, &ahead);
            // 2e10 at a nanosecond is more than 63 bits.
            let one_way = |sign: f64| {
                let same: Vec<(f64, u64)> = whole.iter().copied().filter(|(v, _)| v * sign > 0.0).collect();
                exact(buckets, &same, &[]).abs() < (1 << 62)
            };
            prop_assume!(one_way(1.0) && one_way(-1.0));
            prop_assert_eq!(found.told_steps(), exact(buckets, &whole, &ahead));
        }
    }
}
