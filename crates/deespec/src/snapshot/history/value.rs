//! What a history shows of a value, and the numbers that a column keeps of it.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::metric::{Kind, Value};

use super::column::Code;

const COUNTER: Code = 0;
const GAUGE: Code = 1;
const HISTOGRAM: Code = 2;
const INFO: Code = 3;
const FRACTIONS: Code = 4;
const SUMMARY: Code = 5;
const KINDS: [Kind; 6] = [
    Kind::Counter,
    Kind::Gauge,
    Kind::Histogram,
    Kind::Info,
    Kind::Counter,
    Kind::Summary,
];

/// Most numbers that a value has.
pub(super) const WIDTHS: usize = 5;
/// The quantiles of a histogram.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// What a series was in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum HistoryValue {
    /// What a counter had counted in the epoch.
    Counter(u64),
    /// What a gauge was; of a per-process gauge what its family was declared to show, NaN where no process had
    /// a share.
    Gauge(f64),
    /// What a histogram had observed in the epoch.
    Histogram(HistorySummary),
    /// What a counter with fractions had counted in the epoch.
    Fractions(f64),
    /// What a summary had observed in the epoch.
    Summary {
        /// How many observations there were.
        count: u64,
        /// Their sum, in the unit of the family.
        sum: f64,
    },
    /// An info metric, which is always 1.
    Info,
}

/// What a history shows of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct HistorySummary {
    /// How many observations there were in the epoch.
    pub count: u64,
    /// Their sum, in the unit of the family.
    pub sum: f64,
    /// Estimates of the quantiles 0.5, 0.9 and 0.99, in the unit of the family; `None` without
    /// observations.
    pub quantiles: [Option<f64>; 3],
}

impl HistoryValue {
    /// The kind of metric that has such a value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        KINDS[usize::from(self.code())]
    }

    pub(super) fn code(&self) -> Code {
        match self {
            Self::Counter(_) => COUNTER,
            Self::Gauge(_) => GAUGE,
            Self::Histogram(_) => HISTOGRAM,
            Self::Info => INFO,
            Self::Fractions(_) => FRACTIONS,
            Self::Summary { .. } => SUMMARY,
        }
    }

    /// The numbers that a column keeps, as many as [`width`] says.
    pub(super) fn words(&self) -> [u64; WIDTHS] {
        let mut words = [0; WIDTHS];
        match self {
            Self::Counter(count) => words[0] = *count,
            Self::Gauge(value) | Self::Fractions(value) => words[0] = value.to_bits(),
            Self::Summary { count, sum } => (words[0], words[1]) = (*count, sum.to_bits()),
            Self::Histogram(found) => {
                words[0] = found.count;
                words[1] = found.sum.to_bits();
                for (word, quantile) in words[2..].iter_mut().zip(found.quantiles) {
                    *word = quantile.unwrap_or(f64::NAN).to_bits();
                }
            }
            Self::Info => {}
        }
        words
    }

    /// The value with these numbers.
    pub(super) fn of_words(code: Code, words: &[u64]) -> Option<Self> {
        let float = |index: usize| words.get(index).copied().map(f64::from_bits);
        Some(match code {
            COUNTER => Self::Counter(*words.first()?),
            GAUGE => Self::Gauge(float(0)?),
            HISTOGRAM => {
                let quantile = |index| Some(float(index)?).filter(|value| !value.is_nan());
                Self::Histogram(HistorySummary {
                    count: *words.first()?,
                    sum: float(1)?,
                    quantiles: [quantile(2), quantile(3), quantile(4)],
                })
            }
            INFO => Self::Info,
            FRACTIONS => Self::Fractions(float(0)?),
            SUMMARY => Self::Summary {
                count: *words.first()?,
                sum: float(1)?,
            },
            _ => return None,
        })
    }
}

impl From<&Value> for HistoryValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Counter(count) => Self::Counter(*count),
            Value::Gauge(value) => Self::Gauge(*value),
            Value::Sum(sum) => Self::Gauge(sum.to_f64()),
            Value::Processes(processes) => Self::Gauge(processes.value().unwrap_or(f64::NAN)),
            Value::Histogram(found) => Self::Histogram(HistorySummary {
                count: found.count(),
                sum: found.sum(),
                quantiles: QUANTILES.map(|q| found.quantile(q).map(|found| found.value)),
            }),
            Value::Info => Self::Info,
            Value::Fractions(sum) => Self::Fractions(sum.to_f64()),
            Value::Summary(found) => Self::Summary {
                count: found.count,
                sum: found.sum.to_f64(),
            },
        }
    }
}

/// How many numbers a value of this code has.
pub(super) fn width(code: Code) -> usize {
    match code {
        COUNTER | GAUGE | FRACTIONS => 1,
        SUMMARY => 2,
        HISTOGRAM => WIDTHS,
        _ => 0,
    }
}

/// Whether a number of it is a count; else it is the bits of a floating-point number.
pub(super) fn is_count(code: Code, index: usize) -> bool {
    index == 0 && !matches!(code, GAUGE | FRACTIONS)
}

/// Whether a column begins with such a code.
pub(super) fn is_code(code: Code) -> bool {
    usize::from(code) < KINDS.len()
}

/// As documents have it, but of a summary `count` and `sum`, and of a histogram `count`, `sum`, `p50`, `p90` and `p99`; a number that is none is
/// `null` there.
impl Serialize for HistoryValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Counter(count) => Value::Counter(*count).serialize(serializer),
            Self::Gauge(value) => Value::Gauge(*value).serialize(serializer),
            Self::Info => Value::Info.serialize(serializer),
            Self::Fractions(value) => Value::Gauge(*value).serialize(serializer),
            Self::Summary { count, sum } => {
                let mut fields = serializer.serialize_struct("Summary", 2)?;
                fields.serialize_field("count", count)?;
                fields.serialize_field("sum", sum)?;
                fields.end()
            }
            Self::Histogram(found) => {
                let mut fields = serializer.serialize_struct("Summary", 5)?;
                fields.serialize_field("count", &found.count)?;
                fields.serialize_field("sum", &found.sum)?;
                for (name, value) in ["p50", "p90", "p99"].into_iter().zip(found.quantiles) {
                    fields.serialize_field(name, &value)?;
                }
                fields.end()
            }
        }
    }
}
