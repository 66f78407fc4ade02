//! What Prometheus and supervisors ask for. A scrape is made once for all who ask at the same time, compressed too.

use std::io::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, VARY,
};
use axum::response::{IntoResponse as _, Response};
use deespec::exposition::{Format, negotiate};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::App;
use crate::error::Refusal;
use crate::stores::{Stores, alone, durable};

/// `/metrics` in the format that the scraper asks for.
pub(crate) async fn scrape(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let format = negotiate(list(&headers, &ACCEPT).as_deref());
    let gzip = takes_gzip(&list(&headers, &ACCEPT_ENCODING).unwrap_or_default());
    let stores = &app.stores;
    let make = || {
        let stores = Arc::clone(stores);
        async move {
            let body = move |stores: &Stores| {
                let body = format.encode(&stores.together()?);
                Ok(if gzip { packed(&body)? } else { body.into() })
            };
            alone(&stores, body).await
        }
    };
    let body: Bytes = stores.scrapes[number(format, gzip)].ask(make).await?;
    let headers = [
        (CONTENT_TYPE, format.content_type()),
        (VARY, "Accept, Accept-Encoding"),
    ];
    let mut response = (headers, body).into_response();
    if gzip {
        let value = axum::http::HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, value);
    }
    Ok(response)
}

/// Where a form of the scrape stands among all of them.
fn number(format: Format, gzip: bool) -> usize {
    let format = match format {
        Format::OpenMetrics => 0,
        Format::Protobuf => 1,
        _ => 2,
    };
    format * 2 + usize::from(gzip)
}

/// Several headers of a name are one list.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Whether a client takes gzip, by its `Accept-Encoding`: what is named counts more than `*`.
fn takes_gzip(accepted: &str) -> bool {
    let weight = |wanted: &str| {
        accepted.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            let is_wanted = parts.next()?.eq_ignore_ascii_case(wanted);
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .unwrap_or("1");
            is_wanted.then(|| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
        })
    };
    let named = weight("gzip").or_else(|| weight("x-gzip"));
    named.or_else(|| weight("*")).unwrap_or_default()
}

/// With the fastest level: text of this kind becomes a twentieth, and the best level would take ten times as long for
/// a fortieth.
fn packed(body: &[u8]) -> Result<Bytes, Refusal> {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    let packed = packer.write_all(body).and_then(|()| packer.finish());
    packed
        .map(Bytes::from)
        .map_err(|error| Refusal::defect(&error))
}

/// The process lives, and each store is where it was.
pub(crate) async fn healthy(State(app): State<App>) -> Result<&'static str, Refusal> {
    match app.stores.lost() {
        None => Ok("healthy\n"),
        Some(reason) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)),
    }
}

/// Every store can be read and made durable.
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, Refusal> {
    let make = || {
        let stores = Arc::clone(&app.stores);
        let try_all = |stores: &Stores| {
            let mut all = stores.kept();
            all.try_for_each(|served| durable(&served?.store).map(drop))
        };
        async move { alone(&stores, try_all).await }
    };
    app.stores.ready.ask(make).await?;
    Ok("ready\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        for takes in [
            "gzip",
            "GZIP",
            "x-gzip",
            "deflate, gzip;q=0.5",
            "*",
            "br;q=1, *;q=0.1",
            "gzip ; q=1.0",
        ] {
            assert!(takes_gzip(takes), "{takes}");
        }
        for refuses in [
            "",
            "identity",
            "gzip;q=0",
            "gzip;q=0, *",
            "*;q=0",
            "gzip;q=x",
            "gzipped",
        ] {
            assert!(!takes_gzip(refuses), "{refuses}");
        }
    }

    #[test]
    fn what_is_packed_is_unpacked_to_the_same() {
        use std::io::Read as _;
        let text = "jobs_total{queue=\"mail\"} 3\n".repeat(1000);
        let packed = packed(text.as_bytes()).unwrap();
        assert!(packed.len() * 10 < text.len());
        let mut read = String::new();
        let mut unpacker = flate2::read::GzDecoder::new(&packed[..]);
        unpacker.read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
    }
}
