//! Finding a series, and adding it under the lock when it is new.

use std::sync::Arc;

use crate::metric::{Key, Kind, LabelSet, check_label_set, check_metric_name};
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

use super::control::SEGMENTS;
use super::error::StoreError;
use super::layout::{Geometry, Header, MAX_SEGMENTS, seal, unseal};
use super::registry::{self, Place};
use super::segment::Segment;
use super::{Core, Exclusive, Further};

/// The cells of one series, one in each stripe.
#[derive(Clone)]
pub(crate) struct Cells {
    segment: Arc<Segment>,
    cell: u32,
    /// The stripe of the process' first thread.
    stripe: u32,
    mask: u32,
}

impl Cells {
    /// The cell of this thread's stripe.
    #[inline]
    pub(crate) fn mine(&self) -> &AtomicU64 {
        let stripe = self.stripe.wrapping_add(thread_ordinal()) & self.mask;
        self.segment.cell(stripe, self.cell)
    }

    /// Everything that was ever counted.
    pub(crate) fn total(&self) -> u64 {
        self.segment.total(self.cell)
    }

    /// Where the series is.
    pub(super) fn place(&self) -> (&Segment, u32) {
        (&self.segment, self.cell)
    }

    /// The cell that only the holder of the exclusive lock writes.
    pub(crate) fn ledger(&self, _: &Exclusive<'_>) -> &AtomicU64 {
        self.segment.ledger(self.cell)
    }
}

/// The number of this thread in its process, in the order of their first use.
#[inline]
fn thread_ordinal() -> u32 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static ORDINAL: u32 = NEXT.fetch_add(1, Ordering::Relaxed) as u32;
    }
    // A thread whose locals are gone already counts in the first stripe: a stripe may be shared.
    ORDINAL.try_with(|ordinal| *ordinal).unwrap_or(0)
}

/// LabelSet as the key wants them.
pub(crate) fn borrowed(labels: &LabelSet) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

impl Core {
    /// The cells of a series, which is added when it is new. Looking up a known series takes no lock.
    pub(crate) fn series(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        kind: Kind,
    ) -> Result<Cells, StoreError> {
        let mut copy;
        let labels = if labels.is_sorted_by(|a, b| a.0 <= b.0) {
            labels
        } else {
            copy = labels.to_vec();
            copy.sort_unstable();
            &copy
        };
        let key = Key::new(name, labels);
        let hash = key.hash(self.id.0);
        if let Some(cells) = self.find(&key, hash) {
            return Ok(cells);
        }
        check_metric_name(name)?;
        check_label_set(labels)?;
        let exclusive = self.exclusive()?;
        exclusive.add(&key, hash, kind)
    }

    fn find(&self, key: &Key, hash: u64) -> Option<Cells> {
        self.segments()
            .find_map(|segment| Some(self.cells(segment, registry::find(segment, key, hash)?)))
    }

    fn cells(&self, segment: &Arc<Segment>, place: Place) -> Cells {
        let mask = segment.geometry().stripes - 1;
        Cells {
            segment: Arc::clone(segment),
            cell: place.cell,
            stripe: self.stripe,
            mask,
        }
    }
}

impl Exclusive<'_> {
    /// As [`Core::series`], by the holder of the lock.
    pub(crate) fn series(
        &self,
        name: &str,
        labels: &LabelSet,
        kind: Kind,
    ) -> Result<Cells, StoreError> {
        let labels = borrowed(labels);
        check_metric_name(name)?;
        check_label_set(&labels)?;
        let key = Key::new(name, &labels);
        self.add(&key, key.hash(self.core.id.0), kind)
    }

    /// Finds a series that may be new to this process only, or appends it.
    fn add(&self, key: &Key, hash: u64, kind: Kind) -> Result<Cells, StoreError> {
        let core = self.core;
        core.attach()?;
        if let Some(cells) = core.find(key, hash) {
            return Ok(cells);
        }
        loop {
            let last = core.segments().last().unwrap_or(&core.first);
            let now = core.now_ns();
            if let Some(place) = registry::append(last, key, hash, kind, now)? {
                return Ok(core.cells(last, place));
            }
            self.grow()?;
        }
    }

    /// Adds a further, larger segment.
    fn grow(&self) -> Result<(), StoreError> {
        let core = self.core;
        // An entry that a killed process did not commit must not come back to life at the next
        // boot, after its series was added to another segment.
        core.segments()
            .for_each(|segment| registry::clear_behind_tail(segment));
        let index = unseal(core.first.load(SEGMENTS)).unwrap_or(MAX_SEGMENTS as u32);
        if index as usize >= MAX_SEGMENTS {
            let series = core.catalog()?.series_count();
            return Err(StoreError::Full {
                path: core.root.clone(),
                series,
            });
        }
        let header = Header {
            index,
            store_id: core.id.0,
            geometry: Geometry::of(index, core.first.geometry().stripes),
            any_file_system: core.first.header().any_file_system,
            created_ns: core.now_ns(),
        };
        // A process that was killed here has left the file with its name, but not counted and
        // perhaps not durable; or a part of it under a temporary name, which the mark tells of.
        if core.attach_one(index)?.is_some() {
            core.files.sync_directory(&core.live)?;
        } else {
            let was_pending = core.is_pending();
            self.begin();
            let path = core.live.join(Segment::file_name(index));
            let segment = Segment::create(&core.files, &path, header, |_| Ok(()))?;
            let _ = core.further[index as usize].set(Further::Mapped(Arc::new(segment)));
            if !was_pending {
                self.end();
            }
        }
        core.first.store(SEGMENTS, seal(index + 1));
        Ok(())
    }
}
