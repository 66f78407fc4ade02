//! One request and its answer.

use std::io::{self, ErrorKind, Read as _};
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;
use ureq::http::header::RETRY_AFTER;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;

use crate::addresses::{Forbidden, Guarded};
use crate::target::Target;

const USER_AGENT: &str = concat!("deespec/", env!("CARGO_PKG_VERSION"));
/// Of an answer's body that much is read, and the rest dropped.
const BODY_BYTES: u64 = 64 << 10;
const HEAD_BYTES: usize = 16 << 10;
const RESOLVE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(10);

/// Sends requests.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
}

/// Whose certificates are trusted: those that browsers trust, or these alone. There is no way to trust everybody.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Option<Vec<Certificate<'static>>>);

/// A file has no certificate in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no certificate in it, in the form of PEM")]
pub struct NoCertificate;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The first 64 KiB of the body.
    pub body: Vec<u8>,
    /// How long to wait before it is sent again, where the server says so.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer. Whether what was sent has arrived is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The host's name is not known.
    #[error("its name has no address")]
    NoAddress,
    /// Its name means an address that nothing is sent to.
    #[error("its address {0} is one that nothing is sent to")]
    Forbidden(IpAddr),
    /// It cannot be connected to, or the connection broke.
    #[error("{0}")]
    Connection(ErrorKind),
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// There is no secure connection to it.
    #[error("its certificate is not trusted, or not one for this host")]
    Tls,
    /// The answer is not HTTP, or too large.
    #[error("what it answers is no HTTP")]
    Protocol,
}

impl Fault {
    /// Whether it may be otherwise a moment later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Forbidden(_) | Self::Tls)
    }
}

impl Authorities {
    /// Those of a file, and no others.
    ///
    /// # Errors
    ///
    /// When there is none in it.
    pub fn of_pem(pem: &[u8]) -> Result<Self, NoCertificate> {
        let found = parse_pem(pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(found)) => Some(found),
            _ => None,
        });
        let found: Vec<Certificate<'static>> = found.collect();
        match found.is_empty() {
            true => Err(NoCertificate),
            false => Ok(Self(Some(found))),
        }
    }
}

impl Client {
    /// A client that trusts these authorities.
    #[must_use]
    pub fn new(authorities: &Authorities) -> Self {
        let roots = match &authorities.0 {
            Some(found) => RootCerts::new_with_certs(found),
            None => RootCerts::WebPki,
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // Otherwise the environment is asked for one.
            .proxy(None)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .max_response_header_size(HEAD_BYTES)
            .user_agent(USER_AGENT)
            .accept_encoding("")
            .timeout_resolve(Some(RESOLVE))
            .timeout_connect(Some(CONNECT))
            // A connection that the other side closes meanwhile would be an error of the next request.
            .max_idle_connections(0);
        let agent = ureq::Agent::with_parts(config.build(), DefaultConnector::default(), Guarded);
        Self { agent }
    }

    /// Sends a body and waits for the answer, for so long in all.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn post(
        &self,
        target: &Target,
        headers: &[(&str, &str)],
        body: &[u8],
        within: Duration,
    ) -> Result<Answer, Fault> {
        let mut request = self.agent.post(target.uri().clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.config().timeout_global(Some(within)).build();
        let mut response = request.send(body).map_err(fault)?;
        let retry_after = response.headers().get(RETRY_AFTER);
        let seconds = retry_after.and_then(|text| text.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        reader
            .take(BODY_BYTES)
            .read_to_end(&mut body)
            .map_err(io_fault)?;
        Ok(Answer {
            status: response.status().as_u16(),
            body,
            retry_after: seconds.map(Duration::from_secs),
        })
    }
}

/// An error by its kind, without its text.
fn fault(error: ureq::Error) -> Fault {
    use ureq::Error as E;
    match error {
        E::Io(error) => io_fault(error),
        E::Timeout(_) => Fault::Timeout,
        E::HostNotFound => Fault::NoAddress,
        E::ConnectionFailed => Fault::Connection(ErrorKind::NotConnected),
        E::Tls(_) | E::Rustls(_) | E::Pem(_) | E::TlsRequired => Fault::Tls,
        E::Other(error) => match error.downcast_ref() {
            Some(Forbidden(address)) => Fault::Forbidden(*address),
            None => Fault::Protocol,
        },
        _ => Fault::Protocol,
    }
}

fn io_fault(error: io::Error) -> Fault {
    let kind = error.kind();
    let inner = error.get_ref();
    if let Some(ureq::Error::Timeout(_)) = inner.and_then(|inner| inner.downcast_ref()) {
        return Fault::Timeout;
    }
    match kind {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Fault::Timeout,
        // So rustls says what it thinks of a certificate.
        ErrorKind::InvalidData => Fault::Tls,
        kind => Fault::Connection(kind),
    }
}
