//! A store of format version 1, kept for ever: every later version must read it as it is.
//!
//! `tests/fixtures/format-1` was written once. To write it anew (only before a release; afterwards
//! a new format gets a folder of its own), remove the folder and run
//! `cargo test -p deespec --test it -- --ignored --exact fixtures::write_format_1`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deespec::{
    Aggregation, Beginning, Buckets, Diff, Document, DocumentError, DocumentKind, Error, Family,
    Import, Options, Published, Retention, Rotate, Store, Value,
};
use tempfile::TempDir;

use crate::epochs::{lines, totals};
use crate::image::{Held, Image};
use crate::puppet;
use crate::support::{
    Values, copy_folder, document_values, expected, folder, hash, moment, quiet, store_values,
};

const BUILDS: &str = "ci_builds_total";
const LABELS: [(&str, &str); 2] = [("branch", "feature/ä \"quoted\""), ("outcome", "success")];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

/// A copy of the fixture, as a checkout has it: modes and holes are not those of the original.
pub(crate) fn copy() -> TempDir {
    let folder = folder();
    copy_folder(&source(), folder.path());
    folder
}

/// The counters of an epoch in which everything else was done `times` times.
fn values(four: [u64; 4], plain: u64, labelled: u64, imported: Option<u64>, times: u64) -> Values {
    let labelled_name = "ci_builds_total,branch=feature/ä \"quoted\",outcome=success";
    let mut values = expected(four, &[(BUILDS, plain), (labelled_name, labelled)]);
    values.extend(imported.map(|value| ("imported_total,from=elsewhere".to_owned(), value)));
    for set in ["part=a", "part=b", "deespec_overflow=true"] {
        values.insert(format!("limited_total,{set}"), times);
    }
    let lookups = u64::from(times > 0);
    values.insert(
        "deespec_overflow_total,family=limited_total".into(),
        lookups,
    );
    values
}

/// A series that is removed in the end.
fn removed(mut values: Values, value: u64) -> Values {
    values.insert("removed_total".into(), value);
    values
}

fn families() -> [Family; 6] {
    let sizes = Buckets::classic([1024.0, 65536.0]).unwrap();
    [
        Family::gauge("queue_depth").with_help("Commits that wait."),
        Family::process_gauge("workers", Aggregation::Max),
        Family::histogram("commit_seconds", Buckets::seconds()).with_unit("seconds"),
        Family::histogram("commit_size_bytes", sizes)
            .with_unit("bytes")
            .with_labels(["branch"]),
        Family::info("build"),
        Family::counter("limited_total").with_limit(2),
    ]
}

/// Something of each kind.
fn do_all(store: &Store, times: u64) {
    store.gauge("queue_depth").unwrap().set(times as f64 * 1.5);
    let sizes = store.histogram_with("commit_size_bytes", &[("branch", "main")]);
    let (sizes, seconds) = (sizes.unwrap(), store.histogram("commit_seconds").unwrap());
    for _ in 0..times {
        sizes.observe(2000.0);
        seconds.observe(0.25);
    }
    for part in ["a", "b", "c"] {
        let counter = store.counter_with("limited_total", &[("part", part)]);
        counter.unwrap().add(times);
    }
}

/// What stands in a document besides the counters, of an epoch with so many times of everything.
fn check_all(document: &Document, times: u64) {
    let found = |name: &str| {
        let series = document.series.iter().find(|series| series.name == name);
        let series = series.unwrap_or_else(|| panic!("{name} is missing"));
        (
            series
                .labels
                .iter()
                .next()
                .map(|(_, value)| value.to_owned()),
            series.value.clone(),
        )
    };
    assert_eq!(found("queue_depth").1.gauge(), Some(times as f64 * 1.5));
    let seconds = found("commit_seconds").1.histogram().unwrap().clone();
    assert_eq!(
        (seconds.count(), seconds.sum()),
        (times, times as f64 * 0.25)
    );
    assert_eq!(seconds.buckets(), &Buckets::seconds());
    let (branch, sizes) = found("commit_size_bytes");
    assert_eq!(branch.as_deref(), Some("main"));
    let sizes = sizes.histogram().unwrap().clone();
    assert_eq!(sizes.counts(), [0, times, 0]);
    assert_eq!(sizes.sum(), 2000.0 * times as f64);
    assert_eq!(found("build"), (Some("0.1.0".into()), Value::Info));
}

