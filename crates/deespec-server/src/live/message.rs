//! What live clients are sent.

use std::time::SystemTime;

use deespec::{Changed, Distribution, View};
use serde::Serialize;
use serde_json::value::RawValue;

/// A message: what it is, and its JSON. It has a number unless it is a client's own first view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) event: Event,
    pub(super) data: String,
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
    Message {
        id: String::new(),
        event: Event::End,
        data: serde_json::json!(EndData { reason }).to_string(),
    }
}
