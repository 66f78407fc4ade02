//! Who may use a store: its owner alone, or a group too. Nothing but the owner, the group and the mode
//! of the folder `live/` says which, so whoever opens the store later finds the same.
//!
//! Every folder is judged by its open descriptor, and what is done in it is done through that
//! descriptor: exchanging it for another between the look and the deed changes nothing.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::{getegid, geteuid, getgroups};

use super::Core;
use super::error::{Exposure, StoreError};
use super::opened::file_type;

/// The bit of a folder's mode that gives its group to whatever is made in it.
const SETGID: u32 = 0o2000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// Who the owner of a file is whose number this process' namespace does not know.
const NOBODY: u32 = 65534;

/// Names that a folder may hold and still be nothing but a store.
const OWN_NAMES: [&str; 7] = [
    "live",
    "snapshots",
    "history",
    "metrics.json",
    "tmp-compacted",
    "thresholds.json",
    "gate.toml",
];

/// Who may use a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    owner: u32,
    group: u32,
    is_shared: bool,
}

impl Access {
    pub(crate) fn owner(&self) -> u32 {
        self.owner
    }

    /// The group that may use the store too.
    pub(crate) fn shared_with(&self) -> Option<u32> {
        self.is_shared.then_some(self.group)
    }

    /// What a folder says of the store whose `live/` it is, if this process may trust that.
    fn of_live(path: &Path, found: &Metadata) -> Result<Self, StoreError> {
        let mode = found.mode();
        let access = Self {
            owner: found.uid(),
            group: found.gid(),
            is_shared: mode & SETGID != 0 && mode & GROUP_WRITES != 0,
        };
        access.check_mode(path, found)?;
        match access.shared_with() {
            Some(group) => check_member(path, group)?,
            None => check_owner(path, found.uid())?,
        }
        Ok(access)
    }

    /// Who is to use a folder around a store that this process makes.
    pub(super) fn of_maker(group: Option<u32>) -> Self {
        Self {
            owner: geteuid().as_raw(),
            group: group.unwrap_or_else(|| getegid().as_raw()),
            is_shared: group.is_some(),
        }
    }

    /// Who is to use a store that is made in the folder `root`, which this process may use alone.
    pub(super) fn of_new(root: &Path, group: Option<u32>) -> Result<Self, StoreError> {
        let folder = open_folder(root, true)?;
        let found = folder.metadata().map_err(StoreError::io("inspect", root))?;
        check_owner(root, found.uid())?;
        if let Some(group) = group {
            check_member(root, group)?;
        }
        let mut access = Self {
            owner: found.uid(),
            group: group.unwrap_or(found.gid()),
            is_shared: group.is_some(),
        };
        let is_narrow = access.check_mode(root, &found).is_ok();
        if group.is_none() && is_narrow {
            // A folder that root has made for everybody's stores is no store of root.
            let user = geteuid().as_raw();
            if user != 0 {
                access.owner = user;
            }
            return Ok(access);
        }
        // From here on the folder belongs to the store, and nobody else may change what is in it.
        if !is_only_a_store(root, &found)? {
            return Err(StoreError::Exposed {
                path: root.to_owned(),
                mode: found.mode() & 0o7777,
                exposure: Exposure::Crowded,
            });
        }
        match group {
            Some(_) => access.give(&folder, access.folder_mode()),
            None => folder.set_permissions(Permissions::from_mode(
                found.mode() & 0o7777 & !(GROUP_WRITES | OTHERS_WRITE),
            )),
        }
        .map_err(StoreError::io("set the rights of", root))?;
        Ok(access)
    }

    /// Fails where somebody may write who may not use the store.
    fn check_mode(&self, path: &Path, found: &Metadata) -> Result<(), StoreError> {
        let exposure = match found.mode() {
            mode if mode & OTHERS_WRITE != 0 => Exposure::Everybody,
            mode if mode & GROUP_WRITES != 0 && self.shared_with() != Some(found.gid()) => {
                Exposure::Group(found.gid())
            }
            _ => return Ok(()),
        };
        Err(StoreError::Exposed {
            path: path.to_owned(),
            mode: found.mode() & 0o7777,
            exposure,
        })
    }

    /// Fails unless something belongs to the store's owner, or to one of those who share it.
    fn check_owner(&self, path: &Path, found: &Metadata) -> Result<(), StoreError> {
        let is_roots = found.uid() == 0 && !geteuid().is_root();
        if found.uid() == self.owner || is_roots || self.shared_with() == Some(found.gid()) {
            return Ok(());
        }
        Err(StoreError::OtherOwner {
            path: path.to_owned(),
            owner: found.uid(),
            expected: self.owner,
        })
    }

    /// Fails unless a file of the store can be changed by nobody but those who may use the store.
    pub(super) fn check_file(&self, path: &Path, found: &Metadata) -> Result<(), StoreError> {
        check_links(path, found)?;
        self.check_owner(path, found)?;
        self.check_mode(path, found)
    }

    /// Opens a folder of the store: one that nobody else can change.
    pub(super) fn folder(&self, path: &Path, follow: bool) -> Result<File, StoreError> {
        let folder = open_folder(path, follow)?;
        let found = folder.metadata().map_err(StoreError::io("inspect", path))?;
        self.check_owner(path, &found)?;
        self.check_mode(path, &found)?;
        Ok(folder)
    }

    pub(super) fn file_mode(&self) -> u32 {
        if self.is_shared { 0o660 } else { 0o600 }
    }

