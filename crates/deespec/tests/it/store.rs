//! Opening, handles, modes, and what several handles of one store see of each other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deespec::{Error, MetricError, Options, Rotate, Store, StoreError};

use crate::image::{Image, PAGE, PENDING};
use crate::support::{expected, folder, moment, quiet, store_values, told, tree};
use crate::{image, roles};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_store_that_does_not_exist_is_an_error_where_it_must_not_be_made() {
    let folder = folder();
    let path = folder.path().join("a/b/var");
    let error = quiet().create(false).open(&path).unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::NoStore { .. })));
    told(&error, &path);
    assert!(tree(folder.path()).is_empty());

    let store = quiet().open(&path).unwrap();
    let id = store.id();
    assert_eq!((store.path(), store.view().unwrap().epoch), (&*path, 1));
    drop(store);
    let again = quiet().create(false).open(&path).unwrap();
    assert_eq!(again.id(), id);
}

#[test]
fn a_path_that_cannot_hold_a_store_is_refused() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("var")] {
        let before = tree(folder.path());
        let error = quiet().open(&path).unwrap_err();
        told(&error, &file);
        assert_eq!(tree(folder.path()), before);
    }
}

#[test]
fn files_and_folders_belong_to_their_owner_alone_whatever_the_umask() {
    for umask in ["000", "022", "077", "177", "277", "777"] {
        let folder = folder();
        let root = folder.path().join("one/two");
        let role = format!("umask {umask}");
        roles::report(roles::command(&role, &root).spawn().unwrap());
        let mut pending: Vec<PathBuf> = vec![folder.path().join("one")];
        let mut files = 0;
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                assert_eq!(mode(&path), 0o700, "umask {umask}: {}", path.display());
                let entries = fs::read_dir(&path).unwrap();
                pending.extend(entries.map(|entry| entry.unwrap().path()));
            } else {
                assert_eq!(mode(&path), 0o600, "umask {umask}: {}", path.display());
                files += 1;
            }
        }
        // metrics.json, two snapshots, lock, segment-0000, epochs.jsonl, processes
        assert_eq!(files, 7, "umask {umask}");
    }
}

#[test]
fn an_opened_store_counts_on_where_the_last_process_ended() {
    let folder = folder();
    for round in 1..=3 {
        let store = quiet().open(folder.path()).unwrap();
        store.transactions().conflicts.inc();
        store.counter("work_total").unwrap().add(2);
        let counted = expected([0, 0, round, 0], &[("work_total", 2 * round)]);
        assert_eq!(store_values(&store), counted);
    }
}

#[test]
fn two_handles_in_one_process_share_everything() {
    let folder = folder();
    let one = quiet().open(folder.path()).unwrap();
    let two = quiet().open(folder.path()).unwrap();
    one.counter("first_total").unwrap().add(1);
    two.counter("second_total").unwrap().add(2);
    two.counter("first_total").unwrap().add(10);
    let all = expected([0; 4], &[("first_total", 11), ("second_total", 2)]);
    assert_eq!(store_values(&one), all);
    assert_eq!(store_values(&two), all);
    one.rotate(Rotate::Reset).unwrap();
    assert_eq!(two.view().unwrap().epoch, 2);
    assert_eq!(two.view().unwrap().value("first_total", &[]), Some(0));
    assert_eq!(two.rotate(Rotate::Reset).unwrap().epoch, 3);
    assert_eq!(one.health().unwrap().epoch, 3);
}

#[test]
fn racing_makers_agree_on_one_store() {
    for _ in 0..5 {
        let folder = folder();
        let root = folder.path().join("var");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("metrics.json"), r#"{"commit_success": 100}"#).unwrap();
        let reports = roles::race(&["create"; 4], &root).concat();
        assert_eq!(reports.len(), 4);
        assert!(reports.iter().all(|id| *id == reports[0]));
        let store = quiet().open(&root).unwrap();
        assert_eq!(store_values(&store), expected([128, 0, 0, 0], &[]));
    }
}