/// What was imported besides the counters.
fn check_imported(document: &Document, observed: u64) {
    let found = |name: &str| {
        let series = document.series.iter().find(|series| series.name == name);
        series
            .unwrap_or_else(|| panic!("{name} is missing"))
            .value
            .clone()
    };
    assert_eq!(found("imported_depth").gauge(), Some(f64::NEG_INFINITY));
    assert_eq!(found("imported_info"), Value::Info);
    let sizes = found("imported_sizes").histogram().unwrap().clone();
    assert_eq!(sizes.counts(), [2 * observed, 0, observed]);
    assert_eq!(sizes.sum(), 9.5 * observed as f64);
    let theirs = document
        .series
        .iter()
        .find(|series| series.name == "imported_workers");
    assert_eq!(theirs, None);
}

fn snapshots() -> Vec<(&'static str, Values, DocumentKind)> {
    use DocumentKind::{Rotation, Snapshot};
    vec![
        (
            "metrics_20261123_070809_123456789.json",
            removed(values([142, 3, 7, 2], 10, 20, None, 1), 9),
            Snapshot,
        ),
        (
            "metrics_20261123_070909_123456789.json",
            removed(values([143, 3, 7, 2], 10, 20, None, 1), 9),
            Rotation,
        ),
        (
            "metrics_20261123_071009_123456789.json",
            removed(values([1050, 60, 7, 0], 5, 0, Some(77), 2), 0),
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
    let last = values([0, 0, 1, 0], 0, u64::from(u32::MAX) + 1, Some(0), 3);
    assert_eq!(store_values(&store), last);
    let view = store.view().unwrap();
    check_all(&view.to_document(), 3);
    check_imported(&view.to_document(), 0);
    for family in families() {
        assert_eq!(view.family(family.name()), Some(&family));
        store.declare(&family).unwrap();
    }
    // The process that had the share lived in another boot.
    assert_eq!(puppet::shares(&view, "workers").count, 0);
    let published = Document::read(&folder.path().join("var/metrics.json")).unwrap();
    assert_eq!(document_values(&published), last);
    check_all(&published, 3);
    let share = published
        .series
        .iter()
        .find(|series| series.name == "workers");
    assert_eq!(share.unwrap().value.gauge(), Some(4.0));
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
        check_all(&document, values["limited_total,part=a"]);
        if values.contains_key("imported_total,from=elsewhere") {
            check_imported(&document, 1);
        }
        assert_eq!(document.kind, Some(*kind));
        assert_eq!(document.store_id, Some(store.id()));
    }

    let lines = lines(store.path());
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["why"], "second \u{2192} third");
    assert_eq!(lines[1]["kind"], Beginning::Rotation.as_str());
    assert_eq!(totals(&lines[1])["commit_success"], 1193);
    assert_eq!(totals(&lines[1])[BUILDS], 15);
    let seconds = lines[1]["totals"].as_array().unwrap().iter();
    let seconds = seconds
        .clone()
        .find(|total| total["name"] == "commit_seconds");
    assert_eq!(seconds.unwrap()["total"]["count"], 3);
}

