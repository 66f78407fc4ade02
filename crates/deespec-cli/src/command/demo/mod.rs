//! `deespec demo`: real processes race real Git commits onto one branch, and every one is counted.

mod race;
mod repository;
mod summary;
pub(crate) mod worker;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::args::Json;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec demo
  deespec demo --processes 4 --commits 10 --kill 2 --json

Each process makes its commits with `git update-ref REF NEW OLD`, a true
compare-and-swap: one that was overtaken counts a conflict and tries again. The
counters are rotated in the middle of the race. At the end the sum over both
epochs is compared with `git rev-list --count`.

With --kill, processes are killed with SIGKILL: the first, third, ... while Git
holds the branch's lock, so that another process has to recover from the stale
lock; the others at a random moment. A process that dies after Git took its
commit and before it was counted leaves that one commit uncounted: at most one
for each kill.

Exit codes: 0 the counts are exact, 1 they are not.";

/// Race real Git commits in many processes and count them exactly
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Demo {
    /// How many processes race
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    processes: u32,

    /// Commits that each process makes
    #[arg(long, default_value_t = 25, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    commits: u32,

    /// How many processes are killed on the way; each is replaced
    #[arg(long, default_value_t = 0, value_name = "K", value_parser = clap::value_parser!(u32).range(0..=1000))]
    kill: u32,

    /// Keep the repository and the store in this folder, which must be empty or new
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,

    #[command(flatten)]
    json: Json,
}

impl Demo {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        let (code, summary) = match &self.keep {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(io("make", folder))?;
                let mut entries = std::fs::read_dir(folder).map_err(io("list", folder))?;
                if entries.next().is_some() {
                    return Err(Failure::new(format!("{} is not empty", folder.display()))
                        .hint("give --keep a folder that is empty or does not exist"));
                }
                let folder = std::path::absolute(folder).map_err(io("locate", folder))?;
                self.run_in(&folder, ui)?
            }
            None => {
                let folder = tempfile::Builder::new()
                    .prefix("deespec-demo-")
                    .tempdir()
                    .map_err(io("make a folder in", &std::env::temp_dir()))?;
                self.run_in(folder.path(), ui)?
            }
        };
        // Printed when the folder is gone: a reader that goes away ends the program here.
        ui.print(&summary);
        Ok(code)
    }

    fn run_in(&self, folder: &Path, ui: &Ui) -> Result<(Code, String), Failure> {
        let outcome = race::run(self, folder, ui)?;
        let code = if outcome.is_exact() {
            Code::Done
        } else {
            Code::Failed
        };
        Ok((code, summary::render(self, &outcome, folder)?))
    }
}

/// An operating system's error with what was tried and where, as an adapter for `map_err`.
fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure::new(format!("cannot {action} {}: {error}", path.display()))
}
