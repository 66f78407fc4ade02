//! What to type where somebody may not use a store, or should not.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use deespec::{Exposure, StoreError};
use rustix::process::geteuid;

use crate::users::{group_name, quoted, user_name};

/// What to do about rights; `None` where an error is about something else.
pub(crate) fn of(error: &StoreError) -> Option<String> {
    use StoreError as S;
    Some(match error {
        S::OtherOwner {
            path,
            owner,
            expected,
        } => {
            let (path, owner) = (quoted(path), user_name(*owner));
            format!(
                "use it as that user, with `sudo -u {owner} deespec …`, or share one store: `deespec \
                 init --group GROUP`; what is yours all the same gets its owner back with `sudo \
                 chown {} {path}`",
                user_name(*expected)
            )
        }
        S::UnknownOwner { .. } => "map its owner's number into the container (podman: \
                                   `--userns=keep-id`), start the container as its owner, or name \
                                   another folder with --store DIR"
            .to_owned(),
        S::Exposed {
            path,
            exposure: Exposure::Crowded,
            ..
        } => format!(
            "choose a folder for the store alone, such as --store {}",
            quoted(&path.join("deespec"))
        ),
        S::Exposed { path, .. } => {
            // The group's right to write is what makes a store shared.
            let (whose, more) = match is_shared(path) {
                true => ("o", ""),
                false => (
                    "go",
                    "; a store for several users is made with `deespec init --group GROUP`",
                ),
            };
            format!(
                "close it with `chmod {whose}-w {}` if nobody has written there whom you do not \
                 trust{more}",
                quoted(path)
            )
        }
        S::NotAMember { group, .. } => format!(
            "`id -Gn` lists your groups; `sudo gpasswd --add {} {}` adds one, from the next login on",
            user_name(geteuid().as_raw()),
            group_name(*group)
        ),
        S::NotShared { path, group } => {
            let path = quoted(path);
            format!(
                "end what counts in it, then share it: `chgrp -R {} {path} && chmod -R ug+rwX,o= \
                 {path} && chmod g+s {path} {path}/*/`, and let the group enter the folders around it",
                group_name(*group)
            )
        }
        S::Io { path, source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            return denied(path);
        }
        _ => return None,
    })
}

/// Whose the store is that this user may not enter; `None` where it is this user's.
fn denied(path: &Path) -> Option<String> {
    let nearest = path
        .ancestors()
        .find_map(|path| path.symlink_metadata().ok())?;
    if nearest.uid() == geteuid().as_raw() {
        return None;
    }
    let owner = user_name(nearest.uid());
    let is_shared = nearest.mode() & 0o2010 == 0o2010;
    let join = if is_shared {
        format!(
            ", or become a member of group {}",
            group_name(nearest.gid())
        )
    } else {
        String::new()
    };
    Some(format!(
        "it belongs to user {owner}: use it as that user, with `sudo -u {owner} deespec …`{join}, or name \
         another folder with --store DIR or DEESPEC_STORE"
    ))
}

/// Whether something, or the folder that it lies in, is one that members of a group write to.
fn is_shared(path: &Path) -> bool {
    let around = path.parent().unwrap_or(path);
    let modes = [path, around].map(|path| std::fs::metadata(path).map_or(0, |found| found.mode()));
    modes.iter().any(|mode| mode & 0o2020 == 0o2020)
}
