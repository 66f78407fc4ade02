//! The Python client of Prometheus in multiprocess mode, the usual answer for pre-forked servers: what
//! one process of it does. What its dead processes cost is in `dead_processes.rs`.

use std::process::Command;

use super::{Outcome, our_own, python};
use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::{names, register, scrape};
use crate::samples::{BOUNDS, OUTCOMES, QUEUES, Values};
use crate::table::Figure::Nanoseconds;
use crate::table::PeerLine;

pub(crate) const NAME: &str = "prometheus_client, multiprocess mode";
const SCRIPT: &str = include_str!("prometheus_client.py");
const SECONDS: u32 = 180;

/// What both do: its name in the script, in the table, and the role of our worker.
const OPERATIONS: [(&str, &str, &str); 5] = [
    ("increment", "one increment, handle held", "deespec"),
    (
        "labels",
        "one increment through two labels",
        "deespec labels",
    ),
    (
        "observe",
        "one observation, 11 bounds, handle held",
        "deespec observe",
    ),
    (
        "set_shared",
        "set a gauge whose last value counts (theirs: mostrecent)",
        "deespec gauge",
    ),
    (
        "set_own",
        "set a process' share of a gauge (theirs: livesum)",
        "deespec process gauge",
    ),
];

pub(crate) fn rows() -> Vec<String> {
    let operations = OPERATIONS.iter().map(|(_, what, _)| (*what).to_owned());
    operations.chain(scrape::SERIES.map(scrape_of)).collect()
}

fn scrape_of(series: usize) -> String {
    format!("scrape of {series} series of one process")
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let Some(interpreter) = python::of_venv(bench) else {
        return Ok(Outcome::Skipped(python::NO_CLIENT.to_owned()));
    };
    let script = |what: &str, more: Vec<String>| {
        let folder = bench.on_disk()?;
        let mut command = Command::new(&interpreter);
        command.env("PROMETHEUS_MULTIPROC_DIR", folder.path());
        let mut args = vec![what.to_owned()];
        args.extend(more);
        python::run(command, SCRIPT, &args, SECONDS)
    };

    let calls = bench.level.choose(100_000, 20_000, 100);
    let counted = serde_json::json!({
        "calls": calls,
        "queues": QUEUES,
        "outcomes": OUTCOMES,
        "bounds": BOUNDS,
        "values": Values::new().take(1024).collect::<Vec<_>>(),
    });
    let theirs = script("operations", vec![counted.to_string()])?;
    let mut lines = Vec::new();
    for (name, what, role) in OPERATIONS {
        lines.push(PeerLine::new(
            NAME,
            what,
            Nanoseconds(our_own(bench, role)?),
            Nanoseconds(python::number(&theirs[name])?),
        ));
    }

    let sizes = scrape::SERIES.iter().map(usize::to_string).collect();
    let theirs = script("scrapes", sizes)?;
    for (index, series) in scrape::SERIES.into_iter().enumerate() {
        lines.push(PeerLine::new(
            NAME,
            scrape_of(series),
            Nanoseconds(our_scrape(bench, series)?),
            Nanoseconds(python::number(&theirs[index])?),
        ));
    }
    Ok(Outcome::Measured(lines))
}

/// As the peer's scrape does, from nothing: open the store, read it, render it as text.
fn our_scrape(bench: &Bench, series: usize) -> Result<f64> {
    let folder = bench.on_disk()?;
    let path = folder.path().join("var");
    register(&place::open(&path)?, &names(series))?;
    measure::alone(bench.effort, |n| {
        for _ in 0..n {
            let view = place::open(&path)?.view()?;
            std::hint::black_box(deespec::exposition::prometheus::encode(&view));
        }
        Ok(())
    })
}
