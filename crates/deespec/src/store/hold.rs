//! What a handle holds on to: one segment, and the store with all that belongs to it. A handle that is made and dropped
//! for each count changes a number of its holders; there is one for each segment and stripe, so that threads do not
//! change the same one. The cells of a handle need nothing else.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use crate::metric::{Buckets, Observations, Shape};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

use super::Core;
use super::cells::{Cells, Mapped, Stripes, add, my_stripe};
use super::error::StoreError;
use super::layout::MAX_SEGMENTS;
use super::raw::Region;
use super::registry::{self, Form, Packed};
use super::segment::Segment;

/// The cells of a handle. Two words, which stay in registers: what is larger is copied through memory by whoever makes a
/// handle for each count, and that takes longer than finding it.
#[derive(Clone)]
pub(crate) struct HeldCells {
    hold: Arc<Hold>,
    place: Packed,
}

/// What keeps the cells of handles mapped and their store open.
// The number of holders stands before it, on lines of its own. What an increment needs comes first.
#[repr(C, align(128))]
pub(crate) struct Hold {
    /// The segment's words, one step nearer than through the segment.
    region: Region,
    stripes: Stripes,
    /// The stripe of the process' first thread.
    stripe: u32,
    segment: Arc<Segment>,
    /// The store's first segment, which has the epoch.
    first: Arc<Segment>,
    _store: Arc<dyn Any + Send + Sync>,
    /// How histograms sort; of others it says nothing. Here, for a copy in each handle would have holders to be counted.
    sorting: Buckets,
}

impl Mapped for &Hold {
    fn segment(&self) -> &Segment {
        &self.segment
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        self.region.words()
    }
}

impl HeldCells {
    /// Adds to the first cell of this thread's stripe.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        add(&self.hold.region.words()[self.my_first()], n);
    }

    /// All cells of this thread's stripe.
    #[inline]
    pub(crate) fn all_mine(&self) -> &[AtomicU64] {
        let first = self.my_first();
        &self.hold.region.words()[first..first + self.count() as usize]
    }

    #[inline]
    fn my_first(&self) -> usize {
        let stripes = self.hold.stripes;
        let stripe = my_stripe(self.hold.stripe, stripes.mask());
        stripes.cell(self.place.cell(), stripe)
    }

    /// The one cell that all threads and processes use, of what is not added up.
    #[inline]
    pub(crate) fn shared(&self) -> &AtomicU64 {
        &self.hold.region.words()[self.hold.stripes.cell(self.place.cell(), 0)]
    }

    /// Where the first cell is: no other series has that as long as these cells are held.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self.shared()).addr()
    }

    /// As [`Cells::revive`].
    #[inline]
    pub(crate) fn revive(&self) {
        registry::revive(&self.hold.segment, self.place.block());
    }

    /// As [`Cells::total`].
    pub(crate) fn total(&self, cell: u32) -> u64 {
        self.cells().total(cell)
    }

    /// How many there are in each stripe.
    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.place.cells()
    }

    /// As [`Cells::since`].
    pub(crate) fn counted_so_far(&self, cell: u32) -> u64 {
        self.cells().since(&self.hold.first, cell)
    }

    /// As [`Cells::observed_since`].
    pub(crate) fn observed_so_far(&self) -> [Observations; 2] {
        self.cells().observed_since(&self.hold.first)
    }

    /// How a histogram sorts.
    #[inline]
    pub(crate) fn sorting(&self) -> &Buckets {
        &self.hold.sorting
    }

    fn cells(&self) -> Cells<&Hold> {
        let hold = &*self.hold;
        Cells::on(hold, hold.stripes, self.place.unpacked(), hold.stripe)
    }

    /// As [`Cells::both`].
    pub(crate) fn now_and_since_begun(&self, cell: u32) -> [u64; 2] {
        self.cells().both(&self.hold.first, cell)
    }
}

/// Holds of one number, one for each stripe.
type ByStripe = Box<[Arc<Hold>]>;

/// Pairs of a segment and a way to sort that a program has with histograms that it looks up fast. Most have one.
const SORTINGS: usize = 48;
/// Numbers of holds: those of the segments, and those of such pairs.
const HOLDS: usize = MAX_SEGMENTS + SORTINGS;

/// What the handles of one store hold on to. It keeps the store open itself, so nothing in the store may have it.
pub(crate) struct Holds {
    by_number: [Once<ByStripe>; HOLDS],
    /// The stripe of the process' first thread.
    stripe: u32,
    store: Arc<dyn Any + Send + Sync>,
}

