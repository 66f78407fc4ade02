//! The background thread of a long-lived process, without any call by the program.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use deespec::{Document, Options, Published};

use crate::image::PUBLISHED_AT;
use crate::support::{folder, quiet, wait_until};

fn often() -> Options {
    quiet().background_sync(Some(Duration::from_millis(20)))
}

fn published(root: &Path) -> Option<Document> {
    Document::read(&root.join("metrics.json")).ok()
}

/// Which file stands at metrics.json: each publication makes a new one.
fn file(root: &Path) -> (u64, SystemTime) {
    let metadata = fs::metadata(root.join("metrics.json")).unwrap();
    (metadata.ino(), metadata.modified().unwrap())
}

#[test]
fn what_was_counted_is_published_without_a_call() {
    let folder = folder();
    let store = often().open(folder.path()).unwrap();
    for value in 1..=3 {
        store.transactions().success.inc();
        wait_until("metrics.json shows the increment", || {
            published(folder.path()).is_some_and(|d| d.transactions.success == value)
        });
    }
    let health = store.health().unwrap();
    assert!(health.durable_lag < Duration::from_secs(5), "{health:?}");
    store.counter("new_total").unwrap();
    wait_until("metrics.json shows the new series", || {
        published(folder.path()).is_some_and(|d| d.series.len() == 1)
    });
}

#[test]
fn what_another_process_counted_is_published_too() {
    let folder = folder();
    let _watcher = often().open(folder.path()).unwrap();
    let other = quiet().open(folder.path()).unwrap();
    other.counter("work_total").unwrap().add(42);
    wait_until("metrics.json shows the other's work", || {
        published(folder.path()).is_some_and(|d| {
            d.series
                .first()
                .is_some_and(|s| s.value.counter() == Some(42))
        })
    });
}

#[test]
fn the_last_increments_are_published_when_the_store_is_dropped() {
    let folder = folder();
    let store = quiet().background_sync(Some(Duration::from_secs(3600)));
    let store = store.open(folder.path()).unwrap();
    let counter = store.counter("work_total").unwrap();
    drop(store);
    assert!(published(folder.path()).is_none(), "a handle is still open");
    counter.add(9);
    drop(counter);
    assert_eq!(
        published(folder.path()).unwrap().series[0].value.counter(),
        Some(9)
    );
}

#[test]
fn nothing_is_published_when_nothing_changed() {
    let folder = folder();
    let store = often().open(folder.path()).unwrap();
    store.transactions().success.inc();
    wait_until("metrics.json shows the increment", || {
        published(folder.path()).is_some_and(|d| d.transactions.success == 1)
    });
    let before = file(folder.path());
    // Ten intervals in which it could go wrong; a slow machine only makes the test weaker.
    std::thread::sleep(Duration::from_millis(200));
    drop(store);
    drop(often().open(folder.path()).unwrap());
    assert_eq!(file(folder.path()), before);
}

#[test]
fn who_flushes_all_the_time_does_not_keep_others_from_publishing() {
    let folder = folder();
    // Long against a flush, so that there is always one which is younger.
    let every = quiet().background_sync(Some(Duration::from_millis(500)));
    let store = every.open(folder.path()).unwrap();
    // As a server does whose clients follow changes.
    let other = quiet().open(folder.path()).unwrap();
    wait_until("metrics.json shows an increment", || {
        store.transactions().success.inc();
        other.flush().unwrap();
        published(folder.path()).is_some_and(|d| d.transactions.success > 0)
    });
}

#[test]
fn a_foreign_document_is_left_alone_and_the_counts_become_durable_all_the_same() {
    let folder = folder();
    let path = folder.path().join("metrics.json");
    let store = often().open(folder.path()).unwrap();
    store.sync().unwrap();
    fs::write(&path, "foreign").unwrap();
    store.transactions().success.inc();
    let tail = || crate::image::Image::read(folder.path(), 0).word(crate::image::FLUSHED_AT);
    let before = tail();
    wait_until("a flush", || tail() > before);
    assert_eq!(store.health().unwrap().published, Published::Foreign);
    drop(store);
    assert_eq!(fs::read_to_string(&path).unwrap(), "foreign");
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_it() {
    let folder = folder();
    let store = often().open(folder.path()).unwrap();
    // The last publication, as a clock that went a century too fast would have noted it.
    let segment = fs::File::options()
        .write(true)
        .open(folder.path().join("live/segment-0000"))
        .unwrap();
    let late = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64
        + 3_000_000_000_000_000_000;
    segment
        .write_all_at(&late.to_le_bytes(), (PUBLISHED_AT * 8) as u64)
        .unwrap();
    store.transactions().success.inc();
    wait_until("metrics.json shows the increment", || {
        published(folder.path()).is_some_and(|d| d.transactions.success == 1)
    });
}

#[test]
fn a_store_without_the_thread_publishes_only_on_demand() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.transactions().success.inc();
    drop(store);
    assert!(published(folder.path()).is_none());
}

#[test]
fn a_document_that_was_opened_to_others_stays_open_to_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.sync().unwrap();
    let path = folder.path().join("metrics.json");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    store.sync().unwrap();
    assert_eq!(mode(), 0o644);
}

#[test]
fn gauges_that_change_places_and_an_observation_of_minus_one_are_changes() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let buckets = deespec::Buckets::classic([1.0]).unwrap();
    let family = deespec::Family::histogram("change", buckets);
    store.declare(&family).unwrap();
    let gauges = ["a", "b"].map(|name| store.gauge(name).unwrap());
    let change = store.histogram("change").unwrap();
    let every = Some(std::time::Duration::from_millis(10));
    let published = || {
        let document = deespec::Document::read(&folder.path().join("metrics.json")).unwrap();
        let value = |name: &str| {
            let found = document.series.iter().find(|series| series.name == name);
            let value = &found.unwrap().value;
            let count = value.histogram().map(|found| found.count() as f64);
            value.gauge().or(count).unwrap()
        };
        [value("a"), value("b"), value("change")]
    };
    for [a, b] in [[1.0, 2.0], [0.0, 2.0], [7.25, -1e9]] {
        gauges[0].set(a);
        gauges[1].set(b);
        store.sync().unwrap();
        gauges[0].set(b);
        gauges[1].set(a);
        let before = published()[2];
        let background = quiet().background_sync(every).open(folder.path()).unwrap();
        wait_until("the exchange is published", || {
            published() == [b, a, before]
        });
        drop(background);
        change.observe(-1.0);
        let background = quiet().background_sync(every).open(folder.path()).unwrap();
        wait_until("the observation is published", || {
            published()[2] == before + 1.0
        });
        drop(background);
    }
}
