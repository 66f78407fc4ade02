//! The static threshold check: pure arithmetic over a view that is there already. Nobody should wait for
//! it, so it stands beside the reading of that view, which everybody waits for who checks.

use std::hint::black_box;

use deespec::gate::Thresholds;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::table::Line;

/// About a quarter of the reading of four counters, which is the smallest view that there is.
const AT_MOST: f64 = 0.5;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    // Some checks fail and some warn, so that messages are written too: the dearer case.
    store.transactions().success.add(890);
    store.transactions().failed.add(110);
    store.transactions().conflicts.add(85);
    let view = store.view()?;
    let thresholds = Thresholds::default();
    let pair = measure::against(
        bench.effort,
        |n| {
            for _ in 0..n {
                black_box(black_box(&thresholds).judge(black_box(&view.transactions), &[]));
            }
            Ok(())
        },
        |n| {
            for _ in 0..n {
                black_box(store.view()?);
            }
            Ok(())
        },
    )?;
    let what = "static threshold check";
    let theirs = "reading the view that it judges";
    Ok(vec![Line::pair(what, theirs, &pair, AT_MOST)])
}
