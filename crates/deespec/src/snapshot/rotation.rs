//! Rotation: closing an epoch. The flip of the epoch word in `store/turn.rs` is the commit point;
//! the closing snapshot and the line in `epochs.jsonl` are written again from the two baselines
//! when a killed process did not come that far.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::metric::{Kind, LabelSet, Value};
use crate::store::lines::last_line;
use crate::store::{Beginning, Core, EPOCHS, Exclusive, Record, StoreError};

use super::document::{Document, DocumentKind, write_document};
use super::name::SnapshotName;
use super::retention::{Retention, prune_held};
use super::settle::{after_turn, locked, whole};
use super::take::{self, folder, free_name};
use super::{publish, restore, time, view};

/// What a rotation does with the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotate {
    /// Closes the epoch: its snapshot, and a new epoch in which every counter starts at 0.
    Reset,
    /// Takes a snapshot only; the epoch and its counters go on.
    KeepCounters,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rotation {
    /// The epoch that goes on from here.
    pub epoch: u64,
    /// When that epoch began.
    pub epoch_started: SystemTime,
    /// The snapshot that was written, and its file.
    pub snapshot: SnapshotName,
    /// The file of that snapshot.
    pub path: PathBuf,
    /// What the snapshot holds: the whole epoch that was closed, or the present one so far.
    pub closing: Document,
    /// Snapshots that were removed because of the retention.
    pub pruned: Vec<SnapshotName>,
}

/// The record of epochs is shortened to half as many bytes when it has more.
const RECORD_MAX: u64 = 4 << 20;
/// A line with the totals of all series has at most so many bytes, or it has none of them: the closing snapshot has
/// what they would say.
const LINE_MAX: usize = 64 << 10;
/// No line with more totals is as short.
const TOTALS_MAX: usize = 1000;

/// One line of `epochs.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    epoch: u32,
    next: u32,
    kind: &'static str,
    at: String,
    by: &'a str,
    why: &'a str,
    snapshot: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<Vec<Total<'a>>>,
}

impl Line<'_> {
    fn render(mut self) -> String {
        let line = serde_json::to_string(&self).unwrap_or_default();
        if line.len() < LINE_MAX {
            return line;
        }
        self.totals = None;
        serde_json::to_string(&self).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Total<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "no_labels")]
    labels: &'a LabelSet,
    total: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<String>,
}

fn no_labels(labels: &&LabelSet) -> bool {
    labels.is_empty()
}

/// The part of a line that says which epoch it closed.
#[derive(Deserialize)]
struct Closed {
    epoch: u32,
}

/// Closes the epoch, or takes a snapshot of it, and applies the retention.
pub(crate) fn rotate(
    core: &Core,
    rotate: Rotate,
    why: &str,
    retention: &Retention,
) -> Result<Rotation, Error> {
    let exclusive = locked(core)?;
    let (record, document) = whole(&exclusive, || match rotate {
        Rotate::KeepCounters => {
            let taken = take::take(&exclusive)?;
            let mut document = taken.view.to_document();
            document.kind = Some(DocumentKind::Snapshot);
            document.taken_at = Some(time::to_nanoseconds(taken.name.ns));
            Ok(((core.epoch()?, taken.name), document))
        }
        Rotate::Reset => {
            core.files().make_directory(&folder(core))?;
            let name = free_name(&exclusive);
            let record = exclusive.turn(name.ns, Beginning::Rotation, why, &[])?;
            let document = after_turn(&record, || {
                exclusive.make_turn_durable()?;
                let document = close(&exclusive)?;
                publish::publish_quietly(&exclusive)?;
                Ok(document)
            })?;
            Ok(((record, name), document))
        }
    })?;
    let (record, name) = record;
    let pruned = prune_held(&exclusive, retention, Some(name))?;
    Ok(Rotation {
        epoch: u64::from(record.epoch),
        epoch_started: time::system_time(record.at_ns),
        snapshot: name,
        path: folder(core).join(name.to_string()),
        closing: document,
        pruned,
    })
}

