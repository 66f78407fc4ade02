//! The value of one series, and how it follows from the series' cells.

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::buckets::Buckets;
use super::distribution::Distribution;
use super::kind::{Aggregation, Kind, Shape};
use super::outside::room;
use super::wide::{NotASum, WIDE_CELLS, WideSum};

/// The value of one series.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// What a counter counted.
    Counter(u64),
    /// What a counter with fractions counted.
    Fractions(WideSum),
    /// What a shared gauge was set to.
    Gauge(f64),
    /// What was added to a gauge with a wide sum.
    Sum(WideSum),
    /// The shares of a per-process gauge.
    Processes(Processes),
    /// What a histogram observed.
    Histogram(Distribution),
    /// What a summary observed.
    Summary(Observations),
    /// An info metric, which is always 1.
    Info,
}

/// How much was observed, and what that sums up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Observations {
    /// How many observations there are.
    pub count: u64,
    /// Their sum.
    pub sum: WideSum,
}

impl Observations {
    /// What the three cells of a wide sum hold, and the count of a summary in front of them.
    pub(crate) fn of_cells(cells: &[u64]) -> Self {
        let (before, sum) = cells.split_last_chunk().unwrap_or((&[], &[0; 3]));
        Self {
            count: before.first().copied().unwrap_or(0),
            sum: WideSum::of_cells(*sum),
        }
    }

    /// Whether so much more can be kept.
    pub(crate) fn has_room(self, added: Self) -> bool {
        self.count.checked_add(added.count).is_some() && self.sum.plus(added.sum).fits()
    }

    /// How much may come from outside, in observations and in whole units, whichever is less.
    pub(crate) fn room(self) -> u64 {
        room(self.count).min(self.sum.room())
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            sum: self.sum.plus(other.sum),
        }
    }

    /// What is here beyond the other; `None` where the other counted more.
    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        Some(Self {
            count: self.count.checked_sub(other.count)?,
            sum: self.sum.minus(other.sum),
        })
    }
}

impl From<WideSum> for Observations {
    /// What a counter with fractions counted, which does not tell in how many parts.
    fn from(sum: WideSum) -> Self {
        Self { count: 0, sum }
    }
}

/// The shares that live processes have in a per-process gauge.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Processes {
    /// How many live processes have a share.
    pub count: u64,
    /// The sum of the shares; 0 where there are none.
    pub sum: f64,
    /// The smallest share; NaN where there are none.
    pub min: f64,
    /// The largest share; NaN where there are none.
    pub max: f64,
    /// Which of them the family was declared to show.
    pub aggregation: Aggregation,
}

impl Processes {
    /// No live process has a share.
    pub(crate) fn none(aggregation: Aggregation) -> Self {
        Self {
            count: 0,
            sum: 0.0,
            min: f64::NAN,
            max: f64::NAN,
            aggregation,
        }
    }

    /// Adds the share of one process.
    pub(crate) fn join(&mut self, share: f64) {
        self.count += 1;
        self.sum += share;
        // Both take the share where there was none yet: NaN loses.
        self.min = self.min.min(share);
        self.max = self.max.max(share);
    }

    /// The value that the family was declared to show; `None` for the smallest or largest of none.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self.aggregation {
            Aggregation::Sum => Some(self.sum),
            Aggregation::Count => Some(self.count as f64),
            Aggregation::Min => (self.count > 0).then_some(self.min),
            Aggregation::Max => (self.count > 0).then_some(self.max),
        }
    }
}

