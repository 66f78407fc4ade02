//! The health of a store: what its user should know apart from the counts.

use std::time::Duration;

use crate::Result;
use crate::snapshot::{Published, describe, published_document};
use crate::store::{Core, StoreError, StoreId};

/// What [`Store::health`](super::Store::health) finds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Health {
    /// The store's identity.
    pub store_id: StoreId,
    /// The number of the current epoch.
    pub epoch: u64,
    /// How many series there are, the four built-in ones included.
    pub series: usize,
    /// How many segments the store has.
    pub segments: usize,
    /// How many stripes its writers use.
    pub stripes: u32,
    /// The number of the user who owns the store.
    pub owner: u32,
    /// The number of the group whose members may use the store too.
    pub shared_with: Option<u32>,
    /// The mode of `live/`, which says who may use the store.
    pub mode: u32,
    /// Bytes of disk that the segments fill.
    pub disk_bytes: u64,
    /// How long ago the last complete flush began: what was counted since may be lost when the
    /// power fails.
    pub durable_lag: Duration,
    /// A flush has failed, so nothing can be called durable.
    pub degraded: bool,
    /// What stands at `metrics.json`.
    pub published: Published,
    /// What makes the counts incomplete or unsafe, one sentence each.
    pub problems: Vec<String>,
}

/// `failure` is why the background thread could not publish the last time.
pub(super) fn health(core: &Core, failure: Option<String>) -> Result<Health> {
    let shared = core.shared()?;
    let epoch = core.epoch()?.epoch;
    let catalog = core.catalog()?;
    let (series, skipped) = (catalog.series_count(), catalog.skipped(core));
    drop((catalog, shared));
    let mut problems: Vec<String> = skipped.iter().map(describe).collect();
    problems.extend(core.check_identity().err().map(|error| error.to_string()));
    let degraded = core.is_degraded();
    if degraded {
        let path = core.root().to_owned();
        problems.push(StoreError::Degraded { path }.to_string());
    }
    problems.extend(failure.map(|failure| format!("the background sync failed: {failure}")));
    let (segments, stripes, disk_bytes) = core.extent();
    let (access, mode) = core.access()?;
    Ok(Health {
        store_id: core.id(),
        epoch: u64::from(epoch),
        series,
        segments,
        stripes,
        owner: access.owner(),
        shared_with: access.shared_with(),
        mode,
        disk_bytes,
        // A clock that went back must not show a lag of years.
        durable_lag: Duration::from_nanos(core.now_ns().saturating_sub(core.flushed_at_ns())),
        degraded,
        published: published_document(core)?,
        problems,
    })
}
