//! Opening a store that exists: what every short process pays before its first increment.

use std::hint::black_box;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    [(1, 100e3), (10_000, 150e3)]
        .into_iter()
        .map(|(series, limit)| {
            let folder = bench.on_disk()?;
            let path = folder.path().join("var");
            register(&place::open(&path)?, &names(series))?;
            let time = measure::alone(bench.effort, |n| {
                for _ in 0..n {
                    black_box(place::open(&path)?);
                }
                Ok(())
            })?;
            let what = format!("open and close a store of {series} series");
            Ok(Line::limit(what, Nanoseconds(time), Nanoseconds(limit)))
        })
        .collect()
}
