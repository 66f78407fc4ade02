//! What series were over time: always what the snapshots say, whatever becomes of the archive beside them.

mod asked;
mod damaged;
mod kept;
mod killed;
mod steps;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use deespec::{Document, DocumentKind, History, HistoryQuery, Rotate, SnapshotName, Store, Value};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{folder, quiet, told};

pub(crate) use kept::ask;

const SERIES: [(&str, &[(&str, &str)]); 5] = [
    ("commit_success", &[]),
    ("jobs_total", &[("queue", "mail")]),
    ("depth", &[]),
    ("wait_seconds", &[]),
    ("build_info", &[("version", "1")]),
];

fn everything() -> HistoryQuery {
    let query = HistoryQuery::new().points(usize::MAX);
    SERIES
        .iter()
        .fold(query, |query, (name, labels)| query.series(name, labels))
}

/// What is said, as text: NaN equals nothing.
fn said(history: &History) -> String {
    let points: Vec<_> = history
        .points
        .iter()
        .map(|point| json!([point.name.to_string(), point.epoch, point.kind]))
        .collect();
    let series: Vec<_> = history
        .series
        .iter()
        .map(|series| json!([series.name, series.kind, series.values]))
        .collect();
    let mut unreadable: Vec<_> = history
        .unreadable
        .iter()
        .map(|one| json!([one.name.to_string(), one.reason]))
        .collect();
    // In which order these come, nobody is promised: an epoch cannot be read in them.
    unreadable.sort_unstable_by_key(ToString::to_string);
    json!([history.found, points, series, unreadable]).to_string()
}

/// The same from the files alone, by the public names of a document.
fn from_files(store: &Store) -> String {
    let mut points = Vec::new();
    let mut documents = Vec::new();
    let mut unreadable = Vec::new();
    let mut names: Vec<SnapshotName> = fs::read_dir(store.path().join("snapshots"))
        .into_iter()
        .flatten()
        .filter_map(|entry| SnapshotName::of(&entry.unwrap().path()))
        .filter(|name| {
            store
                .snapshot_path(*name)
                .symlink_metadata()
                .unwrap()
                .is_file()
        })
        .collect();
    names.sort_unstable();
    // By epochs, what closes one last; what says none is of the one before.
    let mut last = 0;
    let mut turns: Vec<(u64, bool, SnapshotName)> = Vec::new();
    for name in names {
        let document = Document::read(&store.snapshot_path(name)).ok();
        let closes = document
            .as_ref()
            .is_some_and(|document| document.kind == Some(DocumentKind::Rotation));
        last = document.and_then(|document| document.epoch).unwrap_or(last);
        turns.push((last, closes, name));
    }
    turns.sort_unstable();
    for (.., name) in turns {
        match Document::read(&store.snapshot_path(name)) {
            Err(error) => {
                let told = told(&error, &store.snapshot_path(name));
                unreadable.push(json!([name.to_string(), told]));
            }
            Ok(document) => {
                let kind = document.kind.unwrap_or(DocumentKind::Snapshot);
                points.push(json!([name.to_string(), document.epoch, kind]));
                documents.push(document);
            }
        }
    }
    let series: Vec<_> = SERIES
        .iter()
        .map(|(name, labels)| {
            let all = documents
                .iter()
                .map(|document| of_document(document, name, labels));
            let values: Vec<_> = all.collect();
            let kind = values.iter().flatten().next_back().map(Value::kind);
            let values: Vec<_> = values
                .iter()
                .map(|value| shown(value.as_ref().filter(|value| Some(value.kind()) == kind)))
                .collect();
            json!([name, kind, values])
        })
        .collect();
    unreadable.sort_unstable_by_key(ToString::to_string);
    json!([points.len(), points, series, unreadable]).to_string()
}

fn of_document(document: &Document, name: &str, labels: &[(&str, &str)]) -> Option<Value> {
    if name == "commit_success" {
        return Some(Value::Counter(document.transactions.success));
    }
    let owned = labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let labels: deespec::LabelSet = owned.collect();
    let mut all = document.series.iter();
    let found = all.find(|series| series.name == name && series.labels == labels);
    found.map(|series| series.value.clone())
}

fn shown(value: Option<&Value>) -> serde_json::Value {
    match value {
        Some(Value::Histogram(found)) => {
            let q = |q| found.quantile(q).map(|found| found.value);
            json!({"count": found.count(), "sum": found.sum(), "p50": q(0.5), "p90": q(0.9), "p99": q(0.99)})
        }
        other => json!(other),
    }
}

/// Asks with a handle that knows nothing yet.
fn anew(store: &Store) -> String {
    let store = quiet().open(store.path()).unwrap();
    let history = store.history(&everything()).unwrap();
    assert_eq!(history.unsaved, None);
    said(&history)
}

fn parts(store: &Store) -> Vec<PathBuf> {
    let folder = fs::read_dir(store.path().join("history"));
    let entries = folder.into_iter().flatten();
    let mut parts: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    parts.sort_unstable();
    parts
}

/// Some snapshots of every kind of series.
fn filled(snapshots: u32) -> (TempDir, Store) {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.info("build_info", &[("version", "1")]).unwrap();
    let jobs = store
        .counter_with("jobs_total", &[("queue", "mail")])
        .unwrap();
    let wait = store.histogram("wait_seconds").unwrap();
    for number in 0..snapshots {
        store.transactions().success.inc();
        jobs.add(u64::from(number) * 1000);
        if number % 2 == 1 {
            wait.observe(0.01 * f64::from(number));
            store.gauge("depth").unwrap().set(f64::from(number) / 3.0);
        }
        match number % 4 {
            2 => drop(store.rotate(Rotate::Reset).unwrap()),
            _ => drop(store.snapshot().unwrap()),
        }
    }
    (folder, store)
}

/// Makes a folder look as if nothing had changed in it for a while.
fn settle(folder: &Path) {
    let before = SystemTime::now() - Duration::from_secs(60);
    File::open(folder).unwrap().set_modified(before).unwrap();
}
