//! One label set's samples, gathered and then checked as a whole.

use super::number::Number;
use super::{Fault, Format, Labels, Point, PointValue, TextError, TextKind};

/// What the samples of one label set have said so far.
#[derive(Default)]
pub(super) struct Gathering {
    /// How many label sets of the family came before.
    pub(super) order: usize,
    /// The last line that said something.
    pub(super) line: usize,
    pub(super) counter: Option<Number>,
    pub(super) value: Option<f64>,
    pub(super) buckets: Vec<(f64, u64)>,
    pub(super) sum: Option<f64>,
    /// The sum of a summary.
    pub(super) wide: Option<Number>,
    pub(super) count: Option<u64>,
    pub(super) created: Option<f64>,
}

impl Gathering {
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

    pub(super) fn finish(
        self,
        format: Format,
        kind: TextKind,
        labels: Labels,
    ) -> Result<Point, TextError> {
        let (line, created) = (self.line, self.created);
        let value = match kind {
            TextKind::Counter => self.counter.map(PointValue::Counter),
            TextKind::Gauge => self.value.map(PointValue::Gauge),
            TextKind::Info => self.value.map(|_| PointValue::Info),
            TextKind::Histogram => Some(self.histogram(format)?),
            TextKind::Summary => Some(PointValue::Summary {
                sum: self.wide,
                count: self.count,
            }),
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
        let Some(&(f64::INFINITY, count)) = self.buckets.last() else {
            return wrong("a histogram's last bucket must have le=\"+Inf\"".to_owned());
        };
        if let Some(given) = self.count
            && given != count
        {
            return wrong(format!(
                "the _count {given} is not that of the bucket +Inf, {count}"
            ));
        }
        // Prometheus text says nothing of these, and exporters write sums that go down.
        if format == Format::OpenMetrics {
            if self.sum.is_some() != self.count.is_some() {
                return wrong("a histogram must have both _sum and _count, or neither".to_owned());
            }
            let is_negative = |value: f64| value.is_nan() || value < 0.0;
            if self.sum.is_some_and(is_negative) {
                return wrong("the _sum of a histogram cannot be negative or NaN".to_owned());
            }
            let lowest = self.buckets.first();
            if self.sum.is_some() && lowest.is_some_and(|&(bound, _)| bound < 0.0) {
                return wrong("a histogram with a negative le cannot have a _sum".to_owned());
            }
        }
        Ok(PointValue::Histogram {
            buckets: self.buckets,
            sum: self.sum,
            count,
        })
    }
}
