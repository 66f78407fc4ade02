//! Gauges and histograms with wide sums on their way to other stores: documents, texts and pushes.

use std::fs;

use deespec::exposition::{openmetrics, prometheus};
use deespec::{Family, Import, PushBase, Store, Totals, Value};

use crate::support::{folder, quiet};
use crate::wide::{LABELS, ONCE, QUEUED, SIZES, TWICE, bounds, count, told};

fn added(store: &Store, path: &std::path::Path) -> Vec<String> {
    match store.import(path, false).unwrap() {
        Import::Added {
            noted, passed_over, ..
        } => [noted, passed_over].concat(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_store_takes_them_from_a_document_and_where_it_declares_them_from_texts() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    count(&store);
    let view = store.view().unwrap();
    let document = folder.path().join("m.json");
    fs::write(&document, view.to_json()).unwrap();
    let other = quiet().open(folder.path().join("other")).unwrap();
    assert_eq!(added(&other, &document), [""; 0]);
    assert_eq!(told(&other), [ONCE[0], ONCE[1], ONCE[1]]);
    // It is a sum: what else is imported adds to it.
    let more = format!(
        r#"{{"commit_success": 0, "series": [{{"name": "{QUEUED}", "type": "gauge", "labels": {{"who": "a"}}, "value": 0.25}}]}}"#
    );
    let plain = folder.path().join("plain.json");
    fs::write(&plain, more).unwrap();
    assert_eq!(added(&other, &plain), [""; 0]);
    assert_eq!(told(&other)[0], "999999999999998.150000001");
    for (number, text) in [openmetrics::encode(&view), prometheus::encode(&view)]
        .into_iter()
        .enumerate()
    {
        let file = folder.path().join(format!("{number}.txt"));
        fs::write(&file, text).unwrap();
        let other = quiet()
            .open(folder.path().join(format!("declared-{number}")))
            .unwrap();
        other.declare(&Family::sum_gauge(QUEUED)).unwrap();
        let sizes = Family::wide_histogram(SIZES, bounds());
        other.declare(&sizes).unwrap();
        assert_eq!(added(&other, &file), [""; 0]);
        // A text has a gauge as a floating-point number.
        let [queued, sizes, _] = told(&other);
        assert_eq!(
            [queued.as_str(), sizes.as_str()],
            ["999999999999997.875", ONCE[1]]
        );
    }
}

#[test]
fn where_they_are_not_wide_they_are_what_others_are() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    count(&store);
    let document = folder.path().join("m.json");
    fs::write(&document, store.view().unwrap().to_json()).unwrap();
    let other = quiet().open(folder.path().join("other")).unwrap();
    other.gauge_with(QUEUED, &LABELS).unwrap();
    other.histogram_as(SIZES, &[], &bounds()).unwrap();
    assert_eq!(added(&other, &document), [""; 0]);
    let view = other.view().unwrap();
    let gauge = view.sample(QUEUED, &LABELS).unwrap().value.gauge();
    assert_eq!(gauge, Some(999_999_999_999_997.9));
    let sizes = view.sample(SIZES, &[]).unwrap().value.histogram();
    let told = sizes.map(|found| (found.count(), found.sum(), found.wide_sum()));
    assert_eq!(told, Some((3, 1e12, None)));
    // And back: each observation was rounded there.
    fs::write(&document, view.to_json()).unwrap();
    assert_eq!(added(&store, &document), [""; 0]);
    assert_eq!(told_sizes(&store), "[4, 0, 2] 2000000000000.099999999");
}

fn told_sizes(store: &Store) -> String {
    told(store)[2].clone()
}

#[test]
fn a_push_says_that_the_sum_of_a_histogram_is_wide_and_sets_a_gauge() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let other = quiet().open(folder.path().join("other")).unwrap();
    let mut base = PushBase::default();
    let mut number = 0;
    let mut push = |expected: [&str; 2]| {
        let totals = Totals::of_view(&store.view().unwrap());
        for part in totals.since(&base).unwrap().parts {
            number += 1;
            let text = part.text(&number.to_string());
            other.push("w", number, text.as_bytes()).unwrap();
            base.absorb(part.totals());
        }
        // What is kept of it reads back.
        let kept = serde_json::to_string(&base).unwrap();
        assert_eq!(serde_json::from_str::<PushBase>(&kept).unwrap(), base);
        let view = other.view().unwrap();
        let sizes = view.sample(SIZES, &[]).unwrap().total.histogram();
        let sizes =
            sizes.map(|found| format!("{:?} {}", found.counts(), found.wide_sum().unwrap()));
        let queued = view.sample(QUEUED, &LABELS).unwrap();
        assert_eq!(sizes.as_deref(), Some(expected[1]));
        let is = expected[0].parse::<f64>().unwrap();
        assert_eq!(queued.value, Value::Gauge(is));
    };
    count(&store);
    push(ONCE);
    count(&store);
    push(TWICE);
    push(TWICE);
    // Whoever has it as a sum cannot have it set.
    let sums = quiet().open(folder.path().join("sums")).unwrap();
    sums.sum_gauge_with(QUEUED, &LABELS).unwrap().add(1.0);
    let text = format!("# TYPE {QUEUED} gauge\n{QUEUED}{{who=\"a\"}} 3\n# EOF\n");
    let error = sums.push("w", 1, text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("gauge with a wide sum"), "{error}");
    assert_eq!(
        sums.sum_gauge_with(QUEUED, &LABELS)
            .unwrap()
            .value()
            .to_string(),
        "1"
    );
}

#[test]
fn a_new_store_goes_on_from_a_document_that_has_them() {
    let folder = folder();
    let store = quiet().open(folder.path().join("first")).unwrap();
    count(&store);
    let root = folder.path().join("second");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("metrics.json"), store.view().unwrap().to_json()).unwrap();
    let store = quiet().open(&root).unwrap();
    count(&store);
    assert_eq!(told(&store), [TWICE[0], TWICE[1], TWICE[1]]);
}
