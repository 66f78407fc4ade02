//! What whole texts read as.

mod any;
mod refused;

use crate::exposition::{openmetrics, prometheus};
use crate::{Rotate, Store};

use super::super::document::bounded::SERIES_MAX;
use super::*;

fn parse(text: &str) -> Result<Text, TextError> {
    Text::parse(text.as_bytes(), SERIES_MAX)
}

/// The only family of an OpenMetrics text.
fn family(text: &str) -> TextFamily {
    let text = parse(&format!("{text}# EOF\n")).unwrap_or_else(|error| panic!("{error}\n{text}"));
    <[TextFamily; 1]>::try_from(text.families).unwrap()[0].clone()
}

fn labels(labels: &[(&str, &str)]) -> LabelSet {
    labels.iter().copied().collect()
}

fn point(labels: LabelSet, value: PointValue) -> Point {
    let created = None;
    Point {
        labels,
        value,
        created,
    }
}

const COMPLETE: &str = "\
# TYPE acme_http_router_request_seconds summary
# UNIT acme_http_router_request_seconds seconds
# HELP acme_http_router_request_seconds Latency though all of ACME's HTTP request router.
acme_http_router_request_seconds_sum{path=\"/api/v1\",method=\"GET\"} 9036.32
acme_http_router_request_seconds_count{path=\"/api/v1\",method=\"GET\"} 807283.0
acme_http_router_request_seconds_created{path=\"/api/v1\",method=\"GET\"} 1605281325.0
acme_http_router_request_seconds_sum{path=\"/api/v2\",method=\"POST\"} 479.3
acme_http_router_request_seconds_count{path=\"/api/v2\",method=\"POST\"} 34.0
acme_http_router_request_seconds_created{path=\"/api/v2\",method=\"POST\"} 1605281325.0
# TYPE go_goroutines gauge
# HELP go_goroutines Number of goroutines that currently exist.
go_goroutines 69
# TYPE process_cpu_seconds counter
# UNIT process_cpu_seconds seconds
# HELP process_cpu_seconds Total user and system CPU time spent in seconds.
process_cpu_seconds_total 4.20072246e+06
# EOF
";

const HISTOGRAM: &str = "\
# TYPE foo histogram
foo_bucket{le=\"0.0\"} 0
foo_bucket{le=\"1e-05\"} 0
foo_bucket{le=\"0.1\"} 8 # {} 0.054
foo_bucket{le=\"1\"} 11 # {trace_id=\"KOO5S4vxi0o\"} 0.67
foo_bucket{le=\"10\"} 17 # {trace_id=\"oHg5SJYRHA0\"} 9.8 1520879607.789
foo_bucket{le=\"1.1e+23\"} 17.0
foo_bucket{le=\"+Inf\"} 17
foo_count 17
foo_sum 324789.3
foo_created 1520430000.123
";

const PROMETHEUS: &str = "\
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000
http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem=\"division by zero\"} +Inf -3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le=\"0.05\"} 24054
http_request_duration_seconds_bucket{le=\"1\"} 133988
http_request_duration_seconds_bucket{le=\"+Inf\"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# Finally a summary, which has a complex representation, too:
# HELP rpc_duration_seconds A summary of the RPC duration in seconds.
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile=\"0.01\"} 3102
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
";

#[test]
fn the_complete_example_of_the_specification() {
    let text = parse(COMPLETE).unwrap();
    let kinds: Vec<(&str, TextKind, usize)> = text
        .families
        .iter()
        .map(|family| (family.name.as_str(), family.kind, family.points.len()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("acme_http_router_request_seconds", TextKind::Summary, 2),
            ("go_goroutines", TextKind::Gauge, 1),
            ("process_cpu_seconds", TextKind::Counter, 1),
        ]
    );
    let counter = &text.families[2];
    assert_eq!(counter.unit.as_deref(), Some("seconds"));
    assert!(counter.help.as_ref().unwrap().starts_with("Total user"));
    let value = PointValue::Counter(Number::Whole(4_200_722));
    assert_ne!(counter.points, [point(labels(&[]), value)]);
    let value = PointValue::Counter(Number::Float(4_200_722.46));
    assert_eq!(counter.points, [point(labels(&[]), value)]);
    assert_eq!(text.families[1].points[0].value, PointValue::Gauge(69.0));
    let without_newline = COMPLETE.strip_suffix('\n').unwrap();
    assert_eq!(parse(without_newline), Ok(text));
}

#[test]
fn the_specifications_examples_of_each_type() {
    let gauge =
        family("# TYPE foo gauge\nfoo{a=\"bb\"} 17.0 1520879607.789\nfoo{a=\"ccc\"} 17.0\n");
    let value = PointValue::Gauge(17.0);
    assert_eq!(
        gauge.points,
        [
            point(labels(&[("a", "bb")]), value.clone()),
            point(labels(&[("a", "ccc")]), value)
        ]
    );
    assert_eq!(family("# TYPE foo gauge\n").points, []);

    let counter = "foo_total 17.0 1520879607.789\nfoo_created 1520430000.123 1520879607.789\n";
    let counter = family(&format!("# TYPE foo counter\n{counter}"));
    let value = PointValue::Counter(Number::Whole(17));
    assert_eq!(
        counter.points,
        [Point {
            created: Some(1_520_430_000.123),
            ..point(labels(&[]), value)
        }]
    );

    let info = "foo_info{entity=\"controller\",name=\"pretty name\",version=\"8.2.7\"} 1.0\n\
                foo_info{entity=\"replica\",name=\"prettier name\",version=\"8.1.9\"} 1.0\n";
    let info = family(&format!("# TYPE foo info\n{info}"));
    assert_eq!(info.points.len(), 2);
    assert_eq!(info.points[1].value, PointValue::Info);

    let unknown = family("# TYPE foo unknown\nfoo 42.23\n");
    assert_eq!(
        unknown.points,
        [point(labels(&[]), PointValue::Unknown(42.23))]
    );
    let untyped = family("foo_total 42.23\n");
    assert_eq!(
        (untyped.name.as_str(), untyped.kind),
        ("foo_total", TextKind::Unknown)
    );

    for (text, kind) in [
        (
            "stateset\nfoo{foo=\"a\"} 0\nfoo{foo=\"bb\"} 1\n",
            TextKind::StateSet,
        ),
        (
            "summary\nfoo_count 17.0\nfoo_sum 3.3\nfoo_created 15.1\n",
            TextKind::Summary,
        ),
        (
            "summary\nfoo{quantile=\"0.95\"} 123.7\nfoo{quantile=\"0.99\"} 150.0\n",
            TextKind::Summary,
        ),
        (
            "summary\nfoo_count{a=\"bb\"} 0 123\nfoo_sum{a=\"bb\"} 0 123\nfoo_count{a=\"bb\"} 0 456\n",
            TextKind::Summary,
        ),
        (
            "gaugehistogram\nfoo_bucket{le=\"+Inf\"} 42.0 # {} 1\nfoo_gcount 42.0\nfoo_gsum 3.3\n",
            TextKind::GaugeHistogram,
        ),
    ] {
        let family = family(&format!("# TYPE foo {text}"));
        assert_eq!(family.kind, kind);
        // Of a summary there are the count and the sum.
        let has_points = kind == TextKind::Summary && text.contains("_sum");
        assert_eq!(!family.points.is_empty(), has_points, "{text}");
    }
}

#[test]
fn a_histogram_is_one_point() {
    let foo = family(HISTOGRAM);
    let value = PointValue::Histogram {
        buckets: vec![
            (0.0, 0),
            (1e-5, 0),
            (0.1, 8),
            (1.0, 11),
            (10.0, 17),
            (1.1e23, 17),
            (f64::INFINITY, 17),
        ],
        sum: Some(324_789.3),
        wide: Some(Number::Exact("324789.3".parse().unwrap())),
        count: 17,
    };
    let created = Some(1_520_430_000.123);
    assert_eq!(
        foo.points,
        [Point {
            created,
            ..point(labels(&[]), value)
        }]
    );
}

#[test]
fn labels_are_sorted_unescaped_and_without_empty_ones() {
    let foo = family("foo{b=\"x\\\\y\\\"z\\n\\\\n,}{=\",_a=\"\",a=\"ä\t\r\0\"} 1\nfoo{} 2\n");
    assert_eq!(
        foo.points,
        [
            point(
                labels(&[("a", "ä\t\r\0"), ("b", "x\\y\"z\n\\n,}{=")]),
                PointValue::Unknown(1.0)
            ),
            point(labels(&[]), PointValue::Unknown(2.0)),
        ]
    );
}

#[test]
fn metadata_may_be_empty_or_in_any_order() {
    let foo = family(
        "# HELP foo_seconds a \\n \\\" \\\\ b\n# UNIT foo_seconds seconds\n# TYPE foo_seconds gauge\n",
    );
    assert_eq!(foo.help.as_deref(), Some("a \n \" \\ b"));
    assert_eq!(foo.unit.as_deref(), Some("seconds"));
    assert_eq!(foo.kind, TextKind::Gauge);
    let foo = family("# UNIT foo \n# HELP foo \n");
    assert_eq!((foo.unit, foo.help), (None, None));
    assert_eq!(parse("# EOF"), Ok(Text { families: vec![] }));
}

#[test]
fn the_example_of_the_prometheus_text_format() {
    let text = parse(PROMETHEUS).unwrap();
    let names: Vec<(&str, TextKind)> = text
        .families
        .iter()
        .map(|family| (family.name.as_str(), family.kind))
        .collect();
    assert_eq!(
        names,
        [
            ("http_requests", TextKind::Counter),
            ("msdos_file_access_time_seconds", TextKind::Unknown),
            ("metric_without_timestamp_and_labels", TextKind::Unknown),
            ("something_weird", TextKind::Unknown),
            ("http_request_duration_seconds", TextKind::Histogram),
            ("rpc_duration_seconds", TextKind::Summary),
        ]
    );
    let requests = &text.families[0];
    assert_eq!(
        requests.help.as_deref(),
        Some("The total number of HTTP requests.")
    );
    assert_eq!(
        requests.points[1],
        point(
            labels(&[("code", "400"), ("method", "post")]),
            PointValue::Counter(Number::Whole(3))
        )
    );
    assert_eq!(
        text.families[1].points[0].labels,
        labels(&[
            ("error", "Cannot find file:\n\"FILE.TXT\""),
            ("path", "C:\\DIR\\FILE.TXT")
        ])
    );
    assert!(matches!(
        &text.families[4].points[0].value,
        PointValue::Histogram { buckets, sum: Some(_), count: 144_320, .. } if buckets.len() == 3
    ));
}

#[test]
fn prometheus_text_is_read_as_loosely_as_its_description_says() {
    let text = "  #TYPE\ta   counter \n\t a\t{ x = \"1\\d\" , y=\"2\" , }  3\t-7  \n# TYPE\n#\n#UNIT\n\
                # HELP a\n# HELP b x\\y \\\" \\\\ \\n\n# TYPE b untyped\nb NaN\n";
    let text = parse(text).unwrap();
    let [a, b] = text.families.as_slice() else {
        panic!("{text:?}");
    };
    let value = PointValue::Counter(Number::Whole(3));
    assert_eq!(
        a.points,
        [point(labels(&[("x", "1\\d"), ("y", "2")]), value)]
    );
    assert_eq!((a.name.as_str(), a.help.as_deref()), ("a", None));
    assert_eq!(b.help.as_deref(), Some("x\\y \\\" \\ \n"));
    assert_eq!(parse("\n \n# nothing\n"), Ok(Text { families: vec![] }));
    // What Python's client writes: times of creation as gauges of their own, and label sets mixed.
    let text = "# TYPE a_total counter\na_total 1\n# TYPE a_created gauge\na_created 1.6e9\n\
                # TYPE a gauge\na 2\n\
                # TYPE h histogram\nh_bucket{le=\"+Inf\",x=\"1\"} 1\nh_bucket{le=\"+Inf\",x=\"2\"} 2\n\
                h_count{x=\"1\"} 1\nh_sum{x=\"2\"} -1\n# TYPE h_created gauge\nh_created{x=\"1\"} 1\n";
    let text = parse(text).unwrap();
    let names = ["a", "a_created", "a", "h", "h_created"];
    assert!(text.families.iter().map(|family| &family.name).eq(names));
    assert_eq!(text.families[3].points.len(), 2);
}

#[test]
fn what_the_exposition_writes_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("var")).unwrap();
    let value = "a\\b\"c\nd\te,}{= #\u{2028}\r日本";
    store.transactions().success.add(142);
    let mut mail = store
        .counter_with("jobs_total", &[("queue", "mail"), ("at", value)])
        .unwrap();
    mail.add(u64::MAX);
    mail = store.counter_with("jobs_total", &[("queue", "")]).unwrap();
    mail.add(3);
    store.counter_with("jobs", &[]).unwrap().inc();
    store.counter_with("_total", &[]).unwrap().inc();
    store.rotate(Rotate::Reset).unwrap();
    let view = store.view().unwrap();

    let text = openmetrics::encode(&view);
    let read = parse(&text).unwrap();
    let jobs = read
        .families
        .iter()
        .find(|family| family.name == "jobs")
        .unwrap();
    assert_eq!(jobs.kind, TextKind::Counter);
    let values: Vec<(&LabelSet, &PointValue)> = jobs
        .points
        .iter()
        .map(|point| (&point.labels, &point.value))
        .collect();
    assert_eq!(
        values,
        [
            (&labels(&[]), &PointValue::Counter(Number::Whole(3))),
            (
                &labels(&[("at", value), ("queue", "mail")]),
                &PointValue::Counter(Number::Whole(u64::MAX))
            ),
        ]
    );
    assert!(jobs.points.iter().all(|point| point.created > Some(1.7e9)));

    // The other format says the same, but for the times.
    let mut without_times = read;
    for family in &mut without_times.families {
        for point in &mut family.points {
            point.created = None;
        }
    }
    assert_eq!(parse(&prometheus::encode(&view)), Ok(without_times));

    // Nothing is counted of a text that is cut off anywhere.
    for end in 0..text.len() - 1 {
        if let Ok(read) = Text::parse(&text.as_bytes()[..end], SERIES_MAX) {
            assert!(
                read.families.iter().all(|family| family.points.is_empty()),
                "{end}"
            );
        }
    }
}

#[test]
fn what_another_library_writes_is_read() {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::{
        counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info,
    };
    use prometheus_client::registry::{Registry, Unit};

    let mut registry = Registry::default();
    let jobs = Family::<Vec<(String, String)>, Counter>::default();
    jobs.get_or_create(&vec![("queue".to_owned(), "mail".to_owned())])
        .inc_by(7);
    registry.register("jobs", "Jobs", jobs);
    let gauge = Gauge::<i64>::default();
    gauge.set(-3);
    registry.register_with_unit("heap", "Heap", Unit::Bytes, gauge);
    let times = Histogram::new([0.1, 1.0]);
    times.observe(0.5);
    registry.register("times", "Times", times);
    registry.register("build", "Build", Info::new([("version", "1")]));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();

    let families = parse(&text).unwrap().families;
    let kinds: Vec<TextKind> = families.iter().map(|family| family.kind).collect();
    assert_eq!(
        kinds,
        [
            TextKind::Counter,
            TextKind::Gauge,
            TextKind::Histogram,
            TextKind::Info
        ],
        "{text}"
    );
    assert_eq!(families[0].points[0].labels, labels(&[("queue", "mail")]));
    assert_eq!(families[1].name, "heap_bytes");
    assert_eq!(
        families[2].points[0].value,
        PointValue::Histogram {
            buckets: vec![(0.1, 0), (1.0, 1), (f64::INFINITY, 1)],
            sum: Some(0.5),
            wide: Some(Number::Exact("0.5".parse().unwrap())),
            count: 1
        }
    );
}