#[test]
fn a_counter_outlives_the_store_it_came_from() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let counter = store.counter("work_total").unwrap();
    let transactions = store.transactions().clone();
    drop(store);
    counter.inc();
    transactions.recoveries.add(3);
    let clone = counter.clone();
    drop(counter);
    clone.inc();
    let store = quiet().open(folder.path()).unwrap();
    let counted = expected([0, 0, 0, 3], &[("work_total", 2)]);
    assert_eq!(store_values(&store), counted);
}

#[test]
fn many_threads_lose_nothing() {
    const THREADS: u64 = 32;
    const EACH: u64 = 2000;
    let folder = folder();
    let store = Options::new().stripes(8).open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                let own = thread.to_string();
                let own = store.counter_with("own_total", &[("thread", &own)]);
                let own = own.unwrap();
                for _ in 0..EACH {
                    store.transactions().success.inc();
                    own.inc();
                    // The same new series from all threads at once.
                    let some = (EACH % 7).to_string();
                    store
                        .counter_with("any_total", &[("n", &some)])
                        .unwrap()
                        .inc();
                }
            });
        }
    });
    let values = store_values(&store);
    assert_eq!(values["commit_success"], THREADS * EACH);
    for thread in 0..THREADS {
        assert_eq!(values[&format!("own_total,thread={thread}")], EACH);
    }
    let any = values.iter().filter(|(name, _)| name.starts_with("any"));
    assert_eq!(any.map(|(_, value)| value).sum::<u64>(), THREADS * EACH);
}

#[test]
fn stripes_are_a_power_of_two_of_at_most_64() {
    for (asked, made) in [(0, 1), (1, 1), (3, 4), (64, 64), (1000, 64)] {
        let folder = folder();
        let store = quiet().stripes(asked).open(folder.path()).unwrap();
        assert_eq!(store.health().unwrap().stripes, made);
        // What is asked for later does not matter.
        let again = quiet().stripes(2).open(folder.path()).unwrap();
        assert_eq!(again.health().unwrap().stripes, made);
    }
}