#[test]
fn counting_rotating_and_restoring_go_on() {
    let folder = copy();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.counter_with(BUILDS, &LABELS).unwrap().inc();
    store.transactions().success.add(2);
    store.counter("new_total").unwrap().inc();
    let mut now = values([2, 0, 1, 0], 0, u64::from(u32::MAX) + 2, Some(0), 3);
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
    // With the series that was removed since.
    let mut restored = removed(values([142, 3, 7, 2], 10, 20, Some(0), 1), 9);
    restored.insert("new_total".into(), 0);
    assert_eq!(store_values(&store), restored);
    let view = store.view().unwrap();
    let seconds = view.sample("commit_seconds", &[]).unwrap();
    let counts = [&seconds.value, &seconds.total].map(|value| value.histogram().unwrap().count());
    assert_eq!(counts, [1, 6]);
    let depth = view.sample("queue_depth", &[]).unwrap();
    assert_eq!(depth.value.gauge(), Some(4.5), "a gauge is what it is now");
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
    let last = values([0, 0, 1, 0], 0, u64::from(u32::MAX) + 1, Some(0), 3);
    assert_eq!(image.values(3), last);
    let held = image.held(3);
    assert_eq!(held["queue_depth"], Held::Gauge(4.5));
    assert_eq!(held["imported_depth"], Held::Gauge(f64::NEG_INFINITY));
    let sizes = Held::Histogram(6_000_000_000, vec![0, 3, 0]);
    assert_eq!(held["commit_size_bytes,branch=main"], sizes);
    let Held::Histogram(steps, counts) = &held["commit_seconds"] else {
        panic!()
    };
    assert_eq!((*steps, counts.iter().sum::<u64>()), (750_000_000, 3));
    assert_eq!(held["build,version=0.1.0"], Held::Info);
    let Held::Shares(shares) = &held["workers"] else {
        panic!()
    };
    assert_eq!((shares.len(), shares[0].1), (1, 4.0));
    let removed = image.entry_of("removed_total");
    assert!(image.is_removed(&removed));
    assert_eq!(image.total(removed.cell), 9);
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
        Error::Document(DocumentError::NewerSchema { found: 3, .. })
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
        "{\n  \"schema_version\": 3,\n  \"counters\": {\"commit_success\": 1}\n}\n",
    )
    .unwrap();
    fs::write(
        "elsewhere.json",
        "{\"commit_success\": 1000, \"commit_failed\": 50, \"series\": [{\"name\": \"imported_total\", \"type\": \"counter\", \"labels\": {\"from\": \"elsewhere\"}, \"value\": 77}, {\"name\": \"imported_depth\", \"type\": \"gauge\", \"value\": \"-Inf\"}, {\"name\": \"imported_workers\", \"type\": \"gauge\", \"value\": {\"processes\": 1, \"sum\": 2, \"min\": 2, \"max\": 2, \"aggregation\": \"sum\"}}, {\"name\": \"imported_info\", \"type\": \"info\", \"value\": 1}, {\"name\": \"imported_sizes\", \"type\": \"histogram\", \"value\": {\"count\": 3, \"sum\": 9.5, \"buckets\": [[null, 1, 2], [8, null, 1]], \"classic\": [1, 8], \"steps_per_one\": 1000}}]}\n",
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
    for family in families() {
        store.declare(&family).unwrap();
    }
    store.info("build", &[("version", "0.1.0")]).unwrap();
    store.counter("removed_total").unwrap().add(9);
    do_all(&store, 1);
    store.snapshot().unwrap();
    store.transactions().success.inc();
    let store = at(60);
    store.rotate_because(Rotate::Reset, "", &keep).unwrap();
    store.import(Path::new("elsewhere.json"), false).unwrap();
    do_all(&store, 2);
    store.transactions().success.add(50);
    store.transactions().failed.add(10);
    store.transactions().conflicts.add(7);
    store.counter(BUILDS).unwrap().add(5);
    let store = at(120);
    let why = "second \u{2192} third";
    store.rotate_because(Rotate::Reset, why, &keep).unwrap();
    store.transactions().conflicts.inc();
    store.counter_with(BUILDS, &LABELS).unwrap().add(1 << 32);
    do_all(&store, 3);
    store.remove("removed_total", &[]).unwrap();
    store.process_gauge("workers").unwrap().set(4.0).unwrap();
    store.sync().unwrap();
}
