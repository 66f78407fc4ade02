//! Why a server could not begin, and what a client is told.

use std::io;
use std::net::SocketAddr;

use axum::Json;
use axum::http::StatusCode;
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
#[derive(Debug)]
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

/// An error with all its sources, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
