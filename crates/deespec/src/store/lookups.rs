//! What was looked up before: where a series is, by its name and labels exactly as they were given. Whoever asks in the
//! same words again needs no sorting, no checks and no registry. Knows words and places; no segment, no lock.
//!
//! One table for all threads, in which a lookup only reads: its memory has a limit, however many label sets there are
//! and whoever makes them up, and threads that look up do not slow each other down. A slot is read between two looks at
//! its version, which is odd while it is written, so nobody ever waits; who meets a change looks in the registry.

mod key;

use std::cell::Cell;
use std::sync::OnceLock;

use crate::sync::{AtomicU64, Ordering};

use key::{Key, Long, Short};

pub(super) use key::Asked;

use super::raw::zeros;
use super::registry::{Form, Place};

/// Words of a slot: 256 bytes.
const SLOT: usize = 32;
/// Words of it before the key: the version, the cells, the entry.
const FIXED: usize = 3;
/// Most words of a key: up to 223 bytes of text. What is longer is looked up in the registry each time.
const KEY: usize = 28;
/// Slots of the table that most programs need, and of the one that takes its place where it does not suffice.
const SMALL: usize = 512;
const LARGE: usize = 32_768;
/// Places of the index in which a key may be, next to each other: half of a line of the cache.
const WAYS: usize = 4;
/// Words of a line of the cache.
const LINE: usize = 8;
/// The part of a word of the index that is the number of a slot. The rest is that of the hash.
const NUMBER: u64 = 0xffff;
/// A place of the index that somebody is taking: there is no such slot.
const TAKEN: u64 = u64::MAX;
/// A process that looks up fewer series makes no table.
const FEW: u32 = 4;
/// Of so many lookups that find all their slots taken one takes a slot: what is asked for once does not drive out
/// what is asked for often.
const PATIENCE: u32 = 8;

/// The lookups of one process in one store.
#[derive(Default)]
pub(super) struct Lookups {
    small: OnceLock<Table>,
    large: OnceLock<Table>,
}

/// An index by the hash, and slots in the order in which they were taken: what is looked up in the order in which it was
/// made, as often, is met in this order in memory, and the index is small enough to stay in the cache.
struct Table {
    /// The index, one slot that is never taken, and the others.
    words: Box<[AtomicU64]>,
    /// Where the index begins, and where the slots do: at lines of the cache.
    index: usize,
    slots: usize,
    mask: usize,
    taken: AtomicU64,
}

impl Lookups {
    #[inline(always)]
    fn table(&self) -> Option<&Table> {
        self.large.get().or_else(|| self.small.get())
    }

    #[inline]
    pub(super) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<Known> {
        let table = self.table()?;
        let short = match labels {
            [] => Short::new(name, &[]).map(|key| table.find(&key)),
            [a] => Short::new(name, &[*a]).map(|key| table.find(&key)),
            [a, b] => Short::new(name, &[*a, *b]).map(|key| table.find(&key)),
            [a, b, c] => Short::new(name, &[*a, *b, *c]).map(|key| table.find(&key)),
            _ => None,
        };
        short.unwrap_or_else(|| table.find_long(name, labels))
    }

    /// `sorting` is the number of how a histogram sorts, 0 where that is not known.
    pub(super) fn remember(&self, asked: &Asked, segment: u32, place: Place, sorting: u8) {
        let misses = misses();
        let known = Known::new(segment, place, sorting);
        if let Some(large) = self.large.get() {
            large.remember(asked, known, misses);
        } else if self.small.get().is_some() || misses >= FEW {
            let small = self.small.get_or_init(|| Table::new(SMALL));
            if !small.remember(asked, known, 1) {
                let large = self.large.get_or_init(|| Table::new(LARGE));
                large.remember(asked, known, misses);
            }
        }
    }
}

