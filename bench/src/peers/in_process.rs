//! Crates that count within one process, in the memory of that process: no peers in what they
//! promise, but the price that people are used to.
//!
//! Each thread does the same: an increment through a held handle, an increment through two labels with
//! six and three values, and an observation in a histogram of eleven bounds; alone, and two threads at
//! once on the same metrics. Of two threads the slower one counts.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use deespec::{Buckets, Family};

use crate::Result;
use crate::measure::{self, Pair};
use crate::place::{self, Bench};
use crate::rows::lookup;
use crate::samples::{BOUNDS, Values};
use crate::table::PeerLine;

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

/// The rows of a crate, each measured in turns with DeeSpec.
fn rows(bench: &Bench, name: &'static str, theirs: &Crate) -> Result<Outcome> {
    let folder = bench.on_disk()?;
    let ours = deespec(&place::open(&folder.path().join("var"))?)?;
    let observation = format!("observation, 11 bounds, handle held{}", theirs.note);
    let mut lines = Vec::new();
    for (what, ours, theirs, digest) in [
        (
            "increment, handle held",
            &ours.increment,
            &theirs.increment,
            &theirs.digest,
        ),
        (
            "increment through two labels",
            &ours.labels,
            &theirs.labels,
            &theirs.digest,
        ),
        (&observation, &ours.observe, &theirs.observe, &theirs.digest),
    ] {
        for threads in [1, 2] {
            if threads > bench.cores {
                continue;
            }
            let how = if threads == 1 {
                "1 thread"
            } else {
                "2 threads at once, each"
            };
            let pair = turns(bench, threads, ours, theirs, digest)?;
            lines.push(PeerLine::pair(name, format!("{what}, {how}"), &pair));
        }
    }
    if bench.cores < 2 {
        let reason = "2 threads at once need two cores, this machine has one";
        lines.push(PeerLine::skipped(name, reason));
    }
    Ok(Outcome::Measured(lines))
}

fn turns(
    bench: &Bench,
    threads: usize,
    ours: &Work,
    theirs: &Work,
    digest: &(impl Fn() + ?Sized),
) -> Result<Pair> {
    // The start of a thread is not the same moment as the other's; such a batch makes it negligible.
    let batch = bench.effort.batch * threads as u32 * 2;
    let our_n = measure::calibrate(batch, &mut |n| ours(n))?;
    let their_n = measure::calibrate(batch, &mut |n| {
        theirs(n)?;
        digest();
        Ok(())
    })?;
    measure::turns(
        bench.effort.rounds,
        || at_once(threads, our_n, ours),
        || {
            let time = at_once(threads, their_n, theirs);
            digest();
            time
        },
    )
}

/// Nanoseconds per iteration of the slowest thread.
fn at_once(threads: usize, n: u64, work: &Work) -> Result<f64> {
    let ready = AtomicUsize::new(0);
    let one = || -> std::result::Result<Duration, String> {
        // Whoever slept until the other is there would come late: all of them run when it begins.
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < threads {
            std::hint::spin_loop();
        }
        let begin = Instant::now();
        work(n).map_err(|error| error.to_string())?;
        Ok(begin.elapsed())
    };
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        for thread in running {
            let time = thread.join().map_err(|_| "a thread panicked")??;
            slowest = slowest.max(time);
        }
        Ok(())
    })?;
    Ok(measure::nanoseconds(slowest) / n as f64)
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
