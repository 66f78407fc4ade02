//! Reading: what the cells of the series add up to.

use std::sync::{MutexGuard, PoisonError};

use crate::metric::{Kind, LabelSet, Observations, Processes, Shape, Value, WIDE_CELLS};
use crate::sync::Ordering;

use super::catalog::{Catalog, Known, Span};
use super::error::StoreError;
use super::{Core, Record, epoch};

/// How often a histogram is read at most for one view, while others observe.
const READINGS: u32 = 4;

/// One series with what was counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesValue {
    pub(crate) name: String,
    pub(crate) labels: LabelSet,
    pub(crate) created_ns: u64,
    /// Since the epoch began; of a gauge, what it is now.
    pub(crate) value: Value,
    /// Since the series exists; of a gauge, what it is now.
    pub(crate) total: Value,
}

impl Catalog {
    /// Reads every series against the baseline of an epoch, one after the other, as long as `each` goes on.
    pub(crate) fn values<E: From<StoreError>>(
        &self,
        core: &Core,
        epoch: u32,
        each: impl FnMut(SeriesValue) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = |known: &Known, cell| epoch::counted(&known.segment, epoch, cell);
        self.each(core, self.distinct(), false, read, each)
    }

    /// As [`Catalog::values`], of the series with these names and without labels alone.
    pub(crate) fn plain_values<E: From<StoreError>>(
        &self,
        core: &Core,
        epoch: u32,
        names: &[&str],
        each: impl FnMut(SeriesValue) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = |known: &Known, cell| epoch::counted(&known.segment, epoch, cell);
        let named = names.iter().map(|name| self.plain(name));
        self.each(core, named, false, read, each)
    }

    /// What each series counted in the epoch before `epoch`, from the two baselines.
    pub(crate) fn closing_values<E: From<StoreError>>(
        &self,
        core: &Core,
        epoch: u32,
        each: impl FnMut(SeriesValue) -> Result<(), E>,
    ) -> Result<(), E> {
        // A removed series may have counted in that epoch.
        let read = |known: &Known, cell| epoch::closed(&known.segment, epoch, cell);
        self.each(core, self.distinct(), true, read, each)
    }

    fn each<'a, E: From<StoreError>>(
        &'a self,
        core: &Core,
        all: impl Iterator<Item = &'a [Known]>,
        removed_too: bool,
        read: impl Fn(&Known, u32) -> (u64, u64),
        mut each: impl FnMut(SeriesValue) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut lives = core.lives();
        for twins in all {
            let Some(first) = twins.first() else { continue };
            let removed = Self::are_removed(twins);
            if removed && !removed_too {
                continue;
            }
            let (value, total) = match first.shape() {
                Shape::Counter => {
                    let add = |sum: (u64, u64), known: &Known| {
                        let (value, total) = read(known, known.entry.cell);
                        (sum.0.wrapping_add(value), sum.1.wrapping_add(total))
                    };
                    let (value, total) = twins.iter().fold((0, 0), add);
                    (Value::Counter(value), Value::Counter(total))
                }
                Shape::Histogram(buckets) => {
                    let cells = first.cells(twins, 1, &read);
                    (
                        Value::of_histogram(buckets, |cell| cells[cell as usize].0),
                        Value::of_histogram(buckets, |cell| cells[cell as usize].1),
                    )
                }
                Shape::WideHistogram(buckets) => {
                    let cells = first.cells(twins, WIDE_CELLS as usize, &read);
                    (
                        Value::of_wide_histogram(buckets, |cell| cells[cell as usize].0),
                        Value::of_wide_histogram(buckets, |cell| cells[cell as usize].1),
                    )
                }
                Shape::SumGauge => {
                    let totals = first.cells(twins, 0, &read).into_iter();
                    let totals: Vec<u64> = totals.map(|(_, total)| total).collect();
                    // No epoch begins it anew.
                    let now = Value::Sum(Observations::of_cells(&totals).sum);
                    (now.clone(), now)
                }
                Shape::FractionCounter | Shape::Summary => {
                    let is_summary = *first.shape() == Shape::Summary;
                    let (values, totals): (Vec<u64>, Vec<u64>) =
                        first.cells(twins, 0, &read).into_iter().unzip();
                    (
                        Value::of_wide(is_summary, &values),
                        Value::of_wide(is_summary, &totals),
                    )
                }
                Shape::Gauge => {
                    let cell = first.segment.cell(0, first.entry.cell);
                    let now = Value::Gauge(f64::from_bits(cell.load(Ordering::Relaxed)));
                    (now.clone(), now)
                }
                Shape::ProcessGauge(aggregation) => {
                    let mut all = Processes::none(*aggregation);
                    for known in twins {
                        let Span { cell, cells, .. } = known.entry;
                        lives.join(&mut all, &known.segment, cell, cells)?;
                    }
                    (Value::Processes(all), Value::Processes(all))
                }
                Shape::Info => (Value::Info, Value::Info),
            };
            // A gauge did not count anything, whatever it is.
            if removed && (value.kind() == Kind::Gauge || value.to_cells().is_empty()) {
                continue;
            }
            each(SeriesValue {
                name: first.name().to_owned(),
                labels: first.labels.clone(),
                created_ns: first.created_ns,
                value,
                total,
            })?;
        }
        Ok(())
    }
}

