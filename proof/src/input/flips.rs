//! Every flipped bit, every truncation.
//!
//! A small store with all kinds of series, two epochs, an import and a snapshot. One bit of one of its
//! files is flipped, or the file is cut to any shorter length, or one byte or a page longer. Then a
//! process opens the store, reads it, reports on it and counts on. After each case the files are put
//! back as they were. `--full` does every bit and every length of every file.
//!
//! What is lawful is told by where the bit lies (`image.rs`), not by what the library says:
//!
//! - the header, and the record of the current epoch: an error that names the file and a reason;
//! - an entry: its series is missing, or begins again, and the view and the report on the store's
//!   health say that something is;
//! - an entry of a family: as that, of its series; or nothing but that it is reported;
//! - a cell or an active baseline: that count is wrong, by exactly that bit, and no other;
//! - anything else in the segment: all counts are right;
//! - a segment of another length: an error;
//! - a document: it reads as before, or not at all; `metrics.json` is foreign and never overwritten;
//! - a line of `epochs.jsonl`: the epoch is not closed otherwise than it was;
//! - a line of `imports.jsonl`: at worst the import it tells of can be done once more;
//! - a bit of a line of `pushes.jsonl`: pushes are refused with the file's name, or answered as before; of a shorter
//!   file at worst the push that is missing there can be counted once more.
//!
//! Violations: any other outcome; a panic; an error that does not name the path; a refused file, or any
//! other file of the store, that was changed; a series that cannot be counted afterwards, or gains
//! anything but what was counted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use deespec::{Buckets, Family, Options, Push, Rotate, Store, Value, View};

use super::image::Map;
use super::judge::Judge;
use crate::harness::{Bench, Outcome};
use crate::opening;
use crate::random::Random;
use crate::{Result, ui};

pub(super) const SEGMENT: &str = "live/segment-0000";
pub(super) const METRICS: &str = "metrics.json";
pub(super) const EPOCHS: &str = "live/epochs.jsonl";
pub(super) const IMPORTS: &str = "live/imports.jsonl";
pub(super) const PUSHES: &str = "live/pushes.jsonl";
/// What was imported; it lies beside the store.
pub(super) const INPUT: &str = "input.json";
/// Violations beyond these tell nothing new.
const ENOUGH: usize = 200;

/// One change of one file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Bit(usize),
    Length(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// The number of the file.
    pub(super) file: usize,
    pub(super) change: Change,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Refused,
    Harmless,
    Reported,
    Missing,
    Miscounted,
}

impl End {
    fn told(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Harmless => "harmless",
            Self::Reported => "reported, all counts right",
            Self::Missing => "reported, a series missing",
            Self::Miscounted => "in a count, wrong by that bit",
        }
    }
}

/// Values by `name,label value`: of a counter and a gauge the bits, of a histogram its buckets.
pub(super) type Values = BTreeMap<String, Vec<u64>>;

/// The store as it was made.
pub(super) struct Whole {
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    pub(super) values: Values,
    pub(super) map: Map,
}

thread_local! {
    /// What a panic in this thread is about.
    static NOW: RefCell<String> = const { RefCell::new(String::new()) };
}

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let whole = make(&bench.folder.join("var"))?;
    let cases = choose(&whole, bench);
    // A release aborts at a panic; whoever reads that wants to know where.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        let case = NOW.with_borrow(Clone::clone);
        ui::complain(&format!("flips: violation: panic at {case}: {panic}"));
        std::process::exit(1);
    }));
    let next = AtomicUsize::new(0);
    let found = Mutex::new((BTreeMap::new(), Vec::new()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<()> {
        let place = Place::make(&whole)?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else {
                break;
            };
            let outcome = place.try_one(*case)?;
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(end) => *found.0.entry(end).or_insert(0_u64) += 1,
                Err(violation) => found.1.push(violation),
            }
            if found.1.len() >= ENOUGH {
                break;
            }
        }
        Ok(())
    };
    let done: Vec<Result<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join();
        let joined = threads.into_iter().map(join);
        joined
            .map(|end| end.unwrap_or_else(|_| Err("a thread ended by a panic".into())))
            .collect()
    });
    std::panic::set_hook(before);
    done.into_iter().collect::<Result<Vec<()>>>()?;
    let (ends, violations) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let told: Vec<String> = ends
        .iter()
        .map(|(end, count)| format!("{count} {}", end.told()))
        .collect();
    let bits = cases
        .iter()
        .filter(|case| matches!(case.change, Change::Bit(_)));
    let bits = bits.count();
    Ok(Outcome {
        done: format!(
            "{bits} flipped bits, {} other lengths: {}",
            cases.len() - bits,
            told.join("; ")
        ),
        violations,
    })
}

