//! Changes as Server-Sent Events.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
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
    let events = stream::unfold(follower, async |mut follower| {
        let message = follower.next().await?;
        let mut event = Event::default()
            .event(message.event.name())
            .data(&message.data);
        if !message.id.is_empty() {
            event = event.id(&message.id);
        }
        Some((Ok::<_, Infallible>(event), follower))
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("heartbeat");
    Ok(Sse::new(events).keep_alive(heartbeat).into_response())
}
