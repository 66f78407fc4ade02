//! Rotation: what closes with an epoch, what goes on, and what `epochs.jsonl` records of it.

mod interrupted;

use std::fs;
use std::path::Path;

use deespec::{Document, DocumentKind, Retention, Rotate, Store};
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
