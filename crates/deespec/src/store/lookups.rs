//! What was looked up before: where a series is, by its name and labels exactly as they were given. Whoever asks in the
//! same words again needs no sorting, no checks and no registry. Knows words and places; no segment, no lock.
//!
//! One table for all threads, in which a lookup only reads: its memory has a limit, however many label sets there are
//! and whoever makes them up, and threads that look up do not slow each other down. A slot is read between two looks at
//! its version, which is odd while it is written, so nobody ever waits; who meets a change looks in the registry.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::metric::Buckets;
use crate::sync::{AtomicU64, Ordering};

use super::raw::zeros;
use super::registry::{Form, Place};

/// Words of a slot: 256 bytes.
const SLOT: usize = 32;
/// Words of it before the key: the version, the hash, the cells, the entry.
const FIXED: usize = 4;
/// Most words of a key: up to 223 bytes of text. What is longer is looked up in the registry each time.
const KEY: usize = SLOT - FIXED;
/// Slots of the table that most programs need, and of the one that takes its place where it does not suffice.
const SMALL: usize = 64;
const LARGE: usize = 16_384;
/// A process that looks up fewer series makes no table.
const FEW: u32 = 4;
/// Of so many lookups that find both their slots taken one takes a slot: what is asked for once does not drive out
/// what is asked for often.
const PATIENCE: u32 = 8;

/// What is asked for, as words that no other name and labels have.
pub(super) struct Asked {
    words: [u64; KEY],
    len: usize,
    hash: u64,
}

impl Asked {
    /// `None` where it is too long.
    #[inline]
    pub(super) fn new(name: &str, labels: &[(&str, &str)]) -> Option<Self> {
        let mut asked = Self {
            words: [0; KEY],
            len: 0,
            hash: 0,
        };
        asked.push(name.as_bytes())?;
        for (name, value) in labels {
            asked.push(name.as_bytes())?;
            asked.push(value.as_bytes())?;
        }
        asked.hash = hash(&asked.words[..asked.len]);
        Some(asked)
    }

    /// Eight bytes a word; the last word has the rest and, in its upper byte, the length. So a sequence of texts can be
    /// read from its end, and no two of them have the same words.
    #[inline]
    fn push(&mut self, text: &[u8]) -> Option<()> {
        let (eights, rest) = text.as_chunks::<8>();
        let end = self.len + eights.len();
        let words = self.words.get_mut(self.len..=end)?;
        for (word, eight) in words.iter_mut().zip(eights) {
            *word = u64::from_le_bytes(*eight);
        }
        // The words are at most 28: a length fits into a byte.
        words[eights.len()] = short(rest) | (text.len() as u64) << 56;
        self.len = end + 1;
        Some(())
    }

    fn words(&self) -> &[u64] {
        &self.words[..self.len]
    }
}

/// Fewer than eight bytes as the lower ones of a word, without a loop over them.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // Where the two overlap they have the same bits.
        let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
        return first | last << (8 * (len - 4));
    }
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, ..] => u64::from(u32::from_le_bytes([a, b, c, 0])),
    }
}

/// Where a key stands. It need not keep anybody out: whoever makes keys that meet makes his own lookups slow.
#[inline]
fn hash(words: &[u64]) -> u64 {
    const MULTIPLIERS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];
    let (pairs, rest) = words.as_chunks::<2>();
    let mut hash = words.len() as u64;
    for [a, b] in pairs {
        hash =
            fold(hash ^ a ^ MULTIPLIERS[0], b ^ MULTIPLIERS[1]).wrapping_add(hash.rotate_left(23));
    }
    for word in rest {
        hash = fold(hash ^ word ^ MULTIPLIERS[0], MULTIPLIERS[1]);
    }
    fold(hash ^ MULTIPLIERS[1], MULTIPLIERS[0])
}

/// Both halves of a product.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The lookups of one process in one store.
#[derive(Default)]
pub(super) struct Lookups {
    small: OnceLock<Table>,
    large: OnceLock<Table>,
}

struct Table {
    words: Box<[AtomicU64]>,
    mask: usize,
}

impl Lookups {
    /// The number of the segment, and the place in it.
    #[inline]
    pub(super) fn find(&self, asked: &Asked) -> Option<(u32, Place)> {
        let table = self.large.get().or_else(|| self.small.get())?;
        table
            .slots(asked.hash)
            .into_iter()
            .find_map(|slot| read(slot, asked))
    }

    pub(super) fn remember(&self, asked: &Asked, segment: u32, place: Place) {
        let misses = misses();
        if let Some(large) = self.large.get() {
            large.remember(asked, segment, place, misses);
        } else if self.small.get().is_some() || misses >= FEW {
            let small = self.small.get_or_init(|| Table::new(SMALL));
            if !small.remember(asked, segment, place, 1) {
                let large = self.large.get_or_init(|| Table::new(LARGE));
                large.remember(asked, segment, place, misses);
            }
        }
    }
}

