//! Importing what others expose: OpenMetrics and Prometheus text.

use std::fs;

use deespec::exposition::{openmetrics, prometheus};
use deespec::{Buckets, Family, Import, Value};

use crate::support::{folder, quiet, told, tree};

#[test]
fn what_one_store_exposes_another_takes_over_once() {
    let folder = folder();
    let store = quiet().open(folder.path().join("from")).unwrap();
    let wait = Buckets::classic([0.5, 1.0]).unwrap();
    let family = Family::histogram("wait_seconds", wait)
        .with_unit("seconds")
        .with_help("How long it \"waits\".");
    store.declare(&family).unwrap();
    store.transactions().success.add(3);
    store
        .counter_with("jobs_total", &[("job", "a\n\"b\\")])
        .unwrap()
        .add(u64::MAX);
    for value in [0.25, 0.75, 3.0] {
        store.histogram("wait_seconds").unwrap().observe(value);
    }
    store.gauge("depth").unwrap().set(-2.5);
    store.info("build_info", &[("version", "1")]).unwrap();
    let view = store.view().unwrap();
    for (name, text) in [
        ("openmetrics", openmetrics::encode(&view)),
        ("prometheus", prometheus::encode(&view)),
    ] {
        let file = folder.path().join(name).with_extension("txt");
        fs::write(&file, text).unwrap();
        let other = quiet().open(folder.path().join(name)).unwrap();
        other
            .counter_with("jobs_total", &[("job", "c")])
            .unwrap()
            .inc();
        let done = other.import(&file, false).unwrap();
        let Import::Added {
            counts,
            ref passed_over,
            ..
        } = done
        else {
            panic!("{done:?}");
        };
        assert_eq!(counts, 5, "3 commits, 3 observations, and 2^64 - 1 jobs");
        assert_eq!(*passed_over, Vec::<String>::new());
        let found = other.view().unwrap();
        let value =
            |name: &str, labels: &[(&str, &str)]| found.sample(name, labels).unwrap().value.clone();
        assert_eq!(found.transactions.success, 3);
        assert_eq!(
            value("jobs_total", &[("job", "a\n\"b\\")]).counter(),
            Some(u64::MAX)
        );
        assert_eq!(value("depth", &[]).gauge(), Some(-2.5));
        let wait = value("wait_seconds", &[]);
        let wait = wait.histogram().unwrap();
        assert_eq!((wait.counts(), wait.sum()), ([1, 1, 1].as_slice(), 4.0));
        let declared = found.family("wait_seconds").unwrap();
        assert_eq!(declared.help(), "How long it \"waits\".");
        if name == "openmetrics" {
            assert_eq!(declared.unit(), "seconds");
            assert_eq!(value("build_info", &[("version", "1")]), Value::Info);
        }
        assert!(matches!(
            other.import(&file, false).unwrap(),
            Import::Already { .. }
        ));
        assert_eq!(other.view().unwrap().transactions.success, 3);
    }
}

#[test]
fn a_text_that_is_not_whole_changes_nothing() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.counter("a_total").unwrap().inc();
    store.sync().unwrap();
    let file = folder.path().join("cut.txt");
    for text in [
        "# TYPE a counter\na_total 5\n",
        "# TYPE a gauge\na 1\na 2\n# EOF\n",
        "\u{1}\u{2}garbage",
    ] {
        fs::write(&file, text).unwrap();
        let error = store.import(&file, false).unwrap_err();
        told(&error, &file);
        let names: Vec<String> = tree(folder.path()).into_keys().collect();
        assert!(
            !names.iter().any(|name| name.contains("import")),
            "{names:?}"
        );
        assert_eq!(
            store.view().unwrap().value("a_total", &[]),
            Some(1),
            "{text:?}"
        );
    }
}

#[test]
fn a_gauge_that_is_there_already_keeps_its_value() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.gauge("depth").unwrap().set(7.0);
    let file = folder.path().join("in.txt");
    fs::write(
        &file,
        "# TYPE depth gauge\ndepth 1\ndepth{q=\"new\"} 2\n# EOF\n",
    )
    .unwrap();
    store.import(&file, false).unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.sample("depth", &[]).unwrap().value.gauge(), Some(7.0));
    assert_eq!(
        view.sample("depth", &[("q", "new")]).unwrap().value.gauge(),
        Some(2.0)
    );
}

#[test]
fn what_does_not_fit_into_the_store_is_passed_over_and_the_rest_is_taken() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.histogram("run_seconds").unwrap().observe(0.5);
    let _share = store.process_gauge("in_flight").unwrap();
    store.counter("runs_total").unwrap().add(2);
    let text = openmetrics::encode(&store.view().unwrap());
    let file = folder.path().join("in.txt");
    fs::write(&file, text).unwrap();
    let Import::Added { passed_over, .. } = store.import(&file, false).unwrap() else {
        panic!("nothing was added");
    };
    assert_eq!(passed_over.len(), 2, "{passed_over:?}");
    assert!(
        passed_over[0].starts_with("in_flight is passed over: metric"),
        "{passed_over:?}"
    );
    assert!(
        passed_over[1].contains("declared with buckets native"),
        "{passed_over:?}"
    );
    let view = store.view().unwrap();
    assert_eq!(view.value("runs_total", &[]), Some(4));
    let seconds = view.sample("run_seconds", &[]).unwrap();
    assert_eq!(seconds.value.histogram().unwrap().count(), 1);
}
