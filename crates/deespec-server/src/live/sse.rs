//! Changes as Server-Sent Events.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use crate::App;
use crate::error::Refusal;

/// How often a client hears that the server lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// `GET live`.
pub(super) async fn follow(
    State(app): State<App>,
    Extension(peer): Extension<ConnectInfo<SocketAddr>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let last = headers.get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok()).map(str::to_owned);
    let follower = super::follow(&app, peer, last).await?;
    // Not through axum's events, which copy each message for each client.
    let events = stream::unfold(follower, async |mut follower| {
        let event = match tokio::time::timeout(HEARTBEAT, follower.next()).await {
            Ok(message) => message?.sse(),
            Err(_) => Bytes::from_static(b": heartbeat\n\n"),
        };
        Some((Ok::<_, Infallible>(event), follower))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}
