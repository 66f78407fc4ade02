//! The words of the field: kinds of metric, metric names and label sets, how histograms sort. Knows nothing of files.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the store will keep histograms")
)]
mod buckets;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the store will keep histograms")
)]
mod distribution;
mod key;
mod label;
mod name;

use serde::{Deserialize, Serialize};

pub use buckets::Buckets;
pub use distribution::{Bucket, Distribution, Quantile};
pub use label::LabelSet;
pub use name::{MetricError, check_series};

pub(crate) use key::Key;
pub(crate) use name::{check_label_set, check_metric_name};

/// The built-in *transactions* family of every store: commits that succeeded, commits that failed,
/// compare-and-swap conflicts and recoveries.
pub const TRANSACTIONS: [&str; 4] = [
    "commit_success",
    "commit_failed",
    "cas_conflicts",
    "recovery_count",
];

/// What kind of metric a series belongs to, as it is stored in its registry entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A value that only grows within an epoch.
    Counter,
}

impl Kind {
    /// The word that JSON documents and exposition formats use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Counter => 1,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        (code == 1).then_some(Self::Counter)
    }
}
