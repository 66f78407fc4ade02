//! Whose folders and files may decide what a command does: one's own, root's, those of a store that is shared
//! with us, and what was named as safe. As in Git, whose `safe.directory` this follows.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{getegid, geteuid, getgroups};

use crate::exit::Failure;
use crate::users::{group_name, quoted, user_name};

/// Names folders that are safe whoever owns them, with what is in them; `*` means all.
const SAFE: &str = "DEESPEC_SAFE_DIRECTORY";

const EVERYBODY_WRITES: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;

/// Whether this user owns what such a user owns, or root does, who can do anything anyway.
pub(crate) fn is_owner(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// Whether the environment says that whatever is in a folder is safe.
pub(crate) fn is_named(path: &Path) -> bool {
    let Some(named) = std::env::var_os(SAFE) else {
        return false;
    };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    std::env::split_paths(&named)
        .any(|safe| safe.as_os_str() == "*" || safe.is_absolute() && path.starts_with(&safe))
}

/// Whether a folder is one that members of a group of this user's share.
pub(crate) fn is_shared_with_us(folder: &Metadata) -> bool {
    folder.mode() & 0o2070 == 0o2070 && folder.mode() & 0o002 == 0 && is_member(folder.gid())
}

/// Whether this user belongs to a group. That root may do anything makes it no member.
pub(crate) fn is_member(group: u32) -> bool {
    let groups = getgroups().unwrap_or_default();
    getegid().as_raw() == group || groups.iter().any(|one| one.as_raw() == group)
}

/// Fails where a file that decides may be changed by somebody who is not trusted.
pub(crate) fn check(path: &Path, found: &Metadata) -> Result<(), Failure> {
    if is_named(path) || is_beside_shared_store(path) && found.mode() & EVERYBODY_WRITES == 0 {
        return Ok(());
    }
    if !is_owner(found.uid()) {
        return Err(foreign(path, found.uid()));
    }
    let writers = match found.mode() {
        mode if mode & EVERYBODY_WRITES != 0 => "every user".to_owned(),
        // One's own group is often of oneself alone; where it is not, it was chosen.
        mode if mode & GROUP_WRITES != 0 && ![0, getegid().as_raw()].contains(&found.gid()) => {
            format!("group {}", group_name(found.gid()))
        }
        _ => return Ok(()),
    };
    let message = format!(
        "{} can be written by {writers}, who could change at any time what this does (its mode is {:04o})",
        path.display(),
        found.mode() & 0o7777
    );
    let close = format!(
        "close it with `chmod go-w {}` when you have looked into it",
        quoted(path)
    );
    Err(Failure::new(message).hint(format!("{close}; {}", way_out(path))))
}

/// Whether a file lies beside a store, or in it, that is shared with us, and only those who share it can have put
/// it there.
fn is_beside_shared_store(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(path);
    let lives = [folder.join("var").join("live"), folder.join("live")];
    let lives = lives.iter().filter_map(|live| live.symlink_metadata().ok());
    let mut shared = lives.filter(|live| live.is_dir() && is_shared_with_us(live));
    let Ok(around) = folder.metadata() else {
        return false;
    };
    shared.any(|live| {
        let is_theirs = is_owner(around.uid()) || around.uid() == live.uid();
        let group_writes = around.mode() & GROUP_WRITES != 0;
        is_theirs
            && around.mode() & EVERYBODY_WRITES == 0
            && (!group_writes || around.gid() == live.gid())
    })
}

/// Why something of another user is not used where it was named or stands.
pub(crate) fn foreign(path: &Path, owner: u32) -> Failure {
    let message = format!(
        "{} belongs to user {}, who could change at any time what this does",
        path.display(),
        user_name(owner)
    );
    Failure::new(message).hint(way_out(path))
}

/// How somebody who trusts it uses it all the same.
pub(crate) fn way_out(path: &Path) -> String {
    let folder = match path.is_dir() {
        true => path,
        false => path.parent().unwrap_or(path),
    };
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!(
        "if you trust it: `export {SAFE}={}`; else name your own with --store DIR and --config FILE",
        quoted(&folder)
    )
}
