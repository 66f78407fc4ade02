//! A family as its registry entry has it: a JSON object.

use serde::{Deserialize, Serialize};

use super::{DEFAULT_LIMIT, Family};
use crate::metric::{Aggregation, Buckets, Shape};

/// A family as its registry entry has it.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "type")]
    kind: StoredKind,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    help: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    declared: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aggregation: Option<Aggregation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buckets: Option<Buckets>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredKind {
    Counter,
    FractionCounter,
    Summary,
    Gauge,
    ProcessGauge,
    SumGauge,
    Histogram,
    WideHistogram,
    Info,
}

impl Family {
    /// The declaration as its registry entry has it: a JSON object.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, aggregation, buckets) = match &self.shape {
            Shape::Counter => (StoredKind::Counter, None, None),
            Shape::FractionCounter => (StoredKind::FractionCounter, None, None),
            Shape::Summary => (StoredKind::Summary, None, None),
            Shape::Gauge => (StoredKind::Gauge, None, None),
            Shape::ProcessGauge(aggregation) => {
                (StoredKind::ProcessGauge, Some(*aggregation), None)
            }
            Shape::SumGauge => (StoredKind::SumGauge, None, None),
            Shape::Histogram(buckets) => (StoredKind::Histogram, None, Some(buckets.clone())),
            Shape::WideHistogram(buckets) => {
                (StoredKind::WideHistogram, None, Some(buckets.clone()))
            }
            Shape::Info => (StoredKind::Info, None, None),
        };
        let stored = Stored {
            kind,
            unit: self.unit.clone(),
            help: self.help.clone(),
            labels: self.labels.clone(),
            limit: (self.limit != DEFAULT_LIMIT).then_some(self.limit),
            declared: self.declared,
            aggregation,
            buckets,
        };
        // Numbers and strings into memory: that cannot fail.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads what [`Family::encode`] wrote; `None` when it is something else, such as a declaration that
    /// nobody could have made.
    pub(crate) fn decode(name: String, bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let shape = match stored.kind {
            StoredKind::Counter => Shape::Counter,
            StoredKind::FractionCounter => Shape::FractionCounter,
            StoredKind::Summary => Shape::Summary,
            StoredKind::Gauge => Shape::Gauge,
            StoredKind::ProcessGauge => Shape::ProcessGauge(stored.aggregation?),
            StoredKind::SumGauge => Shape::SumGauge,
            StoredKind::Histogram => Shape::Histogram(stored.buckets?),
            StoredKind::WideHistogram => {
                let buckets = stored.buckets.filter(Buckets::are_in_billionths);
                Shape::WideHistogram(buckets?)
            }
            StoredKind::Info => Shape::Info,
        };
        let family = Self {
            name,
            shape,
            unit: stored.unit,
            help: stored.help,
            labels: stored.labels,
            limit: stored.limit.unwrap_or(DEFAULT_LIMIT),
            declared: stored.declared,
        };
        let is_sorted = family.labels().is_none_or(<[String]>::is_sorted);
        (is_sorted && family.check().is_ok()).then_some(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_that_nobody_could_make_is_none() {
        let decode = |name: &str, json: &str| Family::decode(name.to_owned(), json.as_bytes());
        let family = decode(
            "a_seconds",
            r#"{"type":"gauge","unit":"seconds","labels":["k","l"]}"#,
        );
        let family = family.unwrap();
        assert_eq!(
            Family::decode(family.name().to_owned(), &family.encode()),
            Some(family)
        );
        for (name, json) in [
            ("a 1\nb", r#"{"type":"gauge"}"#.to_owned()),
            ("a", r#"{"type":"gauge","unit":"seconds"}"#.to_owned()),
            ("a", r#"{"type":"gauge","labels":["l","k"]}"#.to_owned()),
            ("a", r#"{"type":"gauge","labels":["k-"]}"#.to_owned()),
            (
                "a",
                format!(r#"{{"type":"gauge","help":"{}"}}"#, "h".repeat(1025)),
            ),
            ("a", r#"{"type":"histogram"}"#.to_owned()),
            ("a", r#"{"type":"process_gauge"}"#.to_owned()),
            ("a", r#"{"type":"wide_histogram"}"#.to_owned()),
            (
                "a",
                r#"{"type":"wide_histogram","buckets":{"classic":[1],"steps_per_one":1}}"#
                    .to_owned(),
            ),
        ] {
            assert_eq!(decode(name, &json), None, "{name:?} {json}");
        }
    }
}
