//! The store against a plain model in memory: after every step of any sequence they are equal.
//!
//! `model/state.rs` is the model, `model/reference.rs` makes the sequences; a failing one is made
//! shorter by leaving steps out. `DEESPEC_MODEL_SEQUENCES` says how many are tried (`cargo xtask model`), and
//! `DEESPEC_MODEL_SEED` repeats a run.

mod reference;
mod series;
mod state;

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use deespec::{
    Document, DocumentError, Error, Family, Import, Published, Retention, Rotate, SnapshotName,
    Store,
};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest};
use serde_json::json;
use tempfile::TempDir;

use crate::epochs::lines;
use crate::image::Image;
use crate::puppet::count_and_sum;
use crate::support::{folder, quiet};

use reference::{Reference, Step, document};
use series::*;
use state::{Answer, Model};

/// How many sequences are tried where nobody says so: they take a few seconds.
const SEQUENCES: u32 = 600;
/// The longest sequence.
const STEPS: usize = 40;

/// A store, open twice.
struct System {
    folder: TempDir,
    /// `None` only while both are closed.
    handles: Option<[Store; 2]>,
    /// Each snapshot by its number in the model.
    snapshots: BTreeMap<usize, SnapshotName>,
    documents: Vec<PathBuf>,
}

impl System {
    fn path(&self) -> PathBuf {
        self.folder.path().join("var")
    }

    fn open(&mut self) {
        let open = || quiet().open(self.path()).unwrap();
        self.handles = Some([open(), open()]);
    }

    fn store(&self) -> &Store {
        &self.handles.as_ref().unwrap()[0]
    }

    /// The newest snapshot of the model has this name and these values.
    fn taken(&mut self, model: &Model, name: SnapshotName, closing: &Document) {
        let (number, values) = model.snapshots.last().unwrap();
        assert_eq!(values_of(closing), *values);
        self.snapshots.insert(*number, name);
    }

    fn restore(&mut self, model: &Model, path: &std::path::Path) {
        let restored = self.store().restore(path, "", true).unwrap();
        assert_eq!(values_of(&restored.view.to_document()), model.shown());
        let closing = Document::read(&restored.path).unwrap();
        self.taken(model, SnapshotName::of(&restored.path).unwrap(), &closing);
    }

