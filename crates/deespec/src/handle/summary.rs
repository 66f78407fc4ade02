//! Summaries: the handles that observations without buckets go through.

use std::fmt;
use std::time::Duration;

use crate::metric::{MetricError, Observations};
use crate::store::HeldCells;
use crate::sync::Ordering;

use super::counter::{add_wide, room_of, wide_of_all};

/// Observations, counted and summed up, without buckets: cheaper and smaller than a histogram, and with no quantiles.
///
/// An observation adds to the sum and then to the count. A process that is killed in between leaves an observation that is in
/// the sum, or in a part of it, and not in the count; it had not returned. The sum is as exact as that of a
/// [`FractionCounter`](crate::FractionCounter).
#[derive(Clone)]
pub struct Summary {
    pub(super) cells: HeldCells,
}

impl Summary {
    /// Counts one observation; `false` where it is none: no number, or 2^62 and more in either direction. Such a one changes nothing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sizes = store.summary("answer_bytes")?;
    /// sizes.observe(512.0);
    /// sizes.observe(0.5);
    /// let view = store.view()?;
    /// let found = view.sample("answer_bytes", &[]).and_then(|sample| sample.value.summary());
    /// assert_eq!(found.map(|found| (found.count, found.sum.to_f64())), Some((2, 512.5)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn observe(&self, value: f64) -> bool {
        self.observe_many(value, 1)
    }

    /// Counts the same observation `count` times, at the price of one; `false` as for [`observe`](Self::observe).
    #[inline]
    pub fn observe_many(&self, value: f64, count: u64) -> bool {
        let [counted, sum @ ..] = self.cells.all_mine() else {
            return false;
        };
        let is_one = add_wide(sum, value, count);
        if is_one {
            counted.fetch_add(count, Ordering::Relaxed);
        }
        is_one
    }

    /// Counts observations that somebody else has told: all of them, or none where one is none or the summary would come near
    /// its end. Reads all stripes, which costs more than [`observe`](Self::observe).
    ///
    /// # Errors
    ///
    /// [`MetricError::Amount`] or [`MetricError::Exhausted`]; nothing is counted then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sizes = store.summary("answer_bytes")?;
    /// assert!(sizes.try_observe(&[512.0, 0.5]).is_ok());
    /// assert!(sizes.try_observe(&[1.0, f64::NAN]).is_err());
    /// assert!(sizes.try_observe(&[4e18, 4e18]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_observe(&self, values: &[f64]) -> Result<(), MetricError> {
        let all = Observations {
            count: values.len() as u64,
            sum: wide_of_all(
                values,
                "a summary takes numbers below 2^62, in either direction",
            )?,
        };
        let here = self.cells.observed_so_far();
        if !here.iter().all(|here| here.has_room(all)) {
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
        room_of(self.cells.observed_so_far())
    }

    /// Counts a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// What no other series of this process has as long as this handle lives.
    #[doc(hidden)]
    #[must_use]
    pub fn identity(&self) -> usize {
        self.cells.address()
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").finish_non_exhaustive()
    }
}
