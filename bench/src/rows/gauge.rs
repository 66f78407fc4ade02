//! Gauges through held handles, beside an increment: a store, an addition to a floating-point number,
//! and a store into this process' own share.

use std::hint::black_box;
use std::path::Path;

use crate::Result;
use crate::place::{self, Bench};
use crate::rows::increment;
use crate::table::Line;
use crate::worker::Work;

/// A store is one plain write, where an increment is a locked one.
const SET_AT_MOST: f64 = 1.0;
/// The processor cannot add floating-point numbers in memory: read, add, compare and swap.
const ADD_AT_MOST: f64 = 3.0;

const SHARED: &str = "bench_depth";
const PER_PROCESS: &str = "bench_in_flight";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let shared = store.gauge(SHARED)?;
    let own = store.process_gauge(PER_PROCESS)?;
    Ok(vec![
        beside_increment(bench, &store, "set a shared gauge", SET_AT_MOST, |value| {
            black_box(&shared).set(value);
            Ok(())
        })?,
        beside_increment(
            bench,
            &store,
            "add to a shared gauge",
            ADD_AT_MOST,
            |value| {
                black_box(&shared).add(value);
                Ok(())
            },
        )?,
        beside_increment(
            bench,
            &store,
            "set this process' share of a gauge",
            SET_AT_MOST,
            |value| Ok(black_box(&own).set(value)?),
        )?,
    ])
}

fn beside_increment(
    bench: &Bench,
    store: &deespec::Store,
    what: &str,
    at_most: f64,
    mut change: impl FnMut(f64) -> Result<()>,
) -> Result<Line> {
    let pair = increment::beside(bench, store, |n| {
        (0..n).try_for_each(|value| change(value as f64))
    })?;
    let what = format!("{what} through a held handle");
    Ok(Line::pair(what, "an increment", &pair, at_most))
}

/// A process that sets a gauge which all share.
pub(crate) fn worker(place: &Path) -> Result<Work> {
    let gauge = place::open(place)?.gauge(SHARED)?;
    Ok(Box::new(move |n| {
        for value in 0..n {
            black_box(&gauge).set(value as f64);
        }
        Ok(())
    }))
}

/// A process that sets its own share of a gauge.
pub(crate) fn process_worker(place: &Path) -> Result<Work> {
    let gauge = place::open(place)?.process_gauge(PER_PROCESS)?;
    Ok(Box::new(move |n| {
        for value in 0..n {
            black_box(&gauge).set(value as f64)?;
        }
        Ok(())
    }))
}
