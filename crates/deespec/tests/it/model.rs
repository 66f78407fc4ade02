//! The store against a plain model in memory: after every step of any sequence they are equal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use deespec::{
    Buckets, Distribution, Document, DocumentError, Error, Family, Import, Published, Retention,
    Rotate, SnapshotName, Store, TRANSACTIONS,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use crate::epochs::{lines, totals};
use crate::support::{Values, document_values, expected, folder, quiet};

/// The cases of one run; together with their steps they take a few seconds.
const CASES: u32 = 1500;

#[derive(Debug, Clone)]
enum Step {
    /// Count in one of the built-in series or the others, which registers it.
    Add(usize, u64),
    /// Observe one of a few values in the histogram.
    Observe(usize),
    /// Set one of the gauges.
    Set(usize, f64),
    /// Remove one of the series, the built-in ones excepted.
    Remove(usize),
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

/// The histogram, and the gauges; they are numbered behind the counters.
const HISTOGRAM: &str = "h";
const GAUGES: [&str; 2] = ["g", "g_bytes"];
const ALL: usize = NAMES.len() + 1 + GAUGES.len();

/// The steps and the bucket of what can be observed, below 1.5 or above: a half is one step.
const OBSERVED: [(f64, i64, usize); 5] = [
    (0.0, 0, 0),
    (1.0, 2, 0),
    (-0.5, -1, 0),
    (2.5, 5, 1),
    (f64::INFINITY, 1 << 62, 1),
];

fn histogram() -> Family {
    let buckets = Buckets::classic([1.5]).unwrap();
    Family::histogram(HISTOGRAM, buckets.with_resolution(0.5).unwrap())
}

/// A histogram is modelled as three counters: its sum in steps and its two buckets.
fn parts() -> [String; 3] {
    [-1, 0, 1].map(|part| format!("{HISTOGRAM}|{part}"))
}

fn name(series: usize) -> String {
    if series >= NAMES.len() {
        return [HISTOGRAM, GAUGES[0], GAUGES[1]][series - NAMES.len()].to_owned();
    }
    let (name, labels) = NAMES[series];
    labels
        .iter()
        .fold(name.to_owned(), |key, (k, v)| format!("{key},{k}={v}"))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let series = 0..NAMES.len();
    let amount = prop_oneof![8 => 0u64..1000, 1 => Just(u64::MAX / 3), 1 => any::<u64>()];
    let index = || any::<prop::sample::Index>();
    let gauge = prop_oneof![Just(0.0), Just(-1.5), Just(f64::INFINITY), -1e9..1e9];
    let step = prop_oneof![
        10 => (series.clone(), amount.clone()).prop_map(|(s, n)| Step::Add(s, n)),
        4 => (0..OBSERVED.len()).prop_map(Step::Observe),
        3 => (0..GAUGES.len(), gauge).prop_map(|(g, value)| Step::Set(g, value)),
        3 => (TRANSACTIONS.len()..ALL).prop_map(Step::Remove),
        2 => series.clone().prop_map(Step::Register),
        3 => Just(Step::Rotate),
        1 => (0..4usize).prop_map(Step::Keep),
        2 => Just(Step::Snapshot),
        3 => index().prop_map(Step::Restore),
        2 => vec((0..ALL, amount), 0..5).prop_map(Step::Import),
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
    gauges: BTreeMap<&'static str, f64>,
    /// Series that were removed and not used since.
    hidden: BTreeSet<String>,
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

/// What a model has of a document: its counters, and the parts of its histogram.
fn values_of(document: &Document) -> Values {
    let mut values = document_values(document);
    let found = document
        .series
        .iter()
        .find(|series| series.name == HISTOGRAM);
    if let Some(found) = found.and_then(|series| series.value.histogram()) {
        insert_parts(&mut values, found);
    }
    values
}

fn insert_parts(values: &mut Values, found: &Distribution) {
    let steps = found.steps().cast_unsigned();
    let cells = [steps, found.counts()[0], found.counts()[1]];
    values.extend(parts().into_iter().zip(cells));
}

/// The totals of one line of `epochs.jsonl`.
fn totals_of(line: &serde_json::Value) -> Values {
    let mut values = totals(line);
    let all = line["totals"].as_array().unwrap();
    if let Some(found) = all.iter().find(|total| total["name"] == HISTOGRAM) {
        let found = serde_json::from_value(found["total"].clone()).unwrap();
        insert_parts(&mut values, &found);
    }
    values
}

fn gauges_of(document: &Document) -> BTreeMap<String, u64> {
    let gauges = document.series.iter();
    gauges
        .filter_map(|series| Some((series.name.clone(), series.value.gauge()?.to_bits())))
        .collect()
}

impl Model {
    /// Without what is hidden.
    fn shown(&self, values: &Values) -> Values {
        let shown = |key: &String| !self.hidden.contains(key.split('|').next().unwrap_or(key));
        let values = values.iter().filter(|(key, _)| shown(key));
        values.map(|(key, value)| (key.clone(), *value)).collect()
    }

    /// What a closing snapshot has: also what was removed, where the epoch counted it.
    fn closing(&self) -> Values {
        let mut values = self.shown(&self.values);
        let name = |key: &String| key.split('|').next().unwrap_or(key).to_owned();
        let counted: BTreeSet<String> = self
            .values
            .iter()
            .filter(|(_, value)| **value != 0)
            .map(|(key, _)| name(key))
            .collect();
        let with_removed = self.values.iter();
        values.extend(
            with_removed
                .filter(|(key, _)| counted.contains(&name(key)))
                .map(|(key, value)| (key.clone(), *value)),
        );
        values
    }

    fn shown_gauges(&self) -> BTreeMap<String, u64> {
        let shown = self
            .gauges
            .iter()
            .filter(|(name, _)| !self.hidden.contains(**name));
        shown
            .map(|(name, value)| ((*name).to_owned(), value.to_bits()))
            .collect()
    }

    /// A removed series is back once it has counted something.
    fn count(&mut self, name: String, amount: u64) {
        if amount > 0 {
            self.hidden.remove(&name);
        }
        self.add(name, amount);
    }

    fn observe(&mut self, (_, steps, bucket): (f64, i64, usize), times: u64) {
        self.hidden.remove(HISTOGRAM);
        let [sum, low, high] = parts();
        self.add(sum, steps.cast_unsigned().wrapping_mul(times));
        self.add(low, times * u64::from(bucket == 0));
        self.add(high, times * u64::from(bucket == 1));
    }

    fn is_registered(&self, name: &str) -> bool {
        let part = format!("{name}|0");
        let gauge = self.gauges.keys().any(|gauge| *gauge == name);
        gauge || self.values.contains_key(name) || self.values.contains_key(&part)
    }

    /// How many series were ever registered, the removed ones included.
    fn series(&self) -> usize {
        let parts = self.values.keys().filter(|key| key.contains('|')).count();
        self.values.len() - parts + parts / 3 + self.gauges.len()
    }

    fn add(&mut self, name: String, amount: u64) {
        for values in [&mut self.values, &mut self.totals] {
            let value = values.entry(name.clone()).or_default();
            *value = value.wrapping_add(amount);
        }
    }

    /// Closes the epoch; the next one begins with these values.
    fn close(&mut self, snapshot: SnapshotName, next: &Values) {
        let closing = self.closing();
        let totals = self.totals.iter();
        let closed = totals.filter(|(key, _)| closing.contains_key(*key));
        self.closed
            .push(closed.map(|(key, total)| (key.clone(), *total)).collect());
        for (name, value) in &mut self.values {
            *value = next.get(name).copied().unwrap_or(0);
        }
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
        store.declare(&histogram()).unwrap();
        let zeros = expected([0; 4], &[]);
        let model = Model {
            epoch: 1,
            values: zeros.clone(),
            totals: zeros,
            gauges: BTreeMap::new(),
            hidden: BTreeSet::new(),
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
                model.count(name(*series), *amount);
            }
            Step::Observe(index) => {
                store
                    .histogram(HISTOGRAM)
                    .unwrap()
                    .observe(OBSERVED[*index].0);
                model.observe(OBSERVED[*index], 1);
            }
            Step::Set(index, value) => {
                store.gauge(GAUGES[*index]).unwrap().set(*value);
                model.gauges.insert(GAUGES[*index], *value);
                model.hidden.remove(GAUGES[*index]);
            }
            Step::Remove(series) => {
                let (name_only, labels) = match NAMES.get(*series) {
                    Some(counter) => *counter,
                    None => (
                        [HISTOGRAM, GAUGES[0], GAUGES[1]][series - NAMES.len()],
                        &[][..],
                    ),
                };
                let key = name(*series);
                let found = store.remove(name_only, labels).unwrap();
                assert_eq!(found, model.is_registered(&key));
                if found {
                    model.hidden.insert(key);
                }
            }
            Step::Register(series) => {
                let (name_only, labels) = NAMES[*series];
                store.counter_with(name_only, labels).unwrap();
                model.add(name(*series), 0);
            }
            Step::Rotate => {
                let rotation = store.rotate(Rotate::Reset).unwrap();
                assert_eq!(values_of(&rotation.closing), model.closing());
                assert_eq!(gauges_of(&rotation.closing), model.shown_gauges());
                model.close(rotation.snapshot, &Values::new());
                assert_eq!(rotation.epoch, model.epoch);
            }
            Step::Keep(keep) => {
                let retention = Retention::default().max_count(*keep);
                let kept = store.rotate_because(Rotate::KeepCounters, "", &retention);
                let kept = kept.unwrap();
                let values = model.shown(&model.values);
                assert_eq!(values_of(&kept.closing), values);
                model.snapshots.push((kept.snapshot, values));
                // What was just taken is kept in any case.
                assert_eq!(kept.pruned, model.prune((*keep).max(1)));
            }
            Step::Snapshot => {
                let name = store.snapshot().unwrap().name;
                let values = model.shown(&model.values);
                model.snapshots.push((name, values));
            }
            Step::Restore(index) => {
                if model.snapshots.is_empty() {
                    return;
                }
                let (name, values) = index.get(&model.snapshots).clone();
                let restored = store.restore(&store.snapshot_path(name), "", false);
                let closing = SnapshotName::of(&restored.unwrap().path).unwrap();
                // What is restored is back before the epoch is closed.
                let named = values.keys();
                let named = named.map(|key| key.split('|').next().unwrap_or(key));
                for name in named {
                    model.hidden.remove(name);
                }
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
                let published = published.unwrap();
                assert_eq!(values_of(&published), model.shown(&model.values));
                assert_eq!(gauges_of(&published), model.shown_gauges());
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
        let mut gauges = BTreeMap::new();
        let mut observed = None;
        // Unique, so that no generated document repeats one before.
        let number = self.model.documents.len();
        let mut text = format!(r#"{{"number": {number}, "commit_success": "#);
        let mut success = 0;
        for (index, amount) in amounts {
            let index = *index;
            if index == 0 {
                success = *amount;
            } else if index < 4 || series.iter().any(|(known, _)| *known == index) {
                continue;
            } else if let Some((name_only, labels)) = NAMES.get(index) {
                values.insert(name(index), *amount);
                let labels: BTreeMap<_, _> = labels.iter().copied().collect();
                let counter = serde_json::json!(
                    {"name": name_only, "type": "counter", "labels": labels, "value": amount}
                );
                series.push((index, counter));
            } else if index == NAMES.len() {
                let times = amount % 100;
                let steps = 5 * times;
                let buckets = serde_json::json!([[1.5, null, times]]);
                observed = Some(times);
                let histogram = serde_json::json!({"name": HISTOGRAM, "type": "histogram", "value":
                    {"count": times, "steps": steps, "sum": steps as f64 / 2.0, "classic": [1.5],
                     "buckets": if times == 0 { serde_json::json!([]) } else { buckets },
                     "steps_per_one": 2.0}});
                series.push((index, histogram));
            } else {
                let gauge = GAUGES[index - NAMES.len() - 1];
                gauges.insert(gauge, *amount as f64);
                let json =
                    serde_json::json!({"name": gauge, "type": "gauge", "value": *amount as f64});
                series.push((index, json));
            }
        }
        let all: Vec<_> = series.into_iter().map(|(_, json)| json).collect();
        text.push_str(&format!(
            r#"{success}, "series": {}}}"#,
            serde_json::json!(all)
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
            return;
        }
        let Import::Added { counts, .. } = import.unwrap() else {
            panic!("the document was not new");
        };
        let sum = values.values().chain(&observed);
        assert_eq!(
            counts,
            sum.fold(0, |sum: u64, value| sum.wrapping_add(*value))
        );
        for (name, value) in values {
            self.model.count(name, value);
        }
        if let Some(times) = observed {
            self.model.observe(OBSERVED[3], times);
        }
        // Only gauges that were not set: new ones, removed ones, and those of zeros.
        for (name, value) in gauges {
            let model = &mut self.model;
            let known = model.gauges.get(name).copied().unwrap_or_default();
            if known.to_bits() == 0 || model.hidden.remove(name) {
                model.gauges.insert(name, value);
            }
            model.hidden.remove(name);
        }
        self.model.documents.push(path);
    }

    fn check(&self) {
        let (store, model) = (&self.store, &self.model);
        let view = store.view().unwrap();
        assert_eq!(view.skipped, Vec::<String>::new());
        let document = view.to_document();
        assert_eq!(values_of(&document), model.shown(&model.values));
        assert_eq!(gauges_of(&document), model.shown_gauges());
        assert_eq!(view.epoch, model.epoch);
        let health = store.health().unwrap();
        assert_eq!(health.series, model.series());
        assert_ne!(health.published, Published::Foreign);
        let names: Vec<SnapshotName> = model.snapshots.iter().map(|(name, _)| *name).collect();
        assert_eq!(store.snapshots().unwrap(), names);
        for (name, values) in &model.snapshots {
            let document = Document::read(&store.snapshot_path(*name)).unwrap();
            assert_eq!(values_of(&document), *values);
        }
        let lines = lines(store.path());
        assert_eq!(
            lines.iter().map(totals_of).collect::<Vec<_>>(),
            model.closed
        );
        let live = fs::read_dir(store.path().join("live")).unwrap().flatten();
        for file in live.map(|entry| entry.file_name()) {
            let known = [
                "lock",
                "open",
                "segment-0000",
                "epochs.jsonl",
                "imports.jsonl",
            ];
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