impl Value {
    /// What kind of metric has such a value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) | Self::Fractions(_) => Kind::Counter,
            Self::Gauge(_) | Self::Sum(_) | Self::Processes(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
            Self::Summary(_) => Kind::Summary,
            Self::Info => Kind::Info,
        }
    }

    /// The count of a counter.
    #[must_use]
    pub fn counter(&self) -> Option<u64> {
        match self {
            Self::Counter(count) => Some(*count),
            _ => None,
        }
    }

    /// The sum of a counter with fractions.
    #[must_use]
    pub fn fractions(&self) -> Option<WideSum> {
        match self {
            Self::Fractions(sum) => Some(*sum),
            _ => None,
        }
    }

    /// The sum of a gauge that has a wide one.
    #[must_use]
    pub fn sum(&self) -> Option<WideSum> {
        match self {
            Self::Sum(sum) => Some(*sum),
            _ => None,
        }
    }

    /// What a counter of either kind counted, where a sum holds so much.
    pub(crate) fn amount(&self) -> Option<WideSum> {
        match self {
            Self::Counter(count) => WideSum::of_whole(*count),
            value => value.fractions(),
        }
    }

    /// What a summary observed.
    #[must_use]
    pub fn summary(&self) -> Option<Observations> {
        match self {
            Self::Summary(found) => Some(*found),
            _ => None,
        }
    }

    /// The value of a gauge, shared, per process or a sum.
    #[must_use]
    pub fn gauge(&self) -> Option<f64> {
        match self {
            Self::Gauge(value) => Some(*value),
            Self::Sum(sum) => Some(sum.to_f64()),
            Self::Processes(processes) => processes.value(),
            _ => None,
        }
    }

    /// What a histogram observed.
    #[must_use]
    pub fn histogram(&self) -> Option<&Distribution> {
        match self {
            Self::Histogram(distribution) => Some(distribution),
            _ => None,
        }
    }

    /// What follows from the cells of a histogram.
    pub(crate) fn of_histogram(buckets: &Buckets, cell: impl Fn(u32) -> u64) -> Self {
        let counts = (0..buckets.len() as u32).map(|index| cell(1 + index));
        let steps = cell(0).cast_signed();
        Self::Histogram(Distribution::new(buckets.clone(), counts.collect(), steps))
    }

    /// What follows from the cells of a histogram with a wide sum.
    pub(crate) fn of_wide_histogram(buckets: &Buckets, cell: impl Fn(u32) -> u64) -> Self {
        let counts = (0..buckets.len() as u32).map(|index| cell(WIDE_CELLS + index));
        let sum = WideSum::of_cells([0, 1, 2].map(&cell));
        Self::Histogram(Distribution::wide(buckets.clone(), counts.collect(), sum))
    }

    /// What follows from the cells of a counter with fractions or of a summary.
    pub(crate) fn of_wide(is_summary: bool, cells: &[u64]) -> Self {
        let found = Observations::of_cells(cells);
        match is_summary {
            true => Self::Summary(found),
            false => Self::Fractions(found.sum),
        }
    }

    /// The cells of what is added up that are not 0, and what they hold.
    pub(crate) fn to_cells(&self) -> Vec<(u32, u64)> {
        let all: Vec<(u32, u64)> = match self {
            Self::Counter(count) => vec![(0, *count)],
            Self::Fractions(sum) | Self::Sum(sum) => (0..).zip(sum.to_cells()).collect(),
            Self::Summary(found) => (0..)
                .zip([found.count].into_iter().chain(found.sum.to_cells()))
                .collect(),
            Self::Histogram(found) => (0..)
                .zip(found.sum_cells().chain(found.counts().iter().copied()))
                .collect(),
            Self::Gauge(_) | Self::Processes(_) | Self::Info => Vec::new(),
        };
        all.into_iter().filter(|&(_, value)| value != 0).collect()
    }

    /// How a series with this value is stored.
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Counter(_) => Shape::Counter,
            Self::Fractions(_) => Shape::FractionCounter,
            Self::Summary(_) => Shape::Summary,
            Self::Gauge(_) => Shape::Gauge,
            Self::Processes(processes) => Shape::ProcessGauge(processes.aggregation),
            Self::Sum(_) => Shape::SumGauge,
            Self::Histogram(found) => match found.wide_sum() {
                None => Shape::Histogram(found.buckets().clone()),
                Some(_) => Shape::WideHistogram(found.buckets().clone()),
            },
            Self::Info => Shape::Info,
        }
    }

    /// What both counted together; the first where they cannot be added.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Counter(one), Self::Counter(other)) => Self::Counter(one.wrapping_add(*other)),
            (Self::Fractions(one), Self::Fractions(other)) => Self::Fractions(one.plus(*other)),
            (Self::Sum(one), Self::Sum(other)) => Self::Sum(one.plus(*other)),
            (Self::Summary(one), Self::Summary(other)) => Self::Summary(one.plus(*other)),
            (Self::Histogram(one), Self::Histogram(other)) => one
                .plus(other)
                .map_or_else(|| self.clone(), Self::Histogram),
            _ => self.clone(),
        }
    }
}

