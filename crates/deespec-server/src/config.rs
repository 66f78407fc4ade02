//! What a server is told before it begins.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deespec::Store;

/// What a server serves, and to whom.
pub struct Config {
    /// Where to listen, unless systemd hands over a socket.
    pub listen: SocketAddr,
    /// Where to count what statsd clients send, into the one store that there is then.
    pub statsd: Vec<Statsd>,
    /// The stores, at least one. With several, each has its name as the label `store`.
    pub stores: Vec<Served>,
    /// How to get the stores that are not there yet; `None` where all are.
    pub missing: Option<Missing>,
    /// What a client has to know that is not on this machine, or wants to change something.
    pub token: Option<Token>,
    /// Listen beyond this machine without a token; statsd too, which knows none.
    pub insecure: bool,
    /// Names by which this server may be called, besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// How much a client may ask for.
    pub limits: Limits,
    /// End after one scrape was answered.
    pub once: bool,
    /// The verdict of the gate on a store, as JSON; an error is a sentence.
    pub judge: Judge,
    /// Who is told what happens.
    pub events: Arc<dyn Events>,
}

/// A store that is served.
pub struct Served {
    /// The value of its label `store` where there are several.
    pub name: String,
    /// The store.
    pub store: Store,
}

/// What a server does until its stores are there.
pub struct Missing {
    /// What whoever asks is told.
    pub sentence: String,
    /// Looks for the stores, and gives all of them as soon as they are there. With `true`, somebody has pushed who
    /// may, and they are to be made. After an error, which the caller knows, the server ends.
    pub look: Look,
}

/// Looks for stores.
pub type Look = Arc<dyn Fn(bool) -> Result<Option<Vec<Served>>, Ended> + Send + Sync>;

/// A server is not to go on; why is known to whoever said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

/// Gives the verdict of the gate on a store.
pub type Judge = Arc<dyn Fn(&Store) -> Result<String, String> + Send + Sync>;

/// What a server says to whoever started it.
pub trait Events: Send + Sync {
    /// It listens at this address.
    fn listening(&self, address: SocketAddr);
    /// It counts what statsd clients send to this address.
    fn counting(&self, address: &Statsd);
    /// So many lines or datagrams of statsd clients could not be counted since this was said the last time, the
    /// last one for this reason. The example is theirs and may hold anything.
    fn rejected(&self, number: u64, reason: &str, example: &str);
    /// The store is not at this path any more, for this reason. Nothing is counted or shown from here on.
    fn lost(&self, path: &Path, reason: &str);
}

/// Where statsd clients send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statsd {
    /// An address; every program on this machine may send to one on the loopback.
    Udp(SocketAddr),
    /// The file of a Unix socket, for this user or the store's group.
    Unix(PathBuf),
}

impl fmt::Display for Statsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How much statsd clients may add to a store, which they do without a token: in all that it ever was, over all servers
/// and their starts. What is known counts on.
#[derive(Debug, Clone, Copy)]
pub struct New {
    /// New series.
    pub series: u64,
    /// Their cells: a counter and a gauge have one, a histogram some hundred.
    pub cells: u64,
}

impl Default for New {
    fn default() -> Self {
        Self {
            series: 10_000,
            cells: 65_536,
        }
    }
}

/// How much a client may ask for. What is beyond is refused, and the server goes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; one more is told to come later. Some places more are for scrapes, pushes and supervisors
    /// alone. Half of them may follow changes.
    pub connections: usize,
    /// Clients of one machine that follow changes.
    pub live_clients: usize,
    /// Bytes of the head of a request.
    pub head_bytes: usize,
    /// How long its head may take, and how long a connection may be idle.
    pub head: Duration,
    /// Bytes of the body of a request.
    pub body_bytes: usize,
    /// How long an answer may take that has an end, with the time that the body of its request takes to come.
    pub answer: Duration,
    /// How long a client may accept nothing of what is sent to it, live changes too.
    pub write: Duration,
    /// Messages that wait for a live client before it is dropped; sooner where they are long.
    pub queue: usize,
    /// What statsd clients may add to the store.
    pub statsd: New,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            live_clients: 16,
            head_bytes: 16 * 1024,
            head: Duration::from_secs(5),
            body_bytes: 64 * 1024,
            answer: Duration::from_secs(30),
            write: Duration::from_secs(10),
            queue: 256,
            statsd: New::default(),
        }
    }
}

/// A secret that clients have to know. It is compared in a time that does not depend on what was given.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The shortest that is taken.
    pub const LEAST_BYTES: usize = 16;

    /// A token of at least [`Token::LEAST_BYTES`] visible ASCII characters, without the space around it.
    ///
    /// # Errors
    ///
    /// With a sentence that says what is wrong, and never the token.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() < Self::LEAST_BYTES {
            let least = Self::LEAST_BYTES;
            return Err(format!("the token has fewer than {least} characters"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token has characters that are no visible ASCII".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn is(&self, given: &str) -> bool {
        constant_time_eq::constant_time_eq(self.0.as_bytes(), given.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_visible_and_never_shown() {
        assert!(Token::new("short").unwrap_err().contains("16"));
        assert!(Token::new("a space inside of it").is_err());
        let token = Token::new("  0123456789abcdef\n").unwrap();
        assert!(token.is("0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdeF",
            "0123456789abcdef ",
        ] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }
}
