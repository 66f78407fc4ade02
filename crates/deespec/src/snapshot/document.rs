//! The JSON documents: `metrics.json` and snapshots, schema versions 1 and 2, and the legacy form of it.
//! `docs/format.md` says what each field means; it is changed first.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::metric::{
    Family, Kind, LabelSet, TRANSACTIONS, Value, check_label_set, check_metric_name,
};
use crate::store::{Amount, SeriesValue, StoreId};

use super::counts::TransactionCounts;
use super::error::DocumentError;
use bounded::List;

pub(crate) use render::{Writer, examine, is_untouched, render, render_with, write_document};

pub(crate) mod bounded;
mod render;

/// Highest schema version that is read. A document is written with the lowest that can hold its series.
pub const SCHEMA_VERSION: u64 = 2;

/// One series of a document.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RawSeries")]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// The label set, sorted by name.
    pub labels: LabelSet,
    /// What was counted in the epoch; of a gauge, what it was when the document was written.
    pub value: Value,
}

/// A series as it stands in the file: its type says how to read its value.
#[derive(Deserialize)]
struct RawSeries {
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    labels: LabelSet,
    #[serde(deserialize_with = "bounded::value")]
    value: serde_json::Value,
    exact: Option<String>,
}

impl TryFrom<RawSeries> for Series {
    type Error = String;

    fn try_from(raw: RawSeries) -> Result<Self, String> {
        let value = match &raw.exact {
            None => Value::from_json(raw.kind, raw.value),
            Some(exact) => Value::of_exact(raw.kind, exact),
        };
        let value = value.map_err(|reason| format!("series {}: {reason}", raw.name))?;
        Ok(Self {
            name: raw.name,
            labels: raw.labels,
            value,
        })
    }
}

/// A series as it stands in a document, wherever its parts are kept.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) labels: &'a LabelSet,
    pub(crate) value: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exact: Option<String>,
}

impl<'a> Row<'a> {
    /// What a series counted since the epoch began.
    pub(crate) fn of(value: &'a SeriesValue) -> Self {
        Self {
            name: &value.name,
            kind: value.value.kind(),
            labels: &value.labels,
            exact: value.value.exact(),
            value: &value.value,
        }
    }
}

impl<'a> From<&'a Series> for Row<'a> {
    fn from(series: &'a Series) -> Self {
        Self {
            name: &series.name,
            kind: series.value.kind(),
            labels: &series.labels,
            exact: series.value.exact(),
            value: &series.value,
        }
    }
}

impl From<SeriesValue> for Series {
    fn from(value: SeriesValue) -> Self {
        Self {
            name: value.name,
            labels: value.labels,
            value: value.value,
        }
    }
}

/// Why a snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DocumentKind {
    /// Somebody asked for it.
    Snapshot,
    /// An epoch was closed.
    Rotation,
}

/// A metrics document: `metrics.json`, a snapshot, or their legacy form.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Document {
    /// The four built-in counters.
    pub transactions: TransactionCounts,
    /// When it was written, RFC 3339 where DeeSpec wrote it.
    pub last_update: Option<String>,
    /// The number of the epoch; missing in the legacy form.
    pub epoch: Option<u64>,
    /// When the epoch began, RFC 3339.
    pub epoch_started: Option<String>,
    /// The store that it is a view of; missing in the legacy form.
    pub store_id: Option<StoreId>,
    /// Why it was taken; snapshots only.
    pub kind: Option<DocumentKind>,
    /// When it was taken, RFC 3339 with nanoseconds; snapshots only.
    pub taken_at: Option<String>,
    /// All other series, sorted by name and labels.
    pub series: Vec<Series>,
    /// Why series are missing, one sentence each: parts of the store could not be read.
    pub partial: Vec<String>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    schema_version: Option<u64>,
}

/// The fields as they stand in the file.
#[derive(Deserialize)]
struct Raw<const BOUNDED: bool> {
    commit_success: Option<u64>,
    commit_failed: Option<u64>,
    cas_conflicts: Option<u64>,
    recovery_count: Option<u64>,
    last_update: Option<String>,
    epoch: Option<u64>,
    epoch_started: Option<String>,
    store_id: Option<StoreId>,
    kind: Option<DocumentKind>,
    taken_at: Option<String>,
    #[serde(default)]
    series: List<Series, BOUNDED>,
    #[serde(default)]
    partial: List<String, BOUNDED>,
    check: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a document; `path` stands in the errors.
    ///
    /// A document without `schema_version`, or with 0, is in the legacy form: it is read as version
    /// 1, and of the four counters those that are missing are 0.
    ///
    /// # Errors
    ///
    /// When the bytes are not a metrics document, have a newer schema version, or hold more than 1,000,000
    /// series.
    ///
    /// ```
    /// use deespec::Document;
    /// let path = std::path::Path::new("metrics.json");
    /// let document = Document::parse(br#"{"commit_success": 3}"#, path)?;
    /// assert_eq!(document.transactions.success, 3);
    /// # Ok::<(), deespec::DocumentError>(())
    /// ```
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, DocumentError> {
        Self::parse_as::<true>(bytes, path)
    }

    /// As [`Document::parse`], for what the store itself has written, however many series it has.
    pub(crate) fn parse_own(bytes: &[u8], path: &Path) -> Result<Self, DocumentError> {
        Self::parse_as::<false>(bytes, path)
    }

