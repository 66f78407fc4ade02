//! `deespec rotate`: close the epoch.

use clap::Args;
use deespec::Rotate as Mode;
use serde::Serialize;

use crate::args::{Cli, Json, Reason};
use crate::command::snapshots::RetentionArgs;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{self, Ui, count};

const AFTER_HELP: &str = "\
Example:
  deespec rotate --reason nightly --max-age 90d

Nobody has to stop counting meanwhile: every increment falls either into the
snapshot or into the new epoch.";

/// Close the epoch with a snapshot and begin a new one at 0
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Rotate {
    /// Take the snapshot only: the epoch and its counters go on
    #[arg(long)]
    keep_counters: bool,

    #[command(flatten)]
    reason: Reason,

    #[command(flatten)]
    retention: RetentionArgs,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Rotated {
    closed_epoch: Option<u64>,
    epoch: u64,
    snapshot: String,
    pruned: Vec<String>,
}

impl Rotate {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "rotate")?;
        let mode = if self.keep_counters {
            Mode::KeepCounters
        } else {
            Mode::Reset
        };
        let rotation =
            store.rotate_because(mode, &self.reason.reason, &self.retention.retention())?;
        location::warn_if_foreign(&store, ui);
        if self.json.json {
            ui.json(&Rotated {
                closed_epoch: rotation.closing.epoch.filter(|_| !self.keep_counters),
                epoch: rotation.epoch,
                snapshot: ui::path(&rotation.path),
                pruned: rotation.pruned.iter().map(ToString::to_string).collect(),
            })?;
            return Ok(Code::Done);
        }
        match (self.keep_counters, rotation.closing.epoch) {
            (false, Some(closed)) => {
                ui.line(&format!(
                    "Closed epoch {closed}; epoch {} begins at 0",
                    rotation.epoch
                ));
            }
            _ => ui.line(&format!("Epoch {} goes on", rotation.epoch)),
        }
        ui.line(&format!("Snapshot: {}", rotation.path.display()));
        if !rotation.pruned.is_empty() {
            let removed = count(rotation.pruned.len(), "old snapshot");
            ui.line(&format!("Removed {removed}"));
        }
        Ok(Code::Done)
    }
}
