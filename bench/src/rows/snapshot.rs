//! A snapshot: our own part of it where an fsync costs nothing, and the whole of it on the disk. Beside our own
//! part stands what no document can be published without: its bytes in a temporary file, and a rename.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::{self, Bench};
use crate::table::Line;

const PER_ROUND: u32 = 20;
/// Under the lock the counters are read, made durable and written as JSON with a checksum, all of which the
/// bare file has done already.
const AT_MOST: f64 = 15.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let what = "snapshot without its fsyncs (store on a tmpfs)";
    let on_disk = "the same with its fsyncs (store on the disk)";
    if let Err(reason) = bench.in_memory() {
        return Ok([what, on_disk]
            .map(|what| Line::skipped(what, reason.clone()))
            .into());
    }
    let rounds = bench.effort.rounds;
    let beside_files = measure::turns(
        rounds,
        || snapshots(bench.in_memory()?.path()),
        || files(bench.in_memory()?.path()),
    )?;
    let pair = measure::turns(
        rounds,
        || snapshots(bench.on_disk()?.path()),
        || snapshots(bench.in_memory()?.path()),
    )?;
    let theirs = "a file as long, written and renamed there";
    Ok(vec![
        Line::pair(what, theirs, &beside_files, AT_MOST),
        Line::control_pair(on_disk, "on a tmpfs", &pair),
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

/// Writes files with the bytes of a snapshot: nanoseconds each.
fn files(folder: &Path) -> Result<f64> {
    let store = place::open(&folder.join("var"))?;
    let bytes = fs::read(store.snapshot()?.path)?;
    let temporary = folder.join("temporary");
    let start = Instant::now();
    for number in 0..PER_ROUND {
        fs::write(&temporary, &bytes)?;
        fs::rename(&temporary, folder.join(number.to_string()))?;
    }
    Ok(nanoseconds(start.elapsed()) / f64::from(PER_ROUND))
}
