//! What series were over time: always what the snapshots say, whatever becomes of the archive beside them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use deespec::{
    Document, DocumentKind, FaultInjector, History, HistoryQuery, HistoryValue, Operation,
    Retention, Rotate, SnapshotName, Store, Value,
};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use crate::roles;
use crate::support::{NO_FILES, folder, quiet, told};

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
    let unreadable: Vec<_> = history
        .unreadable
        .iter()
        .map(|one| json!([one.name.to_string(), one.reason]))
        .collect();
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
    for name in names {
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

#[derive(Debug, Clone)]
enum Step {
    Count(u64),
    Set(f64),
    Observe(f64),
    Inform,
    Remove,
    Snapshot,
    Rotate,
    Restore(prop::sample::Index),
    Prune(usize),
    /// Writes over a snapshot, in place or by another file.
    Change(prop::sample::Index, bool),
    Damage(prop::sample::Index),
    Copy(prop::sample::Index, u32),
    Ask,
    LoseArchive,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => prop_oneof![0_u64..5, Just(u64::from(u32::MAX))].prop_map(Step::Count),
        2 => prop_oneof![any::<f64>(), -3.0..3.0, Just(f64::NAN)].prop_map(Step::Set),
        2 => prop_oneof![0.0..9.0, Just(1e-9), Just(1e9)].prop_map(Step::Observe),
        1 => Just(Step::Inform),
        1 => Just(Step::Remove),
        6 => Just(Step::Snapshot),
        2 => Just(Step::Rotate),
        1 => index().prop_map(Step::Restore),
        1 => (0_usize..6).prop_map(Step::Prune),
        2 => (index(), any::<bool>()).prop_map(|(index, place)| Step::Change(index, place)),
        1 => index().prop_map(Step::Damage),
        2 => (index(), any::<u32>()).prop_map(|(index, ns)| Step::Copy(index, ns)),
        4 => Just(Step::Ask),
        1 => Just(Step::LoseArchive),
        1 => Just(Step::Compact),
    ]
}

