//! The Python client of Prometheus in multiprocess mode, the usual answer for pre-forked servers.
//!
//! Each process that ever counted leaves its files behind, and every scrape reads them all.

use std::process::Command;

use super::{Outcome, our_increment, python};
use crate::Result;
use crate::measure::{self, Effort};
use crate::place::{self, Bench, allocated};
use crate::rows::disk::one_shot_processes;
use crate::table::Figure::{Bytes, Nanoseconds};
use crate::table::PeerLine;

pub(crate) const NAME: &str = "prometheus_client, multiprocess mode";
const SCRIPT: &str = include_str!("prometheus_client.py");

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let Some(interpreter) = python::of_venv(bench) else {
        let reason =
            "no target/bench-venv, which `cargo xtask bench` makes where python3 is installed";
        return Ok(Outcome::Skipped(reason.to_owned()));
    };
    let dead: &[usize] = if bench.quick {
        &[1, 100]
    } else {
        &[1, 100, 1000]
    };
    let folder = bench.on_disk()?;
    let mut command = Command::new(interpreter);
    command.env("PROMETHEUS_MULTIPROC_DIR", folder.path());
    let args: Vec<_> = dead.iter().map(usize::to_string).collect();
    let answer = python::run(command, SCRIPT, &args, 180)?;

    let theirs = python::number(&answer["inc_ns"])?;
    let ours = our_increment(bench)?;
    let mut lines = vec![PeerLine::new(
        NAME,
        "one increment, handle held",
        Nanoseconds(ours),
        Nanoseconds(theirs),
    )];

    let folder = bench.on_disk()?;
    let store = folder.path().join("var");
    let mut so_far = 0;
    for (index, &dead) in dead.iter().enumerate() {
        one_shot_processes(bench, &store, dead - so_far)?;
        so_far = dead;
        let theirs = &answer["scrapes"][index];
        lines.push(PeerLine::new(
            NAME,
            format!("read everything after {dead} dead processes"),
            Nanoseconds(our_scrape(bench.effort, &store)?),
            Nanoseconds(python::number(&theirs["ns"])?),
        ));
        lines.push(PeerLine::new(
            NAME,
            format!("disk after {dead} dead processes"),
            Bytes(allocated(&store)? as f64),
            Bytes(python::number(&theirs["bytes"])?),
        ));
    }
    Ok(Outcome::Measured(lines))
}

/// As the peer's scrape does, from nothing: open the store, read it, render it.
fn our_scrape(effort: Effort, store: &std::path::Path) -> Result<f64> {
    measure::alone(effort, |n| {
        for _ in 0..n {
            std::hint::black_box(place::open(store)?.view()?.to_json());
        }
        Ok(())
    })
}
