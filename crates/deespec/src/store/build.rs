//! Building the segments of a store from a list of what it is to hold: a new store and its seed, or
//! a compacted one. The first segment comes last: with it the store exists.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::metric::{Family, Key, LabelSet, OVERFLOW_LABEL, TRANSACTIONS, Value};
use crate::sync::Ordering;

use super::Amount;
use super::error::StoreError;
use super::files::Files;
use super::identity::StoreId;
use super::layout::{Geometry, Header, MAX_SEGMENTS};
use super::register::borrowed;
use super::registry::{self, Form, NewEntry};
use super::segment::Segment;

/// A series with all that its cells are to hold.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) labels: LabelSet,
    pub(super) created_ns: u64,
    /// For each cell that is not 0: its total and its baseline.
    pub(super) cells: Vec<(u32, u64, u64)>,
    /// What the one cell of a shared gauge holds.
    pub(super) gauge: Option<u64>,
}

/// All that a store is to hold.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Each with the time of its creation.
    pub(super) families: Vec<(Family, u64)>,
    /// Every series of these families, in any order.
    pub(super) series: Vec<Item>,
}

impl Contents {
    /// The transactions and the seed of a new store.
    pub(super) fn of_seed(seed: &[Amount], now_ns: u64) -> Self {
        let zero = |name: &&str| Amount {
            name: (*name).to_owned(),
            labels: LabelSet::default(),
            value: Value::Counter(0),
        };
        let given = |name: &&str| {
            let same = |amount: &&Amount| amount.name == *name && amount.labels.is_empty();
            seed.iter().any(|amount| same(&amount))
        };
        let missing = TRANSACTIONS.iter().filter(|name| !given(name)).map(zero);
        let amounts: Vec<Amount> = missing.chain(seed.iter().cloned()).collect();
        let mut families = BTreeMap::new();
        for amount in &amounts {
            let family = || (Family::implicit(&amount.name, amount.value.shape()), now_ns);
            families.entry(amount.name.clone()).or_insert_with(family);
        }
        let series = amounts.into_iter().map(|amount| Item {
            created_ns: now_ns,
            cells: amount
                .value
                .to_cells()
                .into_iter()
                .map(|(cell, value)| (cell, value, 0))
                .collect(),
            gauge: match amount.value {
                Value::Gauge(value) => Some(value.to_bits()),
                _ => None,
            },
            name: amount.name,
            labels: amount.labels,
        });
        Self {
            series: series.collect(),
            families: families.into_values().collect(),
        }
    }
}

/// What all segments of a store have in common.
pub(super) struct Frame {
    pub(super) id: StoreId,
    pub(super) stripes: u32,
    pub(super) any_file_system: bool,
    pub(super) created_ns: u64,
}

/// One entry with its key.
struct Prepared<'a> {
    key: Key,
    hash: u64,
    created_ns: u64,
    what: What<'a>,
}

enum What<'a> {
    /// A family and how many series it has.
    Family(&'a Family, u64),
    Series(&'a Item, Form, u32),
}

impl Prepared<'_> {
    fn entry(&self) -> NewEntry<'_> {
        match self.what {
            What::Family(family, _) => {
                NewEntry::family(&self.key, self.hash, family, self.created_ns)
            }
            What::Series(_, form, cells) => {
                NewEntry::series(&self.key, self.hash, form, cells, self.created_ns)
            }
        }
    }

    /// Appends the entry and fills its cells.
    fn write(&self, segment: &Segment, live: &Path) -> Result<(), StoreError> {
        let place = registry::append(segment, &self.entry())?
            .ok_or_else(|| StoreError::damaged(live, "a segment is smaller than was reckoned"))?;
        match self.what {
            What::Family(_, count) => {
                registry::state(segment, place.block).store(count, Ordering::Relaxed);
            }
            What::Series(item, ..) => {
                for &(index, total, baseline) in &item.cells {
                    let cell = place.cell + index;
                    segment.ledger(cell).store(total, Ordering::Relaxed);
                    for parity in [0, 1] {
                        segment
                            .baseline(parity, cell)
                            .store(baseline, Ordering::Relaxed);
                    }
                }
                if let Some(bits) = item.gauge {
                    segment.cell(0, place.cell).store(bits, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
}

/// How many series count towards their family's limit.
fn count(series: &[&Item]) -> u64 {
    let counts = |item: &&&Item| !item.labels.contains_key(OVERFLOW_LABEL);
    series.iter().filter(counts).count() as u64
}

/// How many segments the contents need.
pub(super) struct Plan<'a> {
    shares: Vec<Vec<Prepared<'a>>>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(contents: &'a Contents, frame: &Frame) -> Self {
        let mut of: HashMap<&str, Vec<&Item>> = HashMap::new();
        for item in &contents.series {
            of.entry(&item.name).or_default().push(item);
        }
        let mut all = Vec::new();
        for (family, created_ns) in &contents.families {
            let series = of.remove(family.name()).unwrap_or_default();
            let key = Key::of_family(family.name());
            all.push(Prepared {
                hash: key.hash(frame.id.0),
                key,
                created_ns: *created_ns,
                what: What::Family(family, count(&series)),
            });
            for item in series {
                let key = Key::new(&item.name, &borrowed(&item.labels));
                let (form, cells) = (Form::of(family.shape()), family.shape().cells());
                all.push(Prepared {
                    hash: key.hash(frame.id.0),
                    key,
                    created_ns: item.created_ns,
                    what: What::Series(item, form, cells),
                });
            }
        }
        let mut shares = vec![Vec::new()];
        let (mut blocks, mut cells) = (0, 0);
        for prepared in all {
            let entry = prepared.entry();
            let (needs, takes) = (entry.blocks(), entry.cells());
            drop(entry);
            // One that is larger than the next segment goes to a later one, which is larger still.
            loop {
                let geometry = Geometry::of(shares.len() as u32 - 1, frame.stripes);
                if blocks + needs <= geometry.blocks() && cells + takes <= geometry.cells {
                    break;
                }
                (blocks, cells) = (0, 0);
                shares.push(Vec::new());
            }
            (blocks, cells) = (blocks + needs, cells + takes);
            if let Some(share) = shares.last_mut() {
                share.push(prepared);
            }
        }
        Self { shares }
    }

    pub(super) fn segments(&self) -> usize {
        self.shares.len()
    }

    /// Makes the segments in `live`, the last one first; `control` fills the control page of the
    /// first, which it gives back.
    pub(super) fn write(
        &self,
        files: &Files,
        live: &Path,
        frame: &Frame,
        control: impl FnOnce(&Segment),
    ) -> Result<Segment, StoreError> {
        if self.segments() > MAX_SEGMENTS {
            return Err(StoreError::Full {
                path: live.to_owned(),
                series: self.shares.iter().map(Vec::len).sum(),
            });
        }
        let mut control = Some(control);
        let mut first = None;
        for (index, share) in self.shares.iter().enumerate().rev() {
            let header = Header {
                index: index as u32,
                store_id: frame.id.0,
                geometry: Geometry::of(index as u32, frame.stripes),
                any_file_system: frame.any_file_system,
                created_ns: frame.created_ns,
            };
            let path = live.join(Segment::file_name(header.index));
            first = Some(Segment::create(files, &path, header, |segment| {
                for prepared in share {
                    prepared.write(segment, live)?;
                }
                if index == 0
                    && let Some(control) = control.take()
                {
                    control(segment);
                }
                Ok(())
            })?);
        }
        first.ok_or_else(|| StoreError::damaged(live, "no segment was made"))
    }
}
