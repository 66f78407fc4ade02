//! One entry: whole blocks of 64 bytes that begin with a byte which no UTF-8 text holds, so a scan
//! finds the next entry behind a damaged one. Never changed, but for its state word.

use crate::metric::{Family, Key, LabelSet, Shape, WIDE_CELLS};
use crate::sync::{AtomicU64, Ordering};

use super::super::layout::{self, BLOCK};
use super::super::segment::Segment;
use super::super::shares::MAX_CELLS;

/// The first four bytes of an entry.
pub(super) const MAGIC: u32 = u32::from_le_bytes([0xff, b'D', b'S', b'E']);
/// Words of an entry before its key.
pub(super) const FIXED: usize = 6;
/// The kind of an entry that holds nothing.
pub(super) const VOID: u8 = 0;
/// The kind of an entry that declares a family.
const FAMILY: u8 = 128;
/// The one word of an entry that may change; the checksum leaves it out.
const STATE: usize = 5;

/// How a series is stored, as its entry says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Counter,
    Gauge,
    ProcessGauge,
    Histogram,
    Info,
    FractionCounter,
    SumGauge,
    Summary,
    WideHistogram,
}

impl Form {
    pub(crate) fn of(shape: &Shape) -> Self {
        match shape {
            Shape::Counter => Self::Counter,
            Shape::Gauge => Self::Gauge,
            Shape::ProcessGauge(_) => Self::ProcessGauge,
            Shape::Histogram(_) => Self::Histogram,
            Shape::Info => Self::Info,
            Shape::FractionCounter => Self::FractionCounter,
            Shape::SumGauge => Self::SumGauge,
            Shape::Summary => Self::Summary,
            Shape::WideHistogram(_) => Self::WideHistogram,
        }
    }

    #[inline]
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Counter => 1,
            Self::Gauge => 2,
            Self::ProcessGauge => 3,
            Self::Histogram => 4,
            Self::Info => 5,
            Self::FractionCounter => 6,
            Self::SumGauge => 7,
            Self::Summary => 8,
            Self::WideHistogram => 9,
        }
    }

    /// Whether a series of this form can have so many cells.
    fn has(self, cells: u32) -> bool {
        match self {
            Self::Counter | Self::Gauge | Self::Info => cells == 1,
            Self::ProcessGauge => cells.is_multiple_of(2) && (2..=MAX_CELLS).contains(&cells),
            Self::FractionCounter | Self::SumGauge => cells == WIDE_CELLS,
            Self::Summary => cells == 1 + WIDE_CELLS,
            // The sum, and at least two buckets.
            Self::Histogram => cells > 2,
            Self::WideHistogram => cells > WIDE_CELLS + 1,
        }
    }

    #[inline]
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Counter),
            2 => Some(Self::Gauge),
            3 => Some(Self::ProcessGauge),
            4 => Some(Self::Histogram),
            5 => Some(Self::Info),
            6 => Some(Self::FractionCounter),
            7 => Some(Self::SumGauge),
            8 => Some(Self::Summary),
            9 => Some(Self::WideHistogram),
            _ => None,
        }
    }
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Series {
        name: String,
        labels: LabelSet,
        form: Form,
    },
    Family(Family),
}

/// A decoded entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) content: Content,
    pub(crate) created_ns: u64,
    pub(crate) hash: u64,
    pub(crate) cell: u32,
    pub(crate) cells: u32,
    pub(crate) block: u32,
    pub(crate) blocks: u32,
}

impl Entry {
    pub(crate) fn is_process_gauge(&self) -> bool {
        matches!(
            self.content,
            Content::Series {
                form: Form::ProcessGauge,
                ..
            }
        )
    }
}

/// What stands at a block.
pub(super) enum Found {
    Entry(Entry),
    /// Blocks that recovery has declared unused.
    Void(u32),
}

/// An entry before it has its place.
pub(crate) struct NewEntry<'a> {
    key: &'a Key,
    hash: u64,
    code: u8,
    cells: u32,
    created_ns: u64,
    payload: Vec<u8>,
}

impl<'a> NewEntry<'a> {
    /// The entry of a series with so many cells.
    pub(crate) fn series(key: &'a Key, hash: u64, form: Form, cells: u32, created_ns: u64) -> Self {
        Self {
            key,
            hash,
            code: form.code(),
            cells,
            created_ns,
            payload: Vec::new(),
        }
    }

