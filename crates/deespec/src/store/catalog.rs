//! Which series there are, as far as this process has read them: one list, sorted by name and labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::metric::{Family, LabelSet, Shape};

use super::control::Tail;
use super::error::StoreError;
use super::layout::MAX_SEGMENTS;
use super::registry::{self, BadBlocks, Content, Entry};
use super::segment::Segment;
use super::{Core, DamagedSegment};

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
    /// Of it the name and the shape: a million series may have them in common.
    family: Arc<Family>,
    pub(super) labels: LabelSet,
    pub(super) created_ns: u64,
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
    /// The lowest schema version of a document that can hold every series; those that were removed may come back while it is
    /// written.
    pub(crate) fn version(&self) -> u32 {
        let each = self.distinct().filter_map(<[Known]>::first);
        each.map(|known| known.shape().since()).max().unwrap_or(1)
    }

    pub(crate) fn series_count(&self) -> usize {
        self.distinct().count()
    }

    /// The families, sorted by name.
    pub(crate) fn families(&self) -> impl Iterator<Item = &Arc<Family>> {
        self.families.values()
    }

    /// Whether a family has series, removed ones included.
    pub(super) fn has_series(&self, name: &str) -> bool {
        let same = |known: &Known| known.name().cmp(name);
        self.series.binary_search_by(same).is_ok()
    }

    /// The label sets of a family, but for those of removed series.
    pub(crate) fn label_sets(&self, name: &str) -> impl Iterator<Item = &LabelSet> {
        let first = self.series.partition_point(|known| known.name() < name);
        let same = self.series[first..]
            .iter()
            .take_while(move |known| known.name() == name);
        same.filter(|known| !known.is_removed())
            .map(|known| &known.labels)
    }

    /// Decodes what was added since the last time.
    pub(super) fn update(&mut self, core: &Core) -> Result<(), StoreError> {
        core.attach()?;
        let before = self.series.len();
        let mut later = Vec::new();
        for segment in core.segments() {
            let index = segment.header().index as usize;
            let tail = segment.tail()?;
            if tail.blocks < self.read[index].blocks {
                // The tail was repaired: what was read beyond it is void.
                *self = Self::default();
                return self.update(core);
            }
            let read = self.read[index];
            let scan =
                registry::scan_with(segment, read, tail, true, |entry| match &entry.content {
                    // A later declaration replaces an earlier one.
                    Content::Family(family) => {
                        let name = family.name().to_owned();
                        self.families.insert(name, Arc::new(family.clone()));
                    }
                    Content::Series { name, form, .. } if self.fitting(name, *form).is_some() => {
                        self.add(segment, entry);
                    }
                    // Damage may have made its declaration come behind it.
                    Content::Series { .. } => later.push((Arc::clone(segment), entry)),
                });
            let bad = scan.bad.into_iter();
            self.bad
                .extend(bad.map(|bad| (segment.path().to_owned(), bad)));
            self.read[index] = tail;
        }
        for (segment, entry) in later {
            self.add(&segment, entry);
        }
        if self.series.len() > before {
            self.series.sort_by(|a, b| a.identity().cmp(&b.identity()));
            self.part_with_misfits();
        }
        Ok(())
    }

    /// The declaration of a series of this form. Its own entry may be damaged.
    fn fitting(&self, name: &str, form: registry::Form) -> Option<&Arc<Family>> {
        let fits = |family: &&Arc<Family>| registry::Form::of(family.shape()) == form;
        self.families.get(name).filter(fits)
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
        let family = match self.fitting(&name, form) {
            Some(family) => Arc::clone(family),
            None => Arc::new(form.as_family(&name)),
        };
        let shape = family.shape();
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
            family,
            labels,
            created_ns: entry.created_ns,
            entry: span,
            blocks: entry.blocks,
        });
    }

    /// All entries of one series are stored alike, or else the cells of one would be taken for those of
    /// another.
    fn part_with_misfits(&mut self) {
        let bad = &mut self.bad;
        self.series.dedup_by(|known, first| {
            let same = known.identity() == first.identity();
            let misfit = same && known.shape() != first.shape();
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

    /// The entries of the series of this name that has no labels. It comes before the others of its family.
    pub(super) fn plain(&self, name: &str) -> &[Known] {
        let first = self.series.partition_point(|known| known.name() < name);
        let behind = &self.series[first..];
        let is_other = |known: &Known| known.name() != name || !known.labels.is_empty();
        &behind[..behind.iter().position(is_other).unwrap_or(behind.len())]
    }

    /// The entries of each series. There is one, unless a per-process gauge needed more, or a damaged
    /// index hid it from a registration, which then made a second: the series is all of them.
    pub(super) fn distinct(&self) -> impl Iterator<Item = &[Known]> {
        self.series.chunk_by(|a, b| a.identity() == b.identity())
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
    pub(super) fn name(&self) -> &str {
        self.family.name()
    }

    pub(super) fn shape(&self) -> &Shape {
        self.family.shape()
    }

    /// What tells a series from all others, in their order.
    fn identity(&self) -> (&str, &LabelSet) {
        (self.name(), &self.labels)
    }

    fn is_removed(&self) -> bool {
        let Span { block, cell, cells } = self.entry;
        registry::is_removed(&self.segment, block, cell, cells)
    }
}
