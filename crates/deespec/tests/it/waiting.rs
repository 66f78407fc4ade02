//! Who waits for whom, for how long, and what is said of it.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use deespec::{Error, Rotate, StoreError};

use crate::support::{folder, quiet};

/// Programs that read without a pause, as a server does for its clients, each with so many threads.
const READERS: usize = 3;
const THREADS: usize = 32;

#[test]
fn readers_that_follow_each_other_closely_do_not_keep_a_writer_out() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for number in 0..1000 {
        let number = number.to_string();
        store
            .counter_with("known_total", &[("n", number.as_str())])
            .unwrap();
    }
    // As separate programs would, each has the store open for itself.
    let readers: Vec<_> = (0..READERS)
        .map(|_| quiet().open(folder.path()).unwrap())
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in readers.iter().flat_map(|reader| [reader; THREADS]) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    reader.view().unwrap();
                }
            });
        }
        let write = || -> deespec::Result<()> {
            for number in 0..20 {
                store.counter(&format!("new_{number}_total"))?.inc();
            }
            store.rotate(Rotate::Reset).map(drop)
        };
        let written = write();
        done.store(true, Ordering::Relaxed);
        written.unwrap();
    });
}

#[test]
fn a_writer_that_follows_itself_closely_does_not_keep_readers_out() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let writers: Vec<_> = (0..3)
        .map(|_| quiet().open(folder.path()).unwrap())
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in &writers {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    writer.lock_roundtrip().unwrap();
                }
            });
        }
        let read = (0..50).try_for_each(|_| store.view().map(drop));
        done.store(true, Ordering::Relaxed);
        read.unwrap();
    });
}

#[test]
fn a_lock_that_is_held_names_its_holder_and_costs_one_deadline_in_all() {
    let folder = folder();
    let deadline = Duration::from_secs(2);
    let store = quiet().lock_deadline(deadline).open(folder.path()).unwrap();
    let lock = File::open(folder.path().join("live/lock")).unwrap();
    lock.lock().unwrap();
    let error = store.view().unwrap_err();
    let Error::Store(StoreError::LockTimeout { waited, holder, .. }) = &error else {
        panic!("{error}");
    };
    assert!(*waited >= deadline, "{waited:?}");
    let named = fs::read_to_string("/proc/locks").is_ok_and(|locks| !locks.is_empty());
    if named {
        let holder = holder.as_ref().unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.stopped);
        let told = error.to_string();
        assert!(
            told.ends_with("another thread of this process holds it"),
            "{told}"
        );
    }
    // A command has some steps more, and each of them would wait as long.
    let begun = Instant::now();
    for _ in 0..10 {
        assert!(store.view().is_err() && store.counter("new_total").is_err());
    }
    assert!(
        begun.elapsed() < deadline * 20,
        "each waited as long as the first"
    );
    lock.unlock().unwrap();
    store.view().unwrap();
    // The lock was had, so it is waited for again.
    lock.lock().unwrap();
    match store.sync() {
        Err(Error::Store(StoreError::LockTimeout { waited, .. })) => assert!(waited >= deadline),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_has_to_end_waits_no_longer() {
    let folder = folder();
    let store = quiet().lock_deadline(Duration::from_secs(3600));
    let store = store.open(folder.path()).unwrap();
    let lock = File::open(folder.path().join("live/lock")).unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| store.view());
        store.stop_waiting_at(Instant::now());
        // Without that the test would take an hour.
        assert!(waits.join().unwrap().is_err());
    });
    assert!(store.sync().is_err());
    lock.unlock().unwrap();
    store.sync().unwrap();
}