    fn take(&mut self, model: &Model, step: &Step) {
        let store = self.store();
        match step {
            Step::Add(which, amount) => {
                let (name, labels) = COUNTERS[*which];
                store.counter_with(name, labels).unwrap().add(*amount);
            }
            Step::AddLimited(which, amount) => {
                let (name, labels) = LIMITED[*which];
                store.declare(&limited()).unwrap();
                store.counter_with(name, labels).unwrap().add(*amount);
            }
            Step::Observe(which, times) => {
                store.declare(&histogram()).unwrap();
                let histogram = store.histogram(HISTOGRAM).unwrap();
                match times {
                    1 => histogram.observe(OBSERVED[*which].0),
                    times => histogram.observe_many(OBSERVED[*which].0, *times),
                }
            }
            Step::Set(which, value) => store.gauge(GAUGES[*which]).unwrap().set(*value),
            Step::Change(which, change) => store.gauge(GAUGES[*which]).unwrap().add(*change),
            Step::SetShare(value) => {
                let share = store.process_gauge(SHARE).unwrap();
                share.set(*value).unwrap();
            }
            Step::Inform => store.info(INFO.0, INFO.1).unwrap(),
            Step::Remove(which) => {
                let (name, labels) = removable()[*which];
                let found = store.remove(name, labels).unwrap();
                assert_eq!(Answer::Found(found), model.answer);
            }
            Step::Declare(text) => {
                let declared = store.declare(&declaration(*text)).is_ok();
                assert_eq!(declared, model.answer == Answer::Done);
            }
            Step::Redeclare(text) => store.redeclare(&declaration(*text)).unwrap(),
            Step::Rotate => {
                let rotation = store.rotate(Rotate::Reset).unwrap();
                assert_eq!(gauges_of(&rotation.closing), model.shown_gauges());
                assert_eq!(rotation.epoch, model.epoch);
                self.taken(model, rotation.snapshot, &rotation.closing);
            }
            Step::Keep(keep) => {
                let retention = Retention::default().max_count(*keep);
                let kept = store.rotate_because(Rotate::KeepCounters, "", &retention);
                let kept = kept.unwrap();
                self.taken(model, kept.snapshot, &kept.closing);
            }
            Step::Snapshot => {
                let name = store.snapshot().unwrap().name;
                let written = Document::read(&store.snapshot_path(name)).unwrap();
                self.taken(model, name, &written);
            }
            Step::Restore(index) => {
                // The model has taken one more since, the closing one.
                let (number, _) = model.snapshots[*index];
                let path = store.snapshot_path(self.snapshots[&number]);
                self.restore(model, &path);
            }
            Step::RestorePublished => {
                store.sync().unwrap();
                let path = store.path().join("metrics.json");
                self.restore(model, &path);
            }
            Step::RestoreDocument(index) => self.restore(model, &self.documents[*index].clone()),
            Step::Import(amounts) => self.import(model, &document(amounts)),
            Step::ImportAgain(index) => {
                let again = store.import(&self.documents[*index], false).unwrap();
                assert!(matches!(again, Import::Already { .. }));
            }
            Step::Sync => {
                store.sync().unwrap();
                let published = Document::read(&store.path().join("metrics.json")).unwrap();
                assert_eq!(values_of(&published), model.shown());
                assert_eq!(gauges_of(&published), model.shown_gauges());
            }
            Step::Prune(keep) => {
                let retention = Retention::default().max_count(*keep);
                let retention = retention.max_age(Duration::from_secs(3600));
                store.prune(&retention).unwrap();
            }
            Step::Switch => self.handles.as_mut().unwrap().swap(0, 1),
            Step::Reopen => {
                let again = quiet().open(self.path()).unwrap();
                self.handles.as_mut().unwrap()[0] = again;
            }
            Step::Reboot => {
                self.handles = None;
                let mut image = Image::read(&self.path(), 0);
                image.reboot();
                image.write();
                self.open();
            }
            Step::Compact => {
                self.handles = None;
                let compaction = quiet().compact(self.path()).unwrap();
                assert_eq!(compaction.series.1, model.series());
                self.open();
            }
        }
    }

