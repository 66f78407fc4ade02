//! `deespec snapshots compact`: the archive from which histories are answered.

use clap::Args;
use deespec::Store;
use serde::Serialize;

use crate::args::Json;
use crate::exit::{Code, Failure};
use crate::ui::{self, Ui, columns};

use super::history::{self, Unreadable};
use super::taken_at;

const AFTER_HELP: &str = "\
Example:
  deespec snapshots compact

Copies what the snapshots say into a small archive beside them (`history/`),
compares it with each file, and makes it as small as it can be. Histories are
answered from there: `deespec snapshots history` and the server. They complete
it themselves, so this is never needed; it does at a time of your choosing what
the next history would have to do.

No snapshot is removed: `deespec snapshots prune` does that. The archive itself
may be removed at any time.";

/// Copy the snapshots into an archive that answers quickly
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Compact {
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Compacted {
    path: String,
    snapshots: usize,
    from: Option<String>,
    to: Option<String>,
    snapshot_bytes: u64,
    bytes: BeforeAfter,
    unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
struct BeforeAfter {
    before: u64,
    after: u64,
}

impl Compact {
    pub(super) fn run(&self, store: &Store, ui: &Ui) -> Result<Code, Failure> {
        let archive = store.compact_snapshots()?;
        if let Some(reason) = archive.unsaved {
            let failure = Failure::new(format!("the archive cannot be written: {reason}"));
            return Err(failure.hint("histories are answered without it too, but take longer"));
        }
        let range = archive.range;
        let compacted = Compacted {
            path: ui::path(&store.path().join("history")),
            snapshots: archive.snapshots,
            from: range.map(|(first, _)| taken_at(first)),
            to: range.map(|(_, last)| taken_at(last)),
            snapshot_bytes: archive.snapshot_bytes,
            bytes: BeforeAfter {
                before: archive.bytes.0,
                after: archive.bytes.1,
            },
            unreadable: archive.unreadable.iter().map(Unreadable::from).collect(),
        };
        if self.json.json {
            ui.json(&compacted)?;
        } else if let (Some(from), Some(to)) = (&compacted.from, &compacted.to) {
            let snapshots = ui::count(compacted.snapshots, "snapshot");
            ui.line(&format!(
                "{} has {snapshots}, {from} to {to}",
                compacted.path
            ));
            ui.line("");
            let kib = |bytes: u64| format!("{} KiB", bytes.div_ceil(1024));
            let BeforeAfter { before, after } = compacted.bytes;
            let files = kib(compacted.snapshot_bytes);
            let rows = vec![
                vec!["archive".to_owned(), kib(before), kib(after)],
                vec!["snapshots".to_owned(), files.clone(), files],
            ];
            ui.print(&columns(&["", "BEFORE", "AFTER"], &[1, 2], rows));
        } else {
            ui.info("There are no snapshots yet", Vec::new());
        }
        history::warn(ui, &archive.unreadable, None);
        Ok(Code::Done)
    }
}
