//! Compaction: building a store anew that nobody has open. The new files are complete before they
//! change places with the old ones, at once.

use std::path::PathBuf;

use crate::metric::Shape;
use crate::sync::Ordering;

use super::build::{Contents, Frame, Item, Plan};
use super::catalog::Catalog;
use super::control::{EPOCH, FLUSHED_AT, PENDING, SEGMENTS, TICKET};
use super::epoch::{self, Record};
use super::error::StoreError;
use super::files::Files;
use super::identity::boot_id;
use super::layout::seal;
use super::lines::last_line;
use super::lock::LOCK;
use super::opened::open_or_create;
use super::process::PROCESSES;
use super::{Core, EPOCHS, Exclusive, IMPORTS, PUSHES, RESTORE};

/// Where the new files stand until they are complete, and the old ones behind that.
const COMPACTED: &str = "tmp-compacted";

impl Core {
    fn compacted(&self) -> PathBuf {
        self.root.join(COMPACTED)
    }

    /// Removes what a killed compaction left.
    pub(crate) fn remove_compacted(&self) -> Result<(), StoreError> {
        self.files.remove_directory(&self.compacted())
    }
}

impl Exclusive<'_> {
    /// Writes all series that are there into new files and puts these into place of the old ones.
    /// `imported` is the line of an import whose values are in the cells and which is not recorded yet.
    /// `pushed` is the line that says that the last push is complete.
    /// The caller has the store alone, must drop it now and open it again.
    pub(crate) fn compact(
        &self,
        imported: Option<&str>,
        pushed: Option<&str>,
    ) -> Result<(), StoreError> {
        let core = self.core;
        let was_pending = core.is_pending();
        // Should this process die, the next holder of the lock removes what it wrote.
        self.begin();
        let done = self
            .write_compacted(imported, pushed)
            .and_then(|()| core.files.exchange(&core.live, &core.compacted()));
        if done.is_err() {
            let removed = core.remove_compacted();
            if removed.is_ok() && !was_pending {
                self.end();
            }
        }
        done
    }

    fn write_compacted(
        &self,
        imported: Option<&str>,
        pushed: Option<&str>,
    ) -> Result<(), StoreError> {
        let core = self.core;
        core.attach()?;
        core.check_segments()?;
        let mut catalog = core.catalog()?;
        if let Some(path) = catalog.first_damaged() {
            let reason = "a part of its registry cannot be read, and compacting would drop it";
            return Err(StoreError::damaged(path, reason));
        }
        let now = core.now_ns();
        let number = epoch::current(&core.first)?;
        let contents = catalog.contents(now);
        // Nobody asks for it again, and it is as large as the contents.
        *catalog = Catalog::default();
        drop(catalog);
        let records =
            [number.wrapping_sub(1), number].map(|epoch| Record::read(&core.first, epoch));
        let frame = Frame {
            id: core.id,
            stripes: core.first.geometry().stripes,
            consent: core.first.header().consent,
            created_ns: now,
        };
        core.remove_compacted()?;
        let folder = core.compacted();
        core.files.make_directory(&folder)?;
        if core.access()?.0.shared_with().is_some() {
            // As in a new store: there before any other member comes.
            open_or_create(&folder.join(PROCESSES))?;
        }
        let files = Files::new(folder.clone(), core.settings.faults.clone());
        // A full disk must not keep anybody from reading.
        open_or_create(&folder.join(LOCK))?;
        // One without an end, which somebody has made longer than any disk, is not worth the copy.
        for name in [EPOCHS, IMPORTS, PUSHES] {
            last_line(&core.live.join(name))?;
        }
        for name in [EPOCHS, IMPORTS, PUSHES, RESTORE] {
            files.copy(&core.live.join(name), &folder.join(name))?;
        }
        if let Some(line) = imported {
            files.append_line(&folder.join(IMPORTS), line)?;
        }
        if let Some(line) = pushed {
            files.append_line(&folder.join(PUSHES), line)?;
        }
        let plan = Plan::new(&contents, &frame);
        let ticket = core.first.load(TICKET);
        plan.write(&files, &folder, &frame, |segment| {
            segment.store(EPOCH, seal(number));
            segment.store(SEGMENTS, seal(plan.segments() as u32));
            segment.set_boot(boot_id());
            segment.store(FLUSHED_AT, now);
            segment.store(TICKET, ticket);
            // Whoever opens it next removes the old files.
            segment.store(PENDING, 1);
            for record in records.iter().flatten() {
                record.write(segment);
            }
        })?;
        files.open_like(&folder, &core.live)
    }
}

impl Catalog {
    /// All that there is, but for removed series and families without any.
    fn contents(&self, now_ns: u64) -> Contents {
        let mut contents = Contents::default();
        contents.series.reserve_exact(self.series_count());
        for twins in self.distinct() {
            let Some(first) = twins.first().filter(|_| !Self::are_removed(twins)) else {
                continue;
            };
            let counts = matches!(
                first.shape(),
                Shape::Counter | Shape::FractionCounter | Shape::Histogram(_) | Shape::Summary
            );
            let cells = if counts { first.entry.cells } else { 0 };
            let sum = |index: u32| {
                twins.iter().fold((index, 0_u64, [0_u64; 2]), |sum, known| {
                    let cell = known.entry.cell + index;
                    let total = known.segment.total(cell);
                    // Each array keeps its parity: the epoch before may still have to be closed.
                    let [even, odd] =
                        [0, 1].map(|parity| epoch::baseline(&known.segment, parity, cell));
                    let baselines = [sum.2[0].wrapping_add(even), sum.2[1].wrapping_add(odd)];
                    (index, sum.1.wrapping_add(total), baselines)
                })
            };
            let gauge = first.segment.cell(0, first.entry.cell);
            contents.series.push(Item {
                name: first.name().to_owned(),
                labels: first.labels.clone(),
                created_ns: first.created_ns,
                shape: first.shape().clone(),
                cells: (0..cells)
                    .map(sum)
                    .filter(|(_, total, baselines)| (*total, *baselines) != (0, [0, 0]))
                    .collect(),
                gauge: matches!(first.shape(), Shape::Gauge).then(|| gauge.load(Ordering::Relaxed)),
            });
        }
        for known in self.families() {
            // The series are sorted by name, as the catalog is.
            let used = contents
                .series
                .binary_search_by(|item| item.name.as_str().cmp(known.name()))
                .is_ok();
            // A family all of whose series were removed goes with them.
            let emptied = !used && self.has_series(known.name());
            if used || (known.is_declared() && !emptied) {
                contents.families.push((known.as_ref().clone(), now_ns));
            }
        }
        contents
    }
}