    fn import(&mut self, model: &Model, amounts: &[(usize, u64)]) {
        let series: Vec<_> = amounts.iter().filter_map(in_json).collect();
        let success = amounts.iter().find(|(which, _)| *which == 0);
        // Numbered, so that no document repeats one before.
        let number = fs::read_dir(self.folder.path()).unwrap().count();
        let text = json!({
            "number": number,
            "commit_success": success.map_or(0, |(_, amount)| *amount),
            "series": series,
        });
        let path = self.folder.path().join(format!("{number}.json"));
        fs::write(&path, text.to_string()).unwrap();
        match (self.store().import(&path, false), &model.answer) {
            (Ok(Import::Added { counts, .. }), Answer::Counts(expected)) => {
                assert_eq!(counts, *expected);
                self.documents.push(path);
            }
            (
                Err(Error::Document(
                    DocumentError::Overflow { .. } | DocumentError::Content { .. },
                )),
                Answer::Refused,
            ) => {}
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    fn check(&self, model: &Model) {
        let store = self.store();
        let view = store.view().unwrap();
        assert_eq!(view.skipped, Vec::<String>::new());
        let document = view.to_document();
        assert_eq!(values_of(&document), model.shown());
        assert_eq!(gauges_of(&document), model.shown_gauges());
        let shares = view.sample(SHARE, &[]);
        let shares = shares.map(|_| count_and_sum(store, SHARE));
        assert_eq!(shares, model.shown_shares());
        assert_eq!(
            view.sample(INFO.0, INFO.1).is_some(),
            model.shows(&key(INFO))
        );
        assert_eq!(view.epoch, model.epoch);
        let health = store.health().unwrap();
        assert_eq!(health.series, model.series());
        assert_ne!(health.published, Published::Foreign);
        let help = store
            .family(DECLARED)
            .map(|family| family.help().to_owned());
        let expected = model.help.map(|text| declaration(text).help().to_owned());
        assert_eq!(help.filter(|help| !help.is_empty()), expected);
        let numbers = model.snapshots.iter();
        let names: Vec<_> = numbers.map(|(number, _)| self.snapshots[number]).collect();
        assert_eq!(store.snapshots().unwrap(), names);
        let closed: Vec<_> = lines(store.path()).iter().map(totals_of).collect();
        assert_eq!(closed, model.closed);
    }

    /// Nothing was changed that stands on the disk, and nothing was left.
    fn check_files(&self, model: &Model) {
        let store = self.store();
        for (number, values) in &model.snapshots {
            let path = store.snapshot_path(self.snapshots[number]);
            assert_eq!(values_of(&Document::read(&path).unwrap()), *values);
        }
        let live = fs::read_dir(store.path().join("live")).unwrap().flatten();
        for file in live.map(|entry| entry.file_name()) {
            let known = [
                "lock",
                "processes",
                "segment-0000",
                "epochs.jsonl",
                "imports.jsonl",
            ];
            assert!(known.iter().any(|name| file == *name), "{file:?} was left");
        }
    }
}

fn declaration(text: usize) -> Family {
    Family::counter(DECLARED).with_help(format!("Text {text}."))
}

/// One series of a document, by its number: a counter, the histogram or a gauge.
fn in_json((which, amount): &(usize, u64)) -> Option<serde_json::Value> {
    if *which == 0 {
        return None;
    }
    if let Some((name, labels)) = COUNTERS.get(*which) {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        return Some(json!({"name": name, "type": "counter", "labels": labels, "value": amount}));
    }
    if *which > COUNTERS.len() {
        let name = GAUGES[which - COUNTERS.len() - 1];
        return Some(json!({"name": name, "type": "gauge", "value": *amount as f64}));
    }
    let steps = 5 * amount;
    let buckets = if *amount == 0 {
        json!([])
    } else {
        json!([[1.5, null, amount]])
    };
    Some(json!({"name": HISTOGRAM, "type": "histogram", "value": {
        "count": amount, "steps": steps, "sum": steps as f64 / 2.0, "classic": [1.5],
        "buckets": buckets, "steps_per_one": 2.0,
    }}))
}

impl StateMachineTest for System {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(_: &Model) -> Self {
        let mut system = Self {
            folder: folder(),
            handles: None,
            snapshots: BTreeMap::new(),
            documents: Vec::new(),
        };
        system.open();
        for family in families() {
            system.store().declare(&family).unwrap();
        }
        system
    }

    fn apply(mut system: Self, model: &Model, step: Step) -> Self {
        system.take(model, &step);
        system
    }

    fn check_invariants(system: &Self, model: &Model) {
        system.check(model);
    }

    fn teardown(system: Self, model: Model) {
        system.check_files(&model);
    }
}

/// A number from the environment.
fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn after_every_step_the_store_equals_the_model() {
    let sequences = number("DEESPEC_MODEL_SEQUENCES").unwrap_or(SEQUENCES);
    let seed = number("DEESPEC_MODEL_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    std::thread::scope(|scope| {
        for thread in 0..threads.min(sequences) {
            let config = Config {
                cases: sequences / threads + u32::from(thread < sequences % threads),
                failure_persistence: None,
                rng_seed: RngSeed::Fixed(seed.wrapping_add(u64::from(thread))),
                ..Config::default()
            };
            scope.spawn(move || {
                let strategy = Reference::sequential_strategy(1..STEPS);
                let mut runner = TestRunner::new(config.clone());
                let outcome = runner.run(&strategy, |(model, steps, seen)| {
                    System::test_sequential(config.clone(), model, steps, seen);
                    Ok(())
                });
                if let Err(failure) = outcome {
                    panic!("DEESPEC_MODEL_SEED={seed}: {failure}");
                }
            });
        }
    });
    println!("model: {sequences} sequences (DEESPEC_MODEL_SEED={seed})");
}
