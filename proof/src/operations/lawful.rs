//! Which states of a store are lawful after one of the operations of `scenario.rs` was interrupted and
//! repaired: it is done whole or not at all, and it can be done again.

use std::fs;
use std::path::Path;

use deespec::{Document, Import};

use super::scenario::{
    BEFORE, DECLARED, GIVEN, GIVEN_ITEMS, GONE, ITEM, ITEMS, MANY, NEW, PUSHED, PUSHED_ITEMS,
    REGISTERED, SUCCESS, Scenario, declared, given, input_in, new_name, options, push, store_in,
};
use crate::Result;
use crate::audit::{Audit, History, Values, audit, labelled, values};

impl Scenario {
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
            shortened: self == Self::RotateLong,
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
        let before = if self.is_pushed() { PUSHED_ITEMS } else { 0 };
        let old = (SUCCESS[1] + BEFORE, ITEMS[1] + before);
        let now = pair(&audit.current, &item);
        let added = audit.count("given_0_total") > 0;
        let mut lawful = vec![(2, old)];
        let pushed = audit.count(PUSHED);
        match self {
            Self::Push if pushed == 3 => lawful = vec![(2, (old.0, old.1 + PUSHED_ITEMS))],
            Self::Push if pushed != 1 => {
                let told = format!("{PUSHED} counts {pushed}");
                audit.violations.push(told);
            }
            Self::Create => lawful = vec![(1, (0, 0))],
            Self::TakeOver | Self::TakeOverLarge => lawful = vec![(1, (GIVEN, 0))],
            Self::Rotate | Self::RotateAndPrune | Self::RotateLong => lawful.push((3, (0, 0))),
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

    /// Whether something was pushed before it.
    pub(super) fn is_pushed(self) -> bool {
        matches!(self, Self::Push | Self::Compact)
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
            Self::Push => {
                let again = push(&store, 2)?.counted;
                if again == (counted.get(PUSHED) == Some(&3)) {
                    violations.push(format!("the push was counted again: {again}"));
                }
            }
            Self::Compact if push(&store, 1)?.counted => {
                violations.push("a push from before was counted again".into());
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
            Self::Push => {
                let store = options(None).open(store_in(folder))?;
                self.perform(&store, folder)?;
                self.perform(&store, folder)?;
                0
            }
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
        // How many, and their sum.
        let pushes = match self {
            Self::Push => (2, 3),
            Self::Compact => (1, 1),
            _ => (0, 0),
        };
        let counted_before = u64::from(!self.creates());
        let base = counted_before * (SUCCESS[0] + SUCCESS[1] + BEFORE);
        let mut expected = vec![
            ("commit_success".to_owned(), base + given * GIVEN + more),
            ("commit_failed".to_owned(), given * 3),
            (
                labelled(ITEM.0, "kind", "a"),
                counted_before * (ITEMS[0] + ITEMS[1]) + pushes.0 * PUSHED_ITEMS,
            ),
            (PUSHED.to_owned(), pushes.1),
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
