//! Counters: the handles that increments go through.

use std::fmt;

use crate::metric::{MetricError, check_count, room};
use crate::store::HeldCells;

/// A value that only grows within an epoch.
///
/// An increment is one relaxed atomic add to memory that all processes share: no lock, no system
/// call, no allocation. Clone it freely; keep it instead of looking it up each time. The store
/// stays open for as long as a handle lives.
#[derive(Clone)]
pub struct Counter {
    pub(super) cells: HeldCells,
}

impl Counter {
    /// Counts one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts `n`. A cell that exceeds 64 bits begins again at 0.
    #[inline]
    pub fn add(&self, n: u64) {
        self.cells.add(n);
    }

    /// Counts `n` that somebody else has told, such as a user or a datagram: at most [`COUNT_MAX`](crate::COUNT_MAX),
    /// and only as long as the counter stays far from its end, so that it never begins again at 0.
    ///
    /// # Errors
    ///
    /// [`MetricError::Count`] or [`MetricError::Exhausted`]; nothing is counted then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let jobs = store.counter("jobs_total")?;
    /// assert!(jobs.try_add(deespec::COUNT_MAX).is_ok());
    /// assert!(jobs.try_add(u64::MAX).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_add(&self, n: u64) -> std::result::Result<(), MetricError> {
        check_count(n)?;
        if n > self.room() {
            return Err(MetricError::Exhausted);
        }
        self.add(n);
        Ok(())
    }

    /// Everything that it ever counted, whatever rotations began. Reads all stripes, which costs more than counting.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cells.total(0)
    }

    /// How much [`try_add`](Self::try_add) would take in all, as it is now. Reads all stripes, which costs more than
    /// counting.
    #[must_use]
    pub fn room(&self) -> u64 {
        room(self.cells.counted_so_far(0))
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter").finish_non_exhaustive()
    }
}

/// The four built-in counters of every store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Transactions {
    /// Commits that succeeded: `commit_success`.
    pub success: Counter,
    /// Commits that failed: `commit_failed`.
    pub failed: Counter,
    /// Compare-and-swap conflicts: `cas_conflicts`.
    pub conflicts: Counter,
    /// Recoveries: `recovery_count`.
    pub recoveries: Counter,
}
