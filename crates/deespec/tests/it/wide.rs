//! Gauges and histograms with wide sums, from the handle to every format and back.

use std::fs;

use deespec::exposition::{openmetrics, prometheus};
use deespec::{
    Buckets, Delta, Distribution, Document, Family, HistoryQuery, HistoryValue, MetricError,
    Rotate, Store, Value,
};

use crate::exposition::others;
use crate::image::{Entry, Image};
use crate::support::{folder, quiet};

pub(crate) const QUEUED: &str = "queued_bytes";
pub(crate) const SIZES: &str = "answer_size";
pub(crate) const LABELS: [(&str, &str); 1] = [("who", "a")];

pub(crate) fn bounds() -> Buckets {
    Buckets::classic([1e3, 1e9]).unwrap()
}

/// The gauge; the value and the total of the histogram: the count of each bucket and the sum.
pub(crate) fn told(store: &Store) -> [String; 3] {
    let view = store.view().unwrap();
    let text = |value: &Value| match value {
        Value::Sum(sum) => sum.to_string(),
        Value::Histogram(found) => {
            let sum = found.wide_sum().expect("it has a wide sum");
            format!("{:?} {sum}", found.counts())
        }
        other => panic!("{other:?}"),
    };
    let named = |name| view.series.iter().find(|sample| sample.name == name);
    let (queued, sizes) = (named(QUEUED).unwrap(), named(SIZES).unwrap());
    assert_eq!(queued.value, queued.total);
    [text(&queued.value), text(&sizes.value), text(&sizes.total)]
}

pub(crate) fn count(store: &Store) {
    let queued = store.sum_gauge_with(QUEUED, &LABELS).unwrap();
    let sizes = store.wide_histogram_as(SIZES, &[], &bounds()).unwrap();
    for amount in [1e15, -0.1, 0.000_000_001] {
        assert!(queued.add(amount));
    }
    assert!(queued.sub(2.0));
    for value in [1e12, 0.1, -0.000_000_001] {
        assert!(sizes.observe(value));
    }
}

pub(crate) const ONCE: [&str; 2] = [
    "999999999999997.900000001",
    "[2, 0, 1] 1000000000000.099999999",
];
pub(crate) const TWICE: [&str; 2] = [
    "1999999999999995.800000002",
    "[4, 0, 2] 2000000000000.199999998",
];
const NONE: &str = "[0, 0, 0] 0";

#[test]
fn they_are_exact_over_epochs_snapshots_restores_and_compactions() {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().stripes(4).open(&root).unwrap();
    count(&store);
    assert_eq!(told(&store), [ONCE[0], ONCE[1], ONCE[1]]);
    let snapshot = store.snapshot().unwrap().path;
    let closed = store.rotate(Rotate::Reset).unwrap().closing;
    // A gauge is no total of an epoch.
    let line = fs::read_to_string(root.join("live/epochs.jsonl")).unwrap();
    assert!(
        line.contains(r#""exact":"1000000000000.099999999""#),
        "{line}"
    );
    assert!(!line.contains(QUEUED), "{line}");
    assert_eq!(told(&store), [ONCE[0], NONE, ONCE[1]]);
    count(&store);
    assert_eq!(told(&store), [TWICE[0], ONCE[1], TWICE[1]]);
    store.wide_histogram(SIZES).unwrap().observe(5.0);
    // A gauge is what it is now, whatever is restored.
    let restored = store.restore(&snapshot, "", false).unwrap();
    let closing = Document::read(&restored.path).unwrap();
    let gauge = closing.series.iter().find(|one| one.name == QUEUED);
    assert_eq!(gauge.unwrap().value.sum().unwrap().to_string(), TWICE[0]);
    let [queued, sizes, _] = told(&store);
    assert_eq!([queued.as_str(), sizes.as_str()], [TWICE[0], ONCE[1]]);
    let before = told(&store);
    drop(store);
    deespec::Options::new().compact(&root).unwrap();
    let store = quiet().open(&root).unwrap();
    assert_eq!(told(&store), before);
    // A closing snapshot says what it said, and reads back.
    let text = closed.to_json();
    assert!(text.contains("\"schema_version\": 2,"), "{text}");
    let says = r#""type":"gauge","labels":{"who":"a"},"value":999999999999997.9,"exact":"999999999999997.900000001""#;
    assert!(text.contains(says), "{text}");
    let again = Document::parse(text.as_bytes(), "m.json".as_ref()).unwrap();
    assert_eq!(again, closed);
}

#[test]
fn each_text_has_their_lines() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store);
    assert_eq!(
        others(&prometheus::encode(&store.view().unwrap())),
        [
            "# TYPE answer_size histogram",
            "answer_size_bucket{le=\"1000.0\"} 2",
            "answer_size_bucket{le=\"1e+09\"} 2",
            "answer_size_bucket{le=\"+Inf\"} 3",
            "answer_size_sum 1000000000000.099999999",
            "answer_size_count 3",
            "# TYPE queued_bytes gauge",
            "queued_bytes{who=\"a\"} 999999999999997.900000001",
        ]
    );
    let text = openmetrics::encode(&store.view().unwrap());
    assert!(text.contains("# TYPE queued_bytes gauge\n"), "{text}");
    assert!(!text.contains("queued_bytes_created"), "{text}");
    assert!(text.contains("answer_size_created "), "{text}");
}

