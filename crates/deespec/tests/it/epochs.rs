//! Rotation: what closes with an epoch, what goes on, and what `epochs.jsonl` records of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use deespec::{Document, DocumentKind, FaultInjector, Operation, Retention, Rotate, Store};
use serde_json::Value;

use crate::roles;
use crate::support::{
    MOMENT_NS, Values, document_values, expected, folder, key, moment, quiet, store_values,
};

/// The lines of `epochs.jsonl`; the file must end with a whole one.
pub(crate) fn lines(root: &Path) -> Vec<Value> {
    let text = fs::read_to_string(root.join("live/epochs.jsonl")).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The totals of the counters of one line.
pub(crate) fn totals(line: &Value) -> Values {
    let one = |total: &Value| {
        let labels: std::collections::BTreeMap<String, String> =
            serde_json::from_value(total["labels"].clone()).unwrap_or_default();
        let name = key(total["name"].as_str().unwrap(), &labels);
        Some((name, total["total"].as_u64()?))
    };
    let all = line["totals"].as_array().unwrap().iter();
    all.filter_map(one).collect()
}

fn count(store: &Store, success: u64, jobs: u64) {
    store.transactions().success.add(success);
    store
        .counter_with("jobs_total", &[("job", "a")])
        .unwrap()
        .add(jobs);
}

#[test]
fn a_rotation_closes_the_epoch_with_exactly_what_was_counted() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for (epoch, jobs) in [(1, 7), (2, 0), (3, 11)] {
        count(&store, epoch, jobs);
        let counted = expected([epoch, 0, 0, 0], &[("jobs_total,job=a", jobs)]);
        assert_eq!(store_values(&store), counted);
        assert_eq!(store.view().unwrap().epoch, epoch);
        let rotation = store.rotate(Rotate::Reset).unwrap();
        assert_eq!(rotation.epoch, epoch + 1);
        assert_eq!(document_values(&rotation.closing), counted);
        assert_eq!(rotation.closing.epoch, Some(epoch));
        assert_eq!(rotation.closing.kind, Some(DocumentKind::Rotation));
        assert_eq!(Document::read(&rotation.path).unwrap(), rotation.closing);
        assert_eq!(rotation.path, store.snapshot_path(rotation.snapshot));
        let zeros = expected([0; 4], &[("jobs_total,job=a", 0)]);
        assert_eq!(store_values(&store), zeros);
        let published = Document::read(&folder.path().join("metrics.json")).unwrap();
        assert_eq!(published.epoch, Some(epoch + 1));
        assert_eq!(document_values(&published), zeros);
    }
}

#[test]
fn keeping_the_counters_is_a_snapshot_and_the_epoch_goes_on() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store, 5, 6);
    let rotation = store.rotate(Rotate::KeepCounters).unwrap();
    let counted = expected([5, 0, 0, 0], &[("jobs_total,job=a", 6)]);
    assert_eq!((rotation.epoch, rotation.pruned.len()), (1, 0));
    assert_eq!(rotation.closing.kind, Some(DocumentKind::Snapshot));
    assert_eq!(document_values(&rotation.closing), counted);
    assert_eq!(Document::read(&rotation.path).unwrap(), rotation.closing);
    assert_eq!(store_values(&store), counted);
    assert!(lines(folder.path()).is_empty());
    count(&store, 1, 1);
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    let all = expected([6, 0, 0, 0], &[("jobs_total,job=a", 7)]);
    assert_eq!(document_values(&closing), all);
}

