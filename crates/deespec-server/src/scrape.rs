//! What Prometheus and supervisors ask for.

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, VARY};
use axum::response::{IntoResponse as _, Response};
use deespec::exposition::negotiate;

use crate::App;
use crate::error::Refusal;
use crate::stores::{blocking, durable};

/// `/metrics` in the format that the scraper asks for.
pub(crate) async fn scrape(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    // Several headers are one list.
    let accept = headers.get_all(ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let accept = (!accept.is_empty()).then(|| accept.join(","));
    let format = negotiate(accept.as_deref());
    let body = blocking(&app.stores, move |stores| {
        Ok(format.encode(&stores.together()?))
    });
    let headers = [(CONTENT_TYPE, format.content_type()), (VARY, "Accept")];
    Ok((headers, body.await?).into_response())
}

/// The process lives.
pub(crate) async fn healthy() -> &'static str {
    "healthy\n"
}

/// Every store can be read and made durable.
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, Refusal> {
    let tried = blocking(&app.stores, |stores| {
        for served in stores.iter() {
            durable(&served.store)?;
        }
        Ok(())
    });
    tried.await?;
    Ok("ready\n")
}
