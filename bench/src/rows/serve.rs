//! `deespec serve` with 10,000 series: how often it can be scraped, and what it takes while nothing happens. What
//! its live clients see is in `live.rs`, what its page weighs in `page.rs`.

use std::time::Duration;

use tempfile::TempDir;

use crate::load::{self, Client};
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::server::{Server, shares};
use crate::table::Figure::{Bytes, Nanoseconds, OfACore, PerSecond};
use crate::table::Line;
use crate::{Result, measure};

pub(crate) mod followers;
pub(crate) mod live;
pub(crate) mod page;

use followers::Followers;

pub(crate) const SERIES: usize = 10_000;
/// Percent of a core that a server may take while nothing changes.
const IDLE_LIMIT: f64 = 1.0;
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
        register(&store, &names(SERIES))?;
        let found = store.view()?.samples().count();
        if found < SERIES {
            return Err(format!("{SERIES} series were made, the view has {found}").into());
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

/// How long a server is watched that does nothing: long against the 10 ms in which the kernel counts.
pub(crate) fn idle_time(bench: &Bench) -> Duration {
    Duration::from_secs(if bench.quick { 2 } else { 20 })
}

pub(crate) fn scrapes(bench: &Bench) -> Result<Vec<Line>> {
    let stand = Stand::new(bench)?;
    let server = &stand.server;
    let mut lines = Vec::new();
    let (rounds, time) = load::rounds(bench);
    for (format, headers) in FORMATS {
        let connections = load::CONNECTIONS;
        let what = format!("scrapes of {SERIES} series, {connections} connections: {format}");
        lines.push(if load::has_wrk() {
            let rate = measure::rounds(rounds, || load::scrapes(server, headers, time))?;
            Line::alone(what, PerSecond(rate))
        } else {
            Line::skipped(what, load::NO_WRK)
        });
    }
    let (client, url) = (Client::new(), server.url("/metrics"));
    let one = measure::alone(bench.effort, |n| {
        (0..n).try_for_each(|_| client.get(&url).map(drop))
    })?;
    lines.push(Line::alone(
        format!("one scrape of {SERIES} series after the other"),
        Nanoseconds(one),
    ));
    lines.push(Line::alone(
        format!("memory of the server after scrapes of {SERIES} series"),
        Bytes(server.memory()?),
    ));
    Ok(lines)
}

pub(crate) fn idle(bench: &Bench) -> Result<Vec<Line>> {
    let stand = Stand::new(bench)?;
    let server = &stand.server;
    let mut lines = vec![Line::alone(
        format!("memory of a server that nobody asked yet, {SERIES} series"),
        Bytes(server.memory()?),
    )];
    for clients in [0, 1, CLIENTS] {
        let _followers = Followers::of(server, clients)?;
        // What the first views have left behind is not what is measured.
        std::thread::sleep(idle_time(bench) / 10);
        let [share] = shares([server], idle_time(bench))?;
        lines.push(Line::limit(
            format!("idle server, {SERIES} series, {clients} live clients"),
            OfACore(share),
            OfACore(IDLE_LIMIT),
        ));
        if clients == CLIENTS {
            lines.push(Line::alone(
                format!("memory of the server with {clients} live clients"),
                Bytes(server.memory()?),
            ));
        }
    }
    Ok(lines)
}
