//! A family that is declared anew while somebody looks its declaration up without the lock.

use std::sync::Arc;

use loom::thread;

use super::{ALL, Flaw, Known, TINY, explore, explore_flawed};
use crate::metric::{Family, Key, Shape};
use crate::store::control::TAIL;
use crate::store::families::until_found;
use crate::store::layout::{BLOCK, Geometry};
use crate::store::registry::{self, NewEntry, Place};
use crate::store::segment::Segment;
use crate::sync::Ordering;
use crate::sync::modelled;

#[derive(Clone)]
struct Scene {
    segment: Arc<Segment>,
    known: Arc<Known>,
}

/// Room for three declarations.
const SMALL: Geometry = Geometry { cells: 8, ..TINY };

impl Scene {
    fn new() -> Self {
        let scene = Self {
            segment: Arc::new(Segment::in_memory(SMALL)),
            known: Arc::new(Known::of(Key::of_family("a"))),
        };
        let first = scene.append();
        let segment = &scene.segment;
        registry::state(segment, first.block).share();
        segment.words()[TAIL].share();
        let index = SMALL.index_at();
        let slots = &segment.words()[index..index + SMALL.slots()];
        slots.iter().for_each(|word| word.share());
        let behind = SMALL.registry_at() + segment.tail().unwrap().blocks as usize * BLOCK;
        let blocks = behind..SMALL.registry_at() + SMALL.blocks() * BLOCK;
        segment.words()[blocks].iter().for_each(|word| word.share());
        segment.share_verified();
        scene
    }

    fn append(&self) -> Place {
        let family = Family::implicit("a", Shape::Counter);
        let entry = NewEntry::family(&self.known.key, self.known.hash, &family, 7);
        registry::append(&self.segment, &entry).unwrap().unwrap()
    }

    /// As whoever declares it anew, under the lock.
    fn declare(&self, old: u32) -> u32 {
        let new = self.append().block;
        registry::state(&self.segment, new).store(1, Ordering::Relaxed);
        registry::supersede(&self.segment, old);
        new
    }

    fn find(&self) -> Option<Place> {
        let blocks = || u64::from(self.segment.end_of_registry());
        until_found(blocks, |replaced| {
            registry::standing(&self.segment, &self.known.key, self.known.hash, replaced).next()
        })
    }
}

/// Somebody declares the family anew, so often, and somebody looks it up.
fn race(times: u32) {
    let scene = Scene::new();
    modelled::run(true);
    let other = scene.clone();
    let declaring = thread::spawn(move || {
        (0..times).fold(0, |old, _| other.declare(old));
    });
    let finding = thread::spawn(move || scene.find());
    declaring.join().unwrap();
    let found = finding.join().unwrap();
    assert!(found.is_some(), "the declaration was not found");
}

#[test]
fn a_family_always_has_a_declaration() {
    explore("declarations", ALL, || race(1));
}

#[test]
fn so_it_has_where_it_is_declared_twice() {
    explore("declarations, twice", [Some(3); 2], || race(2));
}

#[test]
#[should_panic(expected = "the declaration was not found")]
fn without_order_a_declaration_is_missed() {
    explore_flawed("declarations", Flaw::Disorder, || race(1));
}
