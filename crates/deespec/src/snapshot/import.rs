//! Importing a document: its values are added to the counters, once for each content.
//!
//! The values go into the ledger stripe, which only the holder of the lock writes. So the intent
//! can hold absolute numbers, and doing it twice after a kill is the same as doing it once. A gauge
//! is everybody's: it is set before the intent is written, so that nobody does it twice.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher as _;
use std::io::{self, Write};
use std::path::Path;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::Error;
use crate::metric::{Family, LabelSet, Value};
use crate::store::opened::{read_document, read_given, read_own};
use crate::store::{Amount, Cells, Core, Exclusive, IMPORTS, Seed, StoreError};
use crate::sync::Ordering;

use super::document::Document;
use super::error::DocumentError;
use super::openmetrics::{self, Converted};
use super::settle::{locked, whole};
use super::{outside, own, publish, push, time};

/// What is being imported, until it is recorded.
const INTENT: &str = "import.json";

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Import {
    /// The values were added.
    Added {
        /// How many series gained something.
        series: usize,
        /// The sum of all counters and the number of all observations.
        counts: u64,
        /// What the file has and a store cannot hold, one sentence each.
        passed_over: Vec<String>,
        /// What the store holds otherwise than it stands in the file, such as a sum with fewer digits; and
        /// sums that are not what their buckets can hold. One sentence each.
        noted: Vec<String>,
    },
    /// The document is what this store itself has published; nothing was changed.
    Own,
    /// A document with the same content had been imported before; nothing was changed.
    Already {
        /// When, RFC 3339.
        at: String,
    },
}

/// One line of `imports.jsonl`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    digest: String,
    at: String,
    by: String,
    file: String,
    counts: u64,
}

/// What is said of an import that is under way, but for what its cells are to hold.
#[derive(Deserialize)]
struct Intent {
    line: Line,
    #[serde(rename = "ledger")]
    _ledger: IgnoredAny,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    name: String,
    labels: LabelSet,
    /// The declaration of its family, for a series that a power loss took.
    family: Box<RawValue>,
    /// The number of each cell and what it is to hold.
    cells: Vec<(u32, u64)>,
}

/// What identifies a document's content: 128 bits, since two contents must not be taken for one.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest.text()
}

/// A digest of a content that comes in pieces.
pub(crate) struct Digest(SipHasher13);

impl Default for Digest {
    fn default() -> Self {
        Self(SipHasher13::new_with_keys(0, 0))
    }
}

impl Digest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(crate) fn text(&self) -> String {
        let hash = self.0.finish128();
        format!("{:016x}{:016x}", hash.h1, hash.h2)
    }
}

/// When a document with this digest was imported.
pub(crate) fn is_imported(core: &Core, digest: &str) -> Result<Option<String>, Error> {
    let bytes = read_own(&core.live_file(IMPORTS))?.unwrap_or_default();
    Ok(line_of(&bytes, digest).map(|line| line.at))
}

/// The line of this digest in a record of imports; what cannot be read of it is passed over.
fn line_of(record: &[u8], digest: &str) -> Option<Line> {
    let lines = String::from_utf8_lossy(record);
    let mut lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.find(|line| line.digest == digest)
}

