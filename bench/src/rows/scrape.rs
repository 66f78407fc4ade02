//! A scrape: reading everything and writing it in each format, for stores of growing size.

use std::hint::black_box;

use deespec::View;
use deespec::exposition::{openmetrics, prometheus};

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

/// Gives the number of bytes, so that nothing of the work can be left out.
type Render = fn(&View) -> usize;

/// Every format that a scraper or a script can ask for. A new one is a line here.
const FORMATS: &[(&str, Render)] = &[
    ("JSON", |view| view.to_json().len()),
    ("OpenMetrics", |view| openmetrics::encode(view).len()),
    ("Prometheus text", |view| prometheus::encode(view).len()),
];

/// Series in a store; the last number has the limit.
pub(crate) const SERIES: [usize; 3] = [1, 100, 10_000];
const LIMIT: f64 = 5e6;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for series in SERIES {
        let folder = bench.on_disk()?;
        let store = place::open(&folder.path().join("var"))?;
        register(&store, &names(series))?;
        // A quick answer would be no feat if the overflow of a family had swallowed series.
        let found = store.view()?.samples().count();
        if found < series {
            return Err(format!("{series} series were made, the view has {found}").into());
        }
        for (format, render) in FORMATS {
            let time = measure::alone(bench.effort, |n| {
                for _ in 0..n {
                    black_box(render(&store.view()?));
                }
                Ok(())
            })?;
            let what = format!("read {series} series and render them as {format}");
            let time = Nanoseconds(time);
            lines.push(if series == SERIES[SERIES.len() - 1] {
                Line::limit(what, time, Nanoseconds(LIMIT))
            } else {
                Line::alone(what, time)
            });
        }
    }
    Ok(lines)
}
