//! The verdict of the gate.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Which, each, json, raw};
use crate::App;
use crate::error::Refusal;
use crate::stores::{Stores, alone};

#[derive(Serialize)]
struct StoreVerdict {
    store: String,
    /// As `deespec doctor --json --check-thresholds` has it.
    gate: Box<RawValue>,
}

/// `GET gate`: what the gate says of each store.
pub(super) async fn gate(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<Response, Refusal> {
    let mut bodies = Vec::new();
    for number in app.stores.numbers(which.store.as_deref())? {
        let make = || {
            let (stores, judge) = (Arc::clone(&app.stores), Arc::clone(&app.judge));
            let one = move |stores: &Stores| {
                let served = stores.one(number)?;
                let judged = judge(&served.store)
                    .map_err(|why| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why))?;
                let verdict = StoreVerdict {
                    store: served.name.clone(),
                    gate: raw(judged)?,
                };
                json(&verdict).map(Bytes::from)
            };
            async move { alone(&stores, one).await }
        };
        bodies.push(app.stores.verdicts[number].ask(make).await?);
    }
    Ok(each(bodies))
}
