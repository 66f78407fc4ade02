//! Reading: which series there are, and what their cells add up to.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::metric::{Kind, Labels};
use crate::sync::Ordering;

use super::control::Tail;
use super::error::StoreError;
use super::layout::MAX_SEGMENTS;
use super::registry::{self, BadBlocks, Series};
use super::segment::Segment;
use super::{Core, Record, epoch};

/// The series that this process has read so far. Entries never change, so each is decoded once.
#[derive(Default)]
pub(crate) struct Catalog {
    read: [Tail; MAX_SEGMENTS],
    /// Sorted by name and labels.
    series: Vec<Known>,
    bad: Vec<(usize, BadBlocks)>,
}

struct Known {
    segment: Arc<Segment>,
    series: Series,
}

/// One series with what was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesValue {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) kind: Kind,
    pub(crate) created_ns: u64,
    /// Since the epoch began.
    pub(crate) value: u64,
    /// Since the series exists.
    pub(crate) total: u64,
}

/// A damaged part of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkippedBlocks {
    pub(crate) path: PathBuf,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Catalog {
    pub(crate) fn series_count(&self) -> usize {
        self.series.len()
    }

    /// Decodes what was added since the last time.
    fn update(&mut self, core: &Core) -> Result<(), StoreError> {
        core.attach()?;
        let before = self.series.len();
        for (index, segment) in core.segments().enumerate() {
            let tail = segment.tail()?;
            if tail.blocks < self.read[index].blocks {
                // The tail was repaired: what was read beyond it is void.
                *self = Self::default();
                return self.update(core);
            }
            let scan = registry::scan(segment, self.read[index], tail.blocks, true);
            self.bad
                .extend(scan.bad.into_iter().map(|bad| (index, bad)));
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
        let one = |known: &Known| {
            let (value, total) = value(known);
            let series = &known.series;
            SeriesValue {
                name: series.name.clone(),
                labels: series.labels.clone(),
                kind: series.kind,
                created_ns: series.created_ns,
                value,
                total,
            }
        };
        self.series.iter().map(one).collect()
    }

    /// The damaged parts of the registry.
    pub(crate) fn skipped(&self, core: &Core) -> Vec<SkippedBlocks> {
        let path = |index: usize| core.live.join(Segment::file_name(index as u32));
        self.bad
            .iter()
            .map(|&(index, bad)| SkippedBlocks {
                path: path(index),
                first: bad.first,
                count: bad.count,
            })
            .collect()
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
