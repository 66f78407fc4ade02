//! Others read what we expose: Prometheus' own tool, Python's two parsers, and the encoder of the
//! crate `prometheus-client`.

use deespec::Store;
use deespec::exposition::openmetrics;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::{counter::Counter, family::Family};
use prometheus_client::registry::Registry;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use tempfile::TempDir;

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
