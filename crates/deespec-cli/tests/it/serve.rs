//! `deespec serve`: the real program, asked over real sockets.

mod api;
mod guard;
mod history;
mod ingest;
mod life;
mod limits;
mod live;
mod page;
mod prometheus;
mod scrape;
mod slow;
mod statsd;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Sandbox, lines, next};

/// The token of all tests.
pub(crate) const TOKEN: &str = "a-token-that-only-tests-know";
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is ended by its own process id when the test ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it has said so far.
    said: Arc<Mutex<Vec<String>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer.
pub(crate) struct Answer {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    /// Serves the sandbox' store on a free port, with the token; and others that the arguments name. They are made
    /// first, where they are missing.
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let named = arguments.windows(2).filter(|pair| pair[0] == "--store");
        let named: Vec<&[&str]> = named.collect();
        match named.is_empty() {
            true => drop(sandbox.ok(&["init"])),
            false => named.iter().for_each(|store| {
                let _ = sandbox.output(&[store[0], store[1], "init"]);
            }),
        }
        Self::start_waiting(sandbox, arguments)
    }

    /// As [`Server::start`], and makes no store.
    pub(crate) fn start_waiting(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = sandbox.deespec(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments).env("DEESPEC_TOKEN", TOKEN);
        Self::run(command)
    }

    /// Runs a command that becomes a server, and waits until it says where it listens.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let pipe = lines(child.stderr.take().unwrap());
        let mut said = Vec::new();
        let address = loop {
            let line = next(&pipe);
            let address = line.split_once("address=http://");
            let address = address.map(|(_, address)| address.parse().unwrap());
            said.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        let said = Arc::new(Mutex::new(said));
        let more = Arc::clone(&said);
        // Whoever writes to a closed pipe dies of it.
        std::thread::spawn(move || pipe.iter().for_each(|line| more.lock().unwrap().push(line)));
        Self {
            child,
            address,
            said,
        }
    }

    /// The rest of the first line that it has said with this in it.
    fn said(&self, part: &str) -> Option<String> {
        let said = self.said.lock().unwrap();
        let found = said.iter().find_map(|line| line.split_once(part));
        found.map(|(_, rest)| rest.to_owned())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call())
    }

    fn post(&self, path: &str, token: &str, body: Option<&str>) -> Answer {
        let request = agent().post(self.url(path));
        let request = request.header("Authorization", format!("Bearer {token}"));
        answer(match body {
            Some(body) => request
                .header("Content-Type", "application/json")
                .send(body),
            None => request.send_empty(),
        })
    }

    /// Sends bytes as they are and gives everything that comes back until the server closes.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may close before it has read everything.
        let _ = stream.write_all(bytes);
        rest(&mut stream)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

/// Everything until the other side closes, or resets because it had not read all of what was sent.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE));
    config.build().new_agent()
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = response.unwrap();
    let bytes = response
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_vec()
        .unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    }
}
