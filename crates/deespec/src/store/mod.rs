//! The store: cells and series names in mapped segments, epochs, one lock, durability, recovery.
//!
//! What a reader needs first: [`Core`] is an open store; `open.rs` makes or opens one,
//! `register.rs` finds and adds series, `cells.rs` is where they count, `read.rs` sums cells, `turn.rs` begins epochs,
//! `durability.rs` makes it all durable and `recovery.rs` repairs what a crash left. Documents
//! (JSON) are above this room, and only `raw/` knows that memory is a mapped file.

mod access;
mod build;
mod catalog;
mod cells;
mod compact;
mod control;
mod courtesy;
mod durability;
mod epoch;
mod error;
mod families;
mod faults;
mod files;
mod folders;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hold;
mod holder;
mod identity;
mod layout;
mod limit;
pub(crate) mod lines;
mod lock;
mod lookups;
#[cfg(test)]
#[cfg(loom)]
mod models;
mod open;
pub(crate) mod opened;
mod patience;
mod place;
mod process;
mod queue;
#[cfg(test)]
#[cfg(not(loom))]
mod races;
mod raw;
mod read;
mod recovery;
mod register;
mod registry;
mod segment;
mod shares;
mod turn;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::sync::AtomicBool;

pub use epoch::Beginning;
pub use error::{Exposure, StoreError};
pub use faults::{FaultInjector, Operation};
pub use holder::Holder;
pub use identity::{NotAStoreId, StoreId};
pub use place::{Place, PlaceClass, Unfit};

pub(crate) use catalog::Skipped;
pub(crate) use cells::Cells;
pub(crate) use epoch::Record;
pub(crate) use files::Files;
pub(crate) use hold::{HeldCells, Holds};
pub(crate) use layout::Consent;
pub use layout::FORMAT_VERSION;
pub use raw::socket_drops;
pub(crate) use read::SeriesValue;
pub(crate) use registry::Form;
pub(crate) use shares::OwnShare;

use catalog::Catalog;
use control::{PENDING, PUBLISHED_AT, PUBLISHED_STATE};
use courtesy::Courtesy;
use layout::MAX_SEGMENTS;
use lock::{Held, Kept, Lock, Mode};
use lookups::Lookups;
use patience::Waiting;
use place::Class;
use process::Process;
use queue::Queue;
use raw::ForkLocal;
use segment::Segment;

use crate::metric::{Family, LabelSet, Value};
use crate::protection::Protection;

/// How a store is opened.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) create: bool,
    /// What is accepted of the place of a new store.
    pub(crate) consent: Consent,
    /// The group that a new store is shared with.
    pub(crate) group: Option<u32>,
    pub(crate) stripes: Option<u32>,
    pub(crate) lock_deadline: Duration,
    pub(crate) program: String,
    pub(crate) clock: Clock,
    pub(crate) faults: Option<Arc<dyn FaultInjector>>,
}

impl Settings {
    /// What was accepted when the store was made, or for this opening.
    fn consenting(&self, first: &Segment) -> Consent {
        let consent = first.header().consent;
        Consent {
            any: consent.any || self.consent.any,
            ..consent
        }
    }
}

/// Where the time comes from; tests hold it still.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    System,
    Fixed(u64),
}

impl Clock {
    /// Nanoseconds since 1970.
    pub(crate) fn now_ns(self) -> u64 {
        match self {
            Self::Fixed(ns) => ns,
            Self::System => nanoseconds(SystemTime::now()),
        }
    }
}

/// A time as nanoseconds since 1970, as everything in the store has it.
pub(crate) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A value that a series is to have or to gain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Amount {
    pub(crate) name: String,
    pub(crate) labels: LabelSet,
    pub(crate) value: Value,
}

/// What a new store begins with.
#[derive(Debug, Default)]
pub(crate) struct Seed {
    pub(crate) amounts: Vec<Amount>,
    /// The first line of the record of imports, where the amounts come from a document.
    pub(crate) import: Option<String>,
}

/// The record of epochs in `live/`: one line for each that was closed.
pub(crate) const EPOCHS: &str = "epochs.jsonl";
/// The record of imports in `live/`: one line for each document whose values were added.
pub(crate) const IMPORTS: &str = "imports.jsonl";
/// The last push of each writer, and what the last one of all added, in `live/`.
pub(crate) const PUSHES: &str = "pushes.jsonl";

/// The document in `live/` that is being restored, until the epoch before is closed.
pub(crate) const RESTORE: &str = "restore.json";

/// An open store.
pub(crate) struct Core {
    root: PathBuf,
    live: PathBuf,
    /// Keeps compactions from the files that are mapped here.
    open: Kept,
    /// What the place of the store promises.
    class: Class,
    id: StoreId,
    first: Arc<Segment>,
    /// Segments after the first, by their number, as this process has mapped them.
    further: [OnceLock<Further>; MAX_SEGMENTS],
    files: Files,
    lock: Lock,
    settings: Settings,
    /// The stripe of this process' first thread.
    stripe: u32,
    own: ForkLocal<Own>,
    /// A flush failed in this process; sticky even if the shared mark cannot be written.
    degraded: AtomicBool,
}

/// What a process has of its own beside the store: a forked child must not wait for a mutex that a
/// thread of its parent held.
#[derive(Default)]
struct Own {
    catalog: Mutex<Catalog>,
    process: Mutex<Option<Arc<Process>>>,
    readers: Queue,
    /// Declarations by the segment and the block in which they stand, where they never change.
    families: Mutex<HashMap<(u32, u32), Arc<Family>>>,
    lookups: Lookups,
}

