//! Families: their declarations in the registry, and the limit on their label sets.

use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use crate::metric::{
    Buckets, Family, Key, LabelSet, MetricError, OVERFLOW_LABEL, OVERFLOW_TOTAL, Shape,
    TRANSACTIONS,
};
use crate::sync::Ordering;

use super::cells::Cells;
use super::error::StoreError;
use super::register::{Wanted, borrowed};
use super::registry::{self, Content, Form, NewEntry};
use super::segment::Segment;
use super::{Core, Exclusive};

/// A family where it stands in the registry.
pub(crate) struct KnownFamily {
    family: Arc<Family>,
    segment: Arc<Segment>,
    block: u32,
}

impl Deref for KnownFamily {
    type Target = Family;

    fn deref(&self) -> &Family {
        &self.family
    }
}

impl KnownFamily {
    /// How many series it has, but for the one that takes what is beyond the limit.
    fn count(&self) -> u64 {
        registry::state(&self.segment, self.block).load(Ordering::Relaxed) & !registry::SUPERSEDED
    }

    /// How many label sets it may still get.
    pub(crate) fn room(&self) -> u64 {
        u64::from(self.limit()).saturating_sub(self.count())
    }

    pub(super) fn is_full(&self) -> bool {
        self.count() >= u64::from(self.limit())
    }
}

impl Form {
    /// The family of a series whose own declaration cannot be read, as far as the series tells it.
    pub(super) fn as_family(self, name: &str) -> Family {
        let shape = match self {
            Self::Counter => Shape::Counter,
            Self::Gauge => Shape::Gauge,
            Self::ProcessGauge => Shape::ProcessGauge(Default::default()),
            Self::Histogram => Shape::Histogram(Default::default()),
            Self::Info => Shape::Info,
            Self::FractionCounter => Shape::FractionCounter,
            Self::SumGauge => Shape::SumGauge,
            Self::Summary => Shape::Summary,
            // Those are in billionths.
            Self::WideHistogram => Shape::WideHistogram(Default::default()),
        };
        Family::implicit(name, shape)
    }
}

/// Looks for a declaration until there is one, or none that another has replaced, or nothing was
/// added behind those that were replaced. `blocks` says how many are in use.
pub(super) fn until_found<T>(
    blocks: impl Fn() -> u64,
    look: impl Fn(&mut bool) -> Option<T>,
) -> Option<T> {
    let mut seen = 0;
    loop {
        let mut replaced = false;
        let found = look(&mut replaced);
        if found.is_some() || !replaced {
            return found;
        }
        let now = blocks();
        if now == seen {
            return None;
        }
        seen = now;
    }
}

impl Core {
    /// The declaration of a family, where it has one. Takes no lock.
    pub(crate) fn family(&self, name: &str) -> Option<KnownFamily> {
        let wanted = self.wanted(Key::of_family(name));
        let blocks = || {
            // What has replaced it may be in a segment that is new to this process. That this cannot
            // be mapped is the same as that it is not there.
            let _ = self.attach();
            let ends = self.segments().map(|segment| segment.end_of_registry());
            ends.map(u64::from).sum()
        };
        until_found(blocks, |replaced| self.standing(&wanted, replaced))
    }

    /// The declaration of this key that was not replaced, and whether others were.
    fn standing(&self, wanted: &Wanted, replaced: &mut bool) -> Option<KnownFamily> {
        self.segments().find_map(|segment| {
            let mut places = registry::standing(segment, &wanted.key, wanted.hash, replaced);
            places.find_map(|place| {
                Some(KnownFamily {
                    family: self.declaration(segment, place.block)?,
                    segment: Arc::clone(segment),
                    block: place.block,
                })
            })
        })
    }

    /// The declaration in the entry at `block`, decoded once in each process.
    fn declaration(&self, segment: &Segment, block: u32) -> Option<Arc<Family>> {
        let at = (segment.header().index, block);
        let families = &self.own.get().families;
        let mut families = families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = families.get(&at) {
            return Some(Arc::clone(known));
        }
        match registry::read(segment, block)?.content {
            Content::Family(family) => {
                Some(Arc::clone(families.entry(at).or_insert(family.into())))
            }
            Content::Series { .. } => None,
        }
    }

