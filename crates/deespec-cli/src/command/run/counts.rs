//! Where a run is counted, and whether that is still there when it has ended.

use std::time::Duration;

use deespec::{
    Aggregation, Buckets, Error, Family, Histogram, MetricError, Options, ProcessGauge, Store,
    StoreError,
};

use super::Outcome;
use crate::exit::{Failure, chain};
use crate::location::Place;
use crate::ui::Ui;

/// The metrics of a job in a store.
pub(super) struct Counts {
    place: Place,
    store: Store,
    options: Options,
    job: String,
    seconds: Histogram,
    /// `None` where the store has another metric of that name, or its lock was held.
    in_flight: Option<ProcessGauge>,
}

impl Counts {
    /// Fails, before the command is started, where a job of this name cannot be counted.
    pub(super) fn new(
        place: Place,
        store: Store,
        options: Options,
        job: String,
    ) -> Result<Self, Failure> {
        declare(&store)?;
        let labels = [("job", job.as_str())];
        let seconds = store.histogram_with("run_seconds", &labels)?;
        // This process' share goes with it, also when it is killed.
        let in_flight = store.process_gauge_with("runs_in_flight", &labels).ok();
        if let Some(in_flight) = &in_flight {
            in_flight.set(1.0)?;
        }
        Ok(Self {
            place,
            store,
            options,
            job,
            seconds,
            in_flight,
        })
    }

    /// Counts what the command was, and publishes it. The command has run: its exit code stands, whatever becomes
    /// of the count.
    pub(super) fn end(mut self, outcome: Outcome, duration: Duration, ui: &Ui) {
        // As `git clean` does to a store in a work tree.
        if self.store.check_place().is_err() {
            let path = self.store.path().display().to_string();
            self = match self.follow() {
                Ok(found) => found,
                Err(failure) => {
                    let message = format!(
                        "the command has run, but its outcome is lost: the store at {path} was removed or replaced meanwhile, and {}",
                        failure.message
                    );
                    ui.failure(&Failure::new(message));
                    return;
                }
            };
            ui.warn(
                "The store was removed or replaced while the command ran; the outcome is in the one that is there now",
                vec![("path", path)],
            );
        }
        self.count_built_in(outcome, duration);
        let counted = self.count(outcome);
        if let Err(error) = &counted {
            let message = format!(
                "the command's outcome is counted, but not in runs_total of {}: {}",
                self.store.path().display(),
                chain(error)
            );
            ui.failure(&Failure::new(message));
        }
        let was_locked =
            |error: &Error| matches!(error, Error::Store(StoreError::LockTimeout { .. }));
        if counted.is_err_and(|error| was_locked(&error)) {
            // Whoever has the lock has it still; and the thread that waits for it goes with this process.
            std::mem::forget(self.store);
            return;
        }
        if let Err(error) = self.store.sync() {
            let locked = was_locked(&error);
            let reason = vec![("reason", chain(&error))];
            ui.warn(
                "The command's outcome is counted, but could not be published",
                reason,
            );
            if locked {
                std::mem::forget(self.store);
            }
        }
    }

    /// Turns to the store that is at the path now, or a new one.
    fn follow(self) -> Result<Self, Failure> {
        let (store, _) = self.place.make(&self.options, false)?;
        Self::new(self.place, store, self.options, self.job)
    }

    fn count_built_in(&self, outcome: Outcome, duration: Duration) {
        let transactions = self.store.transactions();
        match outcome {
            Outcome::Success => transactions.success.inc(),
            Outcome::Failure => transactions.failed.inc(),
            Outcome::Conflict => transactions.conflicts.inc(),
        }
        self.seconds.observe_duration(duration);
    }

    fn count(&self, outcome: Outcome) -> Result<(), Error> {
        let word = match outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Conflict => "conflict",
        };
        let labels = [("job", self.job.as_str()), ("outcome", word)];
        self.store.counter_with("runs_total", &labels)?.inc();
        // Before metrics.json is published, which would show it for long.
        match &self.in_flight {
            Some(in_flight) => in_flight.set(0.0),
            None => Ok(()),
        }
    }
}

/// Declares the families of all runs. What somebody else declared about them, such as another version
/// with other words, stands: that is no reason not to run.
fn declare(store: &Store) -> Result<(), Error> {
    let families = [
        Family::counter("runs_total").with_help("Commands that ran, by how they ended."),
        Family::histogram("run_seconds", Buckets::seconds())
            .with_unit("seconds")
            .with_help("How long commands ran."),
        Family::process_gauge("runs_in_flight", Aggregation::Sum)
            .with_help("Commands that are running now."),
    ];
    for family in families {
        match store.declare(&family) {
            // What somebody else has made of the name must not keep a command from running.
            Err(Error::Store(StoreError::Metric(
                MetricError::Disagrees { .. } | MetricError::Kind { .. },
            ))) => {}
            declared => declared?,
        }
    }
    Ok(())
}

/// A failure as the field of a log line.
pub(super) fn reason(failure: &Failure) -> Vec<(&'static str, String)> {
    vec![("reason", failure.message.clone())]
}
