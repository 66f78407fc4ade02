//! What could not be counted: counted itself, in the store, and told now and then. Senders get no answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deespec::{Counter, Error, Family, MetricError, Store, StoreError};

use super::line::Wrong;
use crate::config::Events;

const REJECTED: &str = "deespec_statsd_rejected_total";
const HELP: &str = "Lines and datagrams of statsd clients that could not be counted.";
/// How seldom it is told.
const PAUSE: Duration = Duration::from_secs(60);
/// So much of a line is told.
const SHOWN: usize = 100;

/// Why something was rejected; `docs/serving.md` has them in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Line,
    Type,
    Value,
    Name,
    Labels,
    Kind,
    Store,
    Size,
    Dropped,
    Reserved,
    Limit,
}

const REASONS: [Reason; 11] = [
    Reason::Line,
    Reason::Type,
    Reason::Value,
    Reason::Name,
    Reason::Labels,
    Reason::Kind,
    Reason::Store,
    Reason::Size,
    Reason::Dropped,
    Reason::Reserved,
    Reason::Limit,
];

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Type => "type",
            Self::Value => "value",
            Self::Name => "name",
            Self::Labels => "labels",
            Self::Kind => "kind",
            Self::Store => "store",
            Self::Size => "size",
            Self::Dropped => "dropped",
            Self::Reserved => "reserved",
            Self::Limit => "limit",
        }
    }
}

impl From<Wrong> for Reason {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Form => Self::Line,
            Wrong::Type => Self::Type,
            Wrong::Value => Self::Value,
            Wrong::Tags => Self::Labels,
        }
    }
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        let Error::Store(StoreError::Metric(error)) = error else {
            return Self::Store;
        };
        Self::from(&error)
    }
}

impl From<&MetricError> for Reason {
    fn from(error: &MetricError) -> Self {
        match error {
            MetricError::Name { .. } => Self::Name,
            MetricError::Kind { .. } => Self::Kind,
            // The one declaration that a lookup meets is that of a label that is reserved.
            _ => Self::Labels,
        }
    }
}

pub(super) struct Rejected {
    /// One for each of [`REASONS`].
    counters: Vec<Counter>,
    events: Arc<dyn Events>,
    untold: Mutex<Untold>,
}

/// What was rejected since it was told the last time.
#[derive(Default)]
struct Untold {
    told: Option<Instant>,
    number: u64,
    /// The last of them.
    example: Option<(Reason, String)>,
}

impl Rejected {
    /// With a counter for each reason from the beginning: a store that is full could not take it later.
    pub(super) fn new(store: &Store, events: Arc<dyn Events>) -> deespec::Result<Self> {
        // Another version may have said it in other words.
        let _ = store.declare(&Family::counter(REJECTED).with_help(HELP));
        let counter = |reason: Reason| store.counter_with(REJECTED, &[("reason", reason.as_str())]);
        Ok(Self {
            counters: REASONS.map(counter).into_iter().collect::<Result<_, _>>()?,
            events,
            untold: Mutex::default(),
        })
    }

    /// Counts what was rejected, and tells it where that was long ago.
    pub(super) fn count(&self, reason: Reason, number: u64, example: &[u8]) {
        if let Some(counter) = self.counters.get(reason as usize) {
            counter.add(number);
        }
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.number += number;
        let shown = example.get(..SHOWN).unwrap_or(example);
        untold.example = Some((reason, String::from_utf8_lossy(shown).into_owned()));
        if untold.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            self.tell(&mut untold);
        }
    }

    fn tell(&self, untold: &mut Untold) {
        if let Some((reason, example)) = untold.example.take() {
            let number = std::mem::take(&mut untold.number);
            self.events.rejected(number, reason.as_str(), &example);
            untold.told = Some(Instant::now());
        }
    }
}

impl Drop for Rejected {
    fn drop(&mut self) {
        let mut untold = std::mem::take(&mut self.untold);
        let untold = untold.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.tell(untold);
    }
}
