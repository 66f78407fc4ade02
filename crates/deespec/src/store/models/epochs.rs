//! P1, P4, P5 and P2: writers that never stop, a rotation, and readers of the epoch.

use std::sync::Arc;

use loom::thread;

use super::{ALL, Flaw, Known, TINY, explore, explore_flawed};
use crate::protection::Protection;
use crate::store::control::{EPOCH, RECORD_WORDS, record_at};
use crate::store::registry::Form;
use crate::store::segment::Segment;
use crate::store::{Beginning, Cells, Record, epoch, turn};
use crate::sync::modelled::{self, Lock};

/// A store with one counter in its first epoch.
#[derive(Clone)]
struct Scene {
    segment: Arc<Segment>,
    lock: Arc<Lock>,
    cells: Vec<Cells>,
}

impl Scene {
    /// Lays out the memory. Writers have a stripe each, or all the same one.
    fn new(writers: u32, stripe_of: fn(u32) -> u32) -> Self {
        let segment = Arc::new(Segment::in_memory(TINY));
        let lock = Lock::new();
        let place = Known::series("").append(&segment, Form::Counter, 1);
        record(1).write(&segment);
        epoch::flip(&segment, 1);
        segment.words()[EPOCH].share();
        for parity in [0, 1] {
            let at = record_at(parity);
            let record = &segment.words()[at..at + RECORD_WORDS];
            record.iter().for_each(|word| word.guard(&lock));
            segment.baseline(parity, place.cell).guard(&lock);
        }
        for stripe in 0..TINY.stripes {
            segment.cell(stripe, place.cell).share();
        }
        let cells = (0..writers).map(|writer| Cells::new(&segment, place, stripe_of(writer)));
        Self {
            cells: cells.collect(),
            segment,
            lock,
        }
    }

    /// Begins the next epoch, as a rotation does.
    fn turn(&self) {
        self.lock.exclusive(|| {
            let next = record(epoch::current(&self.segment).unwrap() + 1);
            let all = std::iter::once(&*self.segment);
            turn::begin(&self.segment, all, &next, &[], || Ok(())).unwrap();
        });
    }

    /// The epoch and the counter's value in it.
    fn look(&self) -> (u32, u64) {
        self.lock.shared(|| {
            let number = epoch::current(&self.segment).unwrap();
            let record = Record::read(&self.segment, number);
            assert!(record.is_some(), "the current epoch has no record");
            (number, epoch::counted(&self.segment, number, 0).0)
        })
    }

    /// What the epoch before the current one counted, and what the current one has.
    fn closed_and_counted(&self) -> (u64, u64) {
        self.lock.exclusive(|| {
            let now = epoch::current(&self.segment).unwrap();
            let closed = epoch::closed(&self.segment, now, 0).0;
            (closed, epoch::counted(&self.segment, now, 0).0)
        })
    }
}

fn record(epoch: u32) -> Record {
    Record {
        epoch,
        at_ns: 42,
        beginning: Beginning::Rotation,
        by: String::new(),
        why: String::new(),
    }
}

/// Writers count, somebody rotates, and somebody looks, so often.
fn race<const LOOKS: usize>(writers: u32, increments: u64, stripe_of: fn(u32) -> u32) {
    let scene = Scene::new(writers, stripe_of);
    modelled::run(true);
    let counting = scene
        .cells
        .iter()
        .cloned()
        .map(|cells| thread::spawn(move || (0..increments).for_each(|_| cells.add(1))));
    let threads: Vec<_> = counting.collect();
    let reader = scene.clone();
    let reader = thread::spawn(move || [(); LOOKS].map(|()| reader.look()));
    scene.turn();
    for thread in threads {
        thread.join().unwrap();
    }
    let seen = reader.join().unwrap();
    let (closed, counted) = scene.closed_and_counted();
    assert_eq!(closed + counted, u64::from(writers) * increments);
    assert!(seen.is_sorted(), "a counter went back: {seen:?}");
    for (epoch, value) in seen {
        let last = if epoch == 1 { closed } else { counted };
        assert!(
            value <= last,
            "{value} in epoch {epoch}, which ended with {last}"
        );
    }
}

#[test]
fn each_increment_falls_into_exactly_one_epoch() {
    explore("epochs", ALL, || race::<1>(2, 1, |writer| writer));
}

