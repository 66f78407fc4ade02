//! An error of the disk at every step.
//!
//! In one process the n-th disk operation of an operation (see `scenario.rs`) fails with "no space
//! left", an input/output error, "too many open files" or "cannot allocate memory", for every n until there is no n-th: once that operation
//! alone, once all that follow too. Then the disk is well again.
//!
//! Violations: the call succeeds although the disk failed; its error does not name a path of the
//! store or the system's reason; the process cannot go on counting or reading; the operation
//! cannot be done once the disk is well; a count is lost or doubled. Where making cells durable
//! failed, the store must be degraded, and then `sync`, `snapshot` and `rotate` must refuse for that
//! reason while counting and reading go on, in this process and in the next; where anything else
//! failed it must not be degraded.

use std::fs;
use std::path::PathBuf;

use deespec::{Error, Operation, Rotate, Store, StoreError};
use rustix::io::Errno;

use super::fault::{Fault, Nth};
use super::scenario::{self, ALL, Scenario, options, store_in};
use crate::harness::{Bench, Outcome};
use crate::{Result, ui};

/// A full disk, a broken one, too many open files, too little memory.
const CODES: [(&str, Errno); 4] = [
    ("ENOSPC", Errno::NOSPC),
    ("EIO", Errno::IO),
    ("EMFILE", Errno::MFILE),
    ("ENOMEM", Errno::NOMEM),
];

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let mut errors = 0;
    let mut violations = Vec::new();
    for scenario in ALL {
        if !violations.is_empty() {
            break;
        }
        let template = bench.folder.join(scenario.name());
        fs::create_dir_all(&template)?;
        scenario.prepare(&template)?;
        for (name, code) in CODES {
            for all_after in [false, true] {
                let (first, by) = bench.stride(8);
                for n in (first + 1..).step_by(by) {
                    let folder = bench.folder.join("case");
                    if folder.exists() {
                        fs::remove_dir_all(&folder)?;
                    }
                    scenario::copy(&template, &folder)?;
                    let fault = Fault::Fail {
                        code: code.raw_os_error(),
                        all_after,
                    };
                    let mut case = Case {
                        scenario,
                        folder,
                        faults: Nth::new(fault, n),
                        more: 0,
                        violations: Vec::new(),
                    };
                    if let Err(error) = case.run() {
                        case.violations.push(ui::chain(error.as_ref()));
                    }
                    let hit = case.faults.hit();
                    let at = hit.as_ref().map(|hit| {
                        let name = hit.path.file_name().unwrap_or_default();
                        format!(", {:?} {}", hit.operation, name.display())
                    });
                    let at = at.unwrap_or_default();
                    let which = if all_after { "error from" } else { "error" };
                    let story = format!("{scenario:?}, {which} {n} ({name}{at})");
                    let found = case.violations.into_iter();
                    violations.extend(found.map(|what| format!("{story}: {what}")));
                    if hit.is_none() {
                        break;
                    }
                    errors += 1;
                }
            }
        }
    }
    Ok(Outcome {
        done: format!("{} operations, {errors} errors", ALL.len()),
        violations,
    })
}

struct Case {
    scenario: Scenario,
    folder: PathBuf,
    faults: std::sync::Arc<Nth>,
    /// What was counted after the error.
    more: u64,
    violations: Vec<String>,
}

impl Case {
    fn run(&mut self) -> Result<()> {
        let root = store_in(&self.folder);
        let options = options(Some(self.faults.clone()));
        self.faults.arm(self.scenario.opens());
        let store = match self.scenario.open(&options, &self.folder) {
            Ok(store) => store,
            Err(error) => {
                self.refused(&error);
                self.faults.arm(false);
                options.open(&root)?
            }
        };
        if !self.scenario.opens() {
            self.scenario.count_before(&store);
        }
        if self.faults.hit().is_none() {
            self.faults.arm(true);
            let done = self.scenario.perform(&store, &self.folder);
            if self.faults.hit().is_none() {
                done?;
            } else {
                match done {
                    Ok(()) => self.violations.push("the call succeeded".into()),
                    Err(error) => self.refused(error.as_ref()),
                }
                self.still_counts(&store, "while the disk fails")?;
            }
            self.faults.arm(false);
        }
        self.still_counts(&store, "after the error")?;
        let degraded = store.health()?.degraded;
        if degraded != self.degrades() {
            self.violations.push(format!("degraded is {degraded}"));
        }
        if degraded {
            self.refuses(&store)?;
            drop(store);
            let next = options.open(&root)?;
            self.refuses(&next)?;
            return self.still_counts(&next, "in the next process");
        }
        if self.faults.hit().is_some() {
            self.scenario.perform(&store, &self.folder)?;
        }
        drop(store);
        let found = self.scenario.check_sums(&self.folder, 1, self.more)?;
        self.violations.extend(found);
        Ok(())
    }

    /// Whether the error was at the cells of a segment that was in use. One that is being made has
    /// not got its name yet, and is made again.
    fn degrades(&self) -> bool {
        self.faults
            .hit()
            .is_some_and(|hit| hit.operation == Operation::SyncCells && hit.existed)
    }

    fn refused(&mut self, error: &(dyn std::error::Error + 'static)) {
        let text = ui::chain(error);
        let reason = self.faults.reason();
        let path = self.folder.display().to_string();
        if !text.contains(&path) || !text.contains(&reason) {
            self.violations
                .push(format!("the error does not name path and reason: {text}"));
        }
    }

    fn still_counts(&mut self, store: &Store, when: &str) -> Result<()> {
        let before = store.view()?.transactions.success;
        store.transactions().success.inc();
        self.more += 1;
        let after = store.view()?.transactions.success;
        if after != before + 1 {
            self.violations
                .push(format!("counted {before}, then {after} {when}"));
        }
        Ok(())
    }

    /// Whether a degraded store claims nothing that it cannot keep.
    fn refuses(&mut self, store: &Store) -> Result<()> {
        let calls: [(&str, Option<Error>); 4] = [
            ("sync", store.sync().err()),
            ("flush", store.flush().err()),
            ("snapshot", store.snapshot().err()),
            ("rotate", store.rotate(Rotate::Reset).err()),
        ];
        for (call, error) in calls {
            if !matches!(error, Some(Error::Store(StoreError::Degraded { .. }))) {
                self.violations
                    .push(format!("{call} of a degraded store gave {error:?}"));
            }
        }
        self.still_counts(store, "in a degraded store")
    }
}
