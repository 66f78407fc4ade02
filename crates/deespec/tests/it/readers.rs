//! Others read families of every kind, and their names beside each other.

use std::collections::BTreeMap;

use deespec::exposition::openmetrics;
use deespec::{Aggregation, Buckets, Family, Kind, Store, Value as Metric, View};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::{gauge::Gauge, histogram::Histogram, info::Info};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tempfile::TempDir;

use crate::every_kind::of_every_kind;
use crate::programs::{both, promtool};
use crate::support::{folder, quiet};

/// Families of all kinds whose names clash, or look as if they did.
fn clashing() -> (TempDir, Store) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let classic = || Buckets::classic([-1.0, 1.0]).unwrap();
    for family in [
        Family::histogram("t", classic()),
        Family::gauge("t_count"),
        Family::gauge("t_sum"),
        Family::counter("t_bucket_total"),
        Family::histogram("t_created", Buckets::seconds()),
        Family::info("t_info"),
        Family::counter("jobs"),
        Family::gauge("jobs_total"),
        Family::histogram("jobs_total_seconds", classic()).with_unit("seconds"),
        Family::gauge("jobs_info"),
        Family::info("jobs"),
        Family::process_gauge("_share", Aggregation::Count),
        Family::info("_info"),
    ] {
        // A name has one kind: the second `jobs` is refused.
        let declared = store.declare(&family);
        assert_eq!(
            declared.is_err(),
            family == Family::info("jobs"),
            "{declared:?}"
        );
        let labels = [("queue", "mail")];
        match (declared.is_ok(), family.kind()) {
            (true, Kind::Counter) => store.counter_with(family.name(), &labels).unwrap().inc(),
            (true, Kind::Gauge) if family.name() == "_share" => {}
            (true, Kind::Gauge) => store.gauge_with(family.name(), &labels).unwrap().inc(),
            (true, Kind::Histogram) => {
                store
                    .histogram_with(family.name(), &labels)
                    .unwrap()
                    .observe(1.0);
            }
            (true, Kind::Info) => store.info(family.name(), &labels).unwrap(),
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
                    .map(|(k, v)| (k.to_owned(), v.to_owned())),
            );
            labels.extend(le.map(|le| ("le".to_owned(), format!("{le:?}"))));
            all.insert((format!("{name}{suffix}"), format!("{labels:?}")), value);
        };
        match &sample.total {
            Metric::Counter(total) => add("_total", None, *total as f64),
            Metric::Histogram(found) => {
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
            Metric::Info => add("", None, 1.0),
            gauge => add("", None, gauge.gauge().unwrap()),
        }
    }
    all
}

#[test]
fn python_reads_the_value_of_every_sample_of_every_kind() {
    let (_folder, store) = of_every_kind();
    store
        .declare(&Family::histogram("wide", Buckets::seconds()))
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
    store.declare(&Family::histogram("wait", buckets)).unwrap();
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
