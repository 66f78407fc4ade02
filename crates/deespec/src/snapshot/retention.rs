//! Retention: which snapshots are removed. Only files with a snapshot's name are ever touched.

use std::time::Duration;

use crate::Error;
use crate::store::{Core, Exclusive};

use super::name::SnapshotName;
use super::settle::{locked, whole};
use super::take::{folder, list};

/// How long snapshots are kept. The default keeps all of them.
///
/// ```
/// use std::time::Duration;
/// let a_month = deespec::Retention::default().max_age(Duration::from_secs(30 * 86_400)).max_count(1000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    max_age: Option<Duration>,
    max_count: Option<usize>,
}

impl Retention {
    /// Removes snapshots that were taken longer ago than this.
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        Self {
            max_age: Some(age),
            ..self
        }
    }

    /// Keeps at most this many, the youngest by their epochs.
    #[must_use]
    pub fn max_count(self, count: usize) -> Self {
        Self {
            max_count: Some(count),
            ..self
        }
    }

    /// Those of `names` (the oldest first) that are to go.
    fn surplus(&self, names: &[SnapshotName], now_ns: u64) -> Vec<SnapshotName> {
        let too_many = self
            .max_count
            .map_or(0, |most| names.len().saturating_sub(most));
        let oldest = self.max_age.map(|age| {
            let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
            now_ns.saturating_sub(age)
        });
        // None is older than one that it came after: a clock that went back for a while makes nothing old. What a
        // clock that was ahead calls the future says nothing of those that followed.
        let mut latest = 0;
        let mut gone = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if name.ns <= now_ns {
                latest = latest.max(name.ns);
            }
            let at = if name.ns > now_ns { name.ns } else { latest };
            if index < too_many || oldest.is_some_and(|oldest| at < oldest) {
                gone.push(*name);
            }
        }
        gone
    }
}

/// Removes the snapshots that the retention does not keep.
pub(crate) fn prune(core: &Core, retention: &Retention) -> Result<Vec<SnapshotName>, Error> {
    prune_held(&locked(core)?, retention, None)
}

/// As [`prune`], but keeps the snapshot `taken` that was taken just now, whatever its age: when the clock
/// went back it may have the oldest time of all.
pub(crate) fn prune_held(
    exclusive: &Exclusive<'_>,
    retention: &Retention,
    taken: Option<SnapshotName>,
) -> Result<Vec<SnapshotName>, Error> {
    if *retention == Retention::default() {
        return Ok(Vec::new());
    }
    let core = exclusive.core();
    let mut names = list(core)?;
    names.retain(|name| Some(*name) != taken);
    let retention = Retention {
        max_count: retention
            .max_count
            .map(|most| most.saturating_sub(usize::from(taken.is_some()))),
        ..*retention
    };
    let names = retention.surplus(&names, core.now_ns());
    if !names.is_empty() {
        whole(exclusive, || {
            for name in &names {
                core.files().remove(&folder(core).join(name.to_string()))?;
            }
            Ok(core.files().sync_directory(&folder(core))?)
        })?;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_and_number_each_remove_the_oldest() {
        let names: Vec<SnapshotName> = (1..=5)
            .map(|s| SnapshotName {
                ns: s * 1_000_000_000,
            })
            .collect();
        let now = 6_000_000_000;
        let keep = Retention::default();
        let surplus = |keep: Retention| {
            let gone = keep.surplus(&names, now);
            assert_eq!(gone, names[..gone.len()]);
            gone.len()
        };
        assert_eq!(surplus(keep), 0);
        assert_eq!(surplus(keep.max_count(2)), 3);
        assert_eq!(surplus(keep.max_count(9)), 0);
        let seconds = Duration::from_secs;
        assert_eq!(surplus(keep.max_age(seconds(4))), 1);
        assert_eq!(surplus(keep.max_age(seconds(4)).max_count(1)), 4);
        assert_eq!(surplus(keep.max_age(Duration::MAX)), 0);
        assert_eq!(surplus(keep.max_age(Duration::ZERO)), 5);
    }

    #[test]
    fn a_clock_that_jumps_makes_nothing_old_and_keeps_nothing_for_ever() {
        let name = |s: u64| SnapshotName {
            ns: s * 1_000_000_000,
        };
        let now = 100_000_000_000;
        let keep = Retention::default().max_age(Duration::from_secs(10));
        // Two that came later were named by a clock that was back.
        let back = [name(50), name(95), name(20), name(21), name(96)];
        assert_eq!(keep.surplus(&back, now), [name(50)]);
        // The first was named by one that was ahead.
        let ahead = [name(900), name(50), name(95)];
        assert_eq!(keep.surplus(&ahead, now), [name(50)]);
        let two = Retention::default().max_count(2);
        assert_eq!(two.surplus(&back, now), [name(50), name(95), name(20)]);
    }
}
