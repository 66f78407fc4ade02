//! `deespec snapshots`: list, show, compare and remove snapshots.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use deespec::{Diff, Document, Retention, SnapshotName, Store};
use jiff::{SpanRelativeTo, Timestamp};
use serde_json::json;

use crate::args::{Cli, Json};
use crate::command::show::labels;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{Ui, columns};

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
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    max_age: Option<Duration>,
}

fn parse_age(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text.parse().map_err(|error| format!("{error}"))?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| {
            "give the age in weeks, days or smaller units, such as 30d or 12h".to_owned()
        })?;
    Duration::try_from(duration).map_err(|_| "an age cannot be negative".to_owned())
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
                ui.print(&document(&store, snapshot)?.to_json());
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
            Action::Prune { retention, json } => {
                let retention = retention.retention();
                if retention == Retention::default() {
                    return Err(Failure::new("nothing says which snapshots are to go")
                        .hint("give --keep N, --max-age AGE or both"));
                }
                let pruned = store.prune(&retention)?;
                print_names(&pruned, *json, ui, "No snapshot was removed")
            }
        }
    }
}

fn list(store: &Store, json: Json, ui: &Ui) -> Result<Code, Failure> {
    let names = store.snapshots()?;
    if json.json {
        let list: Vec<_> = names
            .iter()
            .map(|name| {
                json!({
                    "name": name.to_string(),
                    "taken_at": taken_at(*name),
                    "path": store.snapshot_path(*name),
                })
            })
            .collect();
        ui.json(&list)?;
        return Ok(Code::Done);
    }
    print_names(&names, json, ui, "There are no snapshots yet")
}

fn taken_at(name: SnapshotName) -> String {
    Timestamp::try_from(name.taken_at())
        .map(|time| time.to_string())
        .unwrap_or_default()
}

fn print_names(names: &[SnapshotName], json: Json, ui: &Ui, none: &str) -> Result<Code, Failure> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    if json.json {
        ui.json(&names)?;
    } else if names.is_empty() {
        ui.info(none, Vec::new());
    } else {
        ui.line(&names.join("\n"));
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
    Ok(Document::read(&file(store, text)?)?)
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
            "The two are of different epochs, so their counts began at different times",
            vec![
                ("before", number(diff.epochs.0)),
                ("after", number(diff.epochs.1)),
            ],
        );
    }
    if diff.changes.is_empty() {
        ui.info("Nothing differs", Vec::new());
        return Ok(Code::Done);
    }
    let cell = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let rows = diff.changes.iter().map(|change| {
        vec![
            change.name.clone(),
            labels(change.labels.iter()),
            cell(change.before),
            cell(change.after),
            format!("{:+}", change.delta),
        ]
    });
    ui.print(&columns(
        &["COUNTER", "LABELS", "BEFORE", "AFTER", "DELTA"],
        &[2, 3, 4],
        rows.collect(),
    ));
    Ok(Code::Done)
}
