//! A scrape: reading everything and writing it in each format, for stores of growing size. Beside it the crate
//! `prometheus-client` writes the same series as OpenMetrics, which is what people are used to wait for.

use std::hint::black_box;

use deespec::exposition::{openmetrics, prometheus, protobuf};
use deespec::{Store, View};

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::table::Line;

mod same_text;

use same_text::SameText;

/// Gives the number of bytes, so that nothing of the work can be left out.
type Render = fn(&View) -> usize;

/// Every format that a scraper or a script can ask for. A new one is a line here.
const FORMATS: &[(&str, Render)] = &[
    ("JSON", |view| view.to_json().len()),
    ("OpenMetrics", |view| openmetrics::encode(view).len()),
    ("Prometheus text", |view| prometheus::encode(view).len()),
    ("protobuf", |view| protobuf::encode(view).len()),
];

/// Series in a store. The last number has the limit: of few series most of the time is the lock's.
pub(crate) const SERIES: [usize; 3] = [1, 100, 10_000];
const AT_MOST: f64 = 1.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for series in SERIES {
        let folder = bench.on_disk()?;
        let store = place::open(&folder.path().join("var"))?;
        register(&store, &names(series))?;
        lines.extend(formats(bench, &store, series, "")?);
    }
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let series = SERIES[SERIES.len() - 1];
    of_all_kinds(&store, series)?;
    lines.extend(formats(bench, &store, series, " of all kinds")?);
    Ok(lines)
}

/// A row for each format.
fn formats(bench: &Bench, store: &Store, series: usize, kinds: &str) -> Result<Vec<Line>> {
    // A quick answer would be no feat if the overflow of a family had swallowed series.
    let view = store.view()?;
    let found = view.samples().count();
    if found < series {
        return Err(format!("{series} series were made, the view has {found}").into());
    }
    let same_text = SameText::of(&view)?;
    let line = |(format, render): &(&str, Render)| {
        let pair = measure::against(
            bench.effort,
            |n| {
                for _ in 0..n {
                    black_box(render(&store.view()?));
                }
                Ok(())
            },
            |n| {
                for _ in 0..n {
                    black_box(same_text.encode()?);
                }
                Ok(())
            },
        )?;
        let what = format!("read {series} series{kinds} and render them as {format}");
        let theirs = "prometheus-client encodes them";
        Ok(if series == SERIES[SERIES.len() - 1] {
            Line::pair(what, theirs, &pair, AT_MOST)
        } else {
            Line::control_pair(what, theirs, &pair)
        })
    };
    FORMATS.iter().map(line).collect()
}

/// Of a hundred series one is a histogram with the default buckets, 19 are shared gauges, 20 are
/// per-process gauges, and the rest are counters.
fn of_all_kinds(store: &Store, series: usize) -> Result<()> {
    for index in 0..series {
        let shard = format!("shard-{index}");
        let labels = [("shard", shard.as_str())];
        let of = index / 1000;
        match index % 100 {
            0 => store
                .histogram_with(&format!("histogram_{of}_seconds"), &labels)?
                .observe(index as f64 / 1000.0),
            1..20 => store.gauge_with(&format!("gauge_{of}"), &labels)?.set(0.1),
            20..40 => store
                .process_gauge_with(&format!("share_{of}"), &labels)?
                .set(1.5)?,
            _ => store
                .counter_with(&format!("counter_{of}_total"), &labels)?
                .inc(),
        }
    }
    Ok(())
}
