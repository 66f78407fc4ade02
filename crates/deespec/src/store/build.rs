//! Building the segments of a store from a list of what it is to hold: a new store and its seed, or
//! a compacted one. The first segment comes last: with it the store exists.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::metric::{Family, Key, LabelSet, OVERFLOW_LABEL, Shape, TRANSACTIONS, Value};
use crate::sync::Ordering;

use super::Amount;
use super::error::StoreError;
use super::files::Files;
use super::identity::StoreId;
use super::layout::{Consent, FORMAT_VERSION, Geometry, Header, MAX_SEGMENTS};
use super::register::borrowed;
use super::registry::{self, Form, NewEntry};
use super::segment::Segment;

/// A series with all that its cells are to hold, wherever its parts are kept: there may be a million of them.
pub(super) trait Held {
    fn name(&self) -> &str;
    fn labels(&self) -> &LabelSet;
    fn created_ns(&self) -> u64;
    fn shape(&self) -> &Shape;
    /// For each cell that is not 0: its total, and its baselines of even and of odd epochs.
    fn cells(&self) -> Cow<'_, [CellHeld]>;
    /// What the one cell of a shared gauge holds.
    fn gauge(&self) -> Option<u64>;
}

/// The number of a cell, its total, and its baselines of even and of odd epochs.
pub(super) type CellHeld = (u32, u64, [u64; 2]);

/// A series that is not in a store yet.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) labels: LabelSet,
    pub(super) created_ns: u64,
    pub(super) shape: Shape,
    pub(super) cells: Vec<CellHeld>,
    pub(super) gauge: Option<u64>,
}

impl Held for Item {
    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &LabelSet {
        &self.labels
    }

    fn created_ns(&self) -> u64 {
        self.created_ns
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn cells(&self) -> Cow<'_, [CellHeld]> {
        Cow::Borrowed(&self.cells)
    }

    fn gauge(&self) -> Option<u64> {
        self.gauge
    }
}

/// All that a store is to hold.
#[derive(Debug)]
pub(super) struct Contents<S> {
    /// Each with the time of its creation. Series whose family is not among them get one.
    pub(super) families: Vec<(Family, u64)>,
    /// Every series, in any order.
    pub(super) series: Vec<S>,
}

impl Contents<Item> {
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
            shape: amount.value.shape(),
            cells: amount
                .value
                .to_cells()
                .into_iter()
                .map(|(cell, value)| (cell, value, [0, 0]))
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
    pub(super) consent: Consent,
    pub(super) created_ns: u64,
}

/// One entry. Its key is made when it is needed: that of a million series would fill a third of a gigabyte.
enum Prepared<'a, S> {
    /// There are few, and they would make room for themselves in each series.
    Family(Box<PreparedFamily<'a>>),
    Series(&'a S),
}

struct PreparedFamily<'a> {
    family: Cow<'a, Family>,
    created_ns: u64,
    /// How many series it has.
    count: u64,
}

