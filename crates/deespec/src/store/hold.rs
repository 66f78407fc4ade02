//! What a handle holds on to: one segment, and the store with all that belongs to it. A handle that is made and dropped
//! for each count changes a number of its holders; there is one for each segment and stripe, so that threads do not
//! change the same one. The cells of a handle need nothing else.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use crate::metric::{Buckets, Shape};
use crate::sync::AtomicU64;

use super::Core;
use super::error::StoreError;
use super::layout::MAX_SEGMENTS;
use super::lookups::Asked;
use super::raw::Region;
use super::register::{Cells, Mapped, Stripes, my_stripe};
use super::registry::{Form, Place};
use super::segment::Segment;

/// The cells of a handle.
pub(crate) type HeldCells = Cells<Arc<Hold>>;

/// What keeps the cells of handles mapped and their store open.
// The number of holders stands before it, on lines of its own.
#[repr(align(128))]
pub(crate) struct Hold {
    /// The segment's words, one step nearer than through the segment.
    region: Region,
    stripes: Stripes,
    segment: Arc<Segment>,
    /// The store's first segment, which has the epoch.
    first: Arc<Segment>,
    _store: Arc<dyn Any + Send + Sync>,
}

impl Mapped for Arc<Hold> {
    fn segment(&self) -> &Segment {
        &self.segment
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        self.region.words()
    }
}

impl HeldCells {
    /// As [`Cells::since`].
    pub(crate) fn counted_so_far(&self, cell: u32) -> u64 {
        self.since(&self.hold().first, cell)
    }
}

/// What the handles of one store hold on to. It keeps the store open itself, so nothing in the store may have it.
pub(crate) struct Holds {
    /// By segment, then by stripe.
    by_segment: [OnceLock<Box<[OnceLock<Arc<Hold>>]>>; MAX_SEGMENTS],
    store: Arc<dyn Any + Send + Sync>,
}

impl Holds {
    pub(crate) fn new(store: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            by_segment: [const { OnceLock::new() }; MAX_SEGMENTS],
            store,
        }
    }

    /// As [`Core::series`], for a handle.
    #[inline]
    pub(crate) fn series(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
    ) -> Result<HeldCells, StoreError> {
        let asked = Asked::new(name, labels);
        let asked = asked.as_ref();
        if let Some((segment, place)) = core.recall(asked, Form::of(shape)) {
            return Ok(self.cells(core, segment, place));
        }
        let cells = core.look_up(name, labels, shape, asked)?;
        Ok(self.of(core, cells))
    }

    /// As [`Core::histogram`], for a handle.
    pub(crate) fn histogram(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &Buckets,
    ) -> Result<(HeldCells, Buckets), StoreError> {
        let asked = Asked::new(name, labels);
        let stripes = core.first.geometry().stripes;
        let stripe = my_stripe(core.stripe, stripes - 1);
        let sorting = &core.own.get().sorting;
        let known = core.recall(asked.as_ref(), Form::Histogram);
        if let Some((segment, place)) = known {
            let series = (segment.header().index, place.block);
            // How a family sorts never changes: a declaration that says otherwise is refused.
            if let Some(buckets) = sorting.find(stripe, series) {
                return Ok((self.cells(core, segment, place), buckets));
            }
        }
        let (cells, buckets) = core.histogram(name, labels, buckets)?;
        if known.is_some() {
            let (segment, place) = cells.place();
            sorting.remember(
                stripe,
                stripes,
                (segment.header().index, place.block),
                &buckets,
            );
        }
        Ok((self.of(core, cells), buckets))
    }

    fn of(&self, core: &Core, cells: Cells) -> HeldCells {
        let place = cells.place().1;
        let (segment, _) = cells.into_entry();
        self.cells(core, &segment, place)
    }

    #[inline]
    fn cells(&self, core: &Core, segment: &Arc<Segment>, place: Place) -> HeldCells {
        let stripes = segment.geometry().stripes;
        let stripe = my_stripe(core.stripe, stripes - 1) as usize;
        let index = segment.header().index as usize;
        let known = self.by_segment.get(index).and_then(OnceLock::get);
        let hold = match known.and_then(|by_stripe| by_stripe.get(stripe)?.get()) {
            Some(hold) => Arc::clone(hold),
            None => self.make(core, segment, index, stripe),
        };
        let stripes = hold.stripes;
        Cells::on(hold, stripes, place, core.stripe)
    }

    #[cold]
    fn make(&self, core: &Core, segment: &Arc<Segment>, index: usize, stripe: usize) -> Arc<Hold> {
        let hold = Arc::new(Hold {
            region: segment.region().clone(),
            stripes: Stripes::of(segment.geometry()),
            segment: Arc::clone(segment),
            first: Arc::clone(&core.first),
            _store: Arc::clone(&self.store),
        });
        // Set, not waited for: a thread that was at it may not have been forked with this one.
        let none = (0..segment.geometry().stripes).map(|_| OnceLock::new());
        let Some(by_segment) = self.by_segment.get(index) else {
            return hold;
        };
        if by_segment.get().is_none() {
            let _ = by_segment.set(none.collect());
        }
        if let Some(by_stripe) = by_segment.get().and_then(|all| all.get(stripe)) {
            let _ = by_stripe.set(Arc::clone(&hold));
            return by_stripe.get().map_or(hold, Arc::clone);
        }
        hold
    }
}
