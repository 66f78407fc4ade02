//! `deespec snapshots`: list, show, compare and remove snapshots, and what they say over time.

mod compact;
mod history;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use deespec::{
    Change, Diff, Document, DocumentError, Error, Retention, SnapshotName, Store, Value,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::parse;
use crate::ui::{self, Ui, columns};
use crate::values::{self, are_mixed, exact, labels};

/// List, show, compare and remove snapshots
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec snapshots diff latest current")]
pub(crate) struct Snapshots {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the snapshots, the oldest first
    #[command(after_help = "Example:\n  deespec snapshots list")]
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Print a snapshot
    #[command(after_help = "Example:\n  deespec snapshots show latest")]
    Show {
        /// A file, the name of a snapshot, or `latest`
        snapshot: String,
    },
    /// Compare two snapshots, series by series
    #[command(after_help = "Example:\n  deespec snapshots diff latest current")]
    Diff {
        /// A file, the name of a snapshot, `latest` or `current`
        before: String,
        /// The same
        #[arg(default_value = "current")]
        after: String,
        #[command(flatten)]
        json: Json,
    },
    History(history::History),
    Compact(compact::Compact),
    /// Remove the snapshots that are too old or too many
    #[command(after_help = "Example:\n  deespec snapshots prune --max-age 30d --keep 1000")]
    Prune {
        #[command(flatten)]
        retention: RetentionArgs,
        #[command(flatten)]
        json: Json,
    },
}

/// Which snapshots to keep.
#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// Keep at most this many snapshots, the youngest
    #[arg(long, value_name = "N")]
    keep: Option<usize>,

    /// Remove snapshots that are older than this, such as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = parse::age, allow_hyphen_values = true)]
    max_age: Option<Duration>,
}

impl RetentionArgs {
    pub(crate) fn retention(&self) -> Retention {
        let mut retention = Retention::default();
        if let Some(count) = self.keep {
            retention = retention.max_count(count);
        }
        if let Some(age) = self.max_age {
            retention = retention.max_age(age);
        }
        retention
    }
}

impl Snapshots {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "snapshots")?;
        match &self.action {
            Action::List { json } => list(&store, *json, ui),
            Action::Show { snapshot } => {
                ui.document(&document(&store, snapshot)?.to_json());
                Ok(Code::Done)
            }
            Action::Diff {
                before,
                after,
                json,
            } => {
                let diff = Diff::between(&document(&store, before)?, &document(&store, after)?);
                print_diff(&diff, *json, ui)
            }
            Action::History(history) => history.run(&store, ui),
            Action::Compact(compact) => compact.run(&store, ui),
            Action::Prune { retention, json } => {
                let retention = retention.retention();
                if retention == Retention::default() {
                    return Err(Failure::new("nothing says which snapshots are to go")
                        .hint("give --keep N, --max-age AGE or both"));
                }
                let pruned = store.prune(&retention)?;
                print_pruned(&pruned, *json, ui)
            }
        }
    }
}

fn list(store: &Store, json: Json, ui: &Ui) -> Result<Code, Failure> {
    let names = store.snapshots()?;
    if json.json {
        let list: Vec<_> = names
            .iter()
            .map(|&name| Listed {
                name: name.to_string(),
                taken_at: taken_at(name),
                path: ui::path(&store.snapshot_path(name)),
            })
            .collect();
        ui.json(&list)?;
    } else if names.is_empty() {
        ui.info("There are no snapshots yet", Vec::new());
    } else {
        all(&names).iter().for_each(|name| ui.line(name));
    }
    Ok(Code::Done)
}

#[derive(Serialize)]
struct Listed {
    name: String,
    taken_at: String,
    path: String,
}

