//! What `hyperfine --export-json` writes: for each command the times of its runs.

use std::path::Path;

use serde::Deserialize;

use super::{Measured, json, median};
use crate::exit::Failure;

#[derive(Deserialize)]
struct Document {
    results: Vec<Benchmark>,
}

#[derive(Deserialize)]
struct Benchmark {
    /// The command, or the name that was given to it.
    command: String,
    median: Option<f64>,
    mean: Option<f64>,
    #[serde(default)]
    times: Vec<f64>,
    #[serde(default)]
    exit_codes: Vec<Option<i32>>,
}

pub(super) fn read(text: &str, path: &Path) -> Result<Measured, Failure> {
    let document: Document = json(text, path, "hyperfine")?;
    let mut measured = Measured::default();
    for benchmark in document.results {
        let name = &benchmark.command;
        if benchmark.exit_codes.iter().any(|code| *code != Some(0)) {
            // With --ignore-failure: the time of what has failed says nothing of what works.
            measured
                .passed_over
                .push(format!("{name}: some of its runs failed"));
            continue;
        }
        let value = benchmark
            .median
            .or_else(|| median(benchmark.times))
            .or(benchmark.mean);
        match value {
            Some(seconds) => measured.add(name, seconds, path)?,
            None => measured.passed_over.push(format!("{name}: it has no time")),
        }
    }
    Ok(measured)
}