/// Adds the values of the document at `path`, once.
pub(crate) fn import(core: &Core, path: &Path, own_views_too: bool) -> Result<Import, Error> {
    let bytes = read_given(path)?.ok_or_else(|| DocumentError::Missing {
        path: path.to_owned(),
    })?;
    let Converted {
        document,
        mut families,
        mut passed_over,
        noted,
        lenient,
        created,
        outside: is_outside,
    } = read(&bytes, path)?;
    let exclusive = locked(core)?;
    let digest = digest(&bytes);
    if let Some(at) = is_imported(core, &digest)? {
        return Ok(Import::Already { at });
    }
    if document.store_id == Some(core.id()) && !own_views_too {
        let published = publish::path(core).canonicalize();
        if published.is_ok_and(|published| path.canonicalize().is_ok_and(|path| path == published))
        {
            return Ok(Import::Own);
        }
        return Err(DocumentError::OwnView {
            path: path.to_owned(),
        }
        .into());
    }
    if lenient && !own_views_too && own::is_own_text(core, &bytes, &created)? {
        let path = path.to_owned();
        return Err(DocumentError::OwnView { path }.into());
    }
    // It may be as long as everything that is made of it.
    drop(bytes);
    let mut amounts = document.into_amounts();
    amounts.retain(|amount| match &amount.value {
        Value::Counter(count) => *count > 0,
        // It is about processes of that other store.
        Value::Processes(_) => false,
        _ => true,
    });
    for amount in amounts.iter().filter(|_| is_outside && !lenient) {
        outside::check(&amount.name, &amount.value)
            .map_err(|reason| DocumentError::content(path, format!("{}: {reason}", amount.name)))?;
    }
    for family in &families {
        family.check().map_err(DocumentError::misfit(path))?;
    }
    let mut misfits = BTreeMap::new();
    for amount in &amounts {
        match check(&exclusive, amount, path) {
            Err(Error::Document(DocumentError::Misfit { reason, .. })) if lenient => {
                misfits.insert(amount.name.clone(), reason);
            }
            checked => checked?,
        }
    }
    amounts.retain(|amount| !misfits.contains_key(&amount.name));
    families.retain(|family| !misfits.contains_key(family.name()));
    let told = misfits.iter();
    passed_over.extend(told.map(|(name, reason)| format!("{name} is passed over: {reason}")));
    let counts = counts(&amounts);
    let series = amounts.len();
    // A store that cannot be made durable must not take an import that it could not record.
    exclusive.flush()?;
    whole(&exclusive, || {
        for family in families {
            // What this store says of the family came first.
            if core.family(family.name()).is_none() {
                exclusive.declare(&family)?;
            }
        }
        for amount in &amounts {
            register(&exclusive, amount)?;
        }
        // The intent says nothing of gauges: they must be durable before it is.
        exclusive.flush()?;
        let line = Line {
            digest,
            at: time::to_seconds(core.now_ns()),
            by: core.program().to_owned(),
            file: path.display().to_string(),
            counts,
        };
        push::retire(&exclusive)?;
        core.files()
            .write_with(&core.live_file(INTENT), true, |out| {
                write_intent(&exclusive, out, &line, &amounts)
            })?;
        drop(amounts);
        complete(&exclusive)?;
        publish::publish_quietly(&exclusive)?;
        Ok(Import::Added {
            series,
            counts,
            passed_over,
            noted,
        })
    })
}

/// Reads a document, or a text that Prometheus would read.
fn read(bytes: &[u8], path: &Path) -> Result<Converted, DocumentError> {
    if bytes.is_empty() {
        return Err(DocumentError::content(path, "it is empty"));
    }
    let is_json = bytes
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_none_or(|&first| first == b'{' || first == 0xef)
        || path
            .extension()
            .is_some_and(|extension| extension == "json");
    if !is_json {
        return openmetrics::convert(bytes, path);
    }
    let document = Document::parse(bytes, path)?;
    Ok(Converted {
        outside: document.store_id.is_none(),
        document,
        families: Vec::new(),
        passed_over: Vec::new(),
        noted: Vec::new(),
        lenient: false,
        created: Vec::new(),
    })
}

/// Whether the store can take a series and add its value.
fn check(exclusive: &Exclusive<'_>, amount: &Amount, path: &Path) -> Result<(), Error> {
    let found = exclusive
        .check_series(&amount.name, &amount.labels, &amount.value.shape())
        .map_err(DocumentError::misfit(path))?;
    if found.is_none_or(|cells| has_room(exclusive.core(), &cells, &amount.value)) {
        return Ok(());
    }
    let (path, name) = (path.to_owned(), amount.name.clone());
    Err(DocumentError::Overflow { path, name }.into())
}

/// Whether the cells can take a value without leaving what 64 bits hold.
pub(super) fn has_room(core: &Core, cells: &Cells, value: &Value) -> bool {
    match value {
        Value::Counter(count) => cells.counted(core, 0).checked_add(*count).is_some(),
        Value::Histogram(added) => {
            let mut counts = (1..).zip(added.counts());
            // The count of all is the sum of these.
            let count = counts.try_fold(0_u64, |sum, (cell, count)| {
                sum.checked_add(cells.counted(core, cell).checked_add(*count)?)
            });
            // The sum may wrap, as long as the buckets tell how often it has.
            let here = Value::of_histogram(added.buckets(), |cell| cells.total(cell));
            let both = here.histogram().and_then(|here| {
                let both = here.plus(added)?;
                Some(both.told_steps() == here.told_steps() + added.told_steps())
            });
            count.is_some() && both == Some(true)
        }
        Value::Gauge(_) | Value::Processes(_) | Value::Info => true,
    }
}

