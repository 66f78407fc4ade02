//! What a store should be, in plain memory, and what each step makes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::{Step, document};
use super::series::*;
use crate::support::{Values, expected};

/// What a step is to say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Done,
    Found(bool),
    Refused,
    Counts(u64),
}

#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) epoch: u64,
    /// In the current epoch; a series is here from its registration on.
    pub(super) values: Values,
    totals: Values,
    gauges: BTreeMap<&'static str, f64>,
    /// Series that have no values of their own: the per-process gauge and the info metric.
    others: BTreeSet<String>,
    /// This process' share, whether the store has an owner of one, and which handles of this process
    /// keep its number locked: those that have asked who lives.
    share: Option<f64>,
    owned: bool,
    holders: BTreeSet<bool>,
    handle: bool,
    /// Series that were removed and not used since.
    hidden: BTreeSet<String>,
    /// The text of the declared family.
    pub(super) help: Option<usize>,
    /// Totals as each closed epoch left them.
    pub(super) closed: Vec<Values>,
    /// By a number that says when it was taken.
    pub(super) snapshots: Vec<(usize, Values)>,
    taken: usize,
    documents: Vec<Values>,
    pub(super) answer: Answer,
}

impl Model {
    /// A new store, open twice.
    pub(super) fn new() -> Self {
        let zeros = expected([0; 4], &[]);
        Self {
            epoch: 1,
            values: zeros.clone(),
            totals: zeros,
            gauges: BTreeMap::new(),
            others: BTreeSet::new(),
            share: None,
            owned: false,
            holders: BTreeSet::new(),
            handle: false,
            hidden: BTreeSet::new(),
            help: None,
            closed: Vec::new(),
            snapshots: Vec::new(),
            taken: 0,
            documents: Vec::new(),
            answer: Answer::Done,
        }
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Add(which, amount) => self.count(key(COUNTERS[*which]), *amount),
            Step::AddLimited(which, amount) => self.add_limited(*which, *amount),
            Step::Observe(which, times) => self.observe(OBSERVED[*which], *times),
            Step::Set(which, value) => self.set(GAUGES[*which], |_| *value),
            Step::Change(which, change) => self.set(GAUGES[*which], |value| value + change),
            Step::SetShare(value) => {
                self.others.insert(SHARE.to_owned());
                self.hidden.remove(SHARE);
                self.share = Some(*value);
                self.owned = true;
            }
            Step::Inform => {
                self.others.insert(key(INFO));
                self.hidden.remove(&key(INFO));
            }
            Step::Remove(which) => {
                let key = key(removable()[*which]);
                let found = self.is_registered(&key);
                self.answer = Answer::Found(found);
                if found {
                    self.hidden.insert(key);
                }
            }
            Step::Declare(text) => match self.help {
                Some(help) if help != *text => self.answer = Answer::Refused,
                _ => self.help = Some(*text),
            },
            Step::Redeclare(text) => self.help = Some(*text),
            Step::Rotate => self.close(&Values::new()),
            Step::Keep(keep) => {
                self.snapshot();
                // What was just taken is kept in any case.
                self.prune((*keep).max(1));
            }
            Step::Snapshot => self.snapshot(),
            Step::Restore(index) => self.restore(&self.snapshots[*index].1.clone()),
            Step::RestorePublished => self.restore(&self.shown()),
            Step::RestoreDocument(index) => self.restore(&self.documents[*index].clone()),
            Step::Import(amounts) => self.import(&document(amounts)),
            Step::ImportAgain(_) | Step::Sync => {}
            Step::Prune(keep) => self.prune(*keep),
            Step::Switch => self.handle = !self.handle,
            Step::Reopen => {
                self.holders.remove(&self.handle);
                if self.holders.is_empty() {
                    self.share = None;
                }
            }
            Step::Reboot => {
                self.close_handles();
                self.look_at_shares();
            }
            Step::Compact => self.compact(),
        }
    }

    /// Somebody asks whether the owner of a share lives; that of a dead one becomes free.
    pub(super) fn look_at_shares(&mut self) {
        if self.owned {
            self.holders.insert(self.handle);
            self.owned = self.share.is_some();
        }
    }

    /// How many documents were imported.
    pub(super) fn documents(&self) -> usize {
        self.documents.len()
    }

    /// No process has the store open any more.
    fn close_handles(&mut self) {
        self.share = None;
        self.holders.clear();
    }

    /// What a view has: all but what is hidden.
    pub(super) fn shown(&self) -> Values {
        let values = self.values.iter();
        let shown = values.filter(|(key, _)| !self.hidden.contains(series_of(key)));
        shown.map(|(key, value)| (key.clone(), *value)).collect()
    }

    /// What a closing snapshot has: also what was removed, where the epoch counted it.
    fn closing(&self) -> Values {
        let counted = |series: &str| {
            let mut values = self.values.iter();
            values.any(|(key, value)| series_of(key) == series && *value != 0)
        };
        let values = self.values.iter().filter(|(key, _)| {
            let series = series_of(key);
            !self.hidden.contains(series) || counted(series)
        });
        values.map(|(key, value)| (key.clone(), *value)).collect()
    }

    pub(super) fn shown_gauges(&self) -> Vec<(String, u64)> {
        let gauges = self.gauges.iter();
        gauges
            .filter(|(name, _)| !self.hidden.contains(**name))
            .map(|(name, value)| ((*name).to_owned(), value.to_bits()))
            .collect()
    }

    /// How many processes have a share, and their sum; `None` where the gauge is not shown.
    pub(super) fn shown_shares(&self) -> Option<(u64, f64)> {
        let share = self.share.map_or((0, 0.0), |value| (1, value));
        self.shows(SHARE).then_some(share)
    }

    /// Whether one of the series without values is shown.
    pub(super) fn shows(&self, series: &str) -> bool {
        self.others.contains(series) && !self.hidden.contains(series)
    }

    fn is_registered(&self, series: &str) -> bool {
        let others = self.gauges.contains_key(series) || self.others.contains(series);
        others || self.values.keys().any(|key| series_of(key) == series)
    }

    /// How many series were registered, the removed ones included.
    pub(super) fn series(&self) -> usize {
        let counted: BTreeSet<&str> = self.values.keys().map(|key| series_of(key)).collect();
        counted.len() + self.gauges.len() + self.others.len()
    }

    /// A removed series is back once it has counted something.
    fn count(&mut self, series: String, amount: u64) {
        if amount > 0 {
            self.hidden.remove(&series);
        }
        self.add(series, amount);
    }

    fn add_limited(&mut self, which: usize, amount: u64) {
        let wanted = key(LIMITED[which]);
        let all = LIMITED.map(key);
        let count = all
            .iter()
            .filter(|key| self.values.contains_key(*key))
            .count();
        if self.values.contains_key(&wanted) || count < LIMIT as usize {
            self.count(wanted, amount);
        } else {
            self.count(OVERFLOWS.to_owned(), 1);
            self.count(OVERFLOW.to_owned(), amount);
        }
    }

    fn observe(&mut self, (_, steps, bucket): (f64, i64, usize), times: u64) {
        let [sum, low, high] = parts();
        if times > 0 {
            self.hidden.remove(HISTOGRAM);
        }
        self.add(sum, steps.cast_unsigned().wrapping_mul(times));
        self.add(low, times * u64::from(bucket == 0));
        self.add(high, times * u64::from(bucket == 1));
    }

    fn set(&mut self, gauge: &'static str, change: impl Fn(f64) -> f64) {
        let value = self.gauges.entry(gauge).or_default();
        *value = change(*value);
        self.hidden.remove(gauge);
    }

    fn add(&mut self, key: String, amount: u64) {
        for values in [&mut self.values, &mut self.totals] {
            let value = values.entry(key.clone()).or_default();
            *value = value.wrapping_add(amount);
        }
    }

    /// Closes the epoch; the next one begins with these values.
    fn close(&mut self, next: &Values) {
        let closing = self.closing();
        let totals = closing.keys().map(|key| (key.clone(), self.totals[key]));
        self.closed.push(totals.collect());
        for (name, value) in &mut self.values {
            *value = next.get(name).copied().unwrap_or(0);
        }
        self.keep(closing);
        self.epoch += 1;
    }

    fn restore(&mut self, values: &Values) {
        for key in values.keys() {
            // What is restored is there, and not hidden, before the epoch is closed.
            self.add(key.clone(), 0);
            self.hidden.remove(series_of(key));
        }
        self.close(values);
    }

    fn snapshot(&mut self) {
        self.keep(self.shown());
    }

    fn keep(&mut self, values: Values) {
        self.snapshots.push((self.taken, values));
        self.taken += 1;
    }

    fn prune(&mut self, keep: usize) {
        let gone = self.snapshots.len().saturating_sub(keep);
        self.snapshots.drain(..gone);
    }

    fn import(&mut self, amounts: &[(usize, u64)]) {
        let mut document = expected([0; 4], &[]);
        let counters = amounts.iter().filter(|(which, _)| *which < COUNTERS.len());
        document.extend(counters.map(|(which, amount)| (key(COUNTERS[*which]), *amount)));
        let fits = |(key, amount): (&String, &u64)| {
            let total = self.totals.get(key).copied().unwrap_or(0);
            // No store has written these documents.
            *amount <= deespec::COUNT_MAX && total.checked_add(*amount).is_some()
        };
        if !document.iter().all(fits) {
            self.answer = Answer::Refused;
            return;
        }
        let mut counts = document
            .values()
            .fold(0_u64, |sum, value| sum.wrapping_add(*value));
        for (key, amount) in document.iter().filter(|(_, amount)| **amount > 0) {
            self.count(key.clone(), *amount);
        }
        for (which, amount) in amounts {
            if *which == COUNTERS.len() {
                self.observe(OBSERVED[3], *amount);
                self.hidden.remove(HISTOGRAM);
                counts = counts.wrapping_add(*amount);
                let [sum, low, high] = parts();
                document.extend([(sum, 5 * amount), (low, 0), (high, *amount)]);
            } else if let Some(gauge) = which.checked_sub(COUNTERS.len() + 1) {
                self.import_gauge(GAUGES[gauge], *amount as f64);
            }
        }
        self.answer = Answer::Counts(counts);
        self.documents.push(document);
    }

    /// Only a gauge that is not set: a new one, a removed one, or one of zeros.
    fn import_gauge(&mut self, gauge: &'static str, value: f64) {
        let known = self.gauges.get(gauge).copied().unwrap_or_default();
        if self.hidden.remove(gauge) || known.to_bits() == 0 {
            self.gauges.insert(gauge, value);
        }
    }

    /// What is hidden is dropped, and a family of which all is hidden with it.
    fn compact(&mut self) {
        self.close_handles();
        self.owned = false;
        let hidden = std::mem::take(&mut self.hidden);
        let kept = |series: &str| !hidden.contains(series);
        if !kept(&key(COUNTERS[7])) {
            self.help = None;
        }
        self.values.retain(|key, _| kept(series_of(key)));
        self.totals.retain(|key, _| kept(series_of(key)));
        self.gauges.retain(|name, _| kept(name));
        self.others.retain(|series| kept(series));
    }
}
