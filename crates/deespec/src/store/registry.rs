//! The series registry of one segment: append-only entries and the hash index that finds them.
//!
//! A registration is committed by one word, the segment's tail; whatever a killed process left
//! behind that word is overwritten by the next.

mod entry;

use std::ops::Range;

use crate::metric::{Key, WIDE_CELLS};
use crate::sync::Ordering;

use super::control::Tail;
use super::error::StoreError;
use super::layout::BLOCK;
use super::segment::Segment;

pub(crate) use entry::{Content, Entry, Form, NewEntry, state};

#[cfg(any(test, fuzzing))]
pub(crate) use entry::seal_all;

use entry::{FIXED, Found, MAGIC, VOID, checksum, entry_at, form_of};

/// Where an entry and its cells are, as a lookup needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) cell: u32,
    pub(crate) cells: u32,
    pub(crate) block: u32,
    /// `None` for the entry of a family.
    pub(crate) form: Option<Form>,
}

/// A place of a series in one word, without its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed(u64);

/// Bits of a cell and of a number of cells there: a segment has 2^20 at most, and twice as many blocks.
const CELL: u32 = 21;

impl Packed {
    pub(crate) fn new(place: Place) -> Self {
        let [cell, cells, block] = [place.cell, place.cells, place.block].map(u64::from);
        Self(cell | cells << CELL | block << (2 * CELL))
    }

