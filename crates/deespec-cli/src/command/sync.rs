//! `deespec sync`: make everything durable and publish metrics.json.

use clap::Args;
use deespec::TRANSACTIONS;
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{self, Ui};

/// Write all counts to the disk and publish metrics.json
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec sync && cp .deespec/var/metrics.json artifacts/")]
pub(crate) struct Sync {
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Synced {
    path: String,
    epoch: u64,
    series: usize,
}

impl Sync {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "sync")?;
        let view = store.sync()?;
        let path = store.path().join("metrics.json");
        if self.json.json {
            ui.json(&Synced {
                path: ui::path(&path),
                epoch: view.epoch,
                series: view.series.len() + TRANSACTIONS.len(),
            })?;
        } else {
            ui.line(&format!("Published {}", path.display()));
        }
        Ok(Code::Done)
    }
}
