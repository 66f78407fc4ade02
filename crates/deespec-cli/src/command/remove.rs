//! `deespec remove`: hide a series.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::series::Labels;
use crate::ui::Ui;
use crate::values;

const AFTER_HELP: &str = "\
Example:
  deespec remove jobs_total -l job=misspelt

The series is gone from all views, exports and further snapshots until it is
counted again: then it comes back with all that it ever counted, unless `deespec
compact` was called meanwhile. The labels must be those of one series, all of
them.";

/// Hide a series until it is counted again
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Remove {
    /// The metric's name
    name: String,

    #[command(flatten)]
    labels: Labels,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Removed<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

impl Remove {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let labels = self.labels.of(&self.name)?;
        let store = location::open(cli, ui, "remove")?;
        let owned: BTreeMap<String, String> = labels
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let series = format!("{} {}", self.name, values::labels(owned.iter()));
        let series = series.trim_end();
        if !store.remove(&self.name, &labels)? {
            let name = &self.name;
            let view = store.view()?;
            let hint = if view.series.iter().any(|series| series.name == *name) {
                format!("give all labels of one of those that `deespec show --filter {name}` shows")
            } else {
                "`deespec show` has the names that there are".to_owned()
            };
            return Err(Failure::new(format!("there is no series {series}")).hint(hint));
        }
        if self.json.json {
            ui.json(&Removed {
                name: &self.name,
                labels: labels.into_iter().collect(),
            })?;
        } else {
            ui.line(&format!("Removed {series}"));
        }
        Ok(Code::Done)
    }
}
