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
    Gauge,
    ProcessGauge,
    Histogram,
    Info,
}

impl Family {
    /// The declaration as its registry entry has it: a JSON object.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, aggregation, buckets) = match &self.shape {
            Shape::Counter => (StoredKind::Counter, None, None),
            Shape::Gauge => (StoredKind::Gauge, None, None),
            Shape::ProcessGauge(aggregation) => {
                (StoredKind::ProcessGauge, Some(*aggregation), None)
            }
            Shape::Histogram(buckets) => (StoredKind::Histogram, None, Some(buckets.clone())),
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

    /// Reads what [`Family::encode`] wrote; `None` when it is something else.
    pub(crate) fn decode(name: String, bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let shape = match stored.kind {
            StoredKind::Counter => Shape::Counter,
            StoredKind::Gauge => Shape::Gauge,
            StoredKind::ProcessGauge => Shape::ProcessGauge(stored.aggregation?),
            StoredKind::Histogram => Shape::Histogram(stored.buckets?),
            StoredKind::Info => Shape::Info,
        };
        Some(Self {
            name,
            shape,
            unit: stored.unit,
            help: stored.help,
            labels: stored.labels,
            limit: stored.limit.unwrap_or(DEFAULT_LIMIT),
            declared: stored.declared,
        })
    }
}
