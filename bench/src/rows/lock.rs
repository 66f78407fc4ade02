//! The lock of the slow paths, taken and given back by one process.

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let time = measure::alone(bench.effort, |n| {
        for _ in 0..n {
            store.lock_roundtrip()?;
        }
        Ok(())
    })?;
    Ok(vec![Line::limit(
        "lock, take and release",
        Nanoseconds(time),
        Nanoseconds(2e3),
    )])
}
