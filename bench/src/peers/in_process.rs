//! Crates that count within one process, in the memory of that process: no peers in what they
//! promise, but the price that people are used to.
//!
//! Each thread does the same: an increment through a held handle, an increment through two labels with
//! six and three values, and an observation in a histogram of eleven bounds; alone, and two threads at
//! once on the same metrics. Of two threads the slower one counts.

use std::hint::black_box;

use deespec::{Buckets, Family};

use crate::Result;
use crate::place::{self, Bench};
use crate::rows::lookup;
use crate::samples::{BOUNDS, Values};
use crate::table::PeerLine;
use crate::threads;

use super::Outcome;

pub(crate) mod measured;
pub(crate) mod metrics;
pub(crate) mod prometheus;

/// Does the thing so many times; several threads may call it at once.
type Work = Box<dyn Fn(u64) -> Result<()> + Sync>;

/// The same thing so many times.
fn repeated(work: impl Fn() + Sync + 'static) -> Work {
    Box::new(move |n| {
        for _ in 0..n {
            work();
        }
        Ok(())
    })
}

/// So many observations, of values that are the same for all crates.
fn observations(observe: impl Fn(f64) + Sync + 'static) -> Work {
    let values = Values::new();
    Box::new(move |n| {
        for value in values.take(n) {
            observe(value);
        }
        Ok(())
    })
}

/// What is measured of a crate.
struct Crate {
    increment: Work,
    labels: Work,
    observe: Work,
    /// What the crate does with observations later, outside the time of an observation.
    digest: Box<dyn Fn() + Sync>,
    /// What its reader should know of the observations.
    note: &'static str,
}

/// What is measured of a crate, with its note on observations.
fn whats(note: &str) -> [String; 3] {
    [
        "increment, handle held".to_owned(),
        "increment through two labels".to_owned(),
        format!("observation, 11 bounds, handle held{note}"),
    ]
}

/// The names of the rows of a crate.
fn row_names(note: &str) -> Vec<String> {
    let of = |what: String| threads::HOWS.map(|(_, how)| format!("{what}, {how}"));
    whats(note).into_iter().flat_map(of).collect()
}

/// The rows of a crate, each measured in turns with DeeSpec.
fn rows_of(bench: &Bench, name: &'static str, theirs: &Crate) -> Result<Outcome> {
    let folder = bench.on_disk()?;
    let ours = deespec(&place::open(&folder.path().join("var"))?)?;
    let mut lines = Vec::new();
    for (what, (ours, works)) in whats(theirs.note).into_iter().zip([
        (&ours.increment, &theirs.increment),
        (&ours.labels, &theirs.labels),
        (&ours.observe, &theirs.observe),
    ]) {
        for (threads, how) in threads::HOWS {
            let what = format!("{what}, {how}");
            lines.push(if threads > bench.cores {
                PeerLine::skipped(name, what, threads::ONE_CORE)
            } else {
                let pair = threads::turns(bench.effort, threads, ours, works, &theirs.digest)?;
                PeerLine::pair(name, what, &pair)
            });
        }
    }
    Ok(Outcome::Measured(lines))
}

/// DeeSpec under the conditions of its peers: one process, metrics that its threads share.
fn deespec(store: &deespec::Store) -> Result<Crate> {
    let counter = store.counter("bench_increments_total")?;
    store.declare(&Family::histogram(
        "bench_seconds",
        Buckets::classic(BOUNDS)?,
    ))?;
    let histogram = store.histogram("bench_seconds")?;
    let values = Values::new();
    let store = store.clone();
    Ok(Crate {
        increment: Box::new(move |n| {
            for _ in 0..n {
                black_box(&counter).inc();
            }
            Ok(())
        }),
        labels: Box::new(move |n| lookup::increments(&store, n)),
        observe: Box::new(move |n| {
            for value in values.take(n) {
                black_box(&histogram).observe(value);
            }
            Ok(())
        }),
        digest: Box::new(|| {}),
        note: "",
    })
}
