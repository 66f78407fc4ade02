//! Registering series that nobody has seen before, many in a row, growth of the store included. Each takes
//! the lock once, so that is what it stands beside.

use std::time::Instant;

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::table::Line;

const SERIES: usize = 10_000;
const AT_MOST: f64 = 2.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let names = names(SERIES);
    let folder = bench.on_disk()?;
    let locked = place::open(&folder.path().join("var"))?;
    let pair = measure::turns(
        bench.level.choose(9, 3, 1),
        || {
            let folder = bench.on_disk()?;
            let store = place::open(&folder.path().join("var"))?;
            let start = Instant::now();
            register(&store, &names)?;
            Ok(nanoseconds(start.elapsed()) / SERIES as f64)
        },
        || {
            measure::per_iteration(SERIES as u64, &mut |n| {
                (0..n).try_for_each(|_| Ok(locked.lock_roundtrip()?))
            })
        },
    )?;
    Ok(vec![Line::pair(
        "register a new series, 10,000 in a row in 10 families, each",
        "lock, take and release",
        &pair,
        AT_MOST,
    )])
}
