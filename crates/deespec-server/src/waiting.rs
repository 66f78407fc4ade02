//! A server whose store is not there yet, as where a sidecar starts before the program that counts: it listens, says
//! so to whoever asks, and looks for the store once a second.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::config::{Limits, Missing, Served};
use crate::connection::{Crowd, Heard, Place, Signals};
use crate::guard::Guard;

/// How often the store is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// A connection has one request, and nothing that takes long is answered.
const MOST: Duration = Duration::from_secs(10);

struct Answers {
    guard: Arc<Guard>,
    sentence: String,
    /// Somebody who may has pushed: that is counting, which makes a store.
    pushed: Notify,
}

/// Waits for the stores; `None` when the process is told to end, or they can never be had.
pub(crate) async fn wait(
    listener: &TcpListener,
    missing: Missing,
    guard: Arc<Guard>,
    limits: Limits,
    signals: &mut Signals,
) -> Option<Vec<Served>> {
    let answers = Arc::new(Answers {
        guard,
        sentence: missing.sentence,
        pushed: Notify::new(),
    });
    let crowd = Crowd::new(limits.connections);
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        let has_pushed = tokio::select! {
            () = signals.told() => return None,
            _ = ticks.tick() => false,
            () = answers.pushed.notified() => true,
            accepted = listener.accept() => {
                if let Ok((stream, peer)) = accepted
                    && let Some(place) = crowd.take(peer).await
                {
                    tokio::spawn(answer(stream, place, Arc::clone(&answers), limits));
                }
                continue;
            }
        };
        let look = Arc::clone(&missing.look);
        match tokio::task::spawn_blocking(move || look(has_pushed)).await {
            Ok(Ok(Some(stores))) => return Some(stores),
            Ok(Ok(None)) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}

async fn answer(stream: TcpStream, place: Place, answers: Arc<Answers>, limits: Limits) {
    let stream = Heard::new(stream, &place);
    let asked = place.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        asked.head_came(false);
        let answer = answers.to(&request.map(axum::body::Body::new));
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .keep_alive(false);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // How a connection ends is the client's affair.
    tokio::select! {
        _ = tokio::time::timeout(MOST, connection) => {}
        () = place.given_up() => {}
    }
}

impl Answers {
    fn to(&self, request: &Request) -> Response {
        if let Some(refusal) = self.guard.refusal(request) {
            return refusal.into_response();
        }
        let path = request.uri().path();
        if path == "/-/healthy" {
            return "healthy\n".into_response();
        }
        if *request.method() == Method::POST && path == "/api/v1/push" {
            self.pushed.notify_one();
        }
        let headers = [(RETRY_AFTER, "1"), (CACHE_CONTROL, "no-store")];
        let sentence = format!("{}\n", self.sentence);
        (StatusCode::SERVICE_UNAVAILABLE, headers, sentence).into_response()
    }
}
