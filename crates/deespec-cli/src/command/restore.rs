//! `deespec restore`: go back to the values of a snapshot.

use clap::Args;
use serde_json::json;

use crate::args::{Cli, Json};
use crate::command::snapshots;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;

/// Begin a new epoch with the values of a snapshot
///
/// The epoch before is closed with a snapshot of its own, so a restore can be undone.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  deespec restore latest --reason 'the load test was counted by mistake'"
)]
pub(crate) struct Restore {
    /// A file, the name of a snapshot, or `latest`
    #[arg(value_name = "FILE")]
    snapshot: String,

    /// Why; recorded in live/epochs.jsonl
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    reason: String,

    /// Also accept a snapshot of another store, or of unknown origin
    #[arg(long)]
    any_store: bool,

    #[command(flatten)]
    json: Json,
}

impl Restore {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "restore")?;
        let file = snapshots::file(&store, &self.snapshot)?;
        let restored = store.restore(&file, &self.reason, self.any_store)?;
        if self.json.json {
            ui.json(&json!({
                "restored": file,
                "epoch": restored.view.epoch,
                "closed": restored.path,
            }))?;
        } else {
            ui.line(&format!(
                "Restored {} as epoch {}",
                file.display(),
                restored.view.epoch
            ));
            ui.line(&format!(
                "The epoch before is kept in {}",
                restored.path.display()
            ));
        }
        Ok(Code::Done)
    }
}
