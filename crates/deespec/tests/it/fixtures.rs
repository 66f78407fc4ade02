//! A store of format version 1, kept for ever: every later version must read it as it is.
//!
//! `tests/fixtures/format-1` was written once. To write it anew (only before a release; afterwards
//! a new format gets a folder of its own), remove the folder and run
//! `cargo test -p deespec --test it -- --ignored --exact fixtures::write_format_1`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deespec::{
    Beginning, Diff, Document, DocumentError, DocumentKind, Error, Import, Options, Published,
    Retention, Rotate,
};
use tempfile::TempDir;

use crate::epochs::{lines, totals};
use crate::image::Image;
use crate::support::{
    Values, copy_folder, document_values, expected, folder, hash, moment, quiet, store_values,
};

const BUILDS: &str = "ci_builds_total";
const LABELS: [(&str, &str); 2] = [("branch", "feature/ä \"quoted\""), ("outcome", "success")];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

/// A copy of the fixture, as a checkout has it: modes and holes are not those of the original.
fn copy() -> TempDir {
    let folder = folder();
    copy_folder(&source(), folder.path());
    folder
}

fn values(four: [u64; 4], plain: u64, labelled: u64, imported: Option<u64>) -> Values {
    let labelled_name = "ci_builds_total,branch=feature/ä \"quoted\",outcome=success";
    let mut values = expected(four, &[(BUILDS, plain), (labelled_name, labelled)]);
    values.extend(imported.map(|value| ("imported_total,from=elsewhere".to_owned(), value)));
    values
}

fn snapshots() -> Vec<(&'static str, Values, DocumentKind)> {
    use DocumentKind::{Rotation, Snapshot};
    vec![
        (
            "metrics_20261123_070809_123456789.json",
            values([142, 3, 7, 2], 10, 20, None),
            Snapshot,
        ),
        (
            "metrics_20261123_070909_123456789.json",
            values([143, 3, 7, 2], 10, 20, None),
            Rotation,
        ),
        (
            "metrics_20261123_071009_123456789.json",
            values([1050, 60, 7, 0], 5, 0, Some(77)),
            Rotation,
        ),
    ]
}

#[test]
fn every_value_epoch_and_snapshot_is_read() {
    let folder = copy();
    let store = quiet()
        .create(false)
        .open(folder.path().join("var"))
        .unwrap();
    let id = fs::read_to_string(source().join("store-id")).unwrap();
    assert_eq!(store.id().to_string(), id.trim());
    let last = values([0, 0, 1, 0], 0, u64::from(u32::MAX) + 1, Some(0));
    assert_eq!(store_values(&store), last);
    let view = store.view().unwrap();
    assert_eq!((view.epoch, view.epoch_started), (3, moment(120)));
    let health = store.health().unwrap();
    assert_eq!(
        (health.segments, health.stripes, health.degraded),
        (1, 1, false)
    );
    assert_eq!(health.published, Published::Ours);

    let names: Vec<String> = store
        .snapshots()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    let found = snapshots();
    assert_eq!(names, found.iter().map(|s| s.0).collect::<Vec<_>>());
    for ((_, values, kind), name) in found.iter().zip(store.snapshots().unwrap()) {
        let document = Document::read(&store.snapshot_path(name)).unwrap();
        assert_eq!(document_values(&document), *values);
        assert_eq!(document.kind, Some(*kind));
        assert_eq!(document.store_id, Some(store.id()));
    }

    let lines = lines(store.path());
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["why"], "second \u{2192} third");
    assert_eq!(lines[1]["kind"], Beginning::Rotation.as_str());
    assert_eq!(totals(&lines[1])["commit_success"], 1193);
    assert_eq!(totals(&lines[1])[BUILDS], 15);
}

