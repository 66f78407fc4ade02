//! What was acknowledged of a source, and what a total is beyond it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metric::{Distribution, LabelSet, Value};

use super::{Key, Total};

/// What was pushed of a source and acknowledged: the totals of its counters and histograms then. It is kept as JSON.
///
/// A series that the source does not have any more stays: when it comes back it is counted from where it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Stored>", into = "Vec<Stored>")]
pub struct PushBase {
    series: BTreeMap<Key, Total>,
}

/// One series as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    labels: LabelSet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<f64>,
    total: StoredTotal,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredTotal {
    Counter(u64),
    Histogram(Distribution),
}

/// What a total is, beside what was pushed of it.
pub(super) enum Known {
    /// Lower, and not begun anew.
    Older,
    Same,
    /// There is so much more.
    More(Value),
}

impl PushBase {
    pub(super) fn of<'a>(series: impl Iterator<Item = (&'a Key, &'a Total)>) -> Self {
        let is_counted =
            |total: &Total| matches!(total.value, Value::Counter(_) | Value::Histogram(_));
        let counted = series.filter(|(_, total)| is_counted(total));
        Self {
            series: counted.map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }

    /// Takes over what was acknowledged.
    pub fn absorb(&mut self, pushed: Self) {
        self.series.extend(pushed.series);
    }

    pub(super) fn of_key(&self, key: &Key) -> Option<&Total> {
        self.series.get(key)
    }
}

impl Total {
    /// What there is beyond what is known.
    pub(super) fn beyond(&self, known: &Self) -> Known {
        let is_same_life = match (self.created, known.created) {
            (Some(now), Some(then)) => Some(now.to_bits() == then.to_bits()),
            _ => None,
        };
        if is_same_life == Some(false) {
            return Known::More(self.value.clone());
        }
        let more = match (&self.value, &known.value) {
            (Value::Counter(now), Value::Counter(then)) => {
                now.checked_sub(*then).map(Value::Counter)
            }
            (Value::Histogram(now), Value::Histogram(then)) if now.buckets() == then.buckets() => {
                let mut counts = now.counts().iter().zip(then.counts());
                match counts.all(|(now, then)| now >= then) {
                    true => now.minus(then).map(Value::Histogram),
                    false => None,
                }
            }
            // Another metric by the same name, or other buckets: a program that was changed begins anew.
            _ => return Known::More(self.value.clone()),
        };
        match more {
            Some(Value::Counter(0)) => Known::Same,
            Some(Value::Histogram(more)) if more.count() == 0 && more.steps() == 0 => Known::Same,
            Some(more) => Known::More(more),
            // Without a time of creation a reader cannot tell, and a restart is what happens.
            None if is_same_life.is_none() => Known::More(self.value.clone()),
            None => Known::Older,
        }
    }
}

impl From<Vec<Stored>> for PushBase {
    fn from(stored: Vec<Stored>) -> Self {
        let one = |one: Stored| {
            let value = match one.total {
                StoredTotal::Counter(count) => Value::Counter(count),
                StoredTotal::Histogram(found) => Value::Histogram(found),
            };
            let created = one.created;
            ((one.name, one.labels), Total { value, created })
        };
        Self {
            series: stored.into_iter().map(one).collect(),
        }
    }
}

impl From<PushBase> for Vec<Stored> {
    fn from(base: PushBase) -> Self {
        let one = |((name, labels), total): (Key, Total)| {
            let created = total.created;
            let total = match total.value {
                Value::Counter(count) => StoredTotal::Counter(count),
                Value::Histogram(found) => StoredTotal::Histogram(found),
                _ => return None,
            };
            Some(Stored {
                name,
                labels,
                created,
                total,
            })
        };
        base.series.into_iter().filter_map(one).collect()
    }
}
