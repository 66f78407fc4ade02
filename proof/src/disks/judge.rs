//! Looks at what a disk came back with, as the first process after a boot does.
//!
//! The kernel's boot identity is the same as before on this machine, so it is taken out of the
//! segments first: then the store takes itself for one that was not closed before the power went.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use deespec::{Document, Error, Import as Imported, Rotate, Store, StoreError};

use super::hand::options;
use super::known::{Import, Known};
use super::orders::{self, GIVEN, Shown};
use crate::audit::{Audit, History, audit};
use crate::{Result, ui};

/// Where the boot of the last recovery stands in segment 0, see `docs/format.md`.
const BOOT: u64 = 4176;

/// What `deespec run` counts.
const RUNS: [&str; 2] = ["runs_total", "run_seconds"];

/// Where a store may have its first segment: in use, or left by a compaction.
const FOLDERS: [&str; 2] = ["live", "tmp-compacted"];

/// Makes the next opening one after a boot.
pub(crate) fn forget_boot(root: &Path) -> Result<()> {
    for folder in FOLDERS {
        let path = root.join(folder).join("segment-0000");
        if path.exists() {
            let file = OpenOptions::new().write(true).open(path)?;
            file.write_all_at(&[0; 16], BOOT)?;
        }
    }
    Ok(())
}

/// What is wrong with the store in `root`, of which `known` is known.
pub(crate) fn judge(root: &Path, papers: &Path, known: &Known) -> Vec<String> {
    let mut judge = Judge {
        root,
        papers,
        known: known.clone(),
        violations: Vec::new(),
    };
    if let Err(error) = judge.all() {
        judge.violations.push(ui::chain(error.as_ref()));
    }
    judge.violations
}

struct Judge<'a> {
    root: &'a Path,
    papers: &'a Path,
    known: Known,
    violations: Vec<String>,
}

