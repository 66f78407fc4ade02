//! Threads that race over plain memory: on the real machine many rounds, and in an interpreter
//! (`cargo xtask miri`) few, with another order of the threads for each seed.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::thread;

use super::layout::Geometry;
use super::registry::{self, Form, NewEntry, Place};
use super::segment::Segment;
use super::{Beginning, Cells, Record, epoch, turn};
use crate::metric::Key;
use crate::sync::Ordering;

const ROUNDS: u64 = if cfg!(miri) { 4 } else { 2000 };
const NAMES: usize = if cfg!(miri) { 3 } else { 60 };

fn segment() -> Arc<Segment> {
    let geometry = Geometry {
        stripes: 2,
        cells: 64,
    };
    Arc::new(Segment::in_memory(geometry))
}

fn key(number: usize) -> (Key, u64) {
    let key = Key::new("a", &[("k", &number.to_string())]);
    let hash = key.hash([1, 2]);
    (key, hash)
}

fn register(segment: &Segment, number: usize) -> Place {
    let (key, hash) = key(number);
    let found = registry::find(segment, &key, hash);
    let append = || registry::append(segment, &NewEntry::series(&key, hash, Form::Counter, 1, 7));
    found.unwrap_or_else(|| append().unwrap().unwrap())
}

fn begin(segment: &Segment, epoch: u32) {
    let record = Record {
        epoch,
        at_ns: 42,
        beginning: Beginning::Rotation,
        by: String::new(),
        why: String::new(),
    };
    let all = std::iter::once(segment);
    turn::begin(segment, all, &record, &[], || Ok(())).unwrap();
}

#[test]
fn each_increment_falls_into_one_epoch_and_no_reader_sees_more_than_that() {
    let segment = segment();
    let place = register(&segment, 0);
    begin(&segment, 1);
    let lock = RwLock::new(());
    // What each closed epoch counted, from the first on.
    let closed = Mutex::new(Vec::new());
    let seen = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for stripe in 0..2 {
            let cells = Cells::new(&segment, place, stripe);
            scope.spawn(move || (0..ROUNDS).for_each(|_| cells.add(1)));
        }
        scope.spawn(|| {
            for epoch in 2..2 + ROUNDS as u32 / 2 {
                let _alone = lock.write().unwrap();
                begin(&segment, epoch);
                let counted = epoch::closed(&segment, epoch, place.cell).0;
                closed.lock().unwrap().push(counted);
            }
        });
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let _shared = lock.read().unwrap();
                let now = epoch::current(&segment).unwrap();
                let value = epoch::counted(&segment, now, place.cell).0;
                seen.lock().unwrap().push((now, value));
            }
        });
    });
    let mut all = closed.into_inner().unwrap();
    let now = epoch::current(&segment).unwrap();
    all.push(epoch::counted(&segment, now, place.cell).0);
    assert_eq!(all.iter().sum::<u64>(), 2 * ROUNDS);
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted(), "a value went back within its epoch");
    for (epoch, value) in seen {
        assert!(
            value <= all[epoch as usize - 1],
            "more than epoch {epoch} counted"
        );
    }
}

#[test]
fn a_series_that_is_found_without_the_lock_is_the_one_that_was_registered() {
    let segment = segment();
    let lock = Mutex::new(());
    let done = AtomicBool::new(false);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let registrars = [0, 1].map(|_| {
            scope.spawn(|| {
                for number in 0..NAMES {
                    let _alone = lock.lock().unwrap();
                    register(&segment, number);
                }
            })
        });
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Acquire) {
                let (key, hash) = key(number % NAMES);
                let place = registry::find(&segment, &key, hash);
                found
                    .lock()
                    .unwrap()
                    .extend(place.map(|place| (number % NAMES, place)));
                number += 1;
                thread::yield_now();
            }
        });
        for registrar in registrars {
            registrar.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    let tail = segment.tail().unwrap();
    assert_eq!(tail.cells as usize, NAMES, "a series was registered twice");
    for (number, place) in found.into_inner().unwrap() {
        assert_eq!(place, register(&segment, number));
    }
}
