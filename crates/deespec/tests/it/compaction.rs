//! Compaction: a store is rebuilt with everything that counts, and only when nobody has it open.

use std::fs;
use std::path::Path;

use deespec::{Error, Family, Rotate, Store, StoreError};

use crate::image::{self, Image};
use crate::roles;
use crate::support::{folder, quiet, tree, wait_until};

/// A store of every kind, in its second epoch, with series that were removed.
fn filled(path: &Path) -> Store {
    let store = quiet().stripes(2).open(path).unwrap();
    store
        .declare(
            &Family::counter("jobs_total")
                .with_help("Jobs.")
                .with_labels(["job"]),
        )
        .unwrap();
    store
        .counter_with("jobs_total", &[("job", "a")])
        .unwrap()
        .add(7);
    store.transactions().success.add(3);
    store.histogram("wait_seconds").unwrap().observe(0.25);
    store.rotate(Rotate::Reset).unwrap();
    store
        .counter_with("jobs_total", &[("job", "a")])
        .unwrap()
        .add(2);
    store
        .counter_with("jobs_total", &[("job", "b")])
        .unwrap()
        .add(5);
    store.histogram("wait_seconds").unwrap().observe(1.5);
    store.gauge("depth").unwrap().set(-2.5);
    store.info("build_info", &[("version", "1")]).unwrap();
    store.counter("misspelt_total").unwrap();
    assert!(store.remove("misspelt_total", &[]).unwrap());
    store
}

/// What a view shows, but for the time at which it was read.
fn shown(store: &Store) -> (Vec<deespec::Sample>, u64, std::time::SystemTime) {
    let view = store.view().unwrap();
    assert_eq!(view.skipped, Vec::<String>::new());
    (
        view.samples().cloned().collect(),
        view.epoch,
        view.epoch_started,
    )
}

#[test]
fn everything_that_counts_is_there_afterwards() {
    let folder = folder();
    let store = filled(folder.path());
    let before = (store.id(), shown(&store));
    let imports = || fs::read(folder.path().join("live/epochs.jsonl")).unwrap();
    let lines = imports();
    drop(store);
    let booted = || [0, 1].map(|word| Image::read(folder.path(), 0).word(image::BOOT + word));
    let boot = booted();
    let done = quiet().compact(folder.path()).unwrap();
    assert_eq!(done.segments, (1, 1));
    assert_eq!(booted(), boot, "there is nothing to recover");
    assert_eq!(done.series.0, done.series.1 + 1, "the removed one is gone");
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!((store.id(), shown(&store)), before);
    assert_eq!(imports(), lines);
    let family = store.view().unwrap().family("jobs_total").cloned().unwrap();
    assert_eq!((family.help(), family.is_declared()), ("Jobs.", true));
    // The names are those of a store, and nothing else is left.
    let names: Vec<String> = tree(folder.path()).into_keys().collect();
    assert!(
        !names.iter().any(|name| name.contains("compacted")),
        "{names:?}"
    );
    // A removed series begins anew, and the next epoch closes as any other.
    store.counter("misspelt_total").unwrap().inc();
    let rotation = store.rotate(Rotate::Reset).unwrap();
    assert_eq!(rotation.closing.epoch, Some(2));
    let closing = |name: &str| {
        let same = |series: &&deespec::Series| series.name == name;
        rotation
            .closing
            .series
            .iter()
            .find(same)
            .unwrap()
            .value
            .clone()
    };
    assert_eq!(closing("misspelt_total").counter(), Some(1));
    assert_eq!(closing("wait_seconds").histogram().unwrap().sum(), 1.5);
}

#[test]
fn the_epoch_before_can_still_be_closed_afterwards() {
    for rotations in [1, 2] {
        let folder = folder();
        let store = filled(folder.path());
        let mut last = None;
        for _ in 1..rotations {
            last = Some(store.rotate(Rotate::Reset).unwrap());
        }
        let names = store.snapshots().unwrap();
        let closing = store.snapshot_path(*names.last().unwrap());
        let whole = fs::read(&closing).unwrap();
        drop((store, last));
        // A line that was lost makes whoever settles close that epoch again.
        fs::remove_file(folder.path().join("live/epochs.jsonl")).unwrap();
        quiet().compact(folder.path()).unwrap();
        quiet().open(folder.path()).unwrap().sync().unwrap();
        assert!(folder.path().join("live/epochs.jsonl").exists());
        let again = deespec::Document::read(&closing).unwrap();
        let whole = deespec::Document::parse(&whole, &closing).unwrap();
        assert_eq!(again.transactions, whole.transactions);
        let counted = |document: &deespec::Document| {
            let counts = document.series.iter();
            let counts = counts.filter(|series| series.value.gauge().is_none());
            let counts: Vec<_> = counts.cloned().collect();
            counts
        };
        assert_eq!(counted(&again), counted(&whole));
    }
}

