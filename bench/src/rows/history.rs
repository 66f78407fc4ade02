//! What a series was over very many snapshots: the first time, when each is read, and ever after.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use deespec::{Buckets, Document, DocumentKind, Family, HistoryQuery, Store};

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::{self, Bench, extent};
use crate::rows::{names, register};
use crate::table::Figure::{Bytes, Nanoseconds};
use crate::table::Line;

/// Series of each snapshot, beside the four built-in ones.
const SERIES: usize = 40;
/// What a person does not wait for.
const LIMIT: f64 = 100e6;
/// What reading one snapshot may take.
const EACH: f64 = 100e3;
/// What has to be done when there is one more: the folder is listed, and a part of the archive written.
const ONE_MORE: f64 = 200e6;

pub(crate) fn snapshots(bench: &Bench) -> usize {
    if bench.quick { 1_000 } else { 100_000 }
}

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let count = snapshots(bench);
    let folder = bench.on_disk()?;
    let path = folder.path().join("var");
    let mut pile = Pile::of(&path, count)?;
    let bytes = extent(&path.join("snapshots"))?.apparent;

    let start = Instant::now();
    pile.ask(&pile.store)?;
    let first = nanoseconds(start.elapsed());
    let archive = extent(&path.join("history"))?.apparent;

    pile.settle()?;
    let again = measure::alone(bench.effort, |n| {
        (0..n).try_for_each(|_| pile.ask(&pile.store))
    })?;
    let knows_nothing = measure::rounds(bench.effort.rounds, || {
        let store = place::open(&path)?;
        let start = Instant::now();
        pile.ask(&store)?;
        Ok(nanoseconds(start.elapsed()))
    })?;
    let list = measure::rounds(bench.effort.rounds, || {
        let store = place::open(&path)?;
        let start = Instant::now();
        black_box(store.snapshots()?);
        Ok(nanoseconds(start.elapsed()))
    })?;
    let one_more = measure::rounds(bench.effort.rounds, || {
        pile.add()?;
        let start = Instant::now();
        pile.ask(&pile.store)?;
        Ok(nanoseconds(start.elapsed()))
    })?;
    let what = |how: &str| format!("history of one series over {count} snapshots{how}");
    Ok(vec![
        Line::limit(what(""), Nanoseconds(again), Nanoseconds(LIMIT)),
        Line::limit(
            what(", of a process that has just begun"),
            Nanoseconds(knows_nothing),
            Nanoseconds(LIMIT),
        ),
        Line::limit(
            what(" and a new one"),
            Nanoseconds(one_more),
            Nanoseconds(ONE_MORE),
        ),
        Line::limit(
            what(" for the first time: each is read"),
            Nanoseconds(first),
            Nanoseconds(EACH * count as f64),
        ),
        Line::limit(
            format!("the names of {count} snapshots"),
            Nanoseconds(list),
            Nanoseconds(LIMIT),
        ),
        Line::control(
            format!("archive of {count} snapshots"),
            Bytes(archive as f64),
            "the snapshots",
            Bytes(bytes as f64),
            archive as f64 / bytes as f64,
        ),
    ])
}

/// A store with very many snapshots, which were never taken: that would wait for the disk each time.
struct Pile {
    store: Store,
    document: Document,
    count: usize,
}

impl Pile {
    fn of(path: &Path, count: usize) -> Result<Self> {
        let store = place::open(path)?;
        register(&store, &names(SERIES - 2))?;
        store.gauge("depth")?.set(0.5);
        let family = Family::histogram("wait_seconds", Buckets::seconds());
        store.declare(&family)?;
        let wait = store.histogram("wait_seconds")?;
        (1..20).for_each(|n| wait.observe(0.01 * f64::from(n)));
        let taken = store.snapshot()?;
        let document = Document::read(&taken.path)?;
        fs::remove_file(&taken.path)?;
        let mut pile = Self {
            store,
            document,
            count: 0,
        };
        for _ in 0..count {
            pile.add()?;
        }
        Ok(pile)
    }

    /// One more, a minute after the last.
    fn add(&mut self) -> Result<()> {
        let minutes = self.count;
        self.count += 1;
        self.document.transactions.success += 7;
        if let Some(deespec::Value::Gauge(depth)) = self
            .document
            .series
            .iter_mut()
            .find(|series| series.name == "depth")
            .map(|series| &mut series.value)
        {
            *depth = f64::from((minutes % 1000) as u32) / 10.0;
        }
        let closes = self.count.is_multiple_of(1440);
        let kind = if closes {
            DocumentKind::Rotation
        } else {
            DocumentKind::Snapshot
        };
        self.document.kind = Some(kind);
        let (day, hour, minute) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        let (year, month, day) = (2000 + day / 336, 1 + day / 28 % 12, 1 + day % 28);
        let name =
            format!("metrics_{year}{month:02}{day:02}_{hour:02}{minute:02}00_000000000.json");
        let path = self.store.path().join("snapshots").join(name);
        Ok(fs::write(path, self.document.to_json())?)
    }

    fn ask(&self, store: &Store) -> Result<()> {
        let history = store.history(&HistoryQuery::new().series("commit_success", &[]))?;
        let is_whole = history.found == self.count && history.unsaved.is_none();
        let last = history
            .series
            .iter()
            .find_map(|series| series.values.last());
        match is_whole && matches!(last, Some(Some(_))) {
            true => Ok(()),
            false => Err(format!("{} of {} snapshots", history.found, self.count).into()),
        }
    }

    /// Makes the folders look as they do when nothing has been added for a while.
    fn settle(&self) -> Result<()> {
        let before = SystemTime::now() - Duration::from_secs(60);
        for name in ["snapshots", "history"] {
            File::open(self.store.path().join(name))?.set_modified(before)?;
        }
        self.ask(&self.store)
    }
}
