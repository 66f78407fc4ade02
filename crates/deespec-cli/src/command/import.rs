//! `deespec import`: add the values of a document, once.

use std::path::PathBuf;

use clap::Args;
use deespec::{DocumentError, Error, Import as Outcome, StoreError};
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{self, Ui, count};

const WHAT_TO_GIVE: &str =
    "give the path of a metrics.json, of a snapshot, or of a text that Prometheus scrapes";

const AFTER_HELP: &str = "\
Example:
  deespec import old-metrics.json
  curl -s localhost:8000/metrics > scrape.txt && deespec import scrape.txt

The file is a metrics.json, a snapshot, OpenMetrics text or Prometheus text. Its
counts are added, and gauges that this store does not have are set. What a store
cannot hold, such as a state set, is passed over with a warning; what it keeps
with fewer digits, or without the quantiles of a summary, is named, too.
The file is known by its content from then on: importing it again adds nothing,
and what this store itself has exported is refused.";

/// Add the counts of a file from elsewhere, once
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Import {
    /// The file
    file: PathBuf,

    /// Also add a view of this very store, which counts its values twice
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Imported<'a> {
    file: String,
    added: bool,
    series: usize,
    counts: u64,
    imported_before: Option<&'a str>,
    passed_over: &'a [String],
    noted: &'a [String],
}

impl Import {
    fn failure(&self, error: Error) -> Failure {
        match error {
            Error::Document(DocumentError::Missing { .. }) => {
                Failure::new(error.to_string()).hint(WHAT_TO_GIVE)
            }
            Error::Store(StoreError::WrongFileType { ref path, .. }) if *path == self.file => {
                Failure::from(error).hint(WHAT_TO_GIVE)
            }
            Error::Document(
                DocumentError::Syntax { .. }
                | DocumentError::Content { .. }
                | DocumentError::Text { .. },
            ) => Failure::from(error)
                .hint("nothing was added; mend that in the file or take it out, and try again"),
            error => error.into(),
        }
    }

    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let place = location::place(cli)?;
        if location::is_missing(&place.path) {
            // A wrong file makes no store.
            Outcome::check(&self.file).map_err(|error| self.failure(error))?;
        }
        let store = place.open_or_make(ui, &location::options("import"))?;
        let outcome = store
            .import(&self.file, self.force)
            .map_err(|error| self.failure(error))?;
        if outcome == Outcome::Own && !self.json.json {
            ui.line(&format!(
                "Nothing to add: {} is what this store itself has published",
                self.file.display()
            ));
            return Ok(Code::Done);
        }
        let (mut passed_over, mut noted): (&[String], &[String]) = (&[], &[]);
        let (added, series, counts, before) = match &outcome {
            Outcome::Own => (false, 0, 0, None),
            Outcome::Added {
                series,
                counts,
                passed_over: left_out,
                noted: odd,
            } => {
                (passed_over, noted) = (left_out, odd);
                (true, *series, *counts, None)
            }
            Outcome::Already { at } => (false, 0, 0, Some(at.clone())),
            other => {
                return Err(Failure::new(format!(
                    "unexpected outcome of the import: {other:?}"
                )));
            }
        };
        for reason in passed_over {
            let reason = vec![("reason", reason.clone())];
            ui.warn("A part of the file was not imported", reason);
        }
        for reason in noted {
            let reason = vec![("reason", reason.clone())];
            ui.warn("A part of the file is not kept as it stands there", reason);
        }
        if self.json.json {
            ui.json(&Imported {
                file: ui::path(&self.file),
                added,
                series,
                counts,
                imported_before: before.as_deref(),
                passed_over,
                noted,
            })?;
            return Ok(Code::Done);
        }
        match before {
            None => ui.line(&format!(
                "Added {} of {series} series from {}",
                count(usize::try_from(counts).unwrap_or(usize::MAX), "count"),
                self.file.display()
            )),
            Some(at) => ui.line(&format!(
                "Nothing to add: what {} holds was imported at {at}",
                self.file.display()
            )),
        }
        Ok(Code::Done)
    }
}