    fn parse_as<const BOUNDED: bool>(bytes: &[u8], path: &Path) -> Result<Self, DocumentError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let syntax = |source| DocumentError::Syntax {
            path: path.to_owned(),
            source,
        };
        // The version first: a newer document may differ in everything else.
        let version: Version = serde_json::from_slice(bytes).map_err(syntax)?;
        let found = version.schema_version.unwrap_or(0);
        if found > SCHEMA_VERSION {
            return Err(DocumentError::NewerSchema {
                path: path.to_owned(),
                found,
                supported: SCHEMA_VERSION,
            });
        }
        let raw: Raw<BOUNDED> = serde_json::from_slice(bytes).map_err(syntax)?;
        if raw.check.is_some() && !is_untouched(bytes) {
            return Err(DocumentError::Changed {
                path: path.to_owned(),
            });
        }
        let four = [
            raw.commit_success,
            raw.commit_failed,
            raw.cas_conflicts,
            raw.recovery_count,
        ];
        if four.iter().all(Option::is_none) {
            return Err(DocumentError::content(
                path,
                "it has none of the four built-in counters",
            ));
        }
        let [success, failed, conflicts, recoveries] = four.map(Option::unwrap_or_default);
        let series = Self::checked(raw.series.0, path)?;
        Ok(Self {
            transactions: TransactionCounts {
                success,
                failed,
                conflicts,
                recoveries,
            },
            last_update: raw.last_update,
            epoch: raw.epoch,
            epoch_started: raw.epoch_started,
            store_id: raw.store_id,
            kind: raw.kind,
            taken_at: raw.taken_at,
            series,
            partial: raw.partial.0,
        })
    }

    /// A document of nothing.
    pub(crate) fn empty() -> Self {
        Self {
            transactions: TransactionCounts::default(),
            last_update: None,
            epoch: None,
            epoch_started: None,
            store_id: None,
            kind: None,
            taken_at: None,
            series: Vec::new(),
            partial: Vec::new(),
        }
    }

    /// The series in their order, if they can stand in one document.
    pub(crate) fn checked(
        mut series: Vec<Series>,
        path: &Path,
    ) -> Result<Vec<Series>, DocumentError> {
        let sorted = series.is_sorted_by(|a, b| (&a.name, &a.labels) <= (&b.name, &b.labels));
        if !sorted {
            // Where two are equal the document is refused.
            series.sort_unstable_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
        }
        check_series(&series, path)?;
        Ok(series)
    }

    /// Reads a document from a file.
    ///
    /// # Errors
    ///
    /// When the file does not exist or cannot be read, and as [`Document::parse`].
    pub fn read(path: &Path) -> Result<Self, crate::Error> {
        let bytes =
            crate::store::opened::read_given(path)?.ok_or_else(|| DocumentError::Missing {
                path: path.to_owned(),
            })?;
        Ok(Self::parse(&bytes, path)?)
    }

    /// The document as text, with a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        render(self)
    }

    /// Every series of the document with its value, the four built-in ones first.
    pub(crate) fn amounts(&self) -> Vec<Amount> {
        let others = self.series.iter().map(|series| Amount {
            name: series.name.clone(),
            labels: series.labels.clone(),
            value: series.value.clone(),
        });
        self.transactions.amounts().chain(others).collect()
    }

    /// As [`Document::amounts`], of a document that is no longer needed: it may be large.
    pub(crate) fn into_amounts(self) -> Vec<Amount> {
        let mut series = self.series;
        series.reserve_exact(TRANSACTIONS.len());
        let others = series.into_iter().map(|series| Amount {
            name: series.name,
            labels: series.labels,
            value: series.value,
        });
        // In the place where the series stood, and so is what comes in front of them.
        let mut amounts: Vec<Amount> = others.collect();
        amounts.extend(self.transactions.amounts());
        amounts.rotate_right(TRANSACTIONS.len());
        amounts
    }
}

impl TransactionCounts {
    fn amounts(&self) -> impl Iterator<Item = Amount> + use<> {
        let counts = [self.success, self.failed, self.conflicts, self.recoveries];
        let amount = |(name, value): (&str, u64)| Amount {
            name: name.to_owned(),
            labels: LabelSet::default(),
            value: Value::Counter(value),
        };
        TRANSACTIONS.into_iter().zip(counts).map(amount)
    }
}

fn check_series(sorted: &[Series], path: &Path) -> Result<(), DocumentError> {
    for (index, series) in sorted.iter().enumerate() {
        let labels = series.labels.pairs();
        let family = Family::implicit(&series.name, series.value.shape());
        check_metric_name(&series.name)
            .and_then(|()| check_label_set(&labels))
            .and_then(|()| family.check_series(&labels))
            .map_err(|error| DocumentError::content(path, error.to_string()))?;
        if TRANSACTIONS.contains(&series.name.as_str()) {
            let name = &series.name;
            let reason = if labels.is_empty() {
                format!("{name} belongs to the top level, not into `series`")
            } else if series.value.counter().is_none() {
                format!("{name} is a counter, whatever its labels")
            } else {
                String::new()
            };
            if !reason.is_empty() {
                return Err(DocumentError::content(path, reason));
            }
        }
        let twin = index.checked_sub(1).and_then(|before| sorted.get(before));
        if twin.is_some_and(|twin| (&twin.name, &twin.labels) == (&series.name, &series.labels)) {
            let reason = format!("series {} stands twice with the same labels", series.name);
            return Err(DocumentError::content(path, reason));
        }
        if let Some(twin) = twin.filter(|twin| twin.name == series.name)
            && twin.value.shape() != series.value.shape()
        {
            let reason = format!("the series of {} are not of one type", series.name);
            return Err(DocumentError::content(path, reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
