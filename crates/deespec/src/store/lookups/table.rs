//! The table: an index by the hash, and slots in the order in which they were taken, each as long as its key needs.
//! What is looked up in the order in which it was made, as often, is met in this order in memory, and the index is small
//! enough to stay in the cache.
//!
//! A slot is read between two looks at its version, which says while it is written, so nobody ever waits; who meets a
//! change looks in the registry.

use crate::store::raw::zeros;
use crate::sync::{AtomicU64, Ordering};

use super::Known;
use super::key::{Asked, KEY, KEY_AT, Key, Seeds};

/// Places of the index in which a key may be, next to each other: half of a line of the cache.
const WAYS: usize = 4;
/// Words of a line of the cache.
const LINE: usize = 8;
/// Words of a slot before the key: the version, what the key is like and what holds the series, its place.
const FIXED: usize = 3;
/// Most words of a slot.
const SLOT: usize = FIXED + KEY;
/// The part of a place in the index that says where the slot begins. The rest is that of the hash. None begins at 0.
const OFFSET: u64 = 0xf_ffff;
/// A place of the index that somebody is taking: there is no such slot.
const TAKEN: u64 = u64::MAX;
/// The lowest bits of a version are the lines of the slot but one, which never change; this one says that it is written.
const LINES: u64 = 0b011;
const WRITTEN: u64 = 0b100;
/// Of so many lookups that find all their places taken one takes a place: what is asked for once does not drive out
/// what is asked for often.
pub(super) const PATIENCE: u32 = 8;

pub(super) struct Table {
    /// A slot that is never taken, the index, and the slots.
    words: Box<[AtomicU64]>,
    /// Where the index begins: at a line of the cache, as do the slots behind it.
    index: usize,
    mask: usize,
    seeds: Seeds,
    /// Where the next slot begins.
    free: AtomicU64,
}

impl Table {
    pub(super) fn new((places, lines): (usize, usize)) -> Self {
        let words = zeros(LINE + SLOT + places + lines * LINE);
        let aligned = words.as_ptr().align_offset(LINE * 8).min(LINE);
        let index = aligned + SLOT;
        Self {
            words,
            index,
            mask: places / WAYS - 1,
            seeds: Seeds::random(),
            free: AtomicU64::new((index + places) as u64),
        }
    }

