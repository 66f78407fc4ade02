//! A snapshot: our own part of it where an fsync costs nothing, and the whole of it on the disk.

use std::path::Path;
use std::time::Instant;

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::{self, Bench};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

const PER_ROUND: u32 = 20;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let what = "snapshot without its fsyncs (store on a tmpfs)";
    if let Err(reason) = bench.in_memory() {
        return Ok(vec![Line::skipped(what, reason)]);
    }
    let pair = measure::turns(
        bench.effort.rounds,
        || snapshots(bench.in_memory()?.path()),
        || snapshots(bench.on_disk()?.path()),
    )?;
    let (in_memory, on_disk) = (Nanoseconds(pair.ours), Nanoseconds(pair.theirs));
    Ok(vec![
        Line::limit(what, in_memory, Nanoseconds(100e3)),
        Line::control(
            "the same with its fsyncs (store on the disk)",
            on_disk,
            "on a tmpfs",
            in_memory,
            1.0 / pair.ratio,
        ),
    ])
}

/// Takes snapshots of a fresh store whose counters move between two: nanoseconds each.
fn snapshots(folder: &Path) -> Result<f64> {
    let store = place::open(&folder.join("var"))?;
    store.snapshot()?;
    let start = Instant::now();
    for _ in 0..PER_ROUND {
        store.transactions().success.inc();
        store.snapshot()?;
    }
    Ok(nanoseconds(start.elapsed()) / f64::from(PER_ROUND))
}
