//! The JSON documents: `metrics.json` and snapshots, schema version 1, and the legacy form of it.
//! `docs/format.md` says what each field means; it is changed first.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::metric::{Kind, TRANSACTIONS, check_label_set, check_metric_name};
use crate::store::{Amount, StoreId};

use super::error::DocumentError;
use super::view::TransactionCounts;

/// Highest schema version that is read, and the one that is written.
pub const SCHEMA_VERSION: u64 = 1;
/// What stands before the checksum at the end of a document.
const CHECK: &str = ",\n  \"check\": \"crc32:";

/// One series of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// What kind of metric it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The label set, sorted by name.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What was counted in the epoch.
    pub value: u64,
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    schema_version: Option<u64>,
}

/// The fields as they stand in the file.
#[derive(Deserialize)]
struct Raw {
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
    series: Vec<Series>,
}

impl Document {
    /// Reads a document; `path` stands in the errors.
    ///
    /// A document without `schema_version`, or with 0, is in the legacy form: it is read as version
    /// 1, and of the four counters those that are missing are 0.
    ///
    /// # Errors
    ///
    /// When the bytes are not a metrics document or have a newer schema version.
    ///
    /// ```
    /// use deespec::Document;
    /// let path = std::path::Path::new("metrics.json");
    /// let document = Document::parse(br#"{"commit_success": 3}"#, path)?;
    /// assert_eq!(document.transactions.success, 3);
    /// # Ok::<(), deespec::DocumentError>(())
    /// ```
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, DocumentError> {
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
        let raw: Raw = serde_json::from_slice(bytes).map_err(syntax)?;
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
        let mut series = raw.series;
        series.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
        check_series(&series, path)?;
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
        })
    }

    /// Reads a document from a file.
    ///
    /// # Errors
    ///
    /// When the file does not exist or cannot be read, and as [`Document::parse`].
    pub fn read(path: &Path) -> Result<Self, crate::Error> {
        let bytes =
            crate::store::files::read_document(path)?.ok_or_else(|| DocumentError::Missing {
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
        let four = &self.transactions;
        let built_in = TRANSACTIONS
            .iter()
            .zip([four.success, four.failed, four.conflicts, four.recoveries])
            .map(|(name, value)| Amount {
                name: (*name).to_owned(),
                labels: Vec::new(),
                value,
            });
        let others = self.series.iter().map(|series| Amount {
            name: series.name.clone(),
            labels: series.labels.clone().into_iter().collect(),
            value: series.value,
        });
        built_in.chain(others).collect()
    }
}

fn check_series(sorted: &[Series], path: &Path) -> Result<(), DocumentError> {
    for (index, series) in sorted.iter().enumerate() {
        let labels: Vec<(&str, &str)> = series
            .labels
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        check_metric_name(&series.name)
            .and_then(|()| check_label_set(&labels))
            .map_err(|error| DocumentError::content(path, error.to_string()))?;
        if labels.is_empty() && TRANSACTIONS.contains(&series.name.as_str()) {
            let reason = format!(
                "{} belongs to the top level, not into `series`",
                series.name
            );
            return Err(DocumentError::content(path, reason));
        }
        let twin = index.checked_sub(1).and_then(|before| sorted.get(before));
        if twin.is_some_and(|twin| (&twin.name, &twin.labels) == (&series.name, &series.labels)) {
            let reason = format!("series {} stands twice with the same labels", series.name);
            return Err(DocumentError::content(path, reason));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Head<'a> {
    commit_success: u64,
    commit_failed: u64,
    cas_conflicts: u64,
    recovery_count: u64,
    last_update: &'a str,
    schema_version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch_started: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<StoreId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<DocumentKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<&'a str>,
}

/// Writes a document: one field a line, one series a line, and the checksum of all before it.
pub(crate) fn render(document: &Document) -> String {
    let head = Head {
        commit_success: document.transactions.success,
        commit_failed: document.transactions.failed,
        cas_conflicts: document.transactions.conflicts,
        recovery_count: document.transactions.recoveries,
        last_update: document.last_update.as_deref().unwrap_or_default(),
        schema_version: SCHEMA_VERSION,
        epoch: document.epoch,
        epoch_started: document.epoch_started.as_deref(),
        store_id: document.store_id,
        kind: document.kind,
        taken_at: document.taken_at.as_deref(),
    };
    // Only numbers and strings: their serialisation cannot fail.
    let mut text = serde_json::to_string_pretty(&head).unwrap_or_default();
    text.truncate(text.trim_end_matches(['\n', '}']).len());
    text.push_str(",\n  \"series\": [");
    for (index, series) in document.series.iter().enumerate() {
        text.push_str(if index == 0 { "\n    " } else { ",\n    " });
        text.push_str(&serde_json::to_string(series).unwrap_or_default());
    }
    text.push_str(if document.series.is_empty() {
        "]"
    } else {
        "\n  ]"
    });
    let check = crc32fast::hash(text.as_bytes());
    text.push_str(&format!("{CHECK}{check:08x}\"\n}}\n"));
    text
}

/// Whether these bytes are exactly what DeeSpec wrote.
pub(crate) fn is_untouched(bytes: &[u8]) -> bool {
    let Some(text) = std::str::from_utf8(bytes).ok() else {
        return false;
    };
    text.rfind(CHECK).is_some_and(|at| {
        let check = crc32fast::hash(&bytes[..at]);
        text[at..] == format!("{CHECK}{check:08x}\"\n}}\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, DocumentError> {
        Document::parse(text.as_bytes(), Path::new("m.json"))
    }

    fn document() -> Document {
        let labels = BTreeMap::from([("branch".to_owned(), "a \"b\"\n".to_owned())]);
        Document {
            transactions: TransactionCounts {
                success: 142,
                failed: 3,
                conflicts: 7,
                recoveries: 2,
            },
            last_update: Some("2026-11-23T07:08:09Z".into()),
            epoch: Some(4),
            epoch_started: Some("2026-11-23T00:00:00Z".into()),
            store_id: Some(StoreId([1, 2])),
            kind: Some(DocumentKind::Rotation),
            taken_at: Some("2026-11-23T07:08:09.123456789Z".into()),
            series: vec![
                Series {
                    name: "a".into(),
                    kind: Kind::Counter,
                    labels: BTreeMap::new(),
                    value: 1,
                },
                Series {
                    name: "a".into(),
                    kind: Kind::Counter,
                    labels,
                    value: u64::MAX,
                },
            ],
        }
    }

    #[test]
    fn a_document_has_exactly_this_form() {
        let text = render(&document());
        assert_eq!(
            text,
            r#"{
  "commit_success": 142,
  "commit_failed": 3,
  "cas_conflicts": 7,
  "recovery_count": 2,
  "last_update": "2026-11-23T07:08:09Z",
  "schema_version": 1,
  "epoch": 4,
  "epoch_started": "2026-11-23T00:00:00Z",
  "store_id": "00000000000000010000000000000002",
  "kind": "rotation",
  "taken_at": "2026-11-23T07:08:09.123456789Z",
  "series": [
    {"name":"a","type":"counter","labels":{},"value":1},
    {"name":"a","type":"counter","labels":{"branch":"a \"b\"\n"},"value":18446744073709551615}
  ],
  "check": "crc32:CHECK"
}
"#
            .replace("CHECK", &text[text.len() - 12..text.len() - 4])
        );
        assert_eq!(parse(&text).unwrap(), document());
    }

    #[test]
    fn every_changed_byte_of_a_document_is_noticed() {
        let text = render(&document());
        assert!(is_untouched(text.as_bytes()));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(!is_untouched(&bytes), "byte {at}");
            assert!(!is_untouched(&text.as_bytes()[..at]), "cut at {at}");
        }
    }

    #[test]
    fn the_legacy_form_is_read_as_version_1() {
        for text in [
            r#"{"commit_success": 5, "last_update": "x"}"#,
            r#"{"commit_success": 5, "schema_version": 0, "more": [1]}"#,
            "\u{feff}{\"commit_success\": 5, \"schema_version\": null}",
        ] {
            let document = parse(text).unwrap();
            assert_eq!(document.transactions.success, 5, "{text}");
            assert_eq!((document.store_id, document.epoch), (None, None));
        }
    }

    #[test]
    fn a_newer_version_is_refused_whatever_else_it_holds() {
        let error = parse(r#"{"schema_version": 7, "commit_success": {"now": "an object"}}"#);
        let error = error.unwrap_err().to_string();
        assert_eq!(
            error,
            "m.json has schema version 7, the highest supported is 1"
        );
    }

    #[test]
    fn what_is_not_lawful_is_refused() {
        for bad in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            r#"{"commit_success": -1}"#,
            r#"{"commit_success": 1.5}"#,
            r#"{"commit_success": "1"}"#,
            r#"{"commit_success": 18446744073709551616}"#,
            r#"{"commit_success": 1, "commit_success": 2}"#,
            r#"{"commit_success": 1} trailing"#,
            r#"{"commit_success": 1, "schema_version": "1"}"#,
            r#"{"commit_success": 1, "store_id": "zz"}"#,
            r#"{"commit_success": 1, "series": [{"name": "a b", "type": "counter", "value": 1}]}"#,
            r#"{"commit_success": 1, "series": [{"name": "a", "type": "gauge", "value": 1}]}"#,
            r#"{"commit_success": 1, "series": [{"name": "a", "type": "counter", "labels": {"__x": ""}, "value": 1}]}"#,
            r#"{"commit_success": 1, "series": [{"name": "commit_success", "type": "counter", "value": 1}]}"#,
            r#"{"commit_success": 1, "series": [{"name": "a", "type": "counter", "value": 1}, {"name": "a", "type": "counter", "value": 1}]}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(Document::parse(b"\xff\xfe{}", Path::new("x")).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
