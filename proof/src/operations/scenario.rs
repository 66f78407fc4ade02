//! The operations that `steps` and `errors` interrupt: the store that each begins with, and the
//! operation itself. Which states are lawful after it was interrupted and repaired is in `lawful.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deespec::{Buckets, Family, FaultInjector, Options, Push, Retention, Rotate, Store};

use crate::Result;
use crate::opening;

/// What is counted in each prepared store before the operation: the first epoch is closed.
pub(super) const SUCCESS: [u64; 2] = [5, 2];
pub(super) const ITEMS: [u64; 2] = [7, 1];
/// What the process that is interrupted counts before it begins the operation.
pub(super) const BEFORE: u64 = 4;
/// What the documents hold that are taken over or imported.
pub(super) const GIVEN: u64 = 142;
pub(super) const GIVEN_ITEMS: u64 = 50;
/// Series of a document that does not fit into one segment, and of a segment that is nearly full.
pub(super) const MANY: usize = 700;
const NEARLY: usize = 500;
/// Series that are registered across the border of two segments.
pub(super) const NEW: usize = 24;
pub(super) const ITEM: (&str, &[(&str, &str)]) = ("items_total", &[("kind", "a")]);
/// What pushes count in a series of their own, and in one that programs count as well.
pub(super) const PUSHED: &str = "pushed_total";
pub(super) const PUSHED_ITEMS: u64 = 9;
/// More bytes than the record of epochs may have.
const RECORD: usize = 4 << 20;
/// A series that is removed, and what it counts until then.
pub(super) const GONE: (&str, u64) = ("gone_total", 3);
/// The labels of a new series in a family that there is.
pub(super) const REGISTERED: &[(&str, &str)] = &[("kind", "b")];
/// A family that is declared; the item's is declared anew.
pub(super) const DECLARED: &str = "new_seconds";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Create,
    TakeOver,
    TakeOverLarge,
    Grow,
    Rotate,
    RotateAndPrune,
    /// With a record of epochs that has to be shortened.
    RotateLong,
    RotateKeep,
    Snapshot,
    Restore,
    Import,
    Sync,
    Prune,
    Remove,
    Compact,
    Push,
    Declare,
    Register,
}

/// Those that only write into memory that is mapped.
pub(crate) const IN_MEMORY: [Scenario; 2] = [Scenario::Declare, Scenario::Register];

/// Those that use the disk.
pub(crate) const ALL: [Scenario; 16] = [
    Scenario::Create,
    Scenario::TakeOver,
    Scenario::TakeOverLarge,
    Scenario::Grow,
    Scenario::Rotate,
    Scenario::RotateAndPrune,
    Scenario::RotateLong,
    Scenario::RotateKeep,
    Scenario::Snapshot,
    Scenario::Restore,
    Scenario::Import,
    Scenario::Sync,
    Scenario::Prune,
    Scenario::Remove,
    Scenario::Compact,
    Scenario::Push,
];

pub(crate) fn store_in(folder: &Path) -> PathBuf {
    folder.join("var")
}

pub(super) fn input_in(folder: &Path) -> PathBuf {
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
        if self == Self::RotateLong {
            // As a program before this one wrote it for a store of many series.
            let path = root.join("live/epochs.jsonl");
            let line = fs::read_to_string(&path)?;
            let more = format!(r#","more":"{}"}}"#, "m".repeat(RECORD));
            let line = line.trim_end().strip_suffix('}').unwrap_or_default();
            fs::write(&path, format!("{line}{more}\n"))?;
        }
        if self.is_pushed() {
            push(&store, 1)?;
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
            Self::Rotate | Self::RotateLong => drop(store.rotate(Rotate::Reset)?),
            Self::RotateAndPrune => {
                store.rotate_because(Rotate::Reset, "proof", &keep_one)?;
            }
            Self::RotateKeep => drop(store.rotate(Rotate::KeepCounters)?),
            Self::Snapshot => drop(store.snapshot()?),
            Self::Restore => drop(store.restore(&input_in(folder), "proof", false)?),
            Self::Import => drop(store.import(&input_in(folder), false)?),
            Self::Prune => drop(store.prune(&keep_one)?),
            Self::Push => {
                push(store, 2)?;
            }
        }
        Ok(())
    }
}

/// Sends a push; its number is what it adds to a series of its own.
pub(super) fn push(store: &Store, number: u64) -> Result<Push> {
    let text = format!(
        "# TYPE pushed counter\n{PUSHED} {number}\n# TYPE items counter\n\
         items_total{{kind=\"a\"}} {PUSHED_ITEMS}\n# EOF\n"
    );
    Ok(store.push("client", number, text.as_bytes())?)
}

pub(super) fn declared() -> Family {
    Family::histogram(DECLARED, Buckets::seconds()).with_unit("seconds")
}

pub(super) fn new_name(index: usize) -> String {
    format!("new_{index}_total")
}

/// A document of another origin with so many series.
pub(super) fn given(series: usize) -> String {
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
