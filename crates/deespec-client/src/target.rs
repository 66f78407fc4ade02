//! Where something may be sent to.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;
use ureq::http::Uri;
use ureq::http::uri::Scheme;

/// An address that may be sent to.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
}

/// Why nothing is sent there. The text of the URL is not repeated: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It is no URL with a host.
    #[error("it is no URL of the form https://HOST/PATH")]
    Form,
    /// It is neither `https` nor `http`.
    #[error("it is neither https nor http")]
    Scheme,
    /// It is `http` to another machine.
    #[error(
        "it is plain http, which everybody on the way can read and change; only this machine is spoken to like that"
    )]
    Plain,
    /// It has a user or a password.
    #[error("it has a user or a password in it, which every user of this machine can see")]
    User,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// When nothing may be sent there.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(TargetError::Form);
        };
        if authority.as_str().contains('@') {
            return Err(TargetError::User);
        }
        if authority.host().is_empty() {
            return Err(TargetError::Form);
        }
        if *scheme == Scheme::HTTP {
            if !is_this_machine(authority.host()) {
                return Err(TargetError::Plain);
            }
        } else if *scheme != Scheme::HTTPS {
            return Err(TargetError::Scheme);
        }
        Ok(Self { uri })
    }

    /// The same host with another path and query.
    ///
    /// # Errors
    ///
    /// When these are no path and query.
    pub fn with_path_and_query(&self, path_and_query: &str) -> Result<Self, TargetError> {
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(path_and_query.parse().map_err(|_| TargetError::Form)?);
        let uri = Uri::from_parts(parts).map_err(|_| TargetError::Form)?;
        Ok(Self { uri })
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// What stands behind the `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// The scheme and the host, with the port unless it is that of the scheme: what may be shown. However these were
    /// spelled, the same ones give the same text; what a resolver says of a name does not matter.
    #[must_use]
    pub fn host(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let host = spelled(self.uri.host().unwrap_or_default());
        let usual = if scheme == "https" { 443 } else { 80 };
        match self.uri.port_u16().filter(|port| *port != usual) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

/// A path may be a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.host()).finish()
    }
}

/// A host in one spelling.
fn spelled(host: &str) -> String {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare.map(str::parse::<Ipv6Addr>) {
        Some(Ok(address)) => format!("[{address}]"),
        _ => host.to_ascii_lowercase(),
    }
}

/// Whether a host means this machine, whatever a resolver says of it later.
fn is_this_machine(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_alone() {
        for url in [
            "http://127.0.0.1:9464",
            "http://127.8.9.1/x?y=z",
            "http://[::1]:9464/",
            "http://LocalHost:1",
            "https://example.org/push",
            "https://192.0.2.1",
        ] {
            assert!(Target::parse(url).is_ok(), "{url}");
        }
        for (url, error) in [
            ("http://example.org", TargetError::Plain),
            ("http://192.0.2.1/", TargetError::Plain),
            ("http://127.0.0.1.example.org/", TargetError::Plain),
            ("http://localhost.example.org/", TargetError::Plain),
            ("http://0.0.0.0/", TargetError::Plain),
            ("http://[::ffff:192.0.2.1]/", TargetError::Plain),
            ("http://2130706433/", TargetError::Plain),
            ("ftp://localhost/", TargetError::Scheme),
            ("https://user:secret@example.org/", TargetError::User),
            ("http://127.0.0.1@example.org/", TargetError::User),
            ("localhost:9464", TargetError::Form),
            ("/srv/x", TargetError::Form),
            ("", TargetError::Form),
            ("https://", TargetError::Form),
        ] {
            assert_eq!(Target::parse(url).unwrap_err(), error, "{url}");
        }
    }

    #[test]
    fn what_is_shown_of_a_target_is_its_host() {
        let target = Target::parse("https://Example.org:8443/secret?token=secret").unwrap();
        assert_eq!(target.host(), "https://example.org:8443");
        assert!(!format!("{target:?}").contains("secret"));
        for (url, host) in [
            ("HTTPS://Example.org:443/x", "https://example.org"),
            ("https://example.org:", "https://example.org"),
            ("https://example.org:80", "https://example.org:80"),
            ("http://LocalHost:80", "http://localhost"),
            ("http://localhost:0443", "http://localhost:443"),
            ("http://[0:0::0:1]:9464", "http://[::1]:9464"),
            ("http://127.0.0.1", "http://127.0.0.1"),
        ] {
            assert_eq!(Target::parse(url).unwrap().host(), host, "{url}");
        }
        let other = target.with_path_and_query("/api/v1/push?a=b").unwrap();
        assert_eq!((other.path(), other.query()), ("/api/v1/push", Some("a=b")));
    }
}
