//! A document as bytes, and whether bytes are what was written here.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Document, DocumentKind, Row};
use crate::metric::Value;
use crate::store::StoreId;

/// What stands before the checksum at the end of a document.
const CHECK: &str = ",\n  \"check\": \"crc32:";

/// What stands before the series.
const SERIES: &[u8] = b",\n  \"series\": [";

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
    let version = version(all.clone().map(|row| row.value));
    // Numbers and strings into memory: that cannot fail, and gives UTF-8.
    let mut text = Vec::new();
    let written = Writer::begin(&mut text, document, version).and_then(|mut writer| {
        for row in all {
            writer.row(&row)?;
        }
        writer.end()
    });
    written.map_or_else(
        |_| String::new(),
        |()| String::from_utf8(text).unwrap_or_default(),
    )
}

/// As [`render`], piece by piece.
pub(crate) fn write_document(out: impl Write, document: &Document) -> io::Result<()> {
    let version = version(document.series.iter().map(|series| &series.value));
    let mut writer = Writer::begin(out, document, version)?;
    for series in &document.series {
        writer.row(&Row::from(series))?;
    }
    writer.end()
}

/// The lowest schema version that can hold these values.
fn version<'a>(values: impl Iterator<Item = &'a Value>) -> u32 {
    values.map(|value| value.shape().since()).max().unwrap_or(1)
}

/// A document that is written piece by piece: it may be longer than the memory that one wants to give it.
pub(crate) struct Writer<W> {
    out: W,
    check: crc32fast::Hasher,
    row: Vec<u8>,
    is_first: bool,
}

impl<W: Write> Writer<W> {
    /// Begins with everything but the series of `document`, of the schema version that those need.
    pub(crate) fn begin(out: W, document: &Document, version: u32) -> io::Result<Self> {
        let head = Head {
            commit_success: document.transactions.success,
            commit_failed: document.transactions.failed,
            cas_conflicts: document.transactions.conflicts,
            recovery_count: document.transactions.recoveries,
            last_update: document.last_update.as_deref().unwrap_or_default(),
            schema_version: u64::from(version),
            epoch: document.epoch,
            epoch_started: document.epoch_started.as_deref(),
            store_id: document.store_id,
            kind: document.kind,
            taken_at: document.taken_at.as_deref(),
            partial: &document.partial,
        };
        let mut writer = Self {
            out,
            check: crc32fast::Hasher::new(),
            row: Vec::new(),
            is_first: true,
        };
        let mut text = serde_json::to_vec_pretty(&head)?;
        // Without the newline and brace that close it: more fields follow.
        text.truncate(text.len().saturating_sub(2));
        calm(&mut text);
        text.extend_from_slice(SERIES);
        writer.put(&text)?;
        Ok(writer)
    }

    pub(crate) fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let mut text = std::mem::take(&mut self.row);
        text.clear();
        text.extend_from_slice(if self.is_first { b"\n    " } else { b",\n    " });
        self.is_first = false;
        serde_json::to_writer(&mut text, row)?;
        calm(&mut text);
        let put = self.put(&text);
        self.row = text;
        put
    }

    pub(crate) fn end(mut self) -> io::Result<()> {
        self.put(if self.is_first { b"]" } else { b"\n  ]" })?;
        let check = self.check.finalize();
        write!(self.out, "{CHECK}{check:08x}\"\n}}\n")?;
        self.out.flush()
    }

    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        self.check.update(text);
        self.out.write_all(text)
    }
}

/// Writes `##` otherwise, so that a runner of a pipeline that is shown a document finds no `##vso[` in it. It stands in
/// strings alone, where it means the same.
fn calm(json: &mut Vec<u8>) {
    // Most have none.
    if !json.contains(&b'#') {
        return;
    }
    let mut from = 0;
    while let Some(at) = json[from..].windows(2).position(|two| two == b"##") {
        let second = from + at + 1;
        json.splice(second..=second, *b"\\u0023");
        from = second + 6;
    }
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

/// Whether a document is exactly what DeeSpec wrote, read piece by piece; the store that it is of; and what `each` made of all
/// its bytes.
pub(crate) fn examine(
    mut document: impl io::Read,
    mut each: impl FnMut(&[u8]),
) -> io::Result<(bool, Option<StoreId>)> {
    // The end of a document stands behind everything that its checksum is about.
    let end = CHECK.len() + "01234567\"\n}\n".len();
    let (mut check, mut head, mut kept) = (crc32fast::Hasher::new(), Vec::new(), Vec::new());
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = match document.read(&mut piece) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            break;
        }
        each(&piece[..read]);
        if head.len() < HEAD_MAX {
            head.extend_from_slice(&piece[..read]);
        }
        kept.extend_from_slice(&piece[..read]);
        let sure = kept.len().saturating_sub(end);
        check.update(&kept[..sure]);
        kept.drain(..sure);
    }
    let check = check.finalize();
    let untouched = kept == format!("{CHECK}{check:08x}\"\n}}\n").into_bytes();
    Ok((untouched, untouched.then(|| store_of(&head)).flatten()))
}

/// Most bytes of a document that are looked at for the store: before the series stand a few fields, and a sentence for
/// each part of the store that could not be read.
const HEAD_MAX: usize = 1 << 20;

fn store_of(head: &[u8]) -> Option<StoreId> {
    #[derive(Deserialize)]
    struct Store {
        store_id: Option<StoreId>,
    }
    let at = head
        .windows(SERIES.len())
        .position(|window| window == SERIES)?;
    let head = [&head[..at], b"}"].concat();
    serde_json::from_slice::<Store>(&head).ok()?.store_id
}
