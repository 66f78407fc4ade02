//! One process of the demo: makes its commits, counts each outcome, says so on stdout.

use std::path::{Path, PathBuf};

use clap::Args;
use deespec::Store;

use crate::accept;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;

use super::repository::{Repository, Update};

/// What a worker prints for each commit that it has counted.
pub(super) const COUNTED: &str = "counted";

/// A process of the demo
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// The demo's folder
    folder: PathBuf,
    /// The worker's number
    number: u32,
    /// Commits to make
    commits: u32,
}

/// The file that asks a worker to stop while Git holds the lock.
pub(super) fn stall_request(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("stall-{number}"))
}

/// The file that says that Git holds the lock.
pub(super) fn stall_held(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("held-{number}"))
}

/// The demo's store.
pub(super) fn store_path(folder: &Path) -> PathBuf {
    folder.join(location::FOLDER).join("var")
}

impl Worker {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        let store = Store::open_with(
            store_path(&self.folder),
            &accept::whatever_it_is(location::options("demo-worker")),
        )?;
        let repository = Repository::at(&self.folder);
        for commit in 0..self.commits {
            self.make(commit, &repository, &store)?;
            ui.line(COUNTED);
        }
        Ok(Code::Done)
    }

    /// Makes one commit, however often it is overtaken.
    fn make(&self, commit: u32, repository: &Repository, store: &Store) -> Result<(), Failure> {
        let counters = store.transactions();
        let message = format!("worker {} commit {commit}", self.number);
        let request = stall_request(&self.folder, self.number);
        loop {
            let old = repository.head()?;
            let new = repository.commit_on(&old, &message)?;
            let held = stall_held(&self.folder, self.number);
            let stall = request.exists().then_some(held.as_path());
            match repository.update(&new, &old, stall) {
                Ok(Update::Done) => {
                    counters.success.inc();
                    return Ok(());
                }
                Ok(Update::Conflict) => counters.conflicts.inc(),
                Ok(Update::Locked) => {
                    if repository.recover()? {
                        counters.recoveries.inc();
                    }
                }
                Err(failure) => {
                    counters.failed.inc();
                    return Err(failure);
                }
            }
        }
    }
}
