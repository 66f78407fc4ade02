//! An independent decoder reads our protobuf, and every value in it is compared with the view.

use std::collections::BTreeMap;

use deespec::exposition::{prometheus, protobuf};
use deespec::{Buckets, Distribution, Family, Store, Value, View};
use prost::Message;

use crate::every_kind::of_every_kind;
use crate::exposition::store;

/// The messages of `io.prometheus.client`, by the field numbers of its `metrics.proto`.
mod client {
    use prost::{Enumeration, Message};

    #[derive(Message)]
    pub(super) struct MetricFamily {
        #[prost(string, optional, tag = "1")]
        pub(super) name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub(super) help: Option<String>,
        #[prost(enumeration = "MetricType", optional, tag = "3")]
        pub(super) r#type: Option<i32>,
        #[prost(message, repeated, tag = "4")]
        pub(super) metric: Vec<Metric>,
        #[prost(string, optional, tag = "5")]
        pub(super) unit: Option<String>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Enumeration)]
    #[repr(i32)]
    pub(super) enum MetricType {
        Counter = 0,
        Gauge = 1,
        Summary = 2,
        Untyped = 3,
        Histogram = 4,
        GaugeHistogram = 5,
    }

    #[derive(Message)]
    pub(super) struct Metric {
        #[prost(message, repeated, tag = "1")]
        pub(super) label: Vec<LabelPair>,
        #[prost(message, optional, tag = "2")]
        pub(super) gauge: Option<Gauge>,
        #[prost(message, optional, tag = "3")]
        pub(super) counter: Option<Counter>,
        #[prost(message, optional, tag = "7")]
        pub(super) histogram: Option<Histogram>,
        #[prost(int64, optional, tag = "6")]
        pub(super) timestamp_ms: Option<i64>,
    }

    #[derive(Message)]
    pub(super) struct LabelPair {
        #[prost(string, optional, tag = "1")]
        pub(super) name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub(super) value: Option<String>,
    }

    #[derive(Message)]
    pub(super) struct Gauge {
        #[prost(double, optional, tag = "1")]
        pub(super) value: Option<f64>,
    }

    #[derive(Message)]
    pub(super) struct Counter {
        #[prost(double, optional, tag = "1")]
        pub(super) value: Option<f64>,
        #[prost(message, optional, tag = "3")]
        pub(super) created_timestamp: Option<Timestamp>,
    }

    #[derive(Message)]
    pub(super) struct Histogram {
        #[prost(uint64, optional, tag = "1")]
        pub(super) sample_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub(super) sample_sum: Option<f64>,
        #[prost(message, repeated, tag = "3")]
        pub(super) bucket: Vec<Bucket>,
        #[prost(sint32, optional, tag = "5")]
        pub(super) schema: Option<i32>,
        #[prost(double, optional, tag = "6")]
        pub(super) zero_threshold: Option<f64>,
        #[prost(uint64, optional, tag = "7")]
        pub(super) zero_count: Option<u64>,
        #[prost(message, repeated, tag = "9")]
        pub(super) negative_span: Vec<BucketSpan>,
        #[prost(sint64, repeated, packed = "false", tag = "10")]
        pub(super) negative_delta: Vec<i64>,
        #[prost(message, repeated, tag = "12")]
        pub(super) positive_span: Vec<BucketSpan>,
        #[prost(sint64, repeated, packed = "false", tag = "13")]
        pub(super) positive_delta: Vec<i64>,
        #[prost(message, optional, tag = "15")]
        pub(super) created_timestamp: Option<Timestamp>,
    }

    #[derive(Message)]
    pub(super) struct Bucket {
        #[prost(uint64, optional, tag = "1")]
        pub(super) cumulative_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub(super) upper_bound: Option<f64>,
    }

    #[derive(Message)]
    pub(super) struct BucketSpan {
        #[prost(sint32, optional, tag = "1")]
        pub(super) offset: Option<i32>,
        #[prost(uint32, optional, tag = "2")]
        pub(super) length: Option<u32>,
    }

    #[derive(Message)]
    pub(super) struct Timestamp {
        #[prost(int64, tag = "1")]
        pub(super) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(super) nanos: i32,
    }
}

use client::{BucketSpan, Histogram, MetricFamily, MetricType, Timestamp};