#[test]
fn names_and_labels_that_are_not_valid_are_refused_and_add_nothing() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let long = "v".repeat(1025);
    let longest = "n".repeat(70_000);
    let many: Vec<(String, &str)> = (0..33).map(|i| (format!("l{i}"), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    let cases: [(&str, &[(&str, &str)]); 13] = [
        ("", &[]),
        ("1a", &[]),
        ("a-b", &[]),
        ("ä_total", &[]),
        ("a\0", &[]),
        (&longest, &[]),
        ("a", &[("", "")]),
        ("a", &[("__name__", "x")]),
        ("a", &[("a:b", "x")]),
        ("a", &[("k", "1"), ("b", "2"), ("k", "1")]),
        ("a", &[("k", &long)]),
        ("a", &[("k", &longest)]),
        ("a", &many),
    ];
    for (name, labels) in cases {
        let error = store.counter_with(name, labels).unwrap_err();
        let Error::Store(StoreError::Metric(error)) = error else {
            panic!("{name:.20}: {error}");
        };
        assert_eq!(matches!(error, MetricError::Name { .. }), labels.is_empty());
    }
    assert_eq!(store.health().unwrap().series, 4);
}

#[test]
fn the_lock_of_another_process_ends_a_wait_with_its_path() {
    let folder = folder();
    let store = quiet().lock_deadline(Duration::from_millis(30));
    let store = store.open(folder.path()).unwrap();
    let path = folder.path().join("live/lock");
    let lock = fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    let error = store.view().unwrap_err();
    assert!(matches!(
        error,
        Error::Store(StoreError::LockTimeout { .. })
    ));
    told(&error, &path);
    // What needs no lock goes on.
    store.transactions().success.inc();
    store.counter("commit_failed").unwrap().inc();
    store.flush().unwrap();
    assert!(store.counter("new_total").is_err());
    lock.unlock().unwrap();
    assert_eq!(store_values(&store), expected([1, 1, 0, 0], &[]));
}

#[test]
fn opening_does_not_wait_for_the_work_of_a_living_process() {
    let folder = folder();
    drop(quiet().open(folder.path()).unwrap());
    let mut image = Image::read(folder.path(), 0);
    image.set(PENDING, 1);
    image.write();
    let lock = fs::File::open(folder.path().join("live/lock")).unwrap();
    lock.lock().unwrap();
    let (opened, wait) = std::sync::mpsc::channel();
    let path = folder.path().to_owned();
    let opener = std::thread::spawn(move || {
        let store = quiet().lock_deadline(Duration::from_secs(3600));
        let store = store.open(path).unwrap();
        store.transactions().success.inc();
        opened.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(60))
        .expect("opening waits for a lock that it can do without");
    opener.join().unwrap();
    lock.unlock().unwrap();
}

#[test]
fn a_new_store_is_what_its_format_says() {
    let folder = folder();
    let options = quiet().stripes(2).fixed_clock(moment(0));
    let store = options.open(folder.path()).unwrap();
    store
        .counter_with("b_total", &[("z", "ä"), ("a", "")])
        .unwrap()
        .add(5);
    store.transactions().failed.add(2);
    store.rotate(Rotate::Reset).unwrap();
    store
        .counter_with("b_total", &[("a", ""), ("z", "ä")])
        .unwrap()
        .add(6);
    store.sync().unwrap();
    let image = Image::read(folder.path(), 0);
    assert_eq!(&image.bytes[..8], b"DEESPEC\0");
    assert_eq!((image.word(1), image.stripes(), image.cells()), (2, 2, 512));
    assert_eq!((image.slots(), image.blocks()), (1024, 1024));
    let id = format!("{:016x}{:016x}", image.word(2), image.word(3));
    assert_eq!(id, store.id().to_string());
    assert_eq!(image.word(7), crate::support::MOMENT_NS);
    let header: Vec<u64> = (0..9).map(|word| image.word(word)).collect();
    assert_eq!(image.word(9), u64::from(image::crc(&header)));
    assert_eq!(image.words(), image.stripe_at(3));
    assert_eq!(image.stripe_at(0) % PAGE, 0);

    assert_eq!(image.values(2), store_values(&store));
    assert_eq!(image.values(2)["b_total,a=,z=ä"], 6);
    assert_eq!(image.total(image.entry_of("b_total,a=,z=ä").cell), 11);
    assert_eq!(image.sealed(image::EPOCH), 2);
    assert_eq!(image.sealed(image::SEGMENTS), 1);
    assert_eq!(image.tail(image::TAIL), image.tail(image::DURABLE_TAIL));
    assert_eq!(image.tail(image::TAIL).1, 5);
    let entries = image.entries();
    assert_eq!(entries.len(), 10, "five families and their series");
    for pair in entries.chunks(2) {
        let [family, series] = pair else { panic!() };
        let kinds = (family.kind, series.kind);
        assert_eq!(kinds, (image::Kind::Family, image::Kind::Counter));
        assert!(series.key.starts_with(&family.key));
        assert_eq!((family.state, series.state), (1, 0));
        assert_eq!(series.created_ns, crate::support::MOMENT_NS);
        let counter = serde_json::json!({"type": "counter"});
        assert_eq!(family.declaration, Some(counter));
    }
    for (epoch, kind) in [(1, 1), (2, 2)] {
        let at = image::RECORDS + (epoch as usize & 1) * image::RECORD_WORDS;
        let words: Vec<u64> = (at + 1..at + 128).map(|word| image.word(word)).collect();
        assert_eq!(image.word(at), u64::from(image::crc(&words)));
        assert_eq!((words[0], words[2]), (epoch, kind));
        assert_eq!(words[3], 4, "the length of {:?}", "test");
        assert_eq!(words[4].to_le_bytes(), *b"test\0\0\0\0");
    }
    let slots = (0..1024).map(|slot| image.word(image.index_at() + slot));
    let mut blocks: Vec<usize> = slots
        .filter(|slot| *slot != 0)
        .map(|slot| slot as u32 as usize - 1)
        .collect();
    blocks.sort_unstable();
    let entries: Vec<usize> = image.entries().iter().map(|entry| entry.block).collect();
    assert_eq!(blocks, entries);
}

#[test]
fn a_clone_of_a_handle_is_the_same_store() {
    let folder = folder();
    let store: Store = quiet().open(folder.path()).unwrap();
    let clone = store.clone();
    clone.transactions().success.inc();
    drop(store);
    assert_eq!(store_values(&clone), expected([1, 0, 0, 0], &[]));
}
