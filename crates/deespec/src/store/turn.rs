//! Beginning a new epoch: write down the totals as its baseline, make them durable, flip one word.

use std::sync::Arc;

use crate::sync::Ordering;

use super::control::{EPOCH, record_at};
use super::error::StoreError;
use super::segment::Segment;
use super::{Beginning, Cells, Core, Exclusive, Record, epoch};
use crate::protection::Protection;

impl Exclusive<'_> {
    /// Begins the epoch after the current one. With `values` the cells of the series that are named
    /// there begin with these values instead of 0; the caller has added the series.
    ///
    /// Writers take no part: an increment belongs to the new epoch exactly when it was not yet in
    /// the cell at the moment that the cell was read here. The caller has called
    /// [`Exclusive::begin`], makes the turn durable and completes the closing of the old epoch.
    pub(crate) fn turn(
        &self,
        at_ns: u64,
        beginning: Beginning,
        why: &str,
        values: &[(Cells, Vec<(u32, u64)>)],
    ) -> Result<Record, StoreError> {
        let core = self.core;
        core.attach()?;
        core.check_segments()?;
        let number = epoch::current(&core.first)? + 1;
        if number == u32::MAX {
            return Err(StoreError::EpochsExhausted {
                path: core.root.clone(),
            });
        }
        let record = Record {
            epoch: number,
            at_ns,
            beginning,
            by: core.program().to_owned(),
            why: why.to_owned(),
        };
        let segments = core.segments().map(Arc::as_ref);
        begin(&core.first, segments, &record, values, || core.flush())?;
        Ok(record)
    }

    /// Makes the flip durable. An error comes too late to take it back.
    pub(crate) fn make_turn_durable(&self) -> Result<(), StoreError> {
        self.core.flush_control(EPOCH, 1)
    }
}

impl Exclusive<'_> {
    /// Makes the record of an epoch unreadable that was prepared but never begun: its holder of the
    /// lock was killed before the flip, and recovery must not take it for the current one.
    pub(crate) fn forget_unbegun(&self) -> Result<(), StoreError> {
        let first = &self.core.first;
        let next = u64::from(epoch::current(first)?) + 1;
        if Record::read_any(first, next).is_some_and(|record| u64::from(record.epoch) == next) {
            first.store(record_at(next), 0);
        }
        Ok(())
    }
}

/// Makes `record` that of the current epoch: its baselines first, then the flip. `flush` makes what
/// was written, and the cells, durable.
pub(super) fn begin<'a>(
    first: &Segment,
    segments: impl Iterator<Item = &'a Segment>,
    record: &Record,
    values: &[(Cells, Vec<(u32, u64)>)],
    flush: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let number = record.epoch;
    record.write(first);
    if !Protection::FlipLast.stands() {
        epoch::flip(first, number);
    }
    for segment in segments {
        write_baseline(segment, number)?;
    }
    for (cells, values) in values {
        let (segment, place) = cells.place();
        cells.revive();
        for (index, value) in values {
            let baseline = segment.baseline(u64::from(number), place.cell + index);
            let total = baseline.load(Ordering::Relaxed);
            baseline.store(total.wrapping_sub(*value), Ordering::Relaxed);
        }
    }
    // The cells too: a durable baseline above a cell that a power cut set back would make the
    // new epoch begin below zero.
    flush()?;
    epoch::flip(first, number);
    Ok(())
}

fn write_baseline(segment: &Segment, epoch: u32) -> Result<(), StoreError> {
    let tail = segment.tail()?;
    for cell in 0..tail.cells {
        segment
            .baseline(u64::from(epoch), cell)
            .store(segment.total(cell), Ordering::Relaxed);
    }
    Ok(())
}

impl Core {
    /// The record of the current epoch and, where it is whole, of the one before. Needs a lock.
    pub(crate) fn records(&self) -> Result<(Record, Option<Record>), StoreError> {
        let now = self.epoch()?;
        let before = now
            .epoch
            .checked_sub(1)
            .and_then(|before| Record::read(&self.first, before));
        Ok((now, before))
    }
}
