//! What was measured run by run: the lines of a history file. This room reads and writes text that somebody else
//! has opened.
//!
//! `docs/format.md` section 5 says what the lines are; it is changed first.

mod error;
mod measure;
mod merge;
mod parse;
mod write;

#[cfg(test)]
mod measure_tests;
#[cfg(test)]
mod tests;

pub use error::HistoryError;
pub use merge::merge;

use std::collections::BTreeMap;

use super::rules::Status;

/// The schema that a line of a history names.
pub const RUN_SCHEMA: &str = "deespec.run/1";
/// The schema of a line that accepts a new level.
pub const ACCEPT_SCHEMA: &str = "deespec.accept/1";

/// The runs of a history, the oldest first, and the new levels that somebody has accepted.
///
/// ```
/// use deespec::gate::History;
/// use std::path::Path;
///
/// let text = r#"
/// {"schema":"deespec.run/1","run":"12","at":"2026-11-28T11:00:00Z","branch":"main","values":{"jobs":7}}
/// {"schema":"deespec.run/1","run":"11","at":"2026-11-28T10:00:00Z","branch":"main","values":{"jobs":5}}
/// "#;
/// let history = History::parse(text, Path::new("gate-history.jsonl"))?;
/// let jobs: Vec<_> = history.runs.iter().filter_map(|run| run.value("jobs")).collect();
/// assert_eq!(jobs, [5.0, 7.0]);
/// # Ok::<(), deespec::gate::HistoryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The runs, in their order.
    pub runs: Vec<Run>,
    /// The accepted levels, in their order.
    pub accepted: Vec<Accepted>,
    /// What counters grew by from one snapshot of a store to the next: finer than runs, for error budgets.
    pub increments: Vec<Run>,
    /// What was passed over, a sentence each: lines that a killed writer has left unfinished.
    pub skipped: Vec<String>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// What it is called.
    pub id: String,
    /// When it was recorded, in seconds since 1970; `None` where nobody said.
    pub at: Option<f64>,
    /// Its branch; empty where nobody said.
    pub branch: String,
    /// Its kind of machine; empty where nobody said.
    pub host_class: String,
    /// How it ended.
    pub status: Status,
    /// The store and the epoch that it was recorded from, as `STORE/EPOCH`; empty where it was none.
    pub epoch: String,
    /// What was measured, by the metric as a rule writes it; only finite numbers.
    pub values: BTreeMap<String, f64>,
    /// The value of a line `{"run": 7, "value": 1.5}`, which stands for whatever metric is asked for.
    pub value: Option<f64>,
}

impl Run {
    /// The value of a metric; `None` where it was not measured.
    pub fn value(&self, metric: &str) -> Option<f64> {
        self.values.get(metric).copied().or(self.value)
    }
}

/// A new level that somebody has accepted: what came before it is forgotten by this rule's metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The rule's id.
    pub rule: String,
    /// The first run of the new level.
    pub run: String,
    /// Why.
    pub reason: String,
    /// When, as an RFC 3339 time.
    pub at: String,
}