#[test]
fn what_is_no_amount_changes_nothing_and_nothing_from_outside_comes_near_the_end() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    count(&store);
    let before = told(&store);
    let queued = store.sum_gauge_with(QUEUED, &LABELS).unwrap();
    let sizes = store.wide_histogram(SIZES).unwrap();
    for none in [f64::NAN, f64::INFINITY, -f64::INFINITY, 4.7e18] {
        assert!(!queued.add(none) && !queued.sub(none) && !sizes.observe(none));
        let error = queued.try_add(none).unwrap_err();
        assert!(matches!(error, MetricError::Amount { .. }), "{error}");
        assert!(sizes.try_observe(&[1.0, none]).is_err());
    }
    assert_eq!(told(&store), before);
    let limit = (1_u64 << 62) as f64;
    // A program may do as it likes.
    let full = store.sum_gauge("full").unwrap();
    let wide = store.wide_histogram_as("wide", &[], &bounds()).unwrap();
    assert!(full.add(4096.0 - limit) && wide.observe(limit - 4096.0));
    assert_eq!((full.room(), wide.room()), (4096, 4096));
    assert_eq!(full.try_sub(4096.5), Err(MetricError::Exhausted));
    assert_eq!(
        wide.try_observe(&[4096.0, 0.5]),
        Err(MetricError::Exhausted)
    );
    assert!(full.try_sub(4095.5).is_ok() && full.try_add(1e15).is_ok());
    let before = store.view().unwrap();
    let file = folder.path().join("page.json");
    for series in [
        r#"{"name": "full", "type": "gauge", "value": -4e18}"#.to_owned(),
        format!(
            r#"{{"name": "wide", "type": "histogram", "value": {}}}"#,
            r#"{"count": 1, "sum": 5000.0, "exact": "5000", "buckets": [[1000.0, 1e9, 1]],
                "classic": [1000.0, 1e9], "steps_per_one": 1000000000}"#
        ),
    ] {
        fs::write(
            &file,
            format!(r#"{{"commit_success": 0, "series": [{series}]}}"#),
        )
        .unwrap();
        let error = store.import(&file, false).unwrap_err().to_string();
        assert!(error.contains("64 bits"), "{error}");
    }
    assert_eq!(store.view().unwrap().series, before.series);
    // After a restore an epoch may have more than there ever was.
    let other = quiet().open(folder.path().join("other")).unwrap();
    let snapshot = store.snapshot().unwrap().path;
    other.restore(&snapshot, "", true).unwrap();
    let wide = other.wide_histogram("wide").unwrap();
    assert_eq!(wide.try_observe(&[4097.0]), Err(MetricError::Exhausted));
}

#[test]
fn threads_and_processes_add_exactly() {
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let other = quiet().stripes(4).open(folder.path()).unwrap();
    store
        .declare(&Family::wide_histogram(SIZES, bounds()))
        .unwrap();
    std::thread::scope(|scope| {
        for store in [&store, &other, &store] {
            scope.spawn(move || {
                let queued = store.sum_gauge_with(QUEUED, &LABELS).unwrap();
                let sizes = store.wide_histogram(SIZES).unwrap();
                for _ in 0..20_000 {
                    queued.add(0.3);
                    queued.sub(0.1);
                    sizes.observe(1.6);
                }
            });
        }
        scope.spawn(|| {
            // A reader finds the sum of what it finds in the buckets, or more of it.
            for _ in 0..500 {
                let view = store.view().unwrap();
                let found = view.sample(SIZES, &[]);
                let Some(found) = found.and_then(|found| found.total.histogram()) else {
                    continue;
                };
                let most = found.count() as f64 * 1.6 + 3.0 * 1.6 + 1e-6;
                assert!(found.sum() <= most, "{} of {}", found.sum(), found.count());
            }
        });
    });
    let sizes = "[60000, 0, 0] 96000";
    assert_eq!(told(&store), ["12000", sizes, sizes]);
}