/// Closes the last epoch unless that is done already.
pub(crate) fn close_unless_done(exclusive: &Exclusive<'_>) -> Result<(), Error> {
    let core = exclusive.core();
    let now = core.epoch()?;
    let last = last_line(&core.live_file(EPOCHS))?;
    let last = last.and_then(|line| serde_json::from_str::<Closed>(&line).ok());
    let done = last.is_some_and(|last| last.epoch >= now.epoch.saturating_sub(1));
    if now.beginning == Beginning::Created {
        return Ok(());
    }
    if done {
        // The baselines of that epoch go with the next turn: then its line is all that there is.
        core.files().keep_lines(&core.live_file(EPOCHS))?;
    } else {
        // Its process may have been killed between the flip of the epoch word and its sync: a
        // power cut must not take the flip back after the closing is published.
        exclusive.flush()?;
        close(exclusive)?;
    }
    Ok(())
}

/// Writes what the epoch before the current one counted, and its line in `epochs.jsonl`.
pub(crate) fn close(exclusive: &Exclusive<'_>) -> Result<Document, Error> {
    let core = exclusive.core();
    let (now, before) = core.records()?;
    // Without it the other baselines are already those of a turn that was not completed.
    let before = before.ok_or_else(|| {
        let reason = format!("the record of epoch {} is missing", now.epoch - 1);
        StoreError::damaged(&core.live_file("segment-0000"), reason)
    })?;
    let undo = match now.beginning {
        Beginning::Restore => Some(restore::Undo::read(core)?),
        _ => None,
    };
    let mut document = closing(core, &now, &before);
    let mut built_in = Vec::new();
    let mut totals = Vec::new();
    let catalog = core.catalog()?;
    document.series.reserve_exact(catalog.series_count());
    // One series after the other: there may be a million of them.
    catalog.closing_values(core, now.epoch, |mut value| {
        if let Some(undo) = &undo {
            undo.apply(&mut value);
        }
        // A series that came later was not part of the epoch.
        if value.value.to_cells().is_empty() && value.created_ns > now.at_ns {
            return Ok::<_, Error>(());
        }
        let counts = matches!(
            value.total.kind(),
            Kind::Counter | Kind::Histogram | Kind::Summary
        );
        if counts && totals.len() <= TOTALS_MAX {
            totals.push((
                value.name.clone(),
                value.labels.clone(),
                value.total.clone(),
            ));
        }
        if view::is_built_in(&value.name, &value.labels) {
            built_in.push(value);
        } else {
            document.series.push(value.into());
        }
        Ok(())
    })?;
    document.partial = catalog.skipped(core).iter().map(view::describe).collect();
    drop(catalog);
    let four = built_in
        .iter()
        .map(|four| (four.name.as_str(), &four.value));
    document.transactions = view::counts(four);
    let name = SnapshotName { ns: now.at_ns };
    core.files().make_directory(&folder(core))?;
    let path = folder(core).join(name.to_string());
    core.files()
        .write_with(&path, true, |out| write_document(out, &document))?;
    let totals = (totals.len() <= TOTALS_MAX).then(|| {
        let each = totals.iter().map(|(name, labels, total)| Total {
            name,
            labels,
            total,
            exact: total.exact(),
        });
        each.collect()
    });
    let line = Line {
        epoch: now.epoch - 1,
        next: now.epoch,
        kind: now.beginning.as_str(),
        at: time::to_nanoseconds(now.at_ns),
        by: &now.by,
        why: &now.why,
        snapshot: name.to_string(),
        totals,
    };
    let record = core.live_file(EPOCHS);
    // Killed behind it, the epoch is closed once more: its line is not there yet.
    core.files().shorten_lines(&record, RECORD_MAX)?;
    core.files().append_line(&record, &line.render())?;
    Ok(document)
}

/// The document that closes the epoch before `now`, but for what was counted.
fn closing(core: &Core, now: &Record, before: &Record) -> Document {
    Document {
        last_update: Some(time::to_seconds(now.at_ns)),
        epoch: Some(u64::from(now.epoch) - 1),
        epoch_started: Some(time::to_seconds(before.at_ns)),
        store_id: Some(core.id()),
        kind: Some(DocumentKind::Rotation),
        taken_at: Some(time::to_nanoseconds(now.at_ns)),
        ..Document::empty()
    }
}
