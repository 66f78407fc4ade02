//! The health of a store: what its user should know apart from the counts.

use std::time::{Duration, SystemTime};

use crate::Result;
use crate::snapshot::{Published, published_document};
use crate::store::{Core, StoreId};

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
    /// Bytes of disk that the segments fill.
    pub disk_bytes: u64,
    /// How long ago the last complete flush began: what was counted since may be lost when the
    /// power fails.
    pub durable_lag: Duration,
    /// A flush has failed, so nothing can be called durable.
    pub degraded: bool,
    /// What stands at `metrics.json`.
    pub published: Published,
}

pub(super) fn health(core: &Core) -> Result<Health> {
    let epoch = core.epoch()?.epoch;
    let series = core.catalog()?.series_count();
    let (segments, stripes, disk_bytes) = core.extent();
    let flushed = SystemTime::UNIX_EPOCH + Duration::from_nanos(core.flushed_at_ns());
    let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(core.now_ns());
    Ok(Health {
        store_id: core.id(),
        epoch: u64::from(epoch),
        series,
        segments,
        stripes,
        disk_bytes,
        // A clock that went back must not show a lag of years.
        durable_lag: now.duration_since(flushed).unwrap_or_default(),
        degraded: core.is_degraded(),
        published: published_document(core)?,
    })
}
