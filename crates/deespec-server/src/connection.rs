//! Connections: how many there may be, how long each may take to say what it wants and to
//! hear what it asked for, and how they end. Who loses a place where all are taken is in `crowd.rs`.

mod crowd;
mod heard;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio_io_timeout::TimeoutWriter;

use crate::config::Limits;
use crate::error::Refusal;

pub(crate) use crowd::{Crowd, Place};
pub(crate) use heard::{Heard, turns};

/// What one more client than there may be is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
Content-Type: text/plain\r\nContent-Length: 21\r\n\r\ntoo many connections\n";

/// How long whoever is being answered may take when the server ends.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);
/// What connections beyond the limit may ask for.
const FOR_RESERVED: [&str; 4] = ["/metrics", "/-/healthy", "/-/ready", "/api/v1/push"];
/// How long to wait where the system has no more files or memory.
const SHORTAGE: Duration = Duration::from_millis(50);

/// The server ends after the first answer.
#[derive(Clone)]
pub(crate) struct Once(Arc<Notify>);

impl Once {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Notify::new()))
    }
}

/// Lets nobody use a reserved place for anything else.
pub(crate) async fn reserved(request: Request, next: Next) -> Response {
    let place = request.extensions().get::<Place>();
    let is_reserved = place.is_some_and(|place| place.is_reserved);
    if is_reserved && !FOR_RESERVED.contains(&request.uri().path()) {
        let reason = "too many connections; the last ones are for scrapes and pushes";
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
    }
    next.run(request).await
}

/// Counts an answer to a scrape.
pub(crate) async fn count(State(once): State<Once>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status().is_success() {
        once.0.notify_one();
    }
    response
}

/// Accepts connections until the process is told to end; then `farewell` is called, and whoever is being
/// answered gets the rest.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    signals: Signals,
    once: Option<Once>,
    farewell: impl AsyncFnOnce(),
) {
    let crowd = Crowd::new(limits.connections);
    let (ending, ends) = watch::channel(());
    let mut end = pin!(end(signals, once));
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut end => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // A client that is gone already, or a shortage that passes.
                Err(_) => {
                    tokio::time::sleep(SHORTAGE).await;
                    continue;
                }
            },
        };
        let Some(place) = crowd.take(peer).await else {
            turn_away(stream);
            continue;
        };
        // Small answers are not to wait for more.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(of_peer(router.clone(), peer, &place));
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(limits.head_bytes);
        // A client that reads nothing must not keep its place: neither with an answer nor with live changes.
        let mut stream = TimeoutWriter::new(Heard::new(stream, &place));
        stream.set_timeout(Some(limits.write));
        let connection = builder
            .serve_connection(TokioIo::new(Box::pin(stream)), service)
            .with_upgrades();
        let mut ends = ends.clone();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // How a connection ends is the client's affair.
            tokio::select! {
                _ = connection.as_mut() => {}
                () = place.given_up() => {}
                _ = ends.changed() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
    drop(listener);
    drop(ending);
    let answered = async {
        farewell().await;
        crowd.all_gone().await;
    };
    let _ = tokio::time::timeout(FAREWELL, answered).await;
}

/// Each request knows whose it is.
fn of_peer(router: Router, peer: SocketAddr, place: &Place) -> Router {
    router
        .layer(axum::Extension(ConnectInfo(peer)))
        .layer(axum::Extension(place.clone()))
}

/// Says why, and closes.
fn turn_away(mut stream: TcpStream) {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(FAREWELL, stream.write_all(FULL)).await;
    });
}

/// What ends the process. From the moment that these are made, a signal is no sudden end any more.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns when the process is told to end.
    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ends when the process is told to, or after the one scrape.
async fn end(mut signals: Signals, once: Option<Once>) {
    let answered = async {
        match once {
            Some(once) => once.0.notified().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signals.told() => {}
        () = answered => {}
    }
}
