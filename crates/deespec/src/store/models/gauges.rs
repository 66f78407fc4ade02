//! A gauge that several add to: a loop of compare-and-swap.

use std::sync::Arc;

use loom::thread;

use super::{ALL, Flaw, TINY, explore, explore_flawed};
use crate::handle::add_to_gauge;
use crate::store::segment::Segment;
use crate::sync::{AtomicU64, Ordering, modelled};

fn race(add: fn(&AtomicU64, f64)) {
    let segment = Arc::new(Segment::in_memory(TINY));
    segment.cell(0, 0).share();
    modelled::run(true);
    let threads = [1.5, -4.0].map(|value| {
        let segment = Arc::clone(&segment);
        thread::spawn(move || add(segment.cell(0, 0), value))
    });
    add(segment.cell(0, 0), 16.0);
    for thread in threads {
        thread.join().unwrap();
    }
    let sum = f64::from_bits(segment.cell(0, 0).load(Ordering::Relaxed));
    assert_eq!(sum, 13.5, "something was not added");
}

#[test]
fn whatever_is_added_to_a_gauge_is_there() {
    explore("gauge", ALL, || race(add_to_gauge));
}

#[test]
#[should_panic(expected = "something was not added")]
fn without_the_comparison_additions_are_lost() {
    explore_flawed("gauge", Flaw::Own, || {
        race(|cell, value| {
            let sum = f64::from_bits(cell.load(Ordering::Relaxed)) + value;
            cell.store(sum.to_bits(), Ordering::Relaxed);
        });
    });
}