#[test]
fn a_store_that_grew_and_was_cleared_becomes_small_again() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let name = |number: u64| format!("many_{}_total", number / 1000);
    for number in 0..3000 {
        let labels = [("number", &*number.to_string())];
        store
            .counter_with(&name(number), &labels)
            .unwrap()
            .add(number);
    }
    for number in 10..3000 {
        store
            .remove(&name(number), &[("number", &number.to_string())])
            .unwrap();
    }
    drop(store);
    let done = quiet().compact(folder.path()).unwrap();
    assert_eq!(done.segments.1, 1);
    assert!(done.bytes.1 * 10 < done.bytes.0, "{done:?}");
    let view = quiet().open(folder.path()).unwrap().view().unwrap();
    assert_eq!(view.series.len(), 10);
    assert_eq!(view.value("many_0_total", &[("number", "9")]), Some(9));
}

#[test]
fn a_family_whose_series_were_all_removed_goes_with_them() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store
        .declare(&Family::gauge("wrong").with_help("A slip."))
        .unwrap();
    store
        .declare(&Family::gauge("later").with_help("Not yet."))
        .unwrap();
    store.gauge("wrong").unwrap().set(1.0);
    store.remove("wrong", &[]).unwrap();
    drop(store);
    quiet().compact(folder.path()).unwrap();
    let store = quiet().open(folder.path()).unwrap();
    assert!(store.family("later").is_some());
    store.counter("wrong").unwrap().inc();
}

#[test]
fn a_store_that_is_open_anywhere_is_refused_and_left_alone() {
    let folder = folder();
    let store = filled(folder.path());
    let counter = store.counter("jobs_done_total").unwrap();
    store.sync().unwrap();
    drop(store);
    let before = tree(folder.path());
    let in_use = |done: deespec::Result<deespec::Compaction>| {
        matches!(done, Err(Error::Store(StoreError::InUse { .. })))
    };
    assert!(
        in_use(quiet().compact(folder.path())),
        "a handle keeps it open"
    );
    assert_eq!(tree(folder.path()), before);
    drop(counter);
    let mut child = roles::start("hold", folder.path());
    assert!(
        in_use(quiet().compact(folder.path())),
        "another process has it open"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    quiet().compact(folder.path()).unwrap();
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let folder = folder();
    let error = quiet().compact(folder.path()).unwrap_err();
    assert!(
        matches!(error, Error::Store(StoreError::NoStore { .. })),
        "{error}"
    );
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn what_cannot_be_read_is_not_dropped() {
    let folder = folder();
    drop(filled(folder.path()));
    let mut image = crate::image::Image::read(folder.path(), 0);
    let entry = image.entry_of("jobs_total,job=b");
    image.flip(image.block_at(entry.block) * 64 + 200);
    image.write();
    let error = quiet().compact(folder.path()).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    assert!(!folder.path().join("tmp-compacted").exists());
    let after = crate::image::Image::read(folder.path(), 0);
    let at = image.block_at(entry.block);
    assert_eq!(
        after.word(at + 3),
        image.word(at + 3),
        "its bytes stay for whoever repairs them"
    );
}

#[test]
fn what_a_killed_compaction_left_does_no_harm() {
    let folder = folder();
    let store = filled(folder.path());
    let before = shown(&store);
    drop(store);
    // Killed before the exchange.
    let left = folder.path().join("tmp-compacted");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("tmp-segment-0000"), "half").unwrap();
    assert_eq!(shown(&quiet().open(folder.path()).unwrap()), before);
    quiet().compact(folder.path()).unwrap();
    assert!(!left.exists());
    assert_eq!(shown(&quiet().open(folder.path()).unwrap()), before);
}

#[test]
fn whoever_comes_during_a_compaction_waits_for_the_new_files() {
    let folder = folder();
    let store = filled(folder.path());
    let before = shown(&store);
    drop(store);
    std::thread::scope(|scope| {
        let opened = |_: usize| {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(shown(&quiet().open(folder.path()).unwrap()), before);
                }
            })
        };
        let readers: Vec<_> = (0..3).map(opened).collect();
        let mut done = 0;
        while done < 3 {
            match quiet().compact(folder.path()) {
                Ok(_) => done += 1,
                Err(Error::Store(StoreError::InUse { .. })) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        wait_until("all have read", || {
            readers.iter().all(|reader| reader.is_finished())
        });
    });
}
