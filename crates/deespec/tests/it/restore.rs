//! Restoring a snapshot: a new epoch that begins with its values, while totals only grow.

use std::fs;

use deespec::{Document, DocumentError, Error, Rotate, Store};
use tempfile::TempDir;

use crate::epochs::{assert_grow, lines, totals};
use crate::support::{document_values, expected, folder, quiet, store_values, told, tree};

fn store() -> (TempDir, Store) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.transactions().success.add(10);
    store.counter("jobs_total").unwrap().add(4);
    (folder, store)
}

#[test]
fn values_equal_the_snapshot_and_totals_still_only_grow() {
    let (folder, store) = store();
    let then = store.snapshot().unwrap();
    let before = store_values(&store);
    store.transactions().success.add(90);
    store.transactions().failed.inc();
    store.counter("later_total").unwrap().add(7);

    let restoration = store.restore(&then.path, "oops", false).unwrap();
    let mut after = before.clone();
    after.insert("later_total".into(), 0);
    assert_eq!(store_values(&store), after);
    assert_eq!(restoration.view.epoch, 2);
    let published = Document::read(&folder.path().join("metrics.json")).unwrap();
    assert_eq!(document_values(&published), after);

    // Nothing of the epoch that was left behind is lost.
    let closed = Document::read(&restoration.path).unwrap();
    let left = expected([100, 1, 0, 0], &[("jobs_total", 4), ("later_total", 7)]);
    assert_eq!(document_values(&closed), left);
    assert_eq!((closed.epoch, closed.store_id), (Some(1), Some(store.id())));

    store.transactions().success.inc();
    store.counter("later_total").unwrap().inc();
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    let counted = expected([11, 0, 0, 0], &[("jobs_total", 4), ("later_total", 1)]);
    assert_eq!(document_values(&closing), counted);
    assert_eq!(
        store_values(&store),
        expected([0; 4], &[("jobs_total", 0), ("later_total", 0)])
    );
    let lines = lines(folder.path());
    assert_grow(&lines);
    let everything = expected([101, 1, 0, 0], &[("jobs_total", 4), ("later_total", 8)]);
    assert_eq!(totals(&lines[1]), everything);
}

#[test]
fn a_snapshot_can_be_restored_again_and_again_and_after_a_reopening() {
    let (folder, store) = store();
    let then = store.snapshot().unwrap().path;
    let values = store_values(&store);
    for epoch in 2..6 {
        store.transactions().success.add(epoch);
        store.restore(&then, "", false).unwrap();
        assert_eq!(store_values(&store), values);
    }
    drop(store);
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(store_values(&store), values);
    store.transactions().success.inc();
    let closed = store.restore(&then, "", false).unwrap().path;
    let closed = Document::read(&closed).unwrap();
    assert_eq!(closed.transactions.success, 11);
    assert_eq!(store.view().unwrap().epoch, 6);
    assert_grow(&lines(folder.path()));
    assert!(!folder.path().join("live/restore.json").exists());
}

#[test]
fn the_closing_of_any_earlier_epoch_can_be_restored() {
    let (_folder, store) = store();
    let first = store.rotate(Rotate::Reset).unwrap();
    store.transactions().failed.add(3);
    let second = store.rotate(Rotate::Reset).unwrap();
    for closing in [&first, &second, &first] {
        store.restore(&closing.path, "", false).unwrap();
        let mut values = document_values(&closing.closing);
        values.entry("jobs_total".into()).or_insert(0);
        assert_eq!(store_values(&store), values);
    }
}

