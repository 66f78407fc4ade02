//! The shares that processes have in a per-process gauge.
//!
//! A share is a pair of cells: the number of the process that owns it, and the process' value. Each
//! stripe has one for each pair of cells in the series' entry. Dead owners' shares are free, so there
//! are never more than processes have lived at once; where that is not enough, a further entry of
//! the same key brings twice as many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::metric::{Key, Processes};
use crate::sync::{AtomicU64, Ordering};

use super::cells::Cells;
use super::error::StoreError;
use super::process::{PROCESSES, Process};
use super::raw::ForkLocal;
use super::register::{Wanted, borrowed};
use super::registry::{self, Content, Form, NewEntry, Place};
use super::segment::Segment;
use super::{Core, Exclusive};

/// Cells of a share: its owner and its value.
const PAIR: u32 = 2;
/// Most cells of one entry.
pub(super) const MAX_CELLS: u32 = 128;

/// One process' place in one gauge.
#[derive(Clone)]
pub(super) struct Share {
    pub(super) segment: Arc<Segment>,
    pub(super) stripe: u32,
    /// The cell with the owner; the value stands behind it.
    pub(super) cell: u32,
}

impl Share {
    #[inline]
    pub(super) fn owner(&self) -> &AtomicU64 {
        self.segment.cell(self.stripe, self.cell)
    }

    #[inline]
    pub(super) fn value(&self) -> &AtomicU64 {
        self.segment.cell(self.stripe, self.cell + 1)
    }

    #[inline]
    pub(super) fn is_owned_by(&self, number: u64) -> bool {
        self.owner().load(Ordering::Relaxed) == number
    }

    /// Makes it that of a process, with this value; the caller holds the exclusive lock.
    pub(super) fn give_to(&self, number: u64, value: u64) {
        // No owner meanwhile: a reader must not see the new owner with the old value.
        self.owner().store(0, Ordering::Release);
        self.value().store(value, Ordering::Release);
        self.owner().store(number, Ordering::Release);
    }

    /// What a live process has in it; that of a dead one becomes free. The caller holds the lock.
    pub(super) fn of_live<E>(
        &self,
        is_live: impl FnOnce(u64) -> Result<bool, E>,
    ) -> Result<Option<u64>, E> {
        let number = self.owner().load(Ordering::Acquire);
        if number == 0 {
            return Ok(None);
        }
        if is_live(number)? {
            return Ok(Some(self.value().load(Ordering::Relaxed)));
        }
        let order = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = self.owner().compare_exchange(number, 0, order.0, order.1);
        Ok(None)
    }
}

/// All shares of one entry.
fn shares_of(segment: &Arc<Segment>, first: u32, cells: u32) -> impl Iterator<Item = Share> {
    let stripes = segment.geometry().stripes;
    let pairs = (first..first + cells).step_by(PAIR as usize);
    pairs.flat_map(move |cell| {
        (0..stripes).map(move |stripe| Share {
            segment: Arc::clone(segment),
            stripe,
            cell,
        })
    })
}

/// This process' share of one gauge.
pub(crate) struct OwnShare {
    cells: Cells,
    claimed: ForkLocal<Claimed>,
}

/// The shares that this process has claimed, each with the number that it had then.
#[derive(Default)]
struct Claimed {
    first: OnceLock<(u64, Share)>,
    /// Claimed anew after the first was lost.
    later: Mutex<Option<(u64, Share)>>,
}

impl OwnShare {
    pub(crate) fn new(core: &Core, cells: Cells) -> Result<Self, StoreError> {
        let memory = StoreError::io("reserve memory for", core.root());
        let own = Self {
            cells,
            claimed: ForkLocal::new().map_err(memory)?,
        };
        own.with(core, |_| ())?;
        Ok(own)
    }

    /// Calls `change` with the cell of this process' value.
    #[inline]
    pub(crate) fn with<T>(
        &self,
        core: &Core,
        change: impl FnOnce(&AtomicU64) -> T,
    ) -> Result<T, StoreError> {
        let claimed = self.claimed.get();
        let changed = match claimed.first.get() {
            Some((number, share)) if share.is_owned_by(*number) => change(share.value()),
            _ => self.with_new(core, claimed, change)?,
        };
        self.cells.revive();
        Ok(changed)
    }

    /// The first time in this process, or after somebody took the share for a dead process' one.
    #[cold]
    fn with_new<T>(
        &self,
        core: &Core,
        claimed: &Claimed,
        change: impl FnOnce(&AtomicU64) -> T,
    ) -> Result<T, StoreError> {
        let mut later = claimed.later.lock().unwrap_or_else(PoisonError::into_inner);
        let known = later.as_ref().or_else(|| claimed.first.get());
        if let Some((number, share)) = known
            && share.is_owned_by(*number)
        {
            return Ok(change(share.value()));
        }
        // What this process had there, unless another has taken the place since.
        let lost = known.filter(|(_, share)| share.is_owned_by(0));
        let value = lost.map_or(0, |(_, share)| share.value().load(Ordering::Relaxed));
        let new = self.claim(core, value)?;
        let changed = change(new.1.value());
        if let Err(new) = claimed.first.set(new) {
            *later = Some(new);
        }
        Ok(changed)
    }

