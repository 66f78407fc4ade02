//! Which snapshots go by age and number, and that nothing else in their folder is ever touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use deespec::{HistoryQuery, Retention, Rotate, SnapshotName, Store};

use crate::support::{folder, moment, quiet};

const MINUTE: Duration = Duration::from_secs(60);

/// The store as it is `minutes` after the first moment.
fn at(root: &Path, minutes: u64) -> Store {
    let options = quiet().fixed_clock(moment(minutes * 60));
    options.open(root).unwrap()
}

/// One snapshot in each of five minutes.
fn five(root: &Path) -> Vec<SnapshotName> {
    let taken = (0..5).map(|minute| at(root, minute).snapshot().unwrap().name);
    let names: Vec<SnapshotName> = taken.collect();
    assert_eq!(at(root, 5).snapshots().unwrap(), names);
    names
}

#[test]
fn the_oldest_go_by_age_and_by_number() {
    let cases = [
        (Retention::default(), 0),
        (Retention::default().max_count(5), 0),
        (Retention::default().max_count(2), 3),
        (Retention::default().max_count(0), 5),
        // Exactly as old as the limit is not older.
        (Retention::default().max_age(3 * MINUTE), 2),
        (
            Retention::default().max_age(3 * MINUTE - Duration::from_nanos(1)),
            3,
        ),
        (Retention::default().max_age(60 * MINUTE), 0),
        (Retention::default().max_age(Duration::ZERO), 5),
        (Retention::default().max_age(3 * MINUTE).max_count(4), 2),
        (Retention::default().max_age(3 * MINUTE).max_count(1), 4),
    ];
    for (retention, gone) in cases {
        let folder = folder();
        let names = five(folder.path());
        let store = at(folder.path(), 5);
        assert_eq!(
            store.prune(&retention).unwrap(),
            names[..gone],
            "{retention:?}"
        );
        assert_eq!(store.snapshots().unwrap(), names[gone..], "{retention:?}");
        assert_eq!(store.prune(&retention).unwrap(), []);
    }
}

#[test]
fn a_rotation_applies_the_retention_after_its_own_snapshot() {
    for rotate in [Rotate::Reset, Rotate::KeepCounters] {
        let folder = folder();
        let names = five(folder.path());
        let store = at(folder.path(), 5);
        let retention = Retention::default().max_count(3);
        let rotation = store.rotate_because(rotate, "", &retention).unwrap();
        assert_eq!(rotation.pruned, names[..3]);
        let kept = [names[3], names[4], rotation.snapshot];
        assert_eq!(store.snapshots().unwrap(), kept);
        let names = fs::read_dir(folder.path().join("snapshots")).unwrap();
        assert_eq!(names.count(), 3);
    }
}

#[test]
fn a_rotation_never_removes_what_it_has_just_written() {
    for retention in [
        Retention::default().max_count(0),
        Retention::default().max_count(2),
        Retention::default().max_age(Duration::ZERO),
    ] {
        let folder = folder();
        five(folder.path());
        // The clock went back: by its name the new snapshot is the oldest of all.
        let early = std::time::SystemTime::UNIX_EPOCH + MINUTE;
        let store = quiet().fixed_clock(early).open(folder.path()).unwrap();
        store.transactions().success.add(42);
        let rotation = store.rotate_because(Rotate::Reset, "", &retention).unwrap();
        assert!(
            !rotation.pruned.contains(&rotation.snapshot),
            "{retention:?}"
        );
        let closed = deespec::Document::read(&rotation.path).unwrap();
        assert_eq!(closed.transactions.success, 42);
    }
}