    #[inline]
    pub(crate) fn of_word(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn cell(self) -> u32 {
        self.0 as u32 & ((1 << CELL) - 1)
    }

    #[inline]
    pub(crate) fn cells(self) -> u32 {
        (self.0 >> CELL) as u32 & ((1 << CELL) - 1)
    }

    #[inline]
    pub(crate) fn block(self) -> u32 {
        (self.0 >> (2 * CELL)) as u32
    }

    pub(crate) fn unpacked(self) -> Place {
        Place {
            cell: self.cell(),
            cells: self.cells(),
            block: self.block(),
            form: None,
        }
    }
}

/// The state of a family's declaration that another one replaced; else it counts the series.
pub(crate) const SUPERSEDED: u64 = 1 << 63;
/// The state of a removed series, together with the sum of its cells at its removal.
const REMOVED: u64 = 0b10 << 62;
/// The part of a removed series' state that is the sum.
const SUM: u64 = u64::MAX >> 2;
/// The bits of it that are inverted, or one flipped bit would remove a series that has counted nothing.
const INVERTED: u64 = 0x5555_5555_5555_5555 & SUM;

/// The state of a series that is removed now: it stays so for as long as nothing is added to it.
pub(crate) fn removal(segment: &Segment, block: u32, cell: u32, cells: u32) -> u64 {
    let sizes = segment.load(segment.geometry().registry_at() + block as usize * BLOCK + 1);
    let cells = match form_of(sizes) {
        // An observation may take from the sum what it adds to a bucket: only buckets tell.
        Some(Form::Histogram) => cell + 1..cell + cells,
        Some(Form::WideHistogram) => cell + WIDE_CELLS..cell + cells,
        Some(Form::Counter | Form::FractionCounter) => cell..cell + cells,
        // The same is true of a summary and its count.
        Some(Form::Summary) => cell..cell + 1,
        // What is not added up comes back when it is set, whatever to.
        _ => cell..cell,
    };
    let sum = cells
        .map(|cell| segment.total(cell))
        .fold(0, u64::wrapping_add);
    REMOVED | ((sum ^ INVERTED) & SUM)
}

/// Whether a series was removed and not counted since. One that was counted is there for good: its
/// sum may come to what it was. Needs the shared or exclusive lock.
pub(crate) fn is_removed(segment: &Segment, block: u32, cell: u32, cells: u32) -> bool {
    let state = state(segment, block);
    let mark = state.load(Ordering::Relaxed);
    if mark == 0 {
        return false;
    }
    let removed = mark == removal(segment, block, cell, cells);
    if !removed {
        state.store(0, Ordering::Relaxed);
    }
    removed
}

/// The declarations of a key that no other has replaced; `replaced` becomes true where others were.
pub(crate) fn standing(
    segment: &Segment,
    key: &Key,
    hash: u64,
    replaced: &mut bool,
) -> impl Iterator<Item = Place> {
    find_each(segment, key, hash).filter(move |place| {
        // Whoever sees that one was replaced sees the tail behind the one that has replaced it.
        let stands = state(segment, place.block).load(Ordering::Acquire) & SUPERSEDED == 0;
        *replaced |= !stands;
        stands
    })
}

/// Says that another declaration, further behind, has replaced this one.
pub(crate) fn supersede(segment: &Segment, block: u32) {
    state(segment, block).fetch_or(SUPERSEDED, Ordering::Release);
}

/// Makes a series visible again that was removed and has a value again.
#[inline]
pub(crate) fn revive(segment: &Segment, block: u32) {
    let state = state(segment, block);
    if state.load(Ordering::Relaxed) != 0 {
        state.store(0, Ordering::Relaxed);
    }
}

/// The entry at a block that a lookup found.
pub(crate) fn read(segment: &Segment, block: u32) -> Option<Entry> {
    match entry_at(segment, block, segment.end_of_registry())? {
        Found::Entry(entry) => Some(entry),
        Found::Void(_) => None,
    }
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
    pub(crate) entries: Vec<Entry>,
    pub(crate) bad: Vec<BadBlocks>,
    /// The blocks of what is whole and yet no entry that counts.
    pub(crate) others: Vec<Range<u32>>,
}

/// Reads the entries from `from` up to `to`, passing over damaged ones. Blocks of zeros are damage only
/// where `zeros_are_bad` says that an entry must stand there.
pub(crate) fn scan(segment: &Segment, from: Tail, to: Tail, zeros_are_bad: bool) -> Scan {
    let mut entries = Vec::new();
    let scan = scan_with(segment, from, to, zeros_are_bad, |entry| {
        entries.push(entry)
    });
    Scan { entries, ..scan }
}

/// As [`scan`], with each entry as it comes: there may be a million of them.
pub(crate) fn scan_with(
    segment: &Segment,
    from: Tail,
    to: Tail,
    zeros_are_bad: bool,
    mut each: impl FnMut(Entry),
) -> Scan {
    let mut scan = Scan::default();
    let mut block = from.blocks;
    let mut next_cell = from.cells;
    while block < to.blocks {
        let count = match entry_at(segment, block, to.blocks) {
            // Cells are handed out in order, so an entry that reaches back claims another's cells, and
            // one that reaches beyond the end those of whoever comes next.
            Some(Found::Entry(entry))
                if entry.cell >= next_cell && entry.cell + entry.cells <= to.cells =>
            {
                let count = entry.blocks;
                next_cell = entry.cell + entry.cells;
                each(entry);
                count
            }
            Some(Found::Void(count)) => {
                scan.others.push(block..block + count);
                count
            }
            found => {
                let at = segment.geometry().registry_at() + block as usize * BLOCK;
                let count = if let Some(Found::Entry(thief)) = found {
                    scan.others.push(block..block + thief.blocks);
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
    find_each(segment, key, hash).next()
}

/// Every entry of a key, in the order in which they were appended.
pub(crate) fn find_each(segment: &Segment, key: &Key, hash: u64) -> impl Iterator<Item = Place> {
    let geometry = segment.geometry();
    let mask = geometry.slots() - 1;
    let end = segment.end_of_registry();
    (0..=mask)
        .map(move |probe| {
            let slot = (hash as usize).wrapping_add(probe) & mask;
            segment.load(geometry.index_at() + slot)
        })
        .take_while(|&slot| slot != 0)
        .filter_map(move |slot| {
            let block = (slot as u32).wrapping_sub(1);
            if slot >> 32 == hash >> 32 && block < end {
                match_at(segment, block, end, key, hash)
            } else {
                None
            }
        })
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
            .masked_words()
            .zip(&words[FIXED..])
            .all(|((bytes, mask), word)| bytes == word.load(Ordering::Relaxed) & mask);
    if !same {
        return None;
    }
    // A damaged entry must not send increments into another series' cells.
    if !segment.is_verified(block) {
        match entry_at(segment, block, end)? {
            Found::Entry(entry) if entry.cell + entry.cells <= segment.end_of_cells() => {}
            // Its cells are those of whoever comes next.
            _ => return None,
        }
        segment.set_verified(block);
    }
    Some(Place {
        cell: word(2) as u32,
        cells: (word(2) >> 32) as u32,
        block,
        form: form_of(word(1)),
    })
}

/// Appends an entry; the caller holds the exclusive lock. `None` when the segment is full.
pub(crate) fn append(segment: &Segment, entry: &NewEntry<'_>) -> Result<Option<Place>, StoreError> {
    let geometry = segment.geometry();
    let tail = segment.tail()?;
    let next = Tail {
        blocks: tail.blocks + entry.blocks() as u32,
        cells: tail.cells + entry.cells(),
    };
    if next.cells > geometry.cells || next.blocks as usize > geometry.blocks() {
        return Ok(None);
    }
    let Some(slot) = free_slot(segment, entry.hash(), tail) else {
        return Ok(None);
    };
    let at = geometry.registry_at() + tail.blocks as usize * BLOCK;
    for (word, value) in segment.words()[at..].iter().zip(entry.encode(tail.cells)) {
        word.store(value, Ordering::Relaxed);
    }
    segment.store(slot, slot_of(entry.hash(), tail.blocks));
    // Nobody had these cells yet: what is not 0 there is a flipped bit, and would be taken for a count.
    segment.clear(tail.cells..next.cells);
    segment.set_tail(next);
    Ok(Some(Place {
        cell: tail.cells,
        cells: entry.cells(),
        block: tail.blocks,
        form: entry.form(),
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
pub(crate) fn rebuild_index(segment: &Segment, entries: &[Entry], tail: Tail) {
    let geometry = segment.geometry();
    for slot in 0..geometry.slots() {
        segment.store(geometry.index_at() + slot, 0);
    }
    for entry in entries {
        if let Some(slot) = free_slot(segment, entry.hash, tail) {
            segment.store(slot, slot_of(entry.hash, entry.block));
        }
    }
}

#[cfg(test)]
mod tests;
