//! `deespec serve` with many series: how often it can be scraped, and what it takes while nothing happens. What
//! its live clients see is in `live.rs`, what its page weighs in `page.rs`.

use std::time::Duration;

use tempfile::TempDir;

use crate::load::{self, Client};
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::server::{Server, shares};
use crate::table::Figure::{Bytes, Nanoseconds, OfACore, PerSecond};
use crate::table::{HowMany, Line};
use crate::{Result, measure};

pub(crate) mod followers;
pub(crate) mod gone;
pub(crate) mod live;
pub(crate) mod page;
mod watcher;

use followers::Followers;

/// What a follower's changes may cost while there are none, as so many scrapes a second: the server looks 40 times
/// a second for changes of cells, and once for series that are gone.
const IDLE_AT_MOST: f64 = 3.0;
/// Clients that follow changes.
pub(crate) const CLIENTS: usize = 100;

/// What a scraper asks for, in words and as a header.
const FORMATS: [(&str, &[&str]); 3] = [
    ("Prometheus text", &["Accept: text/plain"]),
    (
        "OpenMetrics",
        &["Accept: application/openmetrics-text;version=1.0.0"],
    ),
    (
        "OpenMetrics, gzip",
        &[
            "Accept: application/openmetrics-text;version=1.0.0",
            "Accept-Encoding: gzip",
        ],
    ),
];

/// A server and its store, both of which go when it is dropped.
pub(crate) struct Stand {
    pub(crate) server: Server,
    pub(crate) store: deespec::Store,
    pub(crate) folder: TempDir,
}

impl Stand {
    /// A server with so many series.
    pub(crate) fn new(bench: &Bench) -> Result<Self> {
        let folder = bench.on_disk()?;
        let path = folder.path().join("var");
        let store = place::open(&path)?;
        let series = bench.served();
        register(&store, &names(series))?;
        let found = store.view()?.samples().count();
        if found < series {
            return Err(format!("{series} series were made, the view has {found}").into());
        }
        // A program that counted would have made them durable long ago.
        store.flush()?;
        let server = Server::ours(bench, &path)?;
        Ok(Self {
            server,
            store,
            folder,
        })
    }
}

pub(crate) fn scrapes(bench: &Bench) -> Result<Vec<Line>> {
    let stand = Stand::new(bench)?;
    let server = &stand.server;
    let of = |line: Line| line.of(HowMany::of(bench.served(), "series"));
    let mut lines = Vec::new();
    let (rounds, time) = load::rounds(bench);
    for (format, headers) in FORMATS {
        let connections = load::CONNECTIONS;
        let what = format!("scrapes, {connections} connections: {format}");
        lines.push(of(if load::has_wrk() {
            let rate = measure::rounds(rounds, || load::scrapes(server, headers, time))?;
            Line::alone(what, PerSecond(rate))
        } else {
            Line::skipped(what, load::NO_WRK)
        }));
    }
    let (client, url) = (Client::new(), server.url("/metrics"));
    let one = measure::alone(bench.effort, |n| {
        (0..n).try_for_each(|_| client.get(&url).map(drop))
    })?;
    let what = "one scrape after the other";
    lines.push(of(Line::alone(what, Nanoseconds(one))));
    let what = "memory of the server after scrapes";
    lines.push(of(Line::alone(what, Bytes(server.memory()?))));
    Ok(lines)
}

/// What the server takes of a core while nothing happens, in turns with what it takes for one scrape a second.
pub(crate) fn idle(bench: &Bench) -> Result<Vec<Line>> {
    let stand = Stand::new(bench)?;
    let server = &stand.server;
    let of = |line: Line| line.of(HowMany::of(bench.served(), "series"));
    let what = "memory of a server that nobody asked yet";
    let mut lines = vec![of(Line::alone(what, Bytes(server.memory()?)))];
    let (client, url) = (Client::new(), server.url("/metrics"));
    let (rounds, time) = idle_rounds(bench);
    for clients in [0, 1, CLIENTS] {
        let _followers = Followers::of(server.address, clients)?;
        // What the first views have left behind is not what is measured.
        std::thread::sleep(time / 2);
        let held = server.memory()?;
        let pair = measure::turns(
            rounds,
            || Ok(shares([server], time)?[0]),
            || {
                let scrapes = bench.level.choose(50, 50, 2);
                let before = server.cpu()?;
                (0..scrapes).try_for_each(|_| client.get(&url).map(drop))?;
                Ok(100.0 * (server.cpu()? - before) / f64::from(scrapes))
            },
        )?;
        lines.push(of(Line::ratio(
            format!("idle server, {clients} live clients"),
            OfACore(pair.ours),
            "one scrape a second",
            OfACore(pair.theirs),
            pair.ratio,
            IDLE_AT_MOST,
        )));
        if clients == CLIENTS {
            let what = format!("memory of the server with {clients} live clients");
            lines.push(of(Line::alone(what, Bytes(held))));
        }
    }
    Ok(lines)
}

/// How often, and how long each time, a server is watched that does nothing. Once a second it looks closely.
fn idle_rounds(bench: &Bench) -> (usize, Duration) {
    let (rounds, milliseconds) = bench.level.choose((5, 4_000), (3, 1_000), (1, 50));
    (rounds, Duration::from_millis(milliseconds))
}

/// How long two servers are watched beside each other that do nothing.
pub(crate) fn idle_time(bench: &Bench) -> Duration {
    let (rounds, time) = idle_rounds(bench);
    time * rounds as u32
}
