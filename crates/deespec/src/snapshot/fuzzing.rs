//! What each reader of a document or of a text owes to any bytes at all. The fuzzer calls these, and a
//! test calls them with each input that it once found worth keeping.

use std::path::Path;

use crate::metric::{LabelSet, Value};

use super::document::{Document, Series, is_untouched};
use super::name::SnapshotName;
use super::{history, import, openmetrics, push, time};

/// The path that stands in the errors.
const PATH: &str = "input";

/// A document: written again it says the same, and whoever reads that finds nothing changed.
pub(crate) fn document(bytes: &[u8]) {
    match Document::parse(bytes, Path::new(PATH)) {
        Ok(document) => rewrite(&document),
        Err(error) => assert!(error.to_string().contains(PATH), "{error}"),
    }
}

fn rewrite(document: &Document) {
    let text = document.to_json();
    assert!(is_untouched(text.as_bytes()));
    let again = Document::parse(text.as_bytes(), Path::new(PATH)).expect("we wrote it");
    // As text: NaN equals nothing.
    assert_eq!(again.to_json(), text);
    assert_eq!(again.transactions, document.transactions);
    assert_eq!(again.series.len(), document.series.len());
    for (one, other) in document.series.iter().zip(&again.series) {
        assert_eq!((&one.name, &one.labels), (&other.name, &other.labels));
        match (&one.value, &other.value) {
            (Value::Gauge(one), Value::Gauge(other)) => {
                assert!(one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan());
            }
            // What is not a number there is null.
            (Value::Processes(one), Value::Processes(other)) => {
                assert_eq!(
                    (one.count, one.aggregation),
                    (other.count, other.aggregation)
                );
            }
            (one, other) => assert_eq!(one, other),
        }
    }
    check_order(&document.series);
    // One flipped bit shows.
    let mut changed = text.into_bytes();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(!is_untouched(&changed));
}

/// No series stands twice.
fn check_order(series: &[Series]) {
    let key =
        |series: &Series| -> (String, LabelSet) { (series.name.clone(), series.labels.clone()) };
    let ascends = |pair: &[Series]| key(&pair[0]) < key(&pair[1]);
    assert!(series.windows(2).all(ascends), "a series stands twice");
}

/// A text that Prometheus would read: what is taken of it is a lawful document.
pub(crate) fn text(bytes: &[u8]) {
    match openmetrics::convert(bytes, Path::new(PATH), |_| false) {
        Ok(converted) => {
            rewrite(&converted.document);
            assert!(
                converted
                    .passed_over
                    .iter()
                    .all(|reason| !reason.is_empty())
            );
        }
        Err(error) => assert!(error.to_string().contains(PATH), "{error}"),
    }
}

/// What a view exposes is a text that we would take ourselves.
pub(crate) fn exposed(text: &str) {
    // Prometheus text of nothing, where every series is damaged.
    if text.is_empty() {
        return;
    }
    if let Err(error) = openmetrics::convert(text.as_bytes(), Path::new(PATH), |_| false) {
        panic!("{error}\n{text}");
    }
}

/// The names of snapshots and times: what reads is spelled in one way only.
pub(crate) fn name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(name) = text.parse::<SnapshotName>() {
        assert_eq!(name.to_string(), text);
        assert!(!text.contains(['/', '\0']));
        assert_eq!(SnapshotName::of(Path::new(&*text)), Some(name));
    }
    if let Some(ns) = time::from_stamp(&text) {
        assert_eq!(time::to_stamp(ns), text);
    }
    // Any moment has a name that reads back, and moments sort as their names do.
    if let Some(eight) = bytes.first_chunk::<8>() {
        let ns = u64::from_le_bytes(*eight);
        let (name, next) = (time::to_stamp(ns), time::to_stamp(ns.saturating_add(1)));
        assert_eq!(time::from_stamp(&name), Some(ns));
        assert!(name <= next);
        assert!(!time::to_seconds(ns).is_empty() && !time::to_nanoseconds(ns).is_empty());
    }
}

/// The records of imports and the intent of one: what reads is the same when it is written again.
pub(crate) fn records(bytes: &[u8]) {
    import::check_records(bytes);
    push::check_records(bytes);
}

/// A part of the archive of the snapshots.
pub(crate) fn part(bytes: &[u8]) {
    history::fuzzing::part(bytes);
}