impl Table {
    fn new(slots: usize) -> Self {
        let words = zeros(LINE + slots + (1 + slots) * SLOT);
        let index = words.as_ptr().align_offset(LINE * 8).min(LINE);
        Self {
            words,
            index,
            slots: index + slots,
            mask: slots / WAYS - 1,
            taken: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    fn find(&self, key: &impl Key) -> Option<Known> {
        self.slots_of(key.hash()).find_map(|slot| read(slot, key))
    }

    fn find_long(&self, name: &str, labels: &[(&str, &str)]) -> Option<Known> {
        self.find(&Long::new(name, labels)?)
    }

    /// The places of the index for a hash.
    #[inline(always)]
    fn ways(&self, hash: u64) -> &[AtomicU64] {
        let first = self.index + (hash as usize & self.mask) * WAYS;
        &self.words[first..first + WAYS]
    }

    /// The slots in which a key of this hash may be.
    #[inline(always)]
    fn slots_of(&self, hash: u64) -> impl Iterator<Item = &[AtomicU64; SLOT]> {
        self.ways(hash).iter().filter_map(move |way| {
            let number = way.load(Ordering::Acquire) ^ (hash & !NUMBER);
            if number <= NUMBER {
                self.slot(number)
            } else {
                None
            }
        })
    }

    /// The slot of a number, which is empty where that is 0.
    #[inline(always)]
    fn slot(&self, number: u64) -> Option<&[AtomicU64; SLOT]> {
        self.words
            .get(self.slots + number as usize * SLOT..)?
            .first_chunk()
    }

    /// Whether it is in the table then, or could be but for its patience.
    fn remember(&self, asked: &Asked, known: Known, misses: u32) -> bool {
        // It says more now, or another thread was faster.
        let mut own = self.slots_of(asked.hash);
        if let Some(slot) = own.find(|slot| read(slot, asked).is_some()) {
            write(slot, asked, known);
            return true;
        }
        let (ways, tag) = (self.ways(asked.hash), asked.hash & !NUMBER);
        let order = (Ordering::Acquire, Ordering::Relaxed);
        let take = |way: &&AtomicU64| way.compare_exchange(0, TAKEN, order.0, order.1).is_ok();
        if let Some(way) = ways.iter().find(take) {
            // There are as many slots as places.
            let number = 1 + self.taken.fetch_add(1, Ordering::Relaxed);
            if let Some(slot) = self.slot(number) {
                write(slot, asked, known);
                way.store(tag | number, Ordering::Release);
            }
            return true;
        }
        if !misses.is_multiple_of(PATIENCE) {
            return false;
        }
        let victim = &ways[(misses / PATIENCE) as usize % WAYS];
        let number = victim.load(Ordering::Relaxed) & NUMBER;
        // Where two do this at once, the place may be that of the one and the slot of the other: it is not found then.
        if let Some(slot) = self.slot(number)
            && write(slot, asked, known)
        {
            victim.store(tag | number, Ordering::Release);
        }
        true
    }
}

/// What a slot says of a key.
#[inline(always)]
fn read(slot: &[AtomicU64; SLOT], key: &impl Key) -> Option<Known> {
    let load = |at: usize| slot[at].load(Ordering::Acquire);
    let version = load(0);
    let known = Known {
        cells: load(1),
        entry: load(2),
    };
    let (mut at, mut other) = (FIXED, known.form() ^ key.form());
    key.each(|word| {
        let have = slot.get(at).map(|have| have.load(Ordering::Acquire));
        other |= have.map_or(1, |have| have ^ word);
        at += 1;
    });
    // Whoever has read a word of a later writing sees that it had begun.
    let stands = slot[0].load(Ordering::Relaxed) == version;
    if other != 0 || !stands || version == 0 || !version.is_multiple_of(2) {
        return None;
    }
    Some(known)
}

/// Where a series is, as a slot has it: whoever takes it apart before it is needed waits for it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    cells: u64,
    entry: u64,
}

impl Known {
    fn new(segment: u32, place: Place, sorting: u8) -> Self {
        Self {
            cells: u64::from(place.cell) | u64::from(place.cells) << 32,
            entry: u64::from(place.block)
                | u64::from(place.form.map_or(0, Form::code)) << 32
                | u64::from(segment & 0xff) << 40
                | u64::from(sorting) << 56,
        }
    }

    /// The form of the key.
    #[inline(always)]
    fn form(self) -> u64 {
        self.entry >> 48 & 0xff
    }

    /// The number of the segment.
    #[inline(always)]
    pub(super) fn segment(self) -> u32 {
        (self.entry >> 40) as u32 & 0xff
    }

    /// The number of how it sorts, where that is known.
    #[inline(always)]
    pub(super) fn sorting(self) -> u8 {
        (self.entry >> 56) as u8
    }

    /// The place in it, of a series of this form; `None` of another.
    #[inline(always)]
    pub(super) fn place(self, form: Form) -> Option<Place> {
        let place = Place {
            cell: self.cells as u32,
            cells: (self.cells >> 32) as u32,
            block: self.entry as u32,
            form: Some(form),
        };
        ((self.entry >> 32) as u8 == form.code()).then_some(place)
    }
}

/// Puts a key into a slot, unless somebody else writes it now.
fn write(slot: &[AtomicU64; SLOT], asked: &Asked, known: Known) -> bool {
    let version = slot[0].load(Ordering::Relaxed);
    let order = (Ordering::Acquire, Ordering::Relaxed);
    let writes = version.is_multiple_of(2)
        && slot[0]
            .compare_exchange(version, version + 1, order.0, order.1)
            .is_ok();
    if !writes {
        return false;
    }
    let entry = known.entry | asked.form << 48;
    let words = [known.cells, entry].into_iter().chain(asked.words);
    for (at, word) in slot[1..].iter().zip(words) {
        at.store(word, Ordering::Release);
    }
    slot[0].store(version + 2, Ordering::Release);
    true
}

/// How often this thread looked in a registry.
fn misses() -> u32 {
    thread_local! {
        static MISSES: Cell<u32> = const { Cell::new(0) };
    }
    let next = |misses: &Cell<u32>| {
        let next = misses.get().wrapping_add(1);
        misses.set(next);
        next
    };
    // A thread whose locals are gone takes its turn each time.
    MISSES.try_with(next).unwrap_or(0)
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
