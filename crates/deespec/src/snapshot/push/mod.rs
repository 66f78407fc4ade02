//! A push: what a program without shared memory has counted is added, once for each number of its
//! writer.
//!
//! As with an import, the values go into the ledger stripe, which only the holder of the lock writes: the
//! line that says that a push is counted also says what the cells hold after it, so that storing
//! them can be repeated. Appending the line is the commit point. Pushes that come at once share a line (`group`).

mod group;
mod journal;
mod turns;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::Error;
use crate::metric::{Family, LabelSet, Value};
use crate::store::{Amount, Core, Exclusive, PUSHES, StoreError};
use crate::sync::Ordering;

use super::error::DocumentError;
use super::import;
use super::openmetrics::{self, Converted, Created};
use super::own;
use super::totals;
use journal::{Journal, Line, Numbered};

pub(crate) use group::Pushes;

#[cfg(any(test, fuzzing))]
pub(super) use journal::check_records;

/// Longest name of a writer, in bytes.
const WRITER_MAX: usize = 128;

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Push {
    /// Whether it was counted now; else it had been counted before.
    pub counted: bool,
    /// The number of the writer's last push that is counted.
    pub sequence: u64,
    /// How many series it had.
    pub series: usize,
    /// The sum of all counters, but for those with fractions, and the number of all observations that were added.
    pub counts: u64,
    /// What the store holds otherwise than it stands in the text, such as a sum with fewer digits; and sums that
    /// are not what their buckets can hold. One sentence each.
    pub noted: Vec<String>,
}

/// Why a push counted nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The writer's name is none.
    #[error("a writer is named by 1 to {WRITER_MAX} of the characters A-Z a-z 0-9 . _ : @ / -")]
    Writer,
    /// The text is not lawful, or not what the store can count.
    #[error("{reason}; nothing was counted")]
    Refused {
        /// What is wrong, with the line of the text.
        reason: String,
    },
    /// The writer has pushed with a higher number before, or something else with this one: its clock went back, or two
    /// programs have one name.
    #[error(
        "{writer} has pushed {} with number {last} before, and this is number {sequence}; nothing was counted",
        if sequence == last { "something else" } else { "already" }
    )]
    Conflict {
        /// The writer.
        writer: String,
        /// Its last number.
        last: u64,
        /// The number that conflicts with it.
        sequence: u64,
    },
    /// It is of this very store, whose counts are here already.
    #[error("this is what the store itself has counted; nothing was counted again")]
    Own,
    /// As a push that was to be counted together with this one; see there.
    #[error(transparent)]
    Together(Arc<Error>),
}

/// Adds what a text says, once for each number of the writer.
pub(crate) fn push(
    core: &Core,
    pushes: &Pushes,
    writer: &str,
    sequence: u64,
    text: &[u8],
) -> Result<Push, Error> {
    if totals::is_of(text, core.id()) {
        return Err(PushError::Own.into());
    }
    let request = Request::of(core, writer, sequence, text)?;
    if own::is_own_text(core, text, &request.created)? {
        return Err(PushError::Own.into());
    }
    pushes.commit(core, request).map_err(|fault| match fault {
        Fault::Misfit { name, reason } => refuse(text, &name, &reason),
        Fault::Refused(error) => error.into(),
        Fault::Store(error) => error,
    })
}

/// A push that was read.
struct Request {
    push: Numbered,
    families: Vec<Family>,
    amounts: Vec<Amount>,
    noted: Vec<String>,
    /// When a few of its series began, where it says so.
    created: Vec<Created>,
}

