//! Counts what a datagram says, straight into the cells of the store: what was counted here stays, whatever becomes of
//! the server.

use std::collections::HashMap;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deespec::{Counter, Gauge, Histogram, Store};

use super::line::{Kind, Line, Value, Values};
use super::rejected::{Reason, Rejected};
use super::series::{Handle, SeriesSource, Wanted};
use crate::config::New;
use crate::error::Error;

const DATAGRAMS: &str = "deespec_statsd_datagrams_total";
/// Longer datagrams are rejected. UDP has none.
pub(super) const DATAGRAM_BYTES: usize = 65_536;
/// What the memory of known series may hold; beyond it everything is looked up anew.
const CACHE_BYTES: usize = 16 << 20;
/// About what a series takes in it, besides its text.
const SLOT_BYTES: usize = 400;
/// What lines may hold that wait for their series to be made.
const WAITING_BYTES: usize = 4 << 20;
/// About what each of them takes besides its text.
const LINE_BYTES: usize = 48;
/// When a series is tried again that could not be had.
const RETRY: Duration = Duration::from_secs(10);
/// How much is counted before the room of a series is looked at again.
const ALLOWANCE: u64 = 1 << 40;
/// How many steps are added to the sum of a histogram before its room is looked at again.
const ALLOWANCE_STEPS: u64 = 1 << 57;
const KINDS: [(Kind, char); 4] = [
    (Kind::Counter, 'c'),
    (Kind::Gauge, 'g'),
    (Kind::Timing, 'm'),
    (Kind::Histogram, 'h'),
];

/// What one socket counts.
pub(super) struct Counting {
    series: SeriesSource,
    rejected: Arc<Rejected>,
    datagrams: Counter,
    slots: HashMap<Box<str>, Slot>,
    /// Of each series, whatever its tags look like: at most one for each slot there was since the slots began anew.
    rests: HashMap<usize, Rest>,
    bytes: usize,
    /// Of the lines that wait.
    waiting: usize,
    /// Datagrams that were read since some of them began to wait.
    behind: u64,
    key: String,
}

/// What a series is counted by.
struct Slot {
    found: Found,
    /// How much may be counted without looking at the room.
    allowed: u64,
    /// How many steps may be added to the sum of a histogram.
    allowed_steps: u64,
}

enum Found {
    Handle(Handle),
    /// Until then.
    Refused(Reason, Instant),
    /// These lines wait until it is made.
    Asked(Vec<Box<[u8]>>),
}

impl From<Result<Handle, Reason>> for Found {
    fn from(found: Result<Handle, Reason>) -> Self {
        match found {
            Ok(handle) => Self::Handle(handle),
            Err(reason) => Self::Refused(reason, Instant::now() + RETRY),
        }
    }
}

/// What a sum that need not be whole exceeds the whole counts by. It begins with a half, so that what is counted is the
/// sum rounded to the nearest whole number, however many parts it has.
struct Rest(f64);

impl Default for Rest {
    fn default() -> Self {
        Self(0.5)
    }
}

impl Rest {
    fn carry(&mut self, more: f64) -> u64 {
        let sum = self.0 + more;
        let whole = sum.floor();
        self.0 = sum - whole;
        whole as u64
    }
}

impl Counting {
    pub(super) fn new(store: &Store, rejected: &Arc<Rejected>, new: New) -> Result<Self, Error> {
        Ok(Self {
            series: SeriesSource::start(store, new)?,
            rejected: Arc::clone(rejected),
            datagrams: store.counter(DATAGRAMS).map_err(Error::StatsdCounters)?,
            slots: HashMap::new(),
            rests: HashMap::new(),
            bytes: 0,
            waiting: 0,
            behind: 0,
            key: String::new(),
        })
    }

    /// What becomes readable when [`Counting::resume`] has something to do.
    pub(super) fn woken(&self) -> Arc<UnixDatagram> {
        self.series.woken()
    }

    /// Counts what could not be counted.
    pub(super) fn reject(&self, reason: Reason, number: u64, example: &[u8]) {
        self.rejected.count(reason, number, example);
    }

    /// Counts each line of a datagram.
    pub(super) fn datagram(&mut self, datagram: &[u8]) {
        if datagram.len() > DATAGRAM_BYTES {
            // Where it was cut off, nobody knows.
            self.reject(Reason::Size, 1, datagram);
        } else {
            for text in datagram.split(|byte| *byte == b'\n') {
                self.text(text.strip_suffix(b"\r").unwrap_or(text));
            }
        }
        self.behind += 1;
        self.catch_up();
    }

    /// Counts the datagrams last, so that all of them is counted that is.
    fn catch_up(&mut self) {
        if !self.is_waiting() {
            self.datagrams.add(std::mem::take(&mut self.behind));
        }
    }

