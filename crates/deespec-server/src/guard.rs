//! Who may ask: the name by which the server is called, the page that asks, and the token.
//!
//! A page of another site must not reach a server on this machine. So a request has to call the server by an
//! address or a name that it knows (a rebound name is none), and one that comes from a page has to come from
//! a page of this very server. Who guesses tokens waits for the answer, and keeps nobody else out meanwhile.

mod host;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use tokio::sync::{Mutex, Semaphore};

use crate::App;
use crate::config::{Config, Token};
use crate::connection::Place;
use crate::error::{Error, Refusal};

use host::Host;

/// How long after each other wrong tokens are answered.
const WRONG: Duration = Duration::from_millis(100);
/// How many may wait for that: as many as there are places by default, whose stead they take, and all of them are answered well before an
/// answer has to be there. Beyond them they are answered at once, which tells a guesser nothing new: a right token is answered at once,
/// so a moment of silence says as much.
const WAITING: usize = 160;

/// Nothing is loaded from elsewhere, and nothing runs that is not a file of the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) struct Guard {
    token: Option<Token>,
    /// Whether the token is needed for reading as well.
    reading_needs_token: bool,
    hosts: Vec<String>,
    wrong: Wrong,
}

/// Wrong tokens that wait to be answered. A right token waits for nobody.
struct Wrong {
    /// A wrong token has one of these in the stead of its connection's place, which others need.
    waiting: Arc<Semaphore>,
    /// Held by the one that is about to be answered.
    turn: Mutex<()>,
}

impl Default for Wrong {
    fn default() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(WAITING)),
            turn: Mutex::default(),
        }
    }
}

impl Wrong {
    /// Returns when a wrong token is to be answered.
    async fn wait(&self, place: Option<&Place>) {
        let (Ok(waiting), Some(place)) = (Arc::clone(&self.waiting).try_acquire_owned(), place)
        else {
            return;
        };
        place.exchange(waiting);
        let _turn = self.turn.lock().await;
        tokio::time::sleep(WRONG).await;
    }
}

impl Guard {
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Result<Self, Error> {
        may_listen(address, config.token.as_ref(), config.insecure)?;
        Ok(Self {
            token: config.token.clone(),
            reading_needs_token: !address.ip().is_loopback() && !config.insecure,
            hosts: config
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            wrong: Wrong::default(),
        })
    }

    pub(crate) fn refusal(&self, request: &Request) -> Option<Refusal> {
        let headers = request.headers();
        let Some(host) = one(headers, &header::HOST) else {
            let reason = "a request needs exactly one Host header";
            return Some(Refusal::new(StatusCode::BAD_REQUEST, reason));
        };
        if !self.is_ours(host) {
            let reason =
                "this server is not called by that name; start it with --host NAME to allow it";
            return Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, reason));
        }
        // A proxy's form of a request names the host twice.
        let named = request.uri().authority();
        if named.is_some_and(|named| !named.as_str().eq_ignore_ascii_case(host)) {
            let reason = "a request names one host, in its Host header";
            return Some(Refusal::new(StatusCode::BAD_REQUEST, reason));
        }
        if is_foreign(request, host) {
            let reason = "a page of another site may not ask";
            return Some(Refusal::new(StatusCode::FORBIDDEN, reason));
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if reads && !self.reading_needs_token {
            return None;
        }
        let Some(token) = &self.token else {
            let reason =
                "to change something needs a token; start the server with --token-file FILE";
            return Some(Refusal::new(StatusCode::FORBIDDEN, reason));
        };
        let given = one(headers, &header::AUTHORIZATION).and_then(given);
        if given.is_some_and(|given| token.is(&given)) {
            return None;
        }
        let reason = "that needs the token, as `Authorization: Bearer TOKEN`";
        Some(Refusal::new(StatusCode::UNAUTHORIZED, reason))
    }

    /// Whether this server is called so.
    fn is_ours(&self, host: &str) -> bool {
        match Host::parse(host) {
            Some(Host::Address) => true,
            Some(Host::Name(name)) => {
                let is = |known: &str| known.eq_ignore_ascii_case(name);
                is("localhost") || self.hosts.iter().any(|host| is(host))
            }
            None => false,
        }
    }
}

/// Whether a page that is not of this server caused the request. Browsers say so, and a program has no reason to.
fn is_foreign(request: &Request, host: &str) -> bool {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) {
        let origin = one(headers, &header::ORIGIN);
        let from = origin.and_then(|origin| origin.split_once("://"));
        let is_own = |(scheme, from): (&str, &str)| {
            matches!(scheme, "http" | "https") && from.eq_ignore_ascii_case(host)
        };
        if !from.is_some_and(is_own) {
            return true;
        }
    }
    let says = |name, value| one(headers, &HeaderName::from_static(name)) == Some(value);
    let site = HeaderName::from_static("sec-fetch-site");
    if !headers.contains_key(&site) {
        return false;
    }
    // A person who follows a link to the page sees a page; it asks for everything else itself.
    let is_followed = request.uri().path() == "/"
        && request.method() == Method::GET
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
        && says("sec-fetch-user", "?1");
    let is_own = matches!(one(headers, &site), Some("same-origin" | "none"));
    !is_own && !is_followed
}

/// Fails where other machines can reach an address and nobody has to know a token there.
///
/// # Errors
///
/// [`Error::Open`].
pub fn may_listen(address: SocketAddr, token: Option<&Token>, insecure: bool) -> Result<(), Error> {
    match address.ip().is_loopback() || token.is_some() || insecure {
        true => Ok(()),
        false => Err(Error::Open { address }),
    }
}

