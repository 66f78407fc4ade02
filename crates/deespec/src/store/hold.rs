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
    /// How histograms sort; of others it says nothing. Here, for a copy in each handle would have holders to be counted.
    sorting: Buckets,
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

    /// How a histogram sorts.
    #[inline]
    pub(crate) fn sorting(&self) -> &Buckets {
        &self.hold().sorting
    }
}

type ByStripe = Box<[Once<Arc<Hold>>]>;
/// One for all but histograms, and one for each way in which those sort.
type BySorting = [Once<ByStripe>; 1 + SORTINGS];

/// Ways to sort that a program has with histograms that it looks up fast. Most have one.
const SORTINGS: usize = 31;

/// What the handles of one store hold on to. It keeps the store open itself, so nothing in the store may have it.
pub(crate) struct Holds {
    /// By segment, then by the number of the sorting, then by stripe.
    by_segment: [Once<Box<BySorting>>; MAX_SEGMENTS],
    /// Those of the numbers from 1.
    sortings: [Once<Buckets>; SORTINGS],
    store: Arc<dyn Any + Send + Sync>,
}

impl Holds {
    pub(crate) fn new(store: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            by_segment: std::array::from_fn(|_| Once::default()),
            sortings: std::array::from_fn(|_| Once::default()),
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
        let known = core.recall(name, labels)?;
        let place = known.place(form)?;
        let hold = self.known(core, known.segment(), known.sorting())?;
        Some(Self::cells(core, hold, place))
    }

    #[cold]
    fn look_up(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
    ) -> Result<HeldCells, StoreError> {
        let cells = core.look_up(name, labels, shape)?;
        Ok(self.hold(core, cells, 0, None))
    }

    /// As [`Core::histogram`], for a handle, which has its [`HeldCells::sorting`]. `buckets` gives those of a family which
    /// is new.
    pub(crate) fn histogram(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        buckets: impl FnOnce() -> Buckets,
    ) -> Result<HeldCells, StoreError> {
        // How a family sorts never changes: a declaration that says otherwise is refused.
        if let Some(known) = core.recall(name, labels)
            && known.sorting() != 0
            && let Some(place) = known.place(Form::Histogram)
            && let Some(hold) = self.known(core, known.segment(), known.sorting())
        {
            return Ok(Self::cells(core, hold, place));
        }
        self.look_up_histogram(core, name, labels, &buckets())
    }

    #[cold]
    fn look_up_histogram(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &Buckets,
    ) -> Result<HeldCells, StoreError> {
        // Once it is looked up in the same words again: not what is beyond a limit.
        let is_known = core.recall(name, labels).is_some();
        let (cells, buckets) = core.histogram(name, labels, buckets)?;
        let number = self.number(&buckets);
        if is_known && number != 0 {
            core.remember(name, labels, cells.place(), number);
        }
        Ok(self.hold(core, cells, number, Some(&buckets)))
    }

    /// The number of how histograms sort; 0 where there are too many of them.
    fn number(&self, buckets: &Buckets) -> u8 {
        for (number, sorting) in (1..).zip(&self.sortings) {
            sorting.offer(|| buckets.clone());
            if sorting.get() == Some(buckets) {
                return number;
            }
        }
        0
    }

    /// What holds a segment for this thread, where there is something already.
    #[inline(always)]
    fn known(&self, core: &Core, index: u32, sorting: u8) -> Option<&Arc<Hold>> {
        let by_sorting = self.by_segment.get(index as usize)?.get()?;
        let by_stripe = by_sorting.get(usize::from(sorting))?.get()?;
        let stripe = my_stripe(core.stripe, by_stripe.len() as u32 - 1);
        by_stripe.get(stripe as usize)?.get()
    }

    #[inline(always)]
    fn cells(core: &Core, hold: &Arc<Hold>, place: Place) -> HeldCells {
        Cells::on(Arc::clone(hold), hold.stripes, place, core.stripe)
    }

    /// The same cells, held.
    fn hold(&self, core: &Core, cells: Cells, number: u8, sorting: Option<&Buckets>) -> HeldCells {
        let place = cells.place().1;
        let (segment, _) = cells.into_entry();
        let index = segment.header().index;
        // A histogram of a sorting that has no number has a hold of its own.
        let is_numbered = number != 0 || sorting.is_none();
        let known = || self.known(core, index, number);
        match is_numbered.then(known).flatten() {
            Some(hold) => Self::cells(core, hold, place),
            None => {
                let hold = self.make(core, &segment, sorting);
                let hold = if is_numbered {
                    self.offer(core, index, number, hold)
                } else {
                    hold
                };
                Self::cells(core, &hold, place)
            }
        }
    }

    #[cold]
    fn make(&self, core: &Core, segment: &Arc<Segment>, sorting: Option<&Buckets>) -> Arc<Hold> {
        Arc::new(Hold {
            region: segment.region().clone(),
            stripes: Stripes::of(segment.geometry()),
            segment: Arc::clone(segment),
            first: Arc::clone(&core.first),
            _store: Arc::clone(&self.store),
            sorting: sorting.cloned().unwrap_or_default(),
        })
    }

    /// Keeps a hold for this thread's stripe, unless there is another by now; gives the one that there is.
    fn offer(&self, core: &Core, index: u32, number: u8, hold: Arc<Hold>) -> Arc<Hold> {
        let Some(by_sorting) = self.by_segment.get(index as usize) else {
            return hold;
        };
        by_sorting.offer(|| Box::new(std::array::from_fn(|_| Once::default())));
        let Some(by_stripe) = by_sorting
            .get()
            .and_then(|all| all.get(usize::from(number)))
        else {
            return hold;
        };
        let stripes = hold.stripes.count();
        by_stripe.offer(|| (0..stripes).map(|_| Once::default()).collect());
        let stripe = my_stripe(core.stripe, stripes - 1) as usize;
        let Some(own) = by_stripe.get().and_then(|all| all.get(stripe)) else {
            return hold;
        };
        own.offer(|| Arc::clone(&hold));
        own.get().map_or(hold, Arc::clone)
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
