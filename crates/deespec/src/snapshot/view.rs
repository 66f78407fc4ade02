//! A view: what the series count in the current epoch, read at one moment.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::Error;
use crate::metric::{Family, LabelSet, TRANSACTIONS, Value};
use crate::store::{Core, SeriesValue, Skipped, StoreError, StoreId, nanoseconds};

use super::counts::TransactionCounts;
use super::document::{self, Document, Row, Series};
use super::time;

/// The value of one series at the moment of a view.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// The label set, sorted by name.
    pub labels: LabelSet,
    /// What was counted in the epoch; of a gauge, what it is now.
    pub value: Value,
    /// Everything ever counted; of a gauge, what it is now. A rotation does not change it, so this
    /// is what Prometheus scrapes.
    pub total: Value,
    /// When the series was created.
    pub created: SystemTime,
}

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
    pub series: Vec<Sample>,
    /// What is declared about all series of one name, sorted by name.
    pub families: Vec<Arc<Family>>,
    /// What could not be read and is therefore not in the view, one sentence each.
    pub skipped: Vec<String>,
    /// The four built-in counters as samples; one that could not be read is not among them.
    pub(super) built_in: Vec<Sample>,
}

impl View {
    /// What is declared about the series of this name.
    #[must_use]
    pub fn family(&self, name: &str) -> Option<&Family> {
        let at = self
            .families
            .binary_search_by(|family| family.name().cmp(name));
        self.families.get(at.ok()?).map(Arc::as_ref)
    }

    /// The count of a counter that is not one of the four built-in ones.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        self.sample(name, labels)?.value.counter()
    }

    /// A series that is not one of the four built-in ones.
    #[must_use]
    pub fn sample(&self, name: &str, labels: &[(&str, &str)]) -> Option<&Sample> {
        let same = |series: &&Sample| {
            series.name == name
                && series.labels.len() == labels.len()
                && labels.iter().all(|(k, v)| series.labels.get(k) == Some(*v))
        };
        self.series.iter().find(same)
    }

    /// Every series, the four built-in ones first, the others sorted by name and labels. A built-in
    /// one that could not be read is left out, where [`View::transactions`] has a 0.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// store.transactions().success.add(3);
    /// store.rotate(deespec::Rotate::Reset)?;
    /// store.transactions().success.add(1);
    /// let view = store.view()?;
    /// let success = view.samples().find(|sample| sample.name == "commit_success");
    /// let counts = success.map(|sample| (sample.value.counter(), sample.total.counter()));
    /// assert_eq!(counts, Some((Some(1), Some(4))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.built_in.iter().chain(&self.series)
    }

    /// The view as `metrics.json` holds it (schema version 1), with a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        document::render_with(&self.head(), self.series.iter().map(Row::from))
    }

    /// The view as a document.
    #[must_use]
    pub fn to_document(&self) -> Document {
        Document {
            series: self.series.iter().map(Series::from).collect(),
            ..self.head()
        }
    }

    /// Everything but the series.
    fn head(&self) -> Document {
        Document {
            transactions: self.transactions,
            last_update: Some(time::to_seconds(nanoseconds(self.last_update))),
            epoch: Some(self.epoch),
            epoch_started: Some(time::to_seconds(nanoseconds(self.epoch_started))),
            store_id: Some(self.store_id),
            kind: None,
            taken_at: None,
            series: Vec::new(),
            partial: self.skipped.clone(),
        }
    }
}

impl<'a> From<&'a Sample> for Row<'a> {
    fn from(sample: &'a Sample) -> Self {
        Self {
            name: &sample.name,
            kind: sample.value.kind(),
            labels: &sample.labels,
            exact: sample.value.exact(),
            value: &sample.value,
        }
    }
}

/// As documents have it: without what belongs to no epoch.
impl From<&Sample> for Series {
    fn from(sample: &Sample) -> Self {
        Self {
            name: sample.name.clone(),
            labels: sample.labels.clone(),
            value: sample.value.clone(),
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
    let (mut built_in, mut series) = (Vec::new(), Vec::with_capacity(catalog.series_count()));
    catalog.values(core, epoch.epoch, |value| {
        match is_built_in(&value.name, &value.labels) {
            true => built_in.push(sample(value)),
            false => series.push(sample(value)),
        }
        Ok::<_, Error>(())
    })?;
    let transactions = built_in
        .iter()
        .map(|four| (four.name.as_str(), &four.value));
    Ok(View {
        store_id: core.id(),
        epoch: u64::from(epoch.epoch),
        epoch_started: time::system_time(epoch.at_ns),
        last_update: time::system_time(core.now_ns()),
        transactions: counts(transactions),
        series,
        families: catalog.families().cloned().collect(),
        skipped: catalog.skipped(core).iter().map(describe).collect(),
        built_in,
    })
}

/// Everything of a document but its series; the caller holds the lock.
pub(super) fn head(core: &Core) -> Result<Document, Error> {
    let epoch = core.epoch()?;
    let catalog = core.catalog()?;
    let mut built_in = Vec::new();
    catalog.plain_values(core, epoch.epoch, &TRANSACTIONS, |value| {
        built_in.push(value);
        Ok::<_, Error>(())
    })?;
    let four = built_in
        .iter()
        .map(|four| (four.name.as_str(), &four.value));
    Ok(Document {
        transactions: counts(four),
        last_update: Some(time::to_seconds(core.now_ns())),
        epoch: Some(u64::from(epoch.epoch)),
        epoch_started: Some(time::to_seconds(epoch.at_ns)),
        store_id: Some(core.id()),
        partial: catalog.skipped(core).iter().map(describe).collect(),
        ..Document::empty()
    })
}

/// Every series but the four built-in ones; the caller holds the lock.
pub(super) fn each(
    core: &Core,
    mut each: impl FnMut(&SeriesValue) -> io::Result<()>,
) -> io::Result<()> {
    let mut values = || -> Result<(), Fail> {
        let epoch = core.epoch()?;
        let catalog = core.catalog()?;
        catalog.values(core, epoch.epoch, |value| {
            match is_built_in(&value.name, &value.labels) {
                true => Ok(()),
                false => Ok(each(&value)?),
            }
        })
    };
    values().map_err(|fail| fail.0)
}

/// An error of the store in the middle of a writing.
struct Fail(io::Error);

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self(io::Error::other(error))
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

fn sample(value: SeriesValue) -> Sample {
    Sample {
        name: value.name,
        labels: value.labels,
        value: value.value,
        total: value.total,
        created: time::system_time(value.created_ns),
    }
}

pub(super) fn is_built_in(name: &str, labels: &LabelSet) -> bool {
    labels.is_empty() && TRANSACTIONS.contains(&name)
}

/// The four built-in counters from their values; 0 for one that is missing.
pub(super) fn counts<'a>(values: impl Iterator<Item = (&'a str, &'a Value)>) -> TransactionCounts {
    let mut four = [0; 4];
    for (name, value) in values {
        if let Some(index) = TRANSACTIONS.iter().position(|&four| four == name) {
            four[index] = value.counter().unwrap_or_default();
        }
    }
    let [success, failed, conflicts, recoveries] = four;
    TransactionCounts {
        success,
        failed,
        conflicts,
        recoveries,
    }
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