/// Why a push is not counted.
enum Fault {
    /// A part of it does not fit.
    Misfit {
        name: String,
        reason: String,
    },
    Refused(PushError),
    Store(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl Request {
    fn of(core: &Core, writer: &str, sequence: u64, text: &[u8]) -> Result<Self, Error> {
        let is_lawful = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/-".contains(&byte);
        if writer.is_empty() || writer.len() > WRITER_MAX || !writer.bytes().all(is_lawful) {
            return Err(PushError::Writer.into());
        }
        let Converted {
            document,
            families,
            passed_over,
            noted,
            created,
            ..
        } = openmetrics::convert_pushed(text, Path::new("the push"), |name| {
            import::has_wide_sum(core, name)
        })
        .map_err(PushError::of_text)?;
        if let Some(first) = passed_over.first() {
            return Err(refuse(text, "", first));
        }
        let mut amounts = document.into_amounts();
        amounts.retain(|amount| !is_nothing(amount));
        Ok(Self {
            push: Numbered {
                writer: writer.to_owned(),
                sequence,
                digest: import::digest(text),
            },
            families,
            amounts,
            noted,
            created,
        })
    }

    /// What is said of it where it was counted now or before.
    fn answer(&self, counted: bool) -> Push {
        Push {
            counted,
            sequence: self.push.sequence,
            series: self.amounts.len(),
            counts: match counted {
                true => import::counts(&self.amounts),
                false => 0,
            },
            noted: self.noted.clone(),
        }
    }
}

/// Whether it is a built-in counter that the text does not have, or has with nothing to add.
fn is_nothing(amount: &Amount) -> bool {
    amount.labels.is_empty()
        && amount.value == Value::Counter(0)
        && crate::metric::TRANSACTIONS.contains(&&*amount.name)
}

impl PushError {
    /// What is wrong with a text, without the name of a file.
    pub(super) fn of_text(error: DocumentError) -> Self {
        let reason = match error {
            DocumentError::Text { reason, .. } | DocumentError::Content { reason, .. } => reason,
            other => other.to_string(),
        };
        Self::Refused { reason }
    }
}

/// What does not fit, with the first line that is about it.
fn refuse(text: &[u8], name: &str, reason: &str) -> Error {
    let name = match name {
        // A sentence that begins with what it is about.
        "" => reason.split(' ').next().unwrap_or_default(),
        name => name,
    };
    let base = name.strip_suffix("_total").unwrap_or(name);
    let base = base.strip_suffix("_info").unwrap_or(base);
    let mut lines = (1..).zip(text.split(|&byte| byte == b'\n'));
    let about = lines.find(|(_, line)| {
        let line = line.trim_ascii_start();
        !line.starts_with(b"#") && line.starts_with(base.as_bytes())
    });
    let reason = match about {
        Some((line, _)) if !base.is_empty() => format!("line {line}: {reason}"),
        _ => reason.to_owned(),
    };
    PushError::Refused { reason }.into()
}

/// Fails where a part of a push cannot be counted beside what is to be added with it.
fn check(exclusive: &Exclusive<'_>, request: &Request, added: &Added) -> Result<(), Fault> {
    let core = exclusive.core();
    let misfit = |name: &str, reason: String| {
        let name = name.to_owned();
        Err(Fault::Misfit { name, reason })
    };
    for family in &request.families {
        let known = core.family(family.name());
        let unit = known.as_ref().map_or("", |known| known.unit());
        let differs = known.is_some() && !family.unit().is_empty() && unit != family.unit();
        let (name, wanted) = (family.name(), family.unit());
        if let Err(error) = family.check() {
            return misfit(name, error.to_string());
        }
        if differs {
            return misfit(
                name,
                format!("{name} is in {unit:?} here, not in {wanted:?}"),
            );
        }
    }
    let mut new: BTreeMap<&str, u64> = BTreeMap::new();
    for amount in &request.amounts {
        let name = &amount.name;
        let found = match exclusive.check_series(name, &amount.labels, &amount.value.shape()) {
            Err(StoreError::Metric(reason)) => return misfit(name, reason.to_string()),
            Err(error @ StoreError::OlderFormat { .. }) => return misfit(name, error.to_string()),
            found => found?,
        };
        let value = added.with(amount);
        match found {
            None => *new.entry(name).or_default() += 1,
            Some(cells) if !import::has_room(core, &cells, &value) => {
                return misfit(name, format!("{name} would exceed 64 bits"));
            }
            Some(_) => {}
        }
    }
    for (name, count) in new {
        let known = core.family(name);
        let room = known.map_or(Family::counter(name).limit().into(), |known| known.room());
        if count > room {
            let reason = format!(
                "{name} would have more label sets than it may: {count} are new, and there is room for {room}"
            );
            return misfit(name, reason);
        }
    }
    Ok(())
}

/// What the pushes of one line add: each series once, so that one number says what its cells are to hold.
#[derive(Default)]
struct Added(BTreeMap<(String, LabelSet), Value>);

impl Added {
    /// The value of a series with what is added to it already.
    fn with(&self, amount: &Amount) -> Value {
        let before = self.0.get(&(amount.name.clone(), amount.labels.clone()));
        before.map_or_else(|| amount.value.clone(), |before| before.plus(&amount.value))
    }

    fn add(&mut self, amount: Amount) {
        let value = self.with(&amount);
        self.0.insert((amount.name, amount.labels), value);
    }

    /// What the ledger is to hold.
    fn ledger(self, exclusive: &Exclusive<'_>) -> Result<Vec<import::Entry>, Error> {
        let mut ledger = Vec::new();
        for ((name, labels), value) in self.0 {
            let amount = Amount {
                name,
                labels,
                value,
            };
            ledger.extend(import::entry(exclusive, amount)?);
        }
        Ok(ledger)
    }
}

/// Sets a gauge: the last one wins.
fn set(exclusive: &Exclusive<'_>, amount: &Amount, value: f64) -> Result<(), Error> {
    let cells = exclusive.series(&amount.name, &amount.labels, &amount.value.shape())?;
    cells.shared().store(value.to_bits(), Ordering::Relaxed);
    cells.revive();
    Ok(())
}

/// Stores what a push has the ledger hold, as often as it is called.
fn add(exclusive: &Exclusive<'_>, ledger: &[import::Entry]) -> Result<(), Error> {
    let path = exclusive.core().live_file(PUSHES);
    ledger
        .iter()
        .try_for_each(|entry| import::restate(exclusive, entry, &path))
}

/// Completes the last push, whose writer was perhaps killed.
pub(super) fn complete(exclusive: &Exclusive<'_>) -> Result<(), Error> {
    if !restate(exclusive)? {
        return Ok(());
    }
    exclusive.flush()?;
    retire(exclusive)
}

/// Stores the values of a push that may be incomplete; `false` where there is none.
pub(super) fn restate(exclusive: &Exclusive<'_>) -> Result<bool, Error> {
    let core = exclusive.core();
    let unfinished = Journal::read(core)?.unfinished;
    if unfinished.is_empty() {
        return Ok(false);
    }
    // Whoever appended the line may not have lived to make it durable. Values without it would be
    // added once more by whoever sends the push again.
    core.files().keep_lines(&core.live_file(PUSHES))?;
    add(exclusive, &unfinished)?;
    Ok(true)
}

/// Says that the last push is complete, before somebody else writes to the ledger.
pub(super) fn retire(exclusive: &Exclusive<'_>) -> Result<(), Error> {
    let core = exclusive.core();
    if mended(core)?.unfinished.is_empty() {
        return Ok(());
    }
    let done = Line::done(core.id().to_string()).to_text();
    Ok(core.files().append_line(&core.live_file(PUSHES), &done)?)
}

/// The line that says in a copy of the file that the last push is complete; `None` where there is no file. The
/// file itself must not say so: the cells of a degraded store are not durable.
pub(super) fn farewell(exclusive: &Exclusive<'_>) -> Result<Option<String>, Error> {
    let core = exclusive.core();
    let journal = mended(core)?;
    Ok((!journal.is_empty()).then(|| Line::done(core.id().to_string()).to_text()))
}

/// The file, at whose end a line can be appended.
fn mended(core: &Core) -> Result<Journal, Error> {
    let journal = Journal::read(core)?;
    let short = journal.shortened(&core.id().to_string());
    match short.filter(|_| journal.is_torn()) {
        None => Ok(journal),
        Some(short) => {
            core.files()
                .write(&core.live_file(PUSHES), short.as_bytes(), true)?;
            Journal::read(core)
        }
    }
}
