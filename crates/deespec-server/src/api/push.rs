//! What programs in other languages have counted. The guard has seen the token by then.

use std::borrow::Cow;
use std::io::{self, Read as _};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use deespec::PushError;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::{answer, json};
use crate::App;
use crate::error::Refusal;
use crate::stores::{LONG, Stores, blocking, long};

/// Bytes of a push: some thousands of series. Whoever sends them has the token.
pub(super) const BODY_BYTES: usize = 1 << 20;
/// Bytes that a compressed one unpacks to.
const UNPACKED_BYTES: usize = 8 << 20;

/// Who pushes, which time, and to which store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    writer: String,
    sequence: u64,
    store: Option<String>,
}

#[derive(Serialize)]
struct Pushed {
    /// Now; else it was counted before.
    counted: bool,
    /// The number of the writer's last push that is counted.
    sequence: u64,
    series: usize,
    counts: u64,
    /// What is kept otherwise than it stands in the text.
    noted: Vec<String>,
}

/// `POST push`: adds what a text says, once for each number of the writer.
pub(super) async fn push(
    State(app): State<App>,
    Query(who): Query<Who>,
    headers: HeaderMap,
    text: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let text = text.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    let packed = is_packed(&headers)?.then(|| text.clone());
    let bytes = match packed {
        Some(packed) => Some(blocking(&app.stores, move |_| unpacked_bytes(&packed)).await?),
        None => None,
    };
    let length = bytes.unwrap_or(text.len());
    let room = app.stores.room(length).await?;
    let count = move |stores: &Stores| {
        // Until it is counted: what was read of it is larger than the text.
        let _room = room;
        let text = match bytes {
            Some(bytes) => Cow::Owned(unpacked(&text, bytes)?),
            None => Cow::Borrowed(&text[..]),
        };
        let store = &stores.only(who.store.as_deref())?.store;
        let pushed = store.push(&who.writer, who.sequence, &text);
        let pushed = pushed.map_err(|error| match &error {
            deespec::Error::Push(PushError::Conflict { .. }) => {
                Refusal::new(StatusCode::CONFLICT, error.to_string())
            }
            // The store could not take any of those that came at once.
            deespec::Error::Push(PushError::Together(_)) => error.into(),
            deespec::Error::Push(_) => Refusal::new(StatusCode::BAD_REQUEST, error.to_string()),
            _ => error.into(),
        })?;
        json(&Pushed {
            counted: pushed.counted,
            sequence: pushed.sequence,
            series: pushed.series,
            counts: pushed.counts,
            noted: pushed.noted,
        })
    };
    let body = match length {
        0..LONG => blocking(&app.stores, count).await,
        _ => long(&app.stores, count).await,
    };
    Ok(answer(body?))
}

/// Whether the body is compressed, which it may be in one way.
fn is_packed(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut packed = false;
    for encoding in headers.get_all(CONTENT_ENCODING) {
        let encoding = String::from_utf8_lossy(encoding.as_bytes()).to_ascii_lowercase();
        match encoding.trim() {
            "" | "identity" => {}
            "gzip" | "x-gzip" if !packed => packed = true,
            _ => {
                let reason =
                    "the Content-Encoding of a push can be gzip or nothing; nothing was counted";
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
            }
        }
    }
    Ok(packed)
}

/// How many bytes a compressed body unpacks to, which is known before there is memory for them.
fn unpacked_bytes(body: &[u8]) -> Result<usize, Refusal> {
    let mut unpacking = MultiGzDecoder::new(body).take(UNPACKED_BYTES as u64 + 1);
    let bytes = io::copy(&mut unpacking, &mut io::sink()).map_err(|error| no_gzip(&error))?;
    match usize::try_from(bytes) {
        Ok(bytes @ 0..=UNPACKED_BYTES) => Ok(bytes),
        _ => {
            let reason = format!(
                "the body unpacks to more than {UNPACKED_BYTES} bytes; nothing was counted"
            );
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason))
        }
    }
}

/// What a compressed body says, of which it is known how long that is.
fn unpacked(body: &[u8], bytes: usize) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::with_capacity(bytes);
    let unpacked = MultiGzDecoder::new(body).read_to_end(&mut text);
    unpacked.map_err(|error| no_gzip(&error))?;
    Ok(text)
}

fn no_gzip(error: &io::Error) -> Refusal {
    let reason = format!("the body is no whole gzip: {error}; nothing was counted");
    Refusal::new(StatusCode::BAD_REQUEST, reason)
}
