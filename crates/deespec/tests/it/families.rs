//! Declarations of families: who agrees, who does not, and what two who declare at once get.

use std::fs;
use std::time::Duration;

use deespec::{Aggregation, Buckets, Error, Family, MetricError, Store, StoreError};

use crate::image::Image;
use crate::support::{folder, quiet, store_values, tree};

mod at_once;

fn metric_error(error: Error) -> (MetricError, String) {
    let text = error.to_string();
    match error {
        Error::Store(StoreError::Metric(error)) => (error, text),
        other => panic!("{other}"),
    }
}

fn sent() -> Family {
    Family::counter("sent_bytes_total")
}

/// Pairs of declarations that disagree, and what each says in the error.
fn disagreeing() -> Vec<(Family, Family, &'static str, [String; 2])> {
    let texts = |one: &str, other: &str| [one.to_owned(), other.to_owned()];
    let seconds = Buckets::seconds();
    let classic = Buckets::classic([0.1, 1.0]).unwrap();
    let coarse = classic.clone().with_resolution(0.5).unwrap();
    let gauge = |aggregation| Family::process_gauge("in_flight", aggregation);
    let histogram = |buckets: &Buckets| Family::histogram("work", buckets.clone());
    vec![
        (
            sent().with_unit("bytes"),
            sent(),
            "unit",
            texts("\"bytes\"", "\"\""),
        ),
        (
            sent().with_help("One."),
            sent().with_help("Two."),
            "help",
            texts("\"One.\"", "\"Two.\""),
        ),
        (
            sent().with_labels(["a", "b"]),
            sent().with_labels(["a"]),
            "labels",
            texts("[a, b]", "[a]"),
        ),
        (
            sent().with_labels(["a"]),
            sent(),
            "labels",
            texts("[a]", "any"),
        ),
        (
            sent().with_labels::<&str>([]),
            sent(),
            "labels",
            texts("[]", "any"),
        ),
        (sent(), sent().with_limit(7), "limit", texts("2000", "7")),
        (
            gauge(Aggregation::Sum),
            gauge(Aggregation::Max),
            "aggregation",
            texts("sum", "max"),
        ),
        (
            histogram(&seconds),
            histogram(&classic),
            "buckets",
            texts("native, schema 3, 0.000001 to 100000", "classic, 0.1, 1"),
        ),
        (
            histogram(&classic),
            histogram(&coarse),
            "buckets",
            texts("classic, 0.1, 1", "classic, 0.1, 1, in steps of 0.5"),
        ),
    ]
}

#[test]
fn declarations_that_disagree_are_refused_with_both_and_change_nothing() {
    for (first, second, differs, says) in disagreeing() {
        let folder = folder();
        let store = quiet().open(folder.path()).unwrap();
        let other = quiet().open(folder.path()).unwrap();
        store.declare(&first).unwrap();
        let before = tree(folder.path());
        for store in [&store, &other] {
            let (error, text) = metric_error(store.declare(&second).unwrap_err());
            let MetricError::Disagrees {
                name,
                what,
                existing,
                declared,
                ..
            } = error
            else {
                panic!("{text}");
            };
            assert_eq!((name.as_str(), what), (first.name(), differs));
            assert_eq!([existing, declared], says);
            assert!(says.iter().all(|says| text.contains(says)), "{text}");
            store.declare(&first).unwrap();
        }
        assert_eq!(tree(folder.path()), before, "{differs}");
        drop((store, other));
        let again = quiet().open(folder.path()).unwrap();
        again.declare(&first).unwrap();
        metric_error(again.declare(&second).unwrap_err());
        let view = again.view().unwrap();
        let family = view.family(first.name()).unwrap();
        assert!(family.is_declared());
        assert_eq!(
            (family.shape(), family.unit(), family.help()),
            (first.shape(), first.unit(), first.help())
        );
        assert_eq!(
            (family.labels(), family.limit()),
            (first.labels(), first.limit())
        );
    }
}

#[test]
fn saying_the_same_again_takes_no_lock_and_no_space() {
    let folder = folder();
    let families = || disagreeing().into_iter().map(|(first, ..)| first);
    let store = quiet().lock_deadline(Duration::from_millis(20));
    let store = store.open(folder.path()).unwrap();
    let mut declared = Vec::new();
    for family in families() {
        if store.declare(&family).is_ok() {
            declared.push(family);
        }
    }
    assert!(declared.len() >= 3);
    let before = tree(folder.path());
    let lock = fs::File::open(folder.path().join("live/lock")).unwrap();
    lock.lock().unwrap();
    for family in &declared {
        store.declare(family).unwrap();
    }
    assert!(store.declare(&Family::gauge("new")).is_err());
    // The order in which labels are named does not matter.
    lock.unlock().unwrap();
    let ordered = |labels: [&str; 2]| Family::gauge("ordered").with_labels(labels);
    store.declare(&ordered(["a", "b"])).unwrap();
    lock.lock().unwrap();
    store.declare(&ordered(["b", "a"])).unwrap();
    lock.unlock().unwrap();
    assert_ne!(tree(folder.path()), before);
}

