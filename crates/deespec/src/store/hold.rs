//! What a handle holds on to: one segment, and the store with all that belongs to it. A handle that is made and dropped
//! for each count changes a number of its holders; there is one for each segment and stripe, so that threads do not
//! change the same one. The cells of a handle need nothing else.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use crate::metric::{Buckets, Observations, Shape};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

use super::Core;
use super::cells::{Cells, Mapped, Stripes, my_stripe};
use super::error::StoreError;
use super::layout::MAX_SEGMENTS;
use super::lookups::Asked;
use super::raw::Region;
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

    /// As [`Cells::observed_since`].
    pub(crate) fn observed_so_far(&self) -> [Observations; 2] {
        self.observed_since(&self.hold().first)
    }
}

type ByStripe = Box<[Once<Arc<Hold>>]>;

/// What the handles of one store hold on to. It keeps the store open itself, so nothing in the store may have it.
pub(crate) struct Holds {
    /// By segment, then by stripe.
    by_segment: [Once<ByStripe>; MAX_SEGMENTS],
    store: Arc<dyn Any + Send + Sync>,
}

impl Holds {
    pub(crate) fn new(store: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            by_segment: std::array::from_fn(|_| Once::default()),
            store,
        }
    }

    /// As [`Core::series`], as a handle.
    // What is made of a result that was made before is copied, and a copy of what has just been written is slow: so the
    // handle is made here, inlined, and what is rare is elsewhere.
    #[inline(always)]
    pub(crate) fn series<T, E: From<StoreError>>(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
        handle: impl FnOnce(HeldCells) -> T,
    ) -> Result<T, E> {
        match self.recall(core, name, labels, Form::of(shape)) {
            Some(cells) => Ok(handle(cells)),
            None => Ok(handle(self.look_up(core, name, labels, shape)?)),
        }
    }

    #[inline(always)]
    fn recall(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        form: Form,
    ) -> Option<HeldCells> {
        let asked = Asked::new(name, labels)?;
        let (index, place) = core.recall(&asked, form)?;
        Some(Self::cells(core, self.known(core, index)?, place))
    }

    #[cold]
    fn look_up(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
    ) -> Result<HeldCells, StoreError> {
        Ok(self.hold(core, core.look_up(name, labels, shape)?))
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
        let known = asked
            .as_ref()
            .and_then(|asked| core.recall(asked, Form::Histogram));
        if let Some((index, place)) = known
            // How a family sorts never changes: a declaration that says otherwise is refused.
            && let Some(buckets) = sorting.find(stripe, (index, place.block))
            && let Some(hold) = self.known(core, index)
        {
            return Ok((Self::cells(core, hold, place), buckets));
        }
        let (cells, buckets) = core.histogram(name, labels, buckets)?;
        if known.is_some() {
            let (segment, place) = cells.place();
            let series = (segment.header().index, place.block);
            sorting.remember(stripe, stripes, series, &buckets);
        }
        Ok((self.hold(core, cells), buckets))
    }

    /// What holds a segment for this thread, where there is something already.
    #[inline(always)]
    fn known(&self, core: &Core, index: u32) -> Option<&Arc<Hold>> {
        let by_stripe = self.by_segment.get(index as usize)?.get()?;
        let stripe = my_stripe(core.stripe, by_stripe.len() as u32 - 1);
        by_stripe.get(stripe as usize)?.get()
    }

    #[inline(always)]
    fn cells(core: &Core, hold: &Arc<Hold>, place: Place) -> HeldCells {
        Cells::on(Arc::clone(hold), hold.stripes, place, core.stripe)
    }

    /// The same cells, held.
    fn hold(&self, core: &Core, cells: Cells) -> HeldCells {
        let place = cells.place().1;
        let (segment, _) = cells.into_entry();
        let index = segment.header().index;
        match self.known(core, index) {
            Some(hold) => Self::cells(core, hold, place),
            None => Self::cells(core, &self.make(core, &segment), place),
        }
    }

    #[cold]
    fn make(&self, core: &Core, segment: &Arc<Segment>) -> Arc<Hold> {
        let stripes = segment.geometry().stripes;
        let stripe = my_stripe(core.stripe, stripes - 1) as usize;
        let index = segment.header().index as usize;
        let hold = Arc::new(Hold {
            region: segment.region().clone(),
            stripes: Stripes::of(segment.geometry()),
            segment: Arc::clone(segment),
            first: Arc::clone(&core.first),
            _store: Arc::clone(&self.store),
        });
        let Some(by_segment) = self.by_segment.get(index) else {
            return hold;
        };
        let none = (0..stripes).map(|_| Once::default());
        by_segment.offer(|| none.collect());
        let Some(by_stripe) = by_segment.get().and_then(|all| all.get(stripe)) else {
            return hold;
        };
        by_stripe.offer(|| Arc::clone(&hold));
        by_stripe.get().map_or(hold, Arc::clone)
    }
}

/// What is set once at most, by the first who offers something. Nobody waits for that one, who may not have been forked
/// with this process: a `OnceLock` alone would.
struct Once<T> {
    taken: AtomicBool,
    value: OnceLock<T>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: OnceLock::new(),
        }
    }
}

impl<T> Once<T> {
    #[inline]
    fn get(&self) -> Option<&T> {
        self.value.get()
    }

    fn offer(&self, value: impl FnOnce() -> T) {
        if !self.taken.swap(true, Ordering::Relaxed) {
            let _ = self.value.set(value());
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_while_it_is_being_set_does_not_wait() {
        let once = Once::default();
        once.offer(|| {
            // As in a child that was forked now.
            once.offer(|| 2);
            assert_eq!(once.get(), None);
            1
        });
        once.offer(|| 3);
        assert_eq!(once.get(), Some(&1));
    }
}
