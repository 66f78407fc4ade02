//! The operations that `steps` and `errors` interrupt: the store that each begins with, the
//! operation itself, and which states are lawful after it was interrupted and repaired.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deespec::{
    Buckets, Document, Family, FaultInjector, Import, Options, Retention, Rotate, Store,
};

use crate::Result;
use crate::audit::{Audit, History, Values, audit, labelled, values};
use crate::opening;

/// What is counted in each prepared store before the operation: the first epoch is closed.
const SUCCESS: [u64; 2] = [5, 2];
const ITEMS: [u64; 2] = [7, 1];
/// What the process that is interrupted counts before it begins the operation.
const BEFORE: u64 = 4;
/// What the documents hold that are taken over or imported.
const GIVEN: u64 = 142;
const GIVEN_ITEMS: u64 = 50;
/// Series of a document that does not fit into one segment, and of a segment that is nearly full.
const MANY: usize = 700;
const NEARLY: usize = 500;
/// Series that are registered across the border of two segments.
const NEW: usize = 24;
const ITEM: (&str, &[(&str, &str)]) = ("items_total", &[("kind", "a")]);
/// A series that is removed, and what it counts until then.
const GONE: (&str, u64) = ("gone_total", 3);
/// The labels of a new series in a family that there is.
const REGISTERED: &[(&str, &str)] = &[("kind", "b")];
/// A family that is declared; the item's is declared anew.
const DECLARED: &str = "new_seconds";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Create,
    TakeOver,
    TakeOverLarge,
    Grow,
    Rotate,
    RotateAndPrune,
    RotateKeep,
    Snapshot,
    Restore,
    Import,
    Sync,
    Prune,
    Remove,
    Compact,
    Declare,
    Register,
}

/// Those that only write into memory that is mapped.
pub(crate) const IN_MEMORY: [Scenario; 2] = [Scenario::Declare, Scenario::Register];

/// Those that use the disk.
pub(crate) const ALL: [Scenario; 14] = [
    Scenario::Create,
    Scenario::TakeOver,
    Scenario::TakeOverLarge,
    Scenario::Grow,
    Scenario::Rotate,
    Scenario::RotateAndPrune,
    Scenario::RotateKeep,
    Scenario::Snapshot,
    Scenario::Restore,
    Scenario::Import,
    Scenario::Sync,
    Scenario::Prune,
    Scenario::Remove,
    Scenario::Compact,
];

pub(crate) fn store_in(folder: &Path) -> PathBuf {
    folder.join("var")
}

fn input_in(folder: &Path) -> PathBuf {
    folder.join("input.json")
}

pub(crate) fn options(faults: Option<Arc<dyn FaultInjector>>) -> Options {
    let options = opening::options().stripes(2);
    match faults {
        Some(faults) => options.faults(faults),
        None => options,
    }
}

