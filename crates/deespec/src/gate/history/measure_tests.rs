//! What terms are worth in views of a real store, and in documents.

use std::path::Path;
use std::time::Duration;

use super::super::rules::{Kind, Limit, Metric, Rule, Rules, Term};
use crate::{Document, Store, View};

fn term(text: &str) -> Term {
    Term::parse(text).unwrap()
}

fn measured(view: &View, text: &str) -> Option<f64> {
    let value = term(text).measure(view);
    // A document says the same as the view that it was made of.
    assert_eq!(
        term(text).measure_document(&view.to_document()),
        value,
        "{text}"
    );
    value
}

/// A view of a store with a series of each kind, 10 seconds after its epoch began.
fn view() -> View {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("var")).unwrap();
    store.transactions().conflicts.add(7);
    for (branch, count) in [("main", 3), ("other", 4)] {
        let labels = [("branch", branch), ("os", "linux")];
        store.counter_with("builds", &labels).unwrap().add(count);
        store
            .gauge_with("queue", &labels)
            .unwrap()
            .set(count as f64);
        let waits = store.histogram_with("waits_seconds", &labels).unwrap();
        waits.observe(count as f64);
    }
    store.gauge("odd").unwrap().set(f64::NAN);
    store.histogram("idle_seconds").unwrap();
    store.counter("builds_failed").unwrap();
    let mut view = store.view().unwrap();
    view.last_update = view.epoch_started + Duration::from_secs(10);
    view
}

#[test]
fn series_of_one_name_are_taken_together() {
    let view = view();
    for (text, value) in [
        ("cas_conflicts", Some(7.0)),
        ("commit_success", Some(0.0)),
        ("builds", Some(7.0)),
        ("builds{branch=\"main\"}", Some(3.0)),
        ("builds{os=\"linux\"}", Some(7.0)),
        ("builds{branch=\"none\"}", None),
        ("builds{arch=\"arm\"}", None),
        ("cas_conflicts{branch=\"main\"}", None),
        ("builds_failed", Some(0.0)),
        ("queue", Some(7.0)),
        ("queue{branch=\"other\"}", Some(4.0)),
        ("waits_seconds", Some(3.5)),
        ("waits_seconds.mean", Some(3.5)),
        ("waits_seconds.sum", Some(7.0)),
        ("waits_seconds.count", Some(2.0)),
        ("waits_seconds{branch=\"main\"}.sum", Some(3.0)),
        ("idle_seconds.count", Some(0.0)),
        ("idle_seconds.sum", Some(0.0)),
    ] {
        assert_eq!(measured(&view, text), value, "{text}");
    }
    let p99 = measured(&view, "waits_seconds.p99").unwrap();
    assert!((3.6..4.4).contains(&p99), "{p99}");
    let p10 = measured(&view, "waits_seconds.p10").unwrap();
    assert!((2.7..3.3).contains(&p10), "{p10}");
}

#[test]
fn what_is_no_number_was_not_measured() {
    let view = view();
    for text in [
        "missing",
        "odd",
        "idle_seconds",
        "idle_seconds.mean",
        "idle_seconds.p50",
        "builds.p50",
        "builds.count",
        "queue.sum",
        "build",
        "builds_",
    ] {
        assert_eq!(measured(&view, text), None, "{text}");
    }
}

#[test]
fn a_rate_is_by_the_seconds_of_the_epoch_and_there_is_none_without_them() {
    let mut view = view();
    assert_eq!(term("rate(builds)").measure(&view), Some(0.7));
    assert_eq!(term("rate(cas_conflicts)").measure(&view), Some(0.7));
    assert_eq!(term("rate(waits_seconds.count)").measure(&view), Some(0.2));
    view.last_update = view.epoch_started;
    assert_eq!(term("rate(builds)").measure(&view), None);
    view.last_update = view.epoch_started - Duration::from_secs(1);
    assert_eq!(term("rate(builds)").measure(&view), None);
}

#[test]
fn a_snapshot_has_its_own_seconds() {
    let snapshot = |times: &str| {
        let text =
            format!("{{\"commit_failed\": 6, \"last_update\": \"2026-11-23T00:00:30Z\"{times}}}");
        Document::parse(text.as_bytes(), Path::new("s.json")).unwrap()
    };
    let began = ", \"epoch_started\": \"2026-11-23T00:00:00Z\"";
    let taken = ", \"taken_at\": \"2026-11-23T00:01:00.000000000Z\"";
    let rate = |document| term("rate(commit_failed)").measure_document(&document);
    assert_eq!(rate(snapshot(began)), Some(0.2));
    assert_eq!(rate(snapshot(&format!("{began}{taken}"))), Some(0.1));
    assert_eq!(rate(snapshot(taken)), None);
}

#[test]
fn histograms_of_other_buckets_have_a_count_and_a_sum_and_no_quantile() {
    let text = r#"{"commit_success": 1, "series": [
        {"name": "w", "type": "histogram", "labels": {}, "value": {"count": 1, "sum": 0.5, "steps": 500000000,
         "buckets": [[0.1, 1.0, 1]], "classic": [0.1, 1.0], "steps_per_one": 1000000000}}]}"#;
    let mut document = Document::parse(text.as_bytes(), Path::new("s.json")).unwrap();
    let other = text.replace("0.1", "0.2");
    let other = Document::parse(other.as_bytes(), Path::new("s.json")).unwrap();
    document.series.extend(other.series);
    assert_eq!(term("w.count").measure_document(&document), Some(2.0));
    assert_eq!(term("w").measure_document(&document), Some(0.5));
    assert_eq!(term("w.p50").measure_document(&document), None);
}

#[test]
fn all_terms_of_all_rules_are_measured() {
    let rule = |metric| {
        let limit = Limit {
            warn: None,
            fail: Some(1.0),
        };
        Rule::new("", metric, Kind::Limit(limit))
    };
    let share = Metric::Share {
        good: term("builds"),
        bad: term("builds_failed"),
    };
    let rules = Rules {
        rules: vec![
            rule(share),
            rule(Metric::One(term("missing"))),
            rule(Metric::One(term("waits_seconds.p999"))),
        ],
        ..Rules::default()
    };
    let values = rules.measure(&view());
    let names: Vec<&str> = values.keys().map(String::as_str).collect();
    assert_eq!(names, ["builds", "builds_failed", "waits_seconds.p99.9"]);
}