/// Writes what is being imported, one series after the other.
fn write_intent(
    exclusive: &Exclusive<'_>,
    out: &mut dyn Write,
    line: &Line,
    amounts: &[Amount],
) -> io::Result<()> {
    out.write_all(b"{\"line\":")?;
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b",\"ledger\":[")?;
    let mut is_first = true;
    for amount in amounts {
        if let Some(entry) = counted(exclusive, amount).map_err(io::Error::other)? {
            out.write_all(if is_first { b"" } else { b"," })?;
            is_first = false;
            serde_json::to_writer(&mut *out, &entry)?;
        }
    }
    out.write_all(b"]}")
}

/// Registers a series and says what its cells are to hold; `None` where nothing is left to do.
pub(super) fn entry(exclusive: &Exclusive<'_>, amount: Amount) -> Result<Option<Entry>, Error> {
    register(exclusive, &amount)?;
    Ok(counted(exclusive, &amount)?)
}

/// Registers a series, makes it visible and sets it where it is not added up.
fn register(exclusive: &Exclusive<'_>, amount: &Amount) -> Result<(), Error> {
    let shape = amount.value.shape();
    let cells = exclusive.series(&amount.name, &amount.labels, &shape)?;
    match &amount.value {
        Value::Gauge(value) => set(&cells, *value),
        // A histogram without observations adds nothing that would bring it back.
        _ => cells.revive(),
    }
    Ok(())
}

/// What the cells of a series are to hold that was registered; `None` for one that is not added up.
fn counted(exclusive: &Exclusive<'_>, amount: &Amount) -> Result<Option<Entry>, StoreError> {
    if !matches!(amount.value, Value::Counter(_) | Value::Histogram(_)) {
        return Ok(None);
    }
    let shape = amount.value.shape();
    let cells = exclusive.series(&amount.name, &amount.labels, &shape)?;
    let add = |(cell, value): (u32, u64)| {
        let before = cells.ledger(cell, exclusive).load(Ordering::Relaxed);
        (cell, before.wrapping_add(value))
    };
    let family = Family::implicit(&amount.name, shape).encode();
    let family = String::from_utf8(family).unwrap_or_default();
    Ok(Some(Entry {
        name: amount.name.clone(),
        labels: amount.labels.clone(),
        family: RawValue::from_string(family).unwrap_or_default(),
        cells: amount.value.to_cells().into_iter().map(add).collect(),
    }))
}

/// Sets a gauge that is not set yet. What this store has came later than what the document has. A
/// gauge of zeros is one that nobody has set, such as an import that was killed after registering it.
fn set(cells: &Cells, value: f64) {
    let gauge = cells.shared();
    let before = gauge.load(Ordering::Relaxed);
    if before == 0 || cells.is_removed() {
        // A program that sets it now is the last one.
        let order = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = gauge.compare_exchange(before, value.to_bits(), order.0, order.1);
        cells.revive();
    }
}

/// The sum of all counters and of all observations.
pub(super) fn counts(amounts: &[Amount]) -> u64 {
    let count = |amount: &Amount| match &amount.value {
        Value::Counter(count) => *count,
        Value::Histogram(found) => found.count(),
        _ => 0,
    };
    amounts.iter().map(count).fold(0, u64::wrapping_add)
}

/// Completes an import whose intent is written down.
pub(crate) fn complete(exclusive: &Exclusive<'_>) -> Result<(), Error> {
    let core = exclusive.core();
    let path = core.live_file(INTENT);
    // A link that leads nowhere is something too.
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    if let Some(line) = unrecorded(exclusive)? {
        exclusive.flush()?;
        core.files().append_line(&core.live_file(IMPORTS), &line)?;
    }
    Ok(core.files().remove(&path)?)
}