impl Scenario {
    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        let mut all = ALL.into_iter().chain(IN_MEMORY);
        all.find(|scenario| scenario.name() == name)
    }

    /// Whether the operation is the making of the store, so that it begins with the opening.
    pub(crate) fn creates(self) -> bool {
        matches!(self, Self::Create | Self::TakeOver | Self::TakeOverLarge)
    }

    /// Whether the operation ends with the opening, so that it begins before there is a handle.
    pub(crate) fn opens(self) -> bool {
        self.creates() || self == Self::Compact
    }

    /// Opens the store; where the operation is the opening, this is its beginning.
    pub(crate) fn open(self, options: &Options, folder: &Path) -> deespec::Result<Store> {
        let root = store_in(folder);
        if self == Self::Compact {
            options.compact(&root)?;
        }
        options.open(&root)
    }

    /// Makes the store that the operation begins with, and the document that it reads.
    pub(crate) fn prepare(self, folder: &Path) -> Result<()> {
        let root = store_in(folder);
        match self {
            Self::Create => return Ok(()),
            Self::TakeOver | Self::TakeOverLarge => {
                let text = given(if self == Self::TakeOver { 1 } else { MANY });
                fs::create_dir_all(&root)?;
                fs::write(input_in(folder), &text)?;
                return Ok(fs::write(root.join("metrics.json"), &text)?);
            }
            Self::Import => fs::write(input_in(folder), given(1))?,
            _ => {}
        }
        let store = options(None).open(&root)?;
        let four = store.transactions();
        let item = store.counter_with(ITEM.0, ITEM.1)?;
        four.success.add(SUCCESS[0]);
        item.add(ITEMS[0]);
        let closed = store.rotate(Rotate::Reset)?;
        if self == Self::Restore {
            fs::copy(closed.path, input_in(folder))?;
        }
        four.success.add(SUCCESS[1]);
        item.add(ITEMS[1]);
        store.snapshot()?;
        store.snapshot()?;
        if self == Self::Grow {
            for index in 0..NEARLY {
                store.counter_with("old", &[("i", &index.to_string())])?;
            }
        }
        if matches!(self, Self::Remove | Self::Compact) {
            store.counter(GONE.0)?.add(GONE.1);
        }
        if self == Self::Compact {
            self.count_before(&store);
            store.remove(GONE.0, &[])?;
        }
        Ok(())
    }

    /// What is counted before the operation, by the process that is interrupted in it.
    pub(crate) fn count_before(self, store: &Store) {
        store.transactions().success.add(BEFORE);
    }

    /// The operation. It may be done again after it was interrupted.
    pub(crate) fn perform(self, store: &Store, folder: &Path) -> Result<()> {
        let keep_one = Retention::default().max_count(1);
        match self {
            Self::Create | Self::TakeOver | Self::TakeOverLarge | Self::Sync | Self::Compact => {
                store.sync()?;
            }
            Self::Declare => {
                store.declare(&declared())?;
                store.redeclare(&Family::counter(ITEM.0).with_help("Items."))?;
            }
            Self::Remove => drop(store.remove(GONE.0, &[])?),
            Self::Register => drop(store.counter_with(ITEM.0, REGISTERED)?),
            Self::Grow => {
                for index in 0..NEW {
                    let counter = store.counter(&new_name(index))?;
                    if store.view()?.value(&new_name(index), &[]) == Some(0) {
                        counter.inc();
                    }
                }
            }
            Self::Rotate => drop(store.rotate(Rotate::Reset)?),
            Self::RotateAndPrune => {
                store.rotate_because(Rotate::Reset, "proof", &keep_one)?;
            }
            Self::RotateKeep => drop(store.rotate(Rotate::KeepCounters)?),
            Self::Snapshot => drop(store.snapshot()?),
            Self::Restore => drop(store.restore(&input_in(folder), "proof", false)?),
            Self::Import => drop(store.import(&input_in(folder), false)?),
            Self::Prune => drop(store.prune(&keep_one)?),
        }
        Ok(())
    }

    /// Counts the store again.
    pub(crate) fn audit(self, folder: &Path) -> Result<Audit> {
        let mut ignored = Vec::new();
        let restored: Option<Values> = match self {
            Self::Restore => Some(values(&Document::read(&input_in(folder))?, &mut ignored)),
            _ => None,
        };
        let history = History {
            restored: restored.as_ref(),
            unmade: self.creates(),
            pruned: matches!(self, Self::RotateAndPrune | Self::Prune),
            removed: None,
        };
        Ok(audit(&store_in(folder), &history))
    }

    /// Whether the state is lawful after the operation was interrupted and repaired: it is done
    /// whole or not at all, and nothing is lost or counted twice.
    pub(crate) fn check(self, folder: &Path) -> Result<Vec<String>> {
        let mut audit = self.audit(folder)?;
        if !audit.violations.is_empty() {
            return Ok(audit.violations);
        }
        let item = labelled(ITEM.0, "kind", "a");
        let old = (SUCCESS[1] + BEFORE, ITEMS[1]);
        let now = pair(&audit.current, &item);
        let added = audit.count("given_0_total") > 0;
        let mut lawful = vec![(2, old)];
        match self {
            Self::Create => lawful = vec![(1, (0, 0))],
            Self::TakeOver | Self::TakeOverLarge => lawful = vec![(1, (GIVEN, 0))],
            Self::Rotate | Self::RotateAndPrune => lawful.push((3, (0, 0))),
            Self::Restore => lawful.push((3, (SUCCESS[0], ITEMS[0]))),
            Self::Import if added => lawful = vec![(2, (old.0 + GIVEN, old.1))],
            _ => {}
        }
        if !lawful.contains(&(audit.epoch, now)) {
            let (epoch, violations) = (audit.epoch, &mut audit.violations);
            violations.push(format!(
                "epoch {epoch} counts {now:?}, lawful is {lawful:?}"
            ));
        }
        if let Some(closing) = audit.closed.get(&2)
            && pair(closing, &item) != old
        {
            let closing = pair(closing, &item);
            audit
                .violations
                .push(format!("epoch 2 was closed with {closing:?}, not {old:?}"));
        }
        let mut violations = audit.violations;
        self.repeat(folder, &audit.counted, &mut violations)?;
        let given = if added { 1 } else { 0 };
        violations.extend(self.check_sums(folder, given, 0)?);
        Ok(violations)
    }

    /// As [`Scenario::check`], after the process that repaired was to rotate as well: what each
    /// epoch counts depends on where it was killed, the sums do not.
    pub(crate) fn check_rotated(self, folder: &Path) -> Result<Vec<String>> {
        let audit = self.audit(folder)?;
        let mut violations = audit.violations;
        let given = u64::from(audit.counted.contains_key("given_0_total"));
        if violations.is_empty() {
            self.repeat(folder, &audit.counted, &mut violations)?;
            violations.extend(self.check_sums(folder, given, 0)?);
        }
        Ok(violations)
    }

    /// Makes a store that was to begin with a large document from a small one, unless it is made
    /// already, and fills it beyond its first segment.
    pub(crate) fn make_otherwise(folder: &Path) -> Result<Vec<String>> {
        let root = store_in(folder);
        if root.join("live/segment-0000").exists() {
            return Ok(Vec::new());
        }
        fs::write(root.join("metrics.json"), given(1))?;
        let store = options(None).open(&root)?;
        for index in 0..MANY {
            store.counter(&new_name(index))?.inc();
        }
        drop(store);
        let audit = Self::TakeOver.audit(folder)?;
        let mut violations = audit.violations;
        let names = (0..MANY).map(new_name);
        let lost = names.filter(|name| audit.counted.get(name) != Some(&1));
        violations.extend(lost.map(|name| format!("{name} is lost")));
        Ok(violations)
    }

    /// Repeats the operation where that must change nothing, or must complete it.
    fn repeat(self, folder: &Path, counted: &Values, violations: &mut Vec<String>) -> Result<()> {
        let store = options(None).open(store_in(folder))?;
        match self {
            Self::TakeOver | Self::TakeOverLarge => {
                let again = store.import(&input_in(folder), false)?;
                if !matches!(again, Import::Already { .. }) {
                    violations.push("what was taken over could be imported again".into());
                }
            }
            // A registration is completed by doing it again.
            Self::Grow => {
                for name in (0..NEW).map(new_name) {
                    let counter = store.counter(&name)?;
                    if counted.get(&name).is_none_or(|count| *count == 0) {
                        counter.inc();
                    }
                }
            }
            Self::Declare => {
                self.perform(&store, folder)?;
                if store.family(DECLARED) != Some(declared()) {
                    violations.push("a family is not what was declared".into());
                }
                store.histogram(DECLARED)?.observe(0.5);
            }
            Self::Register => {
                let counter = store.counter_with(ITEM.0, REGISTERED)?;
                if store.view()?.value(ITEM.0, REGISTERED) == Some(0) {
                    counter.inc();
                }
            }
            Self::Remove => {
                self.perform(&store, folder)?;
                if store.view()?.value(GONE.0, &[]).is_some() {
                    violations.push("a series was removed and is there".into());
                }
            }
            Self::Prune => {
                self.perform(&store, folder)?;
                let left = store.snapshots()?.len();
                if left != 1 {
                    violations.push(format!("{left} snapshots are left instead of one"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether all epochs together count exactly what was counted; `given` is how often the
    /// document was added at least, `more` what the caller counted on top.
    pub(crate) fn check_sums(self, folder: &Path, given: u64, more: u64) -> Result<Vec<String>> {
        let given = match self {
            Self::Import => {
                if given == 0 {
                    let store = options(None).open(store_in(folder))?;
                    self.perform(&store, folder)?;
                }
                let store = options(None).open(store_in(folder))?;
                self.perform(&store, folder)?;
                1
            }
            Self::TakeOver | Self::TakeOverLarge => 1,
            _ => 0,
        };
        let mut audit = self.audit(folder)?;
        let counted_before = u64::from(!self.creates());
        let base = counted_before * (SUCCESS[0] + SUCCESS[1] + BEFORE);
        let mut expected = vec![
            ("commit_success".to_owned(), base + given * GIVEN + more),
            ("commit_failed".to_owned(), given * 3),
            (
                labelled(ITEM.0, "kind", "a"),
                counted_before * (ITEMS[0] + ITEMS[1]),
            ),
        ];
        let many = if self == Self::TakeOverLarge { MANY } else { 1 };
        expected.extend((0..many).map(|i| (format!("given_{i}_total"), given * GIVEN_ITEMS)));
        if self == Self::Grow {
            expected.extend((0..NEW).map(|index| (new_name(index), 1)));
        }
        if self == Self::Register {
            expected.push((labelled(ITEM.0, "kind", "b"), 1));
        }
        for (key, expected) in expected {
            let found = audit.count(&key);
            if found != expected {
                audit
                    .violations
                    .push(format!("{key} counts {found} instead of {expected}"));
            }
        }
        Ok(audit.violations)
    }
}

fn pair(values: &Values, item: &str) -> (u64, u64) {
    let of = |key: &str| values.get(key).copied().unwrap_or(0);
    (of("commit_success"), of(item))
}

fn declared() -> Family {
    Family::histogram(DECLARED, Buckets::seconds()).with_unit("seconds")
}

fn new_name(index: usize) -> String {
    format!("new_{index}_total")
}

/// A document of another origin with so many series.
fn given(series: usize) -> String {
    let one = |i| format!(r#"{{"name":"given_{i}_total","type":"counter","value":{GIVEN_ITEMS}}}"#);
    let series: Vec<String> = (0..series).map(one).collect();
    format!(
        r#"{{"commit_success":{GIVEN},"commit_failed":3,"last_update":"then","series":[{}]}}"#,
        series.join(",")
    )
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