/// As documents have it: a number, or an object.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Counter(count) => serializer.serialize_u64(*count),
            Self::Gauge(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Gauge(value) => serializer.serialize_str(name_of(*value)),
            Self::Processes(processes) => processes.serialize(serializer),
            Self::Fractions(sum) | Self::Sum(sum) => serializer.serialize_f64(sum.to_f64()),
            Self::Summary(found) => found.serialize(serializer),
            Self::Histogram(distribution) => distribution.serialize(serializer),
            Self::Info => serializer.serialize_u64(1),
        }
    }
}

/// How JSON has the three numbers for which it has no digits.
fn name_of(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => "NaN",
    }
}

/// The sum as a number, and to its last digit.
impl Serialize for Observations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Observations", 3)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("sum", &self.sum.to_f64())?;
        fields.serialize_field("exact", &self.sum)?;
        fields.end()
    }
}

impl Serialize for Processes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Processes", 5)?;
        fields.serialize_field("processes", &self.count)?;
        for (name, value) in [("sum", self.sum), ("min", self.min), ("max", self.max)] {
            // Non-finite numbers become null.
            fields.serialize_field(name, &value)?;
        }
        fields.serialize_field("aggregation", &self.aggregation)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Observations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored {
            count: u64,
            exact: WideSum,
        }
        let Stored { count, exact: sum } = Stored::deserialize(deserializer)?;
        Ok(Self { count, sum })
    }
}

#[derive(Deserialize)]
struct StoredProcesses {
    processes: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    aggregation: Aggregation,
}

impl Value {
    /// Beside a number that does not tell it: what a counter with fractions or a gauge with a wide sum is, to its last digit.
    #[must_use]
    pub fn exact(&self) -> Option<String> {
        let sum = self.fractions().or_else(|| self.sum());
        sum.map(|sum| sum.to_string())
    }

    /// Reads what a document says beside the number of a counter with fractions or of a gauge with a wide sum.
    pub(crate) fn of_exact(kind: Kind, exact: &str) -> Result<Self, String> {
        let sum: WideSum = exact.parse().map_err(|error: NotASum| error.to_string())?;
        match (kind, sum.is_negative()) {
            (Kind::Counter, false) => Ok(Self::Fractions(sum)),
            (Kind::Counter, true) => Err(format!("a counter is not below zero, but {sum}")),
            (Kind::Gauge, _) => Ok(Self::Sum(sum)),
            (kind, _) => Err(format!("a {} has no field exact", kind.as_str())),
        }
    }

    /// Reads what a document has as the value of a metric of this kind, or says why it cannot be.
    pub(crate) fn from_json(kind: Kind, json: serde_json::Value) -> Result<Self, String> {
        match (kind, json) {
            (Kind::Summary, json) => serde_json::from_value(json)
                .map(Self::Summary)
                .map_err(|error| format!("a summary cannot be read: {error}")),
            (Kind::Counter, json) => json
                .as_u64()
                .map(Self::Counter)
                .ok_or_else(|| format!("a counter has a whole number, not {json}")),
            (Kind::Info, _) => Ok(Self::Info),
            (Kind::Gauge, json @ serde_json::Value::Object(_)) => {
                let stored: StoredProcesses =
                    serde_json::from_value(json).map_err(|error| error.to_string())?;
                Ok(Self::Processes(Processes {
                    count: stored.processes,
                    sum: stored.sum.unwrap_or(f64::NAN),
                    min: stored.min.unwrap_or(f64::NAN),
                    max: stored.max.unwrap_or(f64::NAN),
                    aggregation: stored.aggregation,
                }))
            }
            (Kind::Gauge, json) => match json.as_str() {
                Some("+Inf") => Ok(f64::INFINITY),
                Some("-Inf") => Ok(f64::NEG_INFINITY),
                Some("NaN") => Ok(f64::NAN),
                _ => json
                    .as_f64()
                    .ok_or_else(|| format!("a gauge has a number, not {json}")),
            }
            .map(Self::Gauge),
            (Kind::Histogram, json) => serde_json::from_value(json)
                .map(Self::Histogram)
                .map_err(|error| format!("a histogram cannot be read: {error}")),
        }
    }
}
