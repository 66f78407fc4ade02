//! What a store keeps of a point of a text. Pure.

use crate::metric::{Buckets, Distribution, Observations, Value, WideSum};

use super::{Number, Point, PointValue};

/// What a store keeps of a point, of a histogram perhaps with a wide sum, or why it cannot.
pub(super) fn value(point: &Point, is_wide: bool) -> Result<Value, String> {
    match &point.value {
        PointValue::Counter(Number::Whole(count)) => Ok(Value::Counter(*count)),
        PointValue::Counter(count) => wide(*count).map(Value::Fractions),
        PointValue::Summary { sum, count } => {
            let both = (*sum).zip(*count);
            let (sum, count) =
                both.ok_or("a summary without a sum and a count is nothing to add")?;
            let sum = wide(sum)?;
            Ok(Value::Summary(Observations { count, sum }))
        }
        PointValue::Gauge(value) | PointValue::Unknown(value) => Ok(Value::Gauge(*value)),
        PointValue::Info => Ok(Value::Info),
        PointValue::Histogram {
            buckets,
            wide: Some(sum),
            ..
        } if is_wide => wide_histogram(buckets, wide(*sum)?).map(Value::Histogram),
        PointValue::Histogram { buckets, sum, .. } => {
            let sum = sum.ok_or("a histogram without a sum cannot be added to another")?;
            histogram(buckets, sum).map(Value::Histogram)
        }
    }
}

fn wide(number: Number) -> Result<WideSum, String> {
    let (sum, text) = match number {
        Number::Exact(sum) => (Some(sum), String::new()),
        Number::Whole(whole) => (WideSum::of_whole(whole), whole.to_string()),
        Number::Float(value) => (WideSum::of(value), value.to_string()),
    };
    sum.ok_or_else(|| format!("{text} is not a number below 2^62, which could be added to another"))
}

/// A whole number beside others of its family that are none.
pub(super) fn with_fractions(value: Value) -> Value {
    match value.counter().and_then(WideSum::of_whole) {
        Some(sum) => Value::Fractions(sum),
        None => value,
    }
}

fn histogram(cumulative: &[(f64, u64)], sum: f64) -> Result<Distribution, String> {
    let (buckets, counts) = sorted(cumulative)?;
    Distribution::of_sum(buckets, counts, sum)
}

fn wide_histogram(cumulative: &[(f64, u64)], sum: WideSum) -> Result<Distribution, String> {
    let (buckets, counts) = sorted(cumulative)?;
    Ok(Distribution::wide(buckets.in_billionths(), counts, sum))
}

fn sorted(cumulative: &[(f64, u64)]) -> Result<(Buckets, Box<[u64]>), String> {
    let bounds = cumulative.iter().map(|(bound, _)| *bound);
    let buckets = Buckets::classic(bounds).map_err(|error| error.to_string())?;
    let mut below = 0;
    let count = |(_, upto): &(f64, u64)| {
        let count = upto.wrapping_sub(below);
        below = *upto;
        count
    };
    Ok((buckets, cumulative.iter().map(count).collect()))
}

/// One sentence about the sums of a family that are not what stands there, or that it should not be.
pub(super) fn odd_sums(name: &str, points: &[Point], values: &[Value]) -> Option<String> {
    let mut odd = points.iter().zip(values).filter_map(|(point, value)| {
        let (sum, unlike) = odd_sum(&point.value, value)?;
        Some(format!("the sum {sum} of {name} {unlike}"))
    });
    let first = odd.next()?;
    Some(match odd.count() {
        0 => first,
        more => format!("{first}; so are {more} more of that name"),
    })
}

fn odd_sum(point: &PointValue, value: &Value) -> Option<(f64, String)> {
    match (point, value) {
        (PointValue::Histogram { sum: Some(sum), .. }, Value::Histogram(found)) => {
            Some((*sum, found.unlike(*sum)?))
        }
        (PointValue::Counter(Number::Float(sum)), Value::Fractions(found)) => {
            Some((*sum, found.unlike(*sum)?))
        }
        (PointValue::Summary { sum, .. }, Value::Summary(found)) => {
            let (Some(Number::Float(sum)), found) = (sum, found.sum) else {
                return None;
            };
            Some((*sum, found.unlike(*sum)?))
        }
        _ => None,
    }
}
