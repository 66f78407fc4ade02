//! Reading everything and writing it as JSON and as OpenMetrics: what a scrape of a large store costs.

use std::hint::black_box;

use deespec::exposition::openmetrics;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    register(&store, &names(10_000))?;
    let time = measure::alone(bench.effort, |n| {
        for _ in 0..n {
            black_box(store.view()?.to_json());
        }
        Ok(())
    })?;
    let exposition = measure::alone(bench.effort, |n| {
        for _ in 0..n {
            black_box(openmetrics::encode(&store.view()?));
        }
        Ok(())
    })?;
    Ok(vec![
        Line::limit(
            "read and render 10,000 series",
            Nanoseconds(time),
            Nanoseconds(5e6),
        ),
        Line::limit(
            "render 10,000 series as OpenMetrics",
            Nanoseconds(exposition),
            Nanoseconds(5e6),
        ),
    ])
}
