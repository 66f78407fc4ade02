//! What an import or a restoration must not do: take a part of a file, count beyond 64 bits, or set a
//! gauge that a program has set.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deespec::exposition::openmetrics;
use deespec::{
    Buckets, DocumentError, Error, Family, FaultInjector, Import, MetricError, Operation, Rotate,
    Store, StoreError,
};
use tempfile::TempDir;

use crate::support::{folder, quiet, store_values, told, tree};

/// A store beside a folder for files.
fn store() -> (TempDir, Store) {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    (folder, store)
}

fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A document with these series.
fn document(series: &[&str]) -> String {
    let series = series.join(",");
    format!(r#"{{"commit_success": 2, "series": [{series}]}}"#)
}

/// As a store has published it, which may have counted more than comes from outside.
fn of_a_store(document: &str) -> String {
    let id = r#"{"schema_version": 1, "store_id": "00000000000000010000000000000002","#;
    document.replacen('{', id, 1)
}

fn gauge(store: &Store, name: &str) -> Option<f64> {
    store.view().unwrap().sample(name, &[])?.value.gauge()
}

fn is_misfit(error: &Error) -> bool {
    matches!(error, Error::Document(DocumentError::Misfit { .. }))
}

#[test]
fn a_file_of_which_one_series_does_not_fit_leaves_nothing_behind() {
    let (folder, store) = store();
    store.gauge("depth").unwrap().set(1.0);
    let declared = Family::counter("jobs_total").with_labels(["job"]);
    store.declare(&declared).unwrap();
    let buckets = Buckets::classic([1.0]).unwrap();
    store.declare(&Family::histogram("size", buckets)).unwrap();
    let new = r#"{"name": "a_new_total", "type": "counter", "value": 7}"#;
    let new_gauge = r#"{"name": "a_new", "type": "gauge", "value": 7}"#;
    let size = |bound: &str| {
        format!(
            r#"{{"name": "size", "type": "histogram", "value": {{"count": 0, "sum": 0,
                "buckets": [], "classic": [{bound}], "steps_per_one": 1}}}}"#
        )
    };
    for wrong in [
        r#"{"name": "depth", "type": "counter", "value": 5}"#,
        r#"{"name": "depth", "type": "counter", "labels": {"a": "b"}, "value": 5}"#,
        r#"{"name": "jobs_total", "type": "counter", "value": 5}"#,
        &size("2"),
        &size("1, 2"),
    ] {
        let path = file(&folder, "some.json", &document(&[new, new_gauge, wrong]));
        let before = tree(&folder.path().join("var"));
        for error in [
            store.import(&path, false).unwrap_err(),
            store.restore(&path, "", true).unwrap_err(),
        ] {
            assert!(is_misfit(&error), "{error}");
            told(&error, &path);
        }
        assert_eq!(tree(&folder.path().join("var")), before, "{wrong}");
    }
    // Without what does not fit it is taken.
    let path = file(&folder, "some.json", &document(&[new, new_gauge]));
    store.import(&path, false).unwrap();
    assert_eq!(store_values(&store)["a_new_total"], 7);
}

#[test]
fn a_store_whose_snapshots_have_no_place_takes_no_series_of_a_restoration() {
    let (folder, store) = store();
    let new = r#"{"name": "a_new_total", "type": "counter", "value": 7}"#;
    let path = file(&folder, "some.json", &document(&[new]));
    fs::write(folder.path().join("var/snapshots"), "a file").unwrap();
    store.restore(&path, "", true).unwrap_err();
    assert_eq!(store.health().unwrap().series, 4);
}

#[test]
fn no_cell_of_a_histogram_nor_its_count_leaves_its_64_bits() {
    let (folder, store) = store();
    let buckets = Buckets::classic([1.0, 2.0]).unwrap();
    let buckets = buckets.with_resolution(1.0).unwrap();
    store.declare(&Family::histogram("size", buckets)).unwrap();
    let size = store.histogram("size").unwrap();
    size.observe_many(1.0, 1 << 62);
    let entry = |counts: [u64; 3], steps: i64| {
        let count = counts.iter().sum::<u64>();
        let [low, middle, high] = counts;
        of_a_store(&document(&[&format!(
            r#"{{"name": "size", "type": "histogram", "value": {{"count": {count},
                "steps": {steps}, "buckets": [[null, 1, {low}], [1, 2, {middle}], [2, null, {high}]],
                "classic": [1, 2], "steps_per_one": 1}}}}"#
        )]))
    };
    let most = u64::MAX - (1 << 62);
    for text in [
        entry([most + 1, 0, 0], 0),
        entry([0, most, 1], 0),
        entry([0, 0, most + 1], 0),
    ] {
        let path = file(&folder, "some.json", &text);
        let before = tree(&folder.path().join("var"));
        let error = store.import(&path, false).unwrap_err();
        let Error::Document(DocumentError::Overflow { name, .. }) = &error else {
            panic!("{text}: {error}");
        };
        assert_eq!(name, "size");
        told(&error, &path);
        assert_eq!(tree(&folder.path().join("var")), before, "{text}");
    }
    // All but two in the bucket up to 2.
    let text = entry([1, most - 2, 1], i64::MAX - 1);
    let path = file(&folder, "some.json", &text);
    store.import(&path, false).unwrap();
    let view = store.view().unwrap();
    let found = view.sample("size", &[]).unwrap().value.histogram().unwrap();
    let steps = (i64::MAX - 1).wrapping_add(1 << 62);
    assert_eq!((found.count(), found.steps()), (u64::MAX, steps));
}

