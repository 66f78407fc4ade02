//! The lock of the slow paths, taken and given back by one process, beside the system calls without which
//! it would be none.

use std::fs::File;
use std::path::Path;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::table::Line;

/// Whoever waits and the same file still being there are looked at too.
const AT_MOST: f64 = 4.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = place::open(&folder.path().join("var"))?;
    let bare = folder.path().join("lock");
    File::create(&bare)?;
    let pair = measure::against(
        bench.effort,
        |n| (0..n).try_for_each(|_| Ok(store.lock_roundtrip()?)),
        |n| (0..n).try_for_each(|_| bare_lock(&bare)),
    )?;
    let what = "lock, take and release";
    let theirs = "open, flock and close of a file";
    Ok(vec![Line::pair(what, theirs, &pair, AT_MOST)])
}

fn bare_lock(path: &Path) -> Result<()> {
    let file = File::open(path)?;
    file.lock()?;
    // Closing gives it back.
    drop(file);
    Ok(())
}
