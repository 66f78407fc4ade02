//! Importing a document: its values are added to the counters, once for each content.
//!
//! The values go into the ledger stripe, which only the holder of the lock writes. So the intent
//! can hold absolute numbers, and doing it twice after a kill is the same as doing it once. A gauge
//! is everybody's: it is set before the intent is written, so that nobody does it twice.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Error;
use crate::metric::{Observations, Shape, Value, WideSum};
use crate::store::opened::{read_document, read_given};
use crate::store::{Amount, Cells, Core, Exclusive, Seed, StoreError};
use crate::sync::Ordering;

use super::document::Document;
use super::error::DocumentError;
use super::openmetrics::{self, Converted};
use super::settle::{locked, whole};
use super::{outside, own, publish, push};

mod intent;
mod record;

use record::Line;

pub(crate) use intent::complete;
pub(super) use intent::{Entry, restate, unrecorded};
pub(crate) use record::{Digest, digest, is_imported};

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

impl Import {
    /// Whether a file can be imported, as far as that shows without a store: before one is made for it.
    ///
    /// # Errors
    ///
    /// As of [`Store::import`](crate::Store::import), where the file cannot be read or is no document or lawful text.
    pub fn check(path: &Path) -> Result<(), Error> {
        read(&given(path)?, path, |_| false)?;
        Ok(())
    }
}

fn given(path: &Path) -> Result<Vec<u8>, Error> {
    let missing = || DocumentError::Missing {
        path: path.to_owned(),
    };
    Ok(read_given(path)?.ok_or_else(missing)?)
}

/// Adds the values of the document at `path`, once.
pub(crate) fn import(core: &Core, path: &Path, own_views_too: bool) -> Result<Import, Error> {
    let bytes = given(path)?;
    let Converted {
        document,
        mut families,
        mut passed_over,
        noted,
        lenient,
        created,
        outside: is_outside,
    } = read(&bytes, path, |name| has_wide_sum(core, name))?;
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
    gauges_as_declared(core, &mut amounts);
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
        for amount in &amounts {
            register(&exclusive, amount)?;
        }
        // The intent says nothing of gauges: they must be durable before it is.
        exclusive.flush()?;
        let line = Line::new(digest, core.now_ns(), core.program(), path, counts);
        push::retire(&exclusive)?;
        intent::write(&exclusive, &line, &amounts)?;
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
fn read(
    bytes: &[u8],
    path: &Path,
    wide: impl Fn(&str) -> bool,
) -> Result<Converted, DocumentError> {
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
        return openmetrics::convert(bytes, path, wide);
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

/// Whether there is a histogram of this name with a wide sum, which takes all digits of another one's.
pub(super) fn has_wide_sum(core: &Core, name: &str) -> bool {
    let family = core.family(name);
    family.is_some_and(|family| matches!(family.shape(), Shape::WideHistogram(_)))
}

/// Whole numbers are counted by whichever counter there is here, and observations by whichever histogram has such buckets.
pub(super) fn as_declared(core: &Core, amounts: &mut [Amount]) {
    for amount in amounts {
        let (Value::Counter(_) | Value::Fractions(_) | Value::Histogram(_)) = amount.value else {
            continue;
        };
        let family = core.family(&amount.name);
        let same = match (family.as_ref().map(|family| family.shape()), &amount.value) {
            (Some(Shape::FractionCounter), Value::Counter(count)) => {
                WideSum::of_whole(*count).map(Value::Fractions)
            }
            (Some(Shape::Counter), Value::Fractions(sum)) => sum.to_whole().map(Value::Counter),
            (Some(Shape::WideHistogram(here)), Value::Histogram(found)) => {
                found.to_wide(here).map(Value::Histogram)
            }
            (Some(Shape::Histogram(here)), Value::Histogram(found)) => {
                found.to_steps(here).map(Value::Histogram)
            }
            _ => None,
        };
        if let Some(same) = same {
            amount.value = same;
        }
    }
}

/// A gauge that is set elsewhere is added to one with a wide sum here, and the sum of one elsewhere sets one that is set here.
fn gauges_as_declared(core: &Core, amounts: &mut [Amount]) {
    for amount in amounts {
        let family = core.family(&amount.name);
        let same = match (family.as_ref().map(|family| family.shape()), &amount.value) {
            (Some(Shape::SumGauge), Value::Gauge(value)) => WideSum::of(*value).map(Value::Sum),
            (Some(Shape::Gauge), Value::Sum(sum)) => Some(Value::Gauge(sum.to_f64())),
            _ => None,
        };
        if let Some(same) = same {
            amount.value = same;
        }
    }
}

/// Whether the cells can take a value without leaving what 64 bits hold.
pub(super) fn has_room(core: &Core, cells: &Cells, value: &Value) -> bool {
    match value {
        Value::Counter(count) => cells.counted(core, 0).checked_add(*count).is_some(),
        Value::Histogram(added) => {
            let first = added.sum_cells().count() as u32;
            let mut counts = (first..).zip(added.counts());
            // The count of all is the sum of these.
            let count = counts.try_fold(0_u64, |sum, (cell, count)| {
                sum.checked_add(cells.counted(core, cell).checked_add(*count)?)
            });
            if let Some(sum) = added.wide_sum() {
                let here = WideSum::of_both(|cell| cells.now_and_since(core, cell));
                return count.is_some() && here.iter().all(|here| here.plus(sum).fits());
            }
            // The sum may wrap, as long as the buckets tell how often it has.
            let here = Value::of_histogram(added.buckets(), |cell| cells.total(cell));
            let both = here.histogram().and_then(|here| {
                let both = here.plus(added)?;
                let is_told = both.told_steps() == here.told_steps() + added.told_steps();
                Some(is_told && both.sum_room() > 0)
            });
            count.is_some() && both == Some(true)
        }
        Value::Fractions(sum) => {
            let added = Observations::from(*sum);
            cells.observed(core).iter().all(|here| here.has_room(added))
        }
        Value::Sum(sum) => {
            let [now, _] = cells.observed(core);
            now.has_room(Observations::from(*sum))
        }
        Value::Summary(added) => {
            let here = cells.observed(core);
            here.iter().all(|here| here.has_room(*added))
        }
        Value::Gauge(_) | Value::Processes(_) | Value::Info => true,
    }
}

/// Registers a series and says what its cells are to hold; `None` where nothing is left to do.
pub(super) fn entry(exclusive: &Exclusive<'_>, amount: Amount) -> Result<Option<Entry>, Error> {
    register(exclusive, &amount)?;
    Ok(intent::counted(exclusive, &amount)?)
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

/// The sum of all counters, but for those with fractions, and the number of all observations.
pub(super) fn counts(amounts: &[Amount]) -> u64 {
    let count = |amount: &Amount| match &amount.value {
        Value::Counter(count) => *count,
        Value::Histogram(found) => found.count(),
        Value::Summary(found) => found.count,
        _ => 0,
    };
    amounts.iter().map(count).fold(0, u64::wrapping_add)
}

/// What a new store in `root` begins with: the values of a `metrics.json` that is already there.
pub(crate) fn seed(root: &Path, program: &str, now_ns: u64) -> Result<Seed, Error> {
    let path = root.join("metrics.json");
    let Some(bytes) = read_document(&path)? else {
        return Ok(Seed::default());
    };
    let mut amounts = Document::parse(&bytes, &path)?.into_amounts();
    amounts.retain(|amount| !matches!(amount.value, Value::Processes(_)));
    let counts = counts(&amounts);
    let line = Line::new(digest(&bytes), now_ns, program, &path, counts);
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
    intent::check(bytes);
    record::check(bytes);
}
