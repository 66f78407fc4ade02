//! The store against a plain model in memory: after every step of any sequence they are equal.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use deespec::{
    Document, DocumentError, Error, Import, Published, Retention, Rotate, SnapshotName, Store,
    TRANSACTIONS,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use crate::epochs::{lines, totals};
use crate::support::{Values, document_values, expected, folder, quiet, store_values};

/// The cases of one run; together with their steps they take a few seconds.
const CASES: u32 = 1500;

#[derive(Debug, Clone)]
enum Step {
    /// Count in one of the built-in series or the others, which registers it.
    Add(usize, u64),
    Register(usize),
    Rotate,
    Keep(usize),
    Snapshot,
    /// Restore one of the snapshots there are.
    Restore(prop::sample::Index),
    /// Import a document with these values, or one that was imported before.
    Import(Vec<(usize, u64)>),
    ImportAgain(prop::sample::Index),
    Sync,
    /// Go on with the other of two handles.
    Switch,
    Reopen,
    Prune(usize),
}

/// The series that steps use, the four built-in ones first.
const NAMES: [(&str, &[(&str, &str)]); 9] = [
    (TRANSACTIONS[0], &[]),
    (TRANSACTIONS[1], &[]),
    (TRANSACTIONS[2], &[]),
    (TRANSACTIONS[3], &[]),
    ("a_total", &[]),
    ("a_total", &[("k", "")]),
    ("a_total", &[("k", "v")]),
    ("b_total", &[("a", "\n\"ä"), ("z", "1")]),
    (TRANSACTIONS[0], &[("by", "x")]),
];

fn name(series: usize) -> String {
    let (name, labels) = NAMES[series];
    labels
        .iter()
        .fold(name.to_owned(), |key, (k, v)| format!("{key},{k}={v}"))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let series = 0..NAMES.len();
    let amount = prop_oneof![8 => 0u64..1000, 1 => Just(u64::MAX / 3), 1 => any::<u64>()];
    let index = || any::<prop::sample::Index>();
    let step = prop_oneof![
        10 => (series.clone(), amount.clone()).prop_map(|(s, n)| Step::Add(s, n)),
        2 => series.clone().prop_map(Step::Register),
        3 => Just(Step::Rotate),
        1 => (0..4usize).prop_map(Step::Keep),
        2 => Just(Step::Snapshot),
        3 => index().prop_map(Step::Restore),
        2 => vec((series, amount), 0..4).prop_map(Step::Import),
        1 => index().prop_map(Step::ImportAgain),
        1 => Just(Step::Sync),
        3 => Just(Step::Switch),
        2 => Just(Step::Reopen),
        1 => (0..6usize).prop_map(Step::Prune),
    ];
    vec(step, 1..40)
}

/// What the store should be.
struct Model {
    epoch: u64,
    /// In the current epoch; a series is here from its registration on.
    values: Values,
    totals: Values,
    /// Totals as each closed epoch left them.
    closed: Vec<Values>,
    snapshots: Vec<(SnapshotName, Values)>,
    documents: Vec<PathBuf>,
}

struct Run {
    folder: TempDir,
    store: Store,
    other: Store,
    model: Model,
}

impl Model {
    fn add(&mut self, name: String, amount: u64) {
        for values in [&mut self.values, &mut self.totals] {
            let value = values.entry(name.clone()).or_default();
            *value = value.wrapping_add(amount);
        }
    }

    /// Closes the epoch; the next one begins with these values.
    fn close(&mut self, snapshot: SnapshotName, next: &Values) {
        let closing = self.values.clone();
        for (name, value) in &mut self.values {
            *value = next.get(name).copied().unwrap_or(0);
        }
        self.closed.push(self.totals.clone());
        self.snapshots.push((snapshot, closing));
        self.epoch += 1;
    }

    fn prune(&mut self, keep: usize) -> Vec<SnapshotName> {
        let gone = self.snapshots.len().saturating_sub(keep);
        self.snapshots.drain(..gone).map(|(name, _)| name).collect()
    }
}

impl Run {
    fn new() -> Self {
        let folder = folder();
        let open = || quiet().open(folder.path().join("var")).unwrap();
        let (store, other) = (open(), open());
        let zeros = expected([0; 4], &[]);
        let model = Model {
            epoch: 1,
            values: zeros.clone(),
            totals: zeros,
            closed: Vec::new(),
            snapshots: Vec::new(),
            documents: Vec::new(),
        };
        Self {
            folder,
            store,
            other,
            model,
        }
    }

