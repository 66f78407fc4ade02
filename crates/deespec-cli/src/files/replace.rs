//! Replacing a file as a whole, so that nobody reads half of it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{fill, is_at, open_new};

/// How many names are tried for what is being written.
const NAMES: u32 = 100;

/// Replaces a file as a whole, so that nobody reads half of it, or makes it. One that is there keeps
/// the rights that somebody gave it; a new one gets `mode`. What killed processes have left of it goes.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mode = std::fs::metadata(path).map_or(mode, |found| found.permissions().mode() & 0o777);
    sweep(path);
    let (file, temporary) = temporary(path)?;
    // The lock is held until the file has its name.
    let replaced = fill(&file, content, mode).and_then(|()| std::fs::rename(&temporary, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    replaced
}

/// What stands before the number in the name of a file that is being written.
fn beginning(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".deespec-");
    name
}

/// A new file beside the one that it is to become. It is locked: so it is known to be written still.
fn temporary(path: &Path) -> io::Result<(File, PathBuf)> {
    let first = std::process::id();
    // A process in another container may have the same number.
    for number in (0..NAMES).map(|more| first.wrapping_add(more)) {
        let mut name = beginning(path);
        name.push(number.to_string());
        let temporary = path.with_file_name(name);
        let file = match open_new(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        match file.try_lock() {
            // Somebody took it for left over before it was locked.
            Ok(()) if !is_at(&file, &temporary) => {}
            Err(TryLockError::WouldBlock) => {}
            // Where there are no locks nobody sweeps either.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok((file, temporary)),
        }
    }
    let message = format!("{NAMES} others are writing it");
    Err(io::Error::new(ErrorKind::ResourceBusy, message))
}

/// Removes what was to become this file and nobody writes any more. What cannot be removed stays.
fn sweep(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let beginning = beginning(path);
    let is_left = |name: &OsStr| {
        let number = name.as_bytes().strip_prefix(beginning.as_bytes());
        number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_left(&entry.file_name()) {
            let _ = remove_unlocked(&folder.join(entry.file_name()));
        }
    }
}

fn remove_unlocked(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    let found = file.metadata()?;
    let is_ours = found.is_file() && found.uid() == rustix::process::geteuid().as_raw();
    if is_ours && file.try_lock().is_ok() && is_at(&file, path) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_has_left_goes_and_what_is_written_still_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.prom");
        let beside = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").unwrap();
            path
        };
        let left = [
            beside(".page.prom.deespec-1"),
            beside(&format!(".page.prom.deespec-{}", std::process::id())),
        ];
        let others = [
            beside(".page.prom.deespec-"),
            beside(".page.prom.1"),
            beside(".other.prom.deespec-1"),
        ];
        let (_held, written) = temporary(&path).unwrap();
        replace(&path, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(left.iter().all(|left| !left.exists()));
        assert!(others.iter().chain([&written]).all(|other| other.exists()));
    }
}
