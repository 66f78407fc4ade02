//! Histograms with a wide sum: the handles that observations of any size go through.

use std::fmt;
use std::time::Duration;

use crate::metric::{Buckets, MetricError, WIDE_CELLS, WideSum, room};
use crate::store::HeldCells;
use crate::sync::Ordering;

use super::counter::{add_wide, wide_of_all};

/// Observations, counted in buckets, with a sum that is exact to a billionth for each of them, whatever the buckets are and
/// however far it goes.
///
/// Others see a histogram. It is for whoever cannot tell beforehand what will be observed, seconds or bytes: the sum of a
/// [`Histogram`](crate::Histogram) is kept in steps that follow from its buckets, by one add and not by up to three.
///
/// An observation adds to the sum and then to its bucket. A process that is killed in between leaves an observation that is in
/// the sum, or in a part of it, and not in the count; it had not returned.
#[derive(Clone)]
pub struct WideHistogram {
    pub(super) cells: HeldCells,
    pub(super) buckets: Buckets,
}

impl WideHistogram {
    /// What no other series of this process has as long as this handle lives.
    #[doc(hidden)]
    #[must_use]
    pub fn identity(&self) -> usize {
        self.cells.address()
    }

    /// Counts one observation; `false` where it is none: no number, or 2^62 and more in either direction. Such a one changes
    /// nothing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sizes = deespec::Buckets::classic([1e3, 1e6, 1e9])?;
    /// let sizes = store.wide_histogram_as("answer_size", &[], &sizes)?;
    /// assert!(sizes.observe(1e9) && sizes.observe(0.001) && !sizes.observe(f64::NAN));
    /// let view = store.view()?;
    /// let found = view.sample("answer_size", &[]).and_then(|sample| sample.value.histogram());
    /// assert_eq!(found.map(|found| found.count()), Some(2));
    /// let sum = found.and_then(|found| found.wide_sum());
    /// assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), Some("1000000000.001"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn observe(&self, value: f64) -> bool {
        self.observe_many(value, 1)
    }

    /// Counts the same observation `count` times, at the price of one; `false` as for [`observe`](Self::observe).
    #[inline]
    pub fn observe_many(&self, value: f64, count: u64) -> bool {
        let all = self.cells.all_mine();
        let Some((sum, counts)) = all.split_at_checked(WIDE_CELLS as usize) else {
            return false;
        };
        // NaN has no bucket, and is no amount either.
        let Some(cell) = counts.get(self.buckets.index_of(value)) else {
            return false;
        };
        let is_one = add_wide(sum, value, count);
        if is_one {
            // Wraps as so many additions would.
            cell.fetch_add(count, Ordering::Relaxed);
        }
        is_one
    }

    /// Counts a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Counts observations that somebody else has told: all of them, or none where one is none or the histogram would come
    /// near its end. Reads all cells, which costs more than [`observe`](Self::observe).
    ///
    /// # Errors
    ///
    /// [`MetricError::Amount`] or [`MetricError::Exhausted`]; nothing is counted then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sizes = store.wide_histogram("answer_size")?;
    /// assert!(sizes.try_observe(&[512.0, 0.5]).is_ok());
    /// assert!(sizes.try_observe(&[1.0, f64::NAN]).is_err());
    /// assert!(sizes.try_observe(&[4e18, 4e18]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_observe(&self, values: &[f64]) -> Result<(), MetricError> {
        let takes = "a histogram with a wide sum takes numbers below 2^62, in either direction";
        let all = wide_of_all(values, takes)?;
        let is_full = !self.sums().iter().all(|here| here.plus(all).fits());
        if values.len() as u64 > self.count_room() || is_full {
            return Err(MetricError::Exhausted);
        }
        for value in values {
            self.observe(*value);
        }
        Ok(())
    }

    /// How many more observations may come from outside, as it is now, and how much they may sum up to, in whole units and
    /// whatever their signs; see [`Counter::room`](crate::Counter::room). Reads all cells, which costs more than observing.
    #[must_use]
    pub fn room(&self) -> u64 {
        let [total, since] = self.sums().map(WideSum::room);
        self.count_room().min(total).min(since)
    }

    /// In all, and since the epoch began.
    fn sums(&self) -> [WideSum; 2] {
        WideSum::of_both(|cell| self.cells.now_and_since_begun(cell))
    }

    fn count_room(&self) -> u64 {
        let counted = |cell| self.cells.counted_so_far(cell);
        let counted = (WIDE_CELLS..self.cells.count()).map(counted);
        room(counted.fold(0, u64::saturating_add))
    }

    /// How observations are sorted.
    #[must_use]
    pub fn buckets(&self) -> &Buckets {
        &self.buckets
    }
}

impl fmt::Debug for WideHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WideHistogram")
            .field("buckets", &self.buckets)
            .finish_non_exhaustive()
    }
}
