//! One label set's samples, gathered and then checked as a whole.

use super::number::Number;
use crate::metric::LabelSet;

use super::{Fault, Format, Point, PointValue, TextError, TextKind};

/// What the samples of one label set have said so far.
#[derive(Default)]
pub(super) struct Gathering {
    /// The last line that said something.
    pub(super) line: usize,
    pub(super) counter: Option<Number>,
    pub(super) value: Option<f64>,
    pub(super) created: Option<f64>,
    /// On its own, since most label sets have none of it, and a family may have a million.
    several: Option<Box<Several>>,
}

/// What a histogram or a summary has.
#[derive(Default)]
pub(super) struct Several {
    buckets: Vec<(f64, u64)>,
    pub(super) sum: Option<f64>,
    /// The sum of a summary or a histogram, with all its digits.
    pub(super) wide: Option<Number>,
    pub(super) count: Option<u64>,
}

impl Several {
    /// Adds the next bucket.
    pub(super) fn bucket(&mut self, bound: f64, count: u64) -> Result<(), Fault> {
        if let Some(&(last, before)) = self.buckets.last() {
            if bound <= last {
                return Err(format!(
                    "the buckets must ascend and stand once, and le {bound:?} comes after {last:?}"
                )
                .into());
            }
            if count < before {
                return Err(format!(
                    "the counts of buckets are cumulative, and {count} comes after {before}"
                )
                .into());
            }
        }
        self.buckets.push((bound, count));
        Ok(())
    }
}

impl Gathering {
    pub(super) fn several(&mut self) -> &mut Several {
        self.several.get_or_insert_default()
    }

    pub(super) fn finish(
        self,
        format: Format,
        kind: TextKind,
        labels: LabelSet,
    ) -> Result<Point, TextError> {
        let (line, created) = (self.line, self.created);
        let value = match kind {
            TextKind::Counter => self.counter.map(PointValue::Counter),
            TextKind::Gauge => self.value.map(PointValue::Gauge),
            TextKind::Info => self.value.map(|_| PointValue::Info),
            TextKind::Histogram => Some(self.histogram(format)?),
            TextKind::Summary => {
                let Several { wide, count, .. } =
                    self.several.map_or_else(Default::default, |it| *it);
                Some(PointValue::Summary { sum: wide, count })
            }
            TextKind::Unknown | TextKind::StateSet | TextKind::GaugeHistogram => {
                self.value.map(PointValue::Unknown)
            }
        };
        let value = value.ok_or_else(|| TextError {
            line,
            reason: "it has a time of creation and no value".to_owned(),
        })?;
        Ok(Point {
            labels,
            value,
            created,
        })
    }

    fn histogram(self, format: Format) -> Result<PointValue, TextError> {
        let wrong = |reason: String| {
            let line = self.line;
            Err(TextError { line, reason })
        };
        let Several {
            buckets,
            sum,
            wide,
            count: given,
        } = self
            .several
            .map_or_else(Default::default, |several| *several);
        let Some(&(f64::INFINITY, count)) = buckets.last() else {
            return wrong("a histogram's last bucket must have le=\"+Inf\"".to_owned());
        };
        if let Some(given) = given
            && given != count
        {
            return wrong(format!(
                "the _count {given} is not that of the bucket +Inf, {count}"
            ));
        }
        // Prometheus text says nothing of these, and exporters write sums that go down.
        if format == Format::OpenMetrics {
            if sum.is_some() != given.is_some() {
                return wrong("a histogram must have both _sum and _count, or neither".to_owned());
            }
            let is_negative = |value: f64| value.is_nan() || value < 0.0;
            if sum.is_some_and(is_negative) {
                return wrong("the _sum of a histogram cannot be negative or NaN".to_owned());
            }
            let lowest = buckets.first();
            if sum.is_some() && lowest.is_some_and(|&(bound, _)| bound < 0.0) {
                return wrong("a histogram with a negative le cannot have a _sum".to_owned());
            }
        }
        Ok(PointValue::Histogram {
            buckets,
            sum,
            wide,
            count,
        })
    }
}
