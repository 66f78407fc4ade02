//! What series were over time, by the snapshots, however many there are.
//!
//! The snapshots are the truth. Whatever is read of one is copied into the archive, which has a column for
//! each series; so a query reads the columns that it asks for and no document. Without the archive, or with a
//! damaged one, answers are the same and take longer. The rooms, from the outside in: `order` (what came after what), `query` (what is
//! asked) → `answer` (what is shown) → `state` (what is known) → `gather` (learning what is new) → `archive` (the files) →
//! `part`, `column`, `value`, `varint` (bytes only).

mod answer;
mod archive;
mod column;
mod compact;
mod folder;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod gather;
mod order;
mod part;
mod query;
mod stamp;
mod state;
mod thin;
mod value;
mod varint;

pub use answer::{History, HistoryPoint, HistorySeries, UnreadableSnapshot};
pub use compact::SnapshotArchive;
pub use query::{HistoryQuery, NotASeries, NotATime};
pub use value::{HistorySummary, HistoryValue};

pub(crate) use answer::history;
pub(crate) use compact::compact;
pub(super) use folder::{names, newest_behind};
pub(crate) use state::Memory;
