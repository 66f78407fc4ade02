//! An observation through a held handle, beside an increment: one atomic add against two, and the
//! search for the bucket.

use std::hint::black_box;
use std::path::Path;

use deespec::{Buckets, Family};

use crate::Result;
use crate::place::{self, Bench};
use crate::rows::increment;
use crate::samples::{BOUNDS, Values};
use crate::table::Line;
use crate::worker::Work;

const AT_MOST: f64 = 3.0;
const NAME: &str = "bench_seconds";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let layouts = [
        ("the default buckets", Buckets::seconds()),
        ("11 classic bounds", Buckets::classic(BOUNDS)?),
        // As wide as the values: the finest schema over all seconds would be too many buckets.
        ("schema 8", Buckets::native(8, 1e-3, 10.0)?),
    ];
    layouts
        .into_iter()
        .map(|(name, buckets)| observe(bench, name, buckets))
        .collect()
}

fn observe(bench: &Bench, layout: &str, buckets: Buckets) -> Result<Line> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let cells = buckets.len();
    store.declare(&Family::histogram(NAME, buckets))?;
    let histogram = store.histogram(NAME)?;
    let values = Values::new();
    let pair = increment::beside(bench, &store, |n| {
        for value in values.take(n) {
            black_box(&histogram).observe(value);
        }
        Ok(())
    })?;
    let what = format!("observation through a held handle, {layout} ({cells} cells)");
    Ok(Line::pair(what, "an increment", &pair, AT_MOST))
}

/// A process that observes in a histogram of the bounds that every peer has too.
pub(crate) fn worker(place: &Path) -> Result<Work> {
    let store = place::open(place)?;
    store.declare(&Family::histogram(NAME, Buckets::classic(BOUNDS)?))?;
    let histogram = store.histogram(NAME)?;
    let values = Values::new();
    Ok(Box::new(move |n| {
        for value in values.take(n) {
            black_box(&histogram).observe(value);
        }
        Ok(())
    }))
}
