//! A view: what the series count in the current epoch, read at one moment.

use std::time::SystemTime;

use crate::Error;
use crate::metric::TRANSACTIONS;
use crate::store::{Core, SeriesValue, Skipped, StoreId};

use super::counts::TransactionCounts;
use super::document::{self, Document, Series};
use super::time;

/// What a store counts in its current epoch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct View {
    /// The store's identity.
    pub store_id: StoreId,
    /// The number of the epoch, from 1.
    pub epoch: u64,
    /// When the epoch began.
    pub epoch_started: SystemTime,
    /// When the view was read.
    pub last_update: SystemTime,
    /// The four built-in counters.
    pub transactions: TransactionCounts,
    /// All other series, sorted by name and labels.
    pub series: Vec<Series>,
    /// What could not be read and is therefore not in the view, one sentence each.
    pub skipped: Vec<String>,
    times_ns: (u64, u64),
}

impl View {
    /// The value of a series that is not one of the four built-in ones.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        let same = |series: &&Series| {
            series.name == name
                && series.labels.len() == labels.len()
                && labels
                    .iter()
                    .all(|(k, v)| series.labels.get(*k).is_some_and(|x| x == v))
        };
        self.series.iter().find(same).map(|series| series.value)
    }

    /// The view as `metrics.json` holds it (schema version 1), with a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        document::render_with(&self.head(), &self.series)
    }

    /// The view as a document.
    #[must_use]
    pub fn to_document(&self) -> Document {
        Document {
            series: self.series.clone(),
            ..self.head()
        }
    }

    /// Everything but the series.
    fn head(&self) -> Document {
        Document {
            transactions: self.transactions,
            last_update: Some(time::to_seconds(self.times_ns.1)),
            epoch: Some(self.epoch),
            epoch_started: Some(time::to_seconds(self.times_ns.0)),
            store_id: Some(self.store_id),
            kind: None,
            taken_at: None,
            series: Vec::new(),
            partial: self.skipped.clone(),
        }
    }
}

/// Reads the current epoch under the shared lock.
pub(crate) fn view(core: &Core) -> Result<View, Error> {
    let _shared = core.shared()?;
    read(core)
}

/// Reads the current epoch; the caller holds the lock, shared or exclusive.
pub(crate) fn read(core: &Core) -> Result<View, Error> {
    let epoch = core.epoch()?;
    let catalog = core.catalog()?;
    let (transactions, series) = split(catalog.values(epoch.epoch));
    let now = core.now_ns();
    Ok(View {
        store_id: core.id(),
        epoch: u64::from(epoch.epoch),
        epoch_started: time::system_time(epoch.at_ns),
        last_update: time::system_time(now),
        transactions,
        series,
        skipped: catalog.skipped(core).iter().map(describe).collect(),
        times_ns: (epoch.at_ns, now),
    })
}

/// Takes the four built-in counters out of the others.
pub(crate) fn split(
    values: impl IntoIterator<Item = SeriesValue>,
) -> (TransactionCounts, Vec<Series>) {
    let mut four = [0; 4];
    let mut series = Vec::new();
    for value in values {
        let built_in = TRANSACTIONS.iter().position(|&name| name == value.name);
        match built_in.filter(|_| value.labels.is_empty()) {
            Some(index) => four[index] = value.value,
            None => series.push(Series {
                name: value.name,
                kind: value.kind,
                labels: value.labels,
                value: value.value,
            }),
        }
    }
    let [success, failed, conflicts, recoveries] = four;
    (
        TransactionCounts {
            success,
            failed,
            conflicts,
            recoveries,
        },
        series,
    )
}

/// What cannot be read, as a sentence.
pub(crate) fn describe(skipped: &Skipped) -> String {
    match skipped {
        Skipped::Blocks { path, first, count } => format!(
            "{}: {count} registry block(s) from block {first} hold no readable entry, so the series \
             there are missing",
            path.display()
        ),
        Skipped::Segment(segment) => format!(
            "{}: {}, so all series in it are missing",
            segment.path.display(),
            segment.reason
        ),
    }
}
