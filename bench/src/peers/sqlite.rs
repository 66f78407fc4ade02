//! SQLite in WAL mode, `UPDATE … SET n = n + 1`: exact and durable, a transaction per increment.
//!
//! Through Python's own sqlite3 module, whose share is about a microsecond of the figure.

use std::process::Command;

use super::{Outcome, PROCESSES, Race, increments, our_increment, python, race_lines, race_rows};
use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::increment;
use crate::table::Figure::Nanoseconds;
use crate::table::PeerLine;

pub(crate) const NAME: &str = "SQLite UPDATE n = n + 1, WAL";
const SCRIPT: &str = include_str!("sqlite.py");

const RACE: &str = " (synchronous=NORMAL)";
/// What ours does, and how often theirs is on the disk.
const OPERATIONS: [(&str, &str); 2] = [("increment", "NORMAL"), ("increment and flush", "FULL")];

pub(crate) fn rows() -> Vec<String> {
    let [normal, full] = OPERATIONS.map(one);
    let [kept, rate] = race_rows(RACE);
    vec![normal, kept, rate, full]
}

fn one((ours_does, synchronous): (&str, &str)) -> String {
    format!("one {ours_does} (synchronous={synchronous})")
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let Some(interpreter) = python::any(bench) else {
        return Ok(Outcome::Skipped(
            "there is no python3; Debian's package python3 brings it".to_owned(),
        ));
    };
    let each = increments(bench);
    let mut lines = Vec::new();
    let ours = [our_increment(bench)?, our_flushed_increment(bench)?];
    for (operation, ours) in OPERATIONS.into_iter().zip(ours) {
        let (_, synchronous) = operation;
        let folder = bench.on_disk()?;
        let args = [
            folder
                .path()
                .join("counts.db")
                .to_string_lossy()
                .into_owned(),
            synchronous.to_owned(),
            (2 * each).to_string(),
            PROCESSES.to_string(),
            each.to_string(),
        ];
        let answer = python::run(Command::new(&interpreter), SCRIPT, &args, 120)?;
        lines.push(PeerLine::new(
            NAME,
            one(operation),
            Nanoseconds(ours),
            Nanoseconds(python::number(&answer["update_ns"])?),
        ));
        if synchronous == "NORMAL" {
            let kept = answer["kept"].as_u64().ok_or("the script says no count")?;
            let theirs = Race::new(bench, kept, python::number(&answer["seconds"])?);
            lines.extend(race_lines(bench, NAME, RACE, &theirs)?);
        }
    }
    Ok(Outcome::Measured(lines))
}

/// The like of synchronous=FULL: on the disk before the next one.
fn our_flushed_increment(bench: &Bench) -> Result<f64> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let counter = store.counter(increment::NAME)?;
    measure::alone(bench.effort, |n| {
        for _ in 0..n {
            counter.inc();
            store.flush()?;
        }
        Ok(())
    })
}
