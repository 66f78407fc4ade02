//! The counter of what the facade's callers lose: they get no error, so it has to be seen elsewhere.

use std::sync::OnceLock;

use crate::metric::MetricError;
use crate::store::StoreError;
use crate::{Counter, Error, Family, Result, Store};

const REJECTED: &str = "deespec_recorder_rejected_total";
const HELP: &str = "Calls of the metrics facade that could not be counted.";

/// Why something was rejected; see the table of the [module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Name,
    Labels,
    Kind,
    Value,
    Reserved,
    Description,
    Store,
}

impl Reason {
    /// The reason of an error that the store gave when a series was looked up.
    pub(super) fn of(error: &Error) -> Self {
        let Error::Store(StoreError::Metric(error)) = error else {
            return Self::Store;
        };
        match error {
            MetricError::Name { .. } => Self::Name,
            MetricError::Kind { .. } => Self::Kind,
            MetricError::Reserved { .. } => Self::Reserved,
            // The one declaration that a lookup meets is that of a label that is reserved.
            _ => Self::Labels,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Labels => "labels",
            Self::Kind => "kind",
            Self::Value => "value",
            Self::Reserved => "reserved",
            Self::Description => "description",
            Self::Store => "store",
        }
    }
}

pub(super) struct Rejected {
    store: Store,
    /// Counts what the store cannot take. It exists before the first series of the program, since a
    /// store that is full could not take it either.
    by_store: OnceLock<Counter>,
}

impl Rejected {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            by_store: OnceLock::new(),
        }
    }

    /// Makes the counter that must exist before all others.
    pub(super) fn check(&self) -> Result<()> {
        if self.by_store.get().is_none() {
            // Another version may have said it in other words.
            let _ = self
                .store
                .declare(&Family::counter(REJECTED).with_help(HELP));
            let labels = [("reason", Reason::Store.as_str())];
            let counter = self.store.counter_with(REJECTED, &labels)?;
            let _ = self.by_store.set(counter);
        }
        Ok(())
    }

    /// As [`Rejected::check`]; that it fails is noted nowhere, the next call tries again.
    pub(super) fn prepare(&self) {
        let _ = self.check();
    }

    /// What counts the rejected calls of one metric.
    pub(super) fn counter(&self, metric: &str, reason: Reason) -> Option<Counter> {
        let own = || {
            let metric = crate::metric::lawful::cut_value(metric);
            let labels = [("metric", &*metric), ("reason", reason.as_str())];
            self.store.counter_with(REJECTED, &labels).ok()
        };
        let known = (reason != Reason::Store).then(own).flatten();
        known.or_else(|| self.by_store.get().cloned())
    }

    pub(super) fn count(&self, metric: &str, reason: Reason, calls: u64) {
        if let Some(counter) = self.counter(metric, reason) {
            counter.add(calls);
        }
    }
}