fn decode(view: &View) -> Vec<MetricFamily> {
    let bytes = protobuf::encode(view);
    let mut rest = &bytes[..];
    let mut families = Vec::new();
    while !rest.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut rest).unwrap());
    }
    // A field that the messages above do not know would be gone when they are written again.
    let again: Vec<u8> = families
        .iter()
        .flat_map(MetricFamily::encode_length_delimited_to_vec)
        .collect();
    let read = |mut rest: &[u8]| {
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let family = MetricFamily::decode_length_delimited(&mut rest).unwrap();
            texts.push(format!("{family:?}"));
        }
        texts
    };
    assert_eq!(read(&bytes), read(&again));
    families
}

fn is_moment(time: Option<&Timestamp>) -> bool {
    time.is_some_and(|time| (time.seconds, time.nanos) == (1_795_417_689, 123_456_789))
}

/// The counts by Prometheus index.
fn side(spans: &[BucketSpan], deltas: &[i64]) -> BTreeMap<i32, u64> {
    let (mut index, mut count) = (0, 0);
    let mut deltas = deltas.iter();
    let mut side = BTreeMap::new();
    for span in spans {
        index += span.offset.unwrap();
        for _ in 0..span.length.unwrap() {
            count += deltas.next().unwrap();
            side.insert(index, u64::try_from(count).unwrap());
            index += 1;
        }
    }
    assert_eq!(
        deltas.next(),
        None,
        "more differences than the spans have room for"
    );
    side.retain(|_, count| *count > 0);
    side
}

/// The Prometheus index of the bucket that ends with `bound`, by the definition: bound = 2^(index / 2^schema).
fn index(bound: f64, schema: i32) -> i32 {
    if bound.is_infinite() {
        // One above the bucket of the largest number, whose bound would be 2^1024.
        return (1024.0 * f64::from(schema).exp2()).ceil() as i32 + 1;
    }
    (bound.log2() * f64::from(schema).exp2()).round() as i32
}

fn check_histogram(found: &Histogram, truth: &Distribution) {
    assert_eq!(found.sample_count, Some(truth.count()));
    assert_eq!(found.sample_sum, Some(truth.sum()));
    assert!(is_moment(found.created_timestamp.as_ref()));
    // The cumulative buckets: whatever is at or below each bound.
    let (last, others) = found.bucket.split_last().unwrap();
    assert_eq!(last.upper_bound, Some(f64::INFINITY));
    assert_eq!(last.cumulative_count, Some(truth.count()));
    assert_eq!(others.len(), truth.buckets().text_bounds().len());
    for bucket in others {
        let bound = bucket.upper_bound.unwrap();
        let below = truth.iter().filter(|cell| cell.upper <= bound.next_up());
        assert_eq!(
            bucket.cumulative_count,
            Some(below.map(|cell| cell.count).sum()),
            "{bound}"
        );
    }
    let Some(schema) = truth.buckets().schema() else {
        assert_eq!(
            (found.schema, found.zero_threshold, found.zero_count),
            (None, None, None)
        );
        assert!(found.positive_span.is_empty() && found.negative_span.is_empty());
        return;
    };
    let schema = i32::from(schema);
    assert_eq!(found.schema, Some(schema));
    let threshold = truth.buckets().zero_threshold().unwrap();
    assert_eq!(found.zero_threshold, Some(threshold));
    assert!(
        threshold > 0.0,
        "an empty one would be taken for a classic histogram"
    );
    let (mut zero, mut negative, mut positive) = (0, BTreeMap::new(), BTreeMap::new());
    for cell in truth.iter() {
        if cell.lower < 0.0 && cell.upper > 0.0 {
            zero = cell.count;
        } else if cell.upper > 0.0 {
            positive.insert(index(cell.upper, schema), cell.count);
        } else {
            negative.insert(index(-cell.lower, schema), cell.count);
        }
    }
    assert_eq!(found.zero_count, Some(zero));
    assert_eq!(side(&found.positive_span, &found.positive_delta), positive);
    assert_eq!(side(&found.negative_span, &found.negative_delta), negative);
}