#[test]
fn a_family_in_use_can_be_declared_when_its_series_fit() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for code in ["200", "404", "500"] {
        let counter = store.counter_with("requests_total", &[("code", code)]);
        counter.unwrap().add(2);
    }
    let labels = Family::counter("requests_total").with_labels(["code"]);
    let before = tree(folder.path());
    for wrong in [
        Family::counter("requests_total").with_labels(["code", "path"]),
        Family::counter("requests_total").with_labels::<&str>([]),
    ] {
        let (error, text) = metric_error(store.declare(&wrong).unwrap_err());
        assert!(matches!(error, MetricError::Labels { .. }), "{text}");
    }
    let (error, text) = metric_error(store.declare(&Family::gauge("requests_total")).unwrap_err());
    assert!(matches!(error, MetricError::Kind { .. }), "{text}");
    assert!(text.contains("counter") && text.contains("gauge"), "{text}");
    assert_eq!(tree(folder.path()), before);

    let family = labels.with_help("What was asked for.");
    store.declare(&family).unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.family("requests_total"), Some(&family));
    assert_eq!(view.value("requests_total", &[("code", "404")]), Some(2));
    let image = Image::read(folder.path(), 0);
    let both = image.families_of("requests_total");
    let states: Vec<u64> = both.iter().map(|entry| entry.state).collect();
    assert_eq!(states, [1 << 63 | 3, 3]);
    assert_eq!(
        both[1].declaration,
        Some(serde_json::json!({
            "type": "counter", "help": "What was asked for.", "labels": ["code"], "declared": true
        }))
    );
    // From now on the labels are those.
    for labels in [&[][..], &[("code", "1"), ("path", "/")], &[("path", "/")]] {
        let (error, text) = metric_error(store.counter_with("requests_total", labels).unwrap_err());
        assert!(matches!(error, MetricError::Labels { .. }), "{text}");
    }
    store
        .counter_with("requests_total", &[("code", "302")])
        .unwrap()
        .inc();
    assert_eq!(store.health().unwrap().series, 8);
}

#[test]
fn a_histogram_in_use_cannot_be_declared_with_other_buckets() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.histogram("work_seconds").unwrap().observe(0.5);
    let other = Family::histogram("work_seconds", Buckets::classic([1.0]).unwrap());
    let (_, text) = metric_error(store.declare(&other).unwrap_err());
    assert!(
        text.contains("native") && text.contains("classic"),
        "{text}"
    );
    let same = Family::histogram("work_seconds", Buckets::seconds()).with_unit("seconds");
    store.declare(&same).unwrap();
    let view = store.view().unwrap();
    let found = view.sample("work_seconds", &[]).unwrap();
    assert_eq!(found.value.histogram().unwrap().count(), 1);
}

#[test]
fn what_cannot_be_a_family_is_refused_and_leaves_nothing() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let before = tree(folder.path());
    let many = (0..33).map(|index| format!("l{index}"));
    let wrong = [
        Family::counter("a-b"),
        Family::counter("a_total").with_unit("bytes"),
        Family::counter("bytes_total").with_unit("bytes"),
        Family::gauge("a").with_help("x".repeat(1025)),
        Family::gauge("a").with_labels(["b", "b"]),
        Family::gauge("a").with_labels(["b:c"]),
        Family::gauge("a").with_labels(["__b"]),
        Family::gauge("a").with_labels(many),
        Family::histogram("a", Buckets::seconds()).with_labels(["le"]),
        Family::info("a_seconds").with_unit("seconds"),
    ];
    for family in wrong {
        metric_error(store.declare(&family).unwrap_err());
    }
    let le = store.histogram_with("a", &[("le", "1")]);
    metric_error(le.unwrap_err());
    assert_eq!(tree(folder.path()), before);
    let longest = Family::histogram("a_seconds", Buckets::seconds())
        .with_unit("seconds")
        .with_help("\u{1}".repeat(1024))
        .with_labels((0..32).map(|index| format!("{}{index:02}", "l".repeat(253))));
    store.declare(&longest).unwrap();
    let again = quiet().open(folder.path()).unwrap();
    assert_eq!(again.view().unwrap().family("a_seconds"), Some(&longest));
}

