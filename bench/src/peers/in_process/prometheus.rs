//! The crate `prometheus`: integer counters, and vectors of them that are found through a lock.

use std::hint::black_box;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use super::{Crate, Outcome, observations, repeated, row_names, rows_of};
use crate::Result;
use crate::place::Bench;
use crate::samples::{self, BOUNDS, OUTCOMES, QUEUES};

pub(crate) const NAME: &str = "crate prometheus, in one process";

pub(crate) fn rows() -> Vec<String> {
    row_names("")
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let registry = Registry::new();
    let counter = IntCounter::new("bench_increments_total", "Increments")?;
    let jobs = Opts::new("jobs_total", "Increments through labels");
    let jobs = IntCounterVec::new(jobs, &["queue", "outcome"])?;
    let seconds = HistogramOpts::new("bench_seconds", "Observations").buckets(BOUNDS.to_vec());
    let seconds = Histogram::with_opts(seconds)?;
    registry.register(Box::new(counter.clone()))?;
    registry.register(Box::new(jobs.clone()))?;
    registry.register(Box::new(seconds.clone()))?;
    let theirs = Crate {
        increment: repeated(move || black_box(&counter).inc()),
        labels: Box::new(move |n| {
            for (queue, outcome) in samples::labels(n) {
                jobs.with_label_values(&[QUEUES[queue], OUTCOMES[outcome]])
                    .inc();
            }
            Ok(())
        }),
        observe: observations(move |value| black_box(&seconds).observe(value)),
        digest: Box::new(|| {}),
        note: "",
    };
    rows_of(bench, NAME, &theirs)
}