    /// Refuses what a store of this format version cannot hold.
    pub(super) fn check_version(&self, shape: &Shape) -> Result<(), StoreError> {
        let version = self.first.header().version;
        if shape.since() <= version {
            return Ok(());
        }
        Err(StoreError::OlderFormat {
            path: self.root.clone(),
            what: shape.describe(),
            found: version,
            needed: shape.since(),
        })
    }

    /// Declares a family. Saying the same a second time changes nothing.
    pub(crate) fn declare(&self, family: &Family) -> Result<(), StoreError> {
        // It may be what came with a series, with a text that somebody has added.
        let family = &family.clone().into_declared();
        if let Some(known) = self.family(family.name())
            && known.is_declared()
        {
            return Ok(known.check_agrees(family)?);
        }
        self.exclusive()?.declare(family)
    }

    /// Declares a family whatever was declared before, but for how its series are stored.
    pub(crate) fn redeclare(&self, family: &Family) -> Result<(), StoreError> {
        self.exclusive()?.redeclare(&family.clone().into_declared())
    }

    /// The cells of a histogram and how observations are sorted into them; `buckets` are those of a
    /// family which is new.
    pub(crate) fn histogram(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &Buckets,
    ) -> Result<(Cells, Buckets), StoreError> {
        let wanted = Shape::Histogram(buckets.clone());
        let cells = self.series(name, labels, &wanted)?;
        let buckets = self.sorting(name, wanted, cells.count())?;
        Ok((cells, buckets))
    }

    /// How observations are sorted into so many cells of a histogram of either kind, which were had as `wanted`.
    pub(crate) fn sorting(
        &self,
        name: &str,
        wanted: Shape,
        cells: u32,
    ) -> Result<Buckets, StoreError> {
        // Only now: another process may have made the family meanwhile, with other buckets.
        let shape = match self.family(name) {
            Some(family) => family.shape().clone(),
            None => wanted,
        };
        let fits = shape.cells() == cells;
        match shape {
            Shape::Histogram(buckets) | Shape::WideHistogram(buckets) if fits => Ok(buckets),
            _ => Err(StoreError::damaged(
                &self.root,
                format!("the declaration of {name:?} does not fit its series"),
            )),
        }
    }

    /// The series that takes what is beyond the limit, where the family is full and has one.
    pub(super) fn known_overflow(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
    ) -> Result<Option<Cells>, StoreError> {
        let Some(family) = self.family(name).filter(KnownFamily::is_full) else {
            return Ok(None);
        };
        family.check_use(shape)?;
        family.check_series(labels)?;
        let overflow = self.find(&self.wanted(Key::new(name, &[(OVERFLOW_LABEL, "true")])));
        let counter = self.find(&self.wanted(Key::new(OVERFLOW_TOTAL, &[("family", name)])));
        match (overflow, counter) {
            (Some(overflow), Some(counter)) => {
                let overflow = self.check_form(name, overflow, shape)?;
                counter.mine().fetch_add(1, Ordering::Relaxed);
                Ok(Some(overflow))
            }
            _ => Ok(None),
        }
    }

    /// Hides a series until it is counted again; `false` when there is none.
    pub(crate) fn remove(&self, name: &str, labels: &LabelSet) -> Result<bool, StoreError> {
        if labels.is_empty() && TRANSACTIONS.contains(&name) {
            return Err(MetricError::BuiltIn {
                name: name.to_owned(),
            }
            .into());
        }
        let _exclusive = self.exclusive()?;
        self.attach()?;
        let wanted = self.wanted(Key::new(name, &borrowed(labels)));
        let mut marks = Vec::new();
        for segment in self.segments() {
            for place in registry::find_each(segment, &wanted.key, wanted.hash) {
                let mark = registry::removal(segment, place.block, place.cell, place.cells);
                marks.push((registry::state(segment, place.block), mark));
            }
        }
        // A power loss that set the cells back behind the mark would let them reach its sum again,
        // and the series vanish while it is counted.
        self.flush()?;
        for (state, mark) in &marks {
            state.store(*mark, Ordering::Relaxed);
        }
        Ok(!marks.is_empty())
    }
}

