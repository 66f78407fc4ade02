//! A value that each process makes once, by whichever of its threads comes first.

use std::cell::Cell;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::{ALL, Flaw, explore, explore_flawed};
use crate::store::raw::ForkLocal;
use crate::sync::modelled;

std::thread_local! {
    /// How many values there are; all threads of a model are one thread of the system.
    static ALIVE: Cell<u32> = const { Cell::new(0) };
}

/// A value; the checker tells when it is read by a thread that does not see it whole.
struct Value(UnsafeCell<()>);

impl Default for Value {
    fn default() -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self(UnsafeCell::new(()))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

#[expect(
    clippy::arc_with_non_send_sync,
    reason = "all threads of a model are one thread of the system"
)]
fn race() {
    ALIVE.set(0);
    let local = Arc::new(ForkLocal::<Value>::new().unwrap());
    modelled::run(true);
    let look = |local: &ForkLocal<Value>| {
        let value = local.get();
        value.0.with(|_| ());
        std::ptr::from_ref(value).addr()
    };
    let threads = [0, 1].map(|_| {
        let local = Arc::clone(&local);
        thread::spawn(move || look(&local))
    });
    let mine = look(&local);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), mine, "two values were given out");
    }
    assert_eq!(ALIVE.get(), 1, "a value was not dropped");
    drop(local);
    assert_eq!(ALIVE.get(), 0, "the value was not dropped");
}

#[test]
fn all_threads_get_the_same_whole_value() {
    explore("value of a process", ALL, race);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_order_a_value_is_not_whole() {
    explore_flawed("value of a process", Flaw::Disorder, race);
}