/// Stores the values of an import that is under way, as often as it is called, and gives the line that
/// records it; `None` where it is recorded, or where there is none.
pub(super) fn unrecorded(exclusive: &Exclusive<'_>) -> Result<Option<String>, Error> {
    let core = exclusive.core();
    let path = core.live_file(INTENT);
    let Some(bytes) = read_own(&path)? else {
        return Ok(None);
    };
    let syntax = |source| DocumentError::Syntax {
        path: path.clone(),
        source,
    };
    // The whole of it first: half an import must not be done because of a bit that was flipped behind it.
    let intent: Intent = serde_json::from_slice(&bytes).map_err(syntax)?;
    for_each_entry(&bytes, &mut |_| Ok(())).map_err(syntax)?;
    if is_imported(core, &intent.line.digest)?.is_some() {
        core.files().keep_lines(&core.live_file(IMPORTS))?;
        return Ok(None);
    }
    // Whoever noted it may not have lived to make its name durable, or could not. Values without it would
    // be added once more by whoever imports the document again.
    if let Some(folder) = path.parent() {
        core.files().sync_directory(folder)?;
    }
    let mut done = Ok(());
    let mut each = |entry: Entry| {
        done = restate(exclusive, &entry, &path);
        done.is_ok().then_some(()).ok_or("it cannot be restated")
    };
    let read = for_each_entry(&bytes, &mut each);
    done?;
    read.map_err(syntax)?;
    Ok(Some(
        serde_json::to_string(&intent.line).unwrap_or_default(),
    ))
}

/// What becomes of the next series.
type Each<'a> = &'a mut dyn FnMut(Entry) -> Result<(), &'static str>;

/// Reads what cells are to hold, one series after the other.
fn for_each_entry(intent: &[u8], each: Each<'_>) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_slice(intent);
    reader.deserialize_map(Ledger(each))?;
    reader.end()
}

/// Reads an intent.
struct Ledger<'a>(Each<'a>);

impl<'de> Visitor<'de> for Ledger<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an import that is under way")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "ledger" {
                map.next_value_seed(Entries(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Reads the ledger of an intent.
struct Entries<'a>(Each<'a>);

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(entry) = seq.next_element::<Entry>()? {
            (self.0)(entry).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Stores what the cells of one series are to hold.
pub(super) fn restate(exclusive: &Exclusive<'_>, entry: &Entry, path: &Path) -> Result<(), Error> {
    let family = entry.family.get().as_bytes();
    let family = Family::decode(entry.name.clone(), family).ok_or_else(|| {
        DocumentError::content(path, format!("the family of {} is not one", entry.name))
    })?;
    let cells = exclusive.series(&entry.name, &entry.labels, family.shape())?;
    for &(cell, value) in &entry.cells {
        if cell >= family.shape().cells() {
            let reason = format!("{} has no cell {cell}", entry.name);
            return Err(DocumentError::content(path, reason).into());
        }
        cells
            .ledger(cell, exclusive)
            .store(value, Ordering::Relaxed);
    }
    Ok(())
}

/// What a new store in `root` begins with: the values of a `metrics.json` that is already there.
pub(crate) fn seed(root: &Path, program: &str, now_ns: u64) -> Result<Seed, Error> {
    let path = root.join("metrics.json");
    let Some(bytes) = read_document(&path)? else {
        return Ok(Seed::default());
    };
    let mut amounts = Document::parse(&bytes, &path)?.into_amounts();
    amounts.retain(|amount| !matches!(amount.value, Value::Processes(_)));
    let line = Line {
        digest: digest(&bytes),
        at: time::to_seconds(now_ns),
        by: program.to_owned(),
        file: path.display().to_string(),
        counts: counts(&amounts),
    };
    let import = serde_json::to_string(&line)
        .map_err(|error| StoreError::io("describe", &path)(error.into()))?;
    Ok(Seed {
        amounts,
        import: Some(import),
    })
}

/// What the intent and the lines of imports owe to any bytes.
#[cfg(any(test, fuzzing))]
pub(super) fn check_records(bytes: &[u8]) {
    let mut entries = Vec::new();
    let read = for_each_entry(bytes, &mut |entry| {
        entries.push(entry);
        Ok(())
    });
    if read.is_ok() {
        let text = serde_json::to_vec(&entries).expect("numbers and strings");
        let again: Vec<Entry> = serde_json::from_slice(&text).expect("we wrote it");
        assert_eq!(serde_json::to_vec(&again).expect("as before"), text);
    }
    let known = |digest: &str| line_of(bytes, digest);
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            // What was imported once is not imported again.
            assert!(known(&line.digest).is_some());
        }
    }
}
