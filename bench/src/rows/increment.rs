//! An increment through a held handle, beside the cheapest thing that could do the same.

use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use crate::Result;
use crate::cell::MappedCell;
use crate::measure::{self, median};
use crate::place::{self, Bench};
use crate::table::Figure::Nanoseconds;
use crate::table::{HowMany, Line};
use crate::worker::{Crew, Work};

/// The counter that workers share.
pub(crate) const NAME: &str = "bench_increments_total";

const TOGETHER: &str =
    "the same, as many processes as cores at once on one counter, the slowest of them";
const OWN_CELLS: &str = "bare fetch_add, each process on a cell of its own";
const ONE_CELL: &str = "bare fetch_add, all processes on one cell";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = vec![one_thread(bench)?];
    if bench.cores < 2 {
        let why = "this machine has one core";
        lines.extend([TOGETHER, OWN_CELLS, ONE_CELL].map(|what| Line::skipped(what, why)));
        return Ok(lines);
    }
    lines.push(all_cores(bench)?);
    lines.extend(controls(bench)?);
    Ok(lines)
}

fn one_thread(bench: &Bench) -> Result<Line> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let counter = store.counter(NAME)?;
    let bare = MappedCell::open(&folder.path().join("cell"))?;
    let pair = measure::against(
        bench.effort,
        |n| {
            for _ in 0..n {
                black_box(&counter).inc();
            }
            Ok(())
        },
        |n| {
            for _ in 0..n {
                black_box(bare.cell()).fetch_add(1, Relaxed);
            }
            Ok(())
        },
    )?;
    let what = "increment through a held handle, one thread";
    let theirs = "bare fetch_add on a mapped cell";
    Ok(Line::pair(what, theirs, &pair, 1.2))
}

/// The same number of times `work` and an increment, in turns.
pub(crate) fn beside(
    bench: &Bench,
    store: &deespec::Store,
    work: impl FnMut(u64) -> Result<()>,
) -> Result<measure::Pair> {
    let counter = store.counter(NAME)?;
    measure::against(bench.effort, work, |n| {
        for _ in 0..n {
            black_box(&counter).inc();
        }
        Ok(())
    })
}

fn all_cores(bench: &Bench) -> Result<Line> {
    let folder = bench.on_disk()?;
    let crew = Crew::start("deespec", &folder.path().join("var"), bench.cores)?;
    let race = alone_and_together(bench, crew)?;
    Ok(Line::ratio(
        TOGETHER,
        Nanoseconds(race.together),
        "one of them alone",
        Nanoseconds(race.alone),
        race.ratio,
        1.5,
    )
    .of(HowMany::of(bench.cores, "processes")))
}

/// What the machine itself gives to as many processes, without any DeeSpec: the best and the worst case.
fn controls(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let cases = [
        (OWN_CELLS, folder.path().to_path_buf()),
        (ONE_CELL, folder.path().join("shared")),
    ];
    let mut lines = Vec::new();
    for (what, place) in cases {
        let race = alone_and_together(bench, Crew::start("bare cell", &place, bench.cores)?)?;
        let (together, alone) = (Nanoseconds(race.together), Nanoseconds(race.alone));
        let line = Line::control(what, together, "one of them alone", alone, race.ratio);
        lines.push(line.of(HowMany::of(bench.cores, "processes")));
    }
    Ok(lines)
}

struct Race {
    alone: f64,
    together: f64,
    ratio: f64,
}

/// Each round: one worker alone, then all at once. "Each process" means the slowest one counts.
fn alone_and_together(bench: &Bench, mut crew: Crew) -> Result<Race> {
    // Workers start within some ten microseconds of each other, which such a batch makes negligible.
    let batch = bench.effort.batch * 4;
    let mut warm_up = |n| crew.one(0, n).map(drop);
    let n = measure::calibrate(batch, &mut warm_up)?;

    let mut alone = Vec::new();
    let mut together = vec![Vec::new(); bench.cores];
    let mut ratios = vec![Vec::new(); bench.cores];
    for round in 0..bench.effort.rounds {
        let one = crew.one(round % bench.cores, n)?;
        for (worker, time) in crew.all(n)?.into_iter().enumerate() {
            together[worker].push(time);
            ratios[worker].push(time / one);
        }
        alone.push(one);
    }
    let slowest = |of: Vec<Vec<f64>>| of.into_iter().map(median).fold(0.0, f64::max);
    Ok(Race {
        alone: median(alone),
        together: slowest(together),
        ratio: slowest(ratios),
    })
}

/// A process that counts in a store.
pub(crate) fn worker(place: &Path) -> Result<Work> {
    let store = place::open(place)?;
    let counter = store.counter(NAME)?;
    Ok(Box::new(move |n| {
        // The store stays open as long as its counter is used.
        let _open = &store;
        for _ in 0..n {
            black_box(&counter).inc();
        }
        Ok(())
    }))
}

/// A process that counts in a bare cell: its own when `place` is a folder, else the one at `place`.
pub(crate) fn bare_worker(place: &Path) -> Result<Work> {
    let own = place.join(std::process::id().to_string());
    let bare = MappedCell::open(if place.is_dir() { &own } else { place })?;
    Ok(Box::new(move |n| {
        for _ in 0..n {
            black_box(bare.cell()).fetch_add(1, Relaxed);
        }
        Ok(())
    }))
}
