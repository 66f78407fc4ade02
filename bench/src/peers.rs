//! The second table: what people use today, doing the same work as DeeSpec in the same run.
//!
//! Each peer runs as its own documentation advises, and in the way that flatters it where there is a
//! choice. One that cannot run here is skipped, row by row, with the package that brings it.

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::{increment, is_meant};
use crate::table::{self, Figure, HowMany, PeerLine};
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

/// One that others use.
struct Peer {
    name: &'static str,
    /// The names of its rows, which are there whether it is or not.
    rows: fn() -> Vec<String>,
    measure: fn(&Bench) -> Result<Outcome>,
}

/// What a peer's file hands back.
pub(crate) enum Outcome {
    Measured(Vec<PeerLine>),
    /// Why not, and what brings it.
    Skipped(String),
}

const PEERS: &[Peer] = &[
    Peer {
        name: json_file::NAME,
        rows: json_file::rows,
        measure: json_file::measure,
    },
    Peer {
        name: prometheus_client::NAME,
        rows: prometheus_client::rows,
        measure: prometheus_client::measure,
    },
    Peer {
        name: dead_processes::NAME,
        rows: dead_processes::rows,
        measure: dead_processes::measure,
    },
    Peer {
        name: prometheus_client_served::NAME,
        rows: prometheus_client_served::rows,
        measure: prometheus_client_served::measure,
    },
    Peer {
        name: pushgateway::NAME,
        rows: pushgateway::rows,
        measure: pushgateway::measure,
    },
    Peer {
        name: pushgateway::rates::NAME,
        rows: pushgateway::rates::rows,
        measure: pushgateway::rates::measure,
    },
    Peer {
        name: redis::NAME,
        rows: redis::rows,
        measure: redis::measure,
    },
    Peer {
        name: sqlite::NAME,
        rows: sqlite::rows,
        measure: sqlite::measure,
    },
    Peer {
        name: in_process::metrics::NAME,
        rows: in_process::metrics::rows,
        measure: in_process::metrics::measure,
    },
    Peer {
        name: in_process::prometheus::NAME,
        rows: in_process::prometheus::rows,
        measure: in_process::prometheus::measure,
    },
    Peer {
        name: in_process::measured::NAME,
        rows: in_process::measured::rows,
        measure: in_process::measured::measure,
    },
];

/// Measures every peer whose name contains `only`. One that is not there or goes wrong has its rows all the
/// same, each of which says so.
pub(crate) fn all(bench: &Bench, only: &str) -> Vec<PeerLine> {
    let peers = PEERS.iter().filter(|peer| is_meant(peer.name, only));
    let lines = |peer: &Peer| {
        table::progress(&format!("measuring: {}", peer.name));
        (peer.measure)(bench).map_or_else(
            |error| without(peer, &error.to_string(), PeerLine::failed),
            |outcome| peer.complete(outcome),
        )
    };
    peers.flat_map(lines).collect()
}

/// All rows of a peer, with the reason why there is nothing in them.
fn without(
    peer: &Peer,
    reason: &str,
    line: fn(&'static str, String, &str) -> PeerLine,
) -> Vec<PeerLine> {
    let rows = (peer.rows)();
    rows.into_iter()
        .map(|what| line(peer.name, what, reason))
        .collect()
}

impl Peer {
    /// What was measured, if it is all that was promised.
    fn complete(&self, outcome: Outcome) -> Vec<PeerLine> {
        match outcome {
            Outcome::Skipped(reason) => without(self, &reason, PeerLine::skipped),
            Outcome::Measured(lines) => {
                let differs = lines.iter().map(|line| &line.what).ne(&(self.rows)());
                match differs {
                    true => without(self, "it has other rows than it names", PeerLine::failed),
                    false => lines,
                }
            }
        }
    }
}

/// How many increments each racing process makes.
fn increments(bench: &Bench) -> u64 {
    bench.level.choose(500, 100, 5)
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

/// The names of the two rows of a race.
fn race_rows(how: &str) -> [String; 2] {
    let what = format!("{PROCESSES} processes race{how}");
    [format!("{what}: kept"), format!("{what}: increments")]
}

/// The two rows of a race: were they all kept, and how fast was it.
fn race_lines(
    bench: &Bench,
    peer: &'static str,
    how: &str,
    theirs: &Race,
) -> Result<[PeerLine; 2]> {
    let ours = our_race(bench, "")?;
    let [kept, rate] = race_rows(how);
    let each = HowMany::of(increments(bench) as usize, "increments each");
    Ok([
        PeerLine::new(peer, kept, ours.kept, theirs.kept).of(each),
        PeerLine::new(peer, rate, ours.rate, theirs.rate).of(each),
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