impl Exclusive<'_> {
    /// As [`Core::declare`], by the holder of the lock.
    pub(crate) fn declare(&self, family: &Family) -> Result<(), StoreError> {
        family.check()?;
        self.core.attach()?;
        if let Some(known) = self.core.family(family.name()) {
            known.check_agrees(family)?;
            if known.is_declared() {
                return Ok(());
            }
        }
        self.redeclare(family)
    }

    /// As [`Core::redeclare`], by the holder of the lock.
    pub(crate) fn redeclare(&self, family: &Family) -> Result<(), StoreError> {
        family.check()?;
        let core = self.core;
        core.attach()?;
        let Some(known) = core.family(family.name()) else {
            return self.append_family(family).map(drop);
        };
        known.check_shape(family.shape())?;
        if known.is_declared() && known.check_agrees(family).is_ok() {
            return Ok(());
        }
        for labels in core.catalog()?.label_sets(family.name()) {
            if !labels.contains_key(OVERFLOW_LABEL) {
                family.check_series(&borrowed(labels))?;
            }
        }
        let new = self.append_family(family)?;
        registry::state(&new.segment, new.block).store(known.count(), Ordering::Relaxed);
        // Killed before this, all stand, and the first one counts until the next declaration.
        for segment in core.segments() {
            let key = Key::of_family(family.name());
            let wanted = core.wanted(key);
            for place in registry::find_each(segment, &wanted.key, wanted.hash) {
                if !(Arc::ptr_eq(segment, &new.segment) && place.block == new.block) {
                    registry::supersede(segment, place.block);
                }
            }
        }
        Ok(())
    }

    fn append_family(&self, family: &Family) -> Result<KnownFamily, StoreError> {
        self.core.check_version(family.shape())?;
        let wanted = self.core.wanted(Key::of_family(family.name()));
        let now = self.core.now_ns();
        let entry = NewEntry::family(&wanted.key, wanted.hash, family, now);
        let cells = self.append(&entry)?;
        let (segment, block) = cells.into_entry();
        Ok(KnownFamily {
            family: Arc::new(family.clone()),
            segment,
            block,
        })
    }

    /// The family that a new series belongs to; it is made where it is new too. Whether the series'
    /// labels are those that were declared is checked where they are given.
    pub(super) fn family_of(
        &self,
        name: &str,
        labels: Option<&[(&str, &str)]>,
        shape: &Shape,
    ) -> Result<KnownFamily, StoreError> {
        if let Some(family) = self.core.family(name) {
            family.check_use(shape)?;
            labels.map_or(Ok(()), |labels| family.check_series(labels))?;
            return Ok(family);
        }
        let family = Family::implicit(name, shape.clone());
        family.check_series(labels.unwrap_or_default())?;
        self.append_family(&family)
    }

    /// Appends a series to its family.
    pub(super) fn append_series(
        &self,
        family: &KnownFamily,
        wanted: &Wanted,
    ) -> Result<Cells, StoreError> {
        let cells = self.append_beside(family, wanted)?;
        registry::state(&family.segment, family.block).fetch_add(1, Ordering::Relaxed);
        Ok(cells)
    }

    /// Appends a series that does not count towards the limit.
    pub(super) fn append_beside(
        &self,
        family: &KnownFamily,
        wanted: &Wanted,
    ) -> Result<Cells, StoreError> {
        let shape = family.shape();
        let (form, cells) = (Form::of(shape), shape.cells());
        let now = self.core.now_ns();
        let entry = NewEntry::series(&wanted.key, wanted.hash, form, cells, now);
        self.append(&entry)
    }

    /// The series that takes what is beyond the limit; one more lookup was sent there.
    pub(super) fn overflow(&self, family: &KnownFamily) -> Result<Cells, StoreError> {
        let core = self.core;
        let name = family.name();
        let wanted = core.wanted(Key::new(name, &[(OVERFLOW_LABEL, "true")]));
        let cells = match core.find(&wanted) {
            Some(cells) => cells,
            None => self.append_beside(family, &wanted)?,
        };
        let labels = LabelSet::from_iter([("family", name)]);
        let counter = self.series(OVERFLOW_TOTAL, &labels, &Shape::Counter)?;
        counter.mine().fetch_add(1, Ordering::Relaxed);
        Ok(cells)
    }
}
