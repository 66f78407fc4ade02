//! Where what stands in a segment of one stripe, by `docs/format.md`: written down here once more, so
//! that what is expected of a flipped bit does not come from the code that reads it.

use std::ops::Range;
use std::path::Path;

use crate::Result;

const PAGE: usize = 512;
const CELLS: usize = 512;
const REGISTRY: usize = 2 * PAGE + 2 * CELLS;
const BLOCK: usize = 8;
const BASELINES: usize = REGISTRY + 2 * CELLS * BLOCK;
const STRIPE: usize = BASELINES + 2 * CELLS;
pub(crate) const WORDS: usize = STRIPE + 2 * CELLS;

const TAIL: usize = PAGE;
pub(crate) const PENDING: usize = PAGE + 12;
const DEGRADED: usize = PAGE + 13;
/// EPOCH, SEGMENTS and the two words of BOOT.
const MADE_AGAIN: Range<usize> = PAGE + 8..PAGE + 12;
pub(crate) const TICKET: usize = PAGE + 24;
const RECORDS: usize = PAGE + 64;
const RECORD: usize = 128;
const STATE: usize = 5;
const FAMILY: u64 = 128;

/// What a word of the segment is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// The header, or the record of the current epoch: without it nothing can be read.
    Vital,
    /// An entry, but for the word that may change: the series of this name and these cells.
    Series(usize),
    /// The entry of the family of this name.
    Family(String),
    /// What this cell counted: its total, and where `baseline` says so, with the other sign.
    Count { cell: usize, baseline: bool },
    /// That the store is degraded.
    Degraded,
    /// No count depends on it, or it is guarded and can be made again.
    Other,
}

/// An entry of a series.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The name, and the values of its labels in their order, with commas between.
    pub(crate) name: String,
    pub(crate) cells: Range<usize>,
    words: Range<usize>,
}

/// The map of one whole segment.
pub(crate) struct Map {
    pub(crate) entries: Vec<Entry>,
    families: Vec<(String, Range<usize>)>,
    epoch: usize,
}

fn word(bytes: &[u8], index: usize) -> u64 {
    let eight = bytes[index * 8..].first_chunk::<8>();
    u64::from_le_bytes(*eight.unwrap_or(&[0; 8]))
}

impl Map {
    /// Reads the map of a segment that is whole, in the epoch with this number.
    pub(crate) fn of(bytes: &[u8], epoch: u64) -> Result<Self> {
        if bytes.len() != WORDS * 8 {
            return Err("the segment has another length than the format says".into());
        }
        let mut map = Self {
            entries: Vec::new(),
            families: Vec::new(),
            epoch: (epoch & 1) as usize,
        };
        let end = (word(bytes, TAIL) & 0xff_ffff) as usize;
        let mut block = 0;
        while block < end {
            let at = REGISTRY + block * BLOCK;
            let sizes = word(bytes, at + 1);
            let (blocks, kind) = ((sizes & 0xffff) as usize, sizes >> 16 & 0xff);
            let text = &bytes[(at + 6) * 8..][..(sizes >> 32) as usize];
            let words = at..at + blocks * BLOCK;
            let texts = texts(text);
            if kind == FAMILY {
                map.families.push((texts.concat(), words));
            } else {
                let cells = word(bytes, at + 2);
                let first = (cells & 0xffff_ffff) as usize;
                let values = texts.iter().skip(1).skip(1).step_by(2);
                let name = texts.iter().take(1).chain(values);
                map.entries.push(Entry {
                    name: name.cloned().collect::<Vec<_>>().join(","),
                    cells: first..first + (cells >> 32) as usize,
                    words,
                });
            }
            block += blocks;
        }
        Ok(map)
    }