impl<S: Held> Prepared<'_, S> {
    fn key(&self) -> Key {
        match self {
            Self::Family(it) => Key::of_family(it.family.name()),
            Self::Series(item) => Key::new(item.name(), &borrowed(item.labels())),
        }
    }

    fn entry<'a>(&self, key: &'a Key, id: StoreId) -> NewEntry<'a> {
        let hash = key.hash(id.0);
        match self {
            Self::Family(it) => NewEntry::family(key, hash, &it.family, it.created_ns),
            Self::Series(item) => {
                let (form, cells) = (Form::of(item.shape()), item.shape().cells());
                NewEntry::series(key, hash, form, cells, item.created_ns())
            }
        }
    }

    /// Appends the entry and fills its cells.
    fn write(&self, segment: &Segment, id: StoreId, live: &Path) -> Result<(), StoreError> {
        let place = registry::append(segment, &self.entry(&self.key(), id))?
            .ok_or_else(|| StoreError::damaged(live, "a segment is smaller than was reckoned"))?;
        match self {
            Self::Family(it) => {
                registry::state(segment, place.block).store(it.count, Ordering::Relaxed);
            }
            Self::Series(item) => {
                for &(index, total, baselines) in &*item.cells() {
                    if index >= place.cells {
                        // The next cells are those of another series.
                        let reason = format!("{} has no cell {index}", item.name());
                        return Err(StoreError::damaged(live, reason));
                    }
                    let cell = place.cell + index;
                    segment.ledger(cell).store(total, Ordering::Relaxed);
                    for (parity, baseline) in [0, 1].into_iter().zip(baselines) {
                        segment
                            .baseline(parity, cell)
                            .store(baseline, Ordering::Relaxed);
                    }
                }
                if let Some(bits) = item.gauge() {
                    segment.cell(0, place.cell).store(bits, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
}

/// How many series count towards their family's limit.
fn count(series: &[&impl Held]) -> u64 {
    let counts = |item: &&&_| !Held::labels(**item).contains_key(OVERFLOW_LABEL);
    series.iter().filter(counts).count() as u64
}

/// How many segments the contents need.
pub(super) struct Plan<'a, S> {
    shares: Vec<Vec<Prepared<'a, S>>>,
}

impl<'a, S: Held> Plan<'a, S> {
    pub(super) fn new(contents: &'a Contents<S>, frame: &Frame) -> Self {
        let mut of: HashMap<&str, Vec<&S>> = HashMap::new();
        for item in &contents.series {
            of.entry(item.name()).or_default().push(item);
        }
        let mut shares = vec![Vec::new()];
        let (mut blocks, mut cells) = (0, 0);
        let mut place = |prepared: Prepared<'a, S>| {
            let key = prepared.key();
            let entry = prepared.entry(&key, frame.id);
            let (needs, takes) = (entry.blocks(), entry.cells());
            // One that is larger than the next segment goes to a later one, which is larger still.
            loop {
                let geometry = Geometry::of(shares.len() as u32 - 1, frame.stripes);
                let fits = blocks + needs <= geometry.blocks() && cells + takes <= geometry.cells;
                // Beyond the last segment nothing is written any more.
                if fits || shares.len() > MAX_SEGMENTS {
                    break;
                }
                (blocks, cells) = (0, 0);
                shares.push(Vec::new());
            }
            (blocks, cells) = (blocks + needs, cells + takes);
            if let Some(share) = shares.last_mut() {
                share.push(prepared);
            }
        };
        let mut add = |family: Cow<'a, Family>, created_ns, series: Vec<&'a S>| {
            let count = count(&series);
            place(Prepared::Family(Box::new(PreparedFamily {
                family,
                created_ns,
                count,
            })));
            for item in series {
                place(Prepared::Series(item));
            }
        };
        for (family, created_ns) in &contents.families {
            let series = of.remove(family.name()).unwrap_or_default();
            add(Cow::Borrowed(family), *created_ns, series);
        }
        // In the order of the contents: building twice gives the same.
        for item in &contents.series {
            if let Some(series) = of.remove(item.name()) {
                let family = Family::implicit(item.name(), item.shape().clone());
                add(Cow::Owned(family), item.created_ns(), series);
            }
        }
        Self { shares }
    }

    pub(super) fn segments(&self) -> usize {
        self.shares.len()
    }

    fn series(&self) -> usize {
        let all = self.shares.iter().flatten();
        all.filter(|one| matches!(one, Prepared::Series(_))).count()
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
                series: self.series(),
            });
        }
        let mut control = Some(control);
        let mut first = None;
        for (index, share) in self.shares.iter().enumerate().rev() {
            let header = Header {
                index: index as u32,
                store_id: frame.id.0,
                geometry: Geometry::of(index as u32, frame.stripes),
                consent: frame.consent,
                created_ns: frame.created_ns,
                version: FORMAT_VERSION,
            };
            let path = live.join(Segment::file_name(header.index));
            first = Some(Segment::create(files, &path, header, |segment| {
                for prepared in share {
                    prepared.write(segment, frame.id, live)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Buckets;
    use crate::store::registry::{Content, scan};

    fn item(name: &str, shape: Shape) -> Item {
        Item {
            name: name.to_owned(),
            labels: LabelSet::default(),
            created_ns: 7,
            shape,
            cells: Vec::new(),
            gauge: None,
        }
    }

    fn frame() -> Frame {
        Frame {
            id: StoreId([1, 2]),
            stripes: 1,
            consent: Consent::default(),
            created_ns: 9,
        }
    }

    /// Writes the contents into a folder; gives the first segment.
    fn build(contents: &Contents<Item>) -> Result<Segment, StoreError> {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned(), None);
        Plan::new(contents, &frame()).write(&files, folder.path(), &frame(), |_| {})
    }

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn each_baseline_array_keeps_its_parity() {
        let counter = Item {
            cells: vec![(0, 9, [4, 5])],
            ..item("a_total", Shape::Counter)
        };
        let contents = Contents {
            families: Vec::new(),
            series: vec![counter],
        };
        let segment = build(&contents).unwrap();
        let held = [4, 5, 9];
        let found = [
            segment.baseline(0, 0),
            segment.baseline(1, 0),
            segment.ledger(0),
        ];
        assert_eq!(found.map(|cell| cell.load(Ordering::Relaxed)), held);
    }

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn a_series_without_a_family_gets_one() {
        let contents = Contents {
            families: vec![(Family::implicit("a_total", Shape::Counter), 3)],
            series: vec![item("a_total", Shape::Counter), item("b", Shape::Info)],
        };
        let segment = build(&contents).unwrap();
        let (from, to) = (Default::default(), segment.tail().unwrap());
        let entries = scan(&segment, from, to, true).entries.into_iter();
        let names: Vec<_> = entries
            .map(|entry| match entry.content {
                Content::Family(family) => format!("family {}", family.name()),
                Content::Series { name, .. } => name,
            })
            .collect();
        assert_eq!(names, ["family a_total", "a_total", "family b", "b"]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn a_value_for_a_cell_that_the_series_does_not_have_is_refused() {
        let thief = Item {
            cells: vec![(1, 9, [0, 0])],
            ..item("a_total", Shape::Counter)
        };
        let contents = Contents {
            families: Vec::new(),
            series: vec![thief, item("b_total", Shape::Counter)],
        };
        let error = build(&contents).err().unwrap().to_string();
        assert!(error.ends_with("a_total has no cell 1"), "{error}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn what_no_store_holds_is_refused_before_a_file_is_made() {
        // Two of them do not fit into a segment of 8,192 cells.
        let buckets = Buckets::native(8, 1.0, 60_000.0).unwrap();
        let shape = Shape::Histogram(buckets);
        assert!(shape.cells() > 4000);
        let names = 0..11_184_640 / shape.cells() + 1;
        let series = names.map(|number| item(&format!("h{number}"), shape.clone()));
        let contents = Contents {
            families: Vec::new(),
            series: series.collect(),
        };
        let error = build(&contents).err().unwrap();
        let count = contents.series.len();
        assert!(
            matches!(error, StoreError::Full { series, .. } if series == count),
            "{error}"
        );
    }
}