fn all(names: &[SnapshotName]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn taken_at(name: SnapshotName) -> String {
    Timestamp::try_from(name.taken_at())
        .map(|time| format!("{time:.9}"))
        .unwrap_or_default()
}

fn print_pruned(names: &[SnapshotName], json: Json, ui: &Ui) -> Result<Code, Failure> {
    let names = all(names);
    if json.json {
        ui.json(&names)?;
    } else if names.is_empty() {
        ui.info("No snapshot was removed", Vec::new());
    } else {
        for name in &names {
            ui.line(&format!("Removed {name}"));
        }
    }
    Ok(Code::Done)
}

/// The file that a user means: a path, the name of a snapshot, or `latest`.
pub(crate) fn file(store: &Store, text: &str) -> Result<PathBuf, Failure> {
    if text == "latest" {
        return match store.snapshots()?.last() {
            Some(name) => Ok(store.snapshot_path(*name)),
            None => {
                Err(Failure::new("there is no snapshot yet").hint("take one: `deespec snapshot`"))
            }
        };
    }
    let path = PathBuf::from(text);
    match text.parse::<SnapshotName>() {
        Ok(name) if !path.exists() => Ok(store.snapshot_path(name)),
        _ => Ok(path),
    }
}

fn document(store: &Store, text: &str) -> Result<Document, Failure> {
    if text == "current" {
        return Ok(store.view()?.to_document());
    }
    Document::read(&file(store, text)?).map_err(unreadable)
}

/// An error about a snapshot that the user named.
pub(crate) fn unreadable(error: Error) -> Failure {
    match error {
        Error::Document(DocumentError::Missing { .. }) => Failure::new(error.to_string())
            .hint("`deespec snapshots list` shows the snapshots there are"),
        error => error.into(),
    }
}

fn print_diff(diff: &Diff, json: Json, ui: &Ui) -> Result<Code, Failure> {
    if json.json {
        ui.json(diff)?;
        return Ok(Code::Done);
    }
    if diff.epochs.0 != diff.epochs.1 {
        let number =
            |epoch: Option<u64>| epoch.map_or_else(|| "none".to_owned(), |n| n.to_string());
        ui.info(
            "The two are of different epochs, whose counts began at different times",
            vec![
                ("epoch_before", number(diff.epochs.0)),
                ("epoch_after", number(diff.epochs.1)),
            ],
        );
    }
    if diff.changes.is_empty() {
        ui.info("Nothing differs", Vec::new());
        return Ok(Code::Done);
    }
    let is_there = |change: &Change| [change.before.clone(), change.after.clone()];
    let values: Vec<Value> = diff.changes.iter().flat_map(is_there).flatten().collect();
    let mixed = are_mixed(values.iter());
    let cell = |value: &Option<Value>| match value {
        Some(value) => exact(value, ""),
        None => "-".to_owned(),
    };
    let rows = diff.changes.iter().map(|change| {
        let mut row = vec![
            change.name.clone(),
            cell(&change.before),
            cell(&change.after),
            delta(change),
        ];
        let kind = change.after.as_ref().or(change.before.as_ref());
        row.extend(kind.filter(|_| mixed).map(values::kind));
        row.push(labels(change.labels.iter()));
        row
    });
    let header: &[&str] = if mixed {
        &["METRIC", "BEFORE", "AFTER", "DELTA", "TYPE", "LABELS"]
    } else {
        &["COUNTER", "BEFORE", "AFTER", "DELTA", "LABELS"]
    };
    ui.print(&columns(header, &[1, 2, 3], rows.collect()));
    Ok(Code::Done)
}

/// After minus before; of gauges too, where both are there.
fn delta(change: &Change) -> String {
    if let Some(delta) = change.delta {
        return format!("{delta:+}");
    }
    let gauge = |value: &Option<Value>| match value.as_ref()? {
        Value::Fractions(sum) => Some(sum.to_f64()),
        value => value.gauge(),
    };
    match (gauge(&change.before), gauge(&change.after)) {
        (Some(before), Some(after)) => values::signed(after - before),
        _ => String::new(),
    }
}
