//! The series registry of one segment: append-only entries and the hash index that finds them.
//!
//! An entry fills whole blocks of 64 bytes and begins with a byte that no UTF-8 text holds, so a
//! scan finds the next entry behind a damaged one. A registration is committed by one word, the
//! segment's tail; whatever a killed process left behind that word is overwritten by the next.

use crate::metric::{Key, Kind, LabelSet};
use crate::sync::Ordering;

use super::control::Tail;
use super::error::StoreError;
use super::layout::BLOCK;
use super::segment::Segment;

/// The first four bytes of an entry.
const MAGIC: u32 = u32::from_le_bytes([0xff, b'D', b'S', b'E']);
/// Words of an entry before its key.
const FIXED: usize = 6;
/// The kind of an entry that holds no series.
const VOID: u8 = 0;

/// Where a series' cells are, as a lookup needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) cell: u32,
    pub(crate) kind: Kind,
}

/// A decoded entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: LabelSet,
    pub(crate) kind: Kind,
    pub(crate) created_ns: u64,
    pub(crate) hash: u64,
    pub(crate) cell: u32,
    pub(crate) cells: u32,
    pub(crate) block: u32,
    pub(crate) blocks: u32,
}

/// Blocks that hold no readable entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadBlocks {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// What a scan of a part of the registry found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) series: Vec<Series>,
    pub(crate) bad: Vec<BadBlocks>,
}

/// Encodes an entry; its length is a multiple of a block.
fn encode(key: &Key, hash: u64, kind: Kind, cell: u32, cells: u32, created_ns: u64) -> Vec<u64> {
    let words = (FIXED + key.words().len()).next_multiple_of(BLOCK);
    let mut entry = vec![0; words];
    let key_len = key.bytes().len() as u64;
    entry[1] = (words / BLOCK) as u64 | u64::from(kind.code()) << 16 | key_len << 32;
    entry[2] = u64::from(cell) | u64::from(cells) << 32;
    entry[3] = created_ns;
    entry[4] = hash;
    for (word, bytes) in entry[FIXED..].iter_mut().zip(key.words()) {
        *word = u64::from_le_bytes(*bytes);
    }
    entry[0] = u64::from(MAGIC) | u64::from(checksum(&entry)) << 32;
    entry
}

fn checksum(entry: &[u64]) -> u32 {
    super::layout::checksum(&entry[1..])
}

/// What stands at a block.
enum Entry {
    Series(Series),
    /// Blocks that recovery has declared unused.
    Void(u32),
}

/// How many blocks the entry of a series takes.
pub(crate) fn blocks_of(key: &Key) -> usize {
    (FIXED + key.words().len()).div_ceil(BLOCK)
}

/// Reads the entry at `block`; `None` when there is none, or not a whole and undamaged one.
fn entry_at(segment: &Segment, block: u32, end: u32) -> Option<Entry> {
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
    if (sizes >> 16) as u8 == VOID {
        return Some(Entry::Void(blocks));
    }
    let bytes: Vec<u8> = entry[FIXED..]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let (name, labels) = Key::decode(&bytes[..key_len])?;
    let (cell, cells) = (entry[2] as u32, (entry[2] >> 32) as u32);
    let inside = cells > 0 && cell.checked_add(cells)? <= segment.geometry().cells;
    let kind = Kind::from_code((sizes >> 16) as u8)?;
    inside.then_some(Entry::Series(Series {
        name,
        labels,
        kind,
        created_ns: entry[3],
        hash: entry[4],
        cell,
        cells,
        block,
        blocks,
    }))
}

/// Reads the entries from `from` up to block `to`, passing over damaged ones. Blocks of zeros are
/// damage only where `zeros_are_bad` says that an entry must stand there.
pub(crate) fn scan(segment: &Segment, from: Tail, to: u32, zeros_are_bad: bool) -> Scan {
    let mut scan = Scan::default();
    let mut block = from.blocks;
    let mut next_cell = from.cells;
    while block < to {
        let count = match entry_at(segment, block, to) {
            // Cells are handed out in order, so an entry that reaches back claims another's cells.
            Some(Entry::Series(series)) if series.cell >= next_cell => {
                let count = series.blocks;
                next_cell = series.cell + series.cells;
                scan.series.push(series);
                count
            }
            Some(Entry::Void(count)) => count,
            found => {
                let at = segment.geometry().registry_at() + block as usize * BLOCK;
                let count = if let Some(Entry::Series(thief)) = found {
                    thief.blocks
                } else {
                    1
                };
                if zeros_are_bad || segment.load(at) != 0 {
                    match scan.bad.last_mut() {
                        Some(bad) if bad.first + bad.count == block => bad.count += count,
                        _ => scan.bad.push(BadBlocks {
                            first: block,
                            count,
                        }),
                    }
                }
                count
            }
        };
        block += count;
    }
    scan
}

