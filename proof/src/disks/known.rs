//! What a store has promised, and what was ever asked of it: learned from the orders that processes
//! were given and from their answers, in the order in which both were heard. A store that comes back
//! must lie between the two.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::orders::{self, Answer, Order, Shown};
use super::pushes::{self, Pushed};
use crate::audit::Values;

/// Something that was heard.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// A process is about to be told this.
    Begins(Order),
    /// It has done so.
    Done(Order, Box<Answer>),
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Import {
    Begun,
    Done,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    /// Somebody had the store open.
    pub(crate) exists: bool,
    /// The disk has failed under the store, which may have written down that it is degraded.
    pub(crate) failed: bool,
    /// The most that each series may ever have counted.
    pub(crate) begun: Values,
    /// The least that each has.
    pub(crate) totals: Values,
    /// The least that each has in an epoch.
    pub(crate) epochs: BTreeMap<u64, Values>,
    /// The current epoch, at least.
    pub(crate) epoch: u64,
    /// How many epochs were closed: at least, at most. How many of those by a restore.
    pub(crate) turns: (u64, u64),
    pub(crate) restores: (u64, u64),
    /// Each snapshot, with a digest of its bytes.
    pub(crate) snapshots: BTreeMap<String, u64>,
    pub(crate) imports: BTreeMap<u64, Import>,
    /// Series that somebody has begun to remove.
    pub(crate) removed: BTreeSet<String>,
    /// What gauges show: at least, at most. They are only ever raised.
    pub(crate) levels: BTreeMap<String, (u64, u64)>,
    /// What each client pushed.
    pub(crate) pushes: BTreeMap<u64, Pushed>,
}

impl Known {
    pub(crate) fn learn(&mut self, note: &Note) {
        match note {
            Note::Begins(order) => self.begins(order),
            Note::Done(order, answer) => self.done(order, answer),
        }
    }

    fn begins(&mut self, order: &Order) {
        for (key, more) in order.counts() {
            *self.begun.entry(key).or_default() += more;
        }
        match order {
            Order::Rotate { keep: false } => self.turns.1 += 1,
            Order::Restore => {
                self.turns.1 += 1;
                self.restores.1 += 1;
            }
            Order::Import { number } if !self.imports.contains_key(number) => {
                for (key, more) in orders::given(*number) {
                    *self.begun.entry(key).or_default() += more;
                }
                self.imports.insert(*number, Import::Begun);
            }
            Order::Push { writer, number, by } => {
                let pushed = self.pushes.entry(*writer).or_default();
                pushes::add(&mut self.begun, pushed.begins(*writer, *number, *by));
            }
            Order::Remove { .. } => {
                self.removed.extend(order.removes());
            }
            Order::Set { hand, value } => {
                let level = self.levels.entry(orders::level(*hand)).or_default();
                level.1 = level.1.max(*value);
            }
            _ => {}
        }
    }

    fn done(&mut self, order: &Order, answer: &Answer) {
        // What is looked at without being made durable promises nothing.
        if answer.error.is_some() || *order == Order::Examine {
            return;
        }
        self.exists |= *order == Order::Open;
        match order {
            Order::Rotate { keep: false } => self.turns.0 += 1,
            Order::Restore => {
                self.turns.0 += 1;
                self.restores.0 += 1;
            }
            Order::Import { number } => {
                self.imports.insert(*number, Import::Done);
            }
            Order::Push { writer, .. } => {
                self.pushes.entry(*writer).or_default().done(*writer);
                let mut answered = Values::new();
                for pushed in self.pushes.values() {
                    pushes::add(&mut answered, pushed.answered.clone());
                }
                raise(&mut self.totals, &answered);
            }
            _ => {}
        }
        if let Some((name, digest)) = &answer.snapshot {
            self.snapshots.insert(name.clone(), *digest);
        }
        self.epoch = self.epoch.max(answer.epoch);
        if let Some(shown) = &answer.shown {
            self.shown(shown);
        }
    }

    /// What was shown to somebody must not go back.
    pub(crate) fn shown(&mut self, shown: &Shown) {
        self.epoch = self.epoch.max(shown.epoch);
        raise(self.epochs.entry(shown.epoch).or_default(), &shown.values);
        raise(&mut self.totals, &shown.totals);
        for (key, value) in &shown.levels {
            let level = self.levels.entry(key.clone()).or_default();
            level.0 = level.0.max(*value);
        }
    }

    /// The most that a series may have counted, and the least.
    pub(crate) fn bounds(&self, key: &str) -> (u64, u64) {
        let of = |values: &Values| values.get(key).copied().unwrap_or(0);
        match self.removed.contains(key) {
            true => (0, of(&self.begun)),
            false => (of(&self.totals), of(&self.begun)),
        }
    }
}

fn raise(least: &mut Values, shown: &Values) {
    for (key, value) in shown {
        let least = least.entry(key.clone()).or_default();
        *least = (*least).max(*value);
    }
}