    /// What the word with this number is about.
    pub(crate) fn part(&self, word: usize) -> Part {
        let record = RECORDS + self.epoch * RECORD;
        if word < 10 || (record..record + RECORD).contains(&word) {
            return Part::Vital;
        }
        if word == DEGRADED {
            return Part::Degraded;
        }
        let is_in = |words: &Range<usize>| words.contains(&word) && word != words.start + STATE;
        if let Some(index) = self.entries.iter().position(|entry| is_in(&entry.words)) {
            return Part::Series(index);
        }
        if let Some((name, _)) = self.families.iter().find(|(_, words)| is_in(words)) {
            return Part::Family(name.clone());
        }
        let baseline = BASELINES + self.epoch * CELLS;
        if (baseline..baseline + CELLS).contains(&word) {
            let cell = word - baseline;
            return Part::Count {
                cell,
                baseline: true,
            };
        }
        if (STRIPE..WORDS).contains(&word) {
            let cell = (word - STRIPE) % CELLS;
            return Part::Count {
                cell,
                baseline: false,
            };
        }
        Part::Other
    }
}

/// The texts of a key, each behind two bytes of length.
fn texts(mut key: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = key.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (text, rest) = rest.split_at(length);
        texts.push(String::from_utf8_lossy(text).into_owned());
        key = rest;
    }
    texts
}

/// Whether a flip in this word makes the next opening look for unfinished work: the word says so, or it is one
/// without which the store is recovered.
pub(crate) fn settles(word: usize) -> bool {
    word == PENDING || word == TAIL || MADE_AGAIN.contains(&word)
}

/// The first word of the one stripe for writers.
pub(crate) fn first_cell() -> usize {
    STRIPE
}

/// What an entry is changed to say, with its checksum put right.
pub(crate) enum Claim {
    AnothersCells,
    CellsBehindTheEnd,
}

/// Lets the last entry of the segment at `path` claim what is not its own.
pub(crate) fn claim(path: &Path, claim: Claim) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let entries = entries_of(&bytes)?;
    let (_, words) = entries.last().ok_or("the segment has no entry")?;
    let at = words.start;
    let cells = word(&bytes, at + 2) >> 32 << 32;
    let first = match claim {
        Claim::AnothersCells => 0,
        Claim::CellsBehindTheEnd => u64::from(u32::MAX),
    };
    set(&mut bytes, at + 2, cells | first);
    let sum = checksum(&bytes, words);
    let magic = word(&bytes, at) & 0xffff_ffff;
    set(&mut bytes, at, magic | u64::from(sum) << 32);
    Ok(std::fs::write(path, bytes)?)
}

/// Fills the index of the segment at `path` so that no search comes to an end in it.
pub(crate) fn fill_index(path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let slots = (word(&bytes, 6) & 0xffff_ffff) as usize;
    for slot in 2 * PAGE..2 * PAGE + slots {
        if word(&bytes, slot) == 0 {
            // A block that is there, and a hash that nothing has.
            set(&mut bytes, slot, 1 | 0xffff_fffe << 32);
        }
    }
    Ok(std::fs::write(path, bytes)?)
}

fn set(bytes: &mut [u8], index: usize, word: u64) {
    bytes[index * 8..][..8].copy_from_slice(&word.to_le_bytes());
}

/// The kinds and words of all entries, whatever the size of the segment.
fn entries_of(bytes: &[u8]) -> Result<Vec<(u64, Range<usize>)>> {
    let slots = (word(bytes, 6) & 0xffff_ffff) as usize;
    let end = (word(bytes, TAIL) & 0xff_ffff) as usize;
    let mut entries = Vec::new();
    let mut block = 0;
    while block < end {
        let at = 2 * PAGE + slots + block * BLOCK;
        let sizes = word(bytes, at + 1);
        let blocks = (sizes & 0xffff) as usize;
        if blocks == 0 {
            return Err("the segment is not whole".into());
        }
        entries.push((sizes >> 16 & 0xff, at..at + blocks * BLOCK));
        block += blocks;
    }
    Ok(entries)
}

/// CRC-32 (ISO 3309), bit by bit, of an entry without its first word and with 0 for its state.
fn checksum(bytes: &[u8], words: &Range<usize>) -> u32 {
    let mut crc = u32::MAX;
    for index in words.start + 1..words.end {
        let word = if index == words.start + STATE {
            0
        } else {
            word(bytes, index)
        };
        for byte in word.to_le_bytes() {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = crc >> 1 ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
            }
        }
    }
    !crc
}
