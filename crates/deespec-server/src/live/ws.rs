//! Changes over a WebSocket: each message is a JSON object `{"id", "event", "data"}`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{MissedTickBehavior, interval};

use super::Follower;
use super::message::Message;
use crate::App;
use crate::connection::Place;
use crate::error::Refusal;

/// How often a client is asked whether it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A client has nothing to say.
const HEARD_BYTES: usize = 1024;

/// Where to go on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The id of the last message that was seen.
    last: Option<String>,
}

#[derive(Serialize)]
struct Sent<'a> {
    id: &'a str,
    event: &'a str,
    data: &'a RawValue,
}

/// `GET ws`.
pub(super) async fn follow(
    State(app): State<App>,
    Extension(peer): Extension<ConnectInfo<SocketAddr>>,
    Extension(place): Extension<Place>,
    Query(from): Query<From>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let follower = super::follow(&app, peer, from.last).await?;
    let upgrade = upgrade
        .max_message_size(HEARD_BYTES)
        .max_frame_size(HEARD_BYTES);
    Ok(upgrade.on_upgrade(async |socket| {
        talk(socket, follower).await;
        drop(place);
    }))
}

/// Until the client goes, or nothing more comes.
async fn talk(mut socket: WebSocket, mut follower: Follower) {
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let frame = tokio::select! {
            message = follower.next() => match message {
                Some(message) => frame(&message),
                None => break,
            },
            _ = heartbeat.tick() => Some(Frame::Ping(Vec::new().into())),
            heard = socket.recv() => match heard {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        let Some(frame) = frame else { break };
        // A client that accepts nothing is what ends a connection (`connection.rs`).
        if socket.send(frame).await.is_err() {
            return;
        }
    }
    let farewell = CloseFrame {
        code: close_code::AWAY,
        reason: "nothing more comes".into(),
    };
    let _ = socket.send(Frame::Close(Some(farewell))).await;
}

fn frame(message: &Message) -> Option<Frame> {
    let sent = Sent {
        id: &message.id,
        event: message.event.name(),
        data: serde_json::from_str(&message.data).ok()?,
    };
    Some(Frame::Text(serde_json::to_string(&sent).ok()?.into()))
}
