//! What a series was over very many snapshots: the first time, when each is read, and ever after. Beside them
//! stand what the disk asks of whoever knows nothing: to list the folder, and to read and parse each file.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use deespec::{Buckets, Document, DocumentKind, Family, HistoryQuery, Store};
use serde_json::Value;

use crate::Result;
use crate::measure::{self, Pair, nanoseconds};
use crate::place::{self, Bench, extent};
use crate::rows::{names, register};
use crate::table::Figure::Bytes;
use crate::table::{HowMany, Line};

/// Series of each snapshot, beside the four built-in ones.
const SERIES: usize = 40;
/// Names are parsed and sorted after they have been listed.
const NAMES: f64 = 2.0;
/// What is shown is compared with the files, of which none was added.
const AGAIN: f64 = 3.0;
/// The names are listed, and the archive's columns are read.
const BEGUN: f64 = 5.0;
/// What is new is read too, and the answer made.
const ONE_MORE: f64 = 5.0;
/// Each is read and parsed, and the archive written.
const FIRST: f64 = 2.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let count = bench.level.choose(100_000, 1_000, 20);
    let rounds = bench.effort.rounds;
    let folder = bench.on_disk()?;
    let path = folder.path().join("var");
    let mut pile = Pile::of(&path, count)?;
    let bytes = extent(&pile.snapshots())?.apparent;

    let first = measure::turns(
        bench.level.choose(3, 3, 1),
        || {
            // What is known of them by now.
            let _ = fs::remove_dir_all(path.join("history"));
            let store = place::open(&path)?;
            timed(|| pile.ask(&store))
        },
        || timed(|| parse_each(&pile.snapshots())),
    )?;
    let archive = extent(&path.join("history"))?.apparent;

    pile.settle()?;
    let snapshots = pile.snapshots();
    let beside_list = |ours: &mut dyn FnMut() -> Result<f64>| -> Result<Pair> {
        measure::turns(rounds, ours, || timed(|| list(&snapshots).map(drop)))
    };
    let again = beside_list(&mut || timed(|| pile.ask(&pile.store)))?;
    let begun = beside_list(&mut || {
        let store = place::open(&path)?;
        timed(|| pile.ask(&store))
    })?;
    let names = beside_list(&mut || {
        let store = place::open(&path)?;
        timed(|| {
            black_box(store.snapshots()?);
            Ok(())
        })
    })?;
    // A further part of the archive is on the disk when this returns.
    let one_more = measure::turns(
        rounds,
        || {
            pile.add()?;
            timed(|| pile.ask(&pile.store))
        },
        || timed(|| list_and_sync(&snapshots, folder.path())),
    )?;

    let of = |line: Line| line.of(HowMany::of(count, "snapshots"));
    let listed = "the folder is listed";
    let history = |how: &str, theirs: &str, pair: &Pair, at_most: f64| {
        let what = format!("history of one series{how}");
        of(Line::pair(what, theirs, pair, at_most))
    };
    let (archive, bytes) = (archive as f64, bytes as f64);
    Ok(vec![
        history("", listed, &again, AGAIN),
        history(", of a process that has just begun", listed, &begun, BEGUN),
        history(
            " and a new one",
            "the folder is listed, and a file is synced",
            &one_more,
            ONE_MORE,
        ),
        history(
            " for the first time: each is read",
            "each is read and parsed",
            &first,
            FIRST,
        ),
        of(Line::pair(
            "the names of the snapshots",
            listed,
            &names,
            NAMES,
        )),
        of(Line::control(
            "archive of the snapshots",
            Bytes(archive),
            "the snapshots",
            Bytes(bytes),
            archive / bytes,
        )),
    ])
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(nanoseconds(start.elapsed()))
}

/// The files of a folder, as it says them.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let files: std::io::Result<Vec<_>> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect();
    Ok(black_box(files?))
}

/// Also writes a small file into `scratch` as whatever must last is written: synced, renamed, its folder synced.
fn list_and_sync(folder: &Path, scratch: &Path) -> Result<()> {
    list(folder)?;
    let temporary = scratch.join("temporary");
    let mut file = File::create(&temporary)?;
    file.write_all(b"new")?;
    file.sync_all()?;
    fs::rename(&temporary, scratch.join("synced"))?;
    Ok(File::open(scratch)?.sync_all()?)
}

fn parse_each(folder: &Path) -> Result<()> {
    for file in list(folder)? {
        black_box(serde_json::from_slice::<Value>(&fs::read(file)?)?);
    }
    Ok(())
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

    fn snapshots(&self) -> PathBuf {
        self.store.path().join("snapshots")
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
        let path = self.snapshots().join(name);
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
