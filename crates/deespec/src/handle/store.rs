//! The store as a program sees it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::metric::TRANSACTIONS;
use crate::snapshot::{
    self, History, HistoryQuery, Import, Push, Restoration, Retention, Rotate, Rotation, Snapshot,
    SnapshotArchive, SnapshotName, View,
};
use crate::store::{Core, Holds, Place, StoreError, StoreId};
use crate::{Error, Health, Result};

use super::background::Background;
use super::counter::Transactions;
use super::metrics::counter;
use super::options::Options;

/// An open store. Cloning it is cheap; all clones and counters share one mapping.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
    pub(super) holds: Arc<Holds>,
    transactions: Arc<Transactions>,
}

/// What every handle keeps alive, through a hold. The background thread is stopped before the core goes.
pub(super) struct Inner {
    background: Option<Background>,
    /// What is known of the snapshots, once somebody has asked.
    snapshots: snapshot::Memory,
    pushes: snapshot::Pushes,
    core: Arc<Core>,
}

impl Inner {
    #[inline]
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
        let inner = Arc::new(Inner {
            background,
            snapshots: snapshot::Memory::default(),
            pushes: snapshot::Pushes::default(),
            core,
        });
        // Only what is wrong with the store itself makes one of them anything else.
        let damaged = |error| match error {
            Error::Store(StoreError::Metric(reason)) => {
                let first = inner.core().live_file("segment-0000");
                StoreError::damaged(&first, reason.to_string()).into()
            }
            error => error,
        };
        let holds = Arc::new(Holds::new(inner.core(), inner.clone()));
        let counter = |name| counter(inner.core(), &holds, name, &[]).map_err(damaged);
        let [success, failed, conflicts, recoveries] = TRANSACTIONS.map(counter);
        let transactions = Transactions {
            success: success?,
            failed: failed?,
            conflicts: conflicts?,
            recoveries: recoveries?,
        };
        Ok(Self {
            inner,
            holds,
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

    #[inline]
    pub(super) fn core(&self) -> &Core {
        self.inner.core()
    }

    /// Fails once the store's path does not name the files any more that this process counts in: somebody has removed,
    /// replaced or moved the store. What is counted through its handles from then on, nobody can find under that
    /// path. Asks the file system and needs no lock, so a long-lived program may ask often; one that counts what
    /// must not get lost opens the store anew.
    ///
    /// # Errors
    ///
    /// [`StoreError::Replaced`](crate::StoreError::Replaced) then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("var");
    /// let store = deespec::Store::open(&path)?;
    /// store.check_place()?;
    /// std::fs::remove_dir_all(&path)?;
    /// assert!(store.check_place().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_place(&self) -> Result<()> {
        Ok(self.core().check_identity()?)
    }

    /// From this moment on nothing in this process waits for the lock of this store any more, nor does what waits
    /// already: for a program that was told to end and has to keep a deadline of its own.
    pub fn stop_waiting_at(&self, end: Instant) {
        self.core().end_at(end);
    }

    /// The four built-in counters.
    #[must_use]
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// What is counted in the current epoch.
    ///
    /// # Errors
    ///
    /// When the store is damaged or its lock cannot be had in time.
    pub fn view(&self) -> Result<View> {
        snapshot::view(self.core())
    }

    /// A number that changes when anything is counted, set or registered, or an epoch begins: a digest of
    /// all cells, read from memory without a lock. Where it is the same as before, so is what a
    /// [`view`](Self::view) shows; but for the shares of processes that have ended meanwhile.
    ///
    /// # Errors
    ///
    /// When the store is damaged.
    pub fn fingerprint(&self) -> Result<u64> {
        Ok(self.core().state()?)
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
        self.inner.snapshots.names(self.core())
    }

    /// The file of a snapshot with this name.
    #[must_use]
    pub fn snapshot_path(&self, name: SnapshotName) -> PathBuf {
        self.path().join("snapshots").join(name.to_string())
    }

    /// What series were over time, by the snapshots. The current epoch, which no snapshot has yet, is not part of
    /// it.
    ///
    /// Each snapshot is read once, by whoever asks first, and its values are copied into an archive beside the
    /// snapshots (`history/`), from which queries are answered. The snapshots stay the truth: the archive can be
    /// removed, and a snapshot that is new, gone or changed is noticed. With 100,000 new snapshots the first query
    /// takes seconds, and others that come meanwhile wait for it.
    ///
    /// # Errors
    ///
    /// When the folder of the snapshots cannot be read. A snapshot that cannot be is passed over and named in
    /// [`History::unreadable`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// use deespec::{HistoryQuery, HistoryValue};
    ///
    /// let jobs = store.counter_with("jobs_total", &[("queue", "mail")])?;
    /// jobs.add(3);
    /// store.snapshot()?;
    /// jobs.add(1);
    /// store.snapshot()?;
    /// let history = store.history(&HistoryQuery::new().select(r#"jobs_total{queue="mail"}"#)?)?;
    /// let counts = [Some(HistoryValue::Counter(3)), Some(HistoryValue::Counter(4))];
    /// assert_eq!(history.series[0].values, counts);
    /// assert!(history.points[0].at < history.points[1].at);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn history(&self, query: &HistoryQuery) -> Result<History> {
        snapshot::history(self.core(), &self.inner.snapshots, query)
    }

