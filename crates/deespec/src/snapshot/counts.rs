//! The four built-in counters, as documents and the gate see them.

/// The four built-in counters of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionCounts {
    /// Commits that succeeded.
    pub success: u64,
    /// Commits that failed.
    pub failed: u64,
    /// Compare-and-swap conflicts.
    pub conflicts: u64,
    /// Recoveries.
    pub recoveries: u64,
}

impl TransactionCounts {
    /// Commits that succeeded or failed.
    #[must_use]
    pub fn total_commits(&self) -> u64 {
        self.success.saturating_add(self.failed)
    }

    /// The share of commits that succeeded, in percent; `None` when there were no commits.
    ///
    /// ```
    /// let counts = deespec::TransactionCounts { success: 97, failed: 3, ..Default::default() };
    /// assert_eq!(counts.success_rate_percent(), Some(97.0));
    /// ```
    #[must_use]
    pub fn success_rate_percent(&self) -> Option<f64> {
        let total = self.total_commits();
        // Multiplied first, so that only one rounding happens.
        (total > 0).then(|| (u128::from(self.success) * 100) as f64 / total as f64)
    }
}