impl Known {
    /// Value and total of each cell, over all entries of the series. The first so many are to stay as they are while the
    /// others are read.
    fn cells(
        &self,
        twins: &[Self],
        steady: usize,
        read: &impl Fn(&Self, u32) -> (u64, u64),
    ) -> Vec<(u64, u64)> {
        // Each cell is read once, so that value and total are of the same moment.
        let sum = |cell: u32| {
            twins.iter().fold((0_u64, 0_u64), |sum, known| {
                let (value, total) = read(known, known.entry.cell + cell);
                (sum.0.wrapping_add(value), sum.1.wrapping_add(total))
            })
        };
        let mut cells: Vec<(u64, u64)> = Vec::new();
        for _ in 0..READINGS {
            cells.clear();
            cells.extend((0..self.entry.cells).map(sum));
            // Else the buckets may hold observations that came after the sum was read.
            if (0..)
                .zip(cells.iter().take(steady))
                .all(|(cell, was)| *was == sum(cell))
            {
                break;
            }
        }
        cells
    }
}

impl Core {
    /// The series that there are now.
    pub(crate) fn catalog(&self) -> Result<MutexGuard<'_, Catalog>, StoreError> {
        let catalog = &self.own.get().catalog;
        let mut catalog = catalog.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// A number that changes when a cell or the epoch changes: a digest of all cells in use. A plain
    /// sum would stay the same when two gauges change places.
    pub(crate) fn state(&self) -> Result<u64, StoreError> {
        self.attach()?;
        let mut state = mix(u64::from(epoch::current(&self.first)?));
        for segment in self.segments() {
            let cells = segment.tail()?.cells;
            for cell in 0..cells {
                state = state.wrapping_add(mix(segment.total(cell) ^ u64::from(cell) << 32));
            }
            state = mix(state.wrapping_add(u64::from(cells)));
        }
        Ok(state)
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

/// Spreads each bit of a number over all bits (SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers that the published SplitMix64 gives for the seed 0: each is the mixture of the
    /// next multiple of its increment.
    #[test]
    fn bits_are_spread_as_published() {
        let increment = 0x9e37_79b9_7f4a_7c15_u64;
        let first = [
            0xe220_a839_7b1d_cdaf,
            0x6e78_9e6a_a1b9_65f4,
            0x06c4_5d18_8009_454f,
        ];
        assert_eq!([0, 1, 2].map(|n| mix(increment.wrapping_mul(n))), first);
    }
}
