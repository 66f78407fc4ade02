//! The archive made whole on request: each file is looked at, and there are as few parts as there can be.

use crate::Error;
use crate::snapshot::name::SnapshotName;
use crate::store::Core;

use super::answer::UnreadableSnapshot;
use super::archive;
use super::order::Turn;
use super::state::{Look, Memory};

/// What the archive of the snapshots has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotArchive {
    /// How many snapshots it covers.
    pub snapshots: usize,
    /// The oldest and the youngest of them.
    pub range: Option<(SnapshotName, SnapshotName)>,
    /// The snapshots that cannot be read, the oldest first. They are not in the archive.
    pub unreadable: Vec<UnreadableSnapshot>,
    /// Bytes of the snapshots' files that it covers.
    pub snapshot_bytes: u64,
    /// Bytes of the archive's files, before and after.
    pub bytes: (u64, u64),
    /// Why it could not be written, or not all of it: then the next process reads the snapshots again.
    pub unsaved: Option<String>,
}

/// Compares the archive with each file and completes it.
pub(crate) fn compact(core: &Core, memory: &Memory) -> Result<SnapshotArchive, Error> {
    let before = archive::bytes(core);
    let state = memory.refresh(core, &Look::Thorough)?;
    let places = &state.places;
    let turns = state.turns();
    let name = |&(.., ns): &Turn| SnapshotName { ns };
    Ok(SnapshotArchive {
        snapshots: places.len(),
        range: turns
            .iter()
            .min()
            .map(name)
            .zip(turns.iter().max().map(name)),
        unreadable: state
            .bad
            .iter()
            .map(|bad| UnreadableSnapshot::of(core, bad))
            .collect(),
        snapshot_bytes: places.iter().map(|place| state.row(place).stamp.size).sum(),
        bytes: (before, archive::bytes(core)),
        unsaved: state.unsaved.clone(),
    })
}
