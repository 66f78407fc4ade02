//! `deespec import`: add the values of a document, once.

use std::path::PathBuf;

use clap::Args;
use deespec::Import as Outcome;
use serde_json::json;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;

/// Add the values of a metrics.json or snapshot to the counters, once
///
/// The file is recognised by its content: importing it again changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec import old-metrics.json")]
pub(crate) struct Import {
    /// The file
    file: PathBuf,

    /// Also add a view of this very store, which counts its values twice
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    json: Json,
}

impl Import {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "import")?;
        let outcome = store.import(&self.file, self.force)?;
        let (added, series, counts, before) = match &outcome {
            Outcome::Added { series, counts } => (true, *series, *counts, None),
            Outcome::Already { at } => (false, 0, 0, Some(at.clone())),
            other => {
                return Err(Failure::new(format!(
                    "unexpected outcome of the import: {other:?}"
                )));
            }
        };
        if self.json.json {
            ui.json(&json!({
                "file": self.file,
                "added": added,
                "series": series,
                "counts": counts,
                "imported_before": before,
            }))?;
            return Ok(Code::Done);
        }
        match before {
            None => ui.line(&format!(
                "Added {counts} counts of {series} series from {}",
                self.file.display()
            )),
            Some(at) => ui.line(&format!(
                "Nothing to add: {} was imported already at {at}",
                self.file.display()
            )),
        }
        Ok(Code::Done)
    }
}
