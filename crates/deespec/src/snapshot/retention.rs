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

    /// Keeps at most this many, the youngest.
    #[must_use]
    pub fn max_count(self, count: usize) -> Self {
        Self {
            max_count: Some(count),
            ..self
        }
    }

    /// Those of `names` (the oldest first) that are to go.
    fn surplus(&self, names: &[SnapshotName], now_ns: u64) -> usize {
        let too_many = self
            .max_count
            .map_or(0, |most| names.len().saturating_sub(most));
        let too_old = self.max_age.map_or(0, |age| {
            let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
            let oldest = now_ns.saturating_sub(age);
            names.partition_point(|name| name.ns < oldest)
        });
        too_many.max(too_old)
    }
}

/// Removes the snapshots that the retention does not keep.
pub(crate) fn prune(core: &Core, retention: &Retention) -> Result<Vec<SnapshotName>, Error> {
    prune_held(&locked(core)?, retention, None)
}

/// As [`prune`], but keeps the snapshot `taken` that was taken just now: when the clock went back
/// it has the oldest name of all.
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
    names.truncate(retention.surplus(&names, core.now_ns()));
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
        assert_eq!(keep.surplus(&names, now), 0);
        assert_eq!(keep.max_count(2).surplus(&names, now), 3);
        assert_eq!(keep.max_count(9).surplus(&names, now), 0);
        assert_eq!(keep.max_age(Duration::from_secs(4)).surplus(&names, now), 1);
        assert_eq!(
            keep.max_age(Duration::from_secs(4))
                .max_count(1)
                .surplus(&names, now),
            4
        );
        assert_eq!(keep.max_age(Duration::MAX).surplus(&names, now), 0);
        assert_eq!(keep.max_age(Duration::ZERO).surplus(&names, now), 5);
    }
}