pub(super) fn options() -> Options {
    opening::options().stripes(1).program("flips")
}

/// Makes the store and keeps its bytes.
fn make(root: &Path) -> Result<Whole> {
    let store = options().open(root)?;
    let sizes = Family::histogram("sizes", Buckets::classic([1.0, 10.0])?);
    store.declare(&sizes.with_help("How large."))?;
    let count = |times: u64| -> Result<()> {
        let four = store.transactions();
        four.success.add(100 * times);
        four.failed.add(3 * times);
        store.counter("plain_total")?.add(7 * times);
        let labels = [("job", "nightly build"), ("part", "a")];
        store.counter_with("builds_total", &labels)?.add(11 * times);
        store.histogram("sizes")?.observe(5.0);
        store.gauge("depth")?.set(2.5);
        Ok(store.info("build_info", &[("version", "1.2.3")])?)
    };
    count(2)?;
    let closed = store.rotate(Rotate::Reset)?.path;
    count(1)?;
    let input = root.join(INPUT);
    fs::write(&input, r#"{"commit_success": 5, "cas_conflicts": 40}"#)?;
    store.import(&input, false)?;
    for number in 1..=2 {
        push(&store, number)?;
    }
    let snapshot = store.snapshot()?.path;
    let view = store.sync()?;
    drop(store);
    let below = |path: &Path| -> Result<&'static str> {
        let path = path.strip_prefix(root)?.display().to_string();
        // As long as the program runs; there are two of them.
        Ok(path.leak())
    };
    let names = [
        SEGMENT,
        METRICS,
        EPOCHS,
        IMPORTS,
        PUSHES,
        below(&snapshot)?,
        below(&closed)?,
        INPUT,
    ];
    let read = |name: &'static str| Ok((name, fs::read(root.join(name))?));
    let files = names.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(Whole {
        map: Map::of(&files[0].1, view.epoch)?,
        values: values(&view),
        files,
    })
}

/// A push that counts each number once.
pub(super) fn push(store: &Store, number: u64) -> deespec::Result<Push> {
    let text = "# TYPE pushed counter\npushed_total 1\n# EOF\n";
    store.push("client", number, text.as_bytes())
}

pub(super) fn values(view: &View) -> Values {
    let of = |value: &Value| match value {
        Value::Counter(count) => vec![*count],
        Value::Gauge(value) => vec![value.to_bits()],
        Value::Histogram(found) => {
            let sum = found.steps().cast_unsigned();
            std::iter::once(sum)
                .chain(found.counts().iter().copied())
                .collect()
        }
        Value::Fractions(sum) | Value::Sum(sum) => vec![sum.billionths() as u64],
        Value::Summary(found) => vec![found.count, found.sum.billionths() as u64],
        _ => Vec::new(),
    };
    let samples = view.samples().map(|sample| {
        let labels = sample.labels.values().map(str::to_owned);
        let key: Vec<String> = std::iter::once(sample.name.clone()).chain(labels).collect();
        (key.join(","), of(&sample.value))
    });
    samples.collect()
}

