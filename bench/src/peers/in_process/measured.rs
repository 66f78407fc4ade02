//! The crate `measured`, in its best case: label values that are known when the program is compiled, so
//! that a label set is an index and nothing is looked up.

use std::hint::black_box;

use measured::label::StaticLabelSet;
use measured::metric::histogram::Thresholds;
use measured::{Counter, CounterVec, FixedCardinalityLabel, Histogram, LabelGroup};

use super::{Crate, Outcome, observations, repeated, row_names, rows_of};
use crate::Result;
use crate::place::Bench;
use crate::samples::{self, BOUNDS};

pub(crate) const NAME: &str = "crate measured, in one process";

#[derive(Clone, Copy, FixedCardinalityLabel)]
enum Queue {
    Mail,
    Print,
    Index,
    Resize,
    Bill,
    Report,
}

#[derive(Clone, Copy, FixedCardinalityLabel)]
enum OutcomeOf {
    Done,
    Failed,
    Retried,
}

#[derive(LabelGroup)]
#[label(set = JobLabels)]
struct Job {
    queue: Queue,
    outcome: OutcomeOf,
}

/// In the order of `samples::QUEUES` and `samples::OUTCOMES`.
const QUEUES: [Queue; samples::QUEUES.len()] = [
    Queue::Mail,
    Queue::Print,
    Queue::Index,
    Queue::Resize,
    Queue::Bill,
    Queue::Report,
];
const OUTCOMES: [OutcomeOf; samples::OUTCOMES.len()] =
    [OutcomeOf::Done, OutcomeOf::Failed, OutcomeOf::Retried];

pub(crate) fn rows() -> Vec<String> {
    row_names("")
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let counter = Counter::new();
    let jobs = CounterVec::with_label_set(JobLabels {
        queue: StaticLabelSet::new(),
        outcome: StaticLabelSet::new(),
    });
    let seconds = Histogram::with_metadata(Thresholds::with_buckets(BOUNDS));
    let theirs = Crate {
        increment: repeated(move || black_box(&counter).inc()),
        labels: Box::new(move |n| {
            for (queue, outcome) in samples::labels(n) {
                jobs.inc(Job {
                    queue: QUEUES[queue],
                    outcome: OUTCOMES[outcome],
                });
            }
            Ok(())
        }),
        observe: observations(move |value| black_box(&seconds).observe(value)),
        digest: Box::new(|| {}),
        note: "",
    };
    rows_of(bench, NAME, &theirs)
}
