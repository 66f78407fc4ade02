//! What programs in other languages have counted. The guard has seen the token by then.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use deespec::PushError;
use serde::{Deserialize, Serialize};

use super::{answer, json};
use crate::App;
use crate::error::Refusal;
use crate::stores::blocking;

/// Bytes of a push: some thousands of series. Whoever sends them has the token.
pub(super) const BODY_BYTES: usize = 1 << 20;

/// Who pushes, which time, and to which store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    writer: String,
    sequence: u64,
    store: Option<String>,
}

#[derive(Serialize)]
struct Pushed {
    /// Now; else it was counted before.
    counted: bool,
    /// The number of the writer's last push that is counted.
    sequence: u64,
    series: usize,
    counts: u64,
}

/// `POST push`: adds what a text says, once for each number of the writer.
pub(super) async fn push(
    State(app): State<App>,
    Query(who): Query<Who>,
    text: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let text = text.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    let body = blocking(&app.stores, move |stores| {
        let store = &stores.only(who.store.as_deref())?.store;
        let pushed = store.push(&who.writer, who.sequence, &text);
        let pushed = pushed.map_err(|error| match &error {
            deespec::Error::Push(PushError::Writers) => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
            }
            deespec::Error::Push(_) => Refusal::new(StatusCode::BAD_REQUEST, error.to_string()),
            _ => error.into(),
        })?;
        json(&Pushed {
            counted: pushed.counted,
            sequence: pushed.sequence,
            series: pushed.series,
            counts: pushed.counts,
        })
    });
    Ok(answer(body.await?))
}
