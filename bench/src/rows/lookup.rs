//! Finding a series by name and labels when it is known already: the price of not holding a handle.

use std::hint::black_box;
use std::path::Path;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::samples::{self, OUTCOMES, QUEUES};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;
use crate::worker::Work;

/// More than fits into a branch predictor's habit, few enough to stay in the cache.
const SERIES: usize = 64;
const NAME: &str = "jobs_total";
const LIMIT: f64 = 100.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let queues: Vec<String> = (0..SERIES).map(|index| format!("queue-{index}")).collect();
    for queue in &queues {
        store.counter_with(NAME, &[("queue", queue), ("result", "ok")])?;
    }
    let next = queues.iter().cycle();
    let lookup = measure::alone(bench.effort, |n| {
        for queue in next.clone().take(n as usize) {
            black_box(store.counter_with(NAME, &[("queue", queue), ("result", "ok")])?);
        }
        Ok(())
    })?;
    let increment = measure::alone(bench.effort, |n| {
        for queue in next.clone().take(n as usize) {
            store
                .counter_with(NAME, &[("queue", queue), ("result", "ok")])?
                .inc();
        }
        Ok(())
    })?;
    Ok(vec![
        Line::limit(
            "labelled lookup of a known series (two labels)",
            Nanoseconds(lookup),
            Nanoseconds(LIMIT),
        ),
        Line::limit(
            "increment through labels (the same lookup each time)",
            Nanoseconds(increment),
            Nanoseconds(LIMIT),
        ),
    ])
}

/// A process that looks a counter up for each increment.
pub(crate) fn worker(place: &Path) -> Result<Work> {
    let store = place::open(place)?;
    Ok(Box::new(move |n| increments(&store, n)))
}

/// Increments through the labels that every peer has too.
pub(crate) fn increments(store: &deespec::Store, n: u64) -> Result<()> {
    for (queue, outcome) in samples::labels(n) {
        let labels = [("queue", QUEUES[queue]), ("outcome", OUTCOMES[outcome])];
        store.counter_with(NAME, &labels)?.inc();
    }
    Ok(())
}