    pub(super) fn folder_mode(&self) -> u32 {
        if self.is_shared { 0o2770 } else { 0o700 }
    }

    /// Gives something that this process has made to those who may use the store. Explicitly, for the
    /// umask may have taken even the owner's rights, and root works in the stores of others.
    pub(super) fn give(&self, made: &File, mode: u32) -> io::Result<()> {
        let found = made.metadata()?;
        let owner = (geteuid().is_root() && !self.is_shared).then_some(self.owner);
        let owner = owner.filter(|owner| *owner != found.uid());
        let group = (self.is_shared || owner.is_some()).then_some(self.group);
        let group = group.filter(|group| *group != found.gid());
        if owner.is_some() || group.is_some() {
            fchown(made, owner, group)?;
        }
        made.set_permissions(Permissions::from_mode(mode))
    }
}

/// The folder `live` of a store and who may use it; `None` where it does not exist.
pub(super) fn open_live(live: &Path) -> Result<Option<(File, Access)>, StoreError> {
    let folder = match open_folder(live, false) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        other => other?,
    };
    let found = folder.metadata().map_err(StoreError::io("inspect", live))?;
    let access = Access::of_live(live, &found)?;
    Ok(Some((folder, access)))
}

impl Core {
    /// Who may use the store now, and the mode of `live/` that says so.
    pub(crate) fn access(&self) -> Result<(Access, u32), StoreError> {
        let (folder, access) = live(&self.live)?;
        let found = folder.metadata();
        let found = found.map_err(StoreError::io("inspect", &self.live))?;
        Ok((access, found.mode() & 0o7777))
    }
}

/// As [`open_live`], where it must exist.
pub(super) fn live(live: &Path) -> Result<(File, Access), StoreError> {
    open_live(live)?
        .ok_or_else(|| StoreError::io("open", live)(io::Error::from_raw_os_error(libc::ENOENT)))
}

/// Fails unless the file that is open at `path`, in a `live/`, can be changed by nobody but those who
/// may use the store.
pub(super) fn check_file(path: &Path, found: &Metadata) -> Result<(), StoreError> {
    let (_, access) = live(path.parent().unwrap_or(path))?;
    access.check_file(path, found)
}

/// Fails where a file has another name, under which somebody else may reach it.
pub(super) fn check_links(path: &Path, found: &Metadata) -> Result<(), StoreError> {
    if found.nlink() > 1 {
        return Err(StoreError::WrongFileType {
            path: path.to_owned(),
            found: "a file with a second name (a hard link)",
        });
    }
    Ok(())
}

/// Opens a folder, through a link only where the user may have named one.
pub(super) fn open_folder(path: &Path, follow: bool) -> Result<File, StoreError> {
    let mut flags = OFlags::DIRECTORY;
    flags.set(OFlags::NOFOLLOW, !follow);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    opened.map_err(|error| {
        let found = fs::symlink_metadata(path).ok();
        match found.filter(|found| !found.is_dir()) {
            Some(found) if !follow || !found.is_symlink() => StoreError::NotAFolder {
                path: path.to_owned(),
                found: file_type(&found).unwrap_or("a file"),
            },
            _ => StoreError::io("open", path)(error),
        }
    })
}

/// Fails unless this process works for the owner of a store that is not shared.
fn check_owner(path: &Path, owner: u32) -> Result<(), StoreError> {
    let user = geteuid().as_raw();
    let path = || path.to_owned();
    match owner {
        _ if owner == user => Ok(()),
        NOBODY if !has_all_users() => Err(StoreError::UnknownOwner { path: path() }),
        // Root makes and repairs the stores of others; and it can do anything anyway.
        _ if owner == 0 || user == 0 => Ok(()),
        _ => Err(StoreError::OtherOwner {
            path: path(),
            owner,
            expected: user,
        }),
    }
}

/// Fails unless this process can give files to a group.
pub(super) fn check_member(path: &Path, group: u32) -> Result<(), StoreError> {
    let groups = getgroups().map_err(|error| {
        StoreError::io("tell whether this user shares", path)(io::Error::from(error))
    })?;
    let is_member = |found: &rustix::fs::Gid| found.as_raw() == group;
    if geteuid().is_root() || is_member(&getegid()) || groups.iter().any(is_member) {
        return Ok(());
    }
    Err(StoreError::NotAMember {
        path: path.to_owned(),
        group,
    })
}

/// Whether every user has a number in this process' namespace, so that nobody is somebody.
fn has_all_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mut numbers = map.split_whitespace().map(str::parse::<u64>);
    let whole = [Some(Ok(0)), Some(Ok(0)), Some(Ok(u64::from(u32::MAX)))];
    whole.iter().all(|number| numbers.next() == *number)
}

/// Whether a folder is there for a store alone, so that its rights are the store's affair.
fn is_only_a_store(root: &Path, found: &Metadata) -> Result<bool, StoreError> {
    // Such as /tmp: made for everybody on purpose.
    if found.mode() & STICKY != 0 {
        return Ok(false);
    }
    let mut entries = fs::read_dir(root).map_err(StoreError::io("list", root))?;
    Ok(entries.all(|entry| {
        entry.is_ok_and(|entry| OWN_NAMES.iter().any(|name| entry.file_name() == *name))
    }))
}

/// A path of the store's that names a folder itself: `.` where there is nothing before the name.
pub(super) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
