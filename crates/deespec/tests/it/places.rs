//! A store that is removed, replaced or moved away while a program has it open.

use std::fs;
use std::path::Path;

use deespec::{Error, Rotate, Store, StoreError};

use crate::support::{folder, quiet};

fn is_gone(error: Error, path: &Path) {
    let told = error.to_string();
    let Error::Store(StoreError::Replaced { path: found }) = error else {
        panic!("{told}");
    };
    assert!(found.starts_with(path), "{told}");
}

fn make(path: &Path) -> Store {
    let store = quiet().open(path).unwrap();
    store.counter("jobs_total").unwrap().inc();
    store
}

#[test]
fn every_way_to_lose_a_store_is_noticed_by_whatever_needs_its_lock() {
    type Lose = fn(&Path, &Path);
    let ways: [(&str, Lose); 7] = [
        ("removed", |store, _| fs::remove_dir_all(store).unwrap()),
        ("live removed", |store, _| {
            fs::remove_dir_all(store.join("live")).unwrap();
        }),
        ("the first segment removed", |store, _| {
            fs::remove_file(store.join("live/segment-0000")).unwrap();
        }),
        ("moved away", |store, around| {
            fs::rename(store, around.join("elsewhere")).unwrap();
        }),
        ("made anew", |store, _| {
            fs::remove_dir_all(store).unwrap();
            drop(make(store));
        }),
        ("a file in its place", |store, _| {
            fs::remove_dir_all(store).unwrap();
            fs::write(store, "").unwrap();
        }),
        ("a copy in its place", |store, around| {
            let copy = around.join("copy");
            drop(make(&copy));
            let segment = "live/segment-0000";
            fs::copy(store.join(segment), copy.join(segment)).unwrap();
            fs::remove_dir_all(store).unwrap();
            fs::rename(copy, store).unwrap();
        }),
    ];
    for (way, lose) in ways {
        println!("{way}");
        let around = folder();
        let path = around.path().join("store");
        let store = make(&path);
        store.check_place().unwrap();
        lose(&path, around.path());
        is_gone(store.check_place().unwrap_err(), &path);
        is_gone(store.health().unwrap_err(), &path);
        is_gone(store.view().unwrap_err(), &path);
        is_gone(store.sync().unwrap_err(), &path);
        is_gone(store.flush().unwrap_err(), &path);
        is_gone(store.counter("new_total").unwrap_err(), &path);
        is_gone(store.rotate(Rotate::Reset).unwrap_err(), &path);
        let text = b"# TYPE jobs counter\njobs_total 3\n# EOF\n";
        is_gone(store.push("w", 1, text).unwrap_err(), &path);
        // What needs no lock goes on, for whoever holds a handle.
        store.counter("jobs_total").unwrap().inc();
    }
}

#[test]
fn a_new_store_in_the_place_of_the_old_one_gets_nothing_of_it() {
    let around = folder();
    let path = around.path().join("store");
    let old = make(&path);
    fs::rename(&path, around.path().join("elsewhere")).unwrap();
    let new = make(&path);
    old.counter("jobs_total").unwrap().add(41);
    assert!(old.sync().is_err() && old.snapshot().is_err());
    assert_eq!(new.sync().unwrap().value("jobs_total", &[]), Some(1));
    new.check_place().unwrap();
    // Back in its place, it is the same as ever.
    drop(new);
    fs::remove_dir_all(&path).unwrap();
    fs::rename(around.path().join("elsewhere"), &path).unwrap();
    assert_eq!(old.sync().unwrap().value("jobs_total", &[]), Some(42));
}

#[test]
fn a_store_that_is_named_by_a_link_is_lost_when_the_link_is() {
    let around = folder();
    let (path, real) = (around.path().join("link"), around.path().join("real"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &path).unwrap();
    let store = make(&path);
    store.check_place().unwrap();
    fs::remove_file(&path).unwrap();
    is_gone(store.check_place().unwrap_err(), &path);
}
