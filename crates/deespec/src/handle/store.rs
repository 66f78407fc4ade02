//! The store as a program sees it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::metric::{Aggregation, Buckets, Family, Shape, TRANSACTIONS};
use crate::snapshot::{
    self, Import, Restoration, Retention, Rotate, Rotation, Snapshot, SnapshotName, View,
};
use crate::store::{Core, OwnShare, StoreError, StoreId};
use crate::{Health, Result};

use super::background::Background;
use super::counter::{Counter, Transactions};
use super::gauge::{Gauge, ProcessGauge};
use super::histogram::Histogram;
use super::options::Options;

/// An open store. Cloning it is cheap; all clones and counters share one mapping.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    transactions: Arc<Transactions>,
}

/// What every handle keeps alive. The background thread is stopped before the core goes.
pub(super) struct Inner {
    background: Option<Background>,
    core: Arc<Core>,
}

impl Inner {
    pub(super) fn core(&self) -> &Core {
        &self.core
    }
}

impl Store {
    /// Opens the store in the folder `path` and makes it where it does not exist.
    ///
    /// A `metrics.json` that is already there is taken over: a new store begins with its values.
    ///
    /// # Errors
    ///
    /// When the folder cannot be used, lies on a file system that cannot keep the promises, or
    /// holds files that are damaged or were written by a newer version. Nothing is written then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("var");
    /// let store = deespec::Store::open(&path)?;
    /// store.counter("jobs_total")?.inc();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Options::new())
    }

    /// Opens the store in the folder `path` as `options` say.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        let settings = options.settings.clone();
        let now = settings.clock.now_ns();
        let program = settings.program.clone();
        let core = Core::open(path, settings, || snapshot::seed(path, &program, now))?;
        let core = Arc::new(core);
        if core.is_pending() {
            // Completes what a killed process left. That this fails is no reason not to count.
            let _ = snapshot::settle_if_free(&core);
        }
        let start = |every| Background::start(Arc::clone(&core), every);
        let background = options.background_sync.map(start).transpose();
        let background = background.map_err(StoreError::io("start a thread for", path))?;
        let inner = Arc::new(Inner { background, core });
        let counter = |name| counter(&inner, name, &[]);
        let [success, failed, conflicts, recoveries] = TRANSACTIONS.map(counter);
        let transactions = Transactions {
            success: success?,
            failed: failed?,
            conflicts: conflicts?,
            recoveries: recoveries?,
        };
        Ok(Self {
            inner,
            transactions: Arc::new(transactions),
        })
    }

    /// The store's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.core().root()
    }

    /// The store's identity.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.core().id()
    }

    fn core(&self) -> &Core {
        self.inner.core()
    }

    /// The four built-in counters.
    #[must_use]
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// The counter `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// When the name is not valid, or the store cannot take another series.
    pub fn counter(&self, name: &str) -> Result<Counter> {
        counter(&self.inner, name, &[])
    }

    /// The counter `name` with these labels, in any order; it is made on first use. Finding one that
    /// exists takes no lock.
    ///
    /// # Errors
    ///
    /// When the name or a label is not valid, or the store cannot take another series.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let failed = store.counter_with("jobs_total", &[("job", "backup"), ("outcome", "failure")])?;
    /// failed.inc();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn counter_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<Counter> {
        counter(&self.inner, name, labels)
    }

    /// The gauge `name` without labels, which all processes share; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    pub fn gauge(&self, name: &str) -> Result<Gauge> {
        self.gauge_with(name, &[])
    }

    /// The gauge `name` with these labels, which all processes share; it is made on first use.
    ///
    /// # Errors
    ///
    /// When the name or a label is not valid, the metric is of another kind or was declared with
    /// other labels, or the store cannot take another series.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let depth = store.gauge_with("queue_depth", &[("queue", "mail")])?;
    /// depth.set(12.0);
    /// depth.dec();
    /// let view = store.view()?;
    /// let sample = view.sample("queue_depth", &[("queue", "mail")]);
    /// assert_eq!(sample.and_then(|sample| sample.value.gauge()), Some(11.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn gauge_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<Gauge> {
        let cells = self.core().series(name, labels, &Shape::Gauge)?;
        Ok(Gauge {
            cells,
            _store: Arc::clone(&self.inner),
        })
    }

    /// This process' share of the gauge `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::process_gauge_with`].
    pub fn process_gauge(&self, name: &str) -> Result<ProcessGauge> {
        self.process_gauge_with(name, &[])
    }

    /// This process' share of the gauge `name` with these labels, 0 at first. The gauge is made on
    /// first use; unless it was declared otherwise, others see the sum of all shares.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`], and when a lock in the store's folder cannot be had.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let in_flight = store.process_gauge("requests_in_flight")?;
    /// in_flight.set(3.0)?;
    /// let view = store.view()?;
    /// let sample = view.sample("requests_in_flight", &[]);
    /// assert_eq!(sample.and_then(|sample| sample.value.gauge()), Some(3.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process_gauge_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<ProcessGauge> {
        self.process_gauge_as(name, labels, Aggregation::default())
    }

    /// As [`Store::process_gauge_with`], with the aggregation of a gauge that is new.
    pub(crate) fn process_gauge_as(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        aggregation: Aggregation,
    ) -> Result<ProcessGauge> {
        let shape = Shape::ProcessGauge(aggregation);
        let cells = self.core().series(name, labels, &shape)?;
        Ok(ProcessGauge {
            share: OwnShare::new(self.core(), cells)?,
            store: Arc::clone(&self.inner),
        })
    }

    /// The histogram `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    pub fn histogram(&self, name: &str) -> Result<Histogram> {
        self.histogram_with(name, &[])
    }

    /// The histogram `name` with these labels; it is made on first use, with the buckets that it was
    /// declared with or else [`Buckets::seconds`].
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let seconds = store.histogram_with("commit_seconds", &[("branch", "main")])?;
    /// seconds.observe(0.25);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn histogram_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<Histogram> {
        self.histogram_as(name, labels, &Buckets::default())
    }

    /// As [`Store::histogram_with`], with the buckets of a histogram that is new.
    pub(crate) fn histogram_as(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &Buckets,
    ) -> Result<Histogram> {
        let (cells, buckets) = self.core().histogram(name, labels, buckets)?;
        Ok(Histogram {
            cells,
            buckets,
            _store: Arc::clone(&self.inner),
        })
    }

    /// Says something by labels, such as the version of a program: an info metric is always 1.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// store.info("build_info", &[("version", "1.4.0")])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info(&self, name: &str, labels: &[(&str, &str)]) -> Result<()> {
        self.core().series(name, labels, &Shape::Info)?.revive();
        Ok(())
    }

    /// Declares a family: what all series of one name have in common. Every program that uses the
    /// family may declare it; saying the same again changes nothing.
    ///
    /// # Errors
    ///
    /// When the declaration is not valid, or disagrees with an earlier one, or with the series that
    /// there are already. The error names both.
    ///
    /// ```
    /// use deespec::Family;
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sent = || Family::counter("sent_bytes_total").with_unit("bytes");
    /// store.declare(&sent().with_help("What was sent."))?;
    /// let error = store.declare(&sent()).unwrap_err();
    /// assert!(error.to_string().contains("declared with help \"What was sent.\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn declare(&self, family: &Family) -> Result<()> {
        Ok(self.core().declare(family)?)
    }

    /// Declares a family anew: unit, help text, labels and limit are those from now on, whatever was
    /// declared before. For a program whose next release says more, or other things, of a metric.
    ///
    /// Of programs that say different things the last one wins. The place in the store that each new
    /// declaration takes is given back by a compaction, so let not every start of two releases that
    /// disagree do this: [`Store::declare`] where nothing is new. Saying the same again takes none.
    ///
    /// # Errors
    ///
    /// When the declaration is not valid, the kind, the buckets or the aggregation are not those of
    /// the family, or series that there are have other labels than it says.
    ///
    /// ```
    /// use deespec::Family;
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sent = || Family::counter("sent_bytes_total").with_unit("bytes");
    /// store.declare(&sent().with_help("What was sent."))?;
    /// store.redeclare(&sent().with_help("Bytes that peers have acknowledged."))?;
    /// let help = store.family("sent_bytes_total").map(|family| family.help().to_owned());
    /// assert_eq!(help.as_deref(), Some("Bytes that peers have acknowledged."));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redeclare(&self, family: &Family) -> Result<()> {
        Ok(self.core().redeclare(family)?)
    }

    /// What is declared about the series of this name; `None` while this process knows of none.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// store.counter("jobs_total")?;
    /// let family = store.family("jobs_total");
    /// assert_eq!(family.map(|family| family.kind()), Some(deespec::Kind::Counter));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn family(&self, name: &str) -> Option<Family> {
        Some(Family::clone(&*self.core().family(name)?))
    }

    /// Removes a series from every view, until it is counted again: then it comes back with all that
    /// it ever counted, since nothing that was counted may be lost. `false` when there is none.
    ///
    /// Its place in the store is given back by a compaction.
    ///
    /// # Errors
    ///
    /// When it is one of the four built-in counters, or the store's lock cannot be had in time.
    pub fn remove(&self, name: &str, labels: &[(&str, &str)]) -> Result<bool> {
        let labels = labels.iter().copied().collect();
        Ok(self.core().remove(name, &labels)?)
    }

    /// What is counted in the current epoch.
    ///
    /// # Errors
    ///
    /// When the store is damaged or its lock cannot be had in time.
    pub fn view(&self) -> Result<View> {
        snapshot::view(self.core())
    }

    /// Returns when everything that was counted before is durable. Publishes nothing.
    ///
    /// # Errors
    ///
    /// When the disk fails: the store is degraded from then on, and every further call fails.
    pub fn flush(&self) -> Result<()> {
        Ok(self.core().flush()?)
    }

    /// Makes everything durable and publishes `metrics.json`; gives what was published.
    ///
    /// # Errors
    ///
    /// As [`Store::flush`], and when `metrics.json` is not ours to overwrite.
    pub fn sync(&self) -> Result<View> {
        snapshot::publish(&snapshot::locked(self.core())?)
    }

    /// Writes the current epoch into a snapshot and publishes `metrics.json`.
    ///
    /// # Errors
    ///
    /// When a file cannot be written or made durable.
    pub fn snapshot(&self) -> Result<Snapshot> {
        snapshot::snapshot(self.core())
    }

    /// The names of all snapshots, the oldest first.
    ///
    /// # Errors
    ///
    /// When their folder cannot be read.
    pub fn snapshots(&self) -> Result<Vec<SnapshotName>> {
        snapshot::list(self.core())
    }

    /// The file of a snapshot with this name.
    #[must_use]
    pub fn snapshot_path(&self, name: SnapshotName) -> PathBuf {
        self.path().join("snapshots").join(name.to_string())
    }

    /// Closes the epoch, or takes a snapshot of it; keeps every snapshot.
    ///
    /// # Errors
    ///
    /// When a file cannot be written or made durable. Whatever the rotation had committed by then
    /// is completed by the next operation.
    pub fn rotate(&self, rotate: Rotate) -> Result<Rotation> {
        self.rotate_because(rotate, "", &Retention::default())
    }

    /// As [`Store::rotate`], with the reason that `epochs.jsonl` records and a retention.
    ///
    /// # Errors
    ///
    /// As [`Store::rotate`].
    pub fn rotate_because(
        &self,
        rotate: Rotate,
        why: &str,
        retention: &Retention,
    ) -> Result<Rotation> {
        snapshot::rotate(self.core(), rotate, why, retention)
    }

    /// Removes the snapshots that the retention does not keep; gives their names.
    ///
    /// # Errors
    ///
    /// When a file cannot be removed.
    pub fn prune(&self, retention: &Retention) -> Result<Vec<SnapshotName>> {
        snapshot::prune(self.core(), retention)
    }

    /// Begins a new epoch in which every counter has the value that it has in the document at
    /// `path`, and 0 where it has none. The epoch before is closed with a snapshot first.
    ///
    /// # Errors
    ///
    /// When the document is not lawful, or is no view of this store and `any_store` is not set.
    pub fn restore(&self, path: &Path, why: &str, any_store: bool) -> Result<Restoration> {
        snapshot::restore(self.core(), path, why, any_store)
    }

    /// Adds the values of the file at `path` to the counters and histograms, once for each content, and
    /// sets the gauges that this store does not have yet. The file is a document, OpenMetrics text or
    /// Prometheus text. A document of this very store is refused unless `own_views_too` is set; a text
    /// does not tell whose it is.
    ///
    /// # Errors
    ///
    /// When the document is not lawful, or a file cannot be written or made durable.
    pub fn import(&self, path: &Path, own_views_too: bool) -> Result<Import> {
        snapshot::import(self.core(), path, own_views_too)
    }

    /// The health of the store.
    ///
    /// # Errors
    ///
    /// When the store is damaged, or `metrics.json` cannot be read.
    pub fn health(&self) -> Result<Health> {
        let background = self.inner.background.as_ref();
        super::health::health(self.core(), background.and_then(Background::failure))
    }

    /// Takes the exclusive lock and gives it back; for benchmarks.
    ///
    /// # Errors
    ///
    /// When the lock cannot be had in time.
    #[doc(hidden)]
    pub fn lock_roundtrip(&self) -> Result<()> {
        drop(self.core().exclusive()?);
        Ok(())
    }
}

fn counter(inner: &Arc<Inner>, name: &str, labels: &[(&str, &str)]) -> Result<Counter> {
    let cells = inner.core.series(name, labels, &Shape::Counter)?;
    Ok(Counter {
        cells,
        _store: Arc::clone(inner),
    })
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path())
            .field("id", &self.id())
            .finish()
    }
}
