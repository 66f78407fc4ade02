//! Exact, crash-safe counters that many processes share.
//!
//! A counter is a set of 64-bit cells in a memory-mapped file. An increment is one atomic add: no
//! lock, no system call. It is counted once whatever the number of processes and threads, and a
//! `kill -9` loses nothing that returned.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("var");
//! use deespec::{Rotate, Store};
//!
//! let store = Store::open(&path)?;
//! store.transactions().success.inc();
//!
//! let requests = store.counter_with("requests_total", &[("code", "200")])?;
//! requests.add(3);
//!
//! assert_eq!(store.view()?.transactions.success, 1);
//! let closed = store.rotate(Rotate::Reset)?;
//! assert_eq!(closed.closing.series[0].value.counter(), Some(3));
//! assert_eq!(store.view()?.value("requests_total", &[("code", "200")]), Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Modules import one way: [`Store`] and its handles → `snapshot` (documents) → `store` (cells,
//! epochs, durability) → `metric` (names) → `sync` (atomics); [`gate`] and [`exposition`] are pure functions over a view.
//! With the feature `metrics`, the module `recorder` stands above the handles: a recorder for programs that count
//! through the [`metrics`](https://docs.rs/metrics) facade.

// What needs a feature says so on docs.rs, which alone sets this.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod exposition;
pub mod gate;
#[cfg(feature = "metrics")]
pub mod recorder;

mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod metric;
mod protection;
mod snapshot;
mod store;
mod sync;

pub use error::{Error, Result};
pub use handle::{
    Counter, FractionCounter, Gauge, Health, Histogram, Options, ProcessGauge, Store, SumGauge,
    Summary, Transactions, Weakness, WideHistogram,
};
pub use metric::{
    Aggregation, Bucket, Buckets, COUNT_MAX, Distribution, Family, Kind, LabelSet, Labels, Lawful,
    MetricError, NotASum, Observations, Processes, Quantile, Shape, TRANSACTIONS, Value, WideSum,
    check_count, check_reserved, check_series,
};
pub use snapshot::{
    Change, Changed, Compaction, Delta, Diff, Document, DocumentError, DocumentKind, History,
    HistoryPoint, HistoryQuery, HistorySeries, HistorySummary, HistoryValue, Import, NotASeries,
    NotATime, Published, Push, PushBase, PushError, PushPart, Restoration, Retention, Rotate,
    Rotation, SCHEMA_VERSION, Sample, Series, Snapshot, SnapshotArchive, SnapshotName, Totals,
    TransactionCounts, Unpushed, UnreadableSnapshot, View,
};
#[doc(hidden)]
pub use store::socket_drops;
pub use store::{
    Beginning, Exposure, FORMAT_VERSION, FaultInjector, Holder, NotAStoreId, Operation, Place,
    PlaceClass, StoreError, StoreId, Unfit,
};
