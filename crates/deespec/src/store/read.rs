//! Reading: which series there are, and what their cells add up to.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::metric::{Kind, LabelSet};
use crate::sync::Ordering;

use super::control::Tail;
use super::error::StoreError;
use super::layout::MAX_SEGMENTS;
use super::registry::{self, BadBlocks, Series};
use super::segment::Segment;
use super::{Core, DamagedSegment, Record, epoch};

/// The series that this process has read so far. Entries never change, so each is decoded once.
#[derive(Default)]
pub(crate) struct Catalog {
    read: [Tail; MAX_SEGMENTS],
    /// Sorted by name and labels.
    series: Vec<Known>,
    bad: Vec<(PathBuf, BadBlocks)>,
}

struct Known {
    segment: Arc<Segment>,
    series: Series,
}

/// One series with what was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesValue {
    pub(crate) name: String,
    pub(crate) labels: LabelSet,
    pub(crate) kind: Kind,
    pub(crate) created_ns: u64,
    /// Since the epoch began.
    pub(crate) value: u64,
    /// Since the series exists.
    pub(crate) total: u64,
}

/// A part of the store that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// Registry blocks without a readable entry.
    Blocks {
        path: PathBuf,
        first: u32,
        count: u32,
    },
    /// A whole segment.
    Segment(DamagedSegment),
}

impl Catalog {
    pub(crate) fn series_count(&self) -> usize {
        self.distinct().count()
    }

    /// Decodes what was added since the last time.
    fn update(&mut self, core: &Core) -> Result<(), StoreError> {
        core.attach()?;
        let before = self.series.len();
        for segment in core.segments() {
            let index = segment.header().index as usize;
            let tail = segment.tail()?;
            if tail.blocks < self.read[index].blocks {
                // The tail was repaired: what was read beyond it is void.
                *self = Self::default();
                return self.update(core);
            }
            let scan = registry::scan(segment, self.read[index], tail.blocks, true);
            let bad = scan.bad.into_iter();
            self.bad
                .extend(bad.map(|bad| (segment.path().to_owned(), bad)));
            self.series
                .extend(scan.series.into_iter().map(|series| Known {
                    segment: Arc::clone(segment),
                    series,
                }));
            self.read[index] = tail;
        }
        if self.series.len() > before {
            self.series.sort_by(|a, b| {
                (&a.series.name, &a.series.labels).cmp(&(&b.series.name, &b.series.labels))
            });
        }
        Ok(())
    }

    /// Reads every series against the baseline of an epoch.
    pub(crate) fn values(&self, epoch: u32) -> Vec<SeriesValue> {
        let value = |known: &Known| {
            let cell = known.series.cell;
            let total = known.segment.total(cell);
            let baseline = known
                .segment
                .baseline(u64::from(epoch), cell)
                .load(Ordering::Relaxed);
            (total.wrapping_sub(baseline), total)
        };
        self.collect(value)
    }

    /// What each series counted in the epoch before `epoch`, from the two baselines.
    pub(crate) fn closing_values(&self, epoch: u32) -> Vec<SeriesValue> {
        let value = |known: &Known| {
            let baseline = |epoch: u32| {
                let array = known.segment.baseline(u64::from(epoch), known.series.cell);
                array.load(Ordering::Relaxed)
            };
            let end = baseline(epoch);
            (end.wrapping_sub(baseline(epoch.wrapping_sub(1))), end)
        };
        self.collect(value)
    }

    fn collect(&self, value: impl Fn(&Known) -> (u64, u64)) -> Vec<SeriesValue> {
        let one = |twins: &[Known]| {
            let series = &twins.first()?.series;
            let add = |sum: (u64, u64), known| {
                let (value, total) = value(known);
                (sum.0.wrapping_add(value), sum.1.wrapping_add(total))
            };
            let (value, total) = twins.iter().fold((0, 0), add);
            Some(SeriesValue {
                name: series.name.clone(),
                labels: series.labels.clone(),
                kind: series.kind,
                created_ns: series.created_ns,
                value,
                total,
            })
        };
        self.distinct().filter_map(one).collect()
    }

    /// The entries of each series. There is one, unless a damaged index hid it from a registration,
    /// which then made a second: the series is both together.
    fn distinct(&self) -> impl Iterator<Item = &[Known]> {
        self.series.chunk_by(|a, b| {
            (&a.series.name, &a.series.labels) == (&b.series.name, &b.series.labels)
        })
    }

    /// The parts that cannot be read.
    pub(crate) fn skipped(&self, core: &Core) -> Vec<Skipped> {
        let blocks = |(path, bad): &(PathBuf, BadBlocks)| Skipped::Blocks {
            path: path.clone(),
            first: bad.first,
            count: bad.count,
        };
        let segments = core.damaged_segments().cloned().map(Skipped::Segment);
        self.bad.iter().map(blocks).chain(segments).collect()
    }
}

impl Core {
    /// The series that there are now.
    pub(crate) fn catalog(&self) -> Result<MutexGuard<'_, Catalog>, StoreError> {
        let mut catalog = self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        catalog.update(self)?;
        Ok(catalog)
    }

    /// The record of the current epoch. Needs the shared or exclusive lock to stay true.
    pub(crate) fn epoch(&self) -> Result<Record, StoreError> {
        let number = epoch::current(&self.first)?;
        Record::read(&self.first, number).ok_or_else(|| {
            StoreError::damaged(
                self.first.path(),
                format!("the record of epoch {number} is wrong"),
            )
        })
    }

    /// A number that changes whenever a cell or the epoch changes: the sum over all cells in use.
    pub(crate) fn state(&self) -> Result<u64, StoreError> {
        self.attach()?;
        let mut sum = u64::from(epoch::current(&self.first)?) << 32;
        for segment in self.segments() {
            let cells = segment.tail()?.cells;
            sum = (0..cells)
                .map(|cell| segment.total(cell))
                .fold(sum, u64::wrapping_add);
            sum = sum.wrapping_add(u64::from(cells));
        }
        Ok(sum)
    }

    /// How many segments and stripes the store has, and the bytes of disk that they fill.
    pub(crate) fn extent(&self) -> (usize, u32, u64) {
        let bytes = self
            .segments()
            .map(|segment| segment.geometry().bytes())
            .sum();
        (
            self.segments().count(),
            self.first.geometry().stripes,
            bytes,
        )
    }
}
