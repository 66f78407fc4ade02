//! A document as bytes, and whether bytes are what was written here.

use serde::Serialize;

use super::{Document, DocumentKind, Row};
use crate::store::StoreId;

/// What stands before the checksum at the end of a document.
const CHECK: &str = ",\n  \"check\": \"crc32:";

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
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    partial: &'a [String],
}

/// Writes a document: one field a line, one series a line, and the checksum of all before it.
pub(crate) fn render(document: &Document) -> String {
    render_with(document, document.series.iter().map(Row::from))
}

/// As [`render`], with series that stand elsewhere.
pub(crate) fn render_with<'a>(
    document: &Document,
    all: impl ExactSizeIterator<Item = Row<'a>> + Clone,
) -> String {
    let needs = all.clone().map(|row| u64::from(row.value.shape().since()));
    let head = Head {
        commit_success: document.transactions.success,
        commit_failed: document.transactions.failed,
        cas_conflicts: document.transactions.conflicts,
        recovery_count: document.transactions.recoveries,
        last_update: document.last_update.as_deref().unwrap_or_default(),
        schema_version: needs.max().unwrap_or(1),
        epoch: document.epoch,
        epoch_started: document.epoch_started.as_deref(),
        store_id: document.store_id,
        kind: document.kind,
        taken_at: document.taken_at.as_deref(),
        partial: &document.partial,
    };
    // Numbers and strings into memory: that cannot fail, and gives UTF-8.
    let mut text = serde_json::to_vec_pretty(&head).unwrap_or_default();
    // Without the newline and brace that close it: more fields follow.
    text.truncate(text.len().saturating_sub(2));
    text.extend_from_slice(b",\n  \"series\": [");
    let end: &[u8] = if all.len() == 0 { b"]" } else { b"\n  ]" };
    for (index, series) in all.enumerate() {
        let separator: &[u8] = if index == 0 { b"\n    " } else { b",\n    " };
        text.extend_from_slice(separator);
        let _ = serde_json::to_writer(&mut text, &series);
    }
    text.extend_from_slice(end);
    let check = crc32fast::hash(&text);
    text.extend_from_slice(format!("{CHECK}{check:08x}\"\n}}\n").as_bytes());
    String::from_utf8(text).unwrap_or_default()
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
