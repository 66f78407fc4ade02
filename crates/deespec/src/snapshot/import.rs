//! Importing a document: its values are added to the counters, once for each content.
//!
//! The values go into the ledger stripe, which only the holder of the lock writes. So the intent
//! can hold absolute numbers, and doing it twice after a kill is the same as doing it once. A gauge
//! is everybody's: it is set before the intent is written, so that nobody does it twice.

use std::collections::BTreeMap;
use std::hash::Hasher as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::Error;
use crate::metric::{Family, LabelSet, Shape, Value, WideSum};
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

#[derive(Serialize, Deserialize)]
struct Intent {
    line: Line,
    ledger: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    name: String,
    labels: LabelSet,
    /// The declaration of its family, for a series that a power loss took.
    family: serde_json::Value,
    /// The number of each cell and what it is to hold.
    cells: Vec<(u32, u64)>,
}

/// What identifies a document's content: 128 bits, since two contents must not be taken for one.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(bytes);
    let hash = hasher.finish128();
    format!("{:016x}{:016x}", hash.h1, hash.h2)
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
    let mut amounts = document.into_amounts();
    amounts.retain(|amount| match &amount.value {
        Value::Counter(count) => *count > 0,
        Value::Fractions(sum) => !sum.is_zero(),
        // It is about processes of that other store.
        Value::Processes(_) => false,
        _ => true,
    });
    for amount in amounts.iter().filter(|_| is_outside && !lenient) {
        outside::check(&amount.name, &amount.value)
            .map_err(|reason| DocumentError::content(path, format!("{}: {reason}", amount.name)))?;
    }
    as_declared(core, &mut amounts);
    for family in &families {
        family.check().map_err(DocumentError::misfit(path))?;
    }
    let mut misfits = BTreeMap::new();
    for amount in &amounts {
        match check(&exclusive, amount, path) {
            Err(Error::Document(DocumentError::Misfit { reason, .. })) if lenient => {
                misfits.insert(amount.name.clone(), reason.to_string());
            }
            Err(Error::Store(error @ StoreError::OlderFormat { .. })) if lenient => {
                misfits.insert(amount.name.clone(), error.to_string());
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
        let mut ledger = Vec::new();
        for amount in amounts {
            ledger.extend(entry(&exclusive, amount)?);
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
        let intent = serde_json::to_vec(&Intent { line, ledger }).unwrap_or_default();
        push::retire(&exclusive)?;
        core.files().write(&core.live_file(INTENT), &intent, true)?;
        complete(&exclusive)?;
        publish::publish_unless_foreign(&exclusive)?;
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

/// Whole numbers of a counter that has fractions here.
pub(super) fn as_declared(core: &Core, amounts: &mut [Amount]) {
    for amount in amounts {
        if let Value::Counter(count) = amount.value
            && let Some(sum) = WideSum::of_whole(count)
            && let Some(family) = core.family(&amount.name)
            && *family.shape() == Shape::FractionCounter
        {
            amount.value = Value::Fractions(sum);
        }
    }
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
        Value::Fractions(sum) => match Value::of_wide(false, |cell| cells.total(cell)) {
            Value::Fractions(here) => here.plus(*sum).fits(),
            _ => false,
        },
        Value::Summary(added) => match Value::of_wide(true, |cell| cells.total(cell)) {
            Value::Summary(here) => {
                here.count.checked_add(added.count).is_some() && here.sum.plus(added.sum).fits()
            }
            _ => false,
        },
        Value::Gauge(_) | Value::Processes(_) | Value::Info => true,
    }
}

/// Registers a series and says what its cells are to hold; `None` where nothing is left to do.
pub(super) fn entry(exclusive: &Exclusive<'_>, amount: Amount) -> Result<Option<Entry>, Error> {
    let shape = amount.value.shape();
    let cells = exclusive.series(&amount.name, &amount.labels, &shape)?;
    match &amount.value {
        Value::Counter(_) | Value::Fractions(_) | Value::Histogram(_) | Value::Summary(_) => {}
        Value::Gauge(value) => {
            set(&cells, *value);
            return Ok(None);
        }
        Value::Processes(_) | Value::Info => {
            cells.revive();
            return Ok(None);
        }
    }
    // A histogram without observations adds nothing that would bring it back.
    cells.revive();
    let values = amount.value.to_cells();
    let add = |(cell, value): (u32, u64)| {
        let before = cells.ledger(cell, exclusive).load(Ordering::Relaxed);
        (cell, before.wrapping_add(value))
    };
    let family = Family::implicit(&amount.name, shape).encode();
    Ok(Some(Entry {
        name: amount.name,
        labels: amount.labels,
        family: serde_json::from_slice(&family).unwrap_or_default(),
        cells: values.into_iter().map(add).collect(),
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
        Value::Summary(found) => found.count,
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
    let intent: Intent =
        serde_json::from_slice(&bytes).map_err(|source| DocumentError::Syntax {
            path: path.clone(),
            source,
        })?;
    if is_imported(core, &intent.line.digest)?.is_some() {
        core.files().keep_lines(&core.live_file(IMPORTS))?;
        return Ok(None);
    }
    // Whoever noted it may not have lived to make its name durable, or could not. Values without it would
    // be added once more by whoever imports the document again.
    if let Some(folder) = path.parent() {
        core.files().sync_directory(folder)?;
    }
    for entry in &intent.ledger {
        restate(exclusive, entry, &path)?;
    }
    Ok(Some(
        serde_json::to_string(&intent.line).unwrap_or_default(),
    ))
}

/// Stores what the cells of one series are to hold.
pub(super) fn restate(exclusive: &Exclusive<'_>, entry: &Entry, path: &Path) -> Result<(), Error> {
    let family = serde_json::to_vec(&entry.family).unwrap_or_default();
    let family = Family::decode(entry.name.clone(), &family).ok_or_else(|| {
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
    if let Ok(intent) = serde_json::from_slice::<Intent>(bytes) {
        let text = serde_json::to_vec(&intent).expect("numbers and strings");
        let again: Intent = serde_json::from_slice(&text).expect("we wrote it");
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
