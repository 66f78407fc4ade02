//! `deespec snapshots history`: what a series was over time.

use clap::Args;
use deespec::{HistoryPoint, HistoryQuery, HistoryValue, Kind, Store, UnreadableSnapshot};
use serde::Serialize;

use crate::args::Json;
use crate::exit::{Code, Failure};
use crate::ui::{self, Ui, columns};
use crate::values;

use super::taken_at;

const AFTER_HELP: &str = "\
Examples:
  deespec snapshots history commit_success --from 2026-11-23T00:00:00Z
  deespec snapshots history 'jobs_total{queue=\"mail\"}' --points 100 --json

A value is what was counted in its epoch. Where there are more snapshots than
points, those that close an epoch stay as far as there is room, and of the
others the last of each of equal stretches of time. The current epoch is not
among them: `deespec show` has it.";

/// What a series was over time, by the snapshots
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct History {
    /// A name, with labels in braces where it has some
    series: String,

    /// Nothing before this time: seconds since 1970, or RFC 3339
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// Nothing after this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,

    /// At most this many points
    #[arg(long, value_name = "N", default_value_t = 500)]
    points: usize,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Told {
    found: usize,
    #[serde(rename = "type")]
    kind: Kind,
    points: Vec<Point>,
    unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
struct Point {
    snapshot: String,
    taken_at: String,
    epoch: Option<u64>,
    kind: deespec::DocumentKind,
    value: Option<HistoryValue>,
}

#[derive(Serialize)]
pub(super) struct Unreadable {
    path: String,
    reason: String,
}

impl From<&UnreadableSnapshot> for Unreadable {
    fn from(one: &UnreadableSnapshot) -> Self {
        Self {
            path: ui::path(&one.path),
            reason: one.reason.clone(),
        }
    }
}

impl History {
    pub(super) fn run(&self, store: &Store, ui: &Ui) -> Result<Code, Failure> {
        let query = HistoryQuery::new().points(self.points);
        let query = query
            .select(&self.series)
            .map_err(|error| Failure::new(error.to_string()))?
            .between(self.from.as_deref(), self.to.as_deref())
            .map_err(|error| Failure::new(error.to_string()))?;
        let history = store.history(&query)?;
        let found = history.series.first();
        let Some((series, kind)) = found.and_then(|one| Some((one, one.kind?))) else {
            let hint = "`deespec show` shows the series there are, `deespec snapshot` keeps them";
            let failure = Failure::new(format!("no snapshot has the series {}", self.series));
            return Err(failure.hint(hint));
        };
        let points = history.points.iter().zip(&series.values);
        if self.json.json {
            let point = |(point, value): (&HistoryPoint, &Option<HistoryValue>)| Point {
                snapshot: point.name.to_string(),
                taken_at: taken_at(point.name),
                epoch: point.epoch,
                kind: point.kind,
                value: *value,
            };
            ui.json(&Told {
                found: history.found,
                kind,
                points: points.map(point).collect(),
                unreadable: history.unreadable.iter().map(Unreadable::from).collect(),
            })?;
        } else if history.points.is_empty() {
            ui.info("There are no snapshots of that time", Vec::new());
        } else {
            let rows = points.map(|(point, value)| row(point, *value)).collect();
            let header: &[&str] = match kind {
                Kind::Summary => &["TIME", "EPOCH", "COUNT", "SUM"],
                Kind::Histogram => &["TIME", "EPOCH", "COUNT", "P50", "P90", "P99"],
                _ => &["TIME", "EPOCH", "VALUE"],
            };
            let numbers: Vec<usize> = (1..header.len()).collect();
            ui.print(&columns(header, &numbers, rows));
            if history.points.len() < history.found {
                let fields = vec![
                    ("shown", history.points.len().to_string()),
                    ("found", history.found.to_string()),
                ];
                ui.info("Not all snapshots are shown; --points shows more", fields);
            }
        }
        warn(ui, &history.unreadable, history.unsaved.as_deref());
        Ok(Code::Done)
    }
}

/// Says what is missing, and what will take long again.
pub(super) fn warn(ui: &Ui, unreadable: &[UnreadableSnapshot], unsaved: Option<&str>) {
    for one in unreadable {
        let fields = vec![("reason", one.reason.clone())];
        ui.warn("A snapshot cannot be read and is passed over", fields);
    }
    if let Some(reason) = unsaved {
        let fields = vec![("reason", reason.to_owned())];
        ui.warn("The archive of the snapshots cannot be written", fields);
    }
}

fn row(point: &HistoryPoint, value: Option<HistoryValue>) -> Vec<String> {
    let epoch = point
        .epoch
        .map_or_else(|| "-".to_owned(), |n| n.to_string());
    let mut row = vec![taken_at(point.name), epoch];
    match value {
        None => row.push("-".to_owned()),
        Some(HistoryValue::Counter(count)) => row.push(count.to_string()),
        Some(HistoryValue::Gauge(value) | HistoryValue::Fractions(value)) => {
            row.push(values::number(value));
        }
        Some(HistoryValue::Summary { count, sum }) => {
            row.push(count.to_string());
            row.push(values::number(sum));
        }
        Some(HistoryValue::Histogram(found)) => {
            row.push(found.count.to_string());
            let quantile = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), three_digits);
            row.extend(found.quantiles.map(quantile));
        }
        Some(_) => row.push("1".to_owned()),
    }
    row
}

/// An estimate, without digits that it does not have.
fn three_digits(value: f64) -> String {
    values::about(value, "")
}
