//! The search upward: the nearest `.deespec/`, else the root of the Git work tree. What another user has put
//! further up must neither judge nor collect (`docs/design/0065-only-counting-makes-a-store.md`).

use std::fs::{Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{FOLDER, Place, STORE, Why, exists};
use crate::exit::Failure;
use crate::files;
use crate::safe;

/// What is not to be committed of a `.deespec/`.
const IGNORE: &str = "# The counts of this machine. gate.toml, thresholds.json and gate-history.jsonl can be committed.\n/var/\n";

/// A folder of another user that the search has passed over.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) path: PathBuf,
    pub(super) owner: u32,
}

/// The place of the store for whoever works in `here`.
pub(super) fn upward(here: &Path) -> Result<Place, Failure> {
    let mut passed = Vec::new();
    let mut nearest = |name: &str, is_it: fn(&Path, &Metadata) -> bool| {
        here.ancestors().find(|folder| {
            let path = folder.join(name);
            // Of a link both who made it and what it leads to.
            let found = [path.symlink_metadata(), path.metadata()];
            let [Ok(named), Ok(found)] = found else {
                return false;
            };
            if !is_it(&path, &found) {
                return false;
            }
            let stranger = [named.uid(), found.uid()];
            match stranger.into_iter().find(|owner| !safe::is_owner(*owner)) {
                Some(owner) if !safe::is_named(&path) && !is_shared_with_us(&path) => {
                    passed.push(Passed { path, owner });
                    false
                }
                _ => true,
            }
        })
    };
    let own = nearest(FOLDER, |_, found| found.is_dir());
    let (around, why) = match own {
        Some(folder) => (folder, Why::Nearest),
        None => match nearest(".git", is_repository) {
            Some(folder) => (folder, Why::WorkTree),
            None => (here, Why::Here),
        },
    };
    let folder = around.join(FOLDER);
    if let Some(refused) = passed.iter().find(|passed| passed.path == folder) {
        return Err(safe::foreign(&refused.path, refused.owner));
    }
    Ok(Place {
        path: folder.join(STORE),
        why,
        passed,
    })
}

/// The stores of this user above the nearest one.
pub(super) fn further_up(nearest: &Path) -> Vec<PathBuf> {
    let stores = nearest
        .ancestors()
        .map(|folder| folder.join(FOLDER).join(STORE));
    let is_ours = |store: &PathBuf| {
        let live = store.join("live").symlink_metadata();
        live.is_ok_and(|live| safe::is_owner(live.uid()) || safe::is_shared_with_us(&live))
    };
    stores
        .filter(|store| store != nearest && exists(store) && is_ours(store))
        .collect()
}

/// Whether this is what stands at the root of a work tree: the folder of a repository, or the file that names
/// one, as linked work trees and submodules have.
fn is_repository(path: &Path, found: &Metadata) -> bool {
    match found.is_dir() {
        true => path.join("HEAD").symlink_metadata().is_ok(),
        false => found.is_file(),
    }
}

/// Whether the store in a `.deespec/` is shared with a group of this user's.
fn is_shared_with_us(folder: &Path) -> bool {
    let live = folder.join(STORE).join("live").symlink_metadata();
    live.is_ok_and(|live| live.is_dir() && safe::is_shared_with_us(&live))
}

/// Makes a `.deespec/` as other folders of a work tree are made; whether it is new.
pub(super) fn make_folder(path: &Path) -> Result<bool, Failure> {
    files::make_folder_as_usual(path).map_err(|error| {
        Failure::new(format!("cannot make {}: {error}", path.display()))
            .hint("name a folder that this user may make, with --store DIR or DEESPEC_STORE")
    })
}

/// Keeps the counts in a new `.deespec/` out of Git; gives the file that does. That it cannot be written is no
/// reason not to count.
pub(super) fn ignore(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(".gitignore");
    files::create_as_usual(&path, IGNORE.as_bytes()).ok()?;
    Some(path)
}

/// Files in a `.deespec/` that the gate works with, and what members of a store's group may do with them beyond reading.
const OF_THE_GATE: [(&str, u32); 3] = [
    ("gate.toml", 0),
    ("thresholds.json", 0),
    ("gate-history.jsonl", GROUP_WRITES),
];
const GROUP_READS: u32 = 0o040;
const GROUP_WRITES: u32 = 0o020;

/// Lets the members of a store's group work with the gate that lies beside it: they record runs in this folder.
pub(super) fn share(folder: &Path, group: u32) -> Result<(), Failure> {
    let give = |path: &Path, rights: u32| -> io::Result<()> {
        let found = path.symlink_metadata()?;
        // What somebody else put there is not ours to give.
        if found.is_symlink() || !safe::is_owner(found.uid()) {
            return Ok(());
        }
        if found.gid() != group {
            std::os::unix::fs::lchown(path, None, Some(group))?;
        }
        let mode = found.mode() & 0o7777 | rights;
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    };
    let all = give(folder, 0o2070).and_then(|()| {
        OF_THE_GATE
            .iter()
            .map(|(name, rights)| (folder.join(name), GROUP_READS | rights))
            .filter(|(path, _)| path.symlink_metadata().is_ok())
            .try_for_each(|(path, rights)| give(&path, rights))
    });
    all.map_err(|error| {
        Failure::new(format!(
            "the store is shared, and {} cannot be: {error}",
            folder.display()
        ))
    })
}
