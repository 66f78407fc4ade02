//! A part of the archive: its bytes, and nothing of files. `docs/format.md` has the table.

use std::collections::HashMap;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::metric::Key;
use crate::snapshot::document::{Document, DocumentKind};

use super::column::{Code, Column};
use super::stamp::Stamp;
use super::value::HistoryValue;

const MAGIC: [u8; 8] = *b"DEESPECH";
const VERSION: u32 = 1;
/// Bytes in front of the rows.
pub(super) const HEADER: usize = 32;
const ROW_WORDS: usize = 7;
const ROW: usize = 8 * ROW_WORDS;
const ENTRY: usize = 24;
/// Most rows of a part.
pub(super) const MAX_ROWS: usize = 4096;
/// Numbers and rows of all columns together, at which a part is complete: it is rewritten as a whole
/// until then.
const MAX_CELLS: usize = 1 << 20;

/// One snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The time in its name.
    pub(super) ns: u64,
    pub(super) stamp: Stamp,
    pub(super) epoch: Option<u64>,
    pub(super) kind: DocumentKind,
}

impl Row {
    fn to_words(self) -> [u64; ROW_WORDS] {
        let [inode, size, modified, changed] = self.stamp.to_words();
        let kind = u64::from(self.kind == DocumentKind::Rotation);
        let epoch = self.epoch.unwrap_or(0);
        [self.ns, inode, size, modified, changed, epoch, kind]
    }

    fn of_words(
        [ns, inode, size, modified, changed, epoch, kind]: [u64; ROW_WORDS],
    ) -> Option<Self> {
        let kind = match kind {
            0 => DocumentKind::Snapshot,
            1 => DocumentKind::Rotation,
            _ => return None,
        };
        Some(Self {
            ns,
            stamp: Stamp::of_words([inode, size, modified, changed]),
            epoch: Some(epoch).filter(|epoch| *epoch > 0),
            kind,
        })
    }
}

/// Where a column stands in the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    hash: u64,
    pub(super) offset: u64,
    pub(super) length: usize,
    check: u32,
}

/// What a part says of itself: its snapshots and where its columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    cells: u32,
    pub(super) rows: Vec<Row>,
    pub(super) entries: Vec<Entry>,
}

fn word(bytes: &[u8], index: usize) -> Option<u64> {
    let eight = bytes.get(8 * index..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*eight))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

/// Where a part's head ends, by its header; `None` where that is not of a part of this version with so
/// many bytes.
pub(super) fn head_length(header: &[u8], length: u64) -> Option<usize> {
    let is_ours = header.starts_with(&MAGIC) && half(header, 8)? == VERSION;
    let (rows, columns) = (half(header, 12)? as usize, half(header, 16)? as usize);
    let end = HEADER + rows.checked_mul(ROW)? + columns.checked_mul(ENTRY)?;
    let is_lawful = is_ours && (1..=MAX_ROWS).contains(&rows) && end as u64 <= length;
    is_lawful.then_some(end)
}

impl Head {
    /// The head of a whole part.
    pub(super) fn of(part: &[u8]) -> Option<Self> {
        let length = part.len() as u64;
        Self::decode(part.get(..head_length(part, length)?)?, length)
    }

    /// Reads the head of a part with so many bytes.
    pub(super) fn decode(head: &[u8], length: u64) -> Option<Self> {
        if head_length(head, length)? != head.len() {
            return None;
        }
        let (header, tables) = head.split_at(HEADER);
        if half(header, 24)? != check(&[&header[8..24], tables]) || half(header, 28)? != 0 {
            return None;
        }
        let rows = half(header, 12)? as usize;
        let (rows, directory) = tables.split_at_checked(rows * ROW)?;
        let row = |bytes: &[u8]| {
            let mut words = [0; ROW_WORDS];
            for (index, place) in words.iter_mut().enumerate() {
                *place = word(bytes, index)?;
            }
            Row::of_words(words)
        };
        let rows = rows.chunks(ROW).map(row).collect::<Option<Vec<_>>>()?;
        let mut offset = head.len() as u64;
        let mut entries: Vec<Entry> = Vec::new();
        for bytes in directory.chunks(ENTRY) {
            let (hash, length) = (word(bytes, 0)?, word(bytes, 1)?);
            let check = u32::try_from(word(bytes, 2)?).ok()?;
            if entries.last().is_some_and(|before| before.hash > hash) {
                return None;
            }
            entries.push(Entry {
                hash,
                offset,
                length: usize::try_from(length).ok()?,
                check,
            });
            offset = offset.checked_add(length)?;
        }
        let cells = half(header, 20)?;
        (offset == length).then_some(Self {
            cells,
            rows,
            entries,
        })
    }

    /// Whether nothing more belongs into this part.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS || self.cells as usize >= MAX_CELLS
    }

    /// Where the columns may be that a series with this key has: one for each kind, or those of another
    /// series with the same hash.
    pub(super) fn find(&self, key: &[u8]) -> &[Entry] {
        let wanted = hash(key);
        let begin = self.entries.partition_point(|entry| entry.hash < wanted);
        let rest = &self.entries[begin..];
        &rest[..rest.partition_point(|entry| entry.hash == wanted)]
    }

    /// A column from its bytes.
    pub(super) fn column<'a>(
        &self,
        entry: &Entry,
        bytes: &'a [u8],
    ) -> Option<(Code, &'a [u8], Column)> {
        if bytes.len() != entry.length || crc32fast::hash(bytes) != entry.check {
            return None;
        }
        let (code, key, column) = Column::decode(bytes, self.rows.len() as u32)?;
        (hash(key) == entry.hash).then_some((code, key, column))
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(key);
    hasher.finish()
}

