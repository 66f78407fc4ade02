//! Histograms: the handles that observations go through.

use std::fmt;
use std::time::Duration;

use crate::metric::{Buckets, Distribution, MetricError, Value, room};
use crate::store::HeldCells;
use crate::sync::Ordering;

/// Observations, counted in buckets, with their sum.
///
/// An observation is two atomic adds: one to its bucket and one to the sum. The count is the sum of
/// the buckets, so it cannot disagree with them. A process that is killed between the two adds leaves
/// an observation that is in the sum and not in the count; it had not returned. A rotation between
/// the two puts the sum into one epoch and the count into the next. Neither makes the sum anything else than
/// that: see [`Distribution::sum`](crate::Distribution::sum).
#[derive(Clone)]
pub struct Histogram {
    pub(super) cells: HeldCells,
}

impl Histogram {
    /// Counts one observation. What is not a number is no observation and changes nothing.
    #[inline]
    pub fn observe(&self, value: f64) {
        self.observe_many(value, 1);
    }

    /// Counts the same observation `count` times, at the price of one.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// store.histogram("wait_seconds")?.observe_many(0.25, 1000);
    /// let view = store.view()?;
    /// let waits = view.sample("wait_seconds", &[]).and_then(|sample| sample.value.histogram());
    /// assert_eq!(waits.map(|waits| (waits.count(), waits.sum())), Some((1000, 250.0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn observe_many(&self, value: f64, count: u64) {
        if value.is_nan() {
            return;
        }
        let buckets = self.cells.sorting();
        let steps = buckets.to_steps(value).cast_unsigned();
        let bucket = buckets.index_of(value);
        if let [sum, counts @ ..] = self.cells.all_mine()
            && let Some(cell) = counts.get(bucket)
        {
            // Wraps as so many additions would.
            sum.fetch_add(steps.wrapping_mul(count), Ordering::Relaxed);
            cell.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Counts observations that somebody else has told: all of them, or none where one is none or too large for the steps of
    /// the sum, or the histogram would come near its end. Reads all cells, which costs more than [`observe`](Self::observe).
    ///
    /// # Errors
    ///
    /// [`MetricError::Amount`] or [`MetricError::Exhausted`]; nothing is counted then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let waits = store.histogram("wait_seconds")?;
    /// assert!(waits.try_observe(&[0.25, 1.5]).is_ok());
    /// // More than a hundred years, in steps of a nanosecond.
    /// assert!(waits.try_observe(&[0.25, 5e9]).is_err());
    /// assert!(waits.try_observe(&[2e9, 2e9, 2e9]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_observe(&self, values: &[f64]) -> Result<(), MetricError> {
        let mut all = 0_u64;
        for value in values {
            let steps = self.buckets().steps(*value);
            let steps = steps.ok_or_else(|| MetricError::Amount {
                amount: format!("{value:?}"),
                takes: "the sum of a histogram takes up to 2^62 of its steps at once, and coarser steps take more",
            })?;
            all = all.saturating_add(steps);
        }
        if values.len() as u64 > self.room() || all > self.sum_room() {
            return Err(MetricError::Exhausted);
        }
        for value in values {
            self.observe(*value);
        }
        Ok(())
    }

    /// How many more steps of [`Buckets::resolution`] may come from outside, as it is now, so that the sum is exact
    /// still. Reads all cells, which costs more than observing.
    #[must_use]
    pub fn sum_room(&self) -> u64 {
        let found = Value::of_histogram(self.buckets(), |cell| self.cells.total(cell));
        found.histogram().map_or(0, Distribution::sum_room)
    }

    /// How many more observations may come from outside, as it is now, so that their number never begins again at 0;
    /// see [`Counter::room`](crate::Counter::room). Reads all cells, which costs more than observing.
    #[must_use]
    pub fn room(&self) -> u64 {
        let counted = |cell| self.cells.counted_so_far(cell);
        let counted = (1..self.cells.count()).map(counted);
        room(counted.fold(0, u64::saturating_add))
    }

    /// How observations are sorted.
    #[must_use]
    pub fn buckets(&self) -> &Buckets {
        self.cells.sorting()
    }

    /// What no other series of this process has as long as this handle lives.
    #[doc(hidden)]
    #[must_use]
    pub fn identity(&self) -> usize {
        self.cells.address()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("buckets", self.buckets())
            .finish_non_exhaustive()
    }
}