#[test]
fn a_decoder_finds_every_family_and_value_of_the_view() {
    let (_folder, store) = of_every_kind();
    let view = store.view().unwrap();
    let families = decode(&view);
    let names: Vec<_> = families
        .iter()
        .map(|family| family.name.as_deref().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "build_info",
            "cas_conflicts_total",
            "commit_failed_total",
            "commit_success_total",
            "queue_depth",
            "recovery_count_total",
            "sent_bytes_total",
            "size_bytes",
            "wait_seconds",
        ]
    );
    for family in &families {
        let name = family.name.as_deref().unwrap();
        let registered = name.strip_suffix("_total").unwrap_or(name);
        let kind = family.r#type();
        for metric in &family.metric {
            assert_eq!(metric.timestamp_ms, None);
            let labels: Vec<_> = metric
                .label
                .iter()
                .map(|pair| {
                    (
                        pair.name.as_deref().unwrap(),
                        pair.value.as_deref().unwrap(),
                    )
                })
                .collect();
            let same =
                |name: &str| name == registered || name.strip_suffix("_total") == Some(registered);
            let sample = view.samples().find(|sample| {
                same(&sample.name) && sample.labels.iter().eq(labels.iter().copied())
            });
            let gauge = metric.gauge.as_ref().and_then(|gauge| gauge.value);
            match &sample.unwrap().total {
                Value::Counter(total) => {
                    let counter = metric.counter.as_ref().unwrap();
                    assert_eq!(
                        (kind, counter.value),
                        (MetricType::Counter, Some(*total as f64))
                    );
                    assert!(is_moment(counter.created_timestamp.as_ref()));
                }
                Value::Gauge(value) => {
                    assert_eq!(kind, MetricType::Gauge);
                    assert_eq!(gauge.unwrap().to_bits(), value.to_bits());
                }
                Value::Histogram(truth) => {
                    assert_eq!(kind, MetricType::Histogram);
                    check_histogram(metric.histogram.as_ref().unwrap(), truth);
                }
                Value::Info => assert_eq!((kind, gauge), (MetricType::Gauge, Some(1.0))),
                other => panic!("{other:?}"),
            }
        }
    }
    let found = |name| &families[names.iter().position(|one| *one == name).unwrap()];
    assert_eq!(found("sent_bytes_total").unit.as_deref(), Some("bytes"));
    assert_eq!(
        found("sent_bytes_total").help.as_deref(),
        Some("What was sent, \"raw\"\nand \\ all.")
    );
    assert_eq!(
        (
            found("queue_depth").unit.as_deref(),
            found("queue_depth").metric.len()
        ),
        (None, 5)
    );
    assert_eq!(found("wait_seconds").help, None);
}

#[test]
fn native_histograms_of_every_schema_keep_each_bucket_at_its_index() {
    let (_folder, store) = store();
    let mut expected = 0;
    for schema in -4..=8 {
        let range = if schema < 5 {
            (1e-9, 1e12)
        } else {
            (0.25, 300.0)
        };
        let one_sided = Buckets::native(schema, range.0, range.1).unwrap();
        let both = one_sided.clone().with_negative();
        for (side, buckets) in [("one", Ok(one_sided)), ("both", both)] {
            let Ok(buckets) = buckets else { continue };
            let name = format!("h_{side}_{}", schema + 4);
            store.declare(&Family::histogram(&name, buckets)).unwrap();
            observe(&store, &name);
            // Nothing observed: still a native histogram.
            store.histogram_with(&name, &[("empty", "yes")]).unwrap();
            expected += 2;
        }
    }
    let view = store.view().unwrap();
    let families = decode(&view);
    let mut checked = 0;
    for family in families
        .iter()
        .filter(|family| family.r#type() == MetricType::Histogram)
    {
        for metric in &family.metric {
            let labels: &[(&str, &str)] = match metric.label.is_empty() {
                true => &[],
                false => &[("empty", "yes")],
            };
            let sample = view
                .sample(family.name.as_deref().unwrap(), labels)
                .unwrap();
            check_histogram(
                metric.histogram.as_ref().unwrap(),
                sample.total.histogram().unwrap(),
            );
            checked += 1;
        }
    }
    assert_eq!(checked, expected);
    assert!(expected >= 48);
    assert!(prometheus::encode(&view).contains("h_both_7_bucket{le="));
}

/// Values in many buckets, some next to each other and some far apart, and beyond both ends.
fn observe(store: &Store, name: &str) {
    let histogram = store.histogram(name).unwrap();
    let mut value = 0.3;
    for step in 0..60 {
        value *= if step % 7 == 0 { 1.9 } else { 1.01 };
        for _ in 0..=step % 4 {
            histogram.observe(value);
        }
        histogram.observe(-value * 1.5);
    }
    for value in [
        0.0,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1.0,
        2.0,
        4.0,
    ] {
        histogram.observe(value);
    }
}