/// Finds a series by its key without a lock.
pub(crate) fn find(segment: &Segment, key: &Key, hash: u64) -> Option<Place> {
    let geometry = segment.geometry();
    let mask = geometry.slots() - 1;
    let end = segment.end_of_registry();
    for probe in 0..=mask {
        let slot = segment.load(geometry.index_at() + ((hash as usize).wrapping_add(probe) & mask));
        if slot == 0 {
            return None;
        }
        let block = (slot as u32).wrapping_sub(1);
        if slot >> 32 == hash >> 32
            && block < end
            && let Some(place) = match_at(segment, block, end, key, hash)
        {
            return Some(place);
        }
    }
    None
}

/// Compares the entry at `block` with a key, word by word.
fn match_at(segment: &Segment, block: u32, end: u32, key: &Key, hash: u64) -> Option<Place> {
    let at = segment.geometry().registry_at() + block as usize * BLOCK;
    let words = segment
        .words()
        .get(at..at + (end - block) as usize * BLOCK)?;
    let word = |i: usize| words[i].load(Ordering::Relaxed);
    let same = FIXED + key.words().len() <= words.len()
        && word(4) == hash
        && (word(1) >> 32) as usize == key.bytes().len()
        && key
            .words()
            .iter()
            .zip(&words[FIXED..])
            .all(|(bytes, word)| u64::from_le_bytes(*bytes) == word.load(Ordering::Relaxed));
    if !same {
        return None;
    }
    // A damaged entry must not send increments into another series' cells.
    if !segment.is_verified(block) {
        entry_at(segment, block, end)?;
        segment.set_verified(block);
    }
    let kind = Kind::from_code((word(1) >> 16) as u8)?;
    Some(Place {
        cell: word(2) as u32,
        kind,
    })
}

/// Appends a series; the caller holds the exclusive lock. `None` when the segment is full.
pub(crate) fn append(
    segment: &Segment,
    key: &Key,
    hash: u64,
    kind: Kind,
    created_ns: u64,
) -> Result<Option<Place>, StoreError> {
    let geometry = segment.geometry();
    let tail = segment.tail()?;
    let entry = encode(key, hash, kind, tail.cells, 1, created_ns);
    let blocks = (entry.len() / BLOCK) as u32;
    if tail.cells + 1 > geometry.cells || (tail.blocks + blocks) as usize > geometry.blocks() {
        return Ok(None);
    }
    let Some(slot) = free_slot(segment, hash, tail) else {
        return Ok(None);
    };
    let at = geometry.registry_at() + tail.blocks as usize * BLOCK;
    for (word, value) in segment.words()[at..].iter().zip(&entry) {
        word.store(*value, Ordering::Relaxed);
    }
    segment.store(slot, slot_of(hash, tail.blocks));
    segment.set_tail(Tail {
        blocks: tail.blocks + blocks,
        cells: tail.cells + 1,
    });
    Ok(Some(Place {
        cell: tail.cells,
        kind,
    }))
}

fn slot_of(hash: u64, block: u32) -> u64 {
    (hash >> 32 << 32) | u64::from(block + 1)
}

/// The slot where a new entry goes: an empty one, or one whose entry was never committed.
fn free_slot(segment: &Segment, hash: u64, tail: Tail) -> Option<usize> {
    let geometry = segment.geometry();
    let mask = geometry.slots() - 1;
    (0..=mask)
        .map(|probe| geometry.index_at() + ((hash as usize).wrapping_add(probe) & mask))
        .find(|&slot| {
            let value = segment.load(slot);
            value == 0 || (value as u32).wrapping_sub(1) >= tail.blocks
        })
}

/// Clears what uncommitted registrations left; the caller holds the exclusive lock.
pub(crate) fn clear_behind_tail(segment: &Segment) {
    let geometry = segment.geometry();
    let Ok(tail) = segment.tail() else {
        return;
    };
    let end = geometry.registry_at() + geometry.blocks() * BLOCK;
    for word in geometry.registry_at() + tail.blocks as usize * BLOCK..end {
        segment.store(word, 0);
    }
}

/// Declares blocks unused that hold no entry; the caller holds the exclusive lock.
pub(crate) fn void(segment: &Segment, first: u32, count: u32) {
    let at = |block: u32| segment.geometry().registry_at() + block as usize * BLOCK;
    let mut block = first;
    while block < first + count {
        let blocks = (first + count - block).min(0xffff);
        for word in at(block)..at(block + blocks) {
            segment.store(word, 0);
        }
        let mut entry = vec![0; blocks as usize * BLOCK];
        entry[1] = u64::from(blocks) | u64::from(VOID) << 16;
        segment.store(at(block) + 1, entry[1]);
        segment.store(
            at(block),
            u64::from(MAGIC) | u64::from(checksum(&entry)) << 32,
        );
        block += blocks;
    }
}

/// Builds the index anew from the entries that are there; the caller holds the exclusive lock.
pub(crate) fn rebuild_index(segment: &Segment, series: &[Series], tail: Tail) {
    let geometry = segment.geometry();
    for slot in 0..geometry.slots() {
        segment.store(geometry.index_at() + slot, 0);
    }
    for series in series {
        if let Some(slot) = free_slot(segment, series.hash, tail) {
            segment.store(slot, slot_of(series.hash, series.block));
        }
    }
}

#[cfg(test)]
mod tests;
