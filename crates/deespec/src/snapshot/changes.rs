//! What changed between two looks at a store: what a live display shows.

use std::cmp::Ordering;
use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::metric::{Distribution, Kind, LabelSet, Value};

use super::view::{Sample, View};

/// One series that changed from one view to a later one.
///
/// In JSON it has `name`, `type`, `labels`, `value` and `delta`. The value of a histogram or a summary is its count and
/// sum; both value and delta are `null` where the series was removed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Changed {
    /// The metric's name.
    pub name: String,
    /// The label set, sorted by name.
    pub labels: LabelSet,
    /// What kind of metric it is.
    pub kind: Kind,
    /// The value now; `None` where the series was removed.
    pub value: Option<Value>,
    /// By how much it changed; `None` where the series was removed.
    pub delta: Option<Delta>,
    /// Of a histogram, what was observed in between; not in the JSON.
    pub observed: Option<Distribution>,
}

/// By how much a series changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Delta {
    /// What was counted or observed.
    Count(u64),
    /// By how much a gauge moved, or a counter with fractions grew; `null` in JSON where that is no finite number.
    Moved(f64),
}

impl fmt::Display for Delta {
    /// With its sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "+{count}"),
            Self::Moved(by) => write!(f, "{by:+}"),
        }
    }
}

impl Delta {
    /// From one value to a later one of the same series; `None` where nothing changed. What was not there
    /// before was 0. An info metric never changes.
    ///
    /// ```
    /// use deespec::{Delta, Value};
    /// let (before, after) = (Value::Counter(3), Value::Counter(5));
    /// assert_eq!(Delta::between(Some(&before), &after), Some(Delta::Count(2)));
    /// assert_eq!(Delta::between(Some(&after), &after), None);
    /// ```
    #[must_use]
    pub fn between(before: Option<&Value>, after: &Value) -> Option<Self> {
        let grown = |after: u64, before: Option<u64>| {
            let delta = after.wrapping_sub(before.unwrap_or(0));
            (delta != 0).then_some(Self::Count(delta))
        };
        match after {
            Value::Counter(count) => grown(*count, before.and_then(Value::counter)),
            Value::Histogram(found) => {
                let count = |value: &Value| value.histogram().map(Distribution::count);
                grown(found.count(), before.and_then(count))
            }
            Value::Summary(found) => {
                let before = before.and_then(Value::summary);
                grown(found.count, before.map(|before| before.count))
            }
            Value::Fractions(sum) | Value::Sum(sum) => {
                let before = before.and_then(|before| before.fractions().or(before.sum()));
                let before = before.unwrap_or_default();
                let moved = sum.minus(before);
                (!moved.is_zero()).then(|| Self::Moved(moved.to_f64()))
            }
            after => {
                let now = after.gauge()?;
                match before.and_then(Value::gauge) {
                    Some(before) if before.total_cmp(&now).is_eq() => None,
                    before => Some(Self::Moved(now - before.unwrap_or(0.0))),
                }
            }
        }
    }
}

impl View {
    /// The series that changed since an earlier view of the same store, the four built-in ones first, the
    /// others sorted by name and labels. In a new epoch, what counts has begun again at 0.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let before = store.view()?;
    /// store.transactions().success.add(2);
    /// let changes = store.view()?.changes_since(&before);
    /// assert_eq!(changes[0].name, "commit_success");
    /// assert_eq!(changes[0].delta, Some(deespec::Delta::Count(2)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<Changed> {
        let is_same_epoch = self.epoch == before.epoch;
        let mut changes = Vec::new();
        let mut earlier = before.samples().peekable();
        for sample in self.samples() {
            while let Some(gone) = earlier.next_if(|next| order(next, sample).is_lt()) {
                changes.push(Changed::removed(gone));
            }
            let same = earlier.next_if(|next| order(next, sample).is_eq());
            let goes_on = is_same_epoch || sample.value.kind() == Kind::Gauge;
            let base = same.map(|same| &same.value).filter(|_| goes_on);
            if let Some(delta) = Delta::between(base, &sample.value) {
                changes.push(Changed::now(sample, base, delta));
            }
        }
        changes.extend(earlier.map(Changed::removed));
        changes
    }
}

/// The order in which a view has its series.
fn order(one: &Sample, other: &Sample) -> Ordering {
    // Of the built-in ones a view has, each has its place in front.
    let place = |sample: &Sample| !super::view::is_built_in(&sample.name, &sample.labels);
    place(one)
        .cmp(&place(other))
        .then_with(|| one.name.cmp(&other.name))
        .then_with(|| one.labels.cmp(&other.labels))
}

impl Changed {
    fn now(sample: &Sample, before: Option<&Value>, delta: Delta) -> Self {
        let now = sample.value.histogram();
        let before = before.and_then(Value::histogram);
        Self {
            observed: match (now, before) {
                (Some(now), Some(before)) => now.minus(before),
                (now, _) => now.cloned(),
            },
            name: sample.name.clone(),
            labels: sample.labels.clone(),
            kind: sample.value.kind(),
            value: Some(sample.value.clone()),
            delta: Some(delta),
        }
    }

    fn removed(sample: &Sample) -> Self {
        Self {
            name: sample.name.clone(),
            labels: sample.labels.clone(),
            kind: sample.value.kind(),
            value: None,
            delta: None,
            observed: None,
        }
    }
}

impl Serialize for Changed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Changed", 5)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("type", &self.kind)?;
        fields.serialize_field("labels", &self.labels)?;
        match &self.value {
            Some(Value::Histogram(found)) => {
                let (count, sum) = (found.count(), found.sum());
                fields.serialize_field("value", &Observed { count, sum })?;
            }
            Some(Value::Summary(found)) => {
                let (count, sum) = (found.count, found.sum.to_f64());
                fields.serialize_field("value", &Observed { count, sum })?;
            }
            value => fields.serialize_field("value", value)?,
        }
        fields.serialize_field("delta", &self.delta)?;
        fields.end()
    }
}

/// A histogram without its buckets, or a summary.
#[derive(Serialize)]
struct Observed {
    count: u64,
    sum: f64,
}
