//! The Python client's own HTTP server beside `deespec serve`, each with as many series: one process that
//! holds them in memory, and the multiprocess mode, which reads them from files as DeeSpec does.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::{Outcome, python};
use crate::load::{self, Client};
use crate::place::Bench;
use crate::rows::serve::Stand;
use crate::server::Server;
use crate::table::Figure::Bytes;
use crate::table::{HowMany, PeerLine};
use crate::{Result, measure};

pub(crate) const NAME: &str = "prometheus_client, its HTTP server";
const SCRIPT: &str = include_str!("prometheus_client_served.py");

/// In words, and whether its metrics are in files.
const MODES: [(&str, bool); 2] = [(", in one process", false), (", multiprocess mode", true)];

pub(crate) fn rows() -> Vec<String> {
    let of = |(mode, _)| {
        let [one, several] = beside_rows(mode);
        [one, several, memory(mode)]
    };
    MODES.into_iter().flat_map(of).collect()
}

/// The names of the two rows that [`beside`] gives.
pub(super) fn beside_rows(mode: &str) -> [String; 2] {
    let connections = load::CONNECTIONS;
    [
        format!("one scrape after the other{mode}"),
        format!("scrapes, {connections} connections{mode}"),
    ]
}

pub(super) fn memory(mode: &str) -> String {
    format!("memory after scrapes{mode}")
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let Some(interpreter) = python::of_venv(bench) else {
        return Ok(Outcome::Skipped(python::NO_CLIENT.to_owned()));
    };
    let ours = Stand::new(bench)?;
    let series = bench.served();
    let mut lines = Vec::new();
    for (mode, in_files) in MODES {
        let folder = bench.on_disk()?;
        let mut command = Command::new(&interpreter);
        command.args(["-c", SCRIPT, &series.to_string()]);
        if in_files {
            command.env("PROMETHEUS_MULTIPROC_DIR", folder.path());
        }
        let theirs = start(command)?;
        lines.extend(beside(bench, NAME, mode, &ours.server, &theirs)?);
        let (our_memory, their_memory) = (ours.server.memory()?, theirs.memory()?);
        let line = PeerLine::new(NAME, memory(mode), Bytes(our_memory), Bytes(their_memory));
        lines.push(line.of(HowMany::of(series, "series")));
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
) -> Result<[PeerLine; 2]> {
    let client = Client::new();
    let [our_url, their_url] = [ours, theirs].map(|server| server.url("/metrics"));
    let series = bench.served();
    // A quick answer would be no feat if series were missing.
    for url in [&our_url, &their_url] {
        let found = client.get(url)?.matches("shard=\"shard-").count();
        if found < series {
            return Err(format!("{url} shows {found} of {series} series").into());
        }
    }
    let ask = |url: &str, n: u64| (0..n).try_for_each(|_| client.get(url).map(drop));
    let one = measure::against(bench.effort, |n| ask(&our_url, n), |n| ask(&their_url, n))?;
    let [one_after_other, several] = beside_rows(mode);
    let one = PeerLine::pair(peer, one_after_other, &one);
    let several = if load::has_wrk() {
        let (rounds, time) = load::rounds(bench);
        let text = &["Accept: text/plain"];
        let rates = measure::turns(
            rounds,
            || load::scrapes(ours, text, time),
            || load::scrapes(theirs, text, time),
        )?;
        PeerLine::rates(peer, several, &rates)
    } else {
        PeerLine::skipped(peer, several, load::NO_WRK)
    };
    Ok([one, several].map(|line| line.of(HowMany::of(series, "series"))))
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
