//! Removed series: hidden everywhere until they are counted again, and then back with everything.

use std::fs;
use std::path::Path;

use deespec::{Buckets, Document, Error, Family, MetricError, Rotate, Store, StoreError};

use crate::image::Image;
use crate::puppet::{Puppet, count_and_sum};
use crate::support::{folder, quiet, store_values};

fn is_there(store: &Store, name: &str) -> bool {
    store.view().unwrap().sample(name, &[]).is_some()
}

fn stands_in(path: &Path, name: &str) -> bool {
    let document = Document::read(path).unwrap();
    document.series.iter().any(|series| series.name == name)
}

#[test]
fn a_removed_series_is_in_no_view_and_in_no_closing_but_that_of_the_epoch_that_counted_it() {
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    let other = quiet().open(folder.path()).unwrap();
    store.counter("gone_total").unwrap().add(5);
    store.counter("kept_total").unwrap().add(6);
    store.gauge("gone").unwrap().set(1.5);
    store.histogram("gone_seconds").unwrap().observe(1.0);
    store.info("gone_info", &[("version", "1")]).unwrap();
    store.sync().unwrap();
    for name in ["gone_total", "gone", "gone_seconds"] {
        assert!(store.remove(name, &[]).unwrap());
    }
    assert!(store.remove("gone_info", &[("version", "1")]).unwrap());
    assert!(!store.remove("gone_info", &[("version", "2")]).unwrap());
    assert!(!store.remove("never_total", &[]).unwrap());
    for store in [&store, &other, &quiet().open(folder.path()).unwrap()] {
        let view = store.view().unwrap();
        let names: Vec<_> = view
            .series
            .iter()
            .map(|sample| sample.name.as_str())
            .collect();
        assert_eq!(names, ["kept_total"]);
    }
    store.sync().unwrap();
    let published = fs::read_to_string(folder.path().join("metrics.json")).unwrap();
    assert!(!published.contains("gone"), "{published}");
    let snapshot = store.snapshot().unwrap();
    assert!(!stands_in(&snapshot.path, "gone_total"));
    let rotation = store.rotate(Rotate::Reset).unwrap();
    // The epoch counted it: every count falls into one epoch.
    assert!(stands_in(&rotation.path, "gone_total"));
    assert!(stands_in(&rotation.path, "gone_seconds"));
    let next = store.rotate(Rotate::Reset).unwrap();
    assert!(!stands_in(&next.path, "gone_total"));
    assert!(!is_there(&store, "gone_total"), "a rotation is no counting");
    assert!(stands_in(&rotation.path, "kept_total"));
}

#[test]
fn a_removed_series_comes_back_with_all_that_it_counted() {
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    let counter = store.counter("a_total").unwrap();
    counter.add(5);
    for round in 0..4 {
        store.remove("a_total", &[]).unwrap();
        // Looking it up is no counting.
        let again = store.counter("a_total").unwrap();
        assert!(!is_there(&store, "a_total"));
        match round % 2 {
            0 => counter.inc(),
            _ => again.inc(),
        }
        assert_eq!(store_values(&store)["a_total"], 6 + round);
    }
    // Removed twice, and counted by another process.
    store.remove("a_total", &[]).unwrap();
    store.remove("a_total", &[]).unwrap();
    Puppet::of(folder.path()).tell("count a_total 1");
    assert_eq!(store_values(&store)["a_total"], 10);
    store.remove("a_total", &[]).unwrap();
    store.rotate(Rotate::Reset).unwrap();
    counter.inc();
    let view = store.view().unwrap();
    let sample = view.sample("a_total", &[]).unwrap();
    assert_eq!(
        (sample.value.counter(), sample.total.counter()),
        (Some(1), Some(11))
    );
}

