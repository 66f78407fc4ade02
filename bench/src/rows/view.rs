//! Reading everything and writing it as JSON and in the formats that are scraped: what a scrape of a
//! large store costs.

use std::hint::black_box;

use deespec::Store;
use deespec::exposition::{Format, openmetrics};

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
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    every_kind(&store)?;
    let mixed = |format: Format| {
        measure::alone(bench.effort, |n| {
            for _ in 0..n {
                black_box(format.encode(&store.view()?));
            }
            Ok(())
        })
    };
    let mixed_text = mixed(Format::OpenMetrics)?;
    let mixed_protobuf = mixed(Format::Protobuf)?;
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
        Line::limit(
            "render 10,000 series of all kinds as OpenMetrics",
            Nanoseconds(mixed_text),
            Nanoseconds(5e6),
        ),
        Line::limit(
            "render 10,000 series of all kinds as protobuf",
            Nanoseconds(mixed_protobuf),
            Nanoseconds(5e6),
        ),
    ])
}

/// 6,000 counters, 3,900 gauges, and 100 histograms with the default buckets.
fn every_kind(store: &Store) -> Result<()> {
    register(store, &names(6000))?;
    for index in 0..3900 {
        let shard = format!("shard-{index}");
        let gauge = store.gauge_with(&format!("gauge_{}", index / 1000), &[("shard", &shard)])?;
        gauge.set(f64::from(index) * 0.37);
    }
    for index in 0..100 {
        let shard = format!("shard-{index}");
        let histogram = store.histogram_with("wait_seconds", &[("shard", &shard)])?;
        for power in -15..10 {
            histogram.observe(f64::from(power).exp2() * 1.3);
        }
    }
    Ok(())
}
