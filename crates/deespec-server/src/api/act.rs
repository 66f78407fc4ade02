//! What changes a store. The guard has seen the token by then.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use deespec::{Retention, Rotate, SnapshotName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Which, answer, json};
use crate::App;
use crate::error::Refusal;
use crate::stores::blocking;

/// Longer reasons are no reasons.
const REASON_BYTES: usize = 1000;

#[derive(Serialize)]
struct Taken {
    snapshot: String,
    epoch: u64,
}

/// `POST snapshot`: writes the current epoch into a snapshot.
pub(super) async fn snapshot(
    State(app): State<App>,
    Query(which): Query<Which>,
    how: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Nothing {} = said(how)?;
    let body = blocking(&app.stores, move |stores| {
        let taken = stores.only(which.store.as_deref())?.store.snapshot()?;
        json(&Taken {
            snapshot: taken.name.to_string(),
            epoch: taken.view.epoch,
        })
    });
    Ok(answer(body.await?))
}

/// How to rotate; an empty body means all that stands here.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct How {
    reason: String,
    keep_counters: bool,
}

/// There is nothing to say of a snapshot.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What a body says, whatever its `Content-Type`: a key that nobody knows must not be passed over, or what was asked for
/// and what is done are not the same. An empty one says nothing.
fn said<T: Default + DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Refusal> {
    let body = body.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    let said = Json::from_bytes(&body);
    let said = said.map_err(|error| Refusal::new(error.status(), error.body_text()));
    said.map(|Json(said)| said)
}

#[derive(Serialize)]
struct Rotated {
    closed_epoch: Option<u64>,
    epoch: u64,
    snapshot: String,
}

/// `POST rotate`: closes the epoch.
pub(super) async fn rotate(
    State(app): State<App>,
    Query(which): Query<Which>,
    how: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let how: How = said(how)?;
    if how.reason.len() > REASON_BYTES {
        let reason = format!("a reason has at most {REASON_BYTES} bytes");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
    }
    let body = blocking(&app.stores, move |stores| {
        let mode = match how.keep_counters {
            true => Rotate::KeepCounters,
            false => Rotate::Reset,
        };
        let store = &stores.only(which.store.as_deref())?.store;
        let rotation = store.rotate_because(mode, &how.reason, &Retention::default())?;
        json(&Rotated {
            closed_epoch: rotation.closing.epoch.filter(|_| !how.keep_counters),
            epoch: rotation.epoch,
            snapshot: name(&rotation.path),
        })
    });
    Ok(answer(body.await?))
}

/// The name of a snapshot's file, which `GET snapshots/NAME` takes.
fn name(path: &std::path::Path) -> String {
    SnapshotName::of(path).map_or_else(String::new, |name| name.to_string())
}
