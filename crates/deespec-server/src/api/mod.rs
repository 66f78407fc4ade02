//! The API in JSON. `openapi.rs` describes it, and the tests hold the description against the answers.

mod act;
mod gate;
mod history;
mod openapi;
mod push;
mod snapshots;
mod view;

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::App;
use crate::error::Refusal;

/// Which store is meant; all of them, or the only one, where nothing is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    store: Option<String>,
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/view", get(view::view))
        .route("/series", get(view::series))
        .route("/snapshots", get(snapshots::list))
        .route("/snapshots/{name}", get(snapshots::one))
        .route("/history", get(history::history))
        .route("/gate", get(gate::gate))
        .route("/snapshot", post(act::snapshot))
        .route("/rotate", post(act::rotate))
        .route(
            "/push",
            post(push::push).layer(axum::extract::DefaultBodyLimit::max(push::BODY_BYTES)),
        )
        .route("/openapi.json", get(openapi::document))
}

/// A text that is JSON already, within other JSON.
fn raw(text: String) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(text).map_err(|error| Refusal::defect(&error))
}

/// Something as JSON, made on a thread that may take its time.
fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|error| Refusal::defect(&error))
}

/// What there is of each store. It belongs to all who asked at the same time, so it is not copied.
fn each(stores: Vec<Bytes>) -> Response {
    let mut parts = vec![Bytes::from_static(b"{\"stores\":[")];
    for (number, store) in stores.into_iter().enumerate() {
        if number > 0 {
            parts.push(Bytes::from_static(b","));
        }
        parts.push(store);
    }
    parts.push(Bytes::from_static(b"]}"));
    let parts = parts.into_iter().map(Ok::<_, Infallible>);
    let body = Body::from_stream(stream::iter(parts));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn answer(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
