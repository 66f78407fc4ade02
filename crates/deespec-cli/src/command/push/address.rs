//! Which server, and which of its stores.

use deespec_client::{Target, TargetError};

use crate::exit::Failure;

const PATH: &str = "/api/v1/push";
/// A file's name has at most 255 bytes, and others stand around this one.
const NAME_BYTES: usize = 160;

/// The address of a server.
pub(super) struct Address {
    target: Target,
    path: String,
    /// `store=NAME`, or nothing.
    store: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let target = Target::parse(url).map_err(wrong)?;
        let store = target.query().unwrap_or_default();
        let is_store = store.starts_with("store=") && !store.contains('&');
        if !store.is_empty() && !is_store {
            let message = "cannot push there: only ?store=NAME can stand behind the URL";
            return Err(Failure::new(message)
                .hint("the token is given by --token-file FILE or DEESPEC_TOKEN"));
        }
        let path = target.path().trim_end_matches('/');
        let path = path.strip_suffix(PATH).unwrap_or(path);
        let path = path.trim_end_matches('/').to_owned();
        let store = store.to_owned();
        Ok(Self {
            target,
            path,
            store,
        })
    }

    /// The target of one push.
    pub(super) fn of(&self, writer: &str, sequence: u64) -> Result<Target, Failure> {
        let and = if self.store.is_empty() { "" } else { "&" };
        let (path, store) = (&self.path, &self.store);
        let whole = format!("{path}{PATH}?writer={writer}&sequence={sequence}{and}{store}");
        self.target.with_path_and_query(&whole).map_err(wrong)
    }

    /// As messages show it.
    pub(super) fn shown(&self) -> String {
        self.target.host()
    }

    /// What tells it apart from others.
    pub(super) fn whole(&self) -> String {
        let mark = if self.store.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{}", self.target.host(), self.path, self.store)
    }

    /// The name of a file for it, and for no other one.
    pub(super) fn file_name(&self) -> Result<String, Failure> {
        let mut name = String::new();
        for byte in self.whole().bytes() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' => {
                    name.push(char::from(byte))
                }
                other => name.push_str(&format!("_{other:02x}")),
            }
        }
        if name.len() > NAME_BYTES {
            return Err(Failure::new("the URL is too long for the name of a file")
                .hint("name one with --state FILE"));
        }
        Ok(name + ".push")
    }
}

fn wrong(error: TargetError) -> Failure {
    let failure = Failure::new(format!("cannot push there: {error}"));
    match error {
        TargetError::Plain => failure.hint("put a proxy with https before the server, or push on its own machine to http://127.0.0.1:9464"),
        TargetError::User => failure.hint("give the token with --token-file FILE or DEESPEC_TOKEN"),
        _ => failure.hint("give the URL of the server, such as https://counts.example.org or http://127.0.0.1:9464"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_and_store_has_a_file_of_its_own() {
        let name = |url: &str| Address::parse(url).unwrap().file_name().unwrap();
        let plain = "http_3a_2f_2f127.0.0.1_3a9464.push";
        assert_eq!(name("http://127.0.0.1:9464"), plain);
        assert_eq!(name("http://127.0.0.1:9464/"), plain);
        assert_eq!(name("http://127.0.0.1:9464/api/v1/push"), plain);
        assert_eq!(name("HTTP://127.0.0.1:9464//api/v1/push/?"), plain);
        let of_a_name = name("https://a.example");
        assert_eq!(of_a_name, "https_3a_2f_2fa.example.push");
        assert_eq!(name("https://A.Example:443/"), of_a_name);
        let others = [
            "http://127.0.0.1:9464/a",
            "http://127.0.0.1:9464?store=a",
            "https://127.0.0.1:9464",
            "http://127.0.0.1",
            "http://localhost:9464",
            "http://127.0.0.1:9464/A",
        ];
        for other in others {
            assert_ne!(name(other), plain, "{other}");
        }
        assert!(Address::parse("https://a.example/?token=x").is_err());
    }

    #[test]
    fn a_push_keeps_the_path_and_the_store_of_the_url() {
        let address = Address::parse("https://a.example/counts/?store=b").unwrap();
        let target = address.of("w-1", 7).unwrap();
        assert_eq!(target.path(), "/counts/api/v1/push");
        assert_eq!(target.query(), Some("writer=w-1&sequence=7&store=b"));
    }
}
