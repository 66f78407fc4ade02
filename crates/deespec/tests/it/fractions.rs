//! Counters with fractions and summaries, from the handle to every format and back.

use std::fs;

use deespec::exposition::{openmetrics, prometheus};
use deespec::{
    Delta, Document, Family, HistoryQuery, HistoryValue, Import, MetricError, Rotate,
    SCHEMA_VERSION, Store, Value,
};

use crate::exposition::others;
use crate::support::{folder, quiet};

/// The value and the total of both, as text.
pub(crate) fn told(store: &Store) -> [String; 4] {
    let view = store.view().unwrap();
    let text = |value: &Value| match value {
        Value::Fractions(sum) => sum.to_string(),
        Value::Summary(found) => format!("{} {}", found.count, found.sum),
        other => panic!("{other:?}"),
    };
    let both = ["spent_seconds_total", "answer_bytes"].map(|name| {
        let sample = view
            .series
            .iter()
            .find(|sample| sample.name == name)
            .unwrap();
        [text(&sample.value), text(&sample.total)]
    });
    let [[spent, spent_ever], [answers, answers_ever]] = both;
    [spent, spent_ever, answers, answers_ever]
}

fn count(store: &Store) {
    let spent = store
        .fraction_counter_with("spent_seconds_total", &[("who", "a")])
        .unwrap();
    let answers = store.summary("answer_bytes").unwrap();
    for amount in [0.1, 2.0, 1e15, 0.000_000_001] {
        assert!(spent.add(amount));
    }
    for value in [512.0, -0.5, 0.25] {
        assert!(answers.observe(value));
    }
}

const ONCE: [&str; 2] = ["1000000000000002.100000001", "3 511.75"];
const TWICE: [&str; 2] = ["2000000000000004.200000002", "6 1023.5"];

#[test]
fn sums_are_exact_over_epochs_snapshots_restores_and_compactions() {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().stripes(4).open(&root).unwrap();
    count(&store);
    assert_eq!(told(&store), [ONCE[0], ONCE[0], ONCE[1], ONCE[1]]);
    let snapshot = store.snapshot().unwrap().path;
    let closed = store.rotate(Rotate::Reset).unwrap().closing;
    let line = fs::read_to_string(root.join("live/epochs.jsonl")).unwrap();
    let total = format!(r#""total":1000000000000002.1,"exact":"{}""#, ONCE[0]);
    assert!(line.contains(&total), "{line}");
    assert_eq!(told(&store), ["0", ONCE[0], "0 0", ONCE[1]]);
    count(&store);
    assert_eq!(told(&store), [ONCE[0], TWICE[0], ONCE[1], TWICE[1]]);
    count(&store);
    store.restore(&snapshot, "", false).unwrap();
    let [spent, _, answers, _] = told(&store);
    assert_eq!([spent.as_str(), answers.as_str()], ONCE);
    let before = told(&store);
    drop(store);
    deespec::Options::new().compact(&root).unwrap();
    let store = quiet().open(&root).unwrap();
    assert_eq!(told(&store), before);
    // A closing snapshot says what it said, and reads back.
    let text = closed.to_json();
    assert!(
        text.contains(&format!("\"schema_version\": {SCHEMA_VERSION}")),
        "{text}"
    );
    assert!(
        text.contains(r#""value":1000000000000002.1,"exact":"1000000000000002.100000001""#),
        "{text}"
    );
    let again = Document::parse(text.as_bytes(), "m.json".as_ref()).unwrap();
    assert_eq!(again, closed);
}

#[test]
fn another_store_takes_them_from_a_document_and_from_both_texts() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    count(&store);
    store
        .declare(&Family::summary("answer_bytes").with_unit("bytes"))
        .unwrap();
    let view = store.view().unwrap();
    let texts = [
        view.to_json(),
        openmetrics::encode(&view),
        prometheus::encode(&view),
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let file = folder.path().join(format!("{number}.txt"));
        fs::write(&file, text).unwrap();
        let other = quiet()
            .open(folder.path().join(format!("other-{number}")))
            .unwrap();
        let Import::Added {
            noted, passed_over, ..
        } = other.import(&file, false).unwrap()
        else {
            panic!("nothing was added");
        };
        assert_eq!(
            (noted.len(), passed_over.len()),
            (0, 0),
            "{noted:?} {passed_over:?}"
        );
        assert_eq!(told(&other), [ONCE[0], ONCE[0], ONCE[1], ONCE[1]]);
    }
}

#[test]
fn a_document_without_them_stays_of_schema_version_1() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.counter("a_total").unwrap().inc();
    assert!(
        store
            .view()
            .unwrap()
            .to_json()
            .contains("\"schema_version\": 1,")
    );
    store.summary("b").unwrap();
    assert!(
        store
            .view()
            .unwrap()
            .to_json()
            .contains("\"schema_version\": 2,")
    );
    // So it is where the series are written one after the other.
    store.rotate(Rotate::Reset).unwrap();
    let text = fs::read_to_string(folder.path().join("metrics.json")).unwrap();
    assert!(text.contains("\"schema_version\": 2,"), "{text}");
}

