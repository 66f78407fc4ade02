//! The limit of a family's label sets: what is beyond it is counted together, and nothing is lost.

use std::fs;
use std::time::Duration;

use deespec::{Aggregation, Buckets, Family, Rotate, Store};

use crate::puppet::shares;
use crate::roles;
use crate::support::{Values, folder, quiet, store_values};

const OVERFLOW: [(&str, &str); 1] = [("deespec_overflow", "true")];

/// Counts one in the label set with this number.
pub(crate) fn add(store: &Store, name: &str, number: u64) {
    let number = number.to_string();
    let counter = store.counter_with(name, &[("number", &number)]);
    counter.unwrap().inc();
}

fn of<'a>(values: &'a Values, name: &str) -> Vec<(&'a str, u64)> {
    let prefix = format!("{name},");
    let series = values.iter().filter(|(key, _)| key.starts_with(&prefix));
    series
        .map(|(key, value)| (&key[prefix.len()..], *value))
        .collect()
}

#[test]
fn label_sets_beyond_the_limit_are_counted_together_and_their_lookups_too() {
    let folder = folder();
    let store = quiet().lock_deadline(Duration::from_millis(20));
    let store = store.open(folder.path()).unwrap();
    let family = Family::counter("a_total")
        .with_labels(["number"])
        .with_limit(3);
    store.declare(&family).unwrap();
    for round in 1..=3 {
        for number in 0..10 {
            add(&store, "a_total", number);
        }
        let values = store_values(&store);
        let found = of(&values, "a_total");
        let known = ["number=0", "number=1", "number=2"].map(|key| (key, round));
        assert_eq!(found[0], ("deespec_overflow=true", 7 * round));
        assert_eq!(found[1..], known);
        let overflow = of(&values, "deespec_overflow_total");
        assert_eq!(overflow, [("family=a_total", 7 * round)]);
    }
    // Neither a known series nor one beyond the limit needs the lock any more.
    let lock = fs::File::open(folder.path().join("live/lock")).unwrap();
    lock.lock().unwrap();
    for number in [0, 2, 99, 100] {
        add(&store, "a_total", number);
    }
    // Nor is anything that is not lawful let in.
    assert!(store.counter_with("a_total", &[("other", "1")]).is_err());
    assert!(store.gauge_with("a_total", &[("number", "11")]).is_err());
    lock.unlock().unwrap();
    let values = store_values(&store);
    assert_eq!(
        of(&values, "a_total").iter().map(|(_, v)| v).sum::<u64>(),
        34
    );
    assert_eq!(
        of(&values, "deespec_overflow_total"),
        [("family=a_total", 23)]
    );
    drop(store);
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(store_values(&store), values);
    add(&store, "a_total", 50);
    assert_eq!(of(&store_values(&store), "a_total")[0].1, 24);
}

#[test]
fn a_family_that_nobody_declared_has_two_thousand_label_sets() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for number in 0..2003 {
        add(&store, "a_total", number);
    }
    let values = store_values(&store);
    let found = of(&values, "a_total");
    assert_eq!(found.len(), 2001);
    assert_eq!(found[0], ("deespec_overflow=true", 3));
    // The limit is the family's and not the store's.
    add(&store, "b_total", 1);
    assert_eq!(of(&store_values(&store), "b_total"), [("number=1", 1)]);
    let rotation = store.rotate(Rotate::Reset).unwrap();
    store.restore(&rotation.path, "", false).unwrap();
    assert_eq!(store_values(&store)["a_total,deespec_overflow=true"], 3);
}

#[test]
fn processes_that_race_at_the_limit_lose_nothing() {
    for (roles, label_sets) in [
        (["crowd a", "crowd b", "crowd c"], 1500),
        (["crowd a", "crowd a", "crowd a"], 500),
    ] {
        let folder = folder();
        let store = quiet().open(folder.path()).unwrap();
        let family = Family::counter("crowd_total").with_limit(100);
        store.declare(&family).unwrap();
        roles::race(&roles, folder.path());
        let values = store_values(&store);
        let found = of(&values, "crowd_total");
        assert_eq!(found.len(), 101, "of {label_sets}");
        assert_eq!(found.iter().map(|(_, value)| value).sum::<u64>(), 1500);
        let overflow = of(&values, "deespec_overflow_total");
        assert_eq!(overflow, [("family=crowd_total", found[0].1)]);
    }
}

#[test]
fn every_kind_has_an_overflow_series_of_its_kind() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let buckets = Buckets::classic([1.0]).unwrap();
    for family in [
        Family::gauge("g").with_limit(0),
        Family::process_gauge("p", Aggregation::Max).with_limit(1),
        Family::histogram("h", buckets).with_limit(1),
        Family::info("i").with_limit(1),
    ] {
        store.declare(&family).unwrap();
    }
    let mut own = Vec::new();
    for (label, value) in [("a", 1.0), ("b", 2.0), ("c", 3.0)] {
        let labels = [("l", label)];
        store.gauge_with("g", &labels).unwrap().set(value);
        store.histogram_with("h", &labels).unwrap().observe(value);
        store.info("i", &labels).unwrap();
        let share = store.process_gauge_with("p", &labels).unwrap();
        share.set(value).unwrap();
        own.push(share);
    }
    let view = store.view().unwrap();
    let overflow = |name: &str| view.sample(name, &OVERFLOW).unwrap().value.clone();
    assert_eq!(overflow("g").gauge(), Some(3.0));
    assert_eq!(overflow("h").histogram().unwrap().counts(), [0, 2]);
    assert_eq!(overflow("p").gauge(), Some(3.0));
    assert_eq!(overflow("i").kind(), deespec::Kind::Info);
    assert_eq!(view.series.len(), 1 + 2 + 2 + 2 + 4);
    let all = view
        .samples()
        .filter(|sample| sample.name == "deespec_overflow_total");
    assert_eq!(
        all.map(|s| s.value.counter().unwrap()).sum::<u64>(),
        3 + 2 + 2 + 2
    );
    store.process_gauge("q").unwrap().set(1.0).unwrap();
    assert_eq!(shares(&store.view().unwrap(), "q").count, 1);
}

#[test]
fn a_document_with_an_overflow_series_is_taken_by_a_store_with_the_same_declarations() {
    let family = Family::counter("a_total")
        .with_labels(["number"])
        .with_limit(2);
    let (one, two) = (folder(), folder());
    let [first, second] = [&one, &two].map(|folder| quiet().open(folder.path()).unwrap());
    for store in [&first, &second] {
        store.declare(&family).unwrap();
    }
    for number in 0..5 {
        add(&first, "a_total", number);
    }
    let snapshot = first.snapshot().unwrap().path;
    second.import(&snapshot, false).unwrap();
    assert_eq!(store_values(&second), store_values(&first));
    second.restore(&snapshot, "", true).unwrap();
    assert_eq!(store_values(&second), store_values(&first));
    // It does not count towards the limit: both label sets were taken, and no third one is.
    add(&second, "a_total", 0);
    add(&second, "a_total", 7);
    let values = store_values(&second);
    assert_eq!(of(&values, "a_total").len(), 3);
    assert_eq!(values["a_total,deespec_overflow=true"], 4);
}
