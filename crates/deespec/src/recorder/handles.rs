//! What the facade's handles do: each is a handle of the store, and counts what it has to reject.

use std::sync::{Arc, OnceLock};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key};

use crate::sync::{AtomicU64, Ordering};
use crate::{Counter, Gauge, Histogram, ProcessGauge};

use super::absolute::{self, Origin};
use super::lawful;
use super::rejected::{Reason, Rejected};

pub(super) struct Count {
    counter: Counter,
    key: Key,
    origin: Origin,
    /// Most counters are never set to an absolute value.
    largest: OnceLock<Arc<AtomicU64>>,
}

impl Count {
    pub(super) fn new(counter: Counter, key: &Key, origin: Origin) -> Self {
        Self {
            counter,
            key: key.to_retained(),
            origin,
            largest: OnceLock::new(),
        }
    }
}

impl CounterFn for Count {
    #[inline]
    fn increment(&self, value: u64) {
        self.counter.add(value);
    }

    fn absolute(&self, value: u64) {
        let find = || absolute::largest(self.origin, lawful::series(&self.key));
        // Of all threads that raise the maximum each adds its own step, and the steps make it up.
        let before = self
            .largest
            .get_or_init(find)
            .fetch_max(value, Ordering::Relaxed);
        if value > before {
            self.counter.add(value - before);
        }
    }
}

pub(super) struct Set(pub(super) Gauge);

impl GaugeFn for Set {
    fn increment(&self, value: f64) {
        self.0.add(value);
    }

    fn decrement(&self, value: f64) {
        self.0.add(-value);
    }

    fn set(&self, value: f64) {
        self.0.set(value);
    }
}

pub(super) struct SetShare {
    pub(super) gauge: ProcessGauge,
    pub(super) rejected: Arc<Rejected>,
}

impl SetShare {
    fn note(&self, done: crate::Result<()>) {
        if done.is_err() {
            // Only after a fork, and only because the store failed.
            self.rejected.count("", Reason::Store, 1);
        }
    }
}

impl GaugeFn for SetShare {
    fn increment(&self, value: f64) {
        self.note(self.gauge.add(value));
    }

    fn decrement(&self, value: f64) {
        self.note(self.gauge.add(-value));
    }

    fn set(&self, value: f64) {
        self.note(self.gauge.set(value));
    }
}

pub(super) struct Observe {
    histogram: Histogram,
    key: Key,
    rejected: Arc<Rejected>,
}

impl Observe {
    pub(super) fn new(histogram: Histogram, key: &Key, rejected: &Arc<Rejected>) -> Self {
        Self {
            histogram,
            key: key.to_retained(),
            rejected: Arc::clone(rejected),
        }
    }

    #[cold]
    fn reject(&self, count: u64) {
        let name = lawful::series(&self.key).name;
        self.rejected.count(&name, Reason::Value, count);
    }
}

impl HistogramFn for Observe {
    #[inline]
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    #[inline]
    fn record_many(&self, value: f64, count: usize) {
        if value.is_nan() {
            return self.reject(count as u64);
        }
        self.histogram.observe_many(value, count as u64);
    }
}

/// A handle of a series that was rejected: counts the calls that go nowhere.
pub(super) struct Lost(pub(super) Option<Counter>);

impl Lost {
    fn note(&self, calls: u64) {
        if let Some(counter) = &self.0 {
            counter.add(calls);
        }
    }
}

impl CounterFn for Lost {
    fn increment(&self, _: u64) {
        self.note(1);
    }

    fn absolute(&self, _: u64) {
        self.note(1);
    }
}

impl GaugeFn for Lost {
    fn increment(&self, _: f64) {
        self.note(1);
    }

    fn decrement(&self, _: f64) {
        self.note(1);
    }

    fn set(&self, _: f64) {
        self.note(1);
    }
}

impl HistogramFn for Lost {
    fn record(&self, _: f64) {
        self.note(1);
    }

    fn record_many(&self, _: f64, count: usize) {
        self.note(count as u64);
    }
}