    /// Compares the archive from which [`Store::history`] answers with each snapshot's file, completes it and
    /// makes it as small as it can be. No snapshot is removed.
    ///
    /// # Errors
    ///
    /// When the folder of the snapshots cannot be read.
    pub fn compact_snapshots(&self) -> Result<SnapshotArchive> {
        snapshot::compact_snapshots(self.core(), &self.inner.snapshots)
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
    /// Prometheus text. What this very store has published or exposed is refused unless `own_views_too` is set.
    ///
    /// # Errors
    ///
    /// When the document is not lawful, or a file cannot be written or made durable.
    pub fn import(&self, path: &Path, own_views_too: bool) -> Result<Import> {
        snapshot::import(self.core(), path, own_views_too)
    }

    /// Adds what a program without shared memory has counted, once for each sequence number of its writer. The
    /// text is OpenMetrics or Prometheus text in which counters and histograms are what was counted since the
    /// last push; gauges are what they are now. When this returns, it is counted and durable. The same text with the
    /// writer's last number counts nothing: it was counted before, also by another process and before a restart. So
    /// whoever has no answer pushes the same again. Pushes of several threads at once share what makes them durable.
    ///
    /// A writer is remembered until 100,000 others have pushed after it. A push has at most 16,384 series.
    ///
    /// # Errors
    ///
    /// [`PushError`](crate::PushError) when the text cannot be counted as a whole: then nothing of it is. Any other
    /// error when the store is damaged or cannot be made durable: whether it was counted tells the next attempt.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let text = b"# TYPE jobs counter\njobs_total{queue=\"mail\"} 3\n# EOF\n";
    /// assert!(store.push("worker-1", 1, text)?.counted);
    /// assert!(!store.push("worker-1", 1, text)?.counted);
    /// assert_eq!(store.view()?.value("jobs_total", &[("queue", "mail")]), Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push(&self, writer: &str, sequence: u64, text: &[u8]) -> Result<Push> {
        snapshot::push(self.core(), &self.inner.pushes, writer, sequence, text)
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

    /// Where the store lies, and what that place promises.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// let store = deespec::Store::open(folder.path().join("var"))?;
    /// println!("{}", store.place()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn place(&self) -> Result<Place> {
        Ok(self.core().place()?)
    }

    /// Fails where a new series would be refused: the disk is nearly full, and the store's maker accepted that a full one ends
    /// programs there. Elsewhere nothing is asked.
    ///
    /// # Errors
    ///
    /// [`StoreError::NearlyFull`]; and when the system does not tell how much is free.
    pub fn check_room(&self) -> Result<()> {
        Ok(self.core().check_room()?)
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

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path())
            .field("id", &self.id())
            .finish()
    }
}
