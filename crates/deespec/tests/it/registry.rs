//! Many series: growth over segments, lookup, and processes that add series at the same time.

use std::collections::BTreeSet;

use deespec::{Rotate, Store};

use crate::roles;
use crate::support::{folder, quiet, store_values};

/// A family has at most 2,000 label sets.
fn family(number: u64) -> String {
    format!("many_{}_total", number / 2000)
}

fn key(number: u64) -> String {
    format!("{},number={number}", family(number))
}

fn add(store: &Store, from: u64, to: u64) {
    for number in from..to {
        let text = number.to_string();
        let counter = store.counter_with(&family(number), &[("number", &text)]);
        counter.unwrap().add(number);
    }
}

#[test]
fn ten_thousand_series_fill_three_segments_and_all_are_found() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let early = quiet().open(folder.path()).unwrap();
    add(&store, 0, 10_500);
    let health = store.health().unwrap();
    assert_eq!((health.series, health.segments), (10_504, 3));
    let seen = early.health().unwrap();
    assert_eq!((seen.series, seen.segments), (10_504, 3));
    drop(store);

    let store = quiet().open(folder.path()).unwrap();
    add(&store, 0, 10_500);
    assert_eq!(store.health().unwrap().series, 10_504);
    for seen_by in [&store, &early] {
        let values = store_values(seen_by);
        for number in 0..10_500 {
            assert_eq!(values[&key(number)], 2 * number);
        }
    }
    let rotation = store.rotate(Rotate::Reset).unwrap();
    assert_eq!(rotation.closing.series.len(), 10_500);
    assert!(
        rotation
            .closing
            .series
            .iter()
            .all(|s| s.labels["number"].parse::<u64>().unwrap() * 2 == s.value.counter().unwrap())
    );
    assert!(store_values(&early).values().all(|value| *value == 0));
    store.restore(&rotation.path, "", false).unwrap();
    let values = store_values(&early);
    assert_eq!(values[&key(10_499)], 20_998);
}

#[test]
fn two_processes_and_this_one_add_series_at_the_same_time() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let sibling = quiet().open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| add(&sibling, 0, 1500));
        roles::race(&["register one", "register two"], folder.path());
    });
    let values = store_values(&store);
    assert_eq!(values.len(), 4504);
    for number in 0..1500 {
        for by in ["one", "two"] {
            assert_eq!(
                values[&format!("made_{by}_total,by={by},number={number}")],
                1
            );
        }
        assert_eq!(values[&key(number)], number);
    }
    assert_eq!(store_values(&sibling), values);
    assert!(store.health().unwrap().segments >= 3);
}

#[test]
fn two_processes_that_add_the_same_series_share_them() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    roles::race(&["register us", "register us"], folder.path());
    let values = store_values(&store);
    assert_eq!(values.len(), 1504);
    assert!(
        values
            .iter()
            .filter(|(name, _)| name.starts_with("made"))
            .all(|(_, v)| *v == 2)
    );
}

#[test]
fn the_order_of_labels_does_not_matter_and_their_borders_do() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let orders: [[(&str, &str); 3]; 4] = [
        [("a", "1"), ("b", "2"), ("c", "3")],
        [("c", "3"), ("b", "2"), ("a", "1")],
        [("b", "2"), ("c", "3"), ("a", "1")],
        [("b", "2"), ("a", "1"), ("c", "3")],
    ];
    for labels in &orders {
        store.counter_with("a", labels).unwrap().inc();
    }
    assert_eq!(store.view().unwrap().value("a", &orders[2]), Some(4));
    let apart: [(&str, &[(&str, &str)]); 6] = [
        ("a", &[]),
        ("a", &[("a", "")]),
        ("a", &[("a", "b")]),
        ("a", &[("ab", "")]),
        ("aa", &[("b", "")]),
        ("a", &[("a", "1"), ("b", "2")]),
    ];
    for (name, labels) in apart {
        store.counter_with(name, labels).unwrap().inc();
    }
    assert_eq!(store.health().unwrap().series, 4 + 1 + apart.len());
    let view = store.view().unwrap();
    assert!(
        apart
            .iter()
            .all(|(name, labels)| view.value(name, labels) == Some(1))
    );
}

#[test]
fn the_largest_lawful_series_are_stored_and_read_back() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let label = |i: usize| (format!("{}{i:02}", "l".repeat(253)), "ä".repeat(512));
    let labels: Vec<(String, String)> = (0..32).map(label).collect();
    let labels: Vec<(&str, &str)> = labels
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let mut names = BTreeSet::new();
    for i in 0..9 {
        let name = format!("{}{i}", "n".repeat(254));
        store.counter_with(&name, &labels).unwrap().add(i);
        names.insert(name);
    }
    assert!(store.health().unwrap().segments > 1);
    let again = quiet().open(folder.path()).unwrap();
    for (name, value) in names.iter().zip(0..) {
        again.counter_with(name, &labels).unwrap().inc();
        assert_eq!(store.view().unwrap().value(name, &labels), Some(value + 1));
    }
    assert_eq!(again.health().unwrap().series, 13);
    assert_eq!(again.sync().unwrap().series.len(), 9);
}
