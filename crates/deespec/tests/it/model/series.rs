//! The series that the model and the store are asked about, and how both name them.

use deespec::{Aggregation, Buckets, Document, Family, TRANSACTIONS};

use crate::epochs::totals;
use crate::support::{Values, document_values};

/// The counters, the four built-in ones first.
pub(super) const COUNTERS: [(&str, &[(&str, &str)]); 9] = [
    (TRANSACTIONS[0], &[]),
    (TRANSACTIONS[1], &[]),
    (TRANSACTIONS[2], &[]),
    (TRANSACTIONS[3], &[]),
    ("a_total", &[]),
    ("a_total", &[("k", "")]),
    ("a_total", &[("k", "v")]),
    (DECLARED, &[("a", "\n\"ä"), ("z", "1")]),
    (TRANSACTIONS[0], &[("by", "x")]),
];

/// A family that is declared, and declared anew.
pub(super) const DECLARED: &str = "b_total";
pub(super) const HISTOGRAM: &str = "h";
pub(super) const GAUGES: [&str; 2] = ["g", "g_bytes"];
/// A gauge of which this process has a share.
pub(super) const SHARE: &str = "p";
pub(super) const INFO: (&str, &[(&str, &str)]) = ("build_info", &[("version", "1")]);

/// A family that may have [`LIMIT`] of these label sets.
pub(super) const LIMITED: [(&str, &[(&str, &str)]); 4] = [
    ("l_total", &[("k", "0")]),
    ("l_total", &[("k", "1")]),
    ("l_total", &[("k", "2")]),
    ("l_total", &[("k", "3")]),
];
pub(super) const LIMIT: u32 = 2;
pub(super) const OVERFLOW: &str = "l_total,deespec_overflow=true";
pub(super) const OVERFLOWS: &str = "deespec_overflow_total,family=l_total";

/// Values to observe, each with its steps and its bucket, below 1.5 or above: a half is one step.
pub(super) const OBSERVED: [(f64, i64, usize); 5] = [
    (0.0, 0, 0),
    (1.0, 2, 0),
    (-0.5, -1, 0),
    (2.5, 5, 1),
    (1e12, 2_000_000_000_000, 1),
];

pub(super) fn families() -> [Family; 3] {
    [histogram(), limited(), share()]
}

pub(super) fn histogram() -> Family {
    let buckets = Buckets::classic([1.5]).unwrap();
    Family::histogram(HISTOGRAM, buckets.with_resolution(0.5).unwrap())
}

pub(super) fn limited() -> Family {
    Family::counter(LIMITED[0].0).with_limit(LIMIT)
}

pub(super) fn share() -> Family {
    Family::process_gauge(SHARE, Aggregation::Max)
}

/// Everything that can be removed: name and labels.
pub(super) fn removable() -> Vec<(&'static str, &'static [(&'static str, &'static str)])> {
    let plain = [HISTOGRAM, GAUGES[0], GAUGES[1], SHARE].map(|name| (name, &[][..]));
    let counters = COUNTERS[TRANSACTIONS.len()..].iter().chain(&LIMITED);
    counters.copied().chain(plain).chain([INFO]).collect()
}

/// How the model names a series.
pub(super) fn key((name, labels): (&str, &[(&str, &str)])) -> String {
    let labels = labels.iter();
    labels.fold(name.to_owned(), |key, (k, v)| format!("{key},{k}={v}"))
}

/// The model has a histogram as three counters: its sum in steps and its two buckets.
pub(super) fn parts() -> [String; 3] {
    [-1, 0, 1].map(|part| format!("{HISTOGRAM}|{part}"))
}

/// The series that a counter of the model belongs to.
pub(super) fn series_of(counter: &str) -> &str {
    counter.split('|').next().unwrap_or(counter)
}

/// What the model has of a document: its counters, and the parts of its histogram.
pub(super) fn values_of(document: &Document) -> Values {
    let mut values = document_values(document);
    let mut series = document.series.iter();
    let found = series.find(|series| series.name == HISTOGRAM);
    if let Some(found) = found.and_then(|series| series.value.histogram()) {
        insert_parts(&mut values, found);
    }
    values
}

fn insert_parts(values: &mut Values, found: &deespec::Distribution) {
    let steps = found.steps().cast_unsigned();
    let cells = [steps, found.counts()[0], found.counts()[1]];
    values.extend(parts().into_iter().zip(cells));
}

/// The totals of one line of `epochs.jsonl`.
pub(super) fn totals_of(line: &serde_json::Value) -> Values {
    let mut values = totals(line);
    let all = line["totals"].as_array().unwrap();
    if let Some(found) = all.iter().find(|total| total["name"] == HISTOGRAM) {
        let found = serde_json::from_value(found["total"].clone()).unwrap();
        insert_parts(&mut values, &found);
    }
    values
}

/// The bits of the shared gauges of a document.
pub(super) fn gauges_of(document: &Document) -> Vec<(String, u64)> {
    let shared = |name: &str| GAUGES.contains(&name);
    let gauges = document.series.iter().filter(|series| shared(&series.name));
    gauges
        .filter_map(|series| Some((series.name.clone(), series.value.gauge()?.to_bits())))
        .collect()
}
