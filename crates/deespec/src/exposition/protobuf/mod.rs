//! The protobuf format of Prometheus, the only one that carries native histograms.
//!
//! Each family is a message `io.prometheus.client.MetricFamily` with its length in front. The fields
//! are those of
//! <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.
//! Names are those of Prometheus text: an info metric is a gauge `…_info`.
//!
//! **Histograms.** One with native buckets has the classic ones of the text formats as well. A server
//! that takes native histograms prefers them; one that does not, or that is told to keep both, finds
//! the series that it would have found in text. What lies beyond the highest bucket stands in the
//! bucket of infinity, where Prometheus looks for it.

mod spans;
mod wire;

use std::time::Duration;

use crate::metric::{Buckets, Distribution, Kind};
use crate::snapshot::View;

use super::family::{Family, Series, Shown, families};
use super::naming::suffix;
use spans::Side;
use wire::{delimited, double, message, packed, sint, string, uint};

/// What an HTTP answer with these bytes says of them.
pub const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// The view as Prometheus' protobuf messages, sorted by family name and label set.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let store = deespec::Store::open(folder.path().join("var"))?;
/// let bytes = deespec::exposition::protobuf::encode(&store.view()?);
/// // Field 1 of a family is its name.
/// let name = b"\n\x13cas_conflicts_total";
/// assert!(bytes.windows(name.len()).any(|part| part == name));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode(view: &View) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut bounds = Bounds::default();
    for family in families(view) {
        delimited(&mut bytes, |bytes| {
            push_family(bytes, &mut bounds, &family);
        });
    }
    bytes
}

/// The bounds of the last histogram's classic buckets: all series of a family have the same.
#[derive(Default)]
struct Bounds {
    buckets: Option<Buckets>,
    bounds: Vec<(f64, usize)>,
}

impl Bounds {
    fn of(&mut self, buckets: &Buckets) -> &[(f64, usize)] {
        if self.buckets.as_ref() != Some(buckets) {
            self.buckets = Some(buckets.clone());
            self.bounds = buckets.text_bounds();
        }
        &self.bounds
    }
}

fn push_family(bytes: &mut Vec<u8>, bounds: &mut Bounds, family: &Family<'_>) {
    message(bytes, 1, |bytes| {
        bytes.extend_from_slice(family.name.as_bytes());
        bytes.extend_from_slice(suffix(family.kind).as_bytes());
    });
    if !family.help.is_empty() {
        string(bytes, 2, &family.help);
    }
    let kind = match family.kind {
        Kind::Counter => 0,
        Kind::Gauge | Kind::Info => 1,
        Kind::Summary => 2,
        Kind::Histogram => 4,
    };
    uint(bytes, 3, kind);
    for series in &family.series {
        message(bytes, 4, |bytes| push_series(bytes, bounds, series));
    }
    if !family.unit.is_empty() {
        string(bytes, 5, family.unit);
    }
}

fn push_series(bytes: &mut Vec<u8>, bounds: &mut Bounds, series: &Series<'_>) {
    for (name, value) in series.labels() {
        message(bytes, 1, |bytes| {
            string(bytes, 1, name);
            string(bytes, 2, value);
        });
    }
    let created = series.created();
    match &series.shown {
        Shown::Gauge(value) => message(bytes, 2, |bytes| double(bytes, 1, *value)),
        Shown::Sum(sum) => message(bytes, 2, |bytes| double(bytes, 1, sum.to_f64())),
        Shown::Info => message(bytes, 2, |bytes| double(bytes, 1, 1.0)),
        Shown::Counter(total) => message(bytes, 3, |bytes| {
            double(bytes, 1, *total as f64);
            message(bytes, 3, |bytes| push_time(bytes, created));
        }),
        Shown::Fractions(total) => message(bytes, 3, |bytes| {
            double(bytes, 1, total.to_f64());
            message(bytes, 3, |bytes| push_time(bytes, created));
        }),
        Shown::Summary(found) => message(bytes, 4, |bytes| {
            uint(bytes, 1, found.count);
            double(bytes, 2, found.sum.to_f64());
            message(bytes, 4, |bytes| push_time(bytes, created));
        }),
        Shown::Histogram(found) => message(bytes, 7, |bytes| {
            push_histogram(bytes, bounds.of(found.buckets()), found);
            message(bytes, 15, |bytes| push_time(bytes, created));
        }),
    }
}

/// A `google.protobuf.Timestamp`.
fn push_time(bytes: &mut Vec<u8>, since: Duration) {
    uint(bytes, 1, since.as_secs());
    uint(bytes, 2, u64::from(since.subsec_nanos()));
}

fn push_histogram(bytes: &mut Vec<u8>, bounds: &[(f64, usize)], found: &Distribution) {
    uint(bytes, 1, found.count());
    double(bytes, 2, found.sum());
    let (mut below, mut from) = (0_u64, 0);
    for &(bound, cells) in bounds {
        let counts = found.counts().get(from..cells).unwrap_or_default();
        below = counts.iter().copied().fold(below, u64::wrapping_add);
        from = cells;
        push_bucket(bytes, bound, below);
    }
    push_bucket(bytes, f64::INFINITY, found.count());
    push_native(bytes, found);
}

fn push_bucket(bytes: &mut Vec<u8>, bound: f64, count: u64) {
    message(bytes, 3, |bytes| {
        uint(bytes, 1, count);
        double(bytes, 2, bound);
    });
}

/// Prometheus recognises a native histogram that has observed nothing by its zero threshold, which
/// is never 0 here.
fn push_native(bytes: &mut Vec<u8>, found: &Distribution) {
    let Some(cells) = found.buckets().native_cells() else {
        return;
    };
    let count = |cell: usize| found.counts().get(cell).copied().unwrap_or_default();
    sint(bytes, 5, i64::from(cells.schema));
    double(bytes, 6, cells.zero_threshold);
    uint(bytes, 7, count(cells.zero));
    let indices = || cells.first_index..;
    let negative = indices().zip(cells.negative.clone().rev().map(count));
    let lowest = (cells.overflow_index, count(cells.negative_overflow));
    push_side(bytes, 9, &Side::new(negative.chain([lowest])));
    let positive = indices().zip(cells.positive.clone().map(count));
    let highest = (cells.overflow_index, count(cells.overflow));
    push_side(bytes, 12, &Side::new(positive.chain([highest])));
}

/// Writes spans into a field and differences into the next one.
fn push_side(bytes: &mut Vec<u8>, field: u32, side: &Side) {
    for (offset, length) in &side.spans {
        message(bytes, field, |bytes| {
            sint(bytes, 1, i64::from(*offset));
            uint(bytes, 2, u64::from(*length));
        });
    }
    if !side.deltas.is_empty() {
        packed(bytes, field + 1, &side.deltas);
    }
}