#[test]
fn a_gauge_comes_back_also_when_it_is_set_to_what_it_was() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let gauge = store.gauge("depth").unwrap();
    let share = store.process_gauge("load").unwrap();
    for value in [0.0, 1.5, -2.0] {
        gauge.set(value);
        share.set(value).unwrap();
        store.remove("depth", &[]).unwrap();
        store.remove("load", &[]).unwrap();
        assert!(!is_there(&store, "depth") && !is_there(&store, "load"));
        gauge.set(value);
        assert_eq!(
            store
                .view()
                .unwrap()
                .sample("depth", &[])
                .unwrap()
                .value
                .gauge(),
            Some(value)
        );
        share.set(value).unwrap();
        assert_eq!(count_and_sum(&store, "load"), (1, value));
        store.remove("depth", &[]).unwrap();
        gauge.add(0.0);
        assert!(is_there(&store, "depth"));
    }
    store.info("build_info", &[]).unwrap();
    store.remove("build_info", &[]).unwrap();
    store.info("build_info", &[]).unwrap();
    assert!(is_there(&store, "build_info"));
}

#[test]
fn a_histogram_comes_back_whatever_is_observed() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let buckets = Buckets::classic([-5.0, 5.0]).unwrap();
    let buckets = buckets.with_resolution(1.0).unwrap();
    store
        .declare(&Family::histogram("change", buckets))
        .unwrap();
    let histogram = store.histogram("change").unwrap();
    // Minus one takes from the sum what it adds to its bucket.
    for (value, count) in [1.0, 0.0, -1.0, -6.0, f64::INFINITY].into_iter().zip(1..) {
        store.remove("change", &[]).unwrap();
        assert!(!is_there(&store, "change"));
        histogram.observe(value);
        let view = store.view().unwrap();
        let sample = view.sample("change", &[]);
        let found = sample.unwrap_or_else(|| panic!("{value} did not bring it back"));
        assert_eq!(found.value.histogram().unwrap().count(), count);
    }
}

#[test]
fn a_restored_or_imported_series_is_back() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.counter("a_total").unwrap().add(5);
    store.counter("b_total").unwrap();
    let snapshot = store.snapshot().unwrap().path;
    store.remove("a_total", &[]).unwrap();
    store.remove("b_total", &[]).unwrap();
    store.restore(&snapshot, "", false).unwrap();
    let values = store_values(&store);
    assert_eq!(
        (values.get("a_total"), values.get("b_total")),
        (Some(&5), Some(&0))
    );
    store.remove("a_total", &[]).unwrap();
    store.import(&snapshot, true).unwrap();
    assert_eq!(store_values(&store)["a_total"], 10);
}

#[test]
fn built_in_counters_cannot_be_removed() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for name in deespec::TRANSACTIONS {
        let error = store.remove(name, &[]).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        let Error::Store(StoreError::Metric(MetricError::BuiltIn { .. })) = error else {
            panic!("{error}");
        };
        store.counter_with(name, &[("by", "x")]).unwrap().inc();
        assert!(store.remove(name, &[("by", "x")]).unwrap());
    }
    assert_eq!(store_values(&store).len(), 4);
    assert_eq!(store.view().unwrap().samples().count(), 4);
}

#[test]
fn a_removal_is_durable_and_each_flipped_bit_of_it_brings_the_series_back_whole() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.counter("a_total").unwrap().add(5);
    store.remove("a_total", &[]).unwrap();
    store.sync().unwrap();
    drop(store);
    let mut whole = Image::read(folder.path(), 0);
    let entry = whole.entry_of("a_total");
    assert!(whole.is_removed(&entry));
    assert_eq!(entry.state, 1 << 63 | (5 ^ crate::image::EVEN_BITS));
    whole.reboot();
    whole.write();
    let store = quiet().open(folder.path()).unwrap();
    assert!(!is_there(&store, "a_total"));
    drop(store);
    let whole = Image::read(folder.path(), 0);
    for bit in 0..64 {
        let mut image = whole.clone();
        image.flip((image.block_at(entry.block) + 5) * 64 + bit);
        image.write();
        let store = quiet().open(folder.path()).unwrap();
        assert_eq!(store_values(&store)["a_total"], 5, "bit {bit}");
    }
}