/// A segment after the first.
enum Further {
    Mapped(Arc<Segment>),
    /// Its series are missing from every view until the file is put back.
    Damaged(DamagedSegment),
}

/// A segment that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamagedSegment {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

/// Proof that the exclusive lock is held.
pub(crate) struct Exclusive<'a> {
    core: &'a Core,
    _held: Held,
}

/// Proof that the shared lock is held: no epoch begins meanwhile. The lock is given back first, then the place
/// among the readers of this process.
pub(crate) struct Shared<'a> {
    _held: Held,
    _place: Reader<'a>,
}

/// The one reader of this process.
struct Reader<'a>(&'a Core);

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.0.own.get().readers.leave();
    }
}

impl Core {
    /// The store's folder, which holds metrics.json.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn id(&self) -> StoreId {
        self.id
    }

    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// A file in `live/`.
    pub(crate) fn live_file(&self, name: &str) -> PathBuf {
        self.live.join(name)
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.settings.clock.now_ns()
    }

    /// The program that uses the store, for the records of epochs.
    pub(crate) fn program(&self) -> &str {
        &self.settings.program
    }

    pub(crate) fn shared(&self) -> Result<Shared<'_>, StoreError> {
        let waiting = self.lock.waiting();
        let readers = &self.own.get().readers;
        if !readers.enter(|| waiting.is_over()) {
            return Err(self.lock.timeout(waiting));
        }
        let place = Reader(self);
        Ok(Shared {
            _held: self.take(Mode::Shared, waiting)?,
            _place: place,
        })
    }

    pub(crate) fn exclusive(&self) -> Result<Exclusive<'_>, StoreError> {
        Ok(Exclusive {
            core: self,
            _held: self.take(Mode::Exclusive, self.lock.waiting())?,
        })
    }

    /// Takes the lock, and sees that it is that of the store which is mapped here.
    fn take(&self, mode: Mode, waiting: Waiting<'_>) -> Result<Held, StoreError> {
        self.check_length()?;
        let courtesy = Courtesy::new(&self.first, self.settings.clock, mode);
        let held = self.lock.take(mode, waiting, Some(&courtesy));
        // Before any other reason, which would follow from this one.
        match self.first.check_identity() {
            Err(error @ StoreError::Replaced { .. }) => return Err(error),
            _ if held.is_ok() => courtesy.enter(),
            _ => {}
        }
        held
    }

    /// From now on nobody in this process waits for the lock beyond this moment.
    pub(crate) fn end_at(&self, end: Instant) {
        self.lock.end_at(end);
    }

    /// Fails when the first segment was cut short, before its control page is touched.
    fn check_length(&self) -> Result<(), StoreError> {
        let length = self.open.length();
        let length = length.map_err(StoreError::io("inspect", self.first.path()))?;
        self.first.check_length(length)
    }

    /// Takes the exclusive lock if nobody has it.
    pub(crate) fn try_exclusive(&self) -> Result<Option<Exclusive<'_>>, StoreError> {
        self.check_length()?;
        let held = self.lock.try_take()?;
        Ok(held.map(|held| Exclusive {
            core: self,
            _held: held,
        }))
    }

    /// Whether the last holder of the exclusive lock may have died before it was done.
    pub(crate) fn is_pending(&self) -> bool {
        self.first.load(PENDING) != 0 && Protection::Settling.stands()
    }

    /// The state that metrics.json shows, see [`Core::state`].
    pub(crate) fn published_state(&self) -> u64 {
        self.first.load(PUBLISHED_STATE)
    }

    /// When metrics.json was last published, in nanoseconds since 1970.
    pub(crate) fn published_at_ns(&self) -> u64 {
        self.first.load(PUBLISHED_AT)
    }

    /// The segments that can be used, in their order.
    fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        let further = self.further().filter_map(|further| match further {
            Further::Mapped(segment) => Some(segment),
            Further::Damaged(_) => None,
        });
        std::iter::once(&self.first).chain(further)
    }

    /// The segment with this number, where it can be used.
    #[inline]
    fn segment(&self, index: u32) -> Option<&Arc<Segment>> {
        if index == 0 {
            return Some(&self.first);
        }
        match self.further.get(index as usize)?.get()? {
            Further::Mapped(segment) => Some(segment),
            Further::Damaged(_) => None,
        }
    }

    /// The segments after the first that this process knows; there is no gap between them.
    fn further(&self) -> impl Iterator<Item = &Further> {
        self.further.iter().skip(1).map_while(OnceLock::get)
    }

    /// The segments that cannot be used.
    fn damaged_segments(&self) -> impl Iterator<Item = &DamagedSegment> {
        self.further().filter_map(|further| match further {
            Further::Damaged(damaged) => Some(damaged),
            Further::Mapped(_) => None,
        })
    }

    /// Fails when a segment cannot be used: what concerns all series must not pass over some.
    pub(crate) fn check_segments(&self) -> Result<(), StoreError> {
        match self.damaged_segments().next() {
            Some(damaged) => Err(StoreError::damaged(&damaged.path, damaged.reason.clone())),
            None => Ok(()),
        }
    }
}

impl Exclusive<'_> {
    pub(crate) fn core(&self) -> &Core {
        self.core
    }

    /// Marks the beginning of several steps that belong together. Should this process die before
    /// [`Exclusive::end`], the next holder finds the mark and completes or undoes them.
    pub(crate) fn begin(&self) {
        self.core.first.store(PENDING, 1);
    }

    pub(crate) fn end(&self) {
        self.core.first.store(PENDING, 0);
    }

    pub(crate) fn set_published(&self, at_ns: u64, state: u64) {
        self.core.first.store(PUBLISHED_AT, at_ns);
        self.core.first.store(PUBLISHED_STATE, state);
    }
}
