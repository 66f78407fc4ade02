//! What was measured run by run: the lines of a history file. This room reads and writes text that somebody else
//! has opened.

use std::collections::BTreeMap;

use super::rules::Status;

/// The schema that a line of a history names.
pub const RUN_SCHEMA: &str = "deespec.run/1";

/// The runs of a history, the oldest first, and the new levels that somebody has accepted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The runs, in their order.
    pub runs: Vec<Run>,
    /// The accepted levels, in their order.
    pub accepted: Vec<Accepted>,
    /// What counters grew by from one snapshot of a store to the next: finer than runs, for error budgets.
    pub increments: Vec<Run>,
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
