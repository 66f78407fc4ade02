//! Tables in CSV: a row a run with a column for each metric, or a row a value with the columns run, metric, value.

use std::collections::HashMap;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};
use deespec::gate::{Run, Status, Term};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::super::record::seconds;
use super::{Found, lawful};
use crate::exit::Failure;

/// Columns that are no metric.
const KNOWN: [&str; 6] = ["run", "at", "branch", "host_class", "status", "epoch"];

/// What stands where nothing was measured.
const NOTHING: [&str; 6] = ["", "null", "NaN", "nan", "NA", "-"];

pub(super) fn read(text: &str, path: &Path) -> Result<Found, Failure> {
    let header = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b'\t', b';']
        .into_iter()
        .find(|delimiter| header.contains(char::from(*delimiter)))
        .unwrap_or(b',');
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let not_csv = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        Failure::new(format!(
            "{}:{line}: this is no CSV: {error}",
            path.display()
        ))
    };
    let columns = Columns::of(reader.headers().map_err(not_csv)?, path)?;
    let mut runs: Vec<Run> = Vec::new();
    let mut places: HashMap<(String, String, String), usize> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(not_csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        let run = columns
            .run(&record)
            .map_err(|reason| Failure::new(format!("{}:{line}: {reason}", path.display())))?;
        let key = (run.id.clone(), run.branch.clone(), run.host_class.clone());
        let place = *places.entry(key).or_insert(runs.len());
        match runs.get_mut(place) {
            Some(earlier) => earlier.values.extend(run.values),
            None => runs.push(run),
        }
    }
    Ok(Found {
        runs,
        ..Found::default()
    })
}

/// Where what stands.
struct Columns {
    known: [Option<usize>; KNOWN.len()],
    metrics: Metrics,
}

enum Metrics {
    /// A column each, with the metric's name.
    Wide(Vec<(usize, String)>),
    /// One column for the name, one for the value.
    Long { metric: usize, value: usize },
}

impl Columns {
    fn of(header: &StringRecord, path: &Path) -> Result<Self, Failure> {
        let place = |name: &str| {
            header
                .iter()
                .position(|column| column.eq_ignore_ascii_case(name))
        };
        let wrong = |reason: String| {
            Failure::new(format!("{}:1: {reason}", path.display()))
                .hint("the first line names the columns: run, and those of the metrics")
        };
        if place("run").is_none() {
            let found: Vec<&str> = header.iter().take(10).collect();
            return Err(wrong(format!(
                "there is no column `run`, but {}",
                found.join(", ")
            )));
        }
        let known = KNOWN.map(place);
        if let (Some(metric), Some(value)) = (place("metric"), place("value")) {
            let metrics = Metrics::Long { metric, value };
            return Ok(Self { known, metrics });
        }
        let mut wide: Vec<(usize, String)> = Vec::new();
        for (index, column) in header.iter().enumerate() {
            if known.contains(&Some(index)) {
                continue;
            }
            let name = name(column).ok_or_else(|| {
                wrong(format!(
                    "column {} is to have the name of a metric",
                    index + 1
                ))
            })?;
            if wide.iter().any(|(_, other)| *other == name) {
                return Err(wrong(format!("two columns are of the metric {name}")));
            }
            wide.push((index, name));
        }
        match wide.is_empty() {
            true => Err(wrong("there is no column with a metric".to_owned())),
            false => Ok(Self {
                known,
                metrics: Metrics::Wide(wide),
            }),
        }
    }

    fn run(&self, record: &StringRecord) -> Result<Run, String> {
        let cell = |place: Option<usize>| {
            place
                .and_then(|place| record.get(place))
                .unwrap_or_default()
        };
        let [run, at, branch, host_class, status, epoch] = self.known.map(cell);
        if run.is_empty() {
            return Err("the run has no name".to_owned());
        }
        let mut found = Run {
            id: run.to_owned(),
            at: match at {
                "" => None,
                text => Some(seconds(time(text)?)),
            },
            branch: branch.to_owned(),
            host_class: host_class.to_owned(),
            status: match status {
                "" | "pass" => Status::Pass,
                "fail" => Status::Fail,
                "error" => Status::Error,
                other => {
                    return Err(format!(
                        "status must be pass, fail or error, found {other:?}"
                    ));
                }
            },
            epoch: epoch.to_owned(),
            ..Run::default()
        };
        let mut add = |name: &str, text: &str| {
            if !NOTHING.contains(&text) {
                let value: Option<f64> = text.parse().ok();
                let value = value.filter(|value| value.is_finite());
                let value = value.ok_or_else(|| {
                    format!("the value of {name} must be a finite number or empty, found {text:?}")
                })?;
                found.values.insert(name.to_owned(), value);
            }
            Ok::<(), String>(())
        };
        match &self.metrics {
            Metrics::Wide(columns) => {
                for (place, metric) in columns {
                    add(metric, cell(Some(*place)))?;
                }
            }
            Metrics::Long { metric, value } => {
                let metric = name(cell(Some(*metric))).ok_or("the metric has no name")?;
                add(&metric, cell(Some(*value)))?;
            }
        }
        Ok(found)
    }
}

/// The metric as rules write it; a name that none can have becomes one that it can.
fn name(text: &str) -> Option<String> {
    let term = Term::parse(text).or_else(|_| Term::parse(&lawful(text)));
    Some(term.ok()?.text().to_owned())
}

/// A moment, or a day, or a time of the clock in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    let civil = || {
        TimeZone::UTC
            .to_timestamp(text.parse::<DateTime>().ok()?)
            .ok()
    };
    let moment = text.parse::<Timestamp>().ok();
    moment
        .or_else(civil)
        .ok_or_else(|| format!("`at` must be a time such as 2026-11-28T10:00:00Z, found {text:?}"))
}
