//! Counts a store again from its files and looks for anything that must not be there.
//!
//! After one `sync` by a new opener: the lock is free, no temporary and no intent file is left,
//! `metrics.json` equals the view, `epochs.jsonl` has each epoch once and its snapshot with the
//! same values, what the epochs counted adds up to the totals, and no snapshot shows more of an
//! epoch than its closing: an increment is in one epoch only, whoever looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use deespec::Value as Metric;
use deespec::{Buckets, Distribution, Document, DocumentKind, Store, View, WideSum};
use serde_json::Value;

use crate::opening::options;
use crate::{Result, ui};

/// What may lie in `live/` beside segments, where nobody is at work.
const LIVE: [&str; 6] = [
    "lock",
    "open",
    "processes",
    "epochs.jsonl",
    "imports.jsonl",
    "pushes.jsonl",
];

/// Values by series, written `name{label="value"}`.
pub(crate) type Values = BTreeMap<String, u64>;

/// What the record of epochs is at least when its oldest lines have gone.
const LONG_RECORD: usize = 1 << 20;

/// What the caller knows of the store's history.
#[derive(Default)]
pub(crate) struct History<'a> {
    /// The document with which each epoch began that a restoration began.
    pub(crate) restored: Option<&'a Values>,
    /// Closing snapshots may have been removed; the totals in `epochs.jsonl` are believed then.
    pub(crate) pruned: bool,
    /// The record of epochs may have lost its oldest lines.
    pub(crate) shortened: bool,
    /// The store may not have been made yet; the audit then makes it.
    pub(crate) unmade: bool,
    /// Series that somebody has removed: a snapshot may show them, and their epoch need not.
    pub(crate) removed: Option<&'a BTreeSet<String>>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Audit {
    /// The current epoch.
    pub(crate) epoch: u64,
    /// What it counts.
    pub(crate) current: Values,
    /// What each closed epoch counted, from 1.
    pub(crate) closed: BTreeMap<u64, Values>,
    /// What was counted in all epochs together.
    pub(crate) counted: Values,
    /// Count and sum, in steps, of everything that each histogram ever observed.
    pub(crate) observed: BTreeMap<String, (u64, i64)>,
    pub(crate) violations: Vec<String>,
}

/// Audits the store in `root` with processes at rest. A store that cannot be opened or synced is a
/// violation as well.
pub(crate) fn audit(root: &Path, history: &History<'_>) -> Audit {
    let mut audit = Audit::default();
    if let Err(error) = audit.examine(root, history) {
        audit.violations.push(ui::chain(error.as_ref()));
    }
    audit
}

/// The key of a series in [`Values`].
pub(crate) fn key<T: Ord + std::fmt::Debug>(
    name: &str,
    labels: impl IntoIterator<Item = (T, T)>,
) -> String {
    let labels: BTreeMap<_, _> = labels.into_iter().collect();
    match labels.is_empty() {
        true => name.to_owned(),
        false => format!("{name}{labels:?}"),
    }
}

/// The key of a series with one label.
pub(crate) fn labelled(name: &str, label: &str, value: &str) -> String {
    key(
        name,
        &BTreeMap::from([(label.to_owned(), value.to_owned())]),
    )
}

/// Every value of a document, that of a counter with fractions in billionths; a series that stands there twice is a violation.
pub(crate) fn values(document: &Document, violations: &mut Vec<String>) -> Values {
    let four = &document.transactions;
    let names = deespec::TRANSACTIONS.map(str::to_owned);
    let amounts = [four.success, four.failed, four.conflicts, four.recoveries];
    let mut values: Values = names.into_iter().zip(amounts).collect();
    for series in &document.series {
        let key = key(&series.name, &series.labels);
        if let Some(found) = series.value.histogram() {
            values.extend(buckets(&key, found));
        }
        let count = match &series.value {
            Metric::Counter(count) => *count,
            Metric::Fractions(sum) => sum.billionths() as u64,
            Metric::Summary(found) => found.count,
            _ => continue,
        };
        if values.insert(key.clone(), count).is_some() {
            violations.push(format!("{key} stands twice in one document"));
        }
    }
    values
}

/// What a histogram counts, bucket by bucket, of those that are not empty.
fn buckets(key: &str, found: &Distribution) -> Vec<(String, u64)> {
    let counts = found.counts().iter().copied().zip(0..);
    counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, index)| (bucket_key(key, index), count))
        .collect()
}

/// The key of a bucket of a histogram.
pub(crate) fn bucket_key(key: &str, index: usize) -> String {
    format!("{key} bucket {index}")
}

/// The key of what was observed with this value, in a histogram of seconds without labels.
pub(crate) fn observed(name: &str, value: f64) -> String {
    let buckets = Buckets::seconds();
    let holds = |index: &usize| {
        let (lower, upper) = buckets.bounds(*index);
        lower < value && value <= upper
    };
    bucket_key(name, (0..buckets.len()).find(holds).unwrap_or_default())
}

