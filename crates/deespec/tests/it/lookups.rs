//! Looking a series up again: the same cells as the first time, whatever happened in between.

use std::thread;

use deespec::{Buckets, Error, Family, MetricError, Rotate, Store};

use crate::puppet::Puppet;
use crate::support::{folder, quiet, store_values};

/// Often enough that what was looked up is remembered.
const OFTEN: u64 = 12;

fn metric_error(error: Error) -> MetricError {
    match error {
        Error::Store(deespec::StoreError::Metric(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn count(store: &Store, labels: &[(&str, &str)]) {
    store.counter_with("jobs_total", labels).unwrap().inc();
}

fn counted(store: &Store, labels: &[(&str, &str)]) -> Option<u64> {
    store.view().unwrap().value("jobs_total", labels)
}

#[test]
fn every_order_of_the_labels_is_the_same_series_and_a_label_given_twice_is_refused_each_time() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let [a, b, c] = [("a", "1"), ("b", "2"), ("c", "3")];
    let orders = [
        [a, b, c],
        [a, c, b],
        [b, a, c],
        [b, c, a],
        [c, a, b],
        [c, b, a],
    ];
    for _ in 0..OFTEN {
        orders.iter().for_each(|labels| count(&store, labels));
        for wrong in [&[a, a][..], &[a, b, a], &[a, ("a", "2")]] {
            let error = store.counter_with("jobs_total", wrong).unwrap_err();
            let error = metric_error(error);
            assert!(
                matches!(error, MetricError::DuplicateLabel { .. }),
                "{error}"
            );
        }
    }
    assert_eq!(counted(&store, &[a, b, c]), Some(6 * OFTEN));
    // What stands next to each other is not the same as what stands together.
    for _ in 0..OFTEN {
        count(&store, &[("a", "1b"), ("b", "2"), ("c", "3")]);
        count(&store, &[("a", "1"), ("b", "2"), ("c", "")]);
    }
    assert_eq!(counted(&store, &[a, b, c]), Some(6 * OFTEN));
}

#[test]
fn a_removed_series_comes_back_when_it_is_looked_up_and_counted() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let labels = &[("queue", "mail")];
    let set = |value| store.gauge_with("depth", labels).unwrap().set(value);
    for _ in 0..OFTEN {
        count(&store, labels);
        set(3.0);
    }
    assert!(store.remove("jobs_total", labels).unwrap());
    assert!(store.remove("depth", labels).unwrap());
    store.counter_with("jobs_total", labels).unwrap();
    assert_eq!(counted(&store, labels), None, "it was not counted yet");
    count(&store, labels);
    set(4.0);
    assert_eq!(counted(&store, labels), Some(OFTEN + 1));
    let view = store.view().unwrap();
    let depth = view.sample("depth", labels).unwrap();
    assert_eq!(depth.value.gauge(), Some(4.0));
}

#[test]
fn another_kind_is_refused_however_often_the_series_was_looked_up() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let labels = &[("queue", "mail")];
    for _ in 0..OFTEN {
        count(&store, labels);
        for error in [
            store.gauge_with("jobs_total", labels).unwrap_err(),
            store.process_gauge_with("jobs_total", labels).unwrap_err(),
            store.histogram_with("jobs_total", labels).unwrap_err(),
            store.info("jobs_total", labels).unwrap_err(),
        ] {
            let error = metric_error(error);
            assert!(matches!(error, MetricError::Kind { .. }), "{error}");
        }
    }
    assert_eq!(counted(&store, labels), Some(OFTEN));
}

#[test]
fn a_histogram_sorts_as_it_was_declared_whatever_a_later_lookup_says() {
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let buckets = Buckets::classic([1.0, 2.5]).unwrap();
    let declared = Family::histogram("wait_seconds", buckets.clone());
    store.declare(&declared).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..OFTEN {
                    let waits = store
                        .histogram_with("wait_seconds", &[("queue", "mail")])
                        .unwrap();
                    assert_eq!(waits.buckets(), &buckets);
                    waits.observe(2.0);
                }
            });
        }
    });
    let view = store.view().unwrap();
    let sample = view.sample("wait_seconds", &[("queue", "mail")]).unwrap();
    let waits = sample.value.histogram().unwrap();
    assert_eq!(
        (waits.count(), waits.sum()),
        (3 * OFTEN, 6.0 * OFTEN as f64)
    );
}

