//! The verdict of the gate.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Which, answer, json, raw};
use crate::App;
use crate::error::Refusal;
use crate::stores::blocking;

#[derive(Serialize)]
struct Verdicts {
    stores: Vec<StoreVerdict>,
}

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
    let judge = Arc::clone(&app.judge);
    let body = blocking(&app.stores, move |stores| {
        let served = stores.named(which.store.as_deref())?.into_iter();
        let stores = served.map(|served| {
            let judged = judge(&served.store);
            let judged =
                judged.map_err(|why| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why))?;
            Ok(StoreVerdict {
                store: served.name.clone(),
                gate: raw(judged)?,
            })
        });
        let stores = stores.collect::<Result<_, Refusal>>()?;
        json(&Verdicts { stores })
    });
    Ok(answer(body.await?))
}