#[test]
fn a_family_can_be_declared_anew_but_for_how_it_is_stored() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let other = quiet().open(folder.path()).unwrap();
    let first = sent().with_help("One.").with_labels(["to"]);
    store.declare(&first).unwrap();
    for to in ["a", "b"] {
        let counter = store.counter_with("sent_bytes_total", &[("to", to)]);
        counter.unwrap().add(3);
    }
    let second = sent().with_unit("bytes").with_help("Two.").with_limit(2);
    other.redeclare(&second).unwrap();
    for store in [&store, &other, &quiet().open(folder.path()).unwrap()] {
        assert_eq!(store.family("sent_bytes_total"), Some(second.clone()));
        assert_eq!(
            store.view().unwrap().family("sent_bytes_total"),
            Some(&second)
        );
        store.declare(&second).unwrap();
        let (error, text) = metric_error(store.declare(&first).unwrap_err());
        assert!(matches!(error, MetricError::Disagrees { .. }), "{text}");
    }
    // The series that there are count towards the new limit.
    let beyond = store.counter_with("sent_bytes_total", &[("to", "c")]);
    beyond.unwrap().inc();
    assert_eq!(
        store_values(&store)["sent_bytes_total,deespec_overflow=true"],
        1
    );
    // Saying the same takes no place, and what cannot be is refused.
    let before = tree(folder.path());
    store.redeclare(&second).unwrap();
    for wrong in [
        Family::gauge("sent_bytes_total"),
        sent().with_labels(["from"]),
        sent().with_unit("seconds"),
    ] {
        metric_error(store.redeclare(&wrong).unwrap_err());
    }
    assert_eq!(tree(folder.path()), before);
    let seconds = Family::histogram("wait", Buckets::seconds());
    store.redeclare(&seconds).unwrap();
    let classic = Family::histogram("wait", Buckets::classic([1.0]).unwrap());
    metric_error(store.redeclare(&classic).unwrap_err());
    // What came with its first series and got a text is declared.
    store.gauge("depth").unwrap();
    let implicit = store.family("depth").unwrap();
    assert!(!implicit.is_declared());
    store.redeclare(&implicit.with_help("How deep.")).unwrap();
    let depth = store.family("depth").unwrap();
    assert_eq!((depth.help(), depth.is_declared()), ("How deep.", true));
}

#[test]
fn a_declaration_in_a_segment_that_a_process_has_not_met_is_found() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let other = quiet().open(folder.path()).unwrap();
    let buckets = Buckets::classic([1.0]).unwrap();
    let wait = || Family::histogram("wait", buckets.clone());
    store.declare(&wait()).unwrap();
    store.histogram("wait").unwrap().observe(0.5);
    for number in 0..600 {
        store.counter(&format!("c{number}_total")).unwrap();
    }
    store.redeclare(&wait().with_help("Waits.")).unwrap();
    assert_eq!(store.health().unwrap().segments, 2);
    other.histogram("wait").unwrap().observe(0.5);
    assert_eq!(other.family("wait").unwrap().help(), "Waits.");
}

#[test]
fn declarations_outlive_a_reboot_and_a_torn_one_can_be_made_again() {
    for torn in [false, true] {
        let folder = folder();
        let store = quiet().open(folder.path()).unwrap();
        let buckets = Buckets::classic([1.0, 2.0]).unwrap();
        let family = Family::histogram("size", buckets).with_help("How large.");
        store.declare(&family).unwrap();
        if !torn {
            store.histogram("size").unwrap().observe(1.5);
            store.sync().unwrap();
        }
        drop(store);
        let mut image = Image::read(folder.path(), 0);
        if torn {
            image.drop_entry(&image.families_of("size")[0].clone());
        }
        image.reboot();
        image.write();
        let store: Store = quiet().open(folder.path()).unwrap();
        assert_eq!(store.view().unwrap().family("size").is_none(), torn);
        store.declare(&family).unwrap();
        store.histogram("size").unwrap().observe(3.0);
        let view = store.view().unwrap();
        assert_eq!(
            (view.family("size"), view.skipped.len()),
            (Some(&family), 0)
        );
        let found = view
            .sample("size", &[])
            .unwrap()
            .value
            .histogram()
            .unwrap()
            .clone();
        assert_eq!(found.counts(), [0, u64::from(!torn), 1]);
    }
}