#[test]
fn another_stores_snapshot_is_restored_only_on_demand() {
    let (_other_folder, other) = store();
    other
        .counter_with("new_total", &[("k", "v")])
        .unwrap()
        .add(9);
    let theirs = other.snapshot().unwrap().path;
    let (folder, store) = store();
    let legacy = folder.path().join("legacy.json");
    fs::write(&legacy, r#"{"commit_failed": 8}"#).unwrap();

    for path in [&theirs, &legacy] {
        let before = tree(folder.path());
        let error = store.restore(path, "", false).unwrap_err();
        assert!(matches!(
            error,
            Error::Document(DocumentError::OtherStore { .. })
        ));
        told(&error, path);
        assert_eq!(tree(folder.path()), before);
    }
    store.restore(&theirs, "", true).unwrap();
    assert_eq!(store_values(&store), store_values(&other));
    store.restore(&legacy, "", true).unwrap();
    assert_eq!(
        store_values(&store),
        expected([0, 8, 0, 0], &[("jobs_total", 0), ("new_total,k=v", 0)])
    );
}

#[test]
fn values_at_the_end_of_64_bits_are_restored_too() {
    let (folder, store) = store();
    let high = folder.path().join("high.json");
    fs::write(&high, format!(r#"{{"commit_success": {}}}"#, u64::MAX)).unwrap();
    store.restore(&high, "", true).unwrap();
    assert_eq!(store.view().unwrap().transactions.success, u64::MAX);
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(closing.transactions.success, u64::MAX);
    assert_eq!(store.view().unwrap().transactions.success, 0);
    assert_grow(&lines(folder.path()));
}

#[test]
fn an_epoch_that_could_not_be_closed_is_not_begun() {
    let (folder, store) = store();
    let then = folder.path().join("then.json");
    fs::copy(store.snapshot().unwrap().path, &then).unwrap();
    let snapshots = folder.path().join("snapshots");
    fs::remove_dir_all(&snapshots).unwrap();
    fs::write(&snapshots, "a file").unwrap();
    let before = store_values(&store);
    told(&store.restore(&then, "", false).unwrap_err(), &snapshots);
    told(&store.rotate(Rotate::Reset).unwrap_err(), &snapshots);
    told(&store.rotate(Rotate::KeepCounters).unwrap_err(), &snapshots);
    assert_eq!(store.view().unwrap().epoch, 1);
    assert_eq!(store_values(&store), before);
    assert!(lines(folder.path()).is_empty());
    fs::remove_file(&snapshots).unwrap();
    store.restore(&then, "", false).unwrap();
    assert_eq!(store.view().unwrap().epoch, 2);
}

#[test]
fn a_record_of_epochs_that_cannot_be_written_is_completed_later() {
    let (folder, store) = store();
    let epochs = folder.path().join("live/epochs.jsonl");
    std::os::unix::fs::symlink("nowhere", &epochs).unwrap();
    // The first one rotates and says so; the second cannot even begin.
    match store.rotate(Rotate::Reset).unwrap_err() {
        Error::Unfinished { closed: 1, source } => told(&source, &epochs),
        other => panic!("{other:?}"),
    };
    told(&store.rotate(Rotate::Reset).unwrap_err(), &epochs);
    store.transactions().failed.add(2);
    store.counter("later_total").unwrap().add(9);
    let counted = expected([0, 2, 0, 0], &[("jobs_total", 0), ("later_total", 9)]);
    assert_eq!(store_values(&store), counted);
    fs::remove_file(&epochs).unwrap();
    store.sync().unwrap();
    let lines = lines(folder.path());
    assert_eq!(lines.len(), 1);
    let closed = expected([10, 0, 0, 0], &[("jobs_total", 4)]);
    assert_eq!(totals(&lines[0]), closed);
    let snapshots = store.snapshots().unwrap();
    let document = Document::read(&store.snapshot_path(snapshots[0])).unwrap();
    assert_eq!(document_values(&document), closed);
    assert_eq!((snapshots.len(), store.view().unwrap().epoch), (1, 2));
    assert_eq!(store_values(&store), counted);
}

#[test]
fn a_snapshot_of_which_any_byte_changed_is_never_restored_with_another_value() {
    let (folder, store) = store();
    let snapshot = store.snapshot().unwrap().path;
    let whole = fs::read(&snapshot).unwrap();
    let values = document_values(&Document::read(&snapshot).unwrap());
    let copy = folder.path().join("copy.json");
    let mut refused = 0;
    for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        fs::write(&copy, bytes).unwrap();
        match Document::read(&copy) {
            // Only where the checksum's own name is what changed.
            Ok(document) => assert_eq!(document_values(&document), values, "byte {at}"),
            Err(error) => {
                told(&error, &copy);
                refused += 1;
            }
        }
    }
    assert!(refused > whole.len() * 8 - 100, "{refused}");
    let changed = String::from_utf8(whole).unwrap();
    let changed = changed.replace("\"commit_success\": 10", "\"commit_success\": 11");
    fs::write(&copy, changed).unwrap();
    for error in [
        store.restore(&copy, "", true).map(drop).unwrap_err(),
        store.import(&copy, true).map(drop).unwrap_err(),
    ] {
        assert!(matches!(
            error,
            Error::Document(DocumentError::Changed { .. })
        ));
    }
    assert_eq!(store.view().unwrap().transactions.success, 10);
}
