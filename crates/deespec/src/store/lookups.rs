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
const SMALL: usize = 512;
const LARGE: usize = 32_768;
/// Slots in which a key may be, next to each other.
const WAYS: usize = 4;
/// A process that looks up fewer series makes no table.
const FEW: u32 = 4;
/// Of so many lookups that find all their slots taken one takes a slot: what is asked for once does not drive out
/// what is asked for often.
const PATIENCE: u32 = 8;

/// What is asked for. It is words that no other name and labels have, and those are made whenever they are needed: to
/// keep them would take longer.
pub(super) struct Asked<'a> {
    name: &'a str,
    labels: &'a [(&'a str, &'a str)],
    /// How many words it is.
    len: usize,
    hash: u64,
}

impl<'a> Asked<'a> {
    /// `None` where it is too long.
    #[inline(always)]
    pub(super) fn new(name: &'a str, labels: &'a [(&'a str, &'a str)]) -> Option<Self> {
        // Each product by itself: the processor makes them side by side.
        let (mut sum, mut salt, mut len) = (0_u64, SALT, 0);
        each(name, labels, |word| {
            sum = sum.wrapping_add(fold(word ^ salt, MULTIPLIER));
            salt = salt.wrapping_add(SALT);
            len += 1;
            len <= KEY
        })?;
        // It need not keep anybody out: whoever makes keys that meet makes his own lookups slow.
        let hash = fold(sum, SALT);
        Some(Self {
            name,
            labels,
            len,
            hash,
        })
    }

    /// Gives the words one after the other.
    #[inline(always)]
    fn each(&self, mut then: impl FnMut(u64)) {
        let all = |word| {
            then(word);
            true
        };
        each(self.name, self.labels, all);
    }
}

/// Gives the words of a name and labels for as long as `more` says that it wants more; `None` where it does not.
#[inline(always)]
fn each(name: &str, labels: &[(&str, &str)], mut more: impl FnMut(u64) -> bool) -> Option<()> {
    words(name.as_bytes(), &mut more)?;
    for (name, value) in labels {
        words(name.as_bytes(), &mut more)?;
        words(value.as_bytes(), &mut more)?;
    }
    Some(())
}

/// Eight bytes a word; the last word has the rest and, in its upper byte, the length. So a sequence of texts can be
/// read from its end, and no two of them have the same words.
#[inline(always)]
fn words(text: &[u8], more: &mut impl FnMut(u64) -> bool) -> Option<()> {
    // A key has few words: a length fits into a byte.
    let length = (text.len() as u64) << 56;
    let Some(last) = text.last_chunk::<8>() else {
        return more(short(text) | length).then_some(());
    };
    let (eights, rest) = text.as_chunks::<8>();
    for eight in eights {
        if !more(u64::from_le_bytes(*eight)) {
            return None;
        }
    }
    // The upper bytes of what overlaps with the word before, moved down; none where nothing is left.
    let rest = u64::from_le_bytes(*last) >> 1 >> (63 - 8 * rest.len());
    more(rest | length).then_some(())
}

/// Fewer than eight bytes as the lower ones of a word, without a loop over them.
#[inline(always)]
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

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const SALT: u64 = 0xd6e8_feb8_6659_fd93;

/// Both halves of a product.
#[inline(always)]
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
    #[inline(always)]
    pub(super) fn find(&self, asked: &Asked<'_>) -> Option<Known> {
        let table = self.large.get().or_else(|| self.small.get())?;
        for slot in table.slots(asked.hash) {
            if let Some(known) = read(slot, asked) {
                return Some(known);
            }
        }
        None
    }

    pub(super) fn remember(&self, asked: &Asked<'_>, segment: u32, place: Place) {
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
            mask: slots / WAYS - 1,
        }
    }

    /// The slots in which a key may be.
    #[inline(always)]
    fn slots(&self, hash: u64) -> &[[AtomicU64; SLOT]; WAYS] {
        let (slots, _) = self.words.as_chunks::<SLOT>();
        let (groups, _) = slots.as_chunks::<WAYS>();
        &groups[hash as usize & self.mask]
    }

    /// Whether it is in the table then, or could be but for its patience.
    fn remember(&self, asked: &Asked<'_>, segment: u32, place: Place, misses: u32) -> bool {
        let slots = self.slots(asked.hash);
        let version = |slot: &[AtomicU64; SLOT]| slot[0].load(Ordering::Relaxed);
        if let Some(free) = slots.iter().find(|slot| version(slot) == 0) {
            write(free, asked, segment, place);
            return true;
        }
        if misses.is_multiple_of(PATIENCE) {
            let victim = (misses / PATIENCE) as usize % WAYS;
            write(&slots[victim], asked, segment, place);
            return true;
        }
        false
    }
}

/// What a slot says of a key.
#[inline(always)]
fn read(slot: &[AtomicU64; SLOT], asked: &Asked<'_>) -> Option<Known> {
    let load = |at: usize| slot[at].load(Ordering::Acquire);
    let version = load(0);
    if load(1) != asked.hash || !version.is_multiple_of(2) {
        return None;
    }
    let (cells, entry) = (load(2), load(3));
    let (mut key, mut other) = (slot[FIXED..].iter(), entry >> 48 ^ asked.len as u64);
    asked.each(|word| {
        let have = key.next().map(|have| have.load(Ordering::Acquire));
        other |= have.map_or(1, |have| have ^ word);
    });
    // Whoever has read a word of a later writing sees that it had begun.
    let stands = slot[0].load(Ordering::Relaxed) == version;
    if other != 0 || !stands || version == 0 {
        return None;
    }
    Some(Known { cells, entry })
}

/// Where a series is, as a slot has it: whoever takes it apart before it is needed waits for it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    cells: u64,
    entry: u64,
}

impl Known {
    /// The number of the segment.
    #[inline(always)]
    pub(super) fn segment(self) -> u32 {
        (self.entry >> 40) as u32 & 0xff
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
fn write(slot: &[AtomicU64; SLOT], asked: &Asked<'_>, segment: u32, place: Place) {
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
    let mut words = slot[1..].iter();
    let mut put = |value| {
        if let Some(word) = words.next() {
            word.store(value, Ordering::Release);
        }
    };
    [asked.hash, cells, entry].into_iter().for_each(&mut put);
    asked.each(put);
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
        self.0 = fold(number ^ MULTIPLIER, SALT);
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
