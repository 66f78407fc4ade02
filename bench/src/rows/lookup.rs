//! Finding a series by name and labels when it is known already: the price of not holding a handle. Beside
//! it the crate `prometheus` does the same, whose vector is a map in the memory of one process.

use std::hint::black_box;
use std::path::Path;

use deespec::{Buckets, Family};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};

use crate::Result;
use crate::place::{self, Bench};
use crate::samples::{self, BOUNDS, OUTCOMES, QUEUES};
use crate::table::Line;
use crate::threads::{self, Work};
use crate::worker;

/// More than fits into a branch predictor's habit, few enough to stay in the cache.
const SERIES: usize = 64;
const MANY: usize = 10_000;
const NAME: &str = "jobs_total";
const SECONDS: &str = "job_seconds";
const AT_MOST: f64 = 1.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let theirs = IntCounterVec::new(Opts::new(NAME, "Jobs"), &["queue", "result"])?;
    let queues: Vec<String> = (0..SERIES).map(|index| format!("queue-{index}")).collect();
    let next = queues.iter().cycle();
    let ours = |queue: &String| store.counter_with(NAME, &[("queue", queue), ("result", "ok")]);
    let theirs = |queue: &String| theirs.with_label_values(&[queue.as_str(), "ok"]);
    for queue in &queues {
        ours(queue)?;
        theirs(queue);
    }
    let look_up = |n: u64| {
        for queue in next.clone().take(n as usize) {
            black_box(ours(queue)?);
        }
        Ok(())
    };
    let they_look_up = |n: u64| {
        for queue in next.clone().take(n as usize) {
            black_box(theirs(queue));
        }
        Ok(())
    };
    let increment = |n: u64| {
        for queue in next.clone().take(n as usize) {
            ours(queue)?.inc();
        }
        Ok(())
    };
    let they_increment = |n: u64| {
        for queue in next.clone().take(n as usize) {
            theirs(queue).inc();
        }
        Ok(())
    };
    let mut lines = beside(
        bench,
        "labelled lookup of a known series (two labels)",
        &look_up,
        &they_look_up,
    )?;
    lines.extend(beside(
        bench,
        "increment through labels (the same lookup each time)",
        &increment,
        &they_increment,
    )?);
    lines.extend(many(bench)?);
    lines.extend(histograms(bench)?);
    Ok(lines)
}

/// As many label sets as a large program has: each lookup meets memory that is not in the cache.
fn many(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let theirs = IntCounterVec::new(Opts::new(NAME, "Jobs"), &["queue", "result"])?;
    let queues: Vec<String> = (0..MANY).map(|index| format!("queue-{index}")).collect();
    let ours = |queue: &String| store.counter_with(NAME, &[("queue", queue), ("result", "ok")]);
    let theirs = |queue: &String| theirs.with_label_values(&[queue.as_str(), "ok"]);
    store.declare(&Family::counter(NAME).with_limit(MANY as u32))?;
    for queue in queues.iter().chain(&queues) {
        ours(queue)?;
        theirs(queue);
    }
    let next = queues.iter().cycle();
    let look_up = |n: u64| {
        for queue in next.clone().take(n as usize) {
            black_box(ours(queue)?);
        }
        Ok(())
    };
    let they_look_up = |n: u64| {
        for queue in next.clone().take(n as usize) {
            black_box(theirs(queue));
        }
        Ok(())
    };
    beside(
        bench,
        "labelled lookup of a known series among 10,000",
        &look_up,
        &they_look_up,
    )
}

/// Histograms, which have their buckets to find as well.
fn histograms(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let options = HistogramOpts::new(SECONDS, "Seconds").buckets(BOUNDS.to_vec());
    let theirs = HistogramVec::new(options, &["queue", "result"])?;
    store.declare(&Family::histogram(SECONDS, Buckets::classic(BOUNDS)?))?;
    let queues: Vec<String> = (0..SERIES).map(|index| format!("queue-{index}")).collect();
    let ours =
        |queue: &String| store.histogram_with(SECONDS, &[("queue", queue), ("result", "ok")]);
    let theirs = |queue: &String| theirs.with_label_values(&[queue.as_str(), "ok"]);
    for queue in &queues {
        ours(queue)?;
        theirs(queue);
    }
    let next = queues.iter().cycle();
    let look_up = |n: u64| {
        for queue in next.clone().take(n as usize) {
            black_box(ours(queue)?);
        }
        Ok(())
    };
    let they_look_up = |n: u64| {
        for queue in next.clone().take(n as usize) {
            black_box(theirs(queue));
        }
        Ok(())
    };
    beside(
        bench,
        "labelled lookup of a known histogram (two labels)",
        &look_up,
        &they_look_up,
    )
}

/// A row for each number of threads.
fn beside(bench: &Bench, what: &str, ours: &Work<'_>, theirs: &Work<'_>) -> Result<Vec<Line>> {
    let line = |(threads, how): (usize, &str)| {
        let what = format!("{what}, {how}");
        if threads > bench.cores {
            return Ok(Line::skipped(what, threads::ONE_CORE));
        }
        let pair = threads::turns(bench.effort, threads, ours, theirs, &|| {})?;
        Ok(Line::pair(what, "the crate prometheus", &pair, AT_MOST))
    };
    threads::HOWS.into_iter().map(line).collect()
}

/// A process that looks a counter up for each increment.
pub(crate) fn worker(place: &Path) -> Result<worker::Work> {
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
