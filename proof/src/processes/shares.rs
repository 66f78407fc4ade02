//! Processes that come and go.
//!
//! Thousands of processes, a few at a time, take a share in a per-process gauge and say so; then each
//! is killed, or ends in good order. One process holds its share all the time.
//!
//! Violations: a sum or number of shares that is not that of the processes that live, right after the
//! others were waited for; a file, a byte or a registry entry more than the first few left; whatever
//! `audit.rs` finds at the end.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use deespec::{Store, Value};

use crate::Result;
use crate::audit::{History, audit};
use crate::child::{self, argument, output};
use crate::harness::{Bench, Outcome};
use crate::opening::options;

/// How many live at once, besides the one that stays.
const AT_ONCE: u64 = 8;
const GAUGE: &str = "load";

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let groups = bench.count([100, 1000, 5000, 50_000]).div_ceil(AT_ONCE);
    let root = bench.folder.join("store");
    let store = options().stripes(1).open(&root)?;
    let mut violations = Vec::new();
    let stays = start(&root, 1000)?;
    let mut first = None;
    for number in 0..groups {
        let children = (0..AT_ONCE)
            .map(|share| start(&root, share))
            .collect::<Result<Vec<_>>>()?;
        // As with `groups` without a reader in between, so that shares are taken over too.
        if number % 3 == 0 {
            let sum = 1000 + (0..AT_ONCE).sum::<u64>();
            compare(&store, (AT_ONCE + 1, sum), &mut violations)?;
        }
        for mut ended in children {
            if bench.random.below(4) > 0 {
                child::kill(&ended)?;
            }
            drop(ended.stdin.take());
            ended.wait()?;
        }
        if number % 2 == 0 {
            compare(&store, (1, 1000), &mut violations)?;
        }
        let left = left(&root)?;
        if *first.get_or_insert_with(|| left.clone()) != left {
            violations.push(format!("{left:?} is left instead of {first:?}"));
        }
        if !violations.is_empty() {
            break;
        }
    }
    child::kill(&stays)?;
    stays.wait_with_output()?;
    drop(store);
    violations.extend(audit(&root, &History::default()).violations);
    Ok(Outcome {
        done: format!("{} processes, {AT_ONCE} at once", groups * AT_ONCE),
        violations,
    })
}

/// Starts a process and waits until it has its share.
fn start(root: &Path, share: u64) -> Result<Child> {
    let mut command = child::role("sharer")?;
    command.arg(root).arg(share.to_string());
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let pipe = child.stdout.as_mut().ok_or("no pipe")?;
    pipe.read_exact(&mut [0])?;
    Ok(child)
}

fn compare(store: &Store, lawful: (u64, u64), violations: &mut Vec<String>) -> Result<()> {
    let view = store.view()?;
    let found = match view.sample(GAUGE, &[]).map(|sample| &sample.value) {
        Some(Value::Processes(shares)) => (shares.count, shares.sum as u64),
        _ => (0, 0),
    };
    if found != lawful {
        violations.push(format!("count and sum are {found:?} instead of {lawful:?}"));
    }
    Ok(())
}

/// The files of the store with their lengths, and the number of entries.
fn left(root: &Path) -> Result<(BTreeSet<(String, u64)>, usize)> {
    let mut files = BTreeSet::new();
    let mut entries = 0;
    for file in std::fs::read_dir(root.join("live"))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with("segment-") {
            let bytes = std::fs::read(file.path())?;
            let begins = |block: &&[u8]| block.starts_with(b"\xffDSE");
            entries += bytes.chunks(64).filter(begins).count();
        }
        files.insert((name, file.metadata()?.len()));
    }
    Ok((files, entries))
}

/// `sharer ROOT SHARE`: takes a share, says so, and holds it until its input ends.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let share: u64 = argument(arguments, 1)?;
    let store = options().open(root)?;
    store.process_gauge(GAUGE)?.set(share as f64)?;
    output()?.write_all(b".")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
