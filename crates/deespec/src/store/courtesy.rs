//! Who goes first. A kernel lock knows no queue: it lets new readers in while a writer waits, so readers that follow
//! each other closely, or one process that rotates without end, would keep all others from it. Whoever waits
//! therefore says so in the control page, and others that see it hold back for a bounded time. Nothing but who goes
//! first depends on these words.

use std::cell::Cell;
use std::time::Duration;

use crate::sync::Ordering;

use super::Clock;
use super::control::{ALONE, TURNS, WAITING};
use super::lock::Mode;
use super::segment::Segment;

/// How long those who wait are let go first, whoever they are and whatever they want.
const PAUSE: Duration = Duration::from_millis(4);
/// For how long that wish stands, in nanoseconds; it is renewed while waiting.
const WAITING_NS: u64 = 10_000_000;
/// How long a reader lets a writer go first: longer than the readers need that are in already. A reader that somebody
/// has stopped must not keep all others waiting.
const READERS_PAUSE: Duration = Duration::from_secs(1);
/// For how long the wish of a writer stands, in nanoseconds. On a busy machine it may be long until he runs again.
const ALONE_NS: u64 = 100_000_000;

/// The manners of one who comes for the lock.
pub(super) struct Courtesy<'a> {
    segment: &'a Segment,
    clock: Clock,
    mode: Mode,
    /// The exclusive locks that there had been when he came: a reader lets one writer go first, and then goes.
    turns: u64,
    /// What this one has written, to take it back.
    waiting: Cell<u64>,
    alone: Cell<u64>,
}

impl<'a> Courtesy<'a> {
    pub(super) fn new(segment: &'a Segment, clock: Clock, mode: Mode) -> Self {
        Self {
            segment,
            clock,
            mode,
            turns: segment.load(TURNS),
            waiting: Cell::new(0),
            alone: Cell::new(0),
        }
    }

    /// Whether somebody else is to go first, for one who came so long ago.
    pub(super) fn holds_back(&self, waited: Duration) -> bool {
        if waited < PAUSE && self.waiting.get() == 0 && self.stands(WAITING, WAITING_NS) {
            return true;
        }
        self.mode == Mode::Shared
            && waited < READERS_PAUSE
            && self.stands(ALONE, ALONE_NS)
            && self.segment.load(TURNS) == self.turns
    }

    /// Somebody else has the lock.
    pub(super) fn waits(&self) {
        let wish = |word, mine: &Cell<u64>, lasts: u64| {
            mine.set(self.clock.now_ns().wrapping_add(lasts));
            self.segment.store(word, mine.get());
        };
        wish(WAITING, &self.waiting, WAITING_NS);
        if self.mode == Mode::Exclusive {
            wish(ALONE, &self.alone, ALONE_NS);
        }
    }

    /// The lock was had.
    pub(super) fn enter(self) {
        // Where nobody has asked readers to hold back, nobody looks at it.
        if self.mode == Mode::Exclusive && self.segment.load(ALONE) != 0 {
            // Nobody else writes it now.
            let turns = self.segment.load(TURNS).wrapping_add(1);
            self.segment.store(TURNS, turns);
        }
    }

    /// Whether a wish stands; one that lies further ahead is no wish but a clock that was set back.
    fn stands(&self, word: usize, lasts: u64) -> bool {
        let left = self.segment.load(word).wrapping_sub(self.clock.now_ns());
        left != 0 && left <= lasts
    }
}

impl Drop for Courtesy<'_> {
    fn drop(&mut self) {
        for (word, mine) in [(WAITING, &self.waiting), (ALONE, &self.alone)] {
            // The wish of somebody else stands.
            let word = &self.segment.words()[word];
            let _ = word.compare_exchange(mine.get(), 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Geometry;
    use super::*;

    const NOW: u64 = 1_000_000_000_000;

    fn segment() -> Segment {
        Segment::in_memory(Geometry {
            stripes: 1,
            cells: 64,
        })
    }

    fn comes(segment: &Segment, mode: Mode) -> Courtesy<'_> {
        Courtesy::new(segment, Clock::Fixed(NOW), mode)
    }

    #[test]
    fn a_reader_lets_one_writer_go_first_and_then_goes() {
        let segment = segment();
        let late = PAUSE * 2;
        let reader = comes(&segment, Mode::Shared);
        assert!(!reader.holds_back(late));
        let (writer, other) = (
            comes(&segment, Mode::Exclusive),
            comes(&segment, Mode::Exclusive),
        );
        writer.waits();
        assert!(reader.holds_back(late) && !other.holds_back(late));
        assert!(!reader.holds_back(READERS_PAUSE));
        writer.enter();
        other.waits();
        assert!(!reader.holds_back(late));
        assert!(comes(&segment, Mode::Shared).holds_back(late));
    }

    #[test]
    fn who_gives_up_takes_his_wish_back_and_no_other() {
        let segment = segment();
        let one = comes(&segment, Mode::Exclusive);
        one.waits();
        drop(one);
        assert_eq!([WAITING, ALONE].map(|word| segment.load(word)), [0, 0]);
        let one = comes(&segment, Mode::Exclusive);
        one.waits();
        segment.store(ALONE, NOW + ALONE_NS / 2);
        drop(one);
        assert!(comes(&segment, Mode::Shared).holds_back(PAUSE * 2));
    }

    #[test]
    fn the_wish_of_a_dead_waiter_ends_and_a_wrong_one_never_stands() {
        let segment = segment();
        for wish in [0, NOW - 1, NOW, NOW + ALONE_NS + 1, u64::MAX] {
            segment.store(ALONE, wish);
            segment.store(WAITING, wish);
            assert!(
                !comes(&segment, Mode::Shared).holds_back(Duration::ZERO),
                "{wish}"
            );
        }
    }
}