#[test]
fn each_text_has_their_lines() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store);
    let view = store.view().unwrap();
    assert_eq!(
        others(&prometheus::encode(&view)),
        [
            "# TYPE answer_bytes summary",
            "answer_bytes_sum 511.75",
            "answer_bytes_count 3",
            "# TYPE spent_seconds_total counter",
            "spent_seconds_total{who=\"a\"} 1000000000000002.100000001",
        ]
    );
    let text = openmetrics::encode(&view);
    for line in [
        "# TYPE answer_bytes summary",
        "answer_bytes_sum 511.75",
        "answer_bytes_count 3",
        "# TYPE spent_seconds counter",
    ] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    store.summary("answer_bytes").unwrap().observe(-1000.0);
    let text = openmetrics::encode(&store.view().unwrap());
    assert!(!text.contains("answer_bytes_sum"), "{text}");
}

#[test]
fn what_is_no_amount_changes_nothing() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store);
    let before = told(&store);
    let spent = store
        .fraction_counter_with("spent_seconds_total", &[("who", "a")])
        .unwrap();
    let answers = store.summary("answer_bytes").unwrap();
    for none in [f64::NAN, f64::INFINITY, -f64::INFINITY, 4.7e18] {
        assert!(!spent.add(none) && !answers.observe(none));
    }
    assert!(!spent.add(-0.5));
    assert_eq!(told(&store), before);
}

#[test]
fn threads_and_processes_add_exactly() {
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let other = quiet().stripes(4).open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for store in [&store, &other, &store] {
            scope.spawn(move || {
                let spent = store.fraction_counter("spent_seconds_total").unwrap();
                let answers = store.summary("answer_bytes").unwrap();
                for _ in 0..20_000 {
                    spent.add(0.1);
                    answers.observe(1.6);
                }
            });
        }
        scope.spawn(|| {
            // A reader sees a sum that only grows.
            let mut seen = 0.0;
            for _ in 0..500 {
                let view = store.view().unwrap();
                let sample = view.sample("spent_seconds_total", &[]);
                let now = sample.and_then(|sample| sample.total.fractions());
                let now = now.map_or(0.0, |sum| sum.to_f64());
                assert!(now >= seen);
                seen = now;
            }
        });
    });
    assert_eq!(told(&store), ["6000", "6000", "60000 96000", "60000 96000"]);
}

#[test]
fn a_page_of_an_exporter_is_taken_with_fractions_and_without_quantiles() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let page = |seconds: &str| {
        format!(
            "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {seconds}\n\
             # TYPE go_gc_duration_seconds summary\ngo_gc_duration_seconds{{quantile=\"0.5\"}} 1e-05\n\
             go_gc_duration_seconds_sum 0.25\ngo_gc_duration_seconds_count 4\n\
             # TYPE odd summary\nodd{{quantile=\"0.5\"}} 1\n# TYPE commit_success_total counter\ncommit_success_total 0.5\n"
        )
    };
    // A whole number later on is the same counter.
    for (number, seconds) in ["1.23", "2"].into_iter().enumerate() {
        let file = folder.path().join(format!("{number}.prom"));
        fs::write(&file, page(seconds)).unwrap();
        let Import::Added {
            noted, passed_over, ..
        } = store.import(&file, false).unwrap()
        else {
            panic!("nothing was added");
        };
        assert_eq!(
            noted,
            [
                "the quantiles of go_gc_duration_seconds are left out: a store holds the count and the sum"
            ]
        );
        assert_eq!(passed_over.len(), 2, "{passed_over:?}");
        assert!(
            passed_over[0].starts_with("odd is passed over"),
            "{passed_over:?}"
        );
        assert!(
            passed_over[1].starts_with("commit_success is passed over"),
            "{passed_over:?}"
        );
    }
    let view = store.view().unwrap();
    let total = |name| view.sample(name, &[]).unwrap().total.clone();
    let spent = total("process_cpu_seconds_total").fractions().unwrap();
    assert_eq!(spent.to_string(), "3.23");
    let pauses = total("go_gc_duration_seconds").summary().unwrap();
    assert_eq!((pauses.count, pauses.sum.to_f64()), (8, 0.5));
}

