//! The name by which a server is called, by the grammar of the `Host` header: a name or an address, and a port.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What a request calls the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host<'a> {
    /// An address cannot be rebound to another one.
    Address,
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// `None` for what is no host.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let is_address = |name: &str| name.parse::<Ipv4Addr>().is_ok();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                let port = match port {
                    "" => None,
                    port => Some(port.strip_prefix(':')?),
                };
                (Self::Address, port)
            }
            None => match text.split_once(':') {
                Some((name, port)) if is_address(name) => (Self::Address, Some(port)),
                Some((name, port)) => (Self::Name(name), Some(port)),
                None if is_address(text) => (Self::Address, None),
                None => (Self::Name(text), None),
            },
        };
        let is_port = |port: &str| {
            port.is_empty()
                || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
        };
        port.is_none_or(is_port).then_some(host)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for address in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "10.1.2.3:",
            "[::1]",
            "[::1]:80",
            "[fe80::1]:65535",
        ] {
            assert_eq!(Host::parse(address), Some(Host::Address), "{address}");
        }
        for (text, name) in [
            ("localhost", "localhost"),
            ("a.example:80", "a.example"),
            ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
            ("evil.example.127.0.0.1", "evil.example.127.0.0.1"),
            ("127.1", "127.1"),
            ("0x7f000001", "0x7f000001"),
        ] {
            assert_eq!(Host::parse(text), Some(Host::Name(name)), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_none() {
        for wrong in [
            "127.0.0.1:evil",
            "127.0.0.1:80:80",
            "127.0.0.1:65536",
            "127.0.0.1:+80",
            "[::1",
            "[::1]evil.example",
            "[::1]evil.example:80",
            "[127.0.0.1]",
            "[evil.example]:80",
            "::1",
            "fe80::1:80",
            "evil.example:127.0.0.1",
            "evil.example:80@127.0.0.1",
        ] {
            let parsed = Host::parse(wrong);
            let is_address = parsed == Some(Host::Address);
            assert!(
                !is_address && (parsed.is_none() || wrong.starts_with(':')),
                "{wrong}: {parsed:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_an_address_that_does_not_begin_with_one(name in "[a-z]{1,8}", rest in "[\\]\\[:.0-9a-z]{0,20}") {
            let text = format!("{name}{rest}");
            prop_assert_ne!(Host::parse(&text), Some(Host::Address));
        }
    }
}
