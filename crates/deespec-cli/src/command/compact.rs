//! `deespec compact`: rebuild the store.

use clap::Args;
use deespec::{Compaction, Error, StoreError};
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{self, Ui, columns};

const AFTER_HELP: &str = "\
Example:
  deespec remove jobs_total -l job=misspelt && deespec compact

Gives back the room of removed series, puts what is left into as few files as it
needs, and makes a store that is degraded a good one again, once the disk is.
Every count and the epoch stay as they are, and a removed series is then gone
for good: counted again, it begins at 0.

Nobody else may have the store open meanwhile: no program that counts in it, no
`deespec run` and no `deespec watch`. Who begins to count waits for the end.
Killed at any moment, the store is either the old one or the new one.";

/// Rebuild the store without what was removed
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Compact {
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Compacted {
    path: String,
    series: BeforeAfter,
    segments: BeforeAfter,
    bytes: BeforeAfter,
}

#[derive(Clone, Copy, Serialize)]
struct BeforeAfter {
    before: u64,
    after: u64,
}

impl BeforeAfter {
    fn row(self, name: &str, show: impl Fn(u64) -> String) -> Vec<String> {
        vec![name.to_owned(), show(self.before), show(self.after)]
    }
}

impl Compact {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let path = location::store_path(cli)?;
        let done = location::options("compact").compact(&path);
        let Compaction {
            series,
            segments,
            bytes,
            ..
        } = done.map_err(refused)?;
        let numbers = |(before, after): (usize, usize)| BeforeAfter {
            before: before as u64,
            after: after as u64,
        };
        let compacted = Compacted {
            path: ui::path(&path),
            series: numbers(series),
            segments: numbers(segments),
            bytes: BeforeAfter {
                before: bytes.0,
                after: bytes.1,
            },
        };
        if self.json.json {
            ui.json(&compacted)?;
            return Ok(Code::Done);
        }
        ui.line(&format!("Rebuilt {}", compacted.path));
        ui.line("");
        let rows = vec![
            compacted.series.row("series", |n| n.to_string()),
            compacted.segments.row("segments", |n| n.to_string()),
            compacted.bytes.row("disk", |n| format!("{} KiB", n / 1024)),
        ];
        ui.print(&columns(&["", "BEFORE", "AFTER"], &[1, 2], rows));
        Ok(Code::Done)
    }
}

/// Why the store was not rebuilt, and what to do about that here.
fn refused(error: Error) -> Failure {
    let hint = match &error {
        Error::Store(StoreError::InUse { path }) => Some(format!(
            "end what has it open, then try again: a program that counts in it, `deespec run`, \
             `deespec watch`; `fuser -v {}` names the processes",
            // Each of them holds a lock on it.
            path.join("live/segment-0000").display()
        )),
        Error::Store(StoreError::Damaged { .. }) => Some(
            "nothing was changed; save what can still be read with `deespec export json --output \
             FILE`, then restore the damaged file from a backup, or begin a new store with \
             `deespec --store NEW import FILE`"
                .to_owned(),
        ),
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