#[test]
fn what_was_removed_comes_back_with_all_that_it_had() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store);
    let names = |store: &Store| -> Vec<String> {
        let view = store.view().unwrap();
        view.series.iter().map(|one| one.name.clone()).collect()
    };
    assert!(store.remove(QUEUED, &LABELS).unwrap());
    assert!(store.remove(SIZES, &[]).unwrap());
    assert!(names(&store).is_empty());
    // No gauge comes back in a closing snapshot; the histogram counted in the epoch.
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    let closed: Vec<&str> = closing.series.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(closed, [SIZES]);
    count(&store);
    assert_eq!(told(&store), [TWICE[0], ONCE[1], TWICE[1]]);
    // What takes away as much as it adds comes back too.
    assert!(store.remove(QUEUED, &LABELS).unwrap());
    let queued = store.sum_gauge_with(QUEUED, &LABELS).unwrap();
    assert!(queued.add(0.0));
    assert_eq!(told(&store)[0], TWICE[0]);
}

#[test]
fn changes_and_the_history_tell_of_both() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store);
    let before = store.view().unwrap();
    store
        .sum_gauge_with(QUEUED, &LABELS)
        .unwrap()
        .sub(0.000_000_001);
    store.wide_histogram(SIZES).unwrap().observe(0.25);
    let changes = store.view().unwrap().changes_since(&before);
    let told: Vec<_> = changes
        .iter()
        .map(|one| (one.name.as_str(), one.delta))
        .collect();
    assert_eq!(
        told,
        [
            (SIZES, Some(Delta::Count(1))),
            // No floating-point number of this size tells it.
            (QUEUED, Some(Delta::Moved(-0.000_000_001))),
        ]
    );
    let observed = changes[0]
        .observed
        .as_ref()
        .and_then(Distribution::wide_sum);
    assert_eq!(observed.unwrap().to_string(), "0.25");
    store.rotate(Rotate::Reset).unwrap();
    store.compact_snapshots().unwrap();
    let query = HistoryQuery::new()
        .series(QUEUED, &LABELS)
        .series(SIZES, &[]);
    let found = store.history(&query).unwrap();
    let values: Vec<_> = found.series.iter().map(|one| one.values.clone()).collect();
    assert_eq!(
        values[0],
        [Some(HistoryValue::Gauge(999_999_999_999_997.9))]
    );
    let [Some(HistoryValue::Histogram(sizes))] = values[1][..] else {
        panic!("{values:?}");
    };
    assert_eq!((sizes.count, sizes.sum), (4, 1_000_000_000_000.35));
}

#[test]
fn a_declaration_that_disagrees_about_buckets_is_refused_and_a_resolution_is_none() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let declare = |buckets: Buckets| store.declare(&Family::wide_histogram(SIZES, buckets));
    declare(bounds()).unwrap();
    declare(bounds().with_resolution(0.5).unwrap()).unwrap();
    let error = declare(Buckets::seconds()).unwrap_err().to_string();
    assert!(error.contains("classic, 1000, 1000000000"), "{error}");
    let buckets = store.wide_histogram(SIZES).unwrap().buckets().clone();
    assert_eq!((buckets.resolution(), buckets.len()), (1e-9, 3));
    for (value, part) in [
        (
            r#""exact": "1", "steps": 1000000000, "steps_per_one": 1000000000"#,
            "both steps and exact",
        ),
        (r#""exact": "1", "steps_per_one": 1"#, "billionth"),
        (
            r#""sum": 2, "exact": "1", "steps_per_one": 1000000000"#,
            "sum is 2, but exact is 1",
        ),
        (
            r#""exact": "1.0", "steps_per_one": 1000000000"#,
            "at most nine digits",
        ),
    ] {
        let text = format!(r#"{{"count": 0, "buckets": [], "classic": [1], {value}}}"#);
        let error = serde_json::from_str::<Distribution>(&text)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// Every bit of their entries and declarations: what is told is right, or said to be missing.
#[test]
fn a_flipped_bit_of_an_entry_makes_no_wrong_value() {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().stripes(1).open(&root).unwrap();
    count(&store);
    store.sync().unwrap();
    let right = store.view().unwrap().series;
    drop(store);
    let whole = Image::read(&root, 0);
    let ours = |entry: &Entry| {
        [QUEUED, SIZES]
            .iter()
            .any(|name| entry.key.starts_with(name))
    };
    let entries: Vec<Entry> = whole.entries().into_iter().filter(ours).collect();
    assert_eq!(entries.len(), 4);
    let words =
        |entry: &Entry| whole.block_at(entry.block)..whole.block_at(entry.block + entry.blocks);
    let (mut missing, mut refused) = (0, 0);
    for bit in entries
        .iter()
        .flat_map(words)
        .flat_map(|word| word * 64..word * 64 + 64)
    {
        let mut image = whole.clone();
        image.flip(bit);
        image.write();
        let Ok(view) = quiet().open(&root).and_then(|store| store.view()) else {
            refused += 1;
            continue;
        };
        let told = &view.series;
        let wrong = told.iter().find(|one| !right.contains(one));
        assert_eq!(wrong, None, "bit {bit}");
        if told.len() < right.len() {
            assert!(!view.skipped.is_empty(), "bit {bit} hides a series");
            missing += 1;
        }
    }
    assert!(missing > 1000, "{missing} missing, {refused} refused");
}
