//! What was kept of earlier moments.

use std::time::SystemTime;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use deespec::{Document, SnapshotName};
use serde::{Deserialize, Serialize};

use super::{Which, answer, json};
use crate::App;
use crate::error::Refusal;
use crate::stores::looking;

/// Snapshots that are given where nothing is said.
const SNAPSHOTS: usize = 1000;

/// Which snapshots are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    store: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Snapshots {
    /// How many there are, also where fewer are given.
    found: usize,
    /// The youngest first.
    snapshots: Vec<One>,
}

#[derive(Serialize)]
struct One {
    store: String,
    name: String,
    taken_at: f64,
}

/// `GET snapshots`: their names and times, the youngest first.
pub(super) async fn list(
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let body = looking(&app.stores, move |stores| {
        let mut all = Vec::new();
        for served in stores.named(wanted.store.as_deref())? {
            let names = served.store.snapshots()?;
            all.extend(names.into_iter().map(|name| (name, served.name.as_str())));
        }
        let found = all.len();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.truncate(wanted.limit.unwrap_or(SNAPSHOTS));
        let one = |(name, store): (SnapshotName, &str)| {
            let taken = name.taken_at().duration_since(SystemTime::UNIX_EPOCH);
            One {
                store: store.to_owned(),
                name: name.to_string(),
                taken_at: taken.unwrap_or_default().as_secs_f64(),
            }
        };
        let snapshots = all.into_iter().map(one).collect();
        json(&Snapshots { found, snapshots })
    });
    Ok(answer(body.await?))
}

/// `GET snapshots/NAME`: one of them, as it was written.
pub(super) async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Refusal> {
    let name: SnapshotName =
        name.parse()
            .map_err(|error: <SnapshotName as std::str::FromStr>::Err| {
                Refusal::new(StatusCode::NOT_FOUND, error.to_string())
            })?;
    let body = looking(&app.stores, move |stores| {
        let store = &stores.only(which.store.as_deref())?.store;
        match Document::read(&store.snapshot_path(name)) {
            Ok(document) => Ok(document.to_json().into_bytes()),
            Err(error @ deespec::Error::Document(deespec::DocumentError::Missing { .. })) => {
                Err(Refusal::new(StatusCode::NOT_FOUND, error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    });
    Ok(answer(body.await?))
}
