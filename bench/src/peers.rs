//! The second table: what people use today, doing the same work as DeeSpec in the same run.
//!
//! Each peer runs as its own documentation advises, and in the way that flatters it where there is a
//! choice. One that cannot run here is skipped by name.

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::increment;
use crate::table::{self, Figure, PeerLine};
use crate::worker::Crew;

mod dead_processes;
mod in_process;
pub(crate) mod json_file;
mod prometheus_client;
mod prometheus_client_served;
mod pushgateway;
mod python;
pub(crate) mod redis;
mod sqlite;

/// Racing processes, as in the scenario by which DeeSpec began.
const PROCESSES: usize = 8;

type Measure = fn(&Bench) -> Result<Outcome>;

/// What a peer's file hands back.
pub(crate) enum Outcome {
    Measured(Vec<PeerLine>),
    Skipped(String),
}

const PEERS: &[(&str, Measure)] = &[
    (json_file::NAME, json_file::measure),
    (prometheus_client::NAME, prometheus_client::measure),
    (dead_processes::NAME, dead_processes::measure),
    (
        prometheus_client_served::NAME,
        prometheus_client_served::measure,
    ),
    (pushgateway::NAME, pushgateway::measure),
    (redis::NAME, redis::measure),
    (sqlite::NAME, sqlite::measure),
    (in_process::metrics::NAME, in_process::metrics::measure),
    (
        in_process::prometheus::NAME,
        in_process::prometheus::measure,
    ),
    (in_process::measured::NAME, in_process::measured::measure),
];

/// Measures every peer whose name contains `only`; one that goes wrong becomes a row that says so.
pub(crate) fn all(bench: &Bench, only: &str) -> Vec<PeerLine> {
    let mut lines = Vec::new();
    for (name, measure) in PEERS.iter().filter(|(name, _)| name.contains(only)) {
        table::progress(&format!("measuring: {name}"));
        match measure(bench) {
            Ok(Outcome::Measured(measured)) => lines.extend(measured),
            Ok(Outcome::Skipped(reason)) => lines.push(PeerLine::skipped(name, reason)),
            Err(error) => lines.push(PeerLine::failed(name, error.to_string())),
        }
    }
    lines
}

/// How many increments each racing process makes.
fn increments(bench: &Bench) -> u64 {
    if bench.quick { 100 } else { 500 }
}

/// How a race ended: what is left of its increments, and how fast they went.
struct Race {
    kept: Figure,
    rate: Figure,
}

impl Race {
    /// A race of so many `seconds` of which `kept` increments are left.
    fn new(bench: &Bench, kept: u64, seconds: f64) -> Self {
        let of = increments(bench) * PROCESSES as u64;
        Self {
            kept: Figure::Kept { kept, of },
            rate: Figure::PerSecond(of as f64 / seconds),
        }
    }
}

/// DeeSpec's own race: as many processes, as many increments, a store on the same disk.
fn our_race(bench: &Bench, pauses: &str) -> Result<Race> {
    let folder = bench.on_disk()?;
    let store = folder.path().join("var");
    let mut crew = Crew::start(&format!("deespec{pauses}"), &store, PROCESSES)?;
    let seconds = crew.race(increments(bench))?;
    Ok(Race::new(
        bench,
        place::counted(&store, increment::NAME)?,
        seconds,
    ))
}

/// The two rows of a race: were they all kept, and how fast was it.
fn race_lines(
    bench: &Bench,
    peer: &'static str,
    how: &str,
    theirs: &Race,
) -> Result<[PeerLine; 2]> {
    let ours = our_race(bench, "")?;
    let what = format!(
        "{PROCESSES} processes x {} increments{how}",
        increments(bench)
    );
    Ok([
        PeerLine::new(peer, format!("{what}: kept"), ours.kept, theirs.kept),
        PeerLine::new(peer, "the same race: increments", ours.rate, theirs.rate),
    ])
}

/// Nanoseconds of DeeSpec's increment through a held handle, in a process of its own.
fn our_increment(bench: &Bench) -> Result<f64> {
    our_own(bench, "deespec")
}

/// Nanoseconds of what a worker of DeeSpec's does in this role, in a process of its own.
fn our_own(bench: &Bench, role: &str) -> Result<f64> {
    let folder = bench.on_disk()?;
    let mut crew = Crew::start(role, &folder.path().join("var"), 1)?;
    measure::alone(bench.effort, |n| crew.one(0, n).map(drop))
}
