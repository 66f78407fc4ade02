//! What is observed: each scene is one way in which a sum and what tells of it can be apart.

use deespec::{
    Buckets, Distribution, Family, FractionCounter, Histogram, MetricError, Store, SumGauge,
    Summary, Value, WideHistogram,
};

use super::NAME;
use crate::Result;

/// In what it is observed.
pub(super) enum What {
    Histogram(fn() -> std::result::Result<Buckets, MetricError>),
    Summary,
    /// A counter with fractions.
    Fractions,
    /// A gauge with a wide sum.
    Gauge,
    /// A histogram with a wide sum.
    Wide(fn() -> std::result::Result<Buckets, MetricError>),
}

/// What is observed.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) what: What,
    /// Observed before anything is killed, so often each.
    pub(super) before: &'static [(f64, u64)],
    /// Observed by each process once, before all others.
    pub(super) once: &'static [f64],
    /// Then in turns. Where there is none, nothing is killed at random: such sums would soon be more than a sum
    /// can be.
    pub(super) values: &'static [f64],
}

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "on a bound",
        what: What::Histogram(|| Buckets::classic([1.0, 10.0])),
        before: &[(10.0, 3)],
        once: &[],
        values: &[10.0],
    },
    Scene {
        name: "first",
        what: What::Histogram(|| Buckets::classic([1.0, 10.0])),
        before: &[],
        once: &[],
        values: &[1.0],
    },
    Scene {
        name: "first of all, and large",
        what: What::Histogram(|| Buckets::classic([0.1, 1.0])),
        before: &[],
        once: &[2e8],
        values: &[],
    },
    Scene {
        name: "large among small",
        what: What::Histogram(|| Buckets::classic([0.1, 1.0, 1e6])),
        before: &[(0.1, 1000)],
        once: &[1e6],
        values: &[0.1, 0.05],
    },
    Scene {
        name: "below zero",
        what: What::Histogram(|| Buckets::classic([-10.0, -1.0])),
        before: &[(-1.0, 5)],
        once: &[],
        values: &[-10.0, -1.0],
    },
    Scene {
        name: "both signs",
        what: What::Histogram(|| Buckets::native(0, 1.0, 64.0)?.with_negative()),
        before: &[(4.0, 2), (-8.0, 2)],
        once: &[64.0, -64.0],
        values: &[1.0, -2.0],
    },
    Scene {
        name: "native",
        what: What::Histogram(|| Ok(Buckets::seconds())),
        before: &[(0.25, 1)],
        once: &[65536.0, 1e6],
        values: &[0.5],
    },
    Scene {
        name: "fractions",
        what: What::Fractions,
        before: &[(0.9, 3)],
        once: &[0.1, 1_000_000_000.75],
        values: &[0.9, 2.0],
    },
    Scene {
        name: "a summary",
        what: What::Summary,
        before: &[(0.1, 10)],
        once: &[1_000_000_000.75],
        values: &[2.5, 0.9],
    },
    Scene {
        name: "a summary with both signs",
        what: What::Summary,
        before: &[],
        once: &[-1_000_000.000_001],
        values: &[2.5, -2.25, -0.001],
    },
    Scene {
        name: "a gauge with a wide sum",
        what: What::Gauge,
        before: &[(0.9, 3)],
        once: &[-1_000_000_000.75],
        values: &[2.5, -0.9, 0.001],
    },
    Scene {
        name: "a histogram with a wide sum",
        what: What::Wide(|| Buckets::classic([1024.0, 1e12])),
        before: &[(0.1, 10)],
        // More than 2^64 billionths, far below the bound of its bucket.
        once: &[1e11],
        values: &[2.5, 0.9],
    },
    Scene {
        name: "a native histogram with a wide sum and both signs",
        what: What::Wide(|| Buckets::native(0, 1.0, 64.0)?.with_negative()),
        before: &[(4.0, 2), (-8.0, 2)],
        once: &[-1_000_000.000_001],
        values: &[2.5, -2.25, -0.001],
    },
];

/// Where it is observed.
pub(super) enum Handle {
    Histogram(Histogram),
    Summary(Summary),
    Fractions(FractionCounter),
    Gauge(SumGauge),
    Wide(WideHistogram),
}

impl Handle {
    /// The handle first: what is followed is the observation.
    pub(super) fn of(scene: &Scene, store: &Store) -> Result<Self> {
        Ok(match scene.what {
            What::Histogram(_) => Self::Histogram(store.histogram(NAME)?),
            What::Summary => Self::Summary(store.summary(NAME)?),
            What::Fractions => Self::Fractions(store.fraction_counter(NAME)?),
            What::Gauge => Self::Gauge(store.sum_gauge(NAME)?),
            What::Wide(_) => Self::Wide(store.wide_histogram(NAME)?),
        })
    }

    pub(super) fn observe(&self, value: f64) {
        match self {
            Self::Histogram(histogram) => histogram.observe(value),
            // It is an amount: the sums tell when it was not taken.
            Self::Summary(summary) => {
                summary.observe(value);
            }
            Self::Fractions(counter) => {
                counter.add(value);
            }
            Self::Gauge(gauge) => {
                gauge.add(value);
            }
            Self::Wide(histogram) => {
                histogram.observe(value);
            }
        }
    }
}

/// The sum of such a value.
pub(super) fn sum(value: &Value) -> Option<f64> {
    match value {
        Value::Histogram(found) => Some(found.sum()),
        Value::Summary(found) => Some(found.sum.to_f64()),
        Value::Fractions(sum) | Value::Sum(sum) => Some(sum.to_f64()),
        _ => None,
    }
}

/// How many observations it has counted; a counter with fractions and a gauge do not.
pub(super) fn count(value: &Value) -> Option<u64> {
    let summary = value.summary().map(|found| found.count);
    summary.or_else(|| value.histogram().map(Distribution::count))
}

impl Scene {
    pub(super) fn family(&self) -> Result<Family> {
        Ok(match self.what {
            What::Histogram(buckets) => Family::histogram(NAME, buckets()?),
            What::Summary => Family::summary(NAME),
            What::Fractions => Family::fraction_counter(NAME),
            What::Gauge => Family::sum_gauge(NAME),
            What::Wide(buckets) => Family::wide_histogram(NAME, buckets()?),
        })
    }

    /// Whether a sum may be seen in the middle of an addition, though never beyond it: it has three cells.
    pub(super) fn has_middle(&self) -> bool {
        !matches!(self.what, What::Histogram(_))
    }

    /// The line of Prometheus' text that has the sum.
    pub(super) fn line(&self) -> &'static str {
        match self.what {
            What::Histogram(_) | What::Wide(_) | What::Summary => "observed_sum ",
            What::Fractions => "observed_total ",
            What::Gauge => "observed ",
        }
    }

    /// What is observed once, and then what is observed in turns.
    pub(super) fn all(&self) -> impl Iterator<Item = f64> {
        self.once.iter().chain(self.values).copied()
    }

    /// The largest observation.
    pub(super) fn most(&self) -> f64 {
        self.all()
            .chain(self.before.iter().map(|(value, _)| *value))
            .map(f64::abs)
            .fold(0.0, f64::max)
    }
}
