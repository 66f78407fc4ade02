//! `deespec restore`: go back to the values of a snapshot.

use clap::Args;
use serde::Serialize;

use crate::args::{Cli, Json, Reason};
use crate::command::snapshots;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{self, Ui};

const AFTER_HELP: &str = "\
Example:
  deespec snapshots list
  deespec restore latest --reason 'the load test was counted by mistake'

What was counted until then is kept in a snapshot of its own, so a restore can
be undone by restoring that.";

/// Go back to the counts of a snapshot
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Restore {
    /// A file, the name of a snapshot, or `latest`
    #[arg(value_name = "FILE")]
    snapshot: String,

    #[command(flatten)]
    reason: Reason,

    /// Also accept a snapshot of another store, or of unknown origin
    #[arg(long)]
    any_store: bool,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Restored {
    restored: String,
    epoch: u64,
    closed: String,
}

impl Restore {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "restore")?;
        let file = snapshots::file(&store, &self.snapshot)?;
        let restored = store
            .restore(&file, &self.reason.reason, self.any_store)
            .map_err(snapshots::unreadable)?;
        if self.json.json {
            ui.json(&Restored {
                restored: ui::path(&file),
                epoch: restored.view.epoch,
                closed: ui::path(&restored.path),
            })?;
        } else {
            ui.line(&format!(
                "Restored {} as epoch {}",
                file.display(),
                restored.view.epoch
            ));
            ui.line(&format!(
                "What was counted until then is kept in {}",
                restored.path.display()
            ));
        }
        Ok(Code::Done)
    }
}