#[test]
fn so_it_does_where_writers_share_a_stripe() {
    explore("epochs, one stripe", ALL, || race::<1>(2, 1, |_| 0));
}

#[test]
fn so_it_does_where_they_count_twice() {
    explore("epochs, two each", [Some(2); 2], || {
        race::<2>(2, 2, |writer| writer);
    });
}

#[test]
fn so_it_does_with_three_writers() {
    explore("epochs, three writers", [Some(3); 2], || {
        race::<1>(3, 1, |writer| writer % 2)
    });
}

#[test]
#[should_panic(expected = "left == right")]
fn without_an_atomic_addition_increments_are_lost() {
    let flaw = Flaw::Without(Protection::AtomicAdd);
    explore_flawed("epochs", flaw, || race::<1>(2, 1, |_| 0));
}

#[test]
#[should_panic(expected = "without the lock")]
fn a_baseline_is_never_read_outside_the_lock() {
    explore_flawed("epochs", Flaw::Own, || {
        let scene = Scene::new(1, |_| 0);
        modelled::run(true);
        epoch::counted(&scene.segment, 1, 0);
    });
}

#[test]
#[should_panic(expected = "epoch")]
fn without_the_lock_a_reader_sees_what_the_closing_does_not_have() {
    explore_flawed("epochs", Flaw::Without(Protection::Lock), || {
        race::<1>(1, 1, |_| 0);
    });
}

/// Totals are read without a lock, by a scrape.
#[test]
fn a_total_never_goes_back() {
    explore("totals", ALL, || {
        let scene = Scene::new(2, |writer| writer);
        modelled::run(true);
        let counting = scene
            .cells
            .iter()
            .cloned()
            .map(|cells| thread::spawn(move || (0..2).for_each(|_| cells.add(1))));
        let threads: Vec<_> = counting.collect();
        let segment = Arc::clone(&scene.segment);
        let scrape = thread::spawn(move || [0; 2].map(|_| segment.total(0)));
        for thread in threads {
            thread.join().unwrap();
        }
        let seen = scrape.join().unwrap();
        assert!(seen.is_sorted(), "a total went back: {seen:?}");
        assert_eq!(scene.segment.total(0), 4);
    });
}

/// How many words a turn changes: the record, one baseline, the flip.
const CHANGES: u32 = RECORD_WORDS as u32 + 2;

/// The process that rotates is killed behind one of its changes, while another counts and a third
/// looks; then somebody rotates again.
fn killed(changes: u32) {
    let scene = Scene::new(1, |_| 0);
    // Before the turn the cell is not 0, so that a baseline which was not written shows.
    scene.cells[0].add(3);
    modelled::run(true);
    let writer = scene.cells[0].clone();
    let writer = thread::spawn(move || writer.add(1));
    let rotator = scene.clone();
    let rotator = thread::spawn(move || modelled::killed_after(changes, || rotator.turn()));
    let reader = scene.clone();
    let reader = thread::spawn(move || reader.look());
    writer.join().unwrap();
    rotator.join().unwrap();
    let seen = reader.join().unwrap();
    let first = if scene.look().0 == 2 {
        assert!(changes >= CHANGES, "the epoch began before it was complete");
        scene.closed_and_counted().0
    } else {
        assert!(
            changes < CHANGES,
            "the turn is complete and the epoch has not begun"
        );
        0
    };
    scene.turn();
    let (closed, counted) = scene.closed_and_counted();
    assert_eq!(first + closed + counted, 4);
    assert!(seen.1 <= [first + closed, closed + counted][seen.0 as usize - 1]);
}

#[test]
fn a_rotation_that_is_killed_has_happened_or_has_not() {
    // Behind each of the last changes; those before them are words of the record.
    for changes in [0, 1, CHANGES - 3, CHANGES - 2, CHANGES - 1, CHANGES] {
        explore("killed rotation", ALL, move || killed(changes));
    }
}

#[test]
#[should_panic(expected = "the epoch began before it was complete")]
fn an_epoch_that_begins_before_its_baselines_shows_when_its_process_is_killed() {
    // Behind the record and the flip, before the baseline.
    let flaw = Flaw::Without(Protection::FlipLast);
    explore_flawed("killed rotation", flaw, || killed(RECORD_WORDS as u32 + 1));
}
