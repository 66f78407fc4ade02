//! The difference of two documents, series by series.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::metric::{LabelSet, Value};

use super::document::Document;

/// What changed from one document to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// The epochs of the two documents; a difference across epochs compares two counts that began
    /// at different times.
    pub epochs: (Option<u64>, Option<u64>),
    /// The series that differ, sorted by name and labels.
    pub changes: Vec<Change>,
}

/// One series that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: LabelSet,
    /// The value before; `None` where the series was not there.
    pub before: Option<Value>,
    /// The value after; `None` where the series is not there any more.
    pub after: Option<Value>,
    /// After minus before, where a missing series counts as 0: of a counter its count, of a histogram or a
    /// summary the number of observations. `None` for a counter with fractions, and for what does not count.
    pub delta: Option<i128>,
}

impl Diff {
    /// Compares two documents.
    ///
    /// ```
    /// use deespec::{Diff, Document};
    /// let at = std::path::Path::new("m.json");
    /// let old = Document::parse(br#"{"commit_success": 3}"#, at)?;
    /// let new = Document::parse(br#"{"commit_success": 5}"#, at)?;
    /// let diff = Diff::between(&old, &new);
    /// assert_eq!((diff.changes[0].name.as_str(), diff.changes[0].delta), ("commit_success", Some(2)));
    /// # Ok::<(), deespec::DocumentError>(())
    /// ```
    #[must_use]
    pub fn between(before: &Document, after: &Document) -> Self {
        let mut pairs: BTreeMap<_, (Option<Value>, Option<Value>)> = BTreeMap::new();
        for amount in before.amounts() {
            pairs.entry((amount.name, amount.labels)).or_default().0 = Some(amount.value);
        }
        for amount in after.amounts() {
            pairs.entry((amount.name, amount.labels)).or_default().1 = Some(amount.value);
        }
        let changes = pairs
            .into_iter()
            .filter(|(_, (before, after))| !same(before.as_ref(), after.as_ref()))
            .map(|((name, labels), (before, after))| Change {
                name,
                labels,
                delta: delta(before.as_ref(), after.as_ref()),
                before,
                after,
            })
            .collect();
        Self {
            epochs: (before.epoch, after.epoch),
            changes,
        }
    }
}

/// Whether nothing changed; a gauge that is not a number is the same as before.
fn same(before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (Some(Value::Gauge(before)), Some(Value::Gauge(after))) => before.total_cmp(after).is_eq(),
        (Some(Value::Processes(before)), Some(Value::Processes(after))) => {
            before.count == after.count && before.sum.total_cmp(&after.sum).is_eq()
        }
        (before, after) => before == after,
    }
}

fn delta(before: Option<&Value>, after: Option<&Value>) -> Option<i128> {
    let count = |value: Option<&Value>| match value {
        None => Some(0),
        Some(Value::Counter(count)) => Some(i128::from(*count)),
        Some(Value::Histogram(found)) => Some(i128::from(found.count())),
        Some(Value::Summary(found)) => Some(i128::from(found.count)),
        Some(_) => None,
    };
    Some(count(after)? - count(before)?)
}