    /// How many words it has, and where the next slot begins.
    #[cfg(all(test, not(loom)))]
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn taken(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn seeds(&self) -> Seeds {
        self.seeds
    }

    /// Where a series is, of a key with a slot of `SIZE` words, unless another key has its hash.
    #[inline(always)]
    pub(super) fn find<const SIZE: usize>(&self, key: &impl Key) -> Option<Known> {
        let tag = key.hash() & !OFFSET;
        // All of them, and no branch: which one it is cannot be foretold. What is of another hash is beyond all slots.
        let ways = self.ways(key.hash())?.iter();
        let slot = ways.map(|way| way.load(Ordering::Acquire) ^ tag).min()?;
        let slot: &[AtomicU64; SIZE] = self.words.get(slot as usize..)?.first_chunk()?;
        read(slot, key)
    }

    /// As [`Table::find`], of any key.
    pub(super) fn find_any(&self, key: &Asked) -> Option<Known> {
        let mut slots = self.slots_of(key.hash());
        slots.find_map(|slot| read(self.words.get(slot as usize..)?, key))
    }

    /// The places of the index for a hash.
    #[inline(always)]
    fn ways(&self, hash: u64) -> Option<&[AtomicU64; WAYS]> {
        let first = self.index + (hash as usize & self.mask) * WAYS;
        self.words.get(first..)?.first_chunk()
    }

    /// Where the slots begin in which a key of this hash may be.
    fn slots_of(&self, hash: u64) -> impl Iterator<Item = u64> {
        let ways = self.ways(hash).into_iter().flatten();
        let slots = ways.map(move |way| way.load(Ordering::Acquire) ^ (hash & !OFFSET));
        slots.filter(|slot| *slot <= OFFSET)
    }

    /// Whether it is in the table then, or could be but for its patience.
    pub(super) fn remember(&self, asked: &Asked, known: Known, misses: u32) -> bool {
        // It says more now, or another thread was faster.
        let mut slots = self.slots_of(asked.hash());
        let has = |slot: &u64| {
            let slot = self.words.get(*slot as usize..);
            slot.and_then(|slot| read(slot, asked)).is_some()
        };
        if let Some(slot) = slots.find(has) {
            self.write(slot, asked, known);
            return true;
        }
        let Some(ways) = self.ways(asked.hash()) else {
            return true;
        };
        let tag = asked.hash() & !OFFSET;
        let order = (Ordering::Acquire, Ordering::Relaxed);
        let take = |way: &&AtomicU64| way.compare_exchange(0, TAKEN, order.0, order.1).is_ok();
        if let Some(way) = ways.iter().find(take) {
            let slot = self.new_slot(asked);
            let slot = slot.filter(|slot| self.write(*slot, asked, known));
            way.store(slot.map_or(0, |slot| tag | slot), Ordering::Release);
            if slot.is_some() {
                return true;
            }
        }
        if !misses.is_multiple_of(PATIENCE) {
            return false;
        }
        let victim = &ways[(misses / PATIENCE) as usize % WAYS];
        let slot = victim.load(Ordering::Relaxed) & OFFSET;
        let slot = if self.has_room(slot, asked) {
            Some(slot)
        } else {
            self.new_slot(asked)
        };
        // Where two do this at once, the place may be that of the one and the slot of the other: it is not found then.
        if let Some(slot) = slot
            && self.write(slot, asked, known)
        {
            victim.store(tag | slot, Ordering::Release);
        }
        true
    }

    /// Where a slot begins that nobody has had, with room for this key.
    fn new_slot(&self, asked: &Asked) -> Option<u64> {
        let lines = (FIXED + asked.words().len()).div_ceil(LINE);
        let size = (lines * LINE) as u64;
        let mut slot = self.free.load(Ordering::Relaxed);
        let order = (Ordering::Relaxed, Ordering::Relaxed);
        loop {
            if slot + size > self.words.len() as u64 {
                return None;
            }
            let next = slot + size;
            match self.free.compare_exchange(slot, next, order.0, order.1) {
                Ok(_) => break,
                Err(now) => slot = now,
            }
        }
        self.words[slot as usize].store(lines as u64 - 1, Ordering::Relaxed);
        Some(slot)
    }

    fn has_room(&self, slot: u64, asked: &Asked) -> bool {
        let version = self.words.get(slot as usize);
        let lines = version.map_or(0, |version| version.load(Ordering::Relaxed) & LINES);
        slot != 0 && FIXED + asked.words().len() <= (lines as usize + 1) * LINE
    }

    /// Puts a key into a slot that has room for it, unless somebody else writes it now.
    pub(super) fn write(&self, slot: u64, asked: &Asked, known: Known) -> bool {
        let slot = &self.words[slot as usize..];
        let version = slot[0].load(Ordering::Relaxed);
        let written = version | WRITTEN;
        let order = (Ordering::Acquire, Ordering::Relaxed);
        let writes = version & WRITTEN == 0
            && slot[0]
                .compare_exchange(version, written, order.0, order.1)
                .is_ok();
        if !writes {
            return false;
        }
        let words = [known.held | asked.like(), known.place];
        for (at, word) in slot[1..].iter().zip(words.iter().chain(asked.words())) {
            at.store(*word, Ordering::Release);
        }
        slot[0].store(written + WRITTEN, Ordering::Release);
        true
    }
}

/// What a slot says of a key.
#[inline(always)]
fn read(slot: &[AtomicU64], key: &impl Key) -> Option<Known> {
    let load = |at: usize| slot.get(at).map(|word| word.load(Ordering::Acquire));
    let version = load(0)?;
    let held = load(1)?;
    let place = load(2)?;
    let (mut at, mut other) = (FIXED, (held ^ key.like()) << KEY_AT | version & WRITTEN);
    key.each(|word| {
        other |= load(at).map_or(1, |have| have ^ word);
        at += 1;
    });
    // Whoever has read a word of a later writing sees that it had begun.
    other |= slot.first()?.load(Ordering::Relaxed) ^ version;
    (other == 0).then_some(Known { held, place })
}