    /// The entry of a family; `key` is its [`Key::of_family`].
    pub(crate) fn family(key: &'a Key, hash: u64, family: &Family, created_ns: u64) -> Self {
        Self {
            key,
            hash,
            code: FAMILY,
            cells: 0,
            created_ns,
            payload: family.encode(),
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn cells(&self) -> u32 {
        self.cells
    }

    pub(crate) fn form(&self) -> Option<Form> {
        Form::from_code(self.code)
    }

    /// How many blocks it takes.
    pub(crate) fn blocks(&self) -> usize {
        let text = self.key.bytes().len() + self.payload.len();
        (FIXED + text.div_ceil(8)).div_ceil(BLOCK)
    }

    /// The words, with the first cell that it was given.
    pub(super) fn encode(&self, cell: u32) -> Vec<u64> {
        let mut entry = vec![0; self.blocks() * BLOCK];
        let key_len = self.key.bytes().len() as u64;
        entry[1] = self.blocks() as u64 | u64::from(self.code) << 16 | key_len << 32;
        entry[2] = u64::from(cell) | u64::from(self.cells) << 32;
        entry[3] = self.created_ns;
        entry[4] = self.hash;
        let text: Vec<u8> = [self.key.bytes(), &self.payload].concat();
        for (word, bytes) in entry[FIXED..].iter_mut().zip(text.chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(eight);
        }
        entry[0] = u64::from(MAGIC) | u64::from(checksum(&entry)) << 32;
        entry
    }
}

/// The checksum of an entry without its first word and its state.
pub(super) fn checksum(entry: &[u64]) -> u32 {
    let mut words = entry[1..].to_vec();
    words[STATE - 1] = 0;
    layout::checksum(&words)
}

/// The word of the entry at `block` that may change.
pub(crate) fn state(segment: &Segment, block: u32) -> &AtomicU64 {
    &segment.words()[segment.geometry().registry_at() + block as usize * BLOCK + STATE]
}

/// The form of a series' entry, from the word that also has its sizes.
pub(super) fn form_of(sizes: u64) -> Option<Form> {
    Form::from_code((sizes >> 16) as u8)
}

/// Reads the entry at `block`; `None` when there is none, or not a whole and undamaged one.
pub(super) fn entry_at(segment: &Segment, block: u32, end: u32) -> Option<Found> {
    let at = segment.geometry().registry_at() + block as usize * BLOCK;
    let first = segment.load(at);
    if first as u32 != MAGIC {
        return None;
    }
    let sizes = segment.load(at + 1);
    let blocks = sizes as u32 & 0xffff;
    let key_len = (sizes >> 32) as usize;
    let words = blocks as usize * BLOCK;
    if blocks == 0 || block + blocks > end || FIXED + key_len.div_ceil(8) > words {
        return None;
    }
    let entry: Vec<u64> = segment.words()[at..at + words]
        .iter()
        .map(|word| word.load(Ordering::Relaxed))
        .collect();
    if (first >> 32) as u32 != checksum(&entry) {
        return None;
    }
    let code = (sizes >> 16) as u8;
    if code == VOID {
        return Some(Found::Void(blocks));
    }
    let bytes: Vec<u8> = entry[FIXED..]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let (key, payload) = bytes.split_at(key_len);
    let content = if code == FAMILY {
        // JSON has no zeros: those are the rest of the last block.
        let end = payload.iter().rposition(|&byte| byte != 0)? + 1;
        Content::Family(Family::decode(Key::decode_family(key)?, &payload[..end])?)
    } else {
        let (name, labels) = Key::decode(key)?;
        let (name, form) = (name.to_owned(), Form::from_code(code)?);
        Content::Series { name, labels, form }
    };
    let (cell, cells) = (entry[2] as u32, (entry[2] >> 32) as u32);
    let fits = match &content {
        Content::Family(_) => cells == 0,
        Content::Series { form, .. } => form.has(cells),
    };
    if !fits {
        return None;
    }
    (cell.checked_add(cells)? <= segment.geometry().cells).then_some(Found::Entry(Entry {
        content,
        created_ns: entry[3],
        hash: entry[4],
        cell,
        cells,
        block,
        blocks,
    }))
}

/// Puts the checksums of all entries right that begin somewhere in these blocks, as somebody would who
/// means harm.
#[cfg(any(test, fuzzing))]
pub(crate) fn seal_all(blocks: &mut [u64]) {
    for at in (0..blocks.len()).step_by(BLOCK) {
        let words = (blocks[at + 1] & 0xffff) as usize * BLOCK;
        if blocks[at] as u32 == MAGIC && words > 0 && at + words <= blocks.len() {
            let checksum = checksum(&blocks[at..at + words]);
            blocks[at] = u64::from(MAGIC) | u64::from(checksum) << 32;
        }
    }
}
