//! Compaction: a store is rebuilt from what it holds.

use std::path::Path;

use crate::Error;
use crate::store::{Core, Seed, Settings};

use super::settle::locked;
use super::{import, push};

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// Series before and after it.
    pub series: (usize, usize),
    /// Segments before and after it.
    pub segments: (usize, usize),
    /// Bytes of disk that the segments fill, before and after it.
    pub bytes: (u64, u64),
}

/// Series, segments and bytes of a store.
fn measure(core: &Core) -> Result<(usize, usize, u64), Error> {
    let (segments, _, bytes) = core.extent();
    Ok((core.catalog()?.series_count(), segments, bytes))
}

/// Rebuilds the store in `root`, which nobody may have open.
pub(crate) fn compact(root: &Path, settings: Settings) -> Result<Compaction, Error> {
    let core = Core::open_alone(root, settings.clone())?;
    let before = measure(&core)?;
    // A degraded store cannot be settled, which needs a flush. Its new files are settled instead.
    let exclusive = if core.is_degraded() {
        core.exclusive()?
    } else {
        locked(&core)?
    };
    // Nor can an import be completed there. Its values go into the new files, and so does its line.
    push::restate(&exclusive)?;
    let imported = import::unrecorded(&exclusive)?;
    exclusive.compact(imported.as_deref(), push::farewell(&exclusive)?.as_deref())?;
    drop(exclusive);
    drop(core);
    let settings = Settings {
        create: false,
        ..settings
    };
    let core = Core::open(root, settings, || Ok::<_, Error>(Seed::default()))?;
    // The mark that the compaction left makes this remove the old files.
    drop(locked(&core)?);
    let after = measure(&core)?;
    Ok(Compaction {
        series: (before.0, after.0),
        segments: (before.1, after.1),
        bytes: (before.2, after.2),
    })
}