    fn take(&mut self, step: &Step) {
        let (store, model) = (&self.store, &mut self.model);
        match step {
            Step::Add(series, amount) => {
                let (name_only, labels) = NAMES[*series];
                store.counter_with(name_only, labels).unwrap().add(*amount);
                model.add(name(*series), *amount);
            }
            Step::Register(series) => {
                let (name_only, labels) = NAMES[*series];
                store.counter_with(name_only, labels).unwrap();
                model.add(name(*series), 0);
            }
            Step::Rotate => {
                let rotation = store.rotate(Rotate::Reset).unwrap();
                assert_eq!(document_values(&rotation.closing), model.values);
                model.close(rotation.snapshot, &Values::new());
                assert_eq!(rotation.epoch, model.epoch);
            }
            Step::Keep(keep) => {
                let retention = Retention::default().max_count(*keep);
                let kept = store.rotate_because(Rotate::KeepCounters, "", &retention);
                let kept = kept.unwrap();
                let values = model.values.clone();
                assert_eq!(document_values(&kept.closing), values);
                model.snapshots.push((kept.snapshot, values));
                // What was just taken is kept in any case.
                assert_eq!(kept.pruned, model.prune((*keep).max(1)));
            }
            Step::Snapshot => {
                let name = store.snapshot().unwrap().name;
                model.snapshots.push((name, model.values.clone()));
            }
            Step::Restore(index) => {
                if model.snapshots.is_empty() {
                    return;
                }
                let (name, values) = index.get(&model.snapshots).clone();
                let restored = store.restore(&store.snapshot_path(name), "", false);
                let closing = SnapshotName::of(&restored.unwrap().path).unwrap();
                model.close(closing, &values);
            }
            Step::Import(amounts) => self.import(amounts),
            Step::ImportAgain(index) => {
                if let Some(document) = model
                    .documents
                    .get(index.index(model.documents.len().max(1)))
                {
                    let again = store.import(document, false).unwrap();
                    assert!(matches!(again, Import::Already { .. }));
                }
            }
            Step::Sync => {
                store.sync().unwrap();
                let published = Document::read(&store.path().join("metrics.json"));
                assert_eq!(document_values(&published.unwrap()), model.values);
            }
            Step::Switch => std::mem::swap(&mut self.store, &mut self.other),
            Step::Reopen => self.store = quiet().open(self.store.path()).unwrap(),
            Step::Prune(keep) => {
                let retention = Retention::default().max_count(*keep);
                let retention = retention.max_age(Duration::from_secs(3600));
                assert_eq!(store.prune(&retention).unwrap(), model.prune(*keep));
            }
        }
    }

    fn import(&mut self, amounts: &[(usize, u64)]) {
        let mut values = Values::new();
        let mut series = Vec::new();
        // Unique, so that no generated document repeats one before.
        let number = self.model.documents.len();
        let mut text = format!(r#"{{"number": {number}, "commit_success": "#);
        let mut success = 0;
        for (index, amount) in amounts {
            if *index == 0 {
                success = *amount;
            } else if *index > 3 && !values.contains_key(&name(*index)) {
                values.insert(name(*index), *amount);
                let (name, labels) = NAMES[*index];
                let labels: std::collections::BTreeMap<_, _> = labels.iter().copied().collect();
                series.push(serde_json::json!(
                    {"name": name, "type": "counter", "labels": labels, "value": amount}
                ));
            }
        }
        text.push_str(&format!(
            r#"{success}, "series": {}}}"#,
            serde_json::json!(series)
        ));
        let path = self.folder.path().join(format!("{number}.json"));
        fs::write(&path, text).unwrap();
        values.insert(name(0), success);
        values.retain(|_, value| *value > 0);
        let totals = &self.model.totals;
        let fits = |(name, value): (&String, &u64)| {
            let total = totals.get(name).copied().unwrap_or(0);
            total.checked_add(*value).is_some()
        };
        let import = self.store.import(&path, false);
        if !values.iter().all(fits) {
            let error = import.unwrap_err();
            assert!(matches!(
                error,
                Error::Document(DocumentError::Overflow { .. })
            ));
            // Nothing was added; new series may have been registered on the way.
            let known = store_values(&self.store);
            for name in values.into_keys().filter(|name| known.contains_key(name)) {
                self.model.add(name, 0);
            }
            return;
        }
        let import = import.unwrap();
        let counts = values
            .values()
            .fold(0, |sum: u64, value| sum.wrapping_add(*value));
        let series = values.len();
        assert_eq!(
            import,
            Import::Added {
                series,
                counts,
                passed_over: Vec::new()
            }
        );
        for (name, value) in values {
            self.model.add(name, value);
        }
        self.model.documents.push(path);
    }

    fn check(&self) {
        let (store, model) = (&self.store, &self.model);
        assert_eq!(store_values(store), model.values);
        assert_eq!(store.view().unwrap().epoch, model.epoch);
        let health = store.health().unwrap();
        assert_eq!(health.series, model.values.len());
        assert_ne!(health.published, Published::Foreign);
        let names: Vec<SnapshotName> = model.snapshots.iter().map(|(name, _)| *name).collect();
        assert_eq!(store.snapshots().unwrap(), names);
        for (name, values) in &model.snapshots {
            let document = Document::read(&store.snapshot_path(*name)).unwrap();
            assert_eq!(document_values(&document), *values);
        }
        let lines = lines(store.path());
        assert_eq!(lines.iter().map(totals).collect::<Vec<_>>(), model.closed);
        let live = fs::read_dir(store.path().join("live")).unwrap().flatten();
        for file in live.map(|entry| entry.file_name()) {
            let known = ["lock", "segment-0000", "epochs.jsonl", "imports.jsonl"];
            assert!(known.iter().any(|name| file == *name), "{file:?} was left");
        }
    }
}

#[test]
fn after_every_step_the_store_equals_the_model() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let mut run = Run::new();
        for step in &steps {
            run.take(step);
            run.check();
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