impl Holds {
    pub(crate) fn new(core: &Core, store: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            by_number: std::array::from_fn(|_| Once::default()),
            stripe: core.stripe,
            store,
        }
    }

    /// As [`Core::series`], as a handle.
    // What is made of a result that was made before is copied, and a copy of what has just been written is slow: so the
    // handle is made here, inlined, and what is rare is elsewhere. Where it is called with names that are constants,
    // nothing is left to be done about them.
    #[inline(always)]
    pub(crate) fn series<T, E: From<StoreError>>(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        (form, shape): (Form, impl FnOnce() -> Shape),
        handle: impl FnOnce(HeldCells) -> T,
    ) -> Result<T, E> {
        match *labels {
            [] => self.few(core, name, [], (form, shape), handle),
            [a] => self.few(core, name, [a], (form, shape), handle),
            [a, b] => self.few(core, name, [a, b], (form, shape), handle),
            [a, b, c] => self.few(core, name, [a, b, c], (form, shape), handle),
            _ => Ok(handle(self.many(core, name, labels, form, &shape())?)),
        }
    }

    /// As [`Holds::series`], with as many labels as stay in registers.
    #[inline(always)]
    fn few<const LABELS: usize, T, E: From<StoreError>>(
        &self,
        core: &Core,
        name: &str,
        labels: [(&str, &str); LABELS],
        (form, shape): (Form, impl FnOnce() -> Shape),
        handle: impl FnOnce(HeldCells) -> T,
    ) -> Result<T, E> {
        let known = core.lookups().find_few(name, &labels, form);
        if let Some(known) = known
            && let Some(hold) = self.known(known.hold())
        {
            return Ok(handle(Self::cells(hold, known.place())));
        }
        // A copy: what others are given the address of stands in memory from the beginning.
        let copy = labels;
        Ok(handle(self.look_up(core, name, &copy, &shape())?))
    }

    fn many(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        form: Form,
        shape: &Shape,
    ) -> Result<HeldCells, StoreError> {
        if let Some(known) = core.lookups().find(name, labels, form)
            && let Some(hold) = self.known(known.hold())
        {
            return Ok(Self::cells(hold, known.place()));
        }
        self.look_up(core, name, labels, shape)
    }

    #[cold]
    fn look_up(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
    ) -> Result<HeldCells, StoreError> {
        if let Shape::Histogram(buckets) = shape {
            return self.look_up_histogram(core, name, labels, buckets);
        }
        let cells = core.series(name, labels, shape)?;
        let place = Packed::new(cells.place().1);
        let (segment, _) = cells.into_entry();
        let index = segment.header().index;
        let of_segment = self.by_number.get(index as usize);
        let by_stripe = || self.by_stripe(core, &segment, None);
        if let Some(once) = of_segment.filter(|_| (index as usize) < MAX_SEGMENTS) {
            once.offer(by_stripe);
            if let Some(hold) = self.known(index as u8) {
                return Ok(Self::cells(hold, place));
            }
        }
        Ok(Self::cells(&self.make(core, &segment, None), place))
    }

    /// As [`Core::histogram`], for a handle, which has its [`HeldCells::sorting`].
    fn look_up_histogram(
        &self,
        core: &Core,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &Buckets,
    ) -> Result<HeldCells, StoreError> {
        let (cells, buckets) = core.histogram(name, labels, buckets)?;
        let place = Packed::new(cells.place().1);
        let (segment, _) = cells.into_entry();
        let Some(number) = self.number(core, &segment, &buckets) else {
            return Ok(Self::cells(
                &self.make(core, &segment, Some(&buckets)),
                place,
            ));
        };
        // Not what is beyond a limit, and so not remembered. How a family sorts never changes: a declaration that says
        // otherwise is refused.
        let lookups = core.lookups();
        if lookups.find(name, labels, Form::Histogram).is_some() {
            let index = segment.header().index;
            lookups.remember(name, labels, (index, Form::Histogram, place), number);
        }
        let hold = self.known(number).map(Arc::clone);
        let hold = hold.unwrap_or_else(|| self.make(core, &segment, Some(&buckets)));
        Ok(Self::cells(&hold, place))
    }

    /// The number of what holds histograms of a segment that sort in this way; `None` where there are too many.
    fn number(&self, core: &Core, segment: &Arc<Segment>, buckets: &Buckets) -> Option<u8> {
        let numbered = self.by_number.iter().zip(0..).skip(MAX_SEGMENTS);
        for (once, number) in numbered {
            once.offer(|| self.by_stripe(core, segment, Some(buckets)));
            if let Some([hold, ..]) = once.get().map(|holds| &**holds)
                && Arc::ptr_eq(&hold.segment, segment)
                && hold.sorting == *buckets
            {
                return Some(number);
            }
        }
        None
    }

    /// What holds a segment for this thread, where there is something already.
    #[inline(always)]
    fn known(&self, number: u8) -> Option<&Arc<Hold>> {
        let by_stripe = self.by_number.get(usize::from(number))?.get()?;
        let stripe = my_stripe(self.stripe, by_stripe.len() as u32 - 1);
        by_stripe.get(stripe as usize)
    }

    #[inline(always)]
    fn cells(hold: &Arc<Hold>, place: Packed) -> HeldCells {
        let hold = Arc::clone(hold);
        HeldCells { hold, place }
    }

    fn by_stripe(
        &self,
        core: &Core,
        segment: &Arc<Segment>,
        sorting: Option<&Buckets>,
    ) -> ByStripe {
        let hold = |_| self.make(core, segment, sorting);
        (0..segment.geometry().stripes).map(hold).collect()
    }

    fn make(&self, core: &Core, segment: &Arc<Segment>, sorting: Option<&Buckets>) -> Arc<Hold> {
        Arc::new(Hold {
            region: segment.region().clone(),
            stripes: Stripes::of(segment.geometry()),
            stripe: core.stripe,
            segment: Arc::clone(segment),
            first: Arc::clone(&core.first),
            _store: Arc::clone(&self.store),
            sorting: sorting.cloned().unwrap_or_default(),
        })
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
