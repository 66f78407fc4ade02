//! The cells of one series: where an increment goes, and what they add up to.

use std::cell::Cell;
use std::sync::Arc;

use crate::metric::Observations;
use crate::protection::Protection;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

use super::layout::Geometry;
use super::registry::{self, Place};
use super::segment::Segment;
use super::{Core, Exclusive, epoch};

/// The cells of one series: one of each in each stripe. `S` is what keeps them mapped.
#[derive(Clone)]
pub(crate) struct Cells<S = Arc<Segment>> {
    segment: S,
    place: Place,
    /// The word of the first cell in the first stripe, and how far it is to the same one in the next.
    first: usize,
    stride: usize,
    /// The stripe of the process' first thread.
    stripe: u32,
    mask: u32,
}

/// Something that keeps a segment mapped.
pub(crate) trait Mapped {
    fn segment(&self) -> &Segment;
    fn words(&self) -> &[AtomicU64];
}

impl Mapped for Arc<Segment> {
    fn segment(&self) -> &Segment {
        self
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        Segment::words(self)
    }
}

impl Cells {
    /// The cells at a place; `stripe` is that of the process' first thread.
    pub(super) fn new(segment: &Arc<Segment>, place: Place, stripe: u32) -> Self {
        Self::on(
            Arc::clone(segment),
            Stripes::of(segment.geometry()),
            place,
            stripe,
        )
    }

    /// The segment and the block of the entry.
    pub(super) fn into_entry(self) -> (Arc<Segment>, u32) {
        (self.segment, self.place.block)
    }

    /// Where the series is.
    pub(super) fn place(&self) -> (&Segment, Place) {
        (&self.segment, self.place)
    }

    /// As [`Cells::since`], with the segment that has the epoch.
    pub(crate) fn counted(&self, core: &Core, cell: u32) -> u64 {
        self.since(&core.first, cell)
    }

    /// As [`Cells::observed_since`], with the segment that has the epoch.
    pub(crate) fn observed(&self, core: &Core) -> [Observations; 2] {
        self.observed_since(&core.first)
    }

    /// As [`Cells::both`], with the segment that has the epoch.
    pub(crate) fn now_and_since(&self, core: &Core, cell: u32) -> [u64; 2] {
        self.both(&core.first, cell)
    }
}

impl<S: Mapped> Cells<S> {
    /// The cells at a place of a segment with these stripes.
    #[inline]
    pub(super) fn on(segment: S, stripes: Stripes, place: Place, stripe: u32) -> Self {
        Self {
            segment,
            place,
            first: stripes.first + place.cell as usize,
            stride: stripes.stride,
            stripe,
            mask: stripes.mask,
        }
    }

    /// Adds to the first cell of this thread's stripe.
    #[cfg(test)]
    pub(crate) fn add(&self, n: u64) {
        add(self.mine(), n);
    }

    /// The first cell of this thread's stripe.
    #[inline]
    pub(crate) fn mine(&self) -> &AtomicU64 {
        &self.segment.words()[self.my_first()]
    }

    #[inline]
    fn my_first(&self) -> usize {
        self.first + self.stride * my_stripe(self.stripe, self.mask) as usize
    }

    /// The one cell that all threads and processes use, of what is not added up.
    #[inline]
    pub(crate) fn shared(&self) -> &AtomicU64 {
        &self.segment.words()[self.first]
    }

    /// Makes a series visible again that was removed and has a value again.
    #[inline]
    pub(crate) fn revive(&self) {
        registry::revive(self.segment.segment(), self.place.block);
    }

    /// Whether the series was removed and has no new value since.
    pub(crate) fn is_removed(&self) -> bool {
        let Place {
            cell, cells, block, ..
        } = self.place;
        registry::is_removed(self.segment.segment(), block, cell, cells)
    }

    /// Everything that was ever added to one of the cells.
    pub(crate) fn total(&self, cell: u32) -> u64 {
        self.segment.segment().total(self.place.cell + cell)
    }

    /// The larger one of what one of the cells counted in all and since the epoch began: after a restore that may be
    /// more than everything. `first` is the store's first segment.
    pub(super) fn since(&self, first: &Segment, cell: u32) -> u64 {
        let [total, since] = self.both(first, cell);
        total.max(since)
    }

    /// What a counter with fractions or a summary counted in all, and since the epoch began. `first` is the store's first
    /// segment.
    pub(super) fn observed_since(&self, first: &Segment) -> [Observations; 2] {
        let (totals, since): (Vec<u64>, Vec<u64>) = (0..self.count())
            .map(|cell| self.both(first, cell).into())
            .unzip();
        [totals, since].map(|cells| Observations::of_cells(&cells))
    }

    /// What one of the cells counted in all, and since the epoch began.
    pub(super) fn both(&self, first: &Segment, cell: u32) -> [u64; 2] {
        let segment = self.segment.segment();
        let baseline = |epoch| epoch::baseline(segment, epoch, self.place.cell + cell);
        // Before the total: what is counted meanwhile makes no negative number of the difference. An epoch that
        // cannot be told has no baseline.
        let begun = epoch::current(first).map_or(0, baseline);
        let total = self.total(cell);
        [total, total.wrapping_sub(begun)]
    }

    /// How many there are in each stripe.
    pub(crate) fn count(&self) -> u32 {
        self.place.cells
    }

    /// A cell that only the holder of the exclusive lock writes.
    pub(crate) fn ledger(&self, cell: u32, _: &Exclusive<'_>) -> &AtomicU64 {
        self.segment.segment().ledger(self.place.cell + cell)
    }
}

/// Adds to a cell.
#[inline]
pub(super) fn add(cell: &AtomicU64, n: u64) {
    if Protection::AtomicAdd.stands() {
        cell.fetch_add(n, Ordering::Relaxed);
    } else {
        cell.store(cell.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }
}

/// Where the stripes of a segment stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stripes {
    /// The first word of the first one.
    first: usize,
    /// Words from one to the next.
    stride: usize,
    mask: u32,
}

impl Stripes {
    pub(super) fn of(geometry: Geometry) -> Self {
        Self {
            first: geometry.stripe_at(0),
            stride: geometry.cells as usize,
            mask: geometry.stripes - 1,
        }
    }

    #[inline]
    pub(super) fn mask(self) -> u32 {
        self.mask
    }

    /// The word of a cell in a stripe.
    #[inline]
    pub(super) fn cell(self, cell: u32, stripe: u32) -> usize {
        self.first + cell as usize + self.stride * stripe as usize
    }
}

/// The stripe of this thread, where that of the process' first one is `stripe`.
#[inline]
pub(super) fn my_stripe(stripe: u32, mask: u32) -> u32 {
    stripe.wrapping_add(thread_ordinal()) & mask
}

/// The number of this thread in its process, in the order of their first use.
#[inline]
fn thread_ordinal() -> u32 {
    thread_local! {
        // The number behind it; 0 as long as it has none. Without a destructor, it is there as long as its thread.
        static NEXT: Cell<u32> = const { Cell::new(0) };
    }
    NEXT.with(|next| match next.get() {
        0 => number(next),
        next => next - 1,
    })
}

#[cold]
fn number(next: &Cell<u32>) -> u32 {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    let ordinal = THREADS.fetch_add(1, Ordering::Relaxed) as u32;
    next.set(ordinal.wrapping_add(1));
    ordinal
}
