//! Finding a series, and adding it under the lock when it is new.

use std::sync::Arc;

use crate::metric::{
    Family, Key, LabelSet, OVERFLOW_LABEL, Shape, check_label_set, check_metric_name,
};

use super::cells::Cells;
use super::control::SEGMENTS;
use super::error::StoreError;
use super::layout::{Geometry, Header, MAX_SEGMENTS, seal, unseal};
use super::lookups::{Lookups, NO_HOLD};
use super::registry::{self, Form, NewEntry, Packed, Place};
use super::segment::Segment;
use super::{Core, Exclusive, Further};

/// LabelSet as the key wants them.
pub(crate) fn borrowed(labels: &LabelSet) -> Vec<(&str, &str)> {
    labels.pairs()
}

/// Whether these are the labels of the series that takes what is beyond a limit.
fn is_overflow(labels: &[(&str, &str)]) -> bool {
    labels == [(OVERFLOW_LABEL, "true")]
}

/// A key with its hash.
pub(super) struct Wanted {
    pub(super) key: Key,
    pub(super) hash: u64,
}

impl Core {
    /// The cells of a series, which is added when it is new; `shape` is that of a family which is
    /// new as well. Looking up a known series takes no lock.
    pub(crate) fn series(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
    ) -> Result<Cells, StoreError> {
        let form = Form::of(shape);
        if let Some(known) = self.lookups().find(name, labels, form)
            && let Some(segment) = self.segment(known.segment())
        {
            let place = Place {
                form: Some(form),
                ..known.place().unpacked()
            };
            return Ok(self.cells(segment, place));
        }
        self.look_up(name, labels, shape)
    }

    /// Where series are that were looked up before. Nothing that it rests on ever changes while a store is open: not the
    /// key and the place of an entry, nor the segment that has it.
    #[inline(always)]
    pub(super) fn lookups(&self) -> &Lookups {
        &self.own.get().lookups
    }

    /// As [`Core::series`], in the registry. What stands there is remembered by what was asked for.
    fn look_up(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        shape: &Shape,
    ) -> Result<Cells, StoreError> {
        let asked = labels;
        let mut copy;
        let labels = if labels.is_sorted_by(|a, b| a.0 <= b.0) {
            labels
        } else {
            copy = labels.to_vec();
            copy.sort_unstable();
            &copy
        };
        let wanted = self.wanted(Key::new(name, labels));
        if let Some(cells) = self.find(&wanted) {
            // Not what is beyond a limit: each lookup of that is counted, and the limit may be raised.
            let (segment, place) = cells.place();
            let index = segment.header().index;
            // What holds a histogram depends on how it sorts.
            if let Some(form) = place.form {
                let is_histogram = form == Form::Histogram;
                let hold = if is_histogram { NO_HOLD } else { index as u8 };
                let known = (index, form, Packed::new(place));
                self.lookups().remember(name, asked, known, hold);
            }
            return self.check_form(name, cells, shape);
        }
        check_metric_name(name)?;
        check_label_set(labels)?;
        if let Some(overflow) = self.known_overflow(name, labels, shape)? {
            return Ok(overflow);
        }
        self.exclusive()?.add(name, labels, &wanted, shape)
    }

    /// How many cells a series has that this process knows of. Takes no lock.
    pub(crate) fn known_cells(&self, name: &str, labels: &[(&str, &str)]) -> Option<u32> {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        let cells = self.find(&self.wanted(Key::new(name, &labels)))?;
        Some(cells.count())
    }

    /// When a series began; `None` where there is none. Takes no lock.
    pub(crate) fn created_ns(
        &self,
        name: &str,
        labels: &LabelSet,
    ) -> Result<Option<u64>, StoreError> {
        self.attach()?;
        let found = self.find(&self.wanted(Key::new(name, &borrowed(labels))));
        Ok(found.and_then(|cells| {
            let (segment, place) = cells.place();
            Some(registry::read(segment, place.block)?.created_ns)
        }))
    }

    pub(super) fn wanted(&self, key: Key) -> Wanted {
        let hash = key.hash(self.id.0);
        Wanted { key, hash }
    }

