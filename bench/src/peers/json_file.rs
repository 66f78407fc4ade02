//! The home-made store: one JSON file, a lock, and a merge that keeps the larger of two values.
//!
//! Each process counts in memory. A save takes the lock, reads the file, keeps for every counter
//! `max(mine, disk)`, writes a temporary file and renames it. No fsync, to its advantage. The lock
//! works, the rename is atomic, and still two processes that both go from 5 to 6 leave a 6.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use super::{Outcome, PROCESSES, Race, increments, our_race, race_lines, race_rows};
use crate::Result;
use crate::place::Bench;
use crate::table::{HowMany, PeerLine};
use crate::worker::{Crew, WITH_PAUSES, Work};

pub(crate) const NAME: &str = "JSON file, flock, max-merge, rename";
const COUNTER: &str = "commit_success";

const BACK_TO_BACK: &str = " back to back";
const PAUSES: &str = " with pauses of 0.5 ms";

pub(crate) fn rows() -> Vec<String> {
    let [kept, _] = race_rows(PAUSES);
    [Vec::from(race_rows(BACK_TO_BACK)), vec![kept]].concat()
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let mut lines = Vec::from(race_lines(bench, NAME, BACK_TO_BACK, &race(bench, "")?)?);
    // Back to back, one process often saves many times before the next gets the lock, and little is
    // lost. Real processes do something between two counts; then their saves alternate.
    let theirs = race(bench, WITH_PAUSES)?;
    let ours = our_race(bench, WITH_PAUSES)?;
    let [what, _] = race_rows(PAUSES);
    let each = HowMany::of(increments(bench) as usize, "increments each");
    lines.push(PeerLine::new(NAME, what, ours.kept, theirs.kept).of(each));
    Ok(Outcome::Measured(lines))
}

fn race(bench: &Bench, pauses: &str) -> Result<Race> {
    let folder = bench.on_disk()?;
    let mut crew = Crew::start(&format!("json file{pauses}"), folder.path(), PROCESSES)?;
    let seconds = crew.race(increments(bench))?;
    let kept = read(&folder.path().join("metrics.json"))?
        .get(COUNTER)
        .copied()
        .unwrap_or(0);
    Ok(Race::new(bench, kept, seconds))
}

/// A process that loads the file once, then counts and saves.
pub(crate) fn worker(folder: &Path) -> Result<Work> {
    let path = folder.join("metrics.json");
    let temporary = folder.join(format!("metrics.json.{}", std::process::id()));
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let mut mine = read(&path)?;
    lock.unlock()?;
    Ok(Box::new(move |n| {
        for _ in 0..n {
            *mine.entry(COUNTER.to_owned()).or_default() += 1;
            lock.lock()?;
            for (name, on_disk) in read(&path)? {
                let value = mine.entry(name).or_default();
                *value = on_disk.max(*value);
            }
            fs::write(&temporary, serde_json::to_string_pretty(&mine)?)?;
            fs::rename(&temporary, &path)?;
            lock.unlock()?;
        }
        Ok(())
    }))
}

fn read(path: &Path) -> Result<BTreeMap<String, u64>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}
