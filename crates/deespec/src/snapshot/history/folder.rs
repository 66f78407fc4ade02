//! The folder of the snapshots: which there are, and whether that has to be looked at again.

use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use crate::snapshot::name::SnapshotName;
use crate::store::{Core, StoreError};

use super::order::{self, Epochs, Turn};
use super::stamp::Stamp;

/// A folder that changed so recently may change again within the same tick of the kernel's clock.
const UNSETTLED: Duration = Duration::from_secs(1);

/// A folder at the moment before it was listed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    /// `None` where there is no such folder.
    stamp: Option<Stamp>,
    /// Whether any later change shows.
    is_settled: bool,
}

impl Watched {
    pub(super) fn look(path: &Path) -> Self {
        let found = fs::symlink_metadata(path).ok();
        let age = |time: SystemTime| SystemTime::now().duration_since(time).ok();
        let modified = found.as_ref().and_then(|found| found.modified().ok());
        let is_settled = modified.and_then(age).is_some_and(|age| age > UNSETTLED);
        Self {
            stamp: found.as_ref().map(Stamp::of),
            is_settled: is_settled || found.is_none(),
        }
    }

    /// Whether what was listed is what is there.
    pub(super) fn is_as_it_was(&self, path: &Path) -> bool {
        self.is_settled && Self::look(path).stamp == self.stamp
    }
}

/// The snapshots of a store by the times in their names, each with the inode of its file.
pub(super) struct Listing {
    pub(super) folder: Watched,
    /// By their times.
    pub(super) files: Vec<(u64, u64)>,
    /// Read when somebody asks for their order.
    epochs: OnceLock<Epochs>,
}

/// The names of the snapshots, the oldest first.
pub(in crate::snapshot) fn names(core: &Core) -> Result<Vec<SnapshotName>, StoreError> {
    Ok(Listing::read(core)?.names(core, None))
}

/// The time of a snapshot of this epoch that is named after a later moment than this, the latest there is.
pub(in crate::snapshot) fn newest_behind(
    core: &Core,
    epoch: u64,
    ns: u64,
) -> Result<Option<u64>, StoreError> {
    let listing = Listing::read(core)?;
    Ok(order::newest_behind(core, epoch, ns, &listing.files))
}

pub(super) fn path(core: &Core) -> PathBuf {
    core.root().join("snapshots")
}

impl Listing {
    /// The names, the oldest first. What a listing before knew of them is not read again.
    pub(super) fn names(&self, core: &Core, before: Option<&Self>) -> Vec<SnapshotName> {
        let none = Epochs::new();
        let epochs = self.epochs.get_or_init(|| {
            let known = before.and_then(|before| before.epochs.get());
            order::epochs(core, &self.files, known.unwrap_or(&none))
        });
        let mut names = order::turns(epochs.iter().map(|(file, epoch)| (file.0, *epoch)));
        names.sort_unstable();
        let name = |(.., ns): Turn| SnapshotName { ns };
        names.into_iter().map(name).collect()
    }

    pub(super) fn read(core: &Core) -> Result<Self, StoreError> {
        let path = path(core);
        let folder = Watched::look(&path);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::of(folder, Vec::new()));
            }
            Err(error) => return Err(StoreError::io("list", &path)(error)),
        };
        let mut files: Vec<(u64, u64)> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| {
                let name: SnapshotName = entry.file_name().to_str()?.parse().ok()?;
                Some((name.ns, entry.ino()))
            })
            .collect();
        files.sort_unstable();
        Ok(Self::of(folder, files))
    }

    fn of(folder: Watched, files: Vec<(u64, u64)>) -> Self {
        Self {
            folder,
            files,
            epochs: OnceLock::new(),
        }
    }
}
