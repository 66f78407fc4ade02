//! Two processes count into one store through the macros of the `metrics` facade:
//!
//! ```sh
//! cargo run -p deespec --features metrics --example two_processes
//! ```
//!
//! The program starts itself a second time. Both do the same work at the same time, each with two
//! threads; then the first one reads the store and prints the sums, which are exact.
#![expect(
    clippy::print_stdout,
    reason = "an example shows what it does; the library prints nothing"
)]

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::thread;

use deespec::recorder::{Matcher, Recorder};
use deespec::{Buckets, Store};

/// What each of the four threads does.
const JOBS: u32 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    // The second process is told where the store is.
    if let Some(path) = std::env::args_os().nth(1) {
        return work(Path::new(&path), "second");
    }

    // A folder that is removed at the end; a real program has a fixed place, such as `.deespec/var`.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("var");

    let mut second = Command::new(std::env::current_exe()?).arg(&path).spawn()?;
    work(&path, "first")?;
    if !second.wait()?.success() {
        return Err("the second process failed".into());
    }

    show(&Store::open(&path)?)
}

/// A program that is instrumented already needs the first two lines; everything below them is the
/// facade's own.
fn work(path: &Path, process: &'static str) -> Result<(), Box<dyn Error>> {
    let store = Store::open(path)?;
    Recorder::new(&store)
        .buckets_for(Matcher::Suffix("_bytes"), Buckets::native(2, 64.0, 1e9)?)
        .install()?;

    metrics::describe_counter!("jobs.done", "Jobs that were done.");
    metrics::describe_histogram!(
        "job_seconds",
        metrics::Unit::Seconds,
        "How long a job takes."
    );
    // Each process has its own share of a gauge; it goes when the process ends.
    metrics::gauge!("worker_threads").set(2);

    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // A handle that is kept is the fastest.
                let done = metrics::counter!("jobs.done", "process" => process);
                for job in 0..JOBS {
                    done.increment(1);
                    metrics::counter!("jobs.bytes").increment(100);
                    metrics::histogram!("job_seconds").record(f64::from(job % 4) * 0.25);
                    metrics::histogram!("job_bytes").record(100);
                }
            });
        }
    });

    // The counts are in the store already; this makes them durable and publishes `metrics.json`.
    store.sync()?;
    Ok(())
}

fn show(store: &Store) -> Result<(), Box<dyn Error>> {
    let view = store.view()?;
    for sample in &view.series {
        let labels: Vec<String> = sample
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let what = format!("{}{{{}}}", sample.name, labels.join(","));
        if let Some(count) = sample.value.counter() {
            println!("{what:58} {count:>9}");
        } else if let Some(waits) = sample.value.histogram() {
            println!("{what:58} {:>9}  sum {}", waits.count(), waits.sum());
        } else if let Some(value) = sample.value.gauge() {
            println!("{what:58} {value:>9}");
        }
    }

    let all = u64::from(4 * JOBS);
    let done = ["first", "second"].map(|p| view.value("jobs_done", &[("process", p)]));
    assert_eq!(done, [Some(all / 2); 2]);
    assert_eq!(view.value("jobs_bytes", &[]), Some(100 * all));
    let seconds = view.sample("job_seconds", &[]);
    let seconds = seconds.and_then(|sample| sample.value.histogram());
    assert_eq!(seconds.map(|seconds| seconds.count()), Some(all));
    println!("exact: two processes did {all} jobs, and {all} were counted");
    Ok(())
}
