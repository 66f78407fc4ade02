//! Registering series that nobody has seen before, many in a row, growth of the store included.

use std::time::Instant;

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

const SERIES: usize = 10_000;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let names = names(SERIES);
    let rounds = if bench.quick { 3 } else { 9 };
    let time = measure::rounds(rounds, || {
        let folder = bench.on_disk()?;
        let store = place::open(&folder.path().join("var"))?;
        let start = Instant::now();
        register(&store, &names)?;
        Ok(nanoseconds(start.elapsed()) / SERIES as f64)
    })?;
    Ok(vec![Line::limit(
        "register a new series, 10,000 in a row in 10 families, each",
        Nanoseconds(time),
        Nanoseconds(10e3),
    )])
}
