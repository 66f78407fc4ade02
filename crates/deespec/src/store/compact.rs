//! Compaction: building a store anew that nobody has open. The new files are complete before they
//! change places with the old ones, at once.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::metric::{LabelSet, Shape};
use crate::sync::Ordering;

use super::build::{CellHeld, Contents, Frame, Held, Plan};
use super::catalog::{Catalog, Known};
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
        let catalog = core.catalog()?;
        if let Some(path) = catalog.first_damaged() {
            let reason = "a part of its registry cannot be read, and compacting would drop it";
            return Err(StoreError::damaged(path, reason));
        }
        let now = core.now_ns();
        let number = epoch::current(&core.first)?;
        let contents = catalog.contents(now);
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

/// All entries of a series that is there, of which there is one at least.
struct Twins<'a> {
    first: &'a Known,
    all: &'a [Known],
}

impl Held for Twins<'_> {
    fn name(&self) -> &str {
        self.first.name()
    }

    fn labels(&self) -> &LabelSet {
        &self.first.labels
    }

    fn created_ns(&self) -> u64 {
        self.first.created_ns
    }

    fn shape(&self) -> &Shape {
        self.first.shape()
    }

    /// Nobody counts meanwhile: the store is open here alone.
    fn cells(&self) -> Cow<'_, [CellHeld]> {
        let cells = match self.shape() {
            Shape::Gauge | Shape::ProcessGauge(_) | Shape::Info => 0,
            Shape::Counter
            | Shape::FractionCounter
            | Shape::SumGauge
            | Shape::Histogram(_)
            | Shape::WideHistogram(_)
            | Shape::Summary => self.first.entry.cells,
        };
        let add = |sum: CellHeld, known: &Known| {
            let (index, total, baselines) = sum;
            let cell = known.entry.cell + index;
            // Each array keeps its parity: the epoch before may still have to be closed.
            let [even, odd] = [0, 1].map(|parity| epoch::baseline(&known.segment, parity, cell));
            (
                index,
                total.wrapping_add(known.segment.total(cell)),
                [
                    baselines[0].wrapping_add(even),
                    baselines[1].wrapping_add(odd),
                ],
            )
        };
        let each = (0..cells).map(|index| self.all.iter().fold((index, 0, [0, 0]), add));
        each.filter(|(_, total, baselines)| (*total, *baselines) != (0, [0, 0]))
            .collect()
    }

    fn gauge(&self) -> Option<u64> {
        let gauge = self.first.segment.cell(0, self.first.entry.cell);
        matches!(self.shape(), Shape::Gauge).then(|| gauge.load(Ordering::Relaxed))
    }
}

impl Catalog {
    /// All that there is, but for removed series and families without any.
    fn contents(&self, now_ns: u64) -> Contents<Twins<'_>> {
        let mut contents = Contents {
            families: Vec::new(),
            series: Vec::with_capacity(self.series_count()),
        };
        for all in self.distinct() {
            if let Some(first) = all.first()
                && !Self::are_removed(all)
            {
                contents.series.push(Twins { first, all });
            }
        }
        for known in self.families() {
            // The series are sorted by name, as the catalog is.
            let used = contents
                .series
                .binary_search_by(|item| item.name().cmp(known.name()))
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
