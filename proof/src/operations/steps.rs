//! A kill at every step.
//!
//! A process does one operation (see `scenario.rs`) and kills itself before its n-th disk
//! operation, for every n until it survives. A second process then opens the store and syncs, and
//! kills itself before its m-th disk operation, for every m until it survives; m = 1 to the end
//! for each n. After each pair the store is opened, synced and counted. All of that is done once
//! more with a second process that rotates, where there was a store before.
//!
//! After each kill the repair also fails at its m-th disk operation, for every m, with an input/output
//! error; then the disk is well again.
//!
//! A store whose making was killed is also made again from another, smaller document.
//!
//! Violations: a sync that succeeds although the disk failed in it; an error that does not name a path
//! of the store and the reason; a store that is not degraded although its cells could not be made
//! durable; a process that ends in any other way; an opener or a sync that fails without a cause; an
//! operation that is neither done whole nor not at all; a count that is lost or doubled; a temporary or
//! intent file that is left after the sync; a document or line that appears before any cells were
//! made durable by the process that publishes it; a closing snapshot or line that is missing or wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use deespec::{Error, Operation, Rotate, StoreError};

use super::fault::{Fault, Nth, UNSYNCED};
use super::scenario::{self, ALL, Scenario, options, store_in};
use crate::child;
use crate::harness::{Bench, Outcome};
use crate::{Result, ui};

/// What the second process does: it opens the store, and then only syncs, or rotates.
const SYNC: &str = "sync";
const ROTATE: &str = "rotate";

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let mut steps = Steps {
        folder: bench.folder.clone(),
        kills: 0,
        errors: 0,
        states: 0,
        violations: Vec::new(),
    };
    for scenario in ALL {
        let stride = bench.stride(16);
        steps.all(scenario, stride)?;
        if !steps.violations.is_empty() {
            break;
        }
    }
    Ok(Outcome {
        done: format!(
            "{} operations, {} kills, {} errors in repairs, {} states",
            ALL.len(),
            steps.kills,
            steps.errors,
            steps.states
        ),
        violations: steps.violations,
    })
}

struct Steps {
    folder: PathBuf,
    kills: u64,
    errors: u64,
    states: u64,
    violations: Vec<String>,
}

/// How a process that was to be killed ended.
enum End {
    Killed { at: String },
    Survived,
    Failed { why: String },
}

