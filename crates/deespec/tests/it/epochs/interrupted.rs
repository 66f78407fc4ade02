//! Rotations that a disk does not let come to their end.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use deespec::{Document, FaultInjector, Operation, Rotate};

use super::{count, lines};
use crate::support::{folder, quiet};

/// Refuses every new file from the moment that it is told to.
struct FullDisk(AtomicBool);

impl FaultInjector for FullDisk {
    fn before(&self, operation: Operation, _: &Path) -> std::io::Result<()> {
        let full = self.0.load(Ordering::Relaxed);
        if full && operation == Operation::Write {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

#[test]
fn a_rotation_that_a_full_disk_left_unfinished_says_that_it_is_done_and_completes_by_itself() {
    let folder = folder();
    let disk = Arc::new(FullDisk(false.into()));
    let store = quiet().faults(disk.clone()).open(folder.path()).unwrap();
    store.transactions().success.add(89);
    disk.0.store(true, Ordering::Relaxed);
    let error = store.rotate(Rotate::Reset).unwrap_err();
    assert!(
        matches!(error, deespec::Error::Unfinished { closed: 1, .. }),
        "{error:?}"
    );
    store.transactions().success.inc();
    disk.0.store(false, Ordering::Relaxed);
    let view = store.sync().unwrap();
    assert_eq!((view.epoch, view.transactions.success), (2, 1));
    let snapshots = store.snapshots().unwrap();
    let closing = Document::read(&store.snapshot_path(snapshots[0])).unwrap();
    assert_eq!((closing.epoch, closing.transactions.success), (Some(1), 89));
}

/// Cannot make the record of epochs durable.
struct LosesTheRecord(AtomicBool);

impl FaultInjector for LosesTheRecord {
    fn before(&self, operation: Operation, path: &Path) -> std::io::Result<()> {
        let hit = operation == Operation::SyncFile && path.ends_with("epochs.jsonl");
        match hit && self.0.load(Ordering::Relaxed) {
            true => Err(std::io::Error::other("broken")),
            false => Ok(()),
        }
    }
}

#[test]
fn no_epoch_begins_before_the_closing_of_the_last_but_one_is_durable() {
    let folder = folder();
    let root = folder.path().join("var");
    let faults = Arc::new(LosesTheRecord(AtomicBool::new(true)));
    let options = quiet().faults(Arc::clone(&faults) as Arc<dyn FaultInjector>);
    let store = options.open(&root).unwrap();
    for _ in 0..3 {
        store.rotate(Rotate::Reset).unwrap_err();
        assert_eq!(store.view().unwrap().epoch, 2);
        store.sync().unwrap_err();
    }
    // Not taken for durable either, where its sync failed once.
    let lines = || fs::read_to_string(root.join("live/epochs.jsonl")).unwrap();
    assert_eq!(lines(), "");
    faults.0.store(false, Ordering::Relaxed);
    assert_eq!(store.rotate(Rotate::Reset).unwrap().epoch, 3);
    assert_eq!(lines().lines().count(), 2);
}

/// Lets so many flushes of cells succeed.
struct Flushes(AtomicI64);

impl FaultInjector for Flushes {
    fn before(&self, operation: Operation, _: &Path) -> std::io::Result<()> {
        let flush = operation == Operation::SyncCells;
        if flush && self.0.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(std::io::Error::from_raw_os_error(5));
        }
        Ok(())
    }
}

#[test]
fn a_turn_that_could_not_be_made_durable_is_not_called_done() {
    let folder = folder();
    let disk = Arc::new(Flushes(i64::MAX.into()));
    let store = quiet().faults(disk.clone()).open(folder.path()).unwrap();
    store.transactions().success.add(3);
    // The flush before the turn succeeds, the one of the turn itself does not.
    disk.0.store(1, Ordering::Relaxed);
    let error = store.rotate(Rotate::Reset).unwrap_err();
    assert!(
        matches!(error, deespec::Error::Unfinished { closed: 1, .. }),
        "{error:?}"
    );
    assert!(store.health().unwrap().degraded);
    assert!(
        store.snapshots().unwrap().is_empty(),
        "nothing is published"
    );
}

/// Fails at the n-th operation on the disk.
struct FailsAt(AtomicI64);

impl FaultInjector for FailsAt {
    fn before(&self, _: Operation, _: &Path) -> std::io::Result<()> {
        match self.0.fetch_sub(1, Ordering::Relaxed) {
            1 => Err(std::io::Error::other("broken")),
            _ => Ok(()),
        }
    }
}

#[test]
fn the_record_of_epochs_has_an_end_and_what_shortens_it_can_be_interrupted_anywhere() {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().open(&root).unwrap();
    count(&store, 1, 2);
    store.rotate(Rotate::Reset).unwrap();
    drop(store);
    let path = root.join("live/epochs.jsonl");
    let long = |line: &str, len: usize| {
        let fields = line.trim_end().strip_suffix('}').unwrap();
        format!("{fields},\"more\":\"{}\"}}\n", "m".repeat(len))
    };
    // What stands there, made of the line that closed the epoch before; and how many lines are left of it.
    type Made<'a> = &'a dyn Fn(&str) -> String;
    let texts: [(Made<'_>, usize); 4] = [
        (&|line| long(line, 4 << 20) + line, 1),
        (&|line| long(line, 3 << 20) + &long(line, 1 << 20), 1),
        (&|line| long(line, 5 << 20), 0),
        (&|line| line.repeat(20_000), 1000),
    ];
    let mut line = fs::read_to_string(&path).unwrap();
    for (text, left) in texts {
        for operation in 1.. {
            fs::write(&path, text(&line)).unwrap();
            let faults = Arc::new(FailsAt(AtomicI64::new(0)));
            let options = quiet().faults(Arc::clone(&faults) as Arc<dyn FaultInjector>);
            let store = options.open(&root).unwrap();
            let epoch = store.view().unwrap().epoch;
            count(&store, 3, 4);
            faults.0.store(operation, Ordering::Relaxed);
            let done = store.rotate(Rotate::Reset);
            let survived = faults.0.load(Ordering::Relaxed) > 0;
            drop(store);
            let store = quiet().open(&root).unwrap();
            if store.health().unwrap().degraded {
                drop(store);
                quiet().compact(&root).unwrap();
            }
            let store = quiet().open(&root).unwrap();
            store.sync().unwrap();
            let now = store.view().unwrap().epoch;
            let lines = lines(&root);
            if done.is_ok() || now > epoch {
                assert_eq!(lines.last().unwrap()["next"], now);
                assert!(lines.len() > left, "{} lines", lines.len());
                assert!(fs::metadata(&path).unwrap().len() < 3 << 20);
            }
            assert!(now == epoch || now == epoch + 1);
            if now > epoch {
                let closed = lines.last().unwrap();
                line = format!("{closed}\n");
            }
            if survived {
                break;
            }
        }
    }
}
