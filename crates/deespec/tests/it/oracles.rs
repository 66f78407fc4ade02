//! Others read what we expose: Prometheus' own tool, Python's two parsers, and the encoder of the
//! crate `prometheus-client`.

use std::collections::BTreeMap;

use deespec::exposition::openmetrics;
use deespec::{Aggregation, Buckets, Family as Declared, Store, View};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info,
};
use prometheus_client::registry::Registry;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use tempfile::TempDir;

use crate::every_kind::of_every_kind;
use crate::programs::{both, promtool};
use crate::support::{folder, quiet};

/// Names that try the rules: clashes, reserved suffixes, colons, underscores.
const NAMES: [&str; 16] = [
    "jobs",
    "jobs_total",
    "jobs_created",
    "jobs_total_total",
    "jobs_2",
    "a_bucket",
    "a_sum",
    "a_count",
    "a_info",
    "a_gcount",
    "_total",
    "_hidden",
    "__hidden_total",
    "job:rate:5m",
    ":",
    "UPPER_total",
];

/// A store with a series for each name and label value; the series of a name have values 1, 2, ….
fn filled(names: &[&str], values: &[String]) -> (TempDir, Store) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for name in names {
        for (by, value) in (1..).zip(values) {
            store
                .counter_with(name, &[("queue", value)])
                .unwrap()
                .add(by);
        }
    }
    (folder, store)
}

fn plain(names: &[&str]) -> (TempDir, Store) {
    filled(names, &["mail".to_owned(), "print".to_owned()])
}

#[test]
fn promtool_has_nothing_to_say_about_the_four_built_in_counters() {
    let (_folder, store) = plain(&["commit_success"]);
    assert_eq!(promtool(&store.view().unwrap()), (Some(0), String::new()));
}

#[test]
fn promtool_finds_nothing_invalid_whatever_the_names() {
    let (_folder, store) = plain(&NAMES);
    let (code, said) = promtool(&store.view().unwrap());
    // Advice about style ends with 3; a text that cannot be read, with 1.
    assert_eq!(code, Some(3), "{said}");
    // What its user chose, or did not give.
    let ours = |line: &&str| {
        ![
            "no help text",
            "should not contain ':'",
            "'snake_case' not 'camelCase'",
        ]
        .iter()
        .any(|advice| line.contains(advice))
    };
    assert_eq!(said.lines().filter(ours).collect::<Vec<_>>(), [""; 0]);
}

/// The samples with this suffix: name, value of the label `queue`, value.
fn samples(families: &[Value], suffix: &str) -> Vec<(String, String, u64)> {
    let all = families
        .iter()
        .flat_map(|family| family["samples"].as_array().unwrap());
    all.filter_map(|sample| {
        let name = sample[0].as_str().unwrap();
        let queue = sample[1]["queue"].as_str().unwrap_or_default();
        let value = sample[2].as_f64().unwrap() as u64;
        name.ends_with(suffix)
            .then(|| (name.to_owned(), queue.to_owned(), value))
    })
    .collect()
}

#[test]
fn python_reads_every_family_as_a_counter_whatever_the_names() {
    let (_folder, store) = plain(&NAMES);
    let view = store.view().unwrap();
    let created = view.series[0]
        .created
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let [strict, lax] = both(&view);
    for families in [&strict, &lax] {
        assert_eq!(families.len(), NAMES.len() + 4);
        assert!(
            families.iter().all(|family| family["type"] == "counter"),
            "{families:#?}"
        );
        // Every series is there, none merged with another.
        let totals = samples(families, "_total");
        assert_eq!(totals.len(), NAMES.len() * 2 + 4);
        assert_eq!(totals.iter().map(|(.., value)| value).sum::<u64>(), 16 * 3);
    }
    assert_eq!(samples(&strict, "_total"), samples(&lax, "_total"));
    let times = samples(&strict, "_created");
    assert_eq!(times.len(), NAMES.len() * 2 + 4);
    let soon = |at: u64| at.abs_diff(created.as_secs()) < 60;
    assert!(times.iter().all(|(.., at)| soon(*at)), "{times:?}");
}

