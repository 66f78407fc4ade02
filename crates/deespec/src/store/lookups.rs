//! What was looked up before: where a series is, by its name and labels exactly as they were given. Whoever asks in the
//! same words again needs no sorting, no checks and no registry. Knows words and places; no segment, no lock.
//!
//! One table for all threads, in which a lookup only reads: its memory has a limit, however many label sets there are
//! and whoever makes them up, and threads that look up do not slow each other down.

mod key;
mod table;

use std::cell::Cell;
use std::sync::OnceLock;

use key::{Asked, Short};
use table::Table;

use super::registry::{Form, Packed};

/// Places in the index, and lines of the cache, of the table that most programs need, and of the one that takes its
/// place where it does not suffice.
const SMALL: (usize, usize) = (512, 1024);
const LARGE: (usize, usize) = (32_768, 65_536);
/// A process that looks up fewer series makes no table.
const FEW: u32 = 4;
/// The number of a hold that nobody has.
pub(super) const NO_HOLD: u8 = u8::MAX;

/// The lookups of one process in one store.
#[derive(Default)]
pub(super) struct Lookups {
    small: OnceLock<Table>,
    large: OnceLock<Table>,
}

impl Lookups {
    #[inline(always)]
    fn table(&self) -> Option<&Table> {
        self.large.get().or_else(|| self.small.get())
    }

    /// As [`Lookups::find_few`], of any number of labels, and of texts and hashes of any kind.
    pub(super) fn find(&self, name: &str, labels: &[(&str, &str)], form: Form) -> Option<Known> {
        let table = self.table()?;
        table.find_any(&Asked::new(name, labels, form, table.seeds())?)
    }

    /// What there is of a few labels, unless their texts are long or another key has their hash.
    #[inline(always)]
    pub(super) fn find_few<const LABELS: usize>(
        &self,
        name: &str,
        labels: &[(&str, &str); LABELS],
        form: Form,
    ) -> Option<Known> {
        let table = self.table()?;
        let key = Short::new(name, labels, form, table.seeds())?;
        match LABELS {
            0 => table.find::<8>(&key),
            1 | 2 => table.find::<16>(&key),
            _ => table.find::<24>(&key),
        }
    }

    /// `hold` is the number of what holds it, or [`NO_HOLD`].
    pub(super) fn remember(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        (segment, form, place): (u32, Form, Packed),
        hold: u8,
    ) {
        let misses = misses();
        let known = Known::new(segment, place, hold);
        let remember = |table: &Table, misses| {
            let asked = Asked::new(name, labels, form, table.seeds());
            asked.is_none_or(|asked| table.remember(&asked, known, misses))
        };
        if let Some(large) = self.large.get() {
            remember(large, misses);
        } else if self.small.get().is_some() || misses >= FEW {
            let small = self.small.get_or_init(|| Table::new(SMALL));
            if !remember(small, 1) {
                remember(self.large.get_or_init(|| Table::new(LARGE)), misses);
            }
        }
    }
}

/// Where a series is, as a slot has it: whoever takes it apart before it is needed waits for it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// The number of its hold, and of its segment.
    held: u64,
    place: u64,
}

/// Where those numbers begin in a word whose lower bits are those of a key.
const HOLD: u32 = 48;
const SEGMENT: u32 = 56;

impl Known {
    fn new(segment: u32, place: Packed, hold: u8) -> Self {
        Self {
            held: u64::from(hold) << HOLD | u64::from(segment & 0xff) << SEGMENT,
            place: place.word(),
        }
    }

    /// The number of the segment.
    pub(super) fn segment(self) -> u32 {
        (self.held >> SEGMENT) as u32
    }

    /// The number of its hold.
    #[inline(always)]
    pub(super) fn hold(self) -> u8 {
        (self.held >> HOLD) as u8
    }

    /// The place in the segment.
    #[inline(always)]
    pub(super) fn place(self) -> Packed {
        Packed::of_word(self.place)
    }
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
