//! The static threshold check: pure arithmetic over a view that is there already.

use std::hint::black_box;

use deespec::gate::Thresholds;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    // Some checks fail and some warn, so that messages are written too: the dearer case.
    store.transactions().success.add(890);
    store.transactions().failed.add(110);
    store.transactions().conflicts.add(85);
    let view = store.view()?;
    let thresholds = Thresholds::default();
    let time = measure::alone(bench.effort, |n| {
        for _ in 0..n {
            black_box(black_box(&thresholds).judge(black_box(&view.transactions), &[]));
        }
        Ok(())
    })?;
    Ok(vec![Line::limit(
        "static threshold check",
        Nanoseconds(time),
        Nanoseconds(20e3),
    )])
}
