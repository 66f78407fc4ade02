//! Reading: which series there are, and what their cells add up to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::metric::{Family, LabelSet, Processes, Shape, Value};
use crate::sync::Ordering;

use super::control::Tail;
use super::error::StoreError;
use super::layout::MAX_SEGMENTS;
use super::registry::{self, BadBlocks, Content, Entry};
use super::segment::Segment;
use super::{Core, DamagedSegment, Record, epoch};

/// How often a histogram is read at most for one view, while others observe.
const READINGS: u32 = 4;

/// The entries that this process has read so far. They never change, so each is decoded once.
#[derive(Default)]
pub(crate) struct Catalog {
    read: [Tail; MAX_SEGMENTS],
    families: BTreeMap<String, Arc<Family>>,
    /// Sorted by name and labels.
    series: Vec<Known>,
    bad: Vec<(PathBuf, BadBlocks)>,
}

pub(super) struct Known {
    pub(super) segment: Arc<Segment>,
    pub(super) name: String,
    pub(super) labels: LabelSet,
    pub(super) created_ns: u64,
    pub(super) shape: Shape,
    pub(super) entry: Span,
    blocks: u32,
}

/// Where an entry and its cells are.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) block: u32,
    pub(super) cell: u32,
    pub(super) cells: u32,
}

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

    /// The families, sorted by name.
    pub(crate) fn families(&self) -> impl Iterator<Item = &Arc<Family>> {
        self.families.values()
    }

    /// Whether a family has series, removed ones included.
    pub(super) fn has_series(&self, name: &str) -> bool {
        let same = |known: &Known| known.name.as_str().cmp(name);
        self.series.binary_search_by(same).is_ok()
    }

    /// The label sets of a family, but for those of removed series.
    pub(crate) fn label_sets(&self, name: &str) -> impl Iterator<Item = &LabelSet> {
        let first = self
            .series
            .partition_point(|known| known.name.as_str() < name);
        let same = self.series[first..]
            .iter()
            .take_while(move |known| known.name == name);
        same.filter(|known| !known.is_removed())
            .map(|known| &known.labels)
    }

    /// Decodes what was added since the last time.
    fn update(&mut self, core: &Core) -> Result<(), StoreError> {
        core.attach()?;
        let before = self.series.len();
        let mut series = Vec::new();
        for segment in core.segments() {
            let index = segment.header().index as usize;
            let tail = segment.tail()?;
            if tail.blocks < self.read[index].blocks {
                // The tail was repaired: what was read beyond it is void.
                *self = Self::default();
                return self.update(core);
            }
            let scan = registry::scan(segment, self.read[index], tail, true);
            let bad = scan.bad.into_iter();
            self.bad
                .extend(bad.map(|bad| (segment.path().to_owned(), bad)));
            for entry in scan.entries {
                match entry.content {
                    // A later declaration replaces an earlier one.
                    Content::Family(family) => {
                        let name = family.name().to_owned();
                        self.families.insert(name, Arc::new(family));
                    }
                    Content::Series { .. } => series.push((Arc::clone(segment), entry)),
                }
            }
            self.read[index] = tail;
        }
        // Behind all declarations: damage may have made one come after its series.
        for (segment, entry) in series {
            self.add(&segment, entry);
        }
        if self.series.len() > before {
            self.series
                .sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
            self.part_with_misfits();
        }
        Ok(())
    }

    fn add(&mut self, segment: &Arc<Segment>, entry: Entry) {
        let span = Span {
            block: entry.block,
            cell: entry.cell,
            cells: entry.cells,
        };
        let Content::Series { name, labels, form } = entry.content else {
            return;
        };
        // Its own entry may be damaged.
        let fits = |family: &&Arc<Family>| registry::Form::of(family.shape()) == form;
        let family = self.families.get(&name).filter(fits);
        let shape = match family {
            Some(family) => family.shape().clone(),
            None => form.as_family(&name).shape().clone(),
        };
        let readable = entry.cells >= shape.cells()
            && (entry.cells == shape.cells() || form == registry::Form::ProcessGauge);
        if !readable {
            let bad = BadBlocks {
                first: entry.block,
                count: entry.blocks,
            };
            self.bad.push((segment.path().to_owned(), bad));
            return;
        }
        self.series.push(Known {
            segment: Arc::clone(segment),
            name,
            labels,
            created_ns: entry.created_ns,
            shape,
            entry: span,
            blocks: entry.blocks,
        });
    }

    /// All entries of one series are stored alike, or else the cells of one would be taken for those of
    /// another.
    fn part_with_misfits(&mut self) {
        let bad = &mut self.bad;
        self.series.dedup_by(|known, first| {
            let same = (&known.name, &known.labels) == (&first.name, &first.labels);
            let misfit = same && known.shape != first.shape;
            if misfit {
                bad.push((
                    known.segment.path().to_owned(),
                    BadBlocks {
                        first: known.entry.block,
                        count: known.blocks,
                    },
                ));
            }
            misfit
        });
    }

    /// Reads every series against the baseline of an epoch.
    pub(crate) fn values(&self, core: &Core, epoch: u32) -> Result<Vec<SeriesValue>, StoreError> {
        self.collect(core, false, |known, cell| {
            epoch::counted(&known.segment, epoch, cell)
        })
    }

    /// What each series counted in the epoch before `epoch`, from the two baselines.
    pub(crate) fn closing_values(
        &self,
        core: &Core,
        epoch: u32,
    ) -> Result<Vec<SeriesValue>, StoreError> {
        // A removed series may have counted in that epoch.
        self.collect(core, true, |known, cell| {
            epoch::closed(&known.segment, epoch, cell)
        })
    }

    fn collect(
        &self,
        core: &Core,
        removed_too: bool,
        read: impl Fn(&Known, u32) -> (u64, u64),
    ) -> Result<Vec<SeriesValue>, StoreError> {
        let mut all = Vec::with_capacity(self.series.len());
        let mut lives = core.lives();
        for twins in self.distinct() {
            let Some(first) = twins.first() else { continue };
            let removed = Self::are_removed(twins);
            if removed && !removed_too {
                continue;
            }
            let (value, total) = match &first.shape {
                Shape::Counter => {
                    let add = |sum: (u64, u64), known: &Known| {
                        let (value, total) = read(known, known.entry.cell);
                        (sum.0.wrapping_add(value), sum.1.wrapping_add(total))
                    };
                    let (value, total) = twins.iter().fold((0, 0), add);
                    (Value::Counter(value), Value::Counter(total))
                }
                Shape::Histogram(buckets) => {
                    let cells = first.cells(twins, true, &read);
                    (
                        Value::of_histogram(buckets, |cell| cells[cell as usize].0),
                        Value::of_histogram(buckets, |cell| cells[cell as usize].1),
                    )
                }
                Shape::FractionCounter | Shape::Summary => {
                    let is_summary = first.shape == Shape::Summary;
                    let cells = first.cells(twins, false, &read);
                    (
                        Value::of_wide(is_summary, |cell| cells[cell as usize].0),
                        Value::of_wide(is_summary, |cell| cells[cell as usize].1),
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
            if removed && value.to_cells().is_empty() {
                continue;
            }
            all.push(SeriesValue {
                name: first.name.clone(),
                labels: first.labels.clone(),
                created_ns: first.created_ns,
                value,
                total,
            });
        }
        Ok(all)
    }

    /// The entries of each series. There is one, unless a per-process gauge needed more, or a damaged
    /// index hid it from a registration, which then made a second: the series is all of them.
    pub(super) fn distinct(&self) -> impl Iterator<Item = &[Known]> {
        self.series
            .chunk_by(|a, b| (&a.name, &a.labels) == (&b.name, &b.labels))
    }

    /// Whether a series was removed and not counted since.
    pub(super) fn are_removed(twins: &[Known]) -> bool {
        twins.iter().all(Known::is_removed)
    }

    /// A segment of which a part cannot be read.
    pub(super) fn first_damaged(&self) -> Option<&Path> {
        self.bad.first().map(|(path, _)| path.as_path())
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

impl Known {
    fn is_removed(&self) -> bool {
        let Span { block, cell, cells } = self.entry;
        registry::is_removed(&self.segment, block, cell, cells)
    }

    /// Value and total of each cell, over all entries of the series.
    fn cells(
        &self,
        twins: &[Self],
        again: bool,
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
            if !again || cells.first() == Some(&sum(0)) {
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
