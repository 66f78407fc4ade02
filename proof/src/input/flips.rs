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
//! - a line of `imports.jsonl`: at worst the import it tells of can be done once more.
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

use deespec::{
    Buckets, Document, Error, Family, Import, Options, Published, Rotate, Store, Value, View,
};

use super::image::{self, Map, Part};
use crate::harness::{Bench, Outcome};
use crate::random::Random;
use crate::{Result, ui};

const SEGMENT: &str = "live/segment-0000";
const METRICS: &str = "metrics.json";
const EPOCHS: &str = "live/epochs.jsonl";
const IMPORTS: &str = "live/imports.jsonl";
/// What was imported; it lies beside the store.
const INPUT: &str = "input.json";
/// Violations beyond these tell nothing new.
const ENOUGH: usize = 200;

/// One change of one file.
#[derive(Debug, Clone, Copy)]
enum Change {
    Bit(usize),
    Length(usize),
}

#[derive(Debug, Clone, Copy)]
struct Case {
    /// The number of the file.
    file: usize,
    change: Change,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
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
type Values = BTreeMap<String, Vec<u64>>;

/// The store as it was made.
struct Whole {
    files: Vec<(&'static str, Vec<u8>)>,
    values: Values,
    map: Map,
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

fn options() -> Options {
    Options::new()
        .background_sync(None)
        .stripes(1)
        .program("flips")
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

fn values(view: &View) -> Values {
    let of = |value: &Value| match value {
        Value::Counter(count) => vec![*count],
        Value::Gauge(value) => vec![value.to_bits()],
        Value::Histogram(found) => {
            let sum = found.steps().cast_unsigned();
            std::iter::once(sum)
                .chain(found.counts().iter().copied())
                .collect()
        }
        _ => Vec::new(),
    };
    let samples = view.samples().map(|sample| {
        let labels = sample.labels.values().cloned();
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
struct Place<'a> {
    whole: &'a Whole,
    folder: tempfile::TempDir,
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

    fn at(&self, name: impl AsRef<Path>) -> PathBuf {
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
        let ended = match *name {
            SEGMENT => judged.segment(),
            METRICS => judged.published(),
            EPOCHS => judged.epochs(),
            IMPORTS => judged.imports(),
            _ => judged.snapshot(),
        };
        Ok(ended.map_err(|error| format!("{story}: {}", ui::chain(error.as_ref()))))
    }
}

struct Judge<'a> {
    place: &'a Place<'a>,
    case: Case,
    name: &'static str,
    changed: &'a [u8],
}

impl Judge<'_> {
    fn open(&self) -> std::result::Result<Store, Error> {
        options().create(false).open(self.place.folder.path())
    }

    /// The error names the file, and a reason behind it; nothing was written but the next ticket.
    fn refused(&self, error: &Error) -> Result<End> {
        self.told(error, &self.place.at(self.name))?;
        self.untouched(&[])?;
        Ok(End::Refused)
    }

    fn told(&self, error: &Error, path: &Path) -> Result<()> {
        let text = ui::chain(error);
        let path = path.display().to_string();
        if !text.contains(&path) || text.len() < path.len() + 10 {
            return Err(format!("the error does not name {path} and a reason: {text}").into());
        }
        Ok(())
    }

    /// No file was changed, but for these and for the words of a segment that each opening writes.
    fn untouched(&self, but: &[&str]) -> Result<()> {
        for (index, (name, bytes)) in self.place.whole.files.iter().enumerate() {
            if but.contains(name) {
                continue;
            }
            let mut found = fs::read(self.place.at(name))?;
            let mut expected = match index == self.case.file {
                true => self.changed.to_vec(),
                false => bytes.clone(),
            };
            if *name == SEGMENT {
                let ticket = image::TICKET * 8..image::TICKET * 8 + 8;
                for bytes in [&mut found, &mut expected] {
                    if let Some(ticket) = bytes.get_mut(ticket.clone()) {
                        ticket.fill(0);
                    }
                }
            }
            if found != expected {
                return Err(format!("{name} was changed").into());
            }
        }
        Ok(())
    }

    fn segment(&self) -> Result<End> {
        let whole = self.place.whole;
        let used = self.open().and_then(|store| Ok((store.view()?, store)));
        let Change::Bit(bit) = self.case.change else {
            return match used {
                Err(error) => self.refused(&error),
                Ok(_) => Err("a segment of another length was opened".into()),
            };
        };
        let part = whole.map.part(bit / 64);
        let (view, store) = match (used, &part) {
            (Err(error), Part::Vital) => return self.refused(&error),
            (Ok(_), Part::Vital) => return Err(format!("{part:?} was not missed").into()),
            (Err(error), _) => return Err(error.into()),
            (Ok(used), _) => used,
        };
        self.untouched(&[SEGMENT])?;
        let found = values(&view);
        let mut expected = whole.values.clone();
        let reported = !view.skipped.is_empty();
        let path = self.place.at(SEGMENT).display().to_string();
        if !view.skipped.iter().all(|told| told.contains(&path)) {
            return Err(format!("the report does not name {path}: {:?}", view.skipped).into());
        }
        let health = store.health()?;
        let healthy = health.problems.is_empty();
        if healthy == (reported || part == Part::Degraded && health.degraded) {
            return Err(format!("the report on the health says {:?}", health.problems).into());
        }
        let end = match &part {
            Part::Series(index) => {
                let name = &whole.map.entries[*index].name;
                self.may_lack(&mut expected, &found, name, reported)?
            }
            Part::Family(name) => {
                let of = |entry: &&image::Entry| entry.name.split(',').next() == Some(name);
                let mut end = End::Reported;
                for entry in whole.map.entries.iter().filter(of) {
                    end = end.max(self.may_lack(&mut expected, &found, &entry.name, reported)?);
                }
                end
            }
            Part::Count { cell, baseline } => {
                let change = 1_u64 << (bit % 64);
                let was_set = whole.files[0].1[bit / 8] >> (bit % 8) & 1 == 1;
                let grows = was_set == *baseline;
                let of = |entry: &&image::Entry| entry.cells.contains(cell);
                match whole.map.entries.iter().find(of) {
                    Some(entry) => {
                        let at = cell - entry.cells.start;
                        let value = expected.get_mut(&entry.name).and_then(|v| v.get_mut(at));
                        match value {
                            // A gauge stands in the one stripe, and has no baseline.
                            Some(bits) if entry.name == "depth" => {
                                let is_its = bit / 64 == image::first_cell() + cell;
                                *bits ^= if is_its { change } else { 0 };
                            }
                            Some(count) if grows => *count = count.wrapping_add(change),
                            Some(count) => *count = count.wrapping_sub(change),
                            None => {}
                        }
                        End::Miscounted
                    }
                    None => End::Harmless,
                }
            }
            Part::Vital | Part::Degraded | Part::Other => End::Harmless,
        };
        if reported != matches!(end, End::Reported | End::Missing) {
            return Err(format!("the view says {:?}", view.skipped).into());
        }
        if found != expected {
            return Err(format!("{part:?}: it shows {found:?} instead of {expected:?}").into());
        }
        self.count_on(&store, &found)?;
        Ok(if found == whole.values && end == End::Miscounted {
            End::Harmless
        } else {
            end
        })
    }

    /// The series may be missing, or have begun again, where that is reported.
    fn may_lack(
        &self,
        expected: &mut Values,
        found: &Values,
        name: &str,
        reported: bool,
    ) -> Result<End> {
        if !reported {
            return Err(format!("that {name} is damaged is not reported").into());
        }
        let was = expected.get(name).cloned();
        let now = found.get(name).cloned();
        if now == was {
            return Ok(End::Reported);
        }
        match now {
            None => drop(expected.remove(name)),
            Some(now) if now.iter().all(|count| *count == 0) => {
                expected.insert(name.to_owned(), now);
            }
            Some(now) => return Err(format!("{name} is {now:?} instead of {was:?}").into()),
        }
        Ok(End::Missing)
    }

    /// Each counter can be counted in, and gains that and nothing else.
    fn count_on(&self, store: &Store, before: &Values) -> Result<()> {
        let four = store.transactions();
        four.success.inc();
        four.failed.inc();
        store.counter("plain_total")?.inc();
        let labels = [("part", "a"), ("job", "nightly build")];
        store.counter_with("builds_total", &labels)?.inc();
        store.counter("new_total")?.inc();
        let mut expected = before.clone();
        let counted = [
            "commit_success",
            "commit_failed",
            "plain_total",
            "new_total",
        ];
        for name in counted.into_iter().chain(["builds_total,nightly build,a"]) {
            let count = expected.entry(name.to_owned()).or_insert_with(|| vec![0]);
            count[0] = count[0].wrapping_add(1);
        }
        let after = values(&store.view()?);
        if after != expected {
            return Err(format!("after counting on {after:?} instead of {expected:?}").into());
        }
        Ok(())
    }

    /// All counts are right and can be counted on.
    fn unharmed(&self, store: &Store) -> Result<()> {
        let found = values(&store.view()?);
        if found != self.place.whole.values {
            return Err(format!("it shows {found:?}").into());
        }
        self.count_on(store, &found)
    }

    /// Whether the document reads; as it was, then.
    fn reads(&self) -> Result<bool> {
        let (path, whole) = (
            self.place.at(self.name),
            &self.place.whole.files[self.case.file].1,
        );
        match Document::read(&path) {
            Ok(document) if document == Document::parse(whole, &path)? => Ok(true),
            Ok(document) => Err(format!("it reads as {document:?}").into()),
            Err(error) => self.told(&error, &path).map(|()| false),
        }
    }

    fn published(&self) -> Result<End> {
        let reads = self.reads()?;
        let store = self.open()?;
        self.unharmed(&store)?;
        if store.health()?.published != Published::Foreign {
            return Err("it is not known to be foreign".into());
        }
        match store.sync() {
            Ok(_) => return Err("it was overwritten".into()),
            Err(error) => self.told(&error, &self.place.at(METRICS))?,
        }
        self.untouched(&[SEGMENT])?;
        Ok(if reads { End::Reported } else { End::Refused })
    }

    fn snapshot(&self) -> Result<End> {
        let reads = self.reads()?;
        let store = self.open()?;
        let path = self.place.at(self.name);
        if !reads {
            match store.restore(&path, "", false) {
                Ok(_) => return Err("it was restored".into()),
                Err(error) => self.told(&error, &path)?,
            }
            match store.import(&path, true) {
                Ok(_) => return Err("it was imported".into()),
                Err(error) => self.told(&error, &path)?,
            }
        }
        self.unharmed(&store)?;
        self.untouched(&[SEGMENT])?;
        Ok(if reads { End::Harmless } else { End::Refused })
    }

    /// A process that looks for unfinished work reads the last line.
    fn epochs(&self) -> Result<End> {
        let mut segment = self.place.whole.files[0].1.clone();
        segment[image::PENDING * 8] = 1;
        fs::write(self.place.at(SEGMENT), &segment)?;
        let store = self.open()?;
        self.unharmed(&store)?;
        let view = store.sync()?;
        if view.epoch != 2 || !view.skipped.is_empty() {
            return Err(format!("epoch {}, {:?}", view.epoch, view.skipped).into());
        }
        // Closing the epoch once more says the same; the snapshots are among these files.
        self.untouched(&[SEGMENT, METRICS, EPOCHS])?;
        let lines = fs::read(self.place.at(EPOCHS))?;
        let closed = fs::read(self.place.at(EPOCHS))? != self.changed;
        // What is behind the last line is cut off when the next one comes.
        let end = lines.iter().rposition(|byte| *byte == b'\n');
        let last = &lines[..end.ok_or("no line is whole")?];
        let last = last.rsplit(|byte| *byte == b'\n').next();
        // A letter of a text may be lost.
        let last = String::from_utf8_lossy(last.unwrap_or_default());
        let last: serde_json::Value = serde_json::from_str(&last)?;
        if last["epoch"].as_u64().is_none_or(|epoch| epoch < 1) {
            return Err(format!("the last line is {last}").into());
        }
        Ok(if closed { End::Reported } else { End::Harmless })
    }

    fn imports(&self) -> Result<End> {
        let store = self.open()?;
        self.unharmed(&store)?;
        let before = store.view()?.transactions;
        let again = store.import(&self.place.at(INPUT), false)?;
        let after = store.view()?.transactions;
        let gained = (
            after.success - before.success,
            after.conflicts - before.conflicts,
        );
        match (again, gained) {
            (Import::Already { .. }, (0, 0)) => Ok(End::Harmless),
            (Import::Added { .. }, (5, 40)) => Ok(End::Reported),
            (again, gained) => Err(format!("{again:?} added {gained:?}").into()),
        }
    }
}
