//! What is asked of a server: by `wrk` from several connections at once, or one request after the other.

mod pushers;

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::place::Bench;
use crate::server::{PATIENCE, Server};

pub(crate) use pushers::Pushes;

/// The program that asks from several connections.
pub(crate) const WRK: &str = "wrk";
/// Connections of which each always waits for an answer.
pub(crate) const CONNECTIONS: u32 = 4;

pub(crate) const NO_WRK: &str = "there is no wrk; Debian's package wrk brings it";

/// Whether this machine has `wrk`.
pub(crate) fn has_wrk() -> bool {
    let version = Command::new(WRK)
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok()
}

/// How long `wrk` asks in each round, and how many rounds there are.
pub(crate) fn rounds(bench: &Bench) -> (usize, Duration) {
    let (rounds, seconds) = bench.level.choose((5, 2), (1, 1), (1, 1));
    (rounds, Duration::from_secs(seconds))
}

/// Scrapes a second, with these headers. Who has not answered once by then is asked for longer.
pub(crate) fn scrapes(server: &Server, headers: &[&str], time: Duration) -> Result<f64> {
    let mut time = time;
    loop {
        let rate = scrapes_in(server, headers, time)?;
        if rate > 0.0 {
            return Ok(rate);
        }
        if time > PATIENCE {
            return Err(format!("{WRK} got no answer in {} s", time.as_secs()).into());
        }
        time *= 4;
    }
}

fn scrapes_in(server: &Server, headers: &[&str], time: Duration) -> Result<f64> {
    let mut command = Command::new(WRK);
    command.args(["-t", "1", "-c", &CONNECTIONS.to_string()]);
    command.arg(format!("--timeout={}s", PATIENCE.as_secs()));
    command.arg(format!("-d{}s", time.as_secs()));
    for header in headers {
        command.args(["-H", header]);
    }
    let output = command.arg(server.url("/metrics")).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    // A refusal would be quick, and no answer.
    if let Some(wrong) = said
        .lines()
        .find(|line| line.contains("Non-2xx") || is_broken(line))
    {
        return Err(format!("{WRK}: {}", wrong.trim()).into());
    }
    let rate = said
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.ok_or_else(|| format!("{WRK} tells no rate: {}", output.status))?;
    Ok(rate.trim().parse()?)
}

/// Connections that a server closes after its answer count as read errors of `wrk`; the others do not happen
/// on a machine that works.
fn is_broken(line: &str) -> bool {
    let errors = line.trim().strip_prefix("Socket errors:");
    errors.is_some_and(|errors| {
        let other = errors.split(',').filter(|one| !one.contains("read"));
        other.into_iter().any(|one| !one.trim().ends_with(" 0"))
    })
}

/// One client that keeps its connection where the server does.
pub(crate) struct Client(ureq::Agent);

impl Client {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
        Self(config.build().new_agent())
    }

    /// Gives the answer, without compression.
    pub(crate) fn get(&self, url: &str) -> Result<String> {
        let request = self.0.get(url).header("Accept-Encoding", "identity");
        let mut answer = request.call()?;
        let body = answer.body_mut().with_config().limit(1 << 30);
        Ok(body.read_to_string()?)
    }

    /// Sends a body; anything but success is an error.
    pub(crate) fn post(&self, url: &str, token: &str, body: &str) -> Result<String> {
        let request = self.0.post(url);
        let request = request.header("Authorization", format!("Bearer {token}"));
        let mut answer = request.send(body)?;
        Ok(answer.body_mut().read_to_string()?)
    }
}