/// Every case where there are so many to be done, else some of each file: most of what the segment
/// holds is empty, so half of its bits are taken from what is not.
fn choose(whole: &Whole, bench: &mut Bench) -> Vec<Case> {
    let budget = bench.count([6_000, 200_000, u64::MAX, u64::MAX]);
    let mut cases = Vec::new();
    for (file, (name, bytes)) in whole.files.iter().enumerate() {
        if *name == INPUT {
            continue;
        }
        let bits = |range: std::ops::Range<usize>| range.map(Change::Bit);
        let mut lengths: Vec<Change> = (0..bytes.len()).map(Change::Length).collect();
        lengths.extend([bytes.len() + 1, bytes.len() + 4096].map(Change::Length));
        let groups: Vec<(Vec<Change>, u64)> = if *name == SEGMENT {
            let words = bytes.chunks(8).enumerate();
            let (full, empty): (Vec<_>, Vec<_>) =
                words.partition(|(_, word)| word.iter().any(|byte| *byte != 0));
            let of = |words: Vec<(usize, &[u8])>| {
                let bits = words
                    .into_iter()
                    .flat_map(|(word, _)| bits(word * 64..word * 64 + 64));
                bits.collect()
            };
            vec![(of(full), 45), (of(empty), 20), (lengths, 10)]
        } else {
            vec![(bits(0..bytes.len() * 8).collect(), 4), (lengths, 1)]
        };
        for (changes, percent) in groups {
            let most = (budget / 100).saturating_mul(percent);
            cases
                .extend(some(changes, most, &mut bench.random).map(|change| Case { file, change }));
        }
    }
    cases
}

/// All of them, or so many that lie evenly apart.
fn some(changes: Vec<Change>, most: u64, random: &mut Random) -> impl Iterator<Item = Change> {
    let every = (changes.len() as u64).div_ceil(most.max(1)).max(1);
    let first = random.below(every);
    changes
        .into_iter()
        .skip(first as usize)
        .step_by(every as usize)
}

/// A copy of the store that one thread damages again and again.
pub(super) struct Place<'a> {
    pub(super) whole: &'a Whole,
    pub(super) folder: tempfile::TempDir,
}

impl<'a> Place<'a> {
    fn make(whole: &'a Whole) -> Result<Self> {
        // In memory where there is such a place: nothing here is about the disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)?
        } else {
            tempfile::tempdir()?
        };
        fs::create_dir_all(folder.path().join("live"))?;
        fs::create_dir_all(folder.path().join("snapshots"))?;
        let place = Self { whole, folder };
        place.put_back(None)?;
        Ok(place)
    }

    pub(super) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes all files as they were, and removes what has come; with one of them changed.
    fn put_back(&self, changed: Option<(usize, &[u8])>) -> Result<()> {
        for (index, (name, bytes)) in self.whole.files.iter().enumerate() {
            let bytes = match changed {
                Some((file, changed)) if file == index => changed,
                _ => bytes,
            };
            let path = self.at(name);
            // What is as it was is left alone, but for the segment, which every opening changes.
            if *name == SEGMENT || fs::read(&path).ok().as_deref() != Some(bytes) {
                fs::write(&path, bytes)?;
            }
        }
        for entry in fs::read_dir(self.at("snapshots"))? {
            let path = entry?.path();
            let known = |(name, _): &(&str, Vec<u8>)| self.at(name) == path;
            if !self.whole.files.iter().any(known) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// `Err` is a violation.
    fn try_one(&self, case: Case) -> Result<std::result::Result<End, String>> {
        let (name, bytes) = &self.whole.files[case.file];
        let story = format!("{name}, {:?}", case.change);
        NOW.set(story.clone());
        let mut changed = bytes.clone();
        match case.change {
            Change::Bit(bit) => changed[bit / 8] ^= 1 << (bit % 8),
            Change::Length(length) => changed.resize(length, 0),
        }
        self.put_back(Some((case.file, &changed)))?;
        let judged = Judge {
            place: self,
            case,
            name,
            changed: &changed,
        };
        let ended = judged.judge();
        Ok(ended.map_err(|error| format!("{story}: {}", ui::chain(error.as_ref()))))
    }
}
