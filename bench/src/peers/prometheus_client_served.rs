//! The Python client's own HTTP server beside `deespec serve`, each with as many series: one process that
//! holds them in memory, and the multiprocess mode, which reads them from files as DeeSpec does.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::{Outcome, python};
use crate::load::{self, Client};
use crate::place::Bench;
use crate::rows::serve::{SERIES, Stand};
use crate::server::Server;
use crate::table::Figure::Bytes;
use crate::table::PeerLine;
use crate::{Result, measure};

pub(crate) const NAME: &str = "prometheus_client, its HTTP server";
const SCRIPT: &str = include_str!("prometheus_client_served.py");

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let Some(interpreter) = python::of_venv(bench) else {
        return Ok(Outcome::Skipped(python::NO_VENV.to_owned()));
    };
    let ours = Stand::new(bench)?;
    let mut lines = Vec::new();
    for (mode, in_files) in [("in one process", false), ("multiprocess mode", true)] {
        let folder = bench.on_disk()?;
        let mut command = Command::new(&interpreter);
        command.args(["-c", SCRIPT, &SERIES.to_string()]);
        if in_files {
            command.env("PROMETHEUS_MULTIPROC_DIR", folder.path());
        }
        let theirs = start(command)?;
        lines.extend(beside(bench, NAME, mode, &ours.server, &theirs)?);
        lines.push(PeerLine::new(
            NAME,
            format!("memory after scrapes of {SERIES} series, {mode}"),
            Bytes(ours.server.memory()?),
            Bytes(theirs.memory()?),
        ));
    }
    Ok(Outcome::Measured(lines))
}

/// Scrapes of both servers, in turns.
pub(super) fn beside(
    bench: &Bench,
    peer: &'static str,
    mode: &str,
    ours: &Server,
    theirs: &Server,
) -> Result<Vec<PeerLine>> {
    let client = Client::new();
    let [our_url, their_url] = [ours, theirs].map(|server| server.url("/metrics"));
    // A quick answer would be no feat if series were missing.
    for url in [&our_url, &their_url] {
        let found = client.get(url)?.matches("shard=\"shard-").count();
        if found < SERIES {
            return Err(format!("{url} shows {found} of {SERIES} series").into());
        }
    }
    let mode = if mode.is_empty() {
        String::new()
    } else {
        format!(", {mode}")
    };
    let ask = |url: &str, n: u64| (0..n).try_for_each(|_| client.get(url).map(drop));
    let one = measure::against(bench.effort, |n| ask(&our_url, n), |n| ask(&their_url, n))?;
    let what = format!("one scrape of {SERIES} series after the other{mode}");
    let mut lines = vec![PeerLine::pair(peer, what, &one)];
    if load::has_wrk() {
        let (rounds, time) = load::rounds(bench);
        let text = &["Accept: text/plain"];
        let rates = measure::turns(
            rounds,
            || load::scrapes(ours, text, time),
            || load::scrapes(theirs, text, time),
        )?;
        let connections = load::CONNECTIONS;
        let what = format!("scrapes of {SERIES} series, {connections} connections{mode}");
        lines.push(PeerLine::rates(peer, what, &rates));
    } else {
        let reason = format!(
            "scrapes from {} connections: {}",
            load::CONNECTIONS,
            load::NO_WRK
        );
        lines.push(PeerLine::skipped(peer, reason));
    }
    Ok(lines)
}

/// Starts the script, which prints its port once it listens and ends with its input.
fn start(mut command: Command) -> Result<Server> {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let said = process.stdout.take().ok_or("a server without a pipe")?;
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line)?;
    Server::of(process, line.trim())
}