#[test]
fn each_closed_epoch_has_one_whole_line() {
    let folder = folder();
    let options = quiet().program("deespec rotate");
    let at = |seconds| {
        options
            .clone()
            .fixed_clock(moment(seconds))
            .open(folder.path())
    };
    let store = at(0).unwrap();
    count(&store, 5, 6);
    let first = store.snapshot().unwrap();
    let store = at(60).unwrap();
    let keep = Retention::default();
    let rotation = store.rotate_because(Rotate::Reset, "a \"new\"\nrelease", &keep);
    let rotation = rotation.unwrap();
    count(&store, 2, 3);
    let store = at(120).unwrap();
    let restoration = store.restore(&first.path, "went wrong", false).unwrap();

    let lines = lines(folder.path());
    assert_eq!(lines.len(), 2);
    let one = serde_json::json!({
        "epoch": 1, "next": 2, "kind": "rotation", "at": "2026-11-23T07:09:09.123456789Z",
        "by": "deespec rotate", "why": "a \"new\"\nrelease",
        "snapshot": rotation.snapshot.to_string(),
        "totals": [
            {"name": "cas_conflicts", "total": 0}, {"name": "commit_failed", "total": 0},
            {"name": "commit_success", "total": 5},
            {"name": "jobs_total", "labels": {"job": "a"}, "total": 6},
            {"name": "recovery_count", "total": 0}],
    });
    assert_eq!(lines[0], one);
    let snapshot = restoration.path.file_name().unwrap().to_str().unwrap();
    assert_eq!(lines[1]["snapshot"], snapshot);
    let facts = ["epoch", "next", "kind", "at", "why"].map(|field| lines[1][field].clone());
    let at = "2026-11-23T07:10:09.123456789Z";
    assert_eq!(
        facts,
        [
            2.into(),
            3.into(),
            "restore".into(),
            at.into(),
            "went wrong".into()
        ] as [Value; 5]
    );
    assert_eq!(
        totals(&lines[1]),
        expected([7, 0, 0, 0], &[("jobs_total,job=a", 9)])
    );
    let closed = Document::read(&restoration.path).unwrap();
    assert_eq!(closed.epoch_started.unwrap(), "2026-11-23T07:09:09Z");
    assert_eq!(closed.taken_at.unwrap(), at);
}

#[test]
fn long_reasons_are_cut_and_do_not_hinder_the_rotation() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let keep = Retention::default();
    let why = "ü".repeat(100_000);
    store.rotate_because(Rotate::Reset, &why, &keep).unwrap();
    let written = lines(folder.path());
    let written = written[0]["why"].as_str().unwrap();
    assert!(why.starts_with(written) && written.len() > 400);
}

#[test]
fn a_series_of_a_later_epoch_is_not_in_an_earlier_closing() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let first = store.rotate(Rotate::Reset).unwrap().closing;
    count(&store, 0, 4);
    let second = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(document_values(&first), expected([0; 4], &[]));
    assert_eq!(
        document_values(&second),
        expected([0; 4], &[("jobs_total,job=a", 4)])
    );
}

#[test]
fn an_increment_falls_in_exactly_one_epoch_while_threads_count() {
    const THREADS: u64 = 3;
    const EACH: u64 = 40_000;
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let closed: u64 = std::thread::scope(|scope| {
        let count = || {
            let counter = store.counter("work_total").unwrap();
            (0..EACH).for_each(|_| counter.inc());
        };
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
        let mut closed = 0;
        while !workers.iter().all(|worker| worker.is_finished()) {
            let before = store.view().unwrap();
            let closing = store.rotate(Rotate::Reset).unwrap().closing;
            let value = document_values(&closing).get("work_total").copied();
            let value = value.unwrap_or(0);
            assert!(value >= before.value("work_total", &[]).unwrap_or(0));
            closed += value;
        }
        closed
    });
    let rest = store_values(&store)["work_total"];
    assert_eq!(closed + rest, THREADS * EACH);
    let lines = lines(folder.path());
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["epoch"], index + 1);
    }
    assert_grow(&lines);
}

/// Totals never go back from one line to the next.
pub(crate) fn assert_grow(lines: &[Value]) {
    for pair in lines.windows(2) {
        let (before, after) = (totals(&pair[0]), totals(&pair[1]));
        for (name, total) in before {
            assert!(after[&name] >= total, "{name} went back: {pair:?}");
        }
    }
}

