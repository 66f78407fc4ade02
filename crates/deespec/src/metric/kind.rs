//! Kinds of metric: the word that others read, and the shape that says how a series is stored.

use serde::{Deserialize, Serialize};

use super::buckets::Buckets;
use super::wide::WIDE_CELLS;

/// What kind of metric a series belongs to, in the words of Prometheus and OpenMetrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A value that only grows within an epoch.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Observations, counted in buckets, with their sum.
    Histogram,
    /// Observations, counted and summed up.
    Summary,
    /// Labels that say something, such as a version; its value is always 1.
    Info,
}

impl Kind {
    /// The word that JSON documents and exposition formats use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Info => "info",
        }
    }
}

/// How the shares of several processes become the one value of a per-process gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Aggregation {
    /// The sum of all shares.
    #[default]
    Sum,
    /// The smallest share.
    Min,
    /// The largest share.
    Max,
    /// How many processes have a share.
    Count,
}

impl Aggregation {
    /// The word that documents and messages use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
        }
    }
}

/// How the series of a family are stored and read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// A counter.
    Counter,
    /// A counter of amounts with fractions.
    FractionCounter,
    /// A gauge that all processes share: the last store wins, and it survives its writers.
    Gauge,
    /// A gauge of which each live process has its own share.
    ProcessGauge(Aggregation),
    /// A gauge that is the sum of what all processes add to it, exact in any order.
    SumGauge,
    /// A histogram with these buckets.
    Histogram(Buckets),
    /// A histogram with these buckets and a sum that is exact whatever they are.
    WideHistogram(Buckets),
    /// A summary: the count and the sum of what was observed.
    Summary,
    /// An info metric.
    Info,
}

impl Shape {
    /// The kind that others see.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Counter | Self::FractionCounter => Kind::Counter,
            Self::Gauge | Self::ProcessGauge(_) | Self::SumGauge => Kind::Gauge,
            Self::Histogram(_) | Self::WideHistogram(_) => Kind::Histogram,
            Self::Summary => Kind::Summary,
            Self::Info => Kind::Info,
        }
    }

    /// How messages call it: `per-process gauge`, where its kind alone would not tell.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::ProcessGauge(_) => "per-process gauge",
            Self::FractionCounter => "counter with fractions",
            Self::SumGauge => "gauge with a wide sum",
            Self::WideHistogram(_) => "histogram with a wide sum",
            shape => shape.kind().as_str(),
        }
    }

    /// The first format version of a store that can hold it.
    pub(crate) fn since(&self) -> u32 {
        match self {
            Self::FractionCounter | Self::SumGauge | Self::Summary | Self::WideHistogram(_) => 2,
            _ => 1,
        }
    }

    /// Cells of one series; a per-process gauge gets more of them as more processes live at once.
    pub(crate) fn cells(&self) -> u32 {
        match self {
            Self::Counter | Self::Gauge | Self::Info => 1,
            Self::ProcessGauge(_) => 2,
            Self::FractionCounter | Self::SumGauge => WIDE_CELLS,
            Self::Summary => 1 + WIDE_CELLS,
            // The sum stands before the buckets; the count is their sum.
            Self::Histogram(buckets) => 1 + buckets.len() as u32,
            Self::WideHistogram(buckets) => WIDE_CELLS + buckets.len() as u32,
        }
    }
}
