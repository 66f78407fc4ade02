//! Repair after an unclean boot: memory that never reached the disk is gone, page by page, so the
//! registry is read again from its entries and cells that no entry owns are cleared: they were
//! never published, because publishing makes the entries durable first. After a mere `kill -9` nothing is lost and nothing is repaired here.

use std::ops::Range;

use crate::sync::Ordering;

use super::control::{BOOT, DURABLE_TAIL, PENDING, SEGMENTS, Tail};
use super::error::StoreError;
use super::layout::{MAX_SEGMENTS, seal, unseal};
use super::segment::Segment;
use super::{Core, Exclusive, Record, epoch, registry};

impl Core {
    /// Whether the store needs no repair: it was recovered in this boot, and the words that say how
    /// much of it is in use are whole.
    pub(super) fn is_recovered(&self, booted: [u64; 2]) -> bool {
        let known = [self.first.load(BOOT), self.first.load(BOOT + 1)];
        booted == known
            && booted != [0, 0]
            && unseal(self.first.load(SEGMENTS)).is_some()
            && epoch::current(&self.first).is_ok()
            && self.attach().is_ok()
            && self.segments().all(|segment| segment.tail().is_ok())
    }
}

impl Exclusive<'_> {
    /// Repairs the store unless somebody else has just done it.
    pub(super) fn recover_once(&self, booted: [u64; 2]) -> Result<(), StoreError> {
        let core = self.core;
        if core.is_recovered(booted) {
            return Ok(());
        }
        self.recover()?;
        // Documents may be unfinished as well; whoever publishes next looks for that.
        core.first.store(PENDING, 1);
        core.first.store(BOOT, booted[0]);
        core.first.store(BOOT + 1, booted[1]);
        // A degraded store is still good for counting.
        if core.is_degraded() {
            Ok(())
        } else {
            core.flush()
        }
    }

    /// Rebuilds everything that can be derived: the number of segments, each tail and index.
    fn recover(&self) -> Result<(), StoreError> {
        let core = self.core;
        let mut count = unseal(core.first.load(SEGMENTS)).unwrap_or(1);
        for index in 1..count.min(MAX_SEGMENTS as u32) {
            core.attach_known(index)?;
        }
        while count < MAX_SEGMENTS as u32
            && (core.further[count as usize].get().is_some() || core.attach_one(count)?.is_some())
        {
            count += 1;
        }
        core.first.store(SEGMENTS, seal(count));
        for segment in core.segments() {
            recover_segment(segment);
        }
        if epoch::current(&core.first).is_err() {
            self.recover_epoch()?;
        }
        Ok(())
    }

    /// The epoch word cannot be torn, only flipped. Outside of a rotation the younger of the two
    /// records is the current epoch's.
    fn recover_epoch(&self) -> Result<(), StoreError> {
        let first = &self.core.first;
        let records = [0, 1].map(|parity| Record::read_any(first, parity));
        let younger = records
            .into_iter()
            .flatten()
            .max_by_key(|record| record.epoch);
        match younger {
            Some(record) if first.load(PENDING) == 0 => {
                epoch::flip(first, record.epoch);
                Ok(())
            }
            _ => Err(StoreError::damaged(
                first.path(),
                "the word that numbers the epoch is wrong and a rotation was under way",
            )),
        }
    }
}

/// What is behind the durable tail and no whole entry was torn by the power cut: it is declared
/// void, and cells that may be handed out again are cleared. So are the shares of per-process
/// gauges: nobody who had one lives any more, and their numbers may be given again. Damage in front of it stays where it
/// is and is reported by every reading.
fn recover_segment(segment: &Segment) {
    let geometry = segment.geometry();
    let blocks = geometry.blocks() as u32;
    let durable = Tail::decode(segment.load(DURABLE_TAIL)).unwrap_or_default();
    let scan = registry::scan(segment, Tail::default(), blocks, false);
    let mut tail = durable;
    let mut holes = Vec::new();
    for entry in &scan.entries {
        if entry.block > tail.blocks {
            holes.push((tail.blocks, entry.block - tail.blocks));
        }
        tail.blocks = tail.blocks.max(entry.block + entry.blocks);
        tail.cells = tail.cells.max(entry.cell + entry.cells);
        if entry.is_process_gauge() {
            clear(segment, entry.cell..entry.cell + entry.cells);
        }
    }
    for (first, count) in holes {
        registry::void(segment, first, count);
    }
    clear(segment, tail.cells..geometry.cells);
    segment.set_tail(tail);
    registry::clear_behind_tail(segment);
    registry::rebuild_index(segment, &scan.entries, tail);
}

/// Puts 0 into cells and their baselines.
fn clear(segment: &Segment, cells: Range<u32>) {
    for cell in cells {
        for stripe in 0..=segment.geometry().stripes {
            segment.cell(stripe, cell).store(0, Ordering::Relaxed);
        }
        segment.baseline(0, cell).store(0, Ordering::Relaxed);
        segment.baseline(1, cell).store(0, Ordering::Relaxed);
    }
}
