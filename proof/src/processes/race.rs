//! Exact sums without kills.
//!
//! Eight processes with two threads each wait until all of them have the store open. Then, go by
//! go, the parent lets all threads loose at once: each registers the same three new names, counts
//! each once, counts the shared counter, observes and sets its share of a gauge, until all have done so. A rotator, a snapshotter and two readers run beside them
//! until the writers have ended.
//!
//! Violations: a sum that is not exact; a name that exists twice or not at all; whatever `audit.rs`
//! finds or `reader.rs` sees; a view that shows more of an epoch than the epoch counted in the end;
//! a process that fails.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};

use deespec::Rotate;

use super::reader::Reader;
use super::writer::{WORK, WRITERS};
use crate::Result;
use crate::audit::{History, audit, labelled, observed};
use crate::child::{self, argument, output};
use crate::harness::{Bench, Outcome, Size};
use crate::opening::options;

const PROCESSES: u64 = 8;
const THREADS: u64 = 2;
/// New names in each race: more than the first segment holds, but in a sample.
const NAMES: u64 = 600;
const FEW_NAMES: u64 = 120;
/// Names that are registered in one go.
const AT_ONCE: u64 = 3;
/// How often each thread counts for each name: often enough to be at it together with others.
const COUNTS: u64 = 4000;
/// The same in a sample.
const FEW_COUNTS: u64 = 1000;
/// What is observed in turns.
const VALUES: [f64; 3] = [0.25, 0.5, 4.0];
const BYSTANDERS: [&str; 4] = ["rotate", "snapshot", "read", "read"];

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let rounds = bench.count([1, 2, 50, 500]);
    let (names, each) = match bench.size {
        Size::Sample => (FEW_NAMES, FEW_COUNTS),
        Size::Quick | Size::Long | Size::Full => (NAMES, COUNTS),
    };
    let counts = names * each;
    let mut violations = Vec::new();
    for number in 0..rounds {
        let root = bench.folder.join(format!("store-{number}"));
        let seen = race(&root, (names, each), &mut violations)?;
        let mut audit = audit(&root, &History::default());
        audit.compare_seen(&seen);
        violations.extend(audit.violations.iter().cloned());
        let writers = PROCESSES * THREADS;
        let registered =
            (0..names).map(|id| (labelled("new_total", "id", &id.to_string()), writers));
        let shared = ("commit_success".to_owned(), writers * counts);
        let observations = writers * names / VALUES.len() as u64;
        let work = VALUES.map(|value| (observed(WORK.0, value), observations));
        let steps: f64 = VALUES.iter().sum::<f64>() * 1e9 * observations as f64;
        if audit.observed.get(WORK.0) != Some(&(writers * names, steps as i64)) {
            violations.push(format!("{:?} instead of {steps} steps", audit.observed));
        }
        for (key, expected) in registered.chain([shared]).chain(work) {
            if audit.count(&key) != expected {
                violations.push(format!(
                    "{key} counts {} instead of {expected}",
                    audit.count(&key)
                ));
            }
        }
        let (entries, series) = (entries(&root)?, audit.current.keys());
        let series = series.filter(|key| !key.contains(" bucket ")).count();
        if entries != series {
            violations.push(format!("{entries} registry entries for {series} series"));
        }
        if audit.epoch < 2 {
            violations.push("no epoch was ever closed".into());
        }
        if !violations.is_empty() {
            break;
        }
        std::fs::remove_dir_all(&root)?;
    }
    let done = rounds * PROCESSES * THREADS;
    Ok(Outcome {
        done: format!(
            "{rounds} races of {PROCESSES} x {THREADS} threads, {} increments, {} registrations",
            done * (counts + names),
            done * names
        ),
        violations,
    })
}

/// How many entries of counters stand in the registries. A view takes two of one name together, so it does not
/// tell. An entry begins a block of 64 bytes with a byte that no text holds (see `docs/format.md`).
fn entries(root: &Path) -> Result<usize> {
    let mut entries = 0;
    for file in std::fs::read_dir(root.join("live"))? {
        let path = file?.path();
        if path.to_string_lossy().contains("segment-") {
            let bytes = std::fs::read(path)?;
            // The kind of a counter stands in the eleventh byte.
            let begins = |block: &&[u8]| block.starts_with(b"\xffDSE") && block[10] == 1;
            entries += bytes.chunks(64).filter(begins).count();
        }
    }
    Ok(entries)
}