fn check(pieces: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    pieces.iter().for_each(|piece| hasher.update(piece));
    hasher.finalize()
}

/// The key of a series, as columns have it.
pub(super) fn key<'a>(name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Key {
    let labels: Vec<(&str, &str)> = labels.collect();
    Key::new(name, &labels)
}

/// What a document has of series with these keys.
pub(super) fn values(document: &Document, keys: &[Key]) -> Vec<Option<HistoryValue>> {
    let mut values = vec![None; keys.len()];
    for amount in document.amounts() {
        let found = key(&amount.name, amount.labels.iter());
        for (wanted, value) in keys.iter().zip(&mut values) {
            if wanted.bytes() == found.bytes() {
                *value = Some(HistoryValue::from(&amount.value));
            }
        }
    }
    values
}

/// A part that is being made.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) rows: Vec<Row>,
    /// By the code and the key behind it.
    columns: HashMap<Vec<u8>, Column>,
    cells: usize,
    /// The code and key that was looked up last: its memory is used again.
    wanted: Vec<u8>,
}

impl Builder {
    /// Whether nothing more belongs into this part.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS || self.cells >= MAX_CELLS
    }

    /// Whether as many rows fit in as another part has.
    pub(super) fn has_room(&self, rows: usize) -> bool {
        self.rows.len() + rows <= MAX_ROWS && self.cells < MAX_CELLS
    }

    /// Adds a snapshot.
    pub(super) fn push(&mut self, row: Row, document: &Document) {
        let number = self.rows.len() as u32;
        self.rows.push(row);
        for amount in document.amounts() {
            let value = HistoryValue::from(&amount.value);
            let key = key(&amount.name, amount.labels.iter());
            let (code, words) = (value.code(), value.words());
            self.add(
                code,
                key.bytes(),
                number,
                &words[..super::value::width(code)],
            );
        }
    }

    fn add(&mut self, code: Code, key: &[u8], row: u32, words: &[u64]) {
        self.cells += 1 + words.len();
        self.wanted.clear();
        self.wanted.push(code);
        self.wanted.extend_from_slice(key);
        match self.columns.get_mut(&self.wanted) {
            // A part that somebody made by hand may have a column twice.
            Some(column) if column.rows.last().is_some_and(|last| *last >= row) => {}
            Some(column) => column.push(row, words),
            None => {
                let mut column = Column::default();
                column.push(row, words);
                self.columns.insert(self.wanted.clone(), column);
            }
        }
    }

    /// Adds what another part has: those of its rows that are named, and all of its columns.
    pub(super) fn absorb(
        &mut self,
        head: &Head,
        wanted: &[u32],
        columns: &[(Code, Vec<u8>, Column)],
    ) {
        let mut places = vec![None; head.rows.len()];
        for row in wanted {
            places[*row as usize] = Some(self.rows.len() as u32);
            self.rows.push(head.rows[*row as usize]);
        }
        for (code, key, column) in columns {
            for (row, words) in column.iter(*code) {
                if let Some(place) = places[row as usize] {
                    self.add(*code, key, place, words);
                }
            }
        }
    }

    /// The bytes of the part; the builder is empty then.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let columns = std::mem::take(&mut self.columns).into_iter();
        let mut columns: Vec<(u64, Vec<u8>, Vec<u8>)> = columns
            .filter_map(|(named, column)| {
                let (code, key) = named.split_first()?;
                Some((hash(key), column.encode(*code, key), named.clone()))
            })
            .map(|(hash, bytes, named)| (hash, named, bytes))
            .collect();
        columns.sort_unstable();
        let rows = std::mem::take(&mut self.rows);
        let cells = u32::try_from(std::mem::take(&mut self.cells)).unwrap_or(u32::MAX);
        let mut tables = Vec::with_capacity(rows.len() * ROW + columns.len() * ENTRY);
        for word in rows.iter().flat_map(|row| row.to_words()) {
            tables.extend_from_slice(&word.to_le_bytes());
        }
        for (hash, _, bytes) in &columns {
            let check = u64::from(crc32fast::hash(bytes));
            for word in [*hash, bytes.len() as u64, check] {
                tables.extend_from_slice(&word.to_le_bytes());
            }
        }
        let mut numbers = Vec::new();
        for number in [VERSION, rows.len() as u32, columns.len() as u32, cells] {
            numbers.extend_from_slice(&number.to_le_bytes());
        }
        let check = check(&[&numbers, &tables]);
        let mut part = MAGIC.to_vec();
        part.extend_from_slice(&numbers);
        part.extend_from_slice(&check.to_le_bytes());
        part.extend_from_slice(&[0; 4]);
        part.extend_from_slice(&tables);
        for (_, _, bytes) in &columns {
            part.extend_from_slice(bytes);
        }
        part
    }
}

/// Puts the checksums of a part right, as far as it has the form of one.
#[cfg(any(test, fuzzing))]
pub(super) fn seal(part: &mut [u8]) {
    let Some(end) = head_length(part, part.len() as u64) else {
        return;
    };
    let entries = half(part, 16).unwrap_or_default() as usize;
    let mut at = end;
    for entry in (0..entries).map(|index| end - (entries - index) * ENTRY) {
        let length = word(&part[entry..], 1).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(bytes) = part.get(at..at.saturating_add(length)) else {
            break;
        };
        let check = u64::from(crc32fast::hash(bytes));
        part[entry + 16..entry + 24].copy_from_slice(&check.to_le_bytes());
        at += length;
    }
    let check = check(&[&part[8..24], &part[HEADER..end]]);
    part[24..28].copy_from_slice(&check.to_le_bytes());
}