    /// Finds this process' share, or takes a free one, which then has this value.
    fn claim(&self, core: &Core, value: u64) -> Result<(u64, Share), StoreError> {
        let exclusive = core.exclusive()?;
        let process = core.process()?;
        let number = process.join(&core.first)?;
        let share = exclusive.claim(&self.cells, &process, number, value)?;
        Ok((number, share))
    }
}

impl Core {
    /// This process among those that have shares in the store's gauges. It stays one of them for as
    /// long as the store is open here, whatever becomes of a gauge's handle.
    pub(crate) fn process(&self) -> Result<Arc<Process>, StoreError> {
        let mut known = self
            .own
            .get()
            .process
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // A file that was removed or replaced tells nothing about those who open it now.
        match known.as_ref().filter(|process| process.is_of(&self.live)) {
            Some(process) => Ok(Arc::clone(process)),
            None => Ok(Arc::clone(known.insert(Process::of(&self.live)?))),
        }
    }

    /// Asks about owners of shares. Needs the shared or exclusive lock.
    pub(super) fn lives(&self) -> Lives<'_> {
        Lives {
            core: self,
            process: None,
            known: HashMap::new(),
        }
    }

    fn not_told(&self) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = self.live.join(PROCESSES);
        move |error| StoreError::io("look for locks in", &path)(error)
    }
}

/// Who lives, as the kernel tells it: each process is asked about once in a reading.
pub(super) struct Lives<'a> {
    core: &'a Core,
    process: Option<Arc<Process>>,
    known: HashMap<u64, bool>,
}

impl Lives<'_> {
    fn is_live(&mut self, number: u64) -> Result<bool, StoreError> {
        if let Some(live) = self.known.get(&number) {
            return Ok(*live);
        }
        let process = match &self.process {
            Some(process) => process,
            None => self.process.insert(self.core.process()?),
        };
        let live = process.is_live(number).map_err(self.core.not_told())?;
        self.known.insert(number, live);
        Ok(live)
    }

    /// Adds what the live processes have in the cells of one entry; the shares of dead ones become
    /// free.
    pub(super) fn join(
        &mut self,
        all: &mut Processes,
        segment: &Arc<Segment>,
        cell: u32,
        cells: u32,
    ) -> Result<(), StoreError> {
        for share in shares_of(segment, cell, cells) {
            if let Some(bits) = share.of_live(|number| self.is_live(number))? {
                all.join(f64::from_bits(bits));
            }
        }
        Ok(())
    }
}

impl Exclusive<'_> {
    fn claim(
        &self,
        cells: &Cells,
        process: &Process,
        number: u64,
        first_value: u64,
    ) -> Result<Share, StoreError> {
        let core = self.core;
        core.attach()?;
        let wanted = core.key_of(cells)?;
        let mut entries: Vec<(Arc<Segment>, Place)> = Vec::new();
        for segment in core.segments() {
            let places = registry::find_each(segment, &wanted.key, wanted.hash);
            // Whatever else has this key has no pairs of cells.
            let places = places.filter(|place| place.form == Some(Form::ProcessGauge));
            entries.extend(places.map(|place| (Arc::clone(segment), place)));
        }
        let shares = || {
            let entries = entries.iter();
            entries.flat_map(|(segment, place)| shares_of(segment, place.cell, place.cells))
        };
        let owned_by = |number| shares().find(|share| share.is_owned_by(number));
        if let Some(mine) = owned_by(number) {
            return Ok(mine);
        }
        // The kernel is asked about owners only where no share is known to be free.
        let mut free = owned_by(0);
        for share in shares() {
            if free.is_some() {
                break;
            }
            let owner = share.owner().load(Ordering::Relaxed);
            if !process.is_live(owner).map_err(core.not_told())? {
                free = Some(share);
            }
        }
        let share = match free {
            Some(share) => share,
            None => {
                let last = entries.last().map_or(PAIR, |(_, place)| place.cells);
                self.more_shares(&wanted, (2 * last).min(MAX_CELLS))?
            }
        };
        share.give_to(number, first_value);
        Ok(share)
    }

    /// Appends a further entry of the same key.
    fn more_shares(&self, wanted: &Wanted, cells: u32) -> Result<Share, StoreError> {
        let form = Form::ProcessGauge;
        let now = self.core.now_ns();
        let entry = NewEntry::series(&wanted.key, wanted.hash, form, cells, now);
        let added = self.append(&entry)?;
        let cell = added.place().1.cell;
        Ok(Share {
            cell,
            segment: added.into_entry().0,
            stripe: 0,
        })
    }
}

impl Core {
    /// The key of a series that was looked up: its own, or that of its family's overflow.
    fn key_of(&self, cells: &Cells) -> Result<Wanted, StoreError> {
        let (segment, place) = cells.place();
        match registry::read(segment, place.block).map(|entry| entry.content) {
            Some(Content::Series { name, labels, .. }) => {
                Ok(self.wanted(Key::new(&name, &borrowed(&labels))))
            }
            _ => Err(StoreError::damaged(
                segment.path(),
                "the entry of a gauge cannot be read any more",
            )),
        }
    }
}
