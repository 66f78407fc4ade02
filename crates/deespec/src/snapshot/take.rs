//! Taking and listing snapshots.

use std::path::PathBuf;

use crate::Error;
use crate::store::{Core, Exclusive};

use super::document::{DocumentKind, write_document};
use super::history;
use super::name::SnapshotName;
use super::settle::{locked, whole};
use super::view::{self, View};
use super::{publish, time};

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its name.
    pub name: SnapshotName,
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub view: View,
}

pub(crate) fn folder(core: &Core) -> PathBuf {
    core.root().join("snapshots")
}

/// A name that no snapshot has, for the present moment or a few nanoseconds later. Only holders
/// of the lock make snapshots, so it stays free.
pub(crate) fn free_name(exclusive: &Exclusive<'_>) -> SnapshotName {
    free_from(exclusive, exclusive.core().now_ns())
}

fn free_from(exclusive: &Exclusive<'_>, ns: u64) -> SnapshotName {
    let folder = folder(exclusive.core());
    let mut name = SnapshotName { ns };
    while folder.join(name.to_string()).symlink_metadata().is_ok() {
        name.ns = name.ns.wrapping_add(1);
    }
    name
}

/// As [`free_name`], behind every snapshot of the current epoch: within an epoch the times order them, and the clock may
/// have gone back.
fn next_name(exclusive: &Exclusive<'_>) -> Result<SnapshotName, Error> {
    let core = exclusive.core();
    let now = core.now_ns();
    let epoch = u64::from(core.epoch()?.epoch);
    let newest = history::newest_behind(core, epoch, now)?;
    let next = newest.and_then(|ns| ns.checked_add(1));
    Ok(free_from(exclusive, next.unwrap_or(now)))
}

/// Writes the current epoch into a file of its own.
pub(crate) fn snapshot(core: &Core) -> Result<Snapshot, Error> {
    let exclusive = locked(core)?;
    whole(&exclusive, || take(&exclusive))
}

pub(crate) fn take(exclusive: &Exclusive<'_>) -> Result<Snapshot, Error> {
    let core = exclusive.core();
    core.files().make_directory(&folder(core))?;
    let view = view::read(core)?;
    exclusive.flush()?;
    let name = next_name(exclusive)?;
    let path = folder(core).join(name.to_string());
    let mut document = view.to_document();
    document.kind = Some(DocumentKind::Snapshot);
    document.taken_at = Some(time::to_nanoseconds(name.ns));
    core.files()
        .write_with(&path, false, |out| write_document(out, &document))?;
    drop(document);
    publish::publish_quietly(exclusive)?;
    Ok(Snapshot { name, path, view })
}

/// All snapshots, the oldest first. Whatever else lies in the folder is passed over.
pub(crate) fn list(core: &Core) -> Result<Vec<SnapshotName>, Error> {
    Ok(history::names(core)?)
}
