//! `deespec rotate`: close the epoch.

use clap::Args;
use deespec::Rotate as Mode;
use serde_json::json;

use crate::args::{Cli, Json};
use crate::command::snapshots::RetentionArgs;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;

/// Close the epoch: write its snapshot and begin a new epoch at 0
///
/// Writers go on meanwhile, and every increment falls into exactly one epoch.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec rotate --reason nightly --max-age 90d")]
pub(crate) struct Rotate {
    /// Take the snapshot only: the epoch and its counters go on
    #[arg(long)]
    keep_counters: bool,

    /// Why; recorded in live/epochs.jsonl
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    reason: String,

    #[command(flatten)]
    retention: RetentionArgs,

    #[command(flatten)]
    json: Json,
}

impl Rotate {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "rotate")?;
        let mode = if self.keep_counters {
            Mode::KeepCounters
        } else {
            Mode::Reset
        };
        let rotation = store.rotate_because(mode, &self.reason, &self.retention.retention())?;
        if self.json.json {
            let pruned: Vec<String> = rotation.pruned.iter().map(ToString::to_string).collect();
            ui.json(&json!({
                "closed_epoch": (!self.keep_counters).then_some(rotation.closing.epoch).flatten(),
                "epoch": rotation.epoch,
                "snapshot": rotation.path,
                "pruned": pruned,
            }))?;
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
        ui.line(&format!("Snapshot {}", rotation.path.display()));
        if !rotation.pruned.is_empty() {
            ui.line(&format!("Removed {} old snapshots", rotation.pruned.len()));
        }
        Ok(Code::Done)
    }
}