#[test]
fn nothing_from_outside_brings_a_sum_near_its_end() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let spent = store.fraction_counter("spent_total").unwrap();
    let sizes = store.summary("sizes").unwrap();
    for none in [-0.5, f64::NAN, f64::INFINITY, 9_007_199_254_740_994.0] {
        let error = spent.try_add(none).unwrap_err();
        assert!(matches!(error, MetricError::Amount { .. }), "{error}");
    }
    assert!(sizes.try_observe(&[1.0, f64::NAN]).is_err());
    let limit = (1_u64 << 62) as f64;
    // A program may do as it likes.
    assert!(spent.add(limit - 4096.0) && sizes.observe(4096.0 - limit));
    assert_eq!((spent.room(), sizes.room()), (4096, 4096));
    assert_eq!(spent.try_add(4096.5), Err(MetricError::Exhausted));
    assert_eq!(
        sizes.try_observe(&[-4096.0, -0.5]),
        Err(MetricError::Exhausted)
    );
    let before = store.view().unwrap();
    for text in [
        "# TYPE spent counter\nspent_total 4096.5\n# EOF\n",
        "# TYPE sizes summary\nsizes_sum -4096.5\nsizes_count 1\n# EOF\n",
    ] {
        let file = folder.path().join("page.txt");
        fs::write(&file, text).unwrap();
        let error = store.import(&file, false).unwrap_err().to_string();
        assert!(error.contains("64 bits"), "{error}");
        let error = store.push("w", 1, text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("64 bits"), "{error}");
    }
    // Nor does one number, whatever there is.
    let text = "# TYPE more counter\nmore_total 9007199254740992.5\n# EOF\n";
    let error = store.push("w", 1, text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("2^53"), "{error}");
    assert_eq!(store.view().unwrap().series, before.series);
    assert!(spent.try_add(4095.5).is_ok() && sizes.try_observe(&[-4095.5, 10.0]).is_ok());
    // After a restore an epoch may have more than there ever was.
    let other = quiet().open(folder.path().join("other")).unwrap();
    let snapshot = store.snapshot().unwrap().path;
    other.restore(&snapshot, "", true).unwrap();
    let spent = other.fraction_counter("spent_total").unwrap();
    assert_eq!(spent.try_add(1.0), Err(MetricError::Exhausted));
}

#[test]
fn what_was_removed_comes_back_with_all_that_it_had_counted() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store);
    let names = |store: &Store| -> Vec<String> {
        let view = store.view().unwrap();
        view.series.iter().map(|one| one.name.clone()).collect()
    };
    assert!(
        store
            .remove("spent_seconds_total", &[("who", "a")])
            .unwrap()
    );
    assert!(store.remove("answer_bytes", &[]).unwrap());
    assert!(names(&store).is_empty());
    count(&store);
    assert_eq!(told(&store), [TWICE[0], TWICE[0], TWICE[1], TWICE[1]]);
}

#[test]
fn changes_and_the_history_tell_of_both() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    count(&store);
    let before = store.view().unwrap();
    let spent = [("who", "a")];
    let spent = store.fraction_counter_with("spent_seconds_total", &spent);
    spent.unwrap().add(0.25);
    store.summary("answer_bytes").unwrap().observe(-0.25);
    let changes = store.view().unwrap().changes_since(&before);
    let told: Vec<_> = changes
        .iter()
        .map(|one| (one.name.as_str(), one.delta))
        .collect();
    assert_eq!(
        told,
        [
            ("answer_bytes", Some(Delta::Count(1))),
            ("spent_seconds_total", Some(Delta::Moved(0.25))),
        ]
    );
    let json = serde_json::to_value(&changes[0]).unwrap();
    assert_eq!(
        json["value"],
        serde_json::json!({ "count": 4, "sum": 511.5 })
    );
    store.rotate(Rotate::Reset).unwrap();
    store.compact_snapshots().unwrap();
    let query = HistoryQuery::new()
        .series("answer_bytes", &[])
        .series("spent_seconds_total", &[("who", "a")]);
    let found = store.history(&query).unwrap();
    let values: Vec<_> = found.series.iter().map(|one| one.values.clone()).collect();
    assert_eq!(
        values,
        [
            [Some(HistoryValue::Summary {
                count: 4,
                sum: 511.5
            })],
            [Some(HistoryValue::Fractions(1_000_000_000_000_002.4))],
        ]
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
    assert_eq!(told(&store), [TWICE[0], TWICE[0], TWICE[1], TWICE[1]]);
}
