//! What Google Benchmark writes with `--benchmark_format=json` or `--benchmark_out=FILE`.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Measured, json, median, unit};
use crate::exit::Failure;

#[derive(Deserialize)]
struct Document {
    context: Context,
    benchmarks: Vec<Benchmark>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    date: String,
}

#[derive(Deserialize)]
struct Benchmark {
    name: String,
    /// The name without what it is an aggregate of; old versions do not have it.
    run_name: Option<String>,
    run_type: Option<String>,
    aggregate_name: Option<String>,
    real_time: Option<f64>,
    time_unit: Option<String>,
    #[serde(default)]
    error_occurred: bool,
}

/// Of one benchmark: its repetitions, and the median where the tool has it.
#[derive(Default)]
struct Times {
    repetitions: Vec<f64>,
    median: Option<f64>,
}

pub(super) fn read(text: &str, path: &Path) -> Result<Measured, Failure> {
    let document: Document = json(text, path, "Google Benchmark")?;
    let mut measured = Measured {
        at: document.context.date.parse::<Timestamp>().ok(),
        id: document.context.date,
        ..Measured::default()
    };
    let mut all: BTreeMap<String, Times> = BTreeMap::new();
    for benchmark in document.benchmarks {
        let name = benchmark.run_name.unwrap_or(benchmark.name);
        if benchmark.error_occurred {
            measured.passed_over.push(format!("{name}: it failed"));
            continue;
        }
        let is_aggregate = benchmark.run_type.as_deref() == Some("aggregate");
        // Of aggregates the median alone is a time of this benchmark; the complexity has no time at all.
        if is_aggregate && benchmark.aggregate_name.as_deref() != Some("median") {
            continue;
        }
        let of_unit = unit(benchmark.time_unit.as_deref().unwrap_or("ns"));
        let (Some(time), Some(unit)) = (benchmark.real_time, of_unit) else {
            measured
                .passed_over
                .push(format!("{name}: it has no time in ns, us, ms or s"));
            continue;
        };
        let times = all.entry(name).or_default();
        match is_aggregate {
            true => times.median = Some(time * unit),
            false => times.repetitions.push(time * unit),
        }
    }
    for (name, times) in all {
        if let Some(seconds) = times.median.or_else(|| median(times.repetitions)) {
            measured.add(&name, seconds, path)?;
        }
    }
    Ok(measured)
}
