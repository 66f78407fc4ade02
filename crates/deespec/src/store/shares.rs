//! The shares that processes have in a per-process gauge.
//!
//! A share is a pair of cells: the number of the process that owns it, and the process' value. Each
//! stripe has one for each pair of cells in the series' entry. Dead owners' shares are free, so there
//! are never more than processes have lived at once; where that is not enough, a further entry of
//! the same key brings twice as many.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::metric::{Aggregation, Key, Processes};
use crate::sync::{AtomicU64, Ordering};

use super::error::StoreError;
use super::process::{PROCESSES, Process};
use super::register::{Cells, Wanted, borrowed};
use super::registry::{self, Content, Form, NewEntry, Place};
use super::segment::Segment;
use super::{Core, Exclusive};

/// Cells of a share: its owner and its value.
const PAIR: u32 = 2;
/// Most cells of one entry.
const MAX_CELLS: u32 = 128;

/// One process' place in one gauge.
#[derive(Clone)]
struct Share {
    segment: Arc<Segment>,
    stripe: u32,
    /// The cell with the owner; the value stands behind it.
    cell: u32,
}

impl Share {
    fn owner(&self) -> &AtomicU64 {
        self.segment.cell(self.stripe, self.cell)
    }

    #[inline]
    fn pair(&self) -> &[AtomicU64] {
        self.segment.run(self.stripe, self.cell, PAIR)
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
    process: Arc<Process>,
    /// The share of the process that looked the gauge up.
    first: OnceLock<(u64, Share)>,
    /// The share of a child that was forked from it.
    forked: Mutex<Option<(u64, Share)>>,
}

impl OwnShare {
    pub(crate) fn new(core: &Core, cells: Cells) -> Result<Self, StoreError> {
        let own = Self {
            cells,
            process: core.process()?,
            first: OnceLock::new(),
            forked: Mutex::new(None),
        };
        let claimed = own.claim(core)?;
        let _ = own.first.set(claimed);
        Ok(own)
    }

    /// Calls `change` with the cell of this process' value.
    #[inline]
    pub(crate) fn with<T>(
        &self,
        core: &Core,
        change: impl FnOnce(&AtomicU64) -> T,
    ) -> Result<T, StoreError> {
        let number = self.process.number();
        if let Some((owner, share)) = self.first.get()
            && *owner == number
            && let [owner, value] = share.pair()
            && owner.load(Ordering::Relaxed) == number
        {
            let changed = change(value);
            self.cells.revive();
            return Ok(changed);
        }
        self.with_new(core, number, change)
    }

    /// After a fork, or after somebody took the share for a dead process' one.
    #[cold]
    fn with_new<T>(
        &self,
        core: &Core,
        number: u64,
        change: impl FnOnce(&AtomicU64) -> T,
    ) -> Result<T, StoreError> {
        let mut forked = self.forked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_mine = |(owner, share): &(u64, Share)| {
            *owner == number && share.owner().load(Ordering::Relaxed) == number
        };
        let (_, share) = match forked.take().filter(is_mine) {
            Some(known) => forked.insert(known),
            None => forked.insert(self.claim(core)?),
        };
        let changed = change(&share.pair()[1]);
        self.cells.revive();
        Ok(changed)
    }

    /// Finds this process' share, or takes a free one.
    fn claim(&self, core: &Core) -> Result<(u64, Share), StoreError> {
        let exclusive = core.exclusive()?;
        let number = self.process.join(&core.first)?;
        let share = exclusive.claim(&self.cells, &self.process, number)?;
        self.cells.revive();
        Ok((number, share))
    }
}

impl Core {
    /// This process among those that have shares in the store's gauges. It stays one of them for as
    /// long as the store is open here, whatever becomes of a gauge's handle.
    pub(crate) fn process(&self) -> Result<Arc<Process>, StoreError> {
        if let Some(process) = self.process.get() {
            return Ok(Arc::clone(process));
        }
        let process = Process::of(&self.live)?;
        Ok(Arc::clone(self.process.get_or_init(|| process)))
    }

    /// What the live processes have in the entries of one gauge. Needs the shared or exclusive lock:
    /// the shares of dead processes are given back here.
    pub(super) fn processes(
        &self,
        aggregation: Aggregation,
        entries: impl Iterator<Item = (Arc<Segment>, u32, u32)>,
    ) -> Result<Processes, StoreError> {
        let mut all = Processes::none(aggregation);
        let mut process = None;
        for (segment, cell, cells) in entries {
            for share in shares_of(&segment, cell, cells) {
                let [owner, value] = share.pair() else {
                    continue;
                };
                let number = owner.load(Ordering::Acquire);
                if number == 0 {
                    continue;
                }
                let process = match &process {
                    Some(process) => process,
                    None => process.insert(self.process()?),
                };
                if process.is_live(number).map_err(self.not_told())? {
                    all.join(f64::from_bits(value.load(Ordering::Relaxed)));
                } else {
                    let free = (Ordering::Relaxed, Ordering::Relaxed);
                    let _ = owner.compare_exchange(number, 0, free.0, free.1);
                }
            }
        }
        Ok(all)
    }

    fn not_told(&self) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = self.live.join(PROCESSES);
        move |error| StoreError::io("look for locks in", &path)(error)
    }
}

impl Exclusive<'_> {
    fn claim(&self, cells: &Cells, process: &Process, number: u64) -> Result<Share, StoreError> {
        let core = self.core;
        core.attach()?;
        let wanted = core.key_of(cells)?;
        let mut entries: Vec<(Arc<Segment>, Place)> = Vec::new();
        for segment in core.segments() {
            let places = registry::find_each(segment, &wanted.key, wanted.hash);
            entries.extend(places.map(|place| (Arc::clone(segment), place)));
        }
        let shares = || {
            let entries = entries.iter();
            entries.flat_map(|(segment, place)| shares_of(segment, place.cell, place.cells))
        };
        let owned_by =
            |number| shares().find(|share| share.owner().load(Ordering::Relaxed) == number);
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
        // No owner meanwhile: a reader must not see the new owner with the old value.
        let [owner, value] = share.pair() else {
            return Err(StoreError::damaged(
                share.segment.path(),
                "a share has no cells",
            ));
        };
        owner.store(0, Ordering::Release);
        value.store(0_f64.to_bits(), Ordering::Release);
        owner.store(number, Ordering::Release);
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
