//! What the stores count now: whole, or series by series.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use deespec::{Health, Kind, LabelSet, Sample, Value, View};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Which, answer, each, json, raw};
use crate::App;
use crate::config::Served;
use crate::error::Refusal;
use crate::stores::{self, alone, looking};

/// Series that are given where nothing is said, and the most that are given.
const SERIES: usize = 1000;
const MOST_SERIES: usize = 100_000;

/// One store with what it counts.
#[derive(Serialize)]
struct StoreView {
    store: String,
    path: String,
    health: HealthView,
    /// As `metrics.json` has it.
    view: Box<RawValue>,
}

#[derive(Serialize)]
struct HealthView {
    epoch: u64,
    series: usize,
    segments: usize,
    disk_bytes: u64,
    durable_lag_seconds: f64,
    degraded: bool,
    problems: Vec<String>,
}

impl From<Health> for HealthView {
    fn from(health: Health) -> Self {
        Self {
            epoch: health.epoch,
            series: health.series,
            segments: health.segments,
            disk_bytes: health.disk_bytes,
            durable_lag_seconds: health.durable_lag.as_secs_f64(),
            degraded: health.degraded,
            problems: health.problems,
        }
    }
}

/// `GET view`: each store with its health and its current epoch.
pub(super) async fn view(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<Response, Refusal> {
    let mut bodies = Vec::new();
    for number in app.stores.numbers(which.store.as_deref())? {
        let make = || {
            let stores = Arc::clone(&app.stores);
            async move {
                let view = stores::view(&stores, number).await?;
                let one = move |stores: &stores::Stores| {
                    json(&one(stores.one(number)?, &view)?).map(Bytes::from)
                };
                alone(&stores, one).await
            }
        };
        bodies.push(app.stores.documents[number].ask(make).await?);
    }
    Ok(each(bodies))
}

fn one(served: &Served, view: &View) -> Result<StoreView, Refusal> {
    Ok(StoreView {
        store: served.name.clone(),
        path: served.store.path().display().to_string(),
        health: served.store.health()?.into(),
        view: raw(view.to_json())?,
    })
}

/// Which series are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    store: Option<String>,
    /// Exactly this name.
    name: Option<String>,
    /// A part of the name or of the value of a label.
    search: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Found<'a> {
    /// How many there are, also where fewer are given.
    found: usize,
    series: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    store: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    labels: &'a LabelSet,
    /// In the current epoch.
    value: &'a Value,
    /// Since the series exists.
    total: &'a Value,
    created: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    help: &'a str,
}

impl Wanted {
    fn is(&self, sample: &Sample) -> bool {
        let has = |text: &str| {
            sample.name.contains(text) || sample.labels.values().any(|v| v.contains(text))
        };
        self.name.as_ref().is_none_or(|name| *name == sample.name)
            && self.search.as_deref().is_none_or(has)
    }
}

/// `GET series`: the series that are asked for, the four built-in ones first.
pub(super) async fn series(
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let mut views = Vec::new();
    for number in app.stores.numbers(wanted.store.as_deref())? {
        views.push((number, stores::view(&app.stores, number).await?));
    }
    let body = looking(&app.stores, move |stores| {
        let mut series = Vec::new();
        for (number, view) in &views {
            let store = stores.one(*number)?.name.as_str();
            let samples = view.samples().filter(|sample| wanted.is(sample));
            series.extend(samples.map(|sample| shown(store, view, sample)));
        }
        let found = series.len();
        series.truncate(wanted.limit.unwrap_or(SERIES).min(MOST_SERIES));
        json(&Found { found, series })
    });
    Ok(answer(body.await?))
}

fn shown<'a>(store: &'a str, view: &'a View, sample: &'a Sample) -> One<'a> {
    let family = view.family(&sample.name);
    let created = sample.created.duration_since(SystemTime::UNIX_EPOCH);
    One {
        store,
        name: &sample.name,
        kind: sample.value.kind(),
        labels: &sample.labels,
        value: &sample.value,
        total: &sample.total,
        created: created.unwrap_or_default().as_secs_f64(),
        unit: family.map_or("", deespec::Family::unit),
        help: family.map_or("", deespec::Family::help),
    }
}