fn take(store: &Store, step: &Step) {
    let names = store.snapshots().unwrap();
    let chosen = |index: &prop::sample::Index| {
        let name = (!names.is_empty()).then(|| names[index.index(names.len())]);
        name.map(|name| store.snapshot_path(name))
    };
    match step {
        Step::Count(count) => {
            let labels = [("queue", "mail")];
            store
                .counter_with("jobs_total", &labels)
                .unwrap()
                .add(*count);
            store.transactions().success.inc();
        }
        Step::Set(value) => store.gauge("depth").unwrap().set(*value),
        Step::Observe(value) => store.histogram("wait_seconds").unwrap().observe(*value),
        Step::Inform => store.info("build_info", &[("version", "1")]).unwrap(),
        Step::Remove => drop(store.remove("depth", &[]).unwrap()),
        Step::Snapshot => drop(store.snapshot().unwrap()),
        Step::Rotate => drop(store.rotate(Rotate::Reset).unwrap()),
        Step::Restore(index) => {
            if let Some(path) = chosen(index) {
                // A damaged one is refused.
                let _ = store.restore(&path, "", true);
            }
        }
        Step::Prune(keep) => {
            drop(store.prune(&Retention::default().max_count(*keep)).unwrap());
        }
        Step::Change(index, in_place) => {
            let Some(path) = chosen(index) else { return };
            let Ok(mut document) = Document::read(&path) else {
                return;
            };
            document.transactions.success += 1;
            let target = match in_place {
                true => path.clone(),
                false => path.with_extension("new"),
            };
            fs::write(&target, document.to_json()).unwrap();
            fs::rename(target, path).unwrap();
        }
        Step::Damage(index) => {
            if let Some(path) = chosen(index) {
                fs::write(path, "{").unwrap();
            }
        }
        Step::Copy(index, ns) => {
            if let Some(path) = chosen(index) {
                let name = format!("metrics_20260101_000000_{:09}.json", ns % 1_000_000_000);
                fs::copy(&path, path.with_file_name(name)).unwrap();
            }
        }
        Step::Ask => {
            let history = store.history(&everything()).unwrap();
            assert_eq!(history.unsaved, None);
            assert_eq!(said(&history), from_files(store));
        }
        Step::LoseArchive => drop(fs::remove_dir_all(store.path().join("history"))),
        Step::Compact => {
            let archive = store.compact_snapshots().unwrap();
            assert_eq!(archive.unsaved, None);
            assert_eq!(archive.snapshots + archive.unreadable.len(), names.len());
            assert_eq!(parts(store).len(), usize::from(archive.snapshots > 0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_history_is_what_the_snapshots_say(steps in proptest::collection::vec(step(), 1..60)) {
        let folder = folder();
        let store = quiet().open(folder.path().join("var")).unwrap();
        for step in &steps {
            take(&store, step);
        }
        let wanted = from_files(&store);
        prop_assert_eq!(&anew(&store), &wanted);
        for name in ["snapshots", "history"] {
            let folder = store.path().join(name);
            if folder.exists() {
                settle(&folder);
            }
        }
        for _ in 0..2 {
            prop_assert_eq!(&said(&store.history(&everything()).unwrap()), &wanted);
        }
        let _ = fs::remove_dir_all(store.path().join("history"));
        prop_assert_eq!(&anew(&store), &wanted);
        // From the archive alone.
        prop_assert_eq!(&anew(&store), &wanted);
    }
}

#[test]
fn an_archive_that_is_cut_short_or_damaged_anywhere_changes_no_answer_and_is_mended() {
    let (_folder, store) = filled(3);
    let wanted = from_files(&store);
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
    let [part] = &parts(&store)[..] else {
        panic!("one part")
    };
    let whole = fs::read(part).unwrap();
    let mended = |what: &str| {
        assert_eq!(anew(&store), wanted, "{what}");
        // A column that nobody asked for.
        store.compact_snapshots().unwrap();
        let [part] = &parts(&store)[..] else {
            panic!("one part, {what}")
        };
        assert!(fs::read(part).unwrap() == whole, "{what}");
    };
    let damage = |bytes: &[u8]| {
        let [part] = &parts(&store)[..] else {
            panic!("one part")
        };
        fs::write(part, bytes).unwrap();
    };
    for length in 0..whole.len() {
        damage(&whole[..length]);
        mended(&format!("{length} bytes"));
    }
    for byte in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << (byte % 8);
        damage(&bytes);
        mended(&format!("byte {byte}"));
    }
    let mut longer = whole.clone();
    longer.push(0);
    damage(&longer);
    mended("one byte more");
    let mut newer = whole.clone();
    newer[8] = 2;
    damage(&newer);
    mended("another version");
}

#[test]
fn whoever_has_read_an_archive_notices_that_it_was_damaged_since() {
    let (_folder, store) = filled(5);
    let wanted = from_files(&store);
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
    let part = parts(&store).remove(0);
    let whole = fs::read(&part).unwrap();
    let changed = fs::metadata(&part).unwrap().modified().unwrap();
    // The head stays as it was, so only whoever reads the columns can tell.
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&part, bytes).unwrap();
    File::open(&part).unwrap().set_modified(changed).unwrap();
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
    assert_eq!(fs::read(parts(&store).remove(0)).unwrap(), whole);
    fs::remove_dir_all(store.path().join("history")).unwrap();
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
}

#[test]
fn what_stands_in_the_place_of_an_archive_changes_no_answer() {
    for (what, make) in NO_FILES {
        let (folder, store) = filled(3);
        let wanted = from_files(&store);
        let other = folder.path().join("other");
        fs::write(&other, "of somebody else").unwrap();
        fs::create_dir(store.path().join("history")).unwrap();
        make(&store.path().join("history/part-0000000001"), &other);
        for _ in 0..2 {
            assert_eq!(
                said(&store.history(&everything()).unwrap()),
                wanted,
                "{what}"
            );
            assert_eq!(anew(&store), wanted, "{what}");
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "of somebody else");
    }
    for (what, make) in NO_FILES {
        let (folder, store) = filled(3);
        let wanted = from_files(&store);
        let other = folder.path().join("other");
        make(&store.path().join("history"), &other);
        let history = store.history(&everything()).unwrap();
        assert_eq!(said(&history), wanted, "{what}");
        let is_folder = what == "a folder";
        assert_eq!(history.unsaved.is_none(), is_folder, "{what}");
        assert!(!other.exists(), "{what}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_read_is_passed_over_and_named_until_it_can() {
    let (_folder, store) = filled(5);
    let names = store.snapshots().unwrap();
    let path = store.snapshot_path(names[1]);
    let good = fs::read(&path).unwrap();
    store.history(&everything()).unwrap();
    for name in ["snapshots", "history"] {
        settle(&store.path().join(name));
    }
    store.history(&everything()).unwrap();
    fs::write(&path, "{").unwrap();
    for history in [
        store.history(&everything()).unwrap(),
        store.history(&everything()).unwrap(),
    ] {
        assert_eq!(history.found, 4);
        assert_eq!(history.unreadable.len(), 1);
        assert_eq!(history.unreadable[0].path, path);
        assert!(
            history.unreadable[0]
                .reason
                .contains(&path.display().to_string())
        );
        assert_eq!(said(&history), from_files(&store));
    }
    let elsewhere = everything().from(names[2].taken_at());
    assert_eq!(store.history(&elsewhere).unwrap().unreadable, []);
    fs::write(&path, good).unwrap();
    let history = store.history(&everything()).unwrap();
    assert_eq!((history.found, history.unreadable.len()), (5, 0));
    assert_eq!(said(&history), from_files(&store));
}

#[test]
fn what_is_no_file_is_no_snapshot_and_documents_without_an_epoch_are() {
    let (folder, store) = filled(1);
    let other = folder.path().join("other");
    for (number, (_, make)) in NO_FILES.iter().enumerate() {
        let name = format!("metrics_20260101_000000_00000000{number}.json");
        make(&store.path().join("snapshots").join(name), &other);
    }
    let legacy = store
        .path()
        .join("snapshots/metrics_20250101_000000_000000000.json");
    fs::write(legacy, r#"{"commit_success": 5}"#).unwrap();
    let history = store.history(&everything()).unwrap();
    assert_eq!(said(&history), from_files(&store));
    assert_eq!(history.points[0].epoch, None);
    assert_eq!(history.series[0].values[0], Some(HistoryValue::Counter(5)));
    assert_eq!(anew(&store), from_files(&store));
}

#[test]
fn a_time_and_a_number_of_points_choose_what_is_shown() {
    let (_folder, store) = filled(12);
    let names = store.snapshots().unwrap();
    let query = HistoryQuery::new().series("commit_success", &[]);
    let between = query
        .clone()
        .from(names[3].taken_at())
        .to(names[7].taken_at());
    let history = store.history(&between).unwrap();
    let shown: Vec<SnapshotName> = history.points.iter().map(|point| point.name).collect();
    assert_eq!((history.found, &shown[..]), (5, &names[3..8]));
    // A time that went through a floating-point number still is that of its snapshot.
    let at = names[3]
        .taken_at()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let at = at.as_secs_f64().to_string();
    let one = store
        .history(&query.clone().between(Some(&at), Some(&at)).unwrap())
        .unwrap();
    assert!(one.points.iter().any(|point| point.name == names[3]));
    // The numbers 2, 6 and 10 close an epoch.
    let few = store.history(&query.clone().points(4)).unwrap();
    assert_eq!(few.found, 12);
    let shown: Vec<SnapshotName> = few.points.iter().map(|point| point.name).collect();
    assert_eq!(shown, [names[2], names[6], names[10], names[11]]);
    let counts: Vec<_> = few.series[0].values.iter().flatten().collect();
    assert_eq!(counts.len(), 4);
    assert_eq!(*counts[1], HistoryValue::Counter(4));
    let none = store.history(&query.points(0)).unwrap();
    assert_eq!((none.found, none.points.len()), (12, 0));
}

#[test]
fn a_series_that_no_snapshot_has_has_no_kind() {
    let (_folder, store) = filled(5);
    let names = store.snapshots().unwrap();
    store.gauge("late").unwrap().set(1.0);
    let query = HistoryQuery::new()
        .series("late", &[])
        .series("depth", &[])
        .series("depth", &[("a", "b")]);
    let ask = |query: &HistoryQuery| {
        let history = store.history(query).unwrap();
        let kinds: Vec<_> = history.series.iter().map(|series| series.kind).collect();
        assert!(
            history
                .series
                .iter()
                .all(|one| one.values.len() == history.points.len())
        );
        kinds
    };
    let gauge = Some(deespec::Kind::Gauge);
    assert_eq!(ask(&query), [None, gauge, None]);
    // It is there at another time.
    let early = query.to(names[0].taken_at());
    assert_eq!(ask(&early), [None, gauge, None]);
    store.prune(&Retention::default().max_count(0)).unwrap();
    assert_eq!(ask(&early), [None, None, None]);
}

#[test]
fn selectors_say_which_series_is_meant_or_why_not() {
    let select = |text: &str| HistoryQuery::new().select(text);
    let meant = HistoryQuery::new().series("a", &[("b", "c\"\n"), ("d", "")]);
    assert_eq!(
        select(" a { d = \"\", b=\"c\\\"\\n\" , } ").ok(),
        Some(meant)
    );
    assert_eq!(select("a{}"), Ok(HistoryQuery::new().series("a", &[])));
    for wrong in [
        "",
        "1",
        "a{",
        "a{b=c}",
        "a{b!=\"c\"}",
        "a{b=~\"c\"}",
        "a{b=\"c\"} 1",
        "{b=\"c\"}",
        "a{b=\"c\",b=\"d\"}",
        "a{__b=\"c\"}",
    ] {
        let error = select(wrong).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{wrong:?} names no series")),
            "{error}"
        );
    }
    for wrong in [
        "",
        "now",
        "-1",
        "NaN",
        "inf",
        "1e300",
        "2026-13-01T00:00:00Z",
        "1960-01-01T00:00:00Z",
    ] {
        assert!(
            HistoryQuery::new().between(None, Some(wrong)).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn an_archive_grows_into_one_part_and_shrinks_with_its_snapshots() {
    let (_folder, store) = filled(3);
    for _ in 0..3 {
        store.history(&everything()).unwrap();
        store.snapshot().unwrap();
    }
    store.history(&everything()).unwrap();
    assert_eq!(parts(&store).len(), 1);
    let before = fs::metadata(&parts(&store)[0]).unwrap().len();
    store.prune(&Retention::default().max_count(2)).unwrap();
    assert_eq!(
        said(&store.history(&everything()).unwrap()),
        from_files(&store)
    );
    let after = fs::metadata(&parts(&store)[0]).unwrap().len();
    assert!(after < before, "{after} of {before}");
    store.prune(&Retention::default().max_count(0)).unwrap();
    store.history(&everything()).unwrap();
    assert_eq!(parts(&store), Vec::<PathBuf>::new());
}

#[test]
fn compaction_of_the_snapshots_says_what_it_has_and_leaves_them_alone() {
    let (_folder, store) = filled(5);
    let names = store.snapshots().unwrap();
    fs::write(store.snapshot_path(names[4]), "{").unwrap();
    let archive = store.compact_snapshots().unwrap();
    assert_eq!((archive.snapshots, archive.unreadable.len()), (4, 1));
    assert_eq!(archive.range, Some((names[0], names[3])));
    let length = |path: &Path| fs::metadata(path).unwrap().len();
    let files = names[..4]
        .iter()
        .map(|name| length(&store.snapshot_path(*name)));
    assert_eq!(archive.snapshot_bytes, files.sum::<u64>());
    assert_eq!(archive.bytes, (0, length(&parts(&store)[0])));
    assert_eq!(store.snapshots().unwrap(), names);
    // Nothing shows that a file was written over, but for the file itself.
    let path = store.snapshot_path(names[1]);
    let mut document = Document::read(&path).unwrap();
    document.kind = Some(DocumentKind::Rotation);
    fs::write(&path, document.to_json()).unwrap();
    store.compact_snapshots().unwrap();
    assert_eq!(parts(&store).len(), 1);
    assert_eq!(anew(&store), from_files(&store));
}

#[test]
fn a_store_that_is_compacted_or_copied_keeps_its_history() {
    let (folder, store) = filled(5);
    let wanted = said(&store.history(&everything()).unwrap());
    let root = store.path().to_owned();
    drop(store);
    quiet().compact(&root).unwrap();
    let store = quiet().open(&root).unwrap();
    assert_eq!(anew(&store), wanted);
    let copy = folder.path().join("copy");
    crate::support::copy_folder(&root, &copy);
    let other = quiet().open(&copy).unwrap();
    // The rows of the archive are of other files.
    assert_eq!(said(&other.history(&everything()).unwrap()), wanted);
    assert_eq!(parts(&other).len(), 1);
}

#[test]
fn processes_that_ask_at_the_same_time_get_the_same_answer() {
    let (_folder, store) = filled(40);
    let wanted = from_files(&store);
    for _ in 0..3 {
        let _ = fs::remove_dir_all(store.path().join("history"));
        let answers = roles::race(&["history 5"; 4], store.path());
        for answers in answers {
            assert!(
                answers.iter().all(|answer| *answer == wanted),
                "{answers:?}"
            );
        }
        assert_eq!(anew(&store), wanted);
        assert_eq!(parts(&store).len(), 1);
    }
}

/// What a process in the role `history` does: asks so many times, while it also takes part in the writing.
pub(crate) fn ask(root: &Path, times: u32, say: impl Fn(&str)) {
    for _ in 0..times {
        let store = quiet().open(root).unwrap();
        say(&said(&store.history(&everything()).unwrap()));
        for part in parts(&store) {
            let _ = fs::remove_file(part);
        }
        say(&said(&store.history(&everything()).unwrap()));
    }
}

/// Fails, or kills its process, at the n-th operation on the disk.
struct At {
    left: AtomicU32,
    kills: bool,
}

impl FaultInjector for At {
    fn before(&self, _: Operation, _: &Path) -> std::io::Result<()> {
        let next = |left: u32| left.checked_sub(1);
        let is_later = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if is_later.is_ok() {
            return Ok(());
        }
        if self.kills {
            let pid = rustix::process::getpid();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        Err(std::io::Error::other("gone"))
    }
}

#[test]
fn killed_at_any_step_of_its_writing_an_archive_is_completed_by_the_next() {
    const NAME: &str =
        "history::killed_at_any_step_of_its_writing_an_archive_is_completed_by_the_next";
    if let Some(root) = std::env::var_os("DEESPEC_HISTORY_KILL") {
        let at = std::env::var("DEESPEC_HISTORY_KILL_AT").unwrap();
        let left = AtomicU32::new(at.parse().unwrap());
        let faults = Arc::new(At { left, kills: true });
        let store = quiet().faults(faults).open(root).unwrap();
        store.history(&everything()).unwrap();
        std::process::exit(0);
    }
    let mut killed = 0;
    for at in 0.. {
        let (_folder, store) = filled(3);
        // One part is there already, and is to be replaced.
        store.history(&everything()).unwrap();
        store.snapshot().unwrap();
        let wanted = from_files(&store);
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env("DEESPEC_HISTORY_KILL", store.path())
            .env("DEESPEC_HISTORY_KILL_AT", at.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(anew(&store), wanted, "step {at}");
        assert_eq!(parts(&store).len(), 1, "step {at}");
        assert_eq!(anew(&store), wanted, "step {at}");
        // What it left behind is in nobody's way.
        store.rotate(Rotate::Reset).unwrap();
        if ended.success() {
            break;
        }
        killed += 1;
    }
    assert!(killed >= 3, "{killed}");
}

#[test]
fn a_disk_that_fails_at_any_step_costs_time_and_no_answer() {
    let mut failed = 0;
    for at in 0.. {
        let (_folder, store) = filled(3);
        store.history(&everything()).unwrap();
        store.snapshot().unwrap();
        let wanted = from_files(&store);
        let root = store.path().to_owned();
        let faults = Arc::new(At {
            left: AtomicU32::new(at),
            kills: false,
        });
        let broken = quiet().faults(faults).open(&root).unwrap();
        let mut unsaved = None;
        for _ in 0..2 {
            let history = broken.history(&everything()).unwrap();
            assert_eq!(said(&history), wanted, "step {at}");
            unsaved = unsaved.or(history.unsaved);
        }
        assert_eq!(anew(&store), wanted, "step {at}");
        match unsaved {
            None => break,
            Some(reason) => assert!(
                reason.contains("tmp-part") || reason.contains("history"),
                "{reason}"
            ),
        }
        failed += 1;
    }
    assert!(failed >= 3, "{failed}");
}
