//! What Prometheus reads of gauges, histograms and info metrics, byte for byte.

use deespec::exposition::{Format, openmetrics, prometheus, protobuf};
use deespec::{Aggregation, Buckets, Family, Kind, Rotate, Store, View};
use tempfile::TempDir;

use crate::exposition::{others, still, store};
use crate::support::folder;

/// A store with one family of each kind, so that each has a value.
pub(crate) fn of_every_kind() -> (TempDir, Store) {
    let (folder, store) = store();
    for family in [
        Family::counter("sent_bytes_total")
            .with_unit("bytes")
            .with_help("What was sent, \"raw\"\nand \\ all."),
        Family::gauge("queue_depth").with_help("Jobs that wait."),
        Family::process_gauge("oldest_seconds", Aggregation::Max).with_unit("seconds"),
        Family::histogram("wait_seconds", Buckets::classic([0.1, 1.0, 2.5e6]).unwrap())
            .with_unit("seconds"),
        Family::histogram("size_bytes", Buckets::native(0, 1.0, 8.0).unwrap()),
        Family::info("build_info").with_help("What was built."),
    ] {
        store.declare(&family).unwrap();
    }
    store.counter("sent_bytes_total").unwrap().add(3);
    let depth = |queue, value| {
        let gauge = store.gauge_with("queue_depth", &[("queue", queue)]);
        gauge.unwrap().set(value);
    };
    depth("a", -2.5);
    depth("b", f64::NAN);
    depth("c", f64::INFINITY);
    depth("d", f64::NEG_INFINITY);
    depth("e", 1e21);
    let wait = store
        .histogram_with("wait_seconds", &[("queue", "a")])
        .unwrap();
    for value in [0.1, 0.5, 0.5, 3e6] {
        wait.observe(value);
    }
    let size = store.histogram("size_bytes").unwrap();
    for value in [0.0, -3.0, 1.0, 3.0, 8.0, 9.0] {
        size.observe(value);
    }
    store.info("build_info", &[("version", "1.4.0")]).unwrap();
    (folder, store)
}

#[test]
fn every_kind_has_its_lines_in_openmetrics() {
    let (_folder, store) = of_every_kind();
    // A live process with a share makes the largest one visible; none leaves no line at all.
    let before = openmetrics::encode(&store.view().unwrap());
    assert!(!before.contains("oldest_seconds"), "{before}");
    let oldest = store.process_gauge("oldest_seconds").unwrap();
    oldest.set(1.5).unwrap();
    assert_eq!(
        others(&openmetrics::encode(&store.view().unwrap())),
        [
            "# TYPE build info",
            "# HELP build What was built.",
            r#"build_info{version="1.4.0"} 1"#,
            "# TYPE oldest_seconds gauge",
            "# UNIT oldest_seconds seconds",
            "oldest_seconds 1.5",
            "# TYPE queue_depth gauge",
            "# HELP queue_depth Jobs that wait.",
            r#"queue_depth{queue="a"} -2.5"#,
            r#"queue_depth{queue="b"} NaN"#,
            r#"queue_depth{queue="c"} +Inf"#,
            r#"queue_depth{queue="d"} -Inf"#,
            r#"queue_depth{queue="e"} 1e+21"#,
            "# TYPE sent_bytes counter",
            "# UNIT sent_bytes bytes",
            r#"# HELP sent_bytes What was sent, \"raw\"\nand \\ all."#,
            "sent_bytes_total 3",
            "sent_bytes_created 1795417689.123456789",
            "# TYPE size_bytes histogram",
            r#"size_bytes_bucket{le="0.5"} 2"#,
            r#"size_bytes_bucket{le="1.0"} 3"#,
            r#"size_bytes_bucket{le="2.0"} 3"#,
            r#"size_bytes_bucket{le="4.0"} 4"#,
            r#"size_bytes_bucket{le="8.0"} 5"#,
            r#"size_bytes_bucket{le="+Inf"} 6"#,
            "size_bytes_sum 18.0",
            "size_bytes_count 6",
            "size_bytes_created 1795417689.123456789",
            "# TYPE wait_seconds histogram",
            "# UNIT wait_seconds seconds",
            r#"wait_seconds_bucket{queue="a",le="0.1"} 1"#,
            r#"wait_seconds_bucket{queue="a",le="1.0"} 3"#,
            r#"wait_seconds_bucket{queue="a",le="2.5e+06"} 3"#,
            r#"wait_seconds_bucket{queue="a",le="+Inf"} 4"#,
            r#"wait_seconds_sum{queue="a"} 3.0000011e+06"#,
            r#"wait_seconds_count{queue="a"} 4"#,
            r#"wait_seconds_created{queue="a"} 1795417689.123456789"#,
            "# EOF",
        ]
    );
}

#[test]
fn prometheus_text_has_the_same_lines_without_units_and_times() {
    let (_folder, store) = of_every_kind();
    let view = store.view().unwrap();
    let text = prometheus::encode(&view);
    let sample = |line: &&str| !line.starts_with('#') && !line.contains("_created");
    assert_eq!(
        text.lines().filter(sample).collect::<Vec<_>>(),
        openmetrics::encode(&view)
            .lines()
            .filter(sample)
            .collect::<Vec<_>>()
    );
    let metadata = |line: &&str| line.starts_with('#');
    assert_eq!(
        others(&text)
            .into_iter()
            .filter(metadata)
            .collect::<Vec<_>>(),
        [
            "# HELP build_info What was built.",
            "# TYPE build_info gauge",
            "# HELP queue_depth Jobs that wait.",
            "# TYPE queue_depth gauge",
            r#"# HELP sent_bytes_total What was sent, "raw"\nand \\ all."#,
            "# TYPE sent_bytes_total counter",
            "# TYPE size_bytes histogram",
            "# TYPE wait_seconds histogram",
        ]
    );
}