/// The value of a header that is there exactly once and is text.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The token of an `Authorization` header; with `Basic`, which browsers ask for, it is the password.
fn given(header: &str) -> Option<String> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim());
    let text = String::from_utf8(decoded.ok()?).ok()?;
    Some(text.split_once(':')?.1.to_owned())
}

/// Lets a request through, or says why not; and has every answer tell the browser what it may do.
pub(crate) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let guesses = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = match app.guard.refusal(&request) {
        None => next.run(request).await,
        Some(refusal) => {
            if guesses && refusal.status == StatusCode::UNAUTHORIZED {
                let place = request.extensions().get::<Place>();
                app.guard.wrong.wait(place).await;
            }
            refusal.into_response()
        }
    };
    let asks = response.status() == StatusCode::UNAUTHORIZED;
    let ends = is_refused(response.status());
    let headers = response.headers_mut();
    if ends {
        // Who is refused keeps no place.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if asks {
        let basic =
            HeaderValue::from_static("Basic realm=\"deespec, any user, the token as password\"");
        headers.insert(header::WWW_AUTHENTICATE, basic);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether somebody was sent away, as opposed to having asked for something wrong.
fn is_refused(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
    )
}

pub(crate) async fn nothing_there() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "there is nothing here; /metrics is what Prometheus scrapes, /api/v1/openapi.json says what else there is",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Crowd;

    fn guard() -> Guard {
        Guard {
            token: None,
            reading_needs_token: false,
            hosts: vec!["metrics.example".to_owned()],
            wrong: Wrong::default(),
        }
    }

    #[tokio::test]
    async fn wrong_tokens_wait_beside_the_places_and_a_few_at_most() {
        let (crowd, wrong) = (Crowd::new(1), Wrong::default());
        // So that none is answered meanwhile.
        let _turn = wrong.turn.lock().await;
        let mut places = Vec::new();
        for number in 0..WAITING {
            let place = crowd.take(([10, 0, 0, 1], 1).into()).await.unwrap();
            assert!(!place.is_reserved, "{number} waits in the place");
            let waits = tokio::time::timeout(Duration::ZERO, wrong.wait(Some(&place)));
            assert!(waits.await.is_err(), "{number}");
            places.push(place);
        }
        let place = crowd.take(([10, 0, 0, 1], 1).into()).await.unwrap();
        let waits = tokio::time::timeout(Duration::from_secs(60), wrong.wait(Some(&place)));
        assert!(waits.await.is_ok(), "it is answered at once");
        places.clear();
        let waits = tokio::time::timeout(Duration::ZERO, wrong.wait(Some(&place)));
        assert!(waits.await.is_err(), "somebody may wait again");
    }

    #[test]
    fn addresses_and_known_names_are_ours_and_nothing_else() {
        for ours in [
            "localhost",
            "LOCALHOST:9464",
            "127.0.0.1:9464",
            "10.1.2.3",
            "[::1]:9464",
            "[::1]",
            "metrics.example:80",
        ] {
            assert!(guard().is_ours(ours), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "localhost.evil.example:9464",
            "metrics.example.evil.example",
            "127.0.0.1.evil.example",
            "[evil.example]:80",
            "metrics.example:evil",
            "[::1]metrics.example",
            "evil.example:127.0.0.1",
        ] {
            assert!(!guard().is_ours(other), "{other}");
        }
    }

    fn asks(headers: &[(&str, &str)], path: &str) -> Option<StatusCode> {
        let mut request = axum::http::Request::get(path).header("host", "localhost:9464");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        guard().refusal(&request).map(|refusal| refusal.status)
    }

    #[test]
    fn what_a_foreign_page_causes_is_refused_however_the_browser_says_so() {
        let forbidden = Some(StatusCode::FORBIDDEN);
        let followed = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-user", "?1"),
        ];
        for own in ["same-origin", "none"] {
            assert_eq!(asks(&[("sec-fetch-site", own)], "/metrics"), None, "{own}");
        }
        for foreign in [
            "cross-site",
            "same-site",
            "",
            "same-origin, none",
            "Same-Origin",
        ] {
            let header = [("sec-fetch-site", foreign)];
            assert_eq!(asks(&header, "/metrics"), forbidden, "{foreign}");
        }
        let twice = [("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")];
        assert_eq!(asks(&twice, "/metrics"), forbidden);
        // A link that a person follows, and only to the page.
        assert_eq!(asks(&followed, "/"), None);
        assert_eq!(asks(&followed, "/metrics"), forbidden);
        assert_eq!(asks(&followed[..3], "/"), forbidden);
        for origin in [
            "http://evil.example",
            "null",
            "ftp://localhost:9464",
            "localhost:9464",
        ] {
            assert_eq!(asks(&[("origin", origin)], "/"), forbidden, "{origin}");
        }
        assert_eq!(
            asks(&[("origin", "http://localhost:9464")], "/metrics"),
            None
        );
    }

    #[test]
    fn a_request_in_a_proxys_form_names_the_same_host_twice() {
        assert_eq!(asks(&[], "http://localhost:9464/metrics"), None);
        let other = asks(&[], "http://evil.example/metrics");
        assert_eq!(other, Some(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_token_is_given_as_bearer_or_as_a_password() {
        assert_eq!(given("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(given("bearer  abc ").as_deref(), Some("abc"));
        // "any:abc:d"
        assert_eq!(given("Basic YW55OmFiYzpk").as_deref(), Some("abc:d"));
        for wrong in ["", "abc", "Digest abc", "Basic !!!", "Basic YWJj"] {
            assert_eq!(given(wrong), None, "{wrong}");
        }
    }
}
