//! What a histogram has counted: the counts of its cells, the sum, and the quantiles they give.

mod form;
mod sum;
#[cfg(test)]
mod tests;

use super::{Buckets, WideSum};

/// The observations of a histogram: how many each bucket holds, and their sum.
///
/// ```
/// let document = r#"{"count": 3, "sum": 1.5, "buckets": [[null, 0.1, 1], [0.1, 1.0, 2]],
///                    "classic": [0.1, 1.0], "steps_per_one": 1000000000}"#;
/// let waits: deespec::Distribution = serde_json::from_str(document)?;
/// assert_eq!(waits.count(), 3);
/// assert_eq!(waits.mean(), Some(0.5));
/// let median = waits.quantile(0.5).unwrap();
/// assert_eq!((median.lower, median.upper), (0.1, 1.0));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    buckets: Buckets,
    counts: Box<[u64]>,
    sum: Sum,
}

/// How a sum is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sum {
    /// In steps, modulo 2^64: the buckets tell the rest.
    Steps(i64),
    /// Whole, beside buckets that are in billionths.
    Wide(WideSum),
}

/// A bucket of a [`Distribution`] with the number of observations in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The lower bound, -Inf for none; see [`Buckets::bounds`] for whether the bucket holds it.
    pub lower: f64,
    /// The upper bound, +Inf for none.
    pub upper: f64,
    /// How many observations the bucket holds.
    pub count: u64,
}

/// A quantile as far as buckets tell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The estimate, interpolated within the bucket.
    pub value: f64,
    /// The true quantile of the sample is not less than this; -Inf in a bucket without a bound.
    pub lower: f64,
    /// The true quantile of the sample is not greater than this; +Inf in a bucket without a bound.
    pub upper: f64,
}

impl Quantile {
    /// How far the true quantile of the sample can be from the estimate, at most; +Inf when its
    /// bucket has no bound.
    #[must_use]
    pub fn error(&self) -> f64 {
        (self.value - self.lower).max(self.upper - self.value)
    }
}

impl Distribution {
    /// The counts of all cells of `buckets`, and the sum in their steps.
    pub(crate) fn new(buckets: Buckets, counts: Box<[u64]>, steps: i64) -> Self {
        Self::of(buckets, counts, Sum::Steps(steps))
    }

    /// The counts of all cells of `buckets`, which are in billionths, and a wide sum.
    pub(crate) fn wide(buckets: Buckets, counts: Box<[u64]>, sum: WideSum) -> Self {
        debug_assert!(buckets.are_in_billionths());
        Self::of(buckets, counts, Sum::Wide(sum))
    }

    fn of(buckets: Buckets, counts: Box<[u64]>, sum: Sum) -> Self {
        debug_assert_eq!(buckets.len(), counts.len());
        Self {
            buckets,
            counts,
            sum,
        }
    }

    /// Nothing observed yet.
    #[cfg(test)]
    pub(crate) fn empty(buckets: Buckets) -> Self {
        let counts = vec![0; buckets.len()].into();
        Self::new(buckets, counts, 0)
    }