#[test]
fn files_with_other_names_are_never_touched() {
    let folder = folder();
    five(folder.path());
    let snapshots = folder.path().join("snapshots");
    let others = [
        "notes.txt",
        "metrics.json",
        "metrics_20261123_070809_123456789.json.bak",
        "metrics_20261123_070809_123456789.JSON",
        "metrics_20261123_070809_12345678.json",
        "metrics_20261323_070809_123456789.json",
        "metrics_20261123_070860_123456789.json",
        "metrics_20261123T070809_123456789.json",
        " metrics_20261123_070809_123456789.json",
        ".metrics_20261123_070809_123456789.json",
    ];
    for name in others {
        fs::write(snapshots.join(name), name).unwrap();
    }
    fs::create_dir(snapshots.join("metrics_20010101_000000_000000000.json")).unwrap();
    let store = at(folder.path(), 5);
    assert_eq!(store.snapshots().unwrap().len(), 5);
    assert_eq!(
        store
            .prune(&Retention::default().max_count(0))
            .unwrap()
            .len(),
        5
    );
    for name in others {
        assert_eq!(fs::read_to_string(snapshots.join(name)).unwrap(), name);
    }
    assert_eq!(fs::read_dir(&snapshots).unwrap().count(), others.len() + 1);
}

#[test]
fn a_store_without_snapshots_lists_and_prunes_none() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(store.snapshots().unwrap(), []);
    assert_eq!(store.prune(&Retention::default().max_count(0)).unwrap(), []);
}

#[test]
fn what_closed_the_later_epoch_is_the_younger_whatever_the_clock_says() {
    let folder = folder();
    let first = at(folder.path(), 100)
        .rotate(Rotate::Reset)
        .unwrap()
        .snapshot;
    let second = at(folder.path(), 10)
        .rotate(Rotate::Reset)
        .unwrap()
        .snapshot;
    let early = at(folder.path(), 50).snapshot().unwrap().name;
    let late = at(folder.path(), 70).snapshot().unwrap().name;
    let store = at(folder.path(), 101);
    let all = [first, second, early, late];
    assert_eq!(store.snapshots().unwrap(), all);
    let history = store.history(&HistoryQuery::new()).unwrap();
    let shown: Vec<SnapshotName> = history.points.iter().map(|point| point.name).collect();
    assert_eq!(shown, all);
    // Two of four, with the youngest among them.
    let few = store.history(&HistoryQuery::new().points(1)).unwrap();
    assert_eq!(few.points[0].name, late);
    // None is older than one that it came after.
    let old = Retention::default().max_age(60 * MINUTE);
    assert_eq!(store.prune(&old).unwrap(), []);
    let gone = store.prune(&Retention::default().max_count(2)).unwrap();
    assert_eq!(gone, [first, second]);
    assert_eq!(store.snapshots().unwrap(), [early, late]);
}

#[test]
fn within_an_epoch_what_was_taken_later_is_the_younger_and_what_closed_it_the_youngest() {
    let folder = folder();
    // A clock that was ahead, as one of a virtual machine that has just been woken.
    let ahead = at(folder.path(), 1000).snapshot().unwrap().name;
    let then = at(folder.path(), 10).snapshot().unwrap().name;
    let again = at(folder.path(), 20).snapshot().unwrap().name;
    let closing = at(folder.path(), 30)
        .rotate(Rotate::Reset)
        .unwrap()
        .snapshot;
    // The next epoch has the right time again.
    let next = at(folder.path(), 40).snapshot().unwrap().name;
    let store = at(folder.path(), 50);
    let all = [ahead, then, again, closing, next];
    assert_eq!(store.snapshots().unwrap(), all);
    assert!(next < ahead && closing < ahead, "{all:?}");
    let history = store.history(&HistoryQuery::new()).unwrap();
    let shown: Vec<SnapshotName> = history.points.iter().map(|point| point.name).collect();
    assert_eq!(shown, all);
    let gone = store.prune(&Retention::default().max_count(2)).unwrap();
    assert_eq!(gone, [ahead, then, again]);
    assert_eq!(store.snapshots().unwrap(), [closing, next]);
}

#[test]
fn a_damaged_snapshot_stands_where_its_name_says() {
    let folder = folder();
    let names = five(folder.path());
    fs::write(at(folder.path(), 5).snapshot_path(names[3]), "{").unwrap();
    assert_eq!(at(folder.path(), 5).snapshots().unwrap(), names);
}