impl Judge<'_> {
    fn all(&mut self) -> Result<()> {
        let is_there = self.root.join("live/segment-0000").exists();
        if self.known.exists && !is_there {
            return Err("the store is gone".into());
        }
        self.shown()?;
        forget_boot(self.root)?;
        if self.known.failed && is_there {
            self.rebuilt()?;
        }
        self.opened(&options().open(self.root)?)?;
        let restored = orders::restored(self.papers)?;
        let removed = self.known.removed.clone();
        let history = History {
            restored: Some(&restored),
            removed: Some(&removed),
            ..History::default()
        };
        let found = audit(self.root, &history);
        self.violations.extend(found.violations.iter().cloned());
        if found.epoch == 0 {
            // It could not be counted again at all, which was said.
            return Ok(());
        }
        self.epochs(&found)?;
        self.sums(&found);
        self.snapshots()?;
        self.imports()?;
        self.pushes()?;
        if self.violations.is_empty() {
            self.goes_on(&history)?;
        }
        Ok(())
    }

    /// What stands on the disk was shown, whether or not anybody was told so.
    fn shown(&mut self) -> Result<()> {
        let published = self.root.join("metrics.json");
        if published.exists() {
            let document = Document::read(&published)?;
            self.known.shown(&Shown::of_document(&document));
        }
        Ok(())
    }

    /// A store that has noted an error of its disk publishes nothing until it is rebuilt.
    fn rebuilt(&mut self) -> Result<()> {
        let store = options().create(false).open(self.root)?;
        if store.health()?.degraded {
            let refused = store.sync().err();
            if !matches!(refused, Some(Error::Store(StoreError::Degraded { .. }))) {
                self.violations
                    .push(format!("a sync of a degraded store gave {refused:?}"));
            }
            drop(store);
            options().compact(self.root)?;
        }
        Ok(())
    }

    fn opened(&mut self, store: &Store) -> Result<()> {
        let health = store.health()?;
        self.violations.extend(health.problems);
        let view = store.view()?;
        self.violations.extend(view.skipped.iter().cloned());
        let now = Shown::of_view(&view);
        if now.epoch < self.known.epoch {
            let (now, then) = (now.epoch, self.known.epoch);
            self.violations
                .push(format!("epoch {now} after epoch {then} was published"));
        }
        for key in self.known.totals.keys() {
            let (least, _) = self.known.bounds(key);
            let total = now.totals.get(key).copied().unwrap_or(0);
            if total < least {
                self.violations
                    .push(format!("{key} counts {total}, after {least} was published"));
            }
        }
        for (key, (least, most)) in &self.known.levels {
            let value = now.levels.get(key).copied().unwrap_or(0);
            if value < *least || value > *most {
                self.violations.push(format!(
                    "{key} is {value}, after {least} was published and {most} was set"
                ));
            }
        }
        Ok(())
    }

    /// Whether each epoch has what it was shown with, and as many were closed as were asked for.
    fn epochs(&mut self, found: &Audit) -> Result<()> {
        for (epoch, least) in &self.known.epochs {
            let values = match found.closed.get(epoch) {
                Some(closing) => closing,
                None if *epoch == found.epoch => &found.current,
                None => continue,
            };
            for (key, least) in least {
                let value = values.get(key).copied().unwrap_or(0);
                if value < *least && !self.known.removed.contains(key) {
                    self.violations.push(format!(
                        "{key} counts {value} in epoch {epoch}, after {least} was published"
                    ));
                }
            }
        }
        let lines = self.root.join("live/epochs.jsonl");
        let lines = match lines.exists() {
            true => std::fs::read_to_string(lines)?,
            false => String::new(),
        };
        let restores = lines.lines().filter(|line| line.contains("\"restore\""));
        let found = [
            ("closed", found.epoch - 1, self.known.turns),
            ("restored", restores.count() as u64, self.known.restores),
        ];
        for (what, found, (least, most)) in found {
            if found < least || found > most {
                self.violations.push(format!(
                    "{found} epochs were {what}, after {least} were and {most} were asked for"
                ));
            }
        }
        Ok(())
    }

    fn sums(&mut self, found: &Audit) {
        for key in found.counted.keys().chain(self.known.totals.keys()) {
            if RUNS.iter().any(|name| key.starts_with(name)) {
                // How long a command ran, nobody foretells.
                continue;
            }
            let (least, most) = self.known.bounds(key);
            let counted = found.count(key);
            if counted > most || counted < least {
                self.violations.push(format!(
                    "{key} counts {counted} over all epochs, after {least} was published and {most} was counted"
                ));
            }
        }
        for step in 0..=9 {
            let key = orders::work(step);
            let Some((count, steps)) = found.observed.get(&key) else {
                continue;
            };
            // What was not published may be torn: the sum and the buckets are cells of their own.
            let one = (orders::OBSERVED * 1e9) as i64;
            let (least, most) = self
                .known
                .bounds(&crate::audit::observed(&key, orders::OBSERVED));
            let summed = u64::try_from(steps / one).unwrap_or(u64::MAX);
            if steps % one != 0 || summed < least || summed > most {
                self.violations.push(format!(
                    "{count} observations of {key} sum up to {steps} steps, after {least} were published"
                ));
            }
        }
    }

    fn snapshots(&mut self) -> Result<()> {
        for (name, digest) in &self.known.snapshots {
            let path = self.root.join("snapshots").join(name);
            if !path.exists() {
                self.violations.push(format!("{name} is gone"));
            } else if orders::digest(&path)? != *digest {
                self.violations.push(format!("{name} has changed"));
            }
        }
        Ok(())
    }

    /// An import is there whole or not at all, and only once.
    fn imports(&mut self) -> Result<()> {
        let store = options().open(self.root)?;
        for (number, import) in self.known.imports.clone() {
            let before = given(&store, number)?;
            let again = store.import(&orders::import_in(self.papers, number), false)?;
            let is_there = matches!(again, Imported::Already { .. });
            let lawful = match is_there {
                true => before == [GIVEN; 2],
                false => before == [0; 2] && import == Import::Begun,
            };
            let after = given(&store, number)?;
            if !lawful || after != [GIVEN; 2] {
                self.violations.push(format!(
                    "import {number} ({import:?}) had added {before:?}; once more: {again:?}, {after:?}"
                ));
            }
        }
        Ok(())
    }

    /// A push is there whole or not at all, and once when it was sent again.
    fn pushes(&mut self) -> Result<()> {
        let store = options().open(self.root)?;
        for (writer, pushed) in &self.known.pushes {
            self.violations.extend(pushed.judge(*writer, &store)?);
        }
        Ok(())
    }

    /// Everything works as on the first day.
    fn goes_on(&mut self, history: &History<'_>) -> Result<()> {
        let before = audit(self.root, history);
        let store = options().open(self.root)?;
        store.transactions().success.add(3);
        store.counter_with("after_total", &[("the", "cut")])?.add(2);
        store.sync()?;
        store.rotate(Rotate::Reset)?;
        store.transactions().success.add(4);
        drop(store);
        let after = audit(self.root, history);
        let epochs = after.epoch.wrapping_sub(before.epoch);
        self.violations.extend(before.violations.iter().cloned());
        self.violations.extend(after.violations.iter().cloned());
        let grown = |key| after.count(key).wrapping_sub(before.count(key));
        let key = crate::audit::labelled("after_total", "the", "cut");
        let found = (grown("commit_success"), grown(&key), epochs);
        if found != (7, 2, 1) {
            self.violations.push(format!(
                "7, 2 and an epoch were counted after the cut, but {found:?} is there"
            ));
        }
        Ok(())
    }
}

/// What was ever counted of the two series of an import.
fn given(store: &Store, number: u64) -> Result<[u64; 2]> {
    let totals = Shown::of_view(&store.view()?).totals;
    Ok(orders::given_names(number).map(|name| totals.get(&name).copied().unwrap_or(0)))
}
