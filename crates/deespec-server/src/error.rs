//! Why a server could not begin, and what a client is told.

use std::io;
use std::net::SocketAddr;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::config::Statsd;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The threads could not be started.
    #[error("cannot start the threads of the server")]
    Runtime(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The address cannot be counted at.
    #[error("cannot count what is sent to {address}")]
    Statsd {
        /// The address.
        address: Statsd,
        /// What the system said.
        source: io::Error,
    },
    /// The address can be reached from elsewhere, and statsd knows no token.
    #[error("{address} can be reached from other machines, and statsd knows no token")]
    StatsdOpen {
        /// The address.
        address: SocketAddr,
    },
    /// Statsd clients do not say which store they mean.
    #[error("statsd clients count into one store, and there are several")]
    StatsdStores,
    /// The store cannot take the counters of what statsd clients send.
    #[error("cannot count what statsd clients send")]
    StatsdCounters(#[source] deespec::Error),
    /// The address can be reached from elsewhere, and no token was given.
    #[error("{address} can be reached from other machines, and there is no token")]
    Open {
        /// The address.
        address: SocketAddr,
    },
}

/// An answer that is not what was asked for: a status, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

/// As JSON.
#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }

    /// What cannot be, and is told all the same.
    pub(crate) fn defect(error: &dyn std::error::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, chain(error))
    }
}

/// The store cannot answer now.
impl From<deespec::Error> for Refusal {
    fn from(error: deespec::Error) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, chain(&error))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Body {
            error: &self.reason,
        };
        (self.status, Json(body)).into_response()
    }
}

/// Longer reasons are none.
const REASON_BYTES: usize = 8 * 1024;

/// Every error is told in the same form, also those of what reads a request before we do: a parameter that is missing or
/// no number, a method that is not allowed, an answer that takes too long.
pub(crate) async fn in_our_form(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let json = HeaderValue::from_static("application/json");
    let is_told = response.headers().get(CONTENT_TYPE) == Some(&json);
    if is_told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, REASON_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let reason = match (text.trim(), status) {
        ("", StatusCode::METHOD_NOT_ALLOWED) => "that cannot be done with this method here",
        ("", StatusCode::SERVICE_UNAVAILABLE) => "that took too long",
        ("", _) => status
            .canonical_reason()
            .unwrap_or("that cannot be answered"),
        (text, _) => text,
    };
    let mut told = Refusal::new(status, reason).into_response();
    for (name, value) in &parts.headers {
        if *name != CONTENT_TYPE && *name != CONTENT_LENGTH {
            told.headers_mut().insert(name, value.clone());
        }
    }
    told
}

/// An error with all its sources, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