impl Table {
    fn new(slots: usize) -> Self {
        Self {
            words: zeros(slots * SLOT),
            mask: slots - 1,
        }
    }

    /// The two slots in which a key may be.
    #[inline]
    fn slots(&self, hash: u64) -> [&[AtomicU64; SLOT]; 2] {
        let (slots, _) = self.words.as_chunks::<SLOT>();
        let first = hash as usize & self.mask;
        [&slots[first], &slots[first ^ 1]]
    }

    /// Whether it is in the table then, or could be but for its patience.
    fn remember(&self, asked: &Asked, segment: u32, place: Place, misses: u32) -> bool {
        let slots = self.slots(asked.hash);
        let version = |slot: &[AtomicU64; SLOT]| slot[0].load(Ordering::Relaxed);
        if let Some(free) = slots.into_iter().find(|slot| version(slot) == 0) {
            write(free, asked, segment, place);
            return true;
        }
        if misses.is_multiple_of(PATIENCE) {
            let victim = (misses / PATIENCE) as usize % 2;
            write(slots[victim], asked, segment, place);
            return true;
        }
        false
    }
}

/// What a slot says of a key.
#[inline]
fn read(slot: &[AtomicU64; SLOT], asked: &Asked) -> Option<(u32, Place)> {
    let load = |at: usize| slot[at].load(Ordering::Acquire);
    let version = load(0);
    if version.is_multiple_of(2) && load(1) == asked.hash {
        let (cells, entry) = (load(2), load(3));
        let key = &slot[FIXED..];
        let words = asked.words().iter().zip(key);
        let same = entry >> 48 == asked.len as u64
            && words.fold(true, |same, (word, have)| {
                same & (have.load(Ordering::Acquire) == *word)
            });
        // Whoever has read a word of a later writing sees that it had begun.
        if same && slot[0].load(Ordering::Relaxed) == version && version != 0 {
            let place = Place {
                cell: cells as u32,
                cells: (cells >> 32) as u32,
                block: entry as u32,
                form: Form::from_code((entry >> 32) as u8),
            };
            return Some(((entry >> 40) as u32 & 0xff, place));
        }
    }
    None
}

/// Puts a key into a slot, unless somebody else writes it now.
fn write(slot: &[AtomicU64; SLOT], asked: &Asked, segment: u32, place: Place) {
    let Some(form) = place.form else {
        return;
    };
    let version = slot[0].load(Ordering::Relaxed);
    let order = (Ordering::Acquire, Ordering::Relaxed);
    let writes = version.is_multiple_of(2)
        && slot[0]
            .compare_exchange(version, version + 1, order.0, order.1)
            .is_ok();
    if !writes {
        return;
    }
    let entry = u64::from(place.block)
        | u64::from(form.code()) << 32
        | u64::from(segment & 0xff) << 40
        | (asked.len as u64) << 48;
    let cells = u64::from(place.cell) | u64::from(place.cells) << 32;
    let fixed = [asked.hash, cells, entry];
    for (word, value) in slot[1..].iter().zip(fixed.iter().chain(asked.words())) {
        word.store(*value, Ordering::Release);
    }
    slot[0].store(version + 2, Ordering::Release);
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

/// How the histograms sort that were looked up, by the segment and the block of the series. One map for each stripe,
/// with copies of its own: threads do not meet there.
#[derive(Default)]
pub(super) struct Sorting(OnceLock<Box<[OneStripe]>>);

#[repr(align(128))]
#[derive(Default)]
struct OneStripe(Mutex<HashMap<u64, Buckets, BuildHasherDefault<OfNumber>>>);

/// Most of them in one map: then it begins again.
const SORTING_MAX: usize = 1024;

impl Sorting {
    pub(super) fn find(&self, stripe: u32, series: (u32, u32)) -> Option<Buckets> {
        let map = &self.0.get()?.get(stripe as usize)?.0;
        let map = map.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(&number(series)).cloned()
    }

    pub(super) fn remember(
        &self,
        stripe: u32,
        stripes: u32,
        series: (u32, u32),
        buckets: &Buckets,
    ) {
        let maps = || (0..stripes).map(|_| OneStripe::default()).collect();
        if let Some(map) = self.0.get_or_init(maps).get(stripe as usize) {
            let mut map = map.0.lock().unwrap_or_else(PoisonError::into_inner);
            if map.len() >= SORTING_MAX {
                map.clear();
            }
            map.insert(number(series), buckets.unshared());
        }
    }
}

fn number((segment, block): (u32, u32)) -> u64 {
    u64::from(segment) << 32 | u64::from(block)
}

/// The hash of a number that nobody chooses.
#[derive(Default)]
struct OfNumber(u64);

impl Hasher for OfNumber {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = fold(number ^ 0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