impl Audit {
    /// The value of a series over all epochs, 0 where there is none.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.counted.get(key).copied().unwrap_or(0)
    }

    /// Compares the highest sums over all series that readers saw, by epoch, with what the epochs
    /// counted in the end.
    pub(crate) fn compare_seen(&mut self, seen: &BTreeMap<u64, u64>) {
        for (epoch, seen) in seen {
            let last = match self.closed.get(epoch) {
                Some(closing) => sum(closing),
                None if *epoch == self.epoch => sum(&self.current),
                None => continue,
            };
            if *seen > last {
                self.violations.push(format!(
                    "a reader saw {seen} in epoch {epoch}, which counted {last}"
                ));
            }
        }
    }

    fn examine(&mut self, root: &Path, history: &History<'_>) -> Result<()> {
        let live = root.join("live");
        match File::open(live.join("lock")) {
            Ok(lock) => lock
                .try_lock()
                .map_err(|error| format!("the lock is not free: {error}"))?,
            Err(error) if !history.unmade => return Err(error.into()),
            Err(_) => {}
        }
        let store = options().create(history.unmade).open(root)?;
        let view = store.sync()?;
        self.leftovers(&live)?;
        self.views(root, &store, &view)?;
        let lines = self.lines(&live, history.shortened)?;
        self.closings(&store, &lines, history)?;
        self.between(&store, history)
    }

    /// Compares snapshots that were taken within an epoch with what it counted in the end.
    fn between(&mut self, store: &Store, history: &History<'_>) -> Result<()> {
        for name in store.snapshots()? {
            let document = Document::read(&store.snapshot_path(name))?;
            let epoch = document.epoch.unwrap_or(0);
            let taken = values(&document, &mut self.violations);
            let last = match self.closed.get(&epoch) {
                Some(closing) => closing,
                None if epoch == self.epoch => &self.current,
                None => continue,
            };
            for (key, taken) in taken {
                if history
                    .removed
                    .is_some_and(|removed| removed.contains(&key))
                {
                    continue;
                }
                let last = last.get(&key).copied().unwrap_or(0);
                if taken > last {
                    self.violations.push(format!(
                        "{name} shows {taken} of {key} in epoch {epoch}, which counted {last}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn leftovers(&mut self, live: &Path) -> Result<()> {
        for entry in std::fs::read_dir(live)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let lawful = LIVE.contains(&name.as_str()) || name.starts_with("segment-");
            if !lawful {
                self.violations.push(format!("live/{name} is left over"));
            }
        }
        Ok(())
    }

    fn views(&mut self, root: &Path, store: &Store, view: &View) -> Result<()> {
        for skipped in &view.skipped {
            self.violations.push(format!("skipped: {skipped}"));
        }
        let document = view.to_document();
        self.epoch = view.epoch;
        self.current = values(&document, &mut self.violations);
        for sample in view.samples() {
            match &sample.total {
                Metric::Processes(shares) if shares.count > 0 => {
                    let (count, name) = (shares.count, &sample.name);
                    self.violations
                        .push(format!("{count} dead processes have shares in {name}"));
                }
                Metric::Histogram(found) => {
                    let key = key(&sample.name, &sample.labels);
                    self.observed.insert(key, (found.count(), found.steps()));
                }
                _ => {}
            }
        }
        let published = Document::read(&root.join("metrics.json"))?;
        // As text: the smallest share of none is no number, which equals nothing.
        let values = |document: &Document| document.to_json();
        if values(&published) != values(&document) {
            self.violations
                .push("metrics.json is not the view that was published".into());
        }
        let health = store.health()?;
        if health.degraded {
            self.violations.push("the store is degraded".into());
        }
        Ok(())
    }

    fn lines(&mut self, live: &Path, shortened: bool) -> Result<Vec<Value>> {
        let path = live.join("epochs.jsonl");
        let text = match path.exists() {
            true => std::fs::read_to_string(&path)?,
            false => String::new(),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            self.violations
                .push("epochs.jsonl ends with a torn line".into());
        }
        let mut lines = Vec::<Value>::new();
        let mut expected = 1;
        for line in text.lines() {
            let line: Value = serde_json::from_str(line)?;
            // As long as that it is only where it has been shortened, or soon will be.
            if lines.is_empty() && (shortened || text.len() >= LONG_RECORD) {
                expected = epoch_of(&line);
            }
            let epoch = expected;
            expected += 1;
            let (found, next) = (line["epoch"].as_u64(), line["next"].as_u64());
            if (found, next) != (Some(epoch), Some(epoch + 1)) {
                self.violations.push(format!(
                    "line {epoch} of epochs.jsonl closes epoch {found:?} and begins {next:?}"
                ));
            }
            lines.push(line);
        }
        if expected != self.epoch {
            self.violations.push(format!(
                "{} epochs are closed in epochs.jsonl, but epoch {} is open",
                lines.len(),
                self.epoch
            ));
        }
        Ok(lines)
    }

    /// Compares each closing snapshot with its line, and adds up what the epochs counted.
    fn closings(&mut self, store: &Store, lines: &[Value], history: &History<'_>) -> Result<()> {
        let mut rotations = BTreeMap::new();
        for name in store.snapshots()? {
            let document = Document::read(&store.snapshot_path(name))?;
            if document.kind == Some(DocumentKind::Rotation) {
                rotations.insert(name.to_string(), document.epoch);
            }
        }
        let nothing = Values::new();
        let mut before = Values::new();
        let mut start = &nothing;
        let first = lines.first().map_or(1, epoch_of);
        for (line, epoch) in lines.iter().zip(first..) {
            let name = line["snapshot"].as_str().unwrap_or_default().to_owned();
            let is_there = rotations.remove(&name).is_some();
            let totals = match line["totals"].is_null() {
                false => totals(line),
                // Of many series only the snapshot tells.
                true if is_there => {
                    let document = Document::read(&store.snapshot_path(name.parse()?))?;
                    let closing = values(&document, &mut self.violations);
                    let mut totals = before.clone();
                    add(&mut totals, &difference(&closing, start));
                    totals
                }
                true => before.clone(),
            };
            let grown: Values = totals
                .iter()
                .map(|(key, total)| {
                    let before = before.get(key).copied().unwrap_or(0);
                    (key.clone(), total.wrapping_sub(before))
                })
                .collect();
            if is_there {
                let path = store.snapshot_path(name.parse()?);
                let document = Document::read(&path)?;
                if document.epoch != Some(epoch) || document.store_id != Some(store.id()) {
                    self.violations
                        .push(format!("{name} does not close epoch {epoch}"));
                }
                let closing = values(&document, &mut self.violations);
                let gained = difference(&closing, start);
                // What the first line adds up are all epochs before it, too.
                let alone = epoch == 1 || epoch > first;
                if alone && without_zeros(&gained) != without_zeros(&grown) {
                    self.violations.push(format!(
                        "{name} and the totals of epoch {epoch} in epochs.jsonl differ"
                    ));
                }
                self.closed.insert(epoch, closing);
            } else if !history.pruned {
                self.violations
                    .push(format!("epoch {epoch} has no closing snapshot ({name})"));
            }
            add(&mut self.counted, &grown);
            before = totals;
            start = match line["kind"].as_str() {
                Some("restore") => history.restored.unwrap_or(&nothing),
                _ => &nothing,
            };
        }
        let gained = difference(&self.current, start);
        add(&mut self.counted, &gained);
        rotations.retain(|_, epoch| *epoch >= Some(first));
        for name in rotations.into_keys() {
            self.violations
                .push(format!("{name} closes an epoch that no line names"));
        }
        Ok(())
    }
}

/// The epoch that a line closes.
fn epoch_of(line: &Value) -> u64 {
    line["epoch"].as_u64().unwrap_or(0)
}

fn totals(line: &Value) -> Values {
    let one = |total: &Value| {
        let labels = total["labels"].as_object().cloned().unwrap_or_default();
        let labels: BTreeMap<_, _> = labels
            .into_iter()
            .map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let key = key(total["name"].as_str().unwrap_or_default(), &labels);
        let (exact, total) = (&total["exact"], &total["total"]);
        let exact: Option<WideSum> = exact.as_str().and_then(|exact| exact.parse().ok());
        // A histogram with a wide sum has it too.
        let is_summary = total["exact"].is_string() && total["buckets"].is_null();
        let count = match exact {
            Some(sum) => Some(sum.billionths() as u64),
            None if is_summary => total["count"].as_u64(),
            None => total.as_u64(),
        };
        match count {
            Some(count) => vec![(key, count)],
            None => serde_json::from_value(total.clone())
                .map_or_else(|_| Vec::new(), |found| buckets(&key, &found)),
        }
    };
    line["totals"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(one)
        .collect()
}

/// The sum over all series; wrapping, since what is wrong may be huge.
pub(crate) fn sum(values: &Values) -> u64 {
    values.values().copied().fold(0, u64::wrapping_add)
}

/// What `values` gained over `start`; wrapping, so that a loss shows as a huge number.
fn difference(values: &Values, start: &Values) -> Values {
    let keys: BTreeSet<&String> = values.keys().chain(start.keys()).collect();
    let of = |values: &Values, key: &String| values.get(key).copied().unwrap_or(0);
    keys.into_iter()
        .map(|key| (key.clone(), of(values, key).wrapping_sub(of(start, key))))
        .collect()
}

fn add(sums: &mut Values, more: &Values) {
    for (key, value) in more {
        let sum = sums.entry(key.clone()).or_default();
        *sum = sum.wrapping_add(*value);
    }
}

fn without_zeros(values: &Values) -> BTreeMap<&str, u64> {
    let nonzero = values.iter().filter(|(_, value)| **value != 0);
    nonzero.map(|(key, value)| (key.as_str(), *value)).collect()
}
