//! What a text or a document may hold that no store has written.

use crate::metric::{Value, check_count, check_reserved};

/// Fails where this cannot come from outside, with a sentence.
pub(super) fn check(name: &str, value: &Value) -> Result<(), String> {
    check_reserved(name).map_err(|error| error.to_string())?;
    let most = match value {
        Value::Counter(count) => *count,
        Value::Fractions(sum) => sum.whole(),
        Value::Summary(found) => found.count,
        // Each bucket is a part of it.
        Value::Histogram(found) => found
            .counts()
            .iter()
            .fold(0_u64, |sum, count| sum.saturating_add(*count)),
        Value::Gauge(_) | Value::Sum(_) | Value::Processes(_) | Value::Info => 0,
    };
    check_count(most).map_err(|error| error.to_string())
}