    /// Counts the lines whose series were made meanwhile.
    pub(super) fn resume(&mut self) {
        for (key, found) in self.series.made() {
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            let before = std::mem::replace(&mut slot.found, Found::from(found));
            if let Found::Asked(lines) = before {
                for line in lines {
                    self.waiting -= waiting_bytes(&line);
                    self.text(&line);
                }
            }
        }
        self.catch_up();
    }

    /// Whether lines wait for their series.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Rejects the lines whose series cannot be had any more.
    pub(super) fn give_up(&mut self) {
        for slot in std::mem::take(&mut self.slots).into_values() {
            if let Found::Asked(lines) = slot.found {
                lines
                    .iter()
                    .for_each(|line| self.reject(Reason::Store, 1, line));
            }
        }
        self.waiting = 0;
        self.catch_up();
    }

    fn text(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let line = Line::parse(text).map_err(Reason::from);
        if let Err(reason) = line.and_then(|line| self.line(&line, text)) {
            self.reject(reason, 1, text);
        }
    }

    /// Counts a line as a whole, or lets it wait.
    fn line(&mut self, line: &Line<'_>, text: &[u8]) -> Result<(), Reason> {
        let is_there = |(kind, _): &&(Kind, char)| line.values().any(|values| values.kind == *kind);
        let kinds = || KINDS.iter().filter(is_there);
        for &(kind, sign) in kinds() {
            self.key(line, sign);
            match &mut self.slot(line, kind)?.found {
                Found::Handle(_) => {}
                Found::Refused(reason, _) => return Err(*reason),
                Found::Asked(_) => return self.wait(text),
            }
        }
        for &(kind, sign) in kinds() {
            self.key(line, sign);
            if let Some(slot) = self.slots.get_mut(self.key.as_str()) {
                slot.claim(line, kind)?;
            }
        }
        for &(kind, sign) in kinds() {
            self.key(line, sign);
            if let Some(slot) = self.slots.get_mut(self.key.as_str()) {
                of(line, kind).for_each(|values| slot.count(values, &mut self.rests));
            }
        }
        Ok(())
    }

    /// Writes down the key of the line's series of a kind.
    fn key(&mut self, line: &Line<'_>, sign: char) {
        self.key.clear();
        self.key.push(sign);
        // None of the first two has a colon, so two keys that are equal mean the same.
        for part in [line.name, ":", line.beside, ":", line.tags] {
            self.key.push_str(part);
        }
    }

    /// The slot of the series under the key.
    fn slot(&mut self, line: &Line<'_>, kind: Kind) -> Result<&mut Slot, Reason> {
        let is_old = self.slots.get(self.key.as_str()).is_none_or(
            |slot| matches!(slot.found, Found::Refused(_, until) if until <= Instant::now()),
        );
        if is_old {
            let wanted = Wanted::new(line, kind);
            let found = match wanted {
                Ok(_) if self.waiting >= WAITING_BYTES => return Err(Reason::Limit),
                Ok(wanted) => self.series.known(&self.key, wanted),
                Err(reason) => Some(Err(reason)),
            };
            self.keep(Slot {
                found: found.map_or_else(|| Found::Asked(Vec::new()), Found::from),
                allowed: 0,
                allowed_steps: 0,
            });
        }
        self.slots.get_mut(self.key.as_str()).ok_or(Reason::Store)
    }

    fn keep(&mut self, slot: Slot) {
        self.bytes += self.key.len() + SLOT_BYTES;
        if self.bytes > CACHE_BYTES {
            // What waits is not forgotten.
            self.slots
                .retain(|_, slot| matches!(slot.found, Found::Asked(_)));
            self.rests.clear();
            let kept = self.slots.keys().map(|key| key.len() + SLOT_BYTES);
            self.bytes = self.key.len() + SLOT_BYTES + kept.sum::<usize>();
        }
        self.slots.insert(self.key.as_str().into(), slot);
    }

    /// Lets a line wait for the series under the key.
    fn wait(&mut self, text: &[u8]) -> Result<(), Reason> {
        let bytes = waiting_bytes(text);
        match self.slots.get_mut(self.key.as_str()) {
            Some(Slot {
                found: Found::Asked(lines),
                ..
            }) if self.waiting + bytes <= WAITING_BYTES => {
                lines.push(text.into());
                self.waiting += bytes;
                Ok(())
            }
            _ => Err(Reason::Limit),
        }
    }
}

/// About what a line takes that waits.
fn waiting_bytes(line: &[u8]) -> usize {
    line.len() + LINE_BYTES
}

/// The values of a line that are of one kind.
fn of<'a>(line: &'a Line<'_>, kind: Kind) -> impl Iterator<Item = &'a Values<'a>> {
    line.values().filter(move |values| values.kind == kind)
}

/// How many steps the line adds to the sum of a histogram at most, whatever the signs; `None` where a value is too large.
fn steps(histogram: &Histogram, line: &Line<'_>, kind: Kind) -> Option<u64> {
    let mut all = 0_u64;
    for values in of(line, kind) {
        let times = values.weight.ceil() as u64;
        for value in values.read() {
            if let Value::Observe(value) = value {
                let steps = histogram.buckets().steps(value)?;
                all = all.saturating_add(steps.saturating_mul(times));
            }
        }
    }
    Some(all)
}

