//! `deespec sync`: make everything durable and publish metrics.json.

use clap::Args;
use serde_json::json;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;

/// Make all counts durable and publish metrics.json
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec sync && cp .deespec/var/metrics.json artifacts/")]
pub(crate) struct Sync {
    #[command(flatten)]
    json: Json,
}

impl Sync {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "sync")?;
        let view = store.sync()?;
        let path = store.path().join("metrics.json");
        if self.json.json {
            ui.json(
                &json!({ "path": path, "epoch": view.epoch, "series": view.series.len() + 4 }),
            )?;
        } else {
            ui.line(&format!("Published {}", path.display()));
        }
        Ok(Code::Done)
    }
}
