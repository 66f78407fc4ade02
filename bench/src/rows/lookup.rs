//! Finding a series by name and labels when it is known already: the price of not holding a handle.

use std::hint::black_box;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

/// More than fits into a branch predictor's habit, few enough to stay in the cache.
const SERIES: usize = 64;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let queues: Vec<String> = (0..SERIES).map(|index| format!("queue-{index}")).collect();
    for queue in &queues {
        store.counter_with("jobs_total", &[("queue", queue), ("result", "ok")])?;
    }
    let mut next = queues.iter().cycle();
    let time = measure::alone(bench.effort, |n| {
        for queue in next.by_ref().take(n as usize) {
            black_box(store.counter_with("jobs_total", &[("queue", queue), ("result", "ok")])?);
        }
        Ok(())
    })?;
    Ok(vec![Line::limit(
        "labelled lookup of a known series (two labels)",
        Nanoseconds(time),
        Nanoseconds(100.0),
    )])
}
