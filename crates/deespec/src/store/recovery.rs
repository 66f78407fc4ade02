//! Repair after an unclean boot: memory that never reached the disk is gone, page by page, so the
//! registry is read again from its entries and cells that no entry owns are cleared: they were
//! never published, because publishing makes the entries durable first. After a mere `kill -9` nothing is lost and nothing is repaired here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::metric::{Aggregation, Processes};
use crate::sync::Ordering;

use super::control::{DURABLE_TAIL, PENDING, SEGMENTS, Tail};
use super::error::StoreError;
use super::layout::{MAX_SEGMENTS, seal, unseal};
use super::registry::{Content, Scan};
use super::segment::Segment;
use super::{Core, Exclusive, Record, epoch, registry};
use crate::protection::Protection;

impl Core {
    /// Whether the store needs no repair: it was recovered in this boot, and the words that say how
    /// much of it is in use are whole.
    pub(super) fn is_recovered(&self, booted: [u64; 2]) -> bool {
        booted == self.first.boot()
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
        if Protection::Recovery.stands() {
            self.recover()?;
        }
        // Documents may be unfinished as well; whoever publishes next looks for that.
        core.first.store(PENDING, 1);
        core.first.set_boot(booted);
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
        let scans = core.segments().map(|segment| {
            let all = segment.geometry().all();
            let scan = registry::scan(segment, Tail::default(), all, false);
            (Arc::clone(segment), scan)
        });
        let mut scans: Vec<_> = scans.collect();
        let families = declared(&scans);
        for (segment, scan) in &mut scans {
            recover_segment(segment, scan, &families);
            // Nobody who had a share before a boot lives; others open a damaged store within one.
            let mut nobody = Processes::none(Aggregation::default());
            for entry in scan.entries.iter().filter(|entry| entry.is_process_gauge()) {
                core.lives()
                    .join(&mut nobody, segment, entry.cell, entry.cells)?;
            }
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

/// The names of all families whose declaration is there. A declaration that was to be replaced
/// counts again where the one that replaced it was torn.
pub(super) fn declared(scans: &[(Arc<Segment>, Scan)]) -> HashSet<String> {
    let mut last = HashMap::new();
    for (segment, entry) in scans
        .iter()
        .flat_map(|(segment, scan)| scan.entries.iter().map(move |entry| (segment, entry)))
    {
        if let Content::Family(family) = &entry.content {
            last.insert(
                family.name().to_owned(),
                registry::state(segment, entry.block),
            );
        }
    }
    for state in last.values() {
        state.fetch_and(!registry::SUPERSEDED, Ordering::Relaxed);
    }
    last.into_keys().collect()
}

/// What is behind the durable tail and no whole entry was torn by the power cut: it is declared
/// void, and cells that may be handed out again are cleared. So is a series whose family's entry was
/// torn: neither was ever durable, so nothing of it was published. Damage in front of the durable
/// tail stays where it is and is reported by every reading.
pub(super) fn recover_segment(segment: &Segment, scan: &mut Scan, families: &HashSet<String>) {
    let geometry = segment.geometry();
    let mut durable = Tail::decode(segment.load(DURABLE_TAIL))
        .filter(|tail| tail.fits(geometry))
        .unwrap_or_default();
    // The end of the registry must not stand in the middle of anything, or what that hid would show.
    let begun = durable.blocks;
    let across = scan.others.iter().filter(|blocks| blocks.contains(&begun));
    durable.blocks = across.fold(begun, |end, blocks| end.max(blocks.end));
    scan.entries.retain(|entry| {
        entry.block < durable.blocks
            || !matches!(&entry.content, Content::Series { name, .. } if !families.contains(name))
    });
    let mut tail = durable;
    let mut holes = Vec::new();
    for entry in &scan.entries {
        if entry.block > tail.blocks {
            holes.push((tail.blocks, entry.block - tail.blocks));
        }
        tail.blocks = tail.blocks.max(entry.block + entry.blocks);
        tail.cells = tail.cells.max(entry.cell + entry.cells);
    }
    for (first, count) in holes {
        registry::void(segment, first, count);
    }
    segment.clear(tail.cells..geometry.cells);
    segment.set_tail(tail);
    registry::clear_behind_tail(segment);
    registry::rebuild_index(segment, &scan.entries, tail);
}
