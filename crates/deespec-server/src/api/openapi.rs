//! The description of the API.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

/// Checked by the tests against the real answers.
const DOCUMENT: &str = include_str!("openapi.json");

/// `GET openapi.json`.
pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
