//! Histograms: the handles that observations go through.

use std::fmt;
use std::time::Duration;

use crate::metric::{Buckets, room};
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
    pub(super) buckets: Buckets,
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
        let steps = self.buckets.to_steps(value).cast_unsigned();
        let bucket = self.buckets.index_of(value);
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
        &self.buckets
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("buckets", &self.buckets)
            .finish_non_exhaustive()
    }
}
