//! Changes as they happen.
//!
//! One thread (`watcher.rs`) looks at the memory of each store, and reads a view only where something changed.
//! What changed becomes one numbered message for everybody (`hub.rs`), which is kept for a while (`log.rs`). A client gets
//! the whole view first, or what it missed where it says which message it saw last; then the messages as they come, as
//! Server-Sent Events (`sse.rs`) or over a WebSocket (`ws.rs`). How many may follow is in `places.rs`.

mod hub;
mod log;
mod message;
mod places;
mod sse;
mod watcher;
mod ws;

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::routing::get;

use crate::App;
use crate::error::Refusal;
use crate::stores::following;

use hub::Follower;
pub(crate) use hub::Hub;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/live", get(sse::follow))
        .route("/ws", get(ws::follow))
}

/// Begins to follow for a client.
async fn follow(
    app: &App,
    peer: ConnectInfo<SocketAddr>,
    last: Option<String>,
) -> Result<Follower, Refusal> {
    let address: IpAddr = peer.0.ip();
    let Some(place) = app.hub.place(address) else {
        let reason = "too many clients follow changes already, of this address or in all";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, reason));
    };
    let hub = std::sync::Arc::clone(&app.hub);
    // The first look at the stores waits for their locks.
    following(&app.stores, move |_| hub.follow(place, last.as_deref())).await
}
