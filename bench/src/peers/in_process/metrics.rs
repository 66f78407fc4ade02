//! The crate `metrics` with the recorder of `metrics-exporter-prometheus`, which is what its users run
//! to be scraped; without its HTTP server, which has no part in counting.
//!
//! An observation is only put on a list; the exporter's upkeep sorts the lists into buckets, every few
//! seconds. The time of that is left out, to its advantage.

use std::hint::black_box;

use metrics_exporter_prometheus::PrometheusBuilder;

use super::{Crate, Outcome, row_names, rows_of};
use crate::Result;
use crate::place::Bench;
use crate::samples::{self, BOUNDS, OUTCOMES, QUEUES, Values};

pub(crate) const NAME: &str = "crate metrics (Prometheus recorder), in one process";

/// An observation is only put on a list.
const NOTE: &str = "; theirs is sorted later";

pub(crate) fn rows() -> Vec<String> {
    row_names(NOTE)
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let exporter = PrometheusBuilder::new()
        .set_buckets(&BOUNDS)?
        .install_recorder()?;
    let counter = metrics::counter!("bench_increments_total");
    let seconds = metrics::histogram!("bench_seconds");
    let values = Values::new();
    let theirs = Crate {
        increment: Box::new(move |n| {
            for _ in 0..n {
                black_box(&counter).increment(1);
            }
            Ok(())
        }),
        labels: Box::new(|n| {
            for (queue, outcome) in samples::labels(n) {
                // Static texts, which it does not have to copy.
                let labels = [("queue", QUEUES[queue]), ("outcome", OUTCOMES[outcome])];
                metrics::counter!("jobs_total", &labels).increment(1);
            }
            Ok(())
        }),
        observe: Box::new(move |n| {
            for value in values.take(n) {
                black_box(&seconds).record(value);
            }
            Ok(())
        }),
        digest: Box::new(move || exporter.run_upkeep()),
        note: NOTE,
    };
    rows_of(bench, NAME, &theirs)
}