#[test]
fn counting_rotating_and_restoring_go_on() {
    let folder = copy();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.counter_with(BUILDS, &LABELS).unwrap().inc();
    store.transactions().success.add(2);
    store.counter("new_total").unwrap().inc();
    let mut now = values([2, 0, 1, 0], 0, u64::from(u32::MAX) + 2, Some(0));
    now.insert("new_total".into(), 1);
    assert_eq!(store_values(&store), now);

    let names = store.snapshots().unwrap();
    let [first, second] = [0, 1].map(|i| Document::read(&store.snapshot_path(names[i])).unwrap());
    let diff = Diff::between(&first, &second);
    assert_eq!(diff.changes.len(), 1);
    assert_eq!(diff.changes[0].delta, Some(1));

    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(document_values(&closing), now);
    assert_eq!(
        closing.epoch_started.as_deref(),
        Some("2026-11-23T07:10:09Z")
    );
    store
        .restore(&store.snapshot_path(names[0]), "", false)
        .unwrap();
    let mut restored = values([142, 3, 7, 2], 10, 20, Some(0));
    restored.insert("new_total".into(), 0);
    assert_eq!(store_values(&store), restored);
    assert_eq!(lines(store.path()).len(), 4);
    assert_eq!(totals(&lines(store.path())[3])["commit_success"], 1195);

    // What was imported then is known now.
    let again = store.import(&folder.path().join("elsewhere.json"), false);
    assert!(matches!(again.unwrap(), Import::Already { .. }));
    let keep = Retention::default().max_age(Duration::ZERO);
    assert_eq!(store.prune(&keep).unwrap().len(), 5);
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let image = Image::read(&source().join("var"), 0);
    let last = values([0, 0, 1, 0], 0, u64::from(u32::MAX) + 1, Some(0));
    assert_eq!(image.values(3), last);
}

#[test]
fn older_and_newer_documents_are_read_and_refused() {
    let folder = copy();
    let first_open = |name: &str| {
        let root = folder.path().join(name);
        fs::create_dir(&root).unwrap();
        let path = root.join("metrics.json");
        fs::copy(source().join(name).with_extension("json"), &path).unwrap();
        (Options::new().background_sync(None).open(&root), path)
    };
    let (store, _) = first_open("legacy-metrics");
    assert_eq!(store_values(&store.unwrap()), expected([142, 3, 7, 2], &[]));
    let (newer, path) = first_open("newer-metrics");
    let error = newer.unwrap_err();
    assert!(matches!(
        error,
        Error::Document(DocumentError::NewerSchema { found: 2, .. })
    ));
    assert_eq!(hash(&path), hash(&source().join("newer-metrics.json")));
}

#[test]
#[ignore = "writes the fixture anew; see the head of this file"]
fn write_format_1() {
    let base = source();
    assert!(
        !base.join("var").exists(),
        "remove {} first",
        base.display()
    );
    fs::create_dir_all(&base).unwrap();
    // So that the names of imported files are not those of this machine.
    std::env::set_current_dir(&base).unwrap();
    let legacy = "{\n  \"commit_success\": 142,\n  \"commit_failed\": 3,\n  \"cas_conflicts\": 7,\n  \"recovery_count\": 2,\n  \"last_update\": \"2025-01-02T03:04:05.678901+00:00\"\n}\n";
    fs::write("legacy-metrics.json", legacy).unwrap();
    fs::write(
        "newer-metrics.json",
        "{\n  \"schema_version\": 2,\n  \"counters\": {\"commit_success\": 1}\n}\n",
    )
    .unwrap();
    fs::write(
        "elsewhere.json",
        "{\"commit_success\": 1000, \"commit_failed\": 50, \"series\": [{\"name\": \"imported_total\", \"type\": \"counter\", \"labels\": {\"from\": \"elsewhere\"}, \"value\": 77}]}\n",
    )
    .unwrap();
    fs::create_dir("var").unwrap();
    fs::copy("legacy-metrics.json", "var/metrics.json").unwrap();
    let at = |seconds| {
        let options = quiet()
            .program("deespec 0.1.0")
            .fixed_clock(moment(seconds));
        options.open("var").unwrap()
    };
    let keep = Retention::default();
    let store = at(0);
    fs::write("store-id", format!("{}\n", store.id())).unwrap();
    store.counter(BUILDS).unwrap().add(10);
    store.counter_with(BUILDS, &LABELS).unwrap().add(20);
    store.snapshot().unwrap();
    store.transactions().success.inc();
    let store = at(60);
    store.rotate_because(Rotate::Reset, "", &keep).unwrap();
    store.import(Path::new("elsewhere.json"), false).unwrap();
    store.transactions().success.add(50);
    store.transactions().failed.add(10);
    store.transactions().conflicts.add(7);
    store.counter(BUILDS).unwrap().add(5);
    let store = at(120);
    let why = "second \u{2192} third";
    store.rotate_because(Rotate::Reset, why, &keep).unwrap();
    store.transactions().conflicts.inc();
    store.counter_with(BUILDS, &LABELS).unwrap().add(1 << 32);
    store.sync().unwrap();
}
