//! Counts what a datagram says, straight into the cells of the store: what was counted here stays, whatever becomes of
//! the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deespec::{Buckets, Counter, Gauge, Histogram, Lawful, Store};

use super::line::{Kind, Line, Value};
use super::rejected::{Reason, Rejected};

const DATAGRAMS: &str = "deespec_statsd_datagrams_total";
/// Longer datagrams are rejected. UDP has none.
pub(super) const DATAGRAM_BYTES: usize = 65_536;
/// What the memory of known series may hold; beyond it everything is looked up anew.
const CACHE_BYTES: usize = 16 << 20;
/// About what a series takes in it, besides its text.
const SLOT_BYTES: usize = 400;
/// When a series is tried again that could not be had.
const RETRY: Duration = Duration::from_secs(10);
/// What the names of durations end in.
const SECONDS: &str = "_seconds";

/// What one socket counts.
pub(super) struct Counting {
    store: Store,
    rejected: Arc<Rejected>,
    datagrams: Counter,
    /// The buckets of new histograms of which the unit is not known.
    buckets: Buckets,
    slots: HashMap<Box<str>, Slot>,
    bytes: usize,
    key: String,
}

/// What a series is counted by.
struct Slot {
    found: Result<Handle, Reason>,
    /// When to look again; `None` where what was found is final.
    again: Option<Instant>,
    rest: Rest,
}

enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// What a sum that need not be whole exceeds the whole counts by. It begins with a half, so that what is counted is the
/// sum rounded to the nearest whole number, however many parts it has.
struct Rest(f64);

impl Rest {
    fn carry(&mut self, more: f64) -> u64 {
        let sum = self.0 + more;
        let whole = sum.floor();
        self.0 = sum - whole;
        whole as u64
    }
}

impl Counting {
    pub(super) fn new(store: &Store, rejected: &Arc<Rejected>) -> deespec::Result<Self> {
        let sizes = Buckets::native(2, 1e-6, 1e12);
        Ok(Self {
            store: store.clone(),
            rejected: Arc::clone(rejected),
            datagrams: store.counter(DATAGRAMS)?,
            buckets: sizes.map_err(deespec::StoreError::from)?,
            slots: HashMap::new(),
            bytes: 0,
            key: String::new(),
        })
    }

    /// Counts what could not be counted.
    pub(super) fn reject(&self, reason: Reason, number: u64, example: &[u8]) {
        self.rejected.count(reason, number, example);
    }

    /// Counts each line of a datagram.
    pub(super) fn datagram(&mut self, datagram: &[u8]) {
        self.lines(datagram);
        // Last, so that all of a datagram is counted that is.
        self.datagrams.inc();
    }

    fn lines(&mut self, datagram: &[u8]) {
        if datagram.len() > DATAGRAM_BYTES {
            // Where it was cut off, nobody knows.
            return self.reject(Reason::Size, 1, datagram);
        }
        for text in datagram.split(|byte| *byte == b'\n') {
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.is_empty() {
                continue;
            }
            let counted = Line::parse(text).map_err(Reason::from);
            if let Err(reason) = counted.and_then(|line| self.line(&line)) {
                self.reject(reason, 1, text);
            }
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Reason> {
        self.key.clear();
        self.key.push(match line.kind {
            Kind::Counter => 'c',
            Kind::Gauge => 'g',
            Kind::Timing => 'm',
            Kind::Histogram => 'h',
        });
        // A name has no colon, so two keys that are equal mean the same.
        self.key.push_str(line.name);
        self.key.push(':');
        self.key.push_str(line.tags);
        if let Some(slot) = self.slots.get_mut(self.key.as_str())
            && slot.again.is_none_or(|again| Instant::now() < again)
        {
            return slot.count(line);
        }
        let found = self.find(line).map_err(Reason::from);
        let again = found.is_err().then(|| Instant::now() + RETRY);
        let mut slot = Slot {
            found,
            again,
            rest: Rest(0.5),
        };
        let counted = slot.count(line);
        self.keep(slot);
        counted
    }

    fn keep(&mut self, slot: Slot) {
        self.bytes += self.key.len() + SLOT_BYTES;
        if self.bytes > CACHE_BYTES {
            self.slots.clear();
            self.bytes = self.key.len() + SLOT_BYTES;
        }
        self.slots.insert(self.key.as_str().into(), slot);
    }

    /// The series of a line, which is made where there is none.
    fn find(&self, line: &Line<'_>) -> deespec::Result<Handle> {
        let series = Lawful::new(line.name, line.labels());
        let (mut name, labels) = (series.name().to_owned(), series.labels());
        if line.kind == Kind::Timing && !name.is_empty() && !name.ends_with(SECONDS) {
            name.push_str(SECONDS);
        }
        let name = name.as_str();
        Ok(match line.kind {
            Kind::Counter => Handle::Counter(self.store.counter_with(name, &labels)?),
            Kind::Gauge => Handle::Gauge(self.store.gauge_with(name, &labels)?),
            Kind::Timing | Kind::Histogram => {
                let is_time = name.ends_with(SECONDS);
                let buckets = if is_time {
                    &Buckets::seconds()
                } else {
                    &self.buckets
                };
                Handle::Histogram(self.store.histogram_as(name, &labels, buckets)?)
            }
        })
    }
}

impl Slot {
    fn count(&mut self, line: &Line<'_>) -> Result<(), Reason> {
        let handle = self.found.as_ref().map_err(|reason| *reason)?;
        for value in line.values() {
            match (handle, value) {
                (Handle::Counter(counter), Value::Count(count)) => counter.add(count),
                (Handle::Counter(counter), Value::About(count)) => {
                    counter.add(self.rest.carry(count));
                }
                (Handle::Gauge(gauge), Value::Set(value)) => gauge.set(value),
                (Handle::Gauge(gauge), Value::Change(value)) => gauge.add(value),
                (Handle::Histogram(histogram), Value::Observe(value)) => {
                    histogram.observe_many(value, self.rest.carry(line.weight));
                }
                // A handle is made by the kind of its line.
                _ => return Err(Reason::Kind),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_counts_make_the_sum_rounded() {
        for (part, times, sum) in [
            (1.0 / 0.3, 3_000_000, 10_000_000),
            (1.0 / 0.7, 700, 1000),
            (0.1, 1_000_000, 100_000),
            (1.0 / 0.3, 1, 3),
            (1.0 / 0.6, 1, 2),
            (0.0, 5, 0),
        ] {
            let mut rest = Rest(0.5);
            let counted: u64 = (0..times).map(|_| rest.carry(part)).sum();
            assert_eq!(counted, sum, "{times} times {part}");
        }
    }
}