impl Steps {
    fn all(&mut self, scenario: Scenario, (first, by): (u64, usize)) -> Result<()> {
        let template = self.folder.join(scenario.name());
        fs::create_dir_all(&template)?;
        scenario.prepare(&template)?;
        for n in (first + 1..).step_by(by) {
            let first = self.fresh(&template, "first")?;
            let story = format!("{}, kill {n}", scenario.name());
            match self.end(&scenario.name(), &first, n)? {
                End::Killed { at } => {
                    let story = format!("{story} ({at})");
                    self.repairs(scenario, &first, SYNC, &story)?;
                    self.failing_repairs(scenario, &first, &story)?;
                    if scenario == Scenario::TakeOverLarge {
                        self.made_otherwise(&first, &story)?;
                    }
                    if !scenario.creates() {
                        self.repairs(scenario, &first, ROTATE, &story)?;
                    }
                }
                End::Survived if n > 1 => return self.judge(scenario, &first, SYNC, &story),
                End::Survived => {
                    self.violations
                        .push(format!("{story}: there was no disk operation"));
                    return Ok(());
                }
                End::Failed { why } => {
                    self.violations.push(format!("{story}: {why}"));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Repairs the store that a kill left, with a second kill at each step of the repair.
    fn repairs(&mut self, scenario: Scenario, killed: &Path, how: &str, story: &str) -> Result<()> {
        for m in 1.. {
            let second = self.fresh(killed, "second")?;
            let story = format!("{story}, {how}, kill {m}");
            match self.end(how, &second, m)? {
                End::Killed { at } => {
                    self.judge(scenario, &second, how, &format!("{story} ({at})"))?;
                }
                End::Survived => return self.judge(scenario, &second, how, &story),
                End::Failed { why } => {
                    self.violations.push(format!("{story}: {why}"));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Repairs the store that a kill left, with an error of the disk at each step of the repair.
    fn failing_repairs(&mut self, scenario: Scenario, killed: &Path, story: &str) -> Result<()> {
        for m in 1.. {
            let folder = self.fresh(killed, "second")?;
            let fault = Fault::Fail {
                code: rustix::io::Errno::IO.raw_os_error(),
                all_after: false,
            };
            let faults = Nth::new(fault, m);
            faults.arm(true);
            let opened = options(Some(faults.clone())).open(store_in(&folder));
            // What fails while a store is opened may be passed over then, and is done again by the sync.
            let at_opening = faults.hit().is_some();
            let repaired = opened.and_then(|store| store.sync());
            let Some(hit) = faults.hit() else {
                repaired?;
                return Ok(());
            };
            self.errors += 1;
            let story = format!(
                "{story}, error {m} of the repair ({:?} {})",
                hit.operation,
                hit.path.display()
            );
            let degrades = hit.operation == Operation::SyncCells && hit.existed;
            match repaired {
                Ok(_) if at_opening => {}
                // The opener met the error, and the sync says what has become of the store.
                Err(Error::Store(StoreError::Degraded { .. })) if at_opening && degrades => {}
                Ok(_) => self.violations.push(format!("{story}: it succeeded")),
                Err(error) => {
                    let text = ui::chain(&error);
                    let path = folder.display().to_string();
                    if !text.contains(&path) || !text.contains(&faults.reason()) {
                        let what = "the error does not name path and reason";
                        self.violations.push(format!("{story}: {what}: {text}"));
                    }
                }
            }
            // What has lost its durability says so for good; there is nothing to repair any more.
            if degrades {
                let store = options(None).open(store_in(&folder))?;
                store.transactions().success.inc();
                if !store.health()?.degraded {
                    self.violations
                        .push(format!("{story}: the store is not degraded"));
                }
            } else {
                self.judge(scenario, &folder, SYNC, &story)?;
            }
        }
        Ok(())
    }

    /// Whether a segment that belonged to a store which was never finished stands in the way.
    fn made_otherwise(&mut self, killed: &Path, story: &str) -> Result<()> {
        let folder = self.fresh(killed, "second")?;
        self.states += 1;
        let found = Scenario::make_otherwise(&folder);
        let found = found.unwrap_or_else(|error| vec![ui::chain(error.as_ref())]);
        let found = found
            .into_iter()
            .map(|what| format!("{story}, made otherwise: {what}"));
        self.violations.extend(found);
        Ok(())
    }

    fn judge(&mut self, scenario: Scenario, folder: &Path, how: &str, story: &str) -> Result<()> {
        self.states += 1;
        let found = match how {
            SYNC => scenario.check(folder),
            _ => scenario.check_rotated(folder),
        };
        let found = found.unwrap_or_else(|error| vec![ui::chain(error.as_ref())]);
        let found = found.into_iter().map(|what| format!("{story}: {what}"));
        self.violations.extend(found);
        Ok(())
    }

    /// A copy of a folder in which processes may leave what they will.
    fn fresh(&self, from: &Path, name: &str) -> Result<PathBuf> {
        let to = self.folder.join(name);
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        scenario::copy(from, &to)?;
        Ok(to)
    }

    /// Starts the process that is to be killed at the n-th operation, and waits for its end.
    fn end(&mut self, what: &str, folder: &Path, n: u64) -> Result<End> {
        let mut command = child::role("step")?;
        command.arg(what).arg(folder).arg(n.to_string());
        let Output {
            status,
            stdout,
            stderr,
        } = command.output()?;
        let said = String::from_utf8_lossy(&stdout).into_owned();
        if child::was_killed(status) && said.starts_with(UNSYNCED) {
            return Ok(End::Failed { why: said });
        }
        if child::was_killed(status) && !said.is_empty() {
            self.kills += 1;
            return Ok(End::Killed { at: said });
        }
        let why = format!("{status}: {}", String::from_utf8_lossy(&stderr).trim_end());
        Ok(match status.success() {
            true => End::Survived,
            false => End::Failed { why },
        })
    }
}

/// The process that is to be killed: what it does, where, and before which disk operation.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let what: String = child::argument(arguments, 0)?;
    let folder: PathBuf = child::argument(arguments, 1)?;
    let faults = Nth::new(Fault::Kill, child::argument(arguments, 2)?);
    let options = options(Some(faults.clone()));
    let root = store_in(&folder);
    let Some(scenario) = Scenario::of(&what) else {
        faults.arm(true);
        let store = options.open(root)?;
        match what.as_str() {
            ROTATE => drop(store.rotate(Rotate::Reset)?),
            _ => drop(store.sync()?),
        }
        return Ok(());
    };
    faults.arm(scenario.opens());
    let store = scenario.open(&options, &folder)?;
    if !scenario.opens() {
        scenario.count_before(&store);
    }
    faults.arm(true);
    scenario.perform(&store, &folder)
}