#[test]
fn python_reads_back_any_label_value() {
    let mut runner = TestRunner::deterministic();
    let any = proptest::collection::vec(proptest::char::any(), 1..40);
    let mut values: Vec<String> = (0..500)
        .map(|_| {
            any.new_tree(&mut runner)
                .unwrap()
                .current()
                .into_iter()
                .collect()
        })
        .chain(
            [
                "\\", "\"", "\n", "\\n", "\\\\n", "\\\"", "\r\n", "}", "{", ",", "=", "# EOF", "\0",
            ]
            .map(str::to_owned),
        )
        .chain(
            [
                " ",
                "\t",
                "a\" 1\nb_total{x=\"",
                "\u{feff}",
                "\u{2028}",
                "\u{85}",
                "日本語",
            ]
            .map(str::to_owned),
        )
        .collect();
    values.sort();
    values.dedup();
    let (_folder, store) = filled(&["jobs_total"], &values);
    let expected: Vec<_> = (1..)
        .zip(&values)
        .map(|(by, value)| ("jobs_total".to_owned(), value.clone(), by))
        .collect();
    for families in both(&store.view().unwrap()) {
        let mut found = samples(&families, "_total");
        found.retain(|(name, ..)| name == "jobs_total");
        assert_eq!(found, expected);
    }
}

#[test]
fn the_crate_prometheus_client_writes_the_same_samples() {
    let queues = ["mail", "a b,c={}", "ä日本"].map(str::to_owned);
    // No value that must be escaped: that crate escapes none (0.24).
    let mut registry = Registry::default();
    let jobs = Family::<Vec<(String, String)>, Counter>::default();
    registry.register("jobs", "Jobs", jobs.clone());
    for (by, queue) in (1..).zip(&queues) {
        let labels = vec![("queue".to_owned(), queue.clone())];
        jobs.get_or_create(&labels).inc_by(by);
    }
    let mut theirs = String::new();
    encode_registry(&mut theirs, &registry).unwrap();
    let (_folder, store) = filled(&["jobs_total"], &queues);
    let ours = openmetrics::encode(&store.view().unwrap());
    let lines = |text: &str| {
        let about =
            |line: &&str| line.starts_with("# TYPE jobs ") || line.starts_with("jobs_total");
        let mut lines: Vec<_> = text.lines().filter(about).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&ours), lines(&theirs));
    assert_eq!(lines(&ours).len(), 1 + queues.len());
}

/// Families of all kinds whose names clash, or look as if they did.
fn clashing() -> (TempDir, Store) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let classic = || Buckets::classic([-1.0, 1.0]).unwrap();
    for family in [
        Declared::histogram("t", classic()),
        Declared::gauge("t_count"),
        Declared::gauge("t_sum"),
        Declared::counter("t_bucket_total"),
        Declared::histogram("t_created", Buckets::seconds()),
        Declared::info("t_info"),
        Declared::counter("jobs"),
        Declared::gauge("jobs_total"),
        Declared::histogram("jobs_total_seconds", classic()).with_unit("seconds"),
        Declared::gauge("jobs_info"),
        Declared::info("jobs"),
        Declared::process_gauge("_share", Aggregation::Count),
        Declared::info("_info"),
    ] {
        // A name has one kind: the second `jobs` is refused.
        let declared = store.declare(&family);
        assert_eq!(
            declared.is_err(),
            family == Declared::info("jobs"),
            "{declared:?}"
        );
        let labels = [("queue", "mail")];
        match (declared.is_ok(), family.kind()) {
            (true, deespec::Kind::Counter) => {
                store.counter_with(family.name(), &labels).unwrap().inc()
            }
            (true, deespec::Kind::Gauge) if family.name() == "_share" => {}
            (true, deespec::Kind::Gauge) => store.gauge_with(family.name(), &labels).unwrap().inc(),
            (true, deespec::Kind::Histogram) => {
                store
                    .histogram_with(family.name(), &labels)
                    .unwrap()
                    .observe(1.0);
            }
            (true, deespec::Kind::Info) => store.info(family.name(), &labels).unwrap(),
            _ => {}
        }
    }
    drop(
        store
            .process_gauge_with("_share", &[("queue", "mail")])
            .unwrap(),
    );
    (folder, store)
}

#[test]
fn promtool_finds_nothing_invalid_in_any_kind() {
    for (_folder, store) in [of_every_kind(), clashing()] {
        let (code, said) = promtool(&store.view().unwrap());
        // Advice about what users named so, or gave no help text.
        assert!(matches!(code, Some(0 | 3)), "{said}");
        assert!(
            !said.contains("error") && !said.contains("duplicate"),
            "{said}"
        );
    }
}

