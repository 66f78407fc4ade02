//! `deespec snapshot`: copy the current epoch into a file of its own.

use clap::Args;
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{self, Ui};

/// Copy the counts of the current epoch into a file of their own
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec snapshot\n  deespec snapshots list")]
pub(crate) struct Snapshot {
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Taken {
    name: String,
    path: String,
    epoch: u64,
}

impl Snapshot {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "snapshot")?;
        let snapshot = store.snapshot()?;
        location::warn_if_foreign(&store, ui);
        if self.json.json {
            ui.json(&Taken {
                name: snapshot.name.to_string(),
                path: ui::path(&snapshot.path),
                epoch: snapshot.view.epoch,
            })?;
        } else {
            ui.line(&snapshot.path.display().to_string());
        }
        Ok(Code::Done)
    }
}
