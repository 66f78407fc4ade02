//! Counters: the handles that increments go through.

use std::fmt;

use crate::metric::{COUNT_MAX, MetricError, Observations, WideSum, amounts, check_count, room};
use crate::store::HeldCells;
use crate::sync::{AtomicU64, Ordering};

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

    /// What no other series of this process has as long as this handle lives.
    #[doc(hidden)]
    #[must_use]
    pub fn identity(&self) -> usize {
        self.cells.address()
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter").finish_non_exhaustive()
    }
}

/// A value with fractions that only grows within an epoch, such as seconds spent.
///
/// What is added is rounded to a billionth, and the sum of that is exact, in whatever order, by however many processes, and up to
/// 2^63. An amount is one atomic add where it is whole, and otherwise two or three. A process that is killed between
/// them leaves a part of that one amount, which had not returned; so does a reader see it, and a rotation may put its parts into two
/// epochs. No such part makes the sum anything else than that.
#[derive(Clone)]
pub struct FractionCounter {
    pub(super) cells: HeldCells,
}

impl FractionCounter {
    /// Adds an amount; `false` where it is none that a counter takes: no number, below zero, or 2^62 and more. Such a one
    /// changes nothing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let spent = store.fraction_counter("cpu_seconds_total")?;
    /// assert!(spent.add(1.6));
    /// assert!(!spent.add(-1.0) && !spent.add(f64::NAN));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn add(&self, amount: f64) -> bool {
        amount >= 0.0 && add_wide(self.cells.all_mine(), amount, 1)
    }

    /// Adds an amount that somebody else has told: at most [`COUNT_MAX`](crate::COUNT_MAX), and only as long as the
    /// counter stays far from its end, so that it never begins again below zero. Reads all stripes, which costs more
    /// than [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// [`MetricError::Amount`] or [`MetricError::Exhausted`]; nothing is counted then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let spent = store.fraction_counter("cpu_seconds_total")?;
    /// assert!(spent.try_add(0.25).is_ok());
    /// assert!(spent.try_add(-0.25).is_err() && spent.try_add(1e17).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_add(&self, amount: f64) -> std::result::Result<(), MetricError> {
        let is_lawful = (0.0..=COUNT_MAX as f64).contains(&amount);
        let sum = WideSum::of(amount).filter(|_| is_lawful);
        let sum = sum.ok_or_else(|| MetricError::Amount {
            amount: format!("{amount:?}"),
            takes: "a counter takes numbers from 0 to 9007199254740992, 2^53, at once",
        })?;
        if sum.whole() > self.room() {
            return Err(MetricError::Exhausted);
        }
        self.add(amount);
        Ok(())
    }

    /// How much [`try_add`](Self::try_add) would take in all, as it is now, in whole units. Reads all stripes, which costs
    /// more than counting.
    #[must_use]
    pub fn room(&self) -> u64 {
        room_of(self.cells.observed_so_far())
    }

    /// What no other series of this process has as long as this handle lives.
    #[doc(hidden)]
    #[must_use]
    pub fn identity(&self) -> usize {
        self.cells.address()
    }
}

/// What there is room for in all and in the epoch, which after a restore may have more.
pub(super) fn room_of(observed: [Observations; 2]) -> u64 {
    let [total, since] = observed.map(Observations::room);
    total.min(since)
}

/// An amount for a wide sum, or why it is none: `takes` says what is one.
pub(super) fn wide(amount: f64, takes: &'static str) -> std::result::Result<WideSum, MetricError> {
    WideSum::of(amount).ok_or_else(|| MetricError::Amount {
        amount: format!("{amount:?}"),
        takes,
    })
}

/// As [`wide`], for several amounts.
pub(super) fn wide_of_all(
    amounts: &[f64],
    takes: &'static str,
) -> std::result::Result<WideSum, MetricError> {
    let mut all = amounts.iter();
    all.try_fold(WideSum::default(), |all, amount| {
        Ok(all.plus(wide(*amount, takes)?))
    })
}

/// Adds so many times to a wide sum; `false` where the amount is none.
#[inline]
pub(super) fn add_wide(cells: &[AtomicU64], amount: f64, times: u64) -> bool {
    let Some(amounts) = amounts(amount) else {
        return false;
    };
    // The coarse fraction comes last: it is to tell where the fine one is, and may lag behind.
    for (cell, add) in cells.iter().zip(amounts) {
        if add != 0 {
            // Wraps as so many additions would.
            let add = add.cast_unsigned().wrapping_mul(times);
            cell.fetch_add(add, Ordering::Relaxed);
        }
    }
    true
}

impl fmt::Debug for FractionCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FractionCounter").finish_non_exhaustive()
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