    pub(super) fn find(&self, wanted: &Wanted) -> Option<Cells> {
        self.segments().find_map(|segment| {
            let place = registry::find(segment, &wanted.key, wanted.hash)?;
            Some(self.cells(segment, place))
        })
    }

    /// Refuses a series that is stored in another way than it is to be used.
    pub(super) fn check_form(
        &self,
        name: &str,
        cells: Cells,
        shape: &Shape,
    ) -> Result<Cells, StoreError> {
        let (segment, place) = cells.place();
        if place.form == Some(Form::of(shape)) {
            return Ok(cells);
        }
        match self.family(name) {
            Some(family) => family.check_use(shape)?,
            None => {
                let family = place.form.map(|form| form.as_family(name));
                family.map_or(Ok(()), |family| family.check_use(shape))?;
            }
        }
        Err(StoreError::damaged(
            segment.path(),
            format!("the declaration of {name:?} does not fit its series"),
        ))
    }

    pub(super) fn cells(&self, segment: &Arc<Segment>, place: Place) -> Cells {
        Cells::new(segment, place, self.stripe)
    }
}

impl Exclusive<'_> {
    /// As [`Core::series`], by the holder of the lock and whatever the family's limit: for values
    /// that were counted already.
    pub(crate) fn series(
        &self,
        name: &str,
        labels: &LabelSet,
        shape: &Shape,
    ) -> Result<Cells, StoreError> {
        if let Some(cells) = self.check_series(name, labels, shape)? {
            return Ok(cells);
        }
        let labels = borrowed(labels);
        let wanted = self.core.wanted(Key::new(name, &labels));
        let family = self.family_of(name, None, shape)?;
        if is_overflow(&labels) {
            self.append_beside(&family, &wanted)
        } else {
            self.append_series(&family, &wanted)
        }
    }

    /// Whether [`Exclusive::series`] would take such a series, as far as the series decides it; gives
    /// its cells where it is there already.
    pub(crate) fn check_series(
        &self,
        name: &str,
        labels: &LabelSet,
        shape: &Shape,
    ) -> Result<Option<Cells>, StoreError> {
        let core = self.core;
        let labels = borrowed(labels);
        check_metric_name(name)?;
        check_label_set(&labels)?;
        core.check_version(shape)?;
        core.attach()?;
        let known = core.family(name);
        if let Some(family) = &known {
            family.check_shape(shape)?;
        }
        if let Some(cells) = core.find(&core.wanted(Key::new(name, &labels))) {
            let cells = core.check_form(name, cells, shape)?;
            // Of a family whose declaration cannot be read only the cells tell the buckets.
            let has_shares = matches!(shape, Shape::ProcessGauge(_));
            if cells.count() == shape.cells() || has_shares {
                return Ok(Some(cells));
            }
            let reason = format!("the declaration of {name:?} does not fit its series");
            return Err(StoreError::damaged(cells.place().0.path(), reason));
        }
        match &known {
            // What was beyond a family's limit elsewhere is so here, whatever the declared labels.
            Some(_) if is_overflow(&labels) => {}
            Some(family) => family.check_series(&labels)?,
            None => Family::implicit(name, shape.clone()).check_series(&labels)?,
        }
        Ok(None)
    }

    /// Finds a series that may be new to this process only, or appends it.
    fn add(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        wanted: &Wanted,
        shape: &Shape,
    ) -> Result<Cells, StoreError> {
        let core = self.core;
        core.attach()?;
        if let Some(cells) = core.find(wanted) {
            return core.check_form(name, cells, shape);
        }
        let family = self.family_of(name, Some(labels), shape)?;
        if family.is_full() {
            return self.overflow(&family);
        }
        self.append_series(&family, wanted)
    }

    /// Appends an entry to the last segment, or to a further one.
    pub(super) fn append(&self, entry: &NewEntry<'_>) -> Result<Cells, StoreError> {
        self.core.check_room()?;
        loop {
            let last = self.core.segments().last().unwrap_or(&self.core.first);
            if let Some(place) = registry::append(last, entry)? {
                return Ok(self.core.cells(last, place));
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
            consent: core.first.header().consent,
            created_ns: core.now_ns(),
            version: core.first.header().version,
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
