//! Counters: the handles that increments go through.

use std::fmt;
use std::sync::Arc;

use crate::store::Cells;

use super::store::Inner;

/// A value that only grows within an epoch.
///
/// An increment is one relaxed atomic add to memory that all processes share: no lock, no system
/// call, no allocation. Clone it freely; keep it instead of looking it up each time. The store
/// stays open for as long as a handle lives.
#[derive(Clone)]
pub struct Counter {
    pub(super) cells: Cells,
    pub(super) _store: Arc<Inner>,
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
