//! Documents: what others read of a store, and the operations whose outcome is a document.
//!
//! Every document is a view that can be written again from cells and baselines. So each operation
//! here has one commit point in the store, and [`settle`] completes whatever a killed process left
//! undone behind it.

mod changes;
mod compaction;
mod counts;
mod diff;
mod document;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod history;
mod import;
mod name;
mod openmetrics;
mod outside;
mod own;
mod publish;
mod push;
mod restore;
mod retention;
mod rotation;
mod settle;
mod take;
mod time;
mod together;
mod totals;
mod view;

pub use changes::{Changed, Delta};
pub use compaction::Compaction;
pub use counts::TransactionCounts;
pub use diff::{Change, Diff};
pub use document::{Document, DocumentKind, SCHEMA_VERSION, Series};
pub use error::DocumentError;
pub use history::{
    History, HistoryPoint, HistoryQuery, HistorySeries, HistorySummary, HistoryValue, NotASeries,
    NotATime, SnapshotArchive, UnreadableSnapshot,
};
pub use import::Import;
pub use name::SnapshotName;
pub use publish::Published;
pub use push::{Push, PushError};
pub use restore::Restoration;
pub use retention::Retention;
pub use rotation::{Rotate, Rotation};
pub use take::Snapshot;
pub use totals::{PushBase, PushPart, Totals, Unpushed};
pub use view::{Sample, View};

pub(crate) use compaction::compact;
pub(crate) use history::{Memory, compact as compact_snapshots, history};
pub(crate) use import::{import, seed};
pub(crate) use own::mark as own_mark;
pub(crate) use publish::{publish, published_document};
pub(crate) use push::{Pushes, push};
pub(crate) use restore::restore;
pub(crate) use retention::prune;
pub(crate) use rotation::rotate;
pub(crate) use settle::{locked, settle_if_free};
pub(crate) use take::snapshot;
pub(crate) use view::{describe, view};