#[test]
fn python_finds_no_clash_between_kinds() {
    let (_folder, store) = clashing();
    let [strict, lax] = both(&store.view().unwrap());
    let names = |families: &[Value]| {
        families
            .iter()
            .map(|family| family["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for name in [
        "t",
        "t_count_2",
        "t_sum_2",
        "t_bucket_2",
        "t_created_2",
        "jobs",
        "jobs_total_2",
    ] {
        assert!(
            names(&strict).iter().any(|one| one == name),
            "{name}: {:?}",
            names(&strict)
        );
    }
    assert_eq!(strict.len(), 12 + 4);
    assert_eq!(lax.len(), strict.len());
}

/// What a view says, in the words of Prometheus text: name, labels, value.
fn expected(view: &View) -> BTreeMap<(String, String), f64> {
    let mut all = BTreeMap::new();
    for sample in view.samples() {
        let name = sample.name.strip_suffix("_total").unwrap_or(&sample.name);
        let mut add = |suffix: &str, le: Option<f64>, value: f64| {
            let mut labels = BTreeMap::from_iter(
                sample
                    .labels
                    .clone()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone())),
            );
            labels.extend(le.map(|le| ("le".to_owned(), format!("{le:?}"))));
            all.insert((format!("{name}{suffix}"), format!("{labels:?}")), value);
        };
        match &sample.total {
            deespec::Value::Counter(total) => add("_total", None, *total as f64),
            deespec::Value::Histogram(found) => {
                for (le, cells) in found.buckets().text_bounds() {
                    add(
                        "_bucket",
                        Some(le),
                        found.counts()[..cells].iter().sum::<u64>() as f64,
                    );
                }
                add("_bucket", Some(f64::INFINITY), found.count() as f64);
                add("_count", None, found.count() as f64);
                add("_sum", None, found.sum());
            }
            deespec::Value::Info => add("", None, 1.0),
            gauge => add("", None, gauge.gauge().unwrap()),
        }
    }
    all
}

#[test]
fn python_reads_the_value_of_every_sample_of_every_kind() {
    let (_folder, store) = of_every_kind();
    store
        .declare(&Declared::histogram("wide", Buckets::seconds()))
        .unwrap();
    let wide = store.histogram_with("wide", &[("queue", "}{,=")]).unwrap();
    for power in -30..20 {
        wide.observe(1.3 * f64::from(power).exp2());
    }
    store
        .process_gauge("oldest_seconds")
        .unwrap()
        .set(1e-7)
        .unwrap();
    let view = store.view().unwrap();
    let expected = expected(&view);
    for families in both(&view) {
        let mut found = BTreeMap::new();
        for sample in families
            .iter()
            .flat_map(|family| family["samples"].as_array().unwrap())
        {
            let mut labels: BTreeMap<String, String> =
                serde_json::from_value(sample[1].clone()).unwrap();
            if let Some(le) = labels.get_mut("le") {
                *le = format!("{:?}", le.parse::<f64>().unwrap());
            }
            let value = match &sample[2] {
                Value::String(text) => text.parse().unwrap(),
                number => number.as_f64().unwrap(),
            };
            let name = sample[0].as_str().unwrap();
            if !name.ends_with("_created") {
                assert_eq!(
                    found.insert((name.to_owned(), format!("{labels:?}")), value),
                    None
                );
            }
        }
        // NaN equals nothing; as text it does.
        assert_eq!(format!("{found:#?}"), format!("{expected:#?}"));
    }
    let [strict, _] = both(&view);
    let units: Vec<_> = strict
        .iter()
        .filter(|family| family["unit"] != "")
        .map(|family| {
            (
                family["name"].as_str().unwrap(),
                family["unit"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        units,
        [
            ("oldest_seconds", "seconds"),
            ("sent_bytes", "bytes"),
            ("wait_seconds", "seconds")
        ]
    );
}

#[test]
fn the_crate_prometheus_client_writes_the_same_lines_of_other_kinds() {
    let mut registry = Registry::default();
    let depth = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
    depth.set(-2.25);
    registry.register("depth", "d", depth);
    let wait = Histogram::new([0.1, 1.0, 10.0]);
    registry.register("wait", "w", wait.clone());
    registry.register("build", "b", Info::new([("version", "1.4.0")]));
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let buckets = Buckets::classic([0.1, 1.0, 10.0]).unwrap();
    store
        .declare(&Declared::histogram("wait", buckets))
        .unwrap();
    store.gauge("depth").unwrap().set(-2.25);
    store.info("build_info", &[("version", "1.4.0")]).unwrap();
    for value in [0.0625, 0.1, 0.5, 7.0, 70.0] {
        wait.observe(value);
        store.histogram("wait").unwrap().observe(value);
    }
    let mut theirs = String::new();
    encode_registry(&mut theirs, &registry).unwrap();
    let ours = openmetrics::encode(&store.view().unwrap());
    let lines = |text: &str| {
        let about = |line: &&str| {
            let name = line.strip_prefix("# TYPE ").unwrap_or(line);
            ["depth", "wait", "build"]
                .iter()
                .any(|one| name.starts_with(one))
        };
        // Only we write this one.
        let shared = |line: &&str| about(line) && !line.starts_with("wait_created");
        let mut lines: Vec<_> = text.lines().filter(shared).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&ours), lines(&theirs));
    assert_eq!(lines(&ours).len(), 3 + 1 + 6 + 1);
}