#[test]
fn openmetrics_has_no_sum_that_could_go_down() {
    let (_folder, store) = store();
    let celsius = Buckets::native(0, 1.0, 2.0).unwrap().with_negative();
    let below = Buckets::classic([-1.0, 1.0]).unwrap();
    for (name, buckets) in [("a_celsius", celsius.unwrap()), ("b_celsius", below)] {
        store.declare(&Family::histogram(name, buckets)).unwrap();
        store.histogram(name).unwrap().observe(5.0);
    }
    // No bound is below zero, yet an observation was.
    store
        .declare(&Family::histogram(
            "c_delta",
            Buckets::classic([1.0]).unwrap(),
        ))
        .unwrap();
    let fell = |labels| {
        store
            .histogram_with("c_delta", labels)
            .unwrap()
            .observe(-4.0)
    };
    fell(&[]);
    store
        .histogram_with("c_delta", &[("a", "b")])
        .unwrap()
        .observe(4.0);
    let view = store.view().unwrap();
    let of = |text: &str| {
        let about = |line: &&str| {
            line.contains("_sum") || line.contains("_count{") || line.contains("_count ")
        };
        others(text)
            .into_iter()
            .filter(about)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(&openmetrics::encode(&view)),
        [r#"c_delta_sum{a="b"} 4.0"#, r#"c_delta_count{a="b"} 1"#]
    );
    assert_eq!(of(&prometheus::encode(&view)).len(), 8);
    let text = openmetrics::encode(&view);
    for line in [
        "a_celsius_bucket{le=\"-2.0000000000000004\"} 0\n",
        "a_celsius_bucket{le=\"-1.0000000000000002\"} 0\n",
        "a_celsius_bucket{le=\"-0.5000000000000001\"} 0\n",
        "a_celsius_bucket{le=\"0.5\"} 0\n",
        "a_celsius_bucket{le=\"+Inf\"} 1\n",
        "b_celsius_bucket{le=\"-1.0\"} 0\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_unit_is_left_out_where_a_clash_changed_the_name() {
    let folder = folder();
    for (second, family) in [
        (1, Family::gauge("wait_seconds").with_unit("seconds")),
        (
            2,
            Family::counter("wait_seconds_total")
                .with_unit("seconds")
                .with_help("Waited."),
        ),
    ] {
        let store = still(second).open(folder.path()).unwrap();
        store.declare(&family).unwrap();
        match family.kind() {
            Kind::Gauge => store.gauge(family.name()).unwrap().set(1.0),
            _ => store.counter(family.name()).unwrap().inc(),
        }
    }
    let store = still(3).open(folder.path()).unwrap();
    assert_eq!(
        others(&openmetrics::encode(&store.view().unwrap())),
        [
            "# TYPE wait_seconds gauge",
            "# UNIT wait_seconds seconds",
            "wait_seconds 1.0",
            "# TYPE wait_seconds_2 counter",
            "# HELP wait_seconds_2 The counter wait_seconds_total, whose own name is taken or reserved. Waited.",
            "wait_seconds_2_total 1",
            "wait_seconds_2_created 1795417691.123456789",
            "# EOF",
        ]
    );
}

#[test]
fn empty_labels_merge_histograms_and_keep_the_first_gauge() {
    let (_folder, store) = store();
    store
        .declare(&Family::histogram("t", Buckets::classic([1.0]).unwrap()))
        .unwrap();
    for labels in [&[("a", "")][..], &[("b", "")]] {
        store.histogram_with("t", labels).unwrap().observe(0.5);
        store
            .gauge_with("g", labels)
            .unwrap()
            .set(if labels[0].0 == "a" { 1.0 } else { 2.0 });
        store.info("i", labels).unwrap();
    }
    let text = prometheus::encode(&store.view().unwrap());
    assert_eq!(
        others(&text)
            .into_iter()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>(),
        [
            "g 1.0",
            "i_info 1",
            r#"t_bucket{le="1.0"} 2"#,
            r#"t_bucket{le="+Inf"} 2"#,
            "t_sum 1.0",
            "t_count 2",
        ]
    );
}

#[test]
fn a_rotation_changes_no_exposition_of_any_kind() {
    let (_folder, store) = of_every_kind();
    let all = |view: &View| {
        [Format::OpenMetrics, Format::Prometheus, Format::Protobuf]
            .map(|format| format.encode(view))
    };
    let before = all(&store.view().unwrap());
    store.rotate(Rotate::Reset).unwrap();
    assert!(all(&store.view().unwrap()) == before);
    // The text is that of the encoder, and the type says which.
    let view = store.view().unwrap();
    assert_eq!(
        Format::OpenMetrics.encode(&view),
        openmetrics::encode(&view).into_bytes()
    );
    assert_eq!(Format::Protobuf.content_type(), protobuf::CONTENT_TYPE);
}