#[test]
fn what_is_beyond_a_limit_is_counted_each_time_and_has_a_series_of_its_own_once_the_limit_is_raised()
 {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|queue| [("queue", queue)]);
    // Declared when it has been in use already.
    (0..OFTEN).for_each(|_| count(&store, &a));
    let family = || Family::counter("jobs_total").with_labels(["queue"]);
    store.declare(&family().with_limit(2)).unwrap();
    for _ in 0..OFTEN {
        [a, b, c].iter().for_each(|labels| count(&store, labels));
        let error = store
            .counter_with("jobs_total", &[("to", "a")])
            .unwrap_err();
        assert!(matches!(metric_error(error), MetricError::Labels { .. }));
    }
    let values = store_values(&store);
    assert_eq!(values["jobs_total,queue=a"], 2 * OFTEN);
    assert_eq!(values["jobs_total,queue=b"], OFTEN);
    assert_eq!(values["jobs_total,deespec_overflow=true"], OFTEN);
    assert_eq!(values["deespec_overflow_total,family=jobs_total"], OFTEN);
    store.redeclare(&family().with_limit(3)).unwrap();
    for _ in 0..OFTEN {
        [a, b, c].iter().for_each(|labels| count(&store, labels));
    }
    let values = store_values(&store);
    assert_eq!(values["jobs_total,queue=a"], 3 * OFTEN);
    assert_eq!(values["jobs_total,queue=c"], OFTEN);
    assert_eq!(values["jobs_total,deespec_overflow=true"], OFTEN);
}

#[test]
fn lookups_go_on_over_rotations_and_begin_again_after_a_compaction() {
    let folder = folder();
    let labels = &[("queue", "mail")];
    let store = quiet().open(folder.path()).unwrap();
    (0..OFTEN).for_each(|_| count(&store, &[("queue", "gone")]));
    (0..OFTEN).for_each(|_| count(&store, labels));
    store.gauge_with("depth", labels).unwrap().set(1.0);
    store
        .histogram_with("wait_seconds", labels)
        .unwrap()
        .observe(1.0);
    store.rotate(Rotate::Reset).unwrap();
    (0..3).for_each(|_| count(&store, labels));
    assert_eq!(counted(&store, labels), Some(3));
    store.remove("jobs_total", &[("queue", "gone")]).unwrap();
    // No handle that was looked up keeps the store open.
    drop(store);
    quiet().compact(folder.path()).unwrap();
    let store = quiet().open(folder.path()).unwrap();
    (0..OFTEN).for_each(|_| count(&store, labels));
    assert_eq!(counted(&store, labels), Some(3 + OFTEN));
}

#[test]
fn a_forked_child_looks_up_what_its_parent_did_and_what_is_new() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let mut parent = Puppet::of(folder.path());
    parent.tell("look-up jobs_total mail 20");
    parent.fork("fork-look-up jobs_total mail 20");
    parent.fork("fork-look-up jobs_total new 20");
    parent.tell("look-up jobs_total mail 20");
    parent.tell("look-up jobs_total new 20");
    for (queue, count) in [("mail", 60), ("new", 40)] {
        assert_eq!(counted(&store, &[("k", queue)]), Some(count), "{queue}");
    }
}

#[test]
fn more_label_sets_than_are_remembered_are_all_found_by_all_threads() {
    let sets = if crate::support::is_deep() {
        40_000
    } else {
        9_000
    };
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    store
        .declare(&Family::counter("jobs_total").with_limit(100_000))
        .unwrap();
    // Of those that are longer none is remembered.
    let values: Vec<String> = (0..sets)
        .map(|set| format!("{set}{}", "x".repeat(if set % 50 == 0 { 300 } else { 0 })))
        .collect();
    for value in &values {
        count(&store, &[("set", value), ("kind", "a")]);
    }
    thread::scope(|scope| {
        for thread in 0..3 {
            let (store, values) = (&store, &values);
            scope.spawn(move || {
                for (at, value) in values.iter().enumerate() {
                    if (at + thread) % 2 == 0 {
                        count(store, &[("set", value), ("kind", "a")]);
                    } else {
                        count(store, &[("kind", "a"), ("set", value)]);
                    }
                    count(store, &[("set", &values[at % 7]), ("kind", "a")]);
                }
            });
        }
    });
    let counted = store_values(&store);
    for (at, value) in values.iter().enumerate() {
        let often = if at < 7 { (sets - at).div_ceil(7) } else { 0 };
        let key = format!("jobs_total,kind=a,set={value}");
        assert_eq!(counted[&key], 4 + 3 * often as u64, "{at}");
    }
}

