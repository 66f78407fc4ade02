//! Series that are added under the lock while others look them up without it.

use std::sync::Arc;

use loom::thread::{self, JoinHandle};

use super::{Bounds, Flaw, Known, TINY, explore, explore_flawed};
use crate::store::control::{TAIL, Tail};
use crate::store::layout::BLOCK;
use crate::store::registry::{self, Content, Form, Place};
use crate::store::segment::Segment;
use crate::sync::modelled::{self, Lock};

/// A lookup reads each word of an entry twice: in a sequential memory all orders of those are too many.
const BOUNDS: Bounds = [Some(2), None];

#[derive(Clone)]
struct Scene {
    segment: Arc<Segment>,
    lock: Arc<Lock>,
    /// Two series whose search begins at the same slot, and one more.
    known: Arc<[Known; 3]>,
}

/// How a series is looked up.
type Find = fn(&Known, &Segment) -> Option<Place>;

impl Scene {
    fn new() -> Self {
        let segment = Arc::new(Segment::in_memory(TINY));
        let slot = |known: &Known| known.hash as usize % TINY.slots();
        let mut all = (0..).map(|number| Known::series(&number.to_string()));
        let before = Known::series("before");
        let first = Known::series("first");
        let meets = |known: &Known| slot(known) == slot(&first);
        let second = all.find(meets).unwrap();
        // Cell 0 is somebody else's, so that an entry which was not read shows.
        before.append(&segment, Form::Counter, 1);
        segment.words()[TAIL].share();
        let index = TINY.index_at();
        let slots = &segment.words()[index..index + TINY.slots()];
        slots.iter().for_each(|word| word.share());
        let blocks = TINY.registry_at() + BLOCK..TINY.registry_at() + 3 * BLOCK;
        segment.words()[blocks].iter().for_each(|word| word.share());
        segment.share_verified();
        Self {
            segment,
            lock: Lock::new(),
            known: Arc::new([first, second, before]),
        }
    }

    /// Adds a series unless it is there, as whoever did not find it does.
    fn register(&self, which: usize) {
        let known = &self.known[which];
        self.lock.exclusive(|| {
            if known.find(&self.segment).is_none() {
                known.append(&self.segment, Form::Counter, 1);
            }
        });
    }

    /// Somebody who looks both series up.
    fn found(&self, find: Find) -> JoinHandle<[Option<Place>; 2]> {
        let scene = self.clone();
        let look = move |which: usize| find(&scene.known[which], &scene.segment);
        thread::spawn(move || [0, 1].map(look))
    }

    /// What the registry itself says of a series, entry by entry.
    fn entries(&self, which: usize) -> Vec<(u32, u32)> {
        let end = self.segment.tail().unwrap();
        let scan = registry::scan(&self.segment, Tail::default(), end, true);
        assert_eq!(scan.bad, [], "the registry is damaged");
        let entries = scan.entries.iter();
        let same = entries.filter(|entry| entry.hash == self.known[which].hash);
        same.map(|entry| {
            assert!(matches!(entry.content, Content::Series { .. }));
            (entry.block, entry.cell)
        })
        .collect()
    }

    /// Compares what was found meanwhile with what there is in the end.
    fn check(&self, which: usize, found: &[Option<Place>], at_least: usize) {
        let entries = self.entries(which);
        assert!(entries.len() <= 1, "the series was registered twice");
        assert!(entries.len() >= at_least, "the series is missing");
        for place in found.iter().flatten() {
            let right = (place.block, place.cell);
            assert_eq!(vec![right], entries, "a wrong entry was found");
            assert_eq!(place.form, Some(Form::Counter));
        }
    }
}

/// Two register, the first series both and one of them the second too; one looks both up.
fn race(find: Find) {
    let scene = Scene::new();
    modelled::run(true);
    let (one, two) = (scene.clone(), scene.clone());
    let threads = [
        thread::spawn(move || one.register(0)),
        thread::spawn(move || [1, 0].into_iter().for_each(|which| two.register(which))),
    ];
    let found = scene.found(find);
    for thread in threads {
        thread.join().unwrap();
    }
    let found = found.join().unwrap();
    scene.check(0, &[found[0], scene.known[0].find(&scene.segment)], 1);
    scene.check(1, &[found[1], scene.known[1].find(&scene.segment)], 1);
}

#[test]
fn a_series_is_registered_once_and_never_found_torn() {
    explore("registration", BOUNDS, || race(Known::find));
}

/// One registers and is killed behind one of its changes; the next one registers another series in
/// its place, and somebody looks both up.
fn killed(changes: u32, find: Find) {
    let scene = Scene::new();
    modelled::run(true);
    let (one, two) = (scene.clone(), scene.clone());
    let threads = [
        thread::spawn(move || modelled::killed_after(changes, || one.register(0))),
        thread::spawn(move || two.register(1)),
    ];
    let found = scene.found(find);
    for thread in threads {
        thread.join().unwrap();
    }
    let found = found.join().unwrap();
    scene.check(0, &[found[0]], 0);
    scene.check(1, &[found[1]], 1);
}

/// The words of an entry of one block, its slot and the tail; then nothing is left to be killed in.
const CHANGES: u32 = BLOCK as u32 + 2;

#[test]
fn what_a_killed_registration_left_is_never_found() {
    for changes in 0..=CHANGES {
        explore("killed registration", BOUNDS, move || {
            killed(changes, Known::find)
        });
    }
}

/// Believes the index, which decides nothing.
fn believing(known: &Known, segment: &Segment) -> Option<Place> {
    let slots = TINY.index_at()..TINY.index_at() + TINY.slots();
    let mut slots = slots.map(|slot| segment.load(slot));
    let slot = slots.find(|slot| *slot != 0 && slot >> 32 == known.hash >> 32)?;
    let block = (slot as u32).wrapping_sub(1);
    let at = TINY.registry_at() + block as usize * BLOCK;
    Some(Place {
        cell: segment.load(at + 2) as u32,
        cells: 1,
        block,
        form: Some(Form::Counter),
    })
}

#[test]
#[should_panic(expected = "a wrong entry was found")]
fn whoever_believes_the_index_finds_a_wrong_entry() {
    explore_flawed("killed registration", Flaw::Own, || {
        killed(BLOCK as u32 + 1, believing)
    });
}

/// Two look one series up: what the one has checked, the other takes as checked.
fn looked_up_twice() {
    let scene = Scene::new();
    modelled::run(true);
    let (one, two) = (scene.clone(), scene.clone());
    let registrar = thread::spawn(move || one.register(0));
    let three = scene.clone();
    let finders =
        [two, three].map(|scene| thread::spawn(move || scene.known[0].find(&scene.segment)));
    registrar.join().unwrap();
    let found = finders.map(|finder| finder.join().unwrap());
    scene.check(0, &found, 1);
}

#[test]
fn an_entry_that_another_thread_has_checked_is_read_whole() {
    explore("two lookups", BOUNDS, looked_up_twice);
}

#[test]
#[should_panic(expected = "a wrong entry was found")]
fn without_order_an_entry_that_another_thread_has_checked_is_torn() {
    explore_flawed("two lookups", Flaw::Disorder, looked_up_twice);
}
