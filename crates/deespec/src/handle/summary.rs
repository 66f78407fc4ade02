//! Summaries: the handles that observations without buckets go through.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::store::Cells;
use crate::sync::Ordering;

use super::counter::add_wide;
use super::store::Inner;

/// Observations, counted and summed up, without buckets: cheaper and smaller than a histogram, and with no quantiles.
///
/// An observation adds to the sum and then to the count. A process that is killed in between leaves an observation that is in
/// the sum, or in a part of it, and not in the count; it had not returned. The sum is as exact as that of a
/// [`FractionCounter`](crate::FractionCounter).
#[derive(Clone)]
pub struct Summary {
    pub(super) cells: Cells,
    pub(super) _store: Arc<Inner>,
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
        let [count, sum @ ..] = self.cells.all_mine() else {
            return false;
        };
        let is_one = add_wide(sum, value);
        if is_one {
            count.fetch_add(1, Ordering::Relaxed);
        }
        is_one
    }

    /// Counts a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").finish_non_exhaustive()
    }
}
