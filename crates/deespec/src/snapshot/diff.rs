//! The difference of two documents, series by series.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::metric::LabelSet;

use super::document::Document;

/// What changed from one document to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// The epochs of the two documents; a difference across epochs compares two counts that began
    /// at different times.
    pub epochs: (Option<u64>, Option<u64>),
    /// The series that differ, sorted by name and labels.
    pub changes: Vec<Change>,
}

/// One series that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: LabelSet,
    /// The value before; `None` where the series was not there.
    pub before: Option<u64>,
    /// The value after; `None` where the series is not there any more.
    pub after: Option<u64>,
    /// After minus before, where a missing series counts as 0.
    pub delta: i128,
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
    /// assert_eq!((diff.changes[0].name.as_str(), diff.changes[0].delta), ("commit_success", 2));
    /// # Ok::<(), deespec::DocumentError>(())
    /// ```
    #[must_use]
    pub fn between(before: &Document, after: &Document) -> Self {
        let mut pairs: BTreeMap<_, (Option<u64>, Option<u64>)> = BTreeMap::new();
        for amount in before.amounts() {
            pairs.entry((amount.name, amount.labels)).or_default().0 = Some(amount.value);
        }
        for amount in after.amounts() {
            pairs.entry((amount.name, amount.labels)).or_default().1 = Some(amount.value);
        }
        let changes = pairs
            .into_iter()
            .filter(|(_, (before, after))| before != after)
            .map(|((name, labels), (before, after))| Change {
                name,
                labels,
                before,
                after,
                delta: i128::from(after.unwrap_or(0)) - i128::from(before.unwrap_or(0)),
            })
            .collect();
        Self {
            epochs: (before.epoch, after.epoch),
            changes,
        }
    }
}