#[test]
fn snapshots_of_one_nanosecond_have_names_of_their_own() {
    let folder = folder();
    let options = quiet().fixed_clock(moment(0));
    let store = options.open(folder.path()).unwrap();
    let mut names = vec![
        store.snapshot().unwrap().name,
        store.snapshot().unwrap().name,
        store.rotate(Rotate::Reset).unwrap().snapshot,
        store.rotate(Rotate::KeepCounters).unwrap().snapshot,
        store.rotate(Rotate::Reset).unwrap().snapshot,
    ];
    assert_eq!(
        names[0].to_string(),
        "metrics_20261123_070809_123456789.json"
    );
    assert_eq!(names[0].taken_at(), moment(0));
    assert_eq!(store.snapshots().unwrap(), names);
    names.dedup();
    assert_eq!(names.len(), 5);
    for (name, taken_at) in names.iter().zip(MOMENT_NS..) {
        let document = Document::read(&store.snapshot_path(*name)).unwrap();
        assert!(
            document
                .taken_at
                .unwrap()
                .ends_with(&format!("{}Z", taken_at % 1000))
        );
    }
}

#[test]
fn snapshots_of_two_processes_in_one_nanosecond_have_names_of_their_own() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.transactions().success.inc();
    let reports = roles::race(&["snapshot 40", "snapshot 40"], folder.path());
    let mut names: Vec<String> = reports.concat();
    assert_eq!(names.len(), 80);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 80, "a name was given twice");
    let listed = store.snapshots().unwrap();
    let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
    assert_eq!(listed, names);
    for name in store.snapshots().unwrap() {
        let document = Document::read(&store.snapshot_path(name)).unwrap();
        assert_eq!(document.transactions.success, 1);
    }
}

/// Refuses every new file from the moment that it is told to.
struct FullDisk(std::sync::atomic::AtomicBool);

impl deespec::FaultInjector for FullDisk {
    fn before(&self, operation: deespec::Operation, _: &std::path::Path) -> std::io::Result<()> {
        let full = self.0.load(std::sync::atomic::Ordering::Relaxed);
        if full && operation == deespec::Operation::Write {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

#[test]
fn a_rotation_that_a_full_disk_left_unfinished_says_that_it_is_done_and_completes_by_itself() {
    let folder = folder();
    let disk = std::sync::Arc::new(FullDisk(false.into()));
    let store = quiet().faults(disk.clone()).open(folder.path()).unwrap();
    store.transactions().success.add(89);
    disk.0.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = store.rotate(Rotate::Reset).unwrap_err();
    assert!(
        matches!(error, deespec::Error::Unfinished { closed: 1, .. }),
        "{error:?}"
    );
    store.transactions().success.inc();
    disk.0.store(false, std::sync::atomic::Ordering::Relaxed);
    let view = store.sync().unwrap();
    assert_eq!((view.epoch, view.transactions.success), (2, 1));
    let snapshots = store.snapshots().unwrap();
    let closing = deespec::Document::read(&store.snapshot_path(snapshots[0])).unwrap();
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
    let lines = || std::fs::read_to_string(root.join("live/epochs.jsonl")).unwrap();
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

#[test]
fn a_line_of_the_record_has_no_totals_where_they_are_many() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store, 1, 2);
    store.rotate(Rotate::Reset).unwrap();
    for set in 0..1000 {
        let counter = store.counter_with("many_total", &[("set", &set.to_string())]);
        counter.unwrap().inc();
    }
    let rotation = store.rotate(Rotate::Reset).unwrap();
    let [first, second] = lines(folder.path()).try_into().unwrap();
    assert_eq!(totals(&first)["jobs_total,job=a"], 2);
    assert_eq!(second.get("totals"), None);
    assert_eq!(second["snapshot"], rotation.snapshot.to_string());
    assert_eq!(document_values(&rotation.closing)["many_total,set=999"], 1);
}
