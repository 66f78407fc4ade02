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
    // Its own text, which it is told to take.
    let Import::Added { passed_over, .. } = store.import(&file, true).unwrap() else {
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

#[test]
fn a_store_does_not_take_its_own_text_in_whatever_format_and_another_store_does() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.counter("sold_total").unwrap().add(5);
    store.histogram("b_seconds").unwrap().observe(0.25);
    let view = store.view().unwrap();
    let all = openmetrics::encode(&view);
    let part = all
        .lines()
        .filter(|line| line.contains("sold") || *line == "# EOF");
    let part = part.fold(String::new(), |text, line| text + line + "\n");
    for (number, text) in [prometheus::encode(&view), all, part]
        .into_iter()
        .enumerate()
    {
        let file = folder.path().join(format!("{number}.txt"));
        fs::write(&file, text).unwrap();
        // Also when it has counted more since, or was compacted.
        store.counter("sold_total").unwrap().add(2);
        let error = store.import(&file, false).unwrap_err().to_string();
        assert!(error.contains("a view of this very store"), "{error}");
        let other = quiet()
            .open(folder.path().join(format!("other-{number}")))
            .unwrap();
        assert!(matches!(
            other.import(&file, false).unwrap(),
            Import::Added { .. }
        ));
        assert_eq!(other.view().unwrap().value("sold_total", &[]), Some(5));
    }
    assert_eq!(store.view().unwrap().value("sold_total", &[]), Some(11));
}

#[test]
fn a_sum_that_is_not_that_of_its_buckets_comes_out_as_it_came_in_and_is_noted() {
    let page = |name: &str, bounds: [(&str, u64); 3], sum: &str| {
        let buckets =
            bounds.map(|(bound, count)| format!("{name}_bucket{{le=\"{bound}\"}} {count}\n"));
        let count = bounds[2].1;
        let buckets = buckets.concat();
        format!("# TYPE {name} histogram\n{buckets}{name}_sum {sum}\n{name}_count {count}\n")
    };
    for (bounds, sum, told) in [
        (
            [("1", 0), ("10", 0), ("+Inf", 0)],
            "5",
            "5 of a is more than its buckets",
        ),
        (
            [("0.1", 0), ("1", 1), ("+Inf", 1)],
            "31.5",
            "31.5 of a is more than its buckets",
        ),
        (
            [("5", 0), ("10", 2), ("+Inf", 2)],
            "7",
            "7 of a is less than its buckets",
        ),
        (
            [("5", 0), ("10", 2), ("+Inf", 2)],
            "-3",
            "-3 of a is less than its buckets",
        ),
        ([("0.5", 0), ("1e24", 2), ("+Inf", 2)], "1e24", ""),
        (
            [("0.5", 0), ("1e23", 2), ("+Inf", 2)],
            "324789.3",
            "324789.3 of a is kept as 300000, in steps of 100000",
        ),
        (
            [("1", 2), ("1e24", 2), ("+Inf", 2)],
            "1.25",
            "1.25 of a is kept as 1, in steps of 1",
        ),
        (
            [("1024", 2), ("1e6", 2), ("+Inf", 2)],
            "324.3",
            "324.3 of a is kept as 324, in steps of 1",
        ),
        (
            [("0.1", 1), ("1", 2), ("+Inf", 2)],
            "0.30000000000000004",
            "",
        ),
    ] {
        let folder = folder();
        let store = quiet().open(folder.path().join("var")).unwrap();
        let file = folder.path().join("in.txt");
        fs::write(&file, page("a", bounds, sum)).unwrap();
        let Import::Added {
            noted, passed_over, ..
        } = store.import(&file, false).unwrap()
        else {
            panic!("nothing was added");
        };
        assert_eq!(passed_over, [] as [String; 0]);
        match told {
            "" => assert_eq!(noted, [] as [String; 0]),
            told => assert!(noted[0].contains(told) && noted.len() == 1, "{noted:?}"),
        }
        let view = store.view().unwrap();
        let found = view.sample("a", &[]).unwrap().value.histogram().unwrap();
        let given: f64 = sum.parse().unwrap();
        assert!((found.sum() - given).abs() <= 0.5 * found.buckets().resolution());
        let pushed = store
            .push("w", 1, page("b", bounds, sum).as_bytes())
            .unwrap();
        assert_eq!(pushed.noted.len(), noted.len());
    }
}

#[test]
fn sums_that_the_buckets_would_not_tell_any_more_are_refused() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let page = |sum: &str| {
        format!(
            "# TYPE a histogram\na_bucket{{le=\"0.1\"}} 0\na_bucket{{le=\"+Inf\"}} 0\na_sum {sum}\na_count 0\n"
        )
    };
    // Of nothing observed, each within 2^62 steps and both together not.
    store.push("w", 1, page("4e9").as_bytes()).unwrap();
    let refused = store.push("w", 2, page("4e9").as_bytes()).unwrap_err();
    assert!(
        refused.to_string().contains("a would exceed 64 bits"),
        "{refused}"
    );
    let view = store.view().unwrap();
    assert_eq!(
        view.sample("a", &[])
            .unwrap()
            .total
            .histogram()
            .unwrap()
            .sum(),
        4e9
    );
    for sum in ["NaN", "+Inf", "1e300", "2e10"] {
        let file = folder.path().join("in.txt");
        fs::write(
            &file,
            page(sum).replace(" a ", " c ").replace("\na_", "\nc_"),
        )
        .unwrap();
        let Import::Added { passed_over, .. } = store.import(&file, false).unwrap() else {
            panic!("nothing was read");
        };
        assert!(
            passed_over[0].starts_with("c is passed over: sum is "),
            "{passed_over:?}"
        );
    }
    // So many that the sum wraps, which the buckets tell.
    let file = folder.path().join("in.txt");
    let many = 10_000_000_000_u64;
    let text = format!(
        "# TYPE d histogram\nd_bucket{{le=\"0.9\"}} 0\nd_bucket{{le=\"1\"}} {many}\nd_bucket{{le=\"+Inf\"}} {many}\nd_sum 1e10\nd_count {many}\n"
    );
    fs::write(&file, text).unwrap();
    assert!(matches!(
        store.import(&file, false).unwrap(),
        Import::Added { .. }
    ));
    let view = store.view().unwrap();
    assert_eq!(
        view.sample("d", &[])
            .unwrap()
            .total
            .histogram()
            .unwrap()
            .sum(),
        1e10
    );
}
