//! The words of the field: families, kinds, names, label sets, buckets and values. Knows nothing of files.

mod buckets;
mod distribution;
mod family;
mod key;
mod kind;
mod label;
pub(crate) mod lawful;
mod name;
mod outside;
mod value;
mod wide;

pub use buckets::Buckets;
pub use distribution::{Bucket, Distribution, Quantile};
pub use family::Family;
pub use kind::{Aggregation, Kind, Shape};
pub use label::{LabelSet, Labels};
pub use lawful::Lawful;
pub use name::{MetricError, check_series};
pub use outside::{COUNT_MAX, check_count, check_reserved};
pub use value::{Observations, Processes, Value};
pub use wide::{NotASum, WideSum};

pub(crate) use family::{HELP_MAX, OVERFLOW_LABEL, OVERFLOW_TOTAL};
pub(crate) use key::Key;
pub(crate) use name::{LABELS_MAX, check_label_set, check_metric_name};
pub(crate) use outside::room;
pub(crate) use wide::{WIDE_CELLS, amounts};

/// The built-in *transactions* family of every store: commits that succeeded, commits that failed,
/// compare-and-swap conflicts and recoveries.
pub const TRANSACTIONS: [&str; 4] = [
    "commit_success",
    "commit_failed",
    "cas_conflicts",
    "recovery_count",
];
