//! What other tools write, as runs: one file a format. Texts only; this file alone opens anything.

mod criterion;
mod google;
mod hyperfine;
mod lines;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use deespec::Lawful;
use deespec::gate::{Accepted, Run};
use jiff::Timestamp;
use serde_json::Value;

use super::super::file::BYTES;
use super::super::record::seconds;
use crate::exit::Failure;
use crate::files;

/// What wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Csv,
    Jsonl,
    GoogleBenchmark,
    Criterion,
    Hyperfine,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::GoogleBenchmark => "google-benchmark",
            Self::Criterion => "criterion",
            Self::Hyperfine => "hyperfine",
        }
    }

    /// Whether a file has several runs, each with its name.
    pub(super) fn has_names(self) -> bool {
        matches!(self, Self::Csv | Self::Jsonl)
    }
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) runs: Vec<Run>,
    pub(super) accepted: Vec<Accepted>,
    /// What could not be used, a sentence each.
    pub(super) passed_over: Vec<String>,
}

/// What one run of a tool has measured.
#[derive(Debug, Default)]
struct Measured {
    /// The tool's own word for the run; empty where it has none.
    id: String,
    at: Option<Timestamp>,
    values: BTreeMap<String, f64>,
    passed_over: Vec<String>,
}

impl Measured {
    /// Takes a value by the name that the tool has for it.
    fn add(&mut self, name: &str, seconds: f64, path: &Path) -> Result<(), Failure> {
        let metric = lawful(name) + "_seconds";
        if !seconds.is_finite() {
            self.passed_over
                .push(format!("{name}: it is not a finite number"));
        } else if self.values.insert(metric.clone(), seconds).is_some() {
            return Err(Failure::new(format!(
                "{}: two benchmarks would both be called {metric}, one of them {name:?}",
                path.display()
            ))
            .hint("give one of them another name"));
        }
        Ok(())
    }
}

/// A name from elsewhere as a metric can have it.
fn lawful(name: &str) -> String {
    Lawful::new(name, []).name().to_owned()
}

/// Reads a file, or the folder of Criterion.
pub(super) fn read(path: &Path, format: Option<Format>) -> Result<(Format, Found), Failure> {
    let cannot = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    if path.is_dir() {
        return match format {
            None | Some(Format::Criterion) => {
                Ok((Format::Criterion, found(criterion::folder(path)?, path)))
            }
            Some(_) => Err(Failure::new(format!("{} is a folder", path.display()))),
        };
    }
    let text = files::read(path, BYTES).map_err(cannot)?;
    if text.len() as u64 > BYTES {
        let message = format!(
            "{}: more than {} MiB are no results",
            path.display(),
            BYTES >> 20
        );
        return Err(Failure::new(message));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let guessed = format.or_else(|| guess(text, path)).ok_or_else(|| {
        Failure::new(format!("cannot tell what wrote {}", path.display()))
            .hint("say it with --format: csv, jsonl, google-benchmark, criterion or hyperfine")
    })?;
    let found = match guessed {
        Format::Csv => table::read(text, path)?,
        Format::Jsonl => lines::read(text, path)?,
        Format::GoogleBenchmark => found(google::read(text, path)?, path),
        Format::Criterion => found(criterion::read(text, path)?, path),
        Format::Hyperfine => found(hyperfine::read(text, path)?, path),
    };
    if found.runs.is_empty() && found.accepted.is_empty() {
        let message = format!("{} has no run", path.display());
        return Err(Failure::new(message).hint(format!("it was read as {}", guessed.name())));
    }
    Ok((guessed, found))
}

/// What the content is, and where it does not tell, the name.
fn guess(text: &str, path: &Path) -> Option<Format> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if let Some("csv" | "tsv") = extension {
        return Some(Format::Csv);
    }
    if !text.trim_start().starts_with('{') {
        let header = text.lines().next().unwrap_or_default();
        let mut columns = header
            .split([',', ';', '\t'])
            .map(|name| name.trim().trim_matches('"'));
        return columns.any(|name| name == "run").then_some(Format::Csv);
    }
    let first = serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .next();
    let first = first.and_then(Result::ok)?;
    let has = |key: &str| first.get(key).is_some();
    if has("benchmarks") && has("context") {
        Some(Format::GoogleBenchmark)
    } else if first.get("results").is_some_and(Value::is_array) {
        Some(Format::Hyperfine)
    } else if has("reason") || first.pointer("/median/point_estimate").is_some() {
        Some(Format::Criterion)
    } else if has("run") {
        Some(Format::Jsonl)
    } else {
        None
    }
}

/// One run; its time is that of the file where the tool does not say.
fn found(measured: Measured, path: &Path) -> Found {
    let modified = || Timestamp::try_from(path.metadata().ok()?.modified().ok()?).ok();
    let run = Run {
        id: measured.id,
        at: measured.at.or_else(modified).map(seconds),
        values: measured.values,
        ..Run::default()
    };
    Found {
        runs: if run.values.is_empty() {
            Vec::new()
        } else {
            vec![run]
        },
        passed_over: measured.passed_over,
        ..Found::default()
    }
}

/// A text as JSON, or why it is none.
fn json<T: serde::de::DeserializeOwned>(text: &str, path: &Path, what: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!("{}:{}", path.display(), error.line());
        let reason = error.to_string();
        let reason = reason
            .rsplit_once(" at line ")
            .map_or(&*reason, |(reason, _)| reason);
        Failure::new(format!("{place}: this is no JSON of {what}: {reason}"))
    })
}

/// The middle of what was measured, or of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(f64::midpoint(values[last / 2], values[last.div_ceil(2)]))
}

/// The seconds of a unit by its short name.
fn unit(name: &str) -> Option<f64> {
    Some(match name {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}