#[test]
fn what_was_looked_up_in_a_store_is_nothing_to_another_one_that_takes_its_path() {
    let folder = folder();
    let (root, moved) = (folder.path().join("var"), folder.path().join("moved"));
    let [mail, news] = ["mail", "news"].map(|queue| [("queue", queue)]);
    let old = quiet().open(&root).unwrap();
    for labels in [&mail, &news, &mail, &news] {
        (0..OFTEN).for_each(|_| count(&old, labels));
    }
    std::fs::rename(&root, &moved).unwrap();
    let new = quiet().open(&root).unwrap();
    // The places of the two have changed.
    for labels in [&news, &mail] {
        (0..OFTEN).for_each(|_| count(&new, labels));
    }
    (0..OFTEN).for_each(|_| count(&old, &mail));
    let new = [counted(&new, &mail), counted(&new, &news)];
    assert_eq!(new, [Some(OFTEN), Some(OFTEN)]);
    drop(old);
    let old = quiet().open(&moved).unwrap();
    let old = [counted(&old, &mail), counted(&old, &news)];
    assert_eq!(old, [Some(3 * OFTEN), Some(2 * OFTEN)]);
}

#[test]
fn more_labels_than_a_series_may_have_are_refused_each_time() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let names: Vec<String> = (0..10_000).map(|label| format!("l{label}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    for _ in 0..OFTEN {
        for labels in [&many[..], &many[..33]] {
            let error = store.counter_with("jobs_total", labels).unwrap_err();
            let error = metric_error(error);
            assert!(
                matches!(error, MetricError::TooManyLabels { .. }),
                "{error}"
            );
        }
    }
    assert!(store.view().unwrap().series.is_empty());
}

#[test]
fn histograms_that_sort_in_more_ways_than_are_remembered_all_keep_their_own() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let ways = 60;
    let name = |way: u32| format!("wait{way}_seconds");
    let buckets = |way: u32| Buckets::classic([f64::from(way) + 1.0, 1000.0]).unwrap();
    for way in 0..ways {
        let family = Family::histogram(name(way), buckets(way));
        store.declare(&family).unwrap();
    }
    let labels = &[("queue", "mail")];
    for _ in 0..OFTEN {
        for way in 0..ways {
            let waits = store.histogram_with(&name(way), labels).unwrap();
            assert_eq!(waits.buckets(), &buckets(way));
            waits.observe(f64::from(way) + 0.5);
            waits.observe(500.0);
        }
    }
    let view = store.view().unwrap();
    for way in 0..ways {
        let name = name(way);
        let sample = view.sample(&name, labels).unwrap();
        let waits = sample.value.histogram().unwrap();
        assert_eq!(waits.counts(), [OFTEN, OFTEN, 0], "{way}");
    }
}

#[test]
fn a_buffer_that_is_used_again_names_what_it_says_now() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let queues = [
        "news",
        "mail",
        "mall",
        "a queue with a long name 1",
        "a queue with a long name 2",
    ];
    let (mut name, mut queue) = (String::new(), String::new());
    let write = |buffer: &mut String, text: &str| {
        buffer.clear();
        buffer.push_str(text);
    };
    for _ in 0..OFTEN {
        for jobs in ["jobs_total", "runs_total"] {
            for text in queues {
                write(&mut name, jobs);
                write(&mut queue, text);
                store
                    .counter_with(&name, &[("queue", &queue)])
                    .unwrap()
                    .inc();
            }
        }
    }
    let view = store.view().unwrap();
    for jobs in ["jobs_total", "runs_total"] {
        for text in queues {
            let value = view.value(jobs, &[("queue", text)]);
            assert_eq!(value, Some(OFTEN), "{jobs} {text}");
        }
    }
}

#[test]
fn threads_that_look_the_same_new_series_up_at_once_count_in_one() {
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let (threads, sets) = (4, 60);
    let begin = std::sync::Barrier::new(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (store, begin) = (&store, &begin);
            scope.spawn(move || {
                for set in 0..sets {
                    let set = format!("{set}");
                    begin.wait();
                    for _ in 0..OFTEN {
                        count(store, &[("set", &set)]);
                        let waits = store.histogram_with("wait_seconds", &[("set", &set)]);
                        waits.unwrap().observe(1.0);
                    }
                }
            });
        }
    });
    let view = store.view().unwrap();
    for set in 0..sets {
        let set = format!("{set}");
        let labels = &[("set", set.as_str())];
        let often = threads as u64 * OFTEN;
        assert_eq!(view.value("jobs_total", labels), Some(often));
        let waits = view
            .sample("wait_seconds", labels)
            .unwrap()
            .value
            .histogram();
        assert_eq!(waits.map(deespec::Distribution::count), Some(often));
    }
}
