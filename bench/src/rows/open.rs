//! Opening a store that exists: what every short process pays before its first increment. Beside it stand
//! the system calls without which no file can be mapped and kept: whatever the store looks at, makes sure of
//! and reads on top of them is ours.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;

use memmap2::MmapOptions;

use crate::Result;
use crate::measure;
use crate::place::{self, Bench};
use crate::rows::{names, register};
use crate::table::Line;

/// So many series, and how many times the bare calls. More series are in more files, of which each is mapped.
const STORES: [(usize, f64); 2] = [(1, 6.0), (10_000, 10.0)];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let of = |(series, at_most)| {
        let folder = bench.on_disk()?;
        let path = folder.path().join("var");
        register(&place::open(&path)?, &names(series))?;
        let bare = folder.path().join("bare");
        // As long as the first file of a store.
        File::create(&bare)?.set_len(first_file(&path)?)?;
        let pair = measure::against(
            bench.effort,
            |n| {
                for _ in 0..n {
                    black_box(place::open(&path)?);
                }
                Ok(())
            },
            |n| (0..n).try_for_each(|_| bare_open(&bare)),
        )?;
        let what = format!("open and close a store of {series} series");
        let theirs = "open, fstat, flock, mmap and close of one file";
        Ok(Line::pair(what, theirs, &pair, at_most))
    };
    STORES.into_iter().map(of).collect()
}

fn bare_open(path: &Path) -> Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    file.lock_shared()?;
    black_box(MmapOptions::new().len(length as usize).map_raw(&file)?);
    Ok(())
}

/// Bytes of the file that every store has.
fn first_file(store: &Path) -> Result<u64> {
    Ok(store.join("live/segment-0000").metadata()?.len())
}
