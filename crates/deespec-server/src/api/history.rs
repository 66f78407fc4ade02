//! What series were over time, by the snapshots.

use std::time::SystemTime;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use deespec::{DocumentKind, HistoryQuery, HistorySeries, HistoryValue, Kind, LabelSet, View};
use serde::Serialize;

use super::{answer, json};
use crate::App;
use crate::error::Refusal;
use crate::stores::looking;

/// Most points and series of one answer.
const POINTS: usize = 10_000;
const SERIES: usize = 100;
/// Most snapshots that are named because they cannot be read, the youngest.
const UNREADABLE: usize = 100;

#[derive(Serialize)]
struct Answer<'a> {
    store: &'a str,
    /// As it was asked for, or the first point.
    from: Option<f64>,
    to: Option<f64>,
    found: usize,
    points: Vec<Point>,
    series: Vec<Series<'a>>,
    unreadable: Vec<Unreadable<'a>>,
}

#[derive(Serialize)]
struct Point {
    at: f64,
    epoch: Option<u64>,
    kind: DocumentKind,
}

#[derive(Serialize)]
struct Series<'a> {
    name: &'a str,
    labels: &'a LabelSet,
    #[serde(rename = "type")]
    kind: Kind,
    unit: &'a str,
    values: &'a [Option<HistoryValue>],
}

#[derive(Serialize)]
struct Unreadable<'a> {
    name: String,
    reason: &'a str,
}

/// What is asked for.
#[derive(Default)]
struct Wanted {
    store: Option<String>,
    query: HistoryQuery,
    from: Option<String>,
    to: Option<String>,
}

impl Wanted {
    fn of(pairs: Vec<(String, String)>) -> Result<Self, String> {
        let mut wanted = Self::default();
        let mut series = 0;
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in pairs {
            if seen.contains(&name) {
                return Err(format!("{name} stands twice"));
            }
            match name.as_str() {
                "series" => {
                    series += 1;
                    if series > SERIES {
                        return Err(format!("at most {SERIES} series at a time"));
                    }
                    wanted.query = wanted.query.select(&value).map_err(|e| e.to_string())?;
                    continue;
                }
                "points" => {
                    let most = value
                        .parse()
                        .ok()
                        .filter(|most| (1..=POINTS).contains(most));
                    let most = most.ok_or_else(|| format!("points is a number from 1 to {POINTS}"));
                    wanted.query = wanted.query.points(most?);
                }
                "from" => wanted.from = Some(value),
                "to" => wanted.to = Some(value),
                "store" => wanted.store = Some(value),
                _ => {
                    return Err(format!(
                        "{name:?} is unknown; there are series, from, to, points and store"
                    ));
                }
            }
            seen.push(name);
        }
        let times = (wanted.from.as_deref(), wanted.to.as_deref());
        wanted.query = wanted
            .query
            .between(times.0, times.1)
            .map_err(|error| error.to_string())?;
        Ok(wanted)
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The kind and unit of a series, by the snapshots or else by what the store has now.
fn described<'a>(view: &'a View, series: &HistorySeries) -> Result<(Kind, &'a str), Refusal> {
    let same = |sample: &&deespec::Sample| {
        (&sample.name, &sample.labels) == (&series.name, &series.labels)
    };
    let now = || view.samples().find(same).map(|sample| sample.value.kind());
    let unit = view.family(&series.name).map_or("", |family| family.unit());
    let kind = series.kind.or_else(now);
    let kind = kind.ok_or_else(|| {
        let labels: Vec<String> = series
            .labels
            .iter()
            .map(|(k, v)| format!("{k}={v:?}"))
            .collect();
        let named = format!("{}{{{}}}", series.name, labels.join(","));
        let named = named.strip_suffix("{}").unwrap_or(&named);
        let reason = format!("no snapshot has the series {named}, and neither has the store");
        Refusal::new(StatusCode::NOT_FOUND, reason)
    })?;
    Ok((kind, unit))
}

/// `GET history`: values of some series at the snapshots of a time.
pub(super) async fn history(
    State(app): State<App>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let wanted =
        Wanted::of(pairs).map_err(|reason| Refusal::new(StatusCode::BAD_REQUEST, reason))?;
    let body = looking(&app.stores, move |stores| {
        let served = stores.only(wanted.store.as_deref())?;
        let history = served.store.history(&wanted.query)?;
        let view = served.store.view()?;
        let series = history.series.iter().map(|series| {
            let (kind, unit) = described(&view, series)?;
            Ok(Series {
                name: &series.name,
                labels: &series.labels,
                kind,
                unit,
                values: &series.values,
            })
        });
        let points = history.points.iter().map(|point| Point {
            at: seconds(point.at),
            epoch: point.epoch,
            kind: point.kind,
        });
        let points: Vec<Point> = points.collect();
        let skipped = history.unreadable.len().saturating_sub(UNREADABLE);
        let bounds = wanted.query.bounds();
        json(&Answer {
            store: &served.name,
            from: bounds
                .0
                .map(seconds)
                .or(points.first().map(|point| point.at)),
            to: bounds
                .1
                .map(seconds)
                .or(points.last().map(|point| point.at)),
            found: history.found,
            series: series.collect::<Result<_, Refusal>>()?,
            unreadable: history.unreadable[skipped..]
                .iter()
                .map(|one| Unreadable {
                    name: one.name.to_string(),
                    reason: &one.reason,
                })
                .collect(),
            points,
        })
    });
    Ok(answer(body.await?))
}
