//! What a store takes from the disk, and that dead processes add nothing to it.

use std::path::Path;

use crate::Result;
use crate::place::{self, Bench, extent};
use crate::table::{HowMany, Line};

const MIB: f64 = 1024.0 * 1024.0;
const NAME: &str = "bench_dead_processes_total";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.on_disk()?;
    let store = folder.path().join("var");
    one_shot_processes(bench, &store, 1)?;
    let before = extent(&store)?.allocated;

    let dead = bench.level.choose(5_000, 500, 4);
    one_shot_processes(bench, &store, dead)?;
    let more = extent(&store)?.allocated as f64 - before as f64;

    // Cheap disk would be no feat if the counts were gone.
    let expected = dead as u64 + 1;
    let counted = place::counted(&store, NAME)?;
    if counted != expected {
        return Err(
            format!("{expected} processes counted once each, the store says {counted}").into(),
        );
    }
    Ok(vec![
        Line::size("disk for one series", before as f64, MIB),
        Line::nothing(
            "disk for processes of `deespec inc` more (all counted)",
            more,
        )
        .of(HowMany::of(dead, "processes")),
    ])
}

/// Processes that count once and die, as many at a time as there are cores.
fn one_shot_processes(bench: &Bench, store: &Path, count: usize) -> Result<()> {
    let mut left = count;
    while left > 0 {
        let batch = left.min(bench.cores);
        let processes = (0..batch)
            .map(|_| Ok(bench.deespec(store)?.args(["inc", NAME]).spawn()?))
            .collect::<Result<Vec<_>>>()?;
        for mut process in processes {
            let status = process.wait()?;
            if !status.success() {
                return Err(format!("`deespec inc`: {status}").into());
            }
        }
        left -= batch;
    }
    Ok(())
}