#[test]
fn a_gauge_that_was_removed_or_never_set_takes_the_value_of_an_import() {
    let (folder, store) = store();
    let removed = store.gauge("removed").unwrap();
    removed.set(1.0);
    store.remove("removed", &[]).unwrap();
    store.gauge("unset").unwrap();
    store.gauge("set").unwrap().set(3.0);
    store.info("build_info", &[]).unwrap();
    store.remove("build_info", &[]).unwrap();
    let gauge_of = |name: &str| format!(r#"{{"name": "{name}", "type": "gauge", "value": 5.5}}"#);
    let text = document(&[
        &gauge_of("removed"),
        &gauge_of("unset"),
        &gauge_of("set"),
        r#"{"name": "build_info", "type": "info", "value": 1}"#,
    ]);
    store
        .import(&file(&folder, "some.json", &text), false)
        .unwrap();
    assert_eq!(gauge(&store, "removed"), Some(5.5));
    assert_eq!(gauge(&store, "unset"), Some(5.5));
    assert_eq!(gauge(&store, "set"), Some(3.0));
    assert!(store.view().unwrap().sample("build_info", &[]).is_some());
}

/// Lets one operation on one file fail while it is armed.
struct Refuse(AtomicBool, Operation, &'static str);

impl FaultInjector for Refuse {
    fn before(&self, operation: Operation, path: &Path) -> std::io::Result<()> {
        let hit = operation == self.1 && path.ends_with(self.2) && self.0.load(Ordering::Relaxed);
        if hit {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

#[test]
fn completing_an_import_sets_no_gauge_back_that_a_program_has_set() {
    for (operation, at) in [
        (Operation::Rename, "import.json"),
        (Operation::Append, "imports.jsonl"),
    ] {
        let folder = folder();
        let refuse = Arc::new(Refuse(AtomicBool::new(true), operation, at));
        let options = quiet().faults(Arc::clone(&refuse) as Arc<dyn FaultInjector>);
        let store = options.open(folder.path().join("var")).unwrap();
        let text = document(&[
            r#"{"name": "depth", "type": "gauge", "value": 5.5}"#,
            r#"{"name": "jobs_total", "type": "counter", "value": 4}"#,
        ]);
        let path = file(&folder, "some.json", &text);
        store.import(&path, false).unwrap_err();
        refuse.0.store(false, Ordering::Relaxed);
        // Zero is what it was before the import as well.
        for value in [7.0, 0.0] {
            store.gauge("depth").unwrap().set(value);
            store.sync().unwrap();
            assert_eq!(gauge(&store, "depth"), Some(value), "{at}");
        }
        store.gauge("depth").unwrap().set(8.0);
        store.import(&path, false).unwrap();
        assert_eq!(gauge(&store, "depth"), Some(8.0), "{at}");
        assert_eq!(store_values(&store)["jobs_total"], 4, "{at}");
    }
}

#[test]
fn no_value_of_an_import_is_added_before_what_notes_it_is_durable() {
    let folder = folder();
    let refuse = Arc::new(Refuse(
        AtomicBool::new(false),
        Operation::SyncDirectory,
        "live",
    ));
    let options = quiet().faults(Arc::clone(&refuse) as Arc<dyn FaultInjector>);
    let store = options.open(folder.path().join("var")).unwrap();
    let text = document(&[r#"{"name": "jobs_total", "type": "counter", "value": 4}"#]);
    let path = file(&folder, "some.json", &text);
    refuse.0.store(true, Ordering::Relaxed);
    store.import(&path, false).unwrap_err();
    store.sync().unwrap_err();
    assert_eq!(store_values(&store)["jobs_total"], 0);
    refuse.0.store(false, Ordering::Relaxed);
    store.sync().unwrap();
    assert_eq!(store_values(&store)["jobs_total"], 4);
    let again = store.import(&path, false).unwrap();
    assert!(matches!(again, Import::Already { .. }), "{again:?}");
}

/// Fails to make cells durable while an import is noted, as a disk that breaks in the middle of it.
struct BreaksInAnImport;

impl FaultInjector for BreaksInAnImport {
    fn before(&self, operation: Operation, path: &Path) -> std::io::Result<()> {
        match operation == Operation::SyncCells && path.with_file_name("import.json").exists() {
            true => Err(std::io::Error::other("broken")),
            false => Ok(()),
        }
    }
}

#[test]
fn a_rebuilt_store_has_the_import_in_whose_middle_the_disk_broke_and_has_it_once() {
    let folder = folder();
    let root = folder.path().join("var");
    let options = quiet().faults(Arc::new(BreaksInAnImport));
    let store = options.open(&root).unwrap();
    let text = document(&[r#"{"name": "jobs_total", "type": "counter", "value": 4}"#]);
    let path = file(&folder, "some.json", &text);
    store.import(&path, false).unwrap_err();
    assert!(store.health().unwrap().degraded);
    drop(store);
    quiet().compact(&root).unwrap();
    let store = quiet().open(&root).unwrap();
    assert!(!store.health().unwrap().degraded);
    assert_eq!(store_values(&store)["jobs_total"], 4);
    let again = store.import(&path, false).unwrap();
    assert!(matches!(again, Import::Already { .. }), "{again:?}");
    assert_eq!(store_values(&store)["jobs_total"], 4);
    assert!(!root.join("live/import.json").exists());
}

#[test]
fn a_removed_series_that_a_document_names_is_back() {
    let (folder, store) = store();
    store.histogram("wait_seconds").unwrap();
    let snapshot = store.snapshot().unwrap().path;
    for restored in [true, false] {
        store.remove("wait_seconds", &[]).unwrap();
        if restored {
            store.restore(&snapshot, "", false).unwrap();
        } else {
            store.import(&snapshot, true).unwrap();
        }
        let view = store.view().unwrap();
        assert!(view.sample("wait_seconds", &[]).is_some(), "{restored}");
    }
    drop(folder);
}

#[test]
fn the_counter_of_what_is_beyond_a_limit_stays_a_counter() {
    const NAME: &str = "deespec_overflow_total";
    let (_folder, store) = store();
    let refused = |error: Error| {
        let text = error.to_string();
        let Error::Store(StoreError::Metric(MetricError::Declaration { .. })) = error else {
            panic!("{text}");
        };
        assert!(text.contains("beyond a limit"), "{text}");
    };
    let before = tree(store.path());
    refused(store.gauge(NAME).map(drop).unwrap_err());
    refused(store.histogram(NAME).map(drop).unwrap_err());
    refused(store.process_gauge(NAME).map(drop).unwrap_err());
    refused(store.info(NAME, &[("a", "b")]).unwrap_err());
    refused(store.declare(&Family::gauge(NAME)).unwrap_err());
    let labels = Family::counter(NAME).with_labels(["other"]);
    refused(store.declare(&labels).unwrap_err());
    refused(store.redeclare(&labels).unwrap_err());
    assert_eq!(tree(store.path()), before);
    store
        .declare(&Family::counter(NAME).with_labels(["family"]))
        .unwrap();
    store
        .declare(&Family::counter("a_total").with_limit(1))
        .unwrap();
    for value in ["1", "2", "3"] {
        store.counter_with("a_total", &[("n", value)]).unwrap();
    }
    assert_eq!(store_values(&store)[&format!("{NAME},family=a_total")], 2);
}

#[test]
fn built_in_counters_survive_a_text_beside_labelled_ones() {
    let (folder, store) = store();
    store.transactions().success.add(7);
    store
        .counter_with("commit_success", &[("by", "x")])
        .unwrap()
        .add(2);
    store.transactions().failed.add(1);
    let path = file(
        &folder,
        "m.txt",
        &openmetrics::encode(&store.view().unwrap()),
    );
    let other = quiet().open(folder.path().join("other")).unwrap();
    let done = other.import(&path, false).unwrap();
    assert!(matches!(done, Import::Added { counts: 10, .. }), "{done:?}");
    assert_eq!(store_values(&other), store_values(&store));
    assert_eq!(
        openmetrics::encode(&other.view().unwrap()).lines().count(),
        openmetrics::encode(&store.view().unwrap()).lines().count()
    );
}

#[test]
fn an_epoch_counts_what_was_removed_before_its_end() {
    let (_folder, store) = store();
    store.counter("gone_total").unwrap().add(5);
    store.counter("never_total").unwrap();
    store.histogram("gone_seconds").unwrap().observe(0.5);
    store.gauge("gone").unwrap().set(1.0);
    for name in ["gone_total", "never_total", "gone_seconds", "gone"] {
        assert!(store.remove(name, &[]).unwrap());
    }
    let names = |rotation: &deespec::Rotation| {
        let names = rotation.closing.series.iter();
        let names: Vec<_> = names.map(|series| series.name.clone()).collect();
        names
    };
    let first = store.rotate(Rotate::Reset).unwrap();
    assert_eq!(names(&first), ["gone_seconds", "gone_total"]);
    assert_eq!(first.closing.series[1].value.counter(), Some(5));
    assert!(store.view().unwrap().series.is_empty());
    let second = store.rotate(Rotate::Reset).unwrap();
    assert_eq!(names(&second), Vec::<String>::new());
    // Also the epoch that a restoration closes.
    store.counter("gone_total").unwrap().add(4);
    store.remove("gone_total", &[]).unwrap();
    let restored = store.restore(&second.path, "", false).unwrap();
    let closing = deespec::Document::read(&restored.path).unwrap();
    assert_eq!(closing.series[0].value.counter(), Some(4));
}
