//! A series that is removed while others count it, set it and look at it.

use std::sync::Arc;

use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::{ALL, Flaw, Known, TINY, explore, explore_flawed};
use crate::protection::Protection;
use crate::store::Cells;
use crate::store::registry::{self, Form, Place};
use crate::store::segment::Segment;
use crate::sync::Ordering;
use crate::sync::modelled::{self, Lock};

#[derive(Clone)]
struct Scene {
    segment: Arc<Segment>,
    lock: Arc<Lock>,
    place: Place,
    /// The removal has returned.
    removed: Arc<AtomicBool>,
}

impl Scene {
    fn new(form: Form) -> Self {
        let segment = Arc::new(Segment::in_memory(TINY));
        let place = Known::series("").append(&segment, form, 1);
        segment.cell(0, place.cell).store(5, Ordering::Relaxed);
        registry::state(&segment, place.block).share();
        for stripe in 0..TINY.stripes {
            segment.cell(stripe, place.cell).share();
        }
        Self {
            segment,
            lock: Lock::new(),
            place,
            removed: Arc::new(AtomicBool::new(false)),
        }
    }

    fn remove(&self) {
        self.lock.exclusive(|| {
            let Place {
                block, cell, cells, ..
            } = self.place;
            let mark = registry::removal(&self.segment, block, cell, cells);
            registry::state(&self.segment, block).store(mark, Ordering::Relaxed);
        });
        self.removed.store(true, Ordering::Release);
    }

    fn is_removed(&self) -> bool {
        self.lock.shared(|| {
            let Place {
                block, cell, cells, ..
            } = self.place;
            registry::is_removed(&self.segment, block, cell, cells)
        })
    }
}

/// One removes the series, one uses it, one looks; `of` uses it.
fn race(form: Form, of: fn(&Cells)) {
    let scene = Scene::new(form);
    modelled::run(true);
    let (remover, user) = (scene.clone(), scene.clone());
    let remover = thread::spawn(move || remover.remove());
    let user = thread::spawn(move || {
        let cells = Cells::new(&user.segment, user.place, 1);
        let after = user.removed.load(Ordering::Acquire);
        of(&cells);
        after
    });
    let reader = scene.clone();
    let reader = thread::spawn(move || reader.is_removed());
    remover.join().unwrap();
    reader.join().unwrap();
    let used_after = user.join().unwrap();
    let hidden = scene.is_removed();
    assert!(
        !(used_after && hidden),
        "what was counted after the removal is hidden"
    );
    assert_eq!(hidden, scene.is_removed(), "nobody has used it since");
}

#[test]
fn what_is_counted_after_a_removal_is_seen() {
    explore("removal of a counter", ALL, || {
        race(Form::Counter, |cells| cells.add(1))
    });
}

#[test]
fn what_is_set_after_a_removal_is_seen() {
    explore("removal of a gauge", ALL, || race(Form::Gauge, set));
}

fn set(cells: &Cells) {
    cells.shared().store(7, Ordering::Relaxed);
    cells.revive();
}

#[test]
#[should_panic(expected = "what was counted after the removal is hidden")]
fn a_gauge_that_is_set_without_a_look_at_its_state_stays_hidden() {
    explore_flawed("removal of a gauge", Flaw::Own, || {
        race(Form::Gauge, |cells| {
            cells.shared().store(7, Ordering::Relaxed)
        });
    });
}

/// Two look while the series comes back, and somebody removes it again.
fn removed_again() {
    let scene = Scene::new(Form::Counter);
    scene.remove();
    modelled::run(true);
    let (remover, user) = (scene.clone(), scene.clone());
    let user = thread::spawn(move || Cells::new(&user.segment, user.place, 1).add(1));
    let remover = thread::spawn(move || remover.remove());
    let reader = scene.clone();
    let reader = thread::spawn(move || reader.is_removed());
    user.join().unwrap();
    remover.join().unwrap();
    reader.join().unwrap();
    // Removed behind the increment, or seen.
    let total = scene.segment.total(scene.place.cell);
    assert_eq!(total, 6);
    let (block, cell) = (scene.place.block, scene.place.cell);
    let state = registry::state(&scene.segment, block).load(Ordering::Relaxed);
    let all = registry::removal(&scene.segment, block, cell, 1);
    assert_eq!(scene.is_removed(), state == all);
}

#[test]
fn a_series_that_comes_back_may_be_removed_again() {
    explore("second removal", ALL, removed_again);
}

#[test]
#[should_panic(expected = "the mark of the removal is gone")]
fn without_the_lock_a_reader_takes_a_new_removal_back() {
    explore_flawed("second removal", Flaw::Without(Protection::Lock), || {
        let scene = Scene::new(Form::Counter);
        scene.remove();
        Cells::new(&scene.segment, scene.place, 1).add(1);
        modelled::run(true);
        let remover = scene.clone();
        let remover = thread::spawn(move || remover.remove());
        let reader = scene.clone();
        let reader = thread::spawn(move || reader.is_removed());
        remover.join().unwrap();
        reader.join().unwrap();
        assert!(scene.is_removed(), "the mark of the removal is gone");
    });
}