fn race(
    root: &Path,
    (names, each): (u64, u64),
    violations: &mut Vec<String>,
) -> Result<BTreeMap<u64, u64>> {
    let start = |role: &str, argument: String| -> Result<Child> {
        Ok(child::role(role)?.arg(root).arg(argument).spawn()?)
    };
    // The racers make the store, all at once.
    let mut racers = (0..PROCESSES)
        .map(|_| start("racer", each.to_string()))
        .collect::<Result<Vec<_>>>()?;
    let bystanders = BYSTANDERS
        .into_iter()
        .map(|what| start("bystander", what.to_owned()))
        .collect::<Result<Vec<_>>>()?;
    for racer in &mut racers {
        let pipe = racer.stdout.as_mut().ok_or("no pipe")?;
        // A racer that fails says nothing; its end tells.
        let _ = pipe.read(&mut [0])?;
    }
    'goes: for _ in 0..names / AT_ONCE {
        for racer in &mut racers {
            let pipe = racer.stdin.as_mut().ok_or("no pipe")?;
            if pipe.write_all(b".").is_err() {
                break 'goes;
            }
        }
        for racer in &mut racers {
            let pipe = racer.stdout.as_mut().ok_or("no pipe")?;
            if pipe.read(&mut [0])? == 0 {
                break 'goes;
            }
        }
    }
    let mut seen = BTreeMap::new();
    for child in racers.into_iter().chain(bystanders) {
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        violations.extend(
            said.lines()
                .filter(|l| l.starts_with('!'))
                .map(str::to_owned),
        );
        for (epoch, sum) in said.lines().filter_map(|line| line.split_once(' ')) {
            if let (Ok(epoch), Ok(sum)) = (epoch.parse(), sum.parse::<u64>()) {
                let highest: &mut u64 = seen.entry(epoch).or_default();
                *highest = sum.max(*highest);
            }
        }
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            violations.push(format!("{}: {complaint}", output.status));
        }
    }
    Ok(seen)
}

/// `racer ROOT COUNTS`: says that it is ready, and races once for each byte that it hears. So often each thread counts for
/// each name.
pub(crate) fn racer(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let counts: u64 = argument(arguments, 1)?;
    // One stripe: where processes would lose counts, they do it there.
    let store = options().stripes(1).open(root)?;
    let work = store.histogram(WORK.0)?;
    let share = store.process_gauge(WRITERS)?;
    let mut out = output()?;
    out.write_all(b".")?;
    let mut input = std::io::stdin().lock();
    let run = |ids: Range<u64>| -> Result<()> {
        for id in ids {
            work.observe(VALUES[id as usize % VALUES.len()]);
            share.set(1.0)?;
            store
                .counter_with("new_total", &[("id", &id.to_string())])?
                .inc();
        }
        (0..counts * AT_ONCE).for_each(|_| store.transactions().success.inc());
        Ok(())
    };
    for go in 0.. {
        if input.read(&mut [0])? == 0 {
            break;
        }
        let ids = go * AT_ONCE..(go + 1) * AT_ONCE;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| scope.spawn(|| run(ids.clone())))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        })?;
        out.write_all(b".")?;
    }
    Ok(())
}

/// `bystander ROOT WHAT`: rotates, takes snapshots or reads until its input ends.
pub(crate) fn bystander(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let what: String = argument(arguments, 1)?;
    let store = options().open(&root)?;
    let mut reader = Reader::open(root)?;
    let mut out = output()?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stop.store(true, Ordering::SeqCst);
        });
        loop {
            match what.as_str() {
                "rotate" => drop(store.rotate(Rotate::Reset)?),
                "snapshot" => drop(store.snapshot()?),
                _ => {
                    let lines = reader.look()?;
                    for line in lines.lines().filter(|line| line.starts_with('!')) {
                        out.write_all(format!("{line}\n").as_bytes())?;
                    }
                }
            }
            if stop.load(Ordering::SeqCst) {
                for (epoch, sum) in &reader.highest {
                    out.write_all(format!("{epoch} {sum}\n").as_bytes())?;
                }
                return Ok(());
            }
        }
    })
}
