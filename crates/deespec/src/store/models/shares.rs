//! Shares of per-process gauges that change hands while their owners set them and others read them.

use std::convert::Infallible;
use std::sync::Arc;

use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::{Flaw, Known, TINY, explore, explore_flawed};
use crate::protection::Protection;
use crate::store::registry::Form;
use crate::store::segment::Segment;
use crate::store::shares::Share;
use crate::sync::Ordering;
use crate::sync::modelled::{self, Lock};

#[derive(Clone)]
struct Scene {
    share: Share,
    lock: Arc<Lock>,
    /// Whether the byte of the first process is locked.
    lives: Arc<AtomicBool>,
}

impl Scene {
    /// A share of process 1, with the value 10.
    fn new() -> Self {
        let segment = Arc::new(Segment::in_memory(TINY));
        let place = Known::series("").append(&segment, Form::ProcessGauge, 2);
        let share = Share {
            segment,
            stripe: 0,
            cell: place.cell,
        };
        share.give_to(1, 10);
        share.owner().share();
        share.value().share();
        Self {
            share,
            lock: Lock::new(),
            lives: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Sets the share where it is the process' own.
    fn set(&self, number: u64, value: u64) {
        if self.share.is_owned_by(number) {
            self.share.value().store(value, Ordering::Relaxed);
        }
    }

    fn is_live(&self, number: u64) -> bool {
        let live = || self.lives.load(Ordering::Acquire);
        number != 1 || !Protection::Liveness.stands() || live()
    }

    /// Takes the share for process 2 where it is free or that of a dead one.
    fn claim(&self) -> bool {
        self.lock.exclusive(|| {
            let owner = self.share.owner().load(Ordering::Relaxed);
            let free = owner == 0 || !self.is_live(owner);
            if free {
                self.share.give_to(2, 0);
            }
            free
        })
    }

    /// The owner of what is read, and that.
    fn read(&self) -> Option<(u64, u64)> {
        self.lock.shared(|| {
            let mut owner = 0;
            let read = self.share.of_live(|number| {
                owner = number;
                Ok::<_, Infallible>(self.is_live(number))
            });
            read.unwrap_or(None).map(|value| (owner, value))
        })
    }
}

/// The first process sets its share twice and is killed behind one of its changes; the second one
/// takes over, is killed behind one of its own, or sets it; somebody reads.
fn race(first: u32, second: u32) {
    let scene = Scene::new();
    modelled::run(true);
    let (one, two) = (scene.clone(), scene.clone());
    let threads = [
        thread::spawn(move || {
            modelled::killed_after(first, || [11, 12].into_iter().for_each(|v| one.set(1, v)));
            one.lives.store(false, Ordering::Release);
        }),
        thread::spawn(move || {
            modelled::killed_after(second, || {
                if two.claim() {
                    two.set(2, 20);
                }
            });
        }),
    ];
    let reader = scene.clone();
    let reader = thread::spawn(move || reader.read());
    for thread in threads {
        thread.join().unwrap();
    }
    let lawful = match reader.join().unwrap() {
        Some((1, value)) => (10..=12).contains(&value),
        Some((2, value)) => [0, 20].contains(&value),
        other => other.is_none(),
    };
    assert!(lawful, "somebody else's value was read");
    // Whatever was left half done, the share is to be had.
    let owner = scene.share.owner().load(Ordering::Relaxed);
    assert!(owner == 2 || scene.claim());
}

#[test]
fn nobody_reads_a_new_owner_with_an_old_value() {
    // The takeover has three changes, then one more sets it.
    for first in 0..=2 {
        for second in 0..=4 {
            explore("shares", [Some(3), None], move || race(first, second));
        }
    }
}

#[test]
#[should_panic(expected = "somebody else's value was read")]
fn without_the_lock_a_reader_takes_one_process_value_for_another() {
    explore_flawed("shares", Flaw::Without(Protection::Lock), || race(2, 4));
}