/// Whether the line sets a gauge.
fn sets(line: &Line<'_>, kind: Kind) -> bool {
    let mut values = of(line, kind).flat_map(Values::read);
    values.any(|value| matches!(value, Value::Set(_)))
}

/// Whether a gauge is a number still when the line has changed it: infinity has no way back.
fn stays_a_number(gauge: &Gauge, line: &Line<'_>, kind: Kind) -> bool {
    let mut now = gauge.value();
    for value in of(line, kind).flat_map(Values::read) {
        match value {
            Value::Set(value) => now = value,
            Value::Change(change) => now += change,
            _ => {}
        }
        if now.is_infinite() {
            return gauge.value().is_infinite();
        }
    }
    true
}

impl Slot {
    /// Fails where the values of this kind are more than the series has room for.
    fn claim(&mut self, line: &Line<'_>, kind: Kind) -> Result<(), Reason> {
        match &self.found {
            Found::Handle(Handle::Histogram(histogram)) => {
                let steps = steps(histogram, line, kind).ok_or(Reason::Value)?;
                if steps > self.allowed_steps {
                    let room = histogram.sum_room();
                    if steps > room {
                        return Err(Reason::Value);
                    }
                    self.allowed_steps = room.min(ALLOWANCE_STEPS.max(steps));
                }
                self.allowed_steps -= steps;
            }
            Found::Handle(Handle::Gauge(gauge)) if !stays_a_number(gauge, line, kind) => {
                return Err(Reason::Value);
            }
            // It is the sum of what all add to it: nobody sets it.
            Found::Handle(Handle::Sum(_)) if sets(line, kind) => return Err(Reason::Kind),
            _ => {}
        }
        let most = |values: &Values<'_>| {
            let counts = values.read().map(|value| match value {
                Value::Count(count) => count,
                // What is left of a part may make one more.
                Value::About(count) => count.ceil() as u64 + 1,
                Value::Change(by) => match &self.found {
                    Found::Handle(Handle::Sum(_)) => by.abs().ceil() as u64,
                    _ => 0,
                },
                Value::Set(_) => 0,
                Value::Observe(value) => {
                    // What is left of a part makes it the next whole number at most.
                    let times = values.weight.ceil();
                    match &self.found {
                        // Its sum has an end too.
                        Found::Handle(Handle::Summary(_) | Handle::Wide(_)) => {
                            (times * value.abs().ceil().max(1.0)) as u64
                        }
                        _ => times as u64,
                    }
                }
            });
            counts.fold(0, u64::saturating_add)
        };
        let claimed = of(line, kind).map(most).fold(0, u64::saturating_add);
        if claimed > self.allowed {
            let Found::Handle(handle) = &self.found else {
                return Ok(());
            };
            let room = handle.room();
            if claimed > room {
                return Err(Reason::Value);
            }
            self.allowed = room.min(ALLOWANCE.max(claimed));
        }
        self.allowed -= claimed;
        Ok(())
    }

    fn count(&self, values: &Values<'_>, rests: &mut HashMap<usize, Rest>) {
        let Found::Handle(handle) = &self.found else {
            return;
        };
        let mut carry = |part: f64| match part.fract() == 0.0 {
            true => part as u64,
            false => rests.entry(handle.identity()).or_default().carry(part),
        };
        for value in values.read() {
            match (handle, value) {
                (Handle::Counter(counter), Value::Count(count)) => counter.add(count),
                (Handle::Counter(counter), Value::About(count)) => {
                    counter.add(carry(count));
                }
                (Handle::Fractions(counter), Value::Count(count)) => {
                    counter.add(count as f64);
                }
                (Handle::Fractions(counter), Value::About(count)) => {
                    counter.add(count);
                }
                (Handle::Summary(summary), Value::Observe(value)) => {
                    summary.observe_many(value, carry(values.weight));
                }
                (Handle::Sum(gauge), Value::Change(by)) => {
                    gauge.add(by);
                }
                (Handle::Wide(histogram), Value::Observe(value)) => {
                    histogram.observe_many(value, carry(values.weight));
                }
                (Handle::Gauge(gauge), Value::Set(value)) => gauge.set(value),
                (Handle::Gauge(gauge), Value::Change(value)) => gauge.add(value),
                (Handle::Histogram(histogram), Value::Observe(value)) => {
                    histogram.observe_many(value, carry(values.weight));
                }
                // A handle is made by the kind of its values.
                _ => {}
            }
        }
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
            let mut rest = Rest::default();
            let counted: u64 = (0..times).map(|_| rest.carry(part)).sum();
            assert_eq!(counted, sum, "{times} times {part}");
        }
    }
}