    /// How many observations there are. It is added up from the buckets, modulo 2^64, so that the
    /// two cannot disagree.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().copied().fold(0, u64::wrapping_add)
    }

    /// The sum in steps of [`Buckets::resolution`], modulo 2^64.
    #[must_use]
    pub fn steps(&self) -> i64 {
        match self.sum {
            Sum::Steps(steps) => steps,
            Sum::Wide(sum) => sum.billionths() as i64,
        }
    }

    /// The sum to its last digit, of a histogram that has a wide one.
    #[must_use]
    pub fn wide_sum(&self) -> Option<WideSum> {
        match self.sum {
            Sum::Steps(_) => None,
            Sum::Wide(sum) => Some(sum),
        }
    }

    /// What the cells hold that stand before the buckets.
    pub(crate) fn sum_cells(&self) -> impl Iterator<Item = u64> + use<> {
        let (one, three) = match self.sum {
            Sum::Steps(steps) => (Some(steps.cast_unsigned()), None),
            Sum::Wide(sum) => (None, Some(sum.to_cells())),
        };
        one.into_iter().chain(three.into_iter().flatten())
    }

    /// The arithmetic mean; `None` when nothing was observed.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum() / count as f64)
    }

    /// The buckets that the counts belong to.
    #[must_use]
    pub fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// The count of each bucket cell, in ascending order of value; [`Buckets::bounds`] tells what a
    /// cell holds.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The buckets that hold an observation, in ascending order of value.
    pub fn iter(&self) -> impl Iterator<Item = Bucket> {
        let counted = self.counts.iter().copied().enumerate();
        counted
            .filter(|(_, count)| *count > 0)
            .map(|(cell, count)| {
                let (lower, upper) = self.buckets.bounds(cell);
                Bucket {
                    lower,
                    upper,
                    count,
                }
            })
    }

    /// These observations without those of `other`, an earlier state of the same histogram. Counts
    /// and steps wrap, as cells do. `None` when the two have different buckets, steps or kinds of sum.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.combined(other, u64::wrapping_sub, i64::wrapping_sub, WideSum::minus)
    }

    /// These observations and those of `other` together. Counts and steps wrap, as cells do. `None`
    /// when the two have different buckets, steps or kinds of sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Option<Self> {
        self.combined(other, u64::wrapping_add, i64::wrapping_add, WideSum::plus)
    }

    fn combined(
        &self,
        other: &Self,
        counts: fn(u64, u64) -> u64,
        steps: fn(i64, i64) -> i64,
        wide: fn(WideSum, WideSum) -> WideSum,
    ) -> Option<Self> {
        let sum = match (self.sum, other.sum) {
            (Sum::Steps(one), Sum::Steps(other)) => Sum::Steps(steps(one, other)),
            (Sum::Wide(one), Sum::Wide(other)) => Sum::Wide(wide(one, other)),
            _ => return None,
        };
        (self.buckets == other.buckets).then(|| {
            let pairs = self.counts.iter().zip(&other.counts);
            let counts = pairs.map(|(one, other)| counts(*one, *other)).collect();
            Self::of(self.buckets.clone(), counts, sum)
        })
    }

    /// The q-quantile, q from 0 to 1: of n observations in ascending order, number ⌈q·n⌉ (the first
    /// for q = 0). `None` when nothing was observed or q is not from 0 to 1.
    ///
    /// That observation is surely between the `lower` and `upper` of the answer, which are the
    /// bounds of its bucket. `value` is an estimate at the rank q·n, as `histogram_quantile` of
    /// Prometheus makes it
    /// (<https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>):
    /// exponentially between the bounds of a native bucket, linearly in a classic bucket and in the
    /// zero bucket, which counts as ending at 0 on a side where nothing was observed. In a bucket
    /// without a bound on one side it is the other bound.
    ///
    /// In a native bucket, base = 2^(2^-schema) is the ratio of the bounds. The estimate is
    /// therefore wrong by base - 1 of the true value at worst, 9.1 % for schema 3, and by
    /// √base - 1 at worst, 4.4 %, when it is the geometric middle of the bucket.
    ///
    /// ```
    /// # let document = r#"{"count": 4, "sum": 10, "buckets": [[1.0, 2.0, 3], [2.0, 4.0, 1]],
    /// #     "native": {"schema": 0, "smallest": 1.0, "largest": 8.0}, "steps_per_one": 1}"#;
    /// # let distribution: deespec::Distribution = serde_json::from_str(document)?;
    /// let median = distribution.quantile(0.5).unwrap();
    /// println!("{:.2} ± {:.2}", median.value, median.error());
    /// assert!(median.lower <= median.value && median.value <= median.upper);
    /// assert!(distribution.quantile(50.0).is_none());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = q * count as f64;
        let nearest = (rank.ceil() as u64).clamp(1, count);
        let mut below = 0;
        for (cell, &count) in self.counts.iter().enumerate() {
            if nearest - below <= count {
                let part = ((rank - below as f64) / count as f64).clamp(0.0, 1.0);
                return Some(self.interpolated(cell, part));
            }
            // Less than `nearest`, or else the search would have ended here: it cannot overflow.
            below += count;
        }
        None
    }

    /// The quantile with this part of the cell's observations at or below it.
    fn interpolated(&self, cell: usize, part: f64) -> Quantile {
        let (lower, upper) = self.buckets.bounds(cell);
        let value = if lower.is_infinite() {
            upper
        } else if upper.is_infinite() {
            lower
        } else if !self.buckets.is_native() {
            linear(lower, upper, part)
        } else if lower < 0.0 && upper > 0.0 {
            let (below, above) = self.counts.split_at(cell);
            let below = below.iter().any(|count| *count > 0);
            let above = above.iter().skip(1).any(|count| *count > 0);
            let from = if below { lower } else { 0.0 };
            let to = if below && !above { 0.0 } else { upper };
            linear(from, to, part)
        } else {
            // Both bounds have the same sign, so their ratio is positive.
            lower * (upper / lower).powf(part)
        };
        Quantile {
            // Rounding may lead a last digit out of the bucket.
            value: value.clamp(lower, upper),
            lower,
            upper,
        }
    }
}

/// Two products, since the difference of the bounds may be more than a number can hold.
fn linear(lower: f64, upper: f64, part: f64) -> f64 {
    lower * (1.0 - part) + upper * part
}
