//! What live clients are sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use axum::body::Bytes;
use deespec::{Changed, Distribution, View};
use serde::Serialize;
use serde_json::value::RawValue;

/// A message: what it is, and its JSON. It belongs to all who are told it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) event: Event,
    pub(super) data: String,
    sse: OnceLock<Bytes>,
    _weight: Option<Weight>,
}

/// What somebody still has to be told takes memory, which is counted for as long as it does.
#[derive(Debug)]
pub(super) struct Weight {
    bytes: usize,
    sum: Arc<AtomicUsize>,
}

impl Weight {
    /// Counts so many bytes, unless they would make more than `most`. The first ones always have room.
    pub(super) fn take(sum: &Arc<AtomicUsize>, bytes: usize, most: usize) -> Option<Self> {
        let add = |now: usize| (now == 0 || now + bytes <= most).then_some(now + bytes);
        let order = Ordering::Relaxed;
        sum.fetch_update(order, order, add).ok()?;
        Some(Self {
            bytes,
            sum: Arc::clone(sum),
        })
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Message {
    pub(super) fn new(id: String, event: Event, data: String) -> Self {
        Self {
            id,
            event,
            data,
            sse: OnceLock::new(),
            _weight: None,
        }
    }

    pub(super) fn weighing(self, weight: Weight) -> Self {
        Self {
            _weight: Some(weight),
            ..self
        }
    }

    /// What it takes at most, in both of its forms.
    pub(super) fn bytes(&self) -> usize {
        2 * self.data.len()
    }

    /// As a Server-Sent Event; one text for all clients.
    pub(super) fn sse(&self) -> Bytes {
        let text = self.sse.get_or_init(|| {
            let mut text = format!("event: {}\n", self.event.name());
            text.reserve(self.data.len() + self.data.len() / 64 + 64);
            for line in self.data.lines() {
                text.push_str("data: ");
                text.push_str(line);
                text.push('\n');
            }
            if !self.id.is_empty() {
                text.push_str(&format!("id: {}\n", self.id));
            }
            text.push('\n');
            text.into()
        });
        text.clone()
    }
}

/// What a message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// All there is to know; what was known before is void.
    View,
    /// What changed in one store.
    Changes,
    /// One store as a whole: a new epoch has begun in it.
    Epoch,
    /// Nothing more comes, and why.
    End,
}

impl Event {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Changes => "changes",
            Self::Epoch => "epoch",
            Self::End => "end",
        }
    }
}

#[derive(Serialize)]
struct ViewData<'a> {
    at: f64,
    stores: Vec<StoreData<'a>>,
}

#[derive(Serialize)]
struct StoreData<'a> {
    store: &'a str,
    view: Box<RawValue>,
}

#[derive(Serialize)]
struct ChangesData<'a> {
    store: &'a str,
    epoch: u64,
    at: f64,
    changes: Vec<ChangedData<'a>>,
}

/// Lower bound, upper bound, count; a bound that is none is `null`.
type Bucket = (Option<f64>, Option<f64>, u64);

/// A change, and of a histogram the buckets that it adds to, as a document has them.
#[derive(Serialize)]
struct ChangedData<'a> {
    #[serde(flatten)]
    changed: &'a Changed,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<Vec<Bucket>>,
}

impl<'a> From<&'a Changed> for ChangedData<'a> {
    fn from(changed: &'a Changed) -> Self {
        let finite = |bound: f64| bound.is_finite().then_some(bound);
        let added = |observed: &Distribution| {
            let buckets = observed.iter();
            buckets
                .map(|bucket| (finite(bucket.lower), finite(bucket.upper), bucket.count))
                .collect()
        };
        Self {
            changed,
            buckets: changed.observed.as_ref().map(added),
        }
    }
}

#[derive(Serialize)]
struct EpochData<'a> {
    store: &'a str,
    epoch: u64,
    at: f64,
    view: Box<RawValue>,
}

#[derive(Serialize)]
struct EndData<'a> {
    reason: &'a str,
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// All stores as they are.
pub(super) fn view<'a>(
    stores: impl Iterator<Item = (&'a str, &'a View)>,
) -> serde_json::Result<String> {
    let mut at = SystemTime::UNIX_EPOCH;
    let one = |(store, view): (&'a str, &'a View)| {
        at = at.max(view.last_update);
        let view = RawValue::from_string(view.to_json())?;
        Ok(StoreData { store, view })
    };
    let stores = stores.map(one).collect::<serde_json::Result<_>>()?;
    let at = seconds(at);
    serde_json::to_string(&ViewData { at, stores })
}

/// What changed in a store.
pub(super) fn changes(store: &str, now: &View, changes: &[Changed]) -> serde_json::Result<String> {
    serde_json::to_string(&ChangesData {
        store,
        epoch: now.epoch,
        at: seconds(now.last_update),
        changes: changes.iter().map(ChangedData::from).collect(),
    })
}

/// A store in which an epoch begins.
pub(super) fn epoch(store: &str, now: &View) -> serde_json::Result<String> {
    serde_json::to_string(&EpochData {
        store,
        epoch: now.epoch,
        at: seconds(now.last_update),
        view: RawValue::from_string(now.to_json())?,
    })
}

/// Why nothing more comes.
pub(super) fn end(reason: &str) -> Message {
    let data = serde_json::json!(EndData { reason }).to_string();
    Message::new(String::new(), Event::End, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_line_for_each_line_of_its_data() {
        let message = Message::new("a-1".to_owned(), Event::Changes, "{\n  1\n}\n".to_owned());
        let expected = "event: changes\ndata: {\ndata:   1\ndata: }\nid: a-1\n\n";
        assert_eq!(message.sse(), expected);
        assert!(message.bytes() >= message.data.len());
    }

    #[test]
    fn what_waits_to_be_told_is_counted_until_it_is_gone() {
        let sum = Arc::default();
        let first = Weight::take(&sum, 100, 50).unwrap();
        assert!(Weight::take(&sum, 1, 50).is_none());
        drop(first);
        let second = Weight::take(&sum, 30, 50).unwrap();
        assert!(Weight::take(&sum, 21, 50).is_none());
        let message = Message::new(String::new(), Event::View, String::new()).weighing(second);
        assert!(Weight::take(&sum, 20, 50).is_some());
        drop(message);
        assert_eq!(sum.load(Ordering::Relaxed), 0);
    }
}
