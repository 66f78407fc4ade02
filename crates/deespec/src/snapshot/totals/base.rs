//! What was acknowledged of a source, and what a total is beyond it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metric::{Distribution, Kind, LabelSet, Observations, Value, WideSum};

use super::{Key, Total};

/// What was pushed of a source and acknowledged: the totals of its counters, histograms and summaries then. It is kept as JSON.
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
    Fractions(WideSum),
    Histogram(Distribution),
    Summary(Observations),
}

impl StoredTotal {
    /// `None` of what is set and not counted.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Counter(count) => Some(Self::Counter(*count)),
            Value::Fractions(sum) => Some(Self::Fractions(*sum)),
            Value::Histogram(found) => Some(Self::Histogram(found.clone())),
            Value::Summary(found) => Some(Self::Summary(*found)),
            Value::Gauge(_) | Value::Sum(_) | Value::Processes(_) | Value::Info => None,
        }
    }
}

impl From<StoredTotal> for Value {
    fn from(stored: StoredTotal) -> Self {
        match stored {
            StoredTotal::Counter(count) => Self::Counter(count),
            StoredTotal::Fractions(sum) => Self::Fractions(sum),
            StoredTotal::Histogram(found) => Self::Histogram(found),
            StoredTotal::Summary(found) => Self::Summary(found),
        }
    }
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
        let counted = series.filter(|(_, total)| StoredTotal::of(&total.value).is_some());
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
            (Value::Summary(now), Value::Summary(then)) => now.minus(*then).map(Value::Summary),
            // A counter of a text has fractions where it shows some: it is the same one when it does not.
            (now @ (Value::Counter(_) | Value::Fractions(_)), then)
                if then.kind() == Kind::Counter =>
            {
                match (now.amount(), then.amount()) {
                    (Some(now), Some(then)) if now >= then => {
                        Some(Value::Fractions(now.minus(then)))
                    }
                    _ => None,
                }
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
            Some(Value::Fractions(more)) if more.is_zero() => Known::Same,
            Some(Value::Summary(more)) if more == Observations::default() => Known::Same,
            Some(Value::Histogram(more))
                if more.count() == 0 && more.sum_cells().all(|cell| cell == 0) =>
            {
                Known::Same
            }
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
            let value = Value::from(one.total);
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
            Some(Stored {
                name,
                labels,
                created: total.created,
                total: StoredTotal::of(&total.value)?,
            })
        };
        base.series.into_iter().filter_map(one).collect()
    }
}
