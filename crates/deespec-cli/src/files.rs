//! Writing files of the user's choice: whole, with rights that are set and not left to the umask, and
//! never through a name that somebody else has put there.

mod lock;
mod replace;

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;
#[cfg(feature = "push")]
use std::time::Duration;

use rustix::fs::OFlags;

pub(crate) use replace::replace;

/// Makes a file that does not exist yet.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let file = open_new(path)?;
    let written = fill(&file, content, mode);
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Makes a file that does not exist yet with the rights that files of this user have, but that nobody else may
/// write to it.
pub(crate) fn create_as_usual(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    let file = options.open(path)?;
    // The umask may have taken even the owner's rights.
    let written = file
        .metadata()
        .and_then(|made| fill(&file, content, made.mode() & 0o777 | 0o600));
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Makes a folder with the rights that folders of this user have, but that nobody else may write to it; whether it is
/// new.
pub(crate) fn make_folder_as_usual(path: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        made => made?,
    }
    let mode = std::fs::symlink_metadata(path)?.mode() & 0o777;
    if mode & 0o700 != 0o700 {
        std::fs::set_permissions(path, Permissions::from_mode(mode | 0o700))?;
    }
    Ok(true)
}

/// As [`replace`], and when it returns the new content is there after a power loss too.
#[cfg(feature = "push")]
pub(crate) fn replace_durably(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    replace(path, content, mode)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Locks a file that is there for nothing else, and is made where it is missing; fails when the deadline has passed.
#[cfg(feature = "push")]
pub(crate) fn hold(path: &Path, deadline: Duration) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    // A link could make a file elsewhere.
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    lock::within(&file, deadline)?;
    Ok(file)
}

/// Appends whole lines durably, however many processes do so at once; makes the file with `mode` where it is missing.
/// A line that a killed writer has left unfinished is ended first.
pub(crate) fn append(path: &Path, lines: &[u8], mode: u32) -> io::Result<()> {
    let (mut file, is_new) = loop {
        let (file, is_new) = match open_new(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (existing(path)?, false),
            Err(error) => return Err(error),
        };
        lock::alone(&file)?;
        if is_at(&file, path) {
            break (file, is_new);
        }
    };
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    let lines = match last {
        [b'\n'] => lines.to_owned(),
        _ => [b"\n", lines].concat(),
    };
    if let Err(error) = file.write_all(&lines) {
        // A full disk leaves no half of a line.
        let _ = file.set_len(length);
        return Err(error);
    }
    if is_new {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.sync_all()?;
    // Not by who made the file alone: that one may have been killed before its name was durable.
    path.parent().map_or(Ok(()), sync_folder)
}

/// Keeps those who append to this file waiting; `None` where there is no such file.
pub(crate) fn locked(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = match existing(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        lock::alone(&file)?;
        if is_at(&file, path) {
            return Ok(Some(file));
        }
    }
}

fn existing(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        // As in `read`.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Whether the path names this file still, and nobody has replaced it.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |one: std::fs::Metadata, other: std::fs::Metadata| {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    };
    file.metadata()
        .and_then(|ours| Ok(same(ours, std::fs::metadata(path)?)))
        .unwrap_or_default()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let here = Path::new(".");
    let is_here = folder.as_os_str().is_empty();
    File::open(if is_here { here } else { folder })?.sync_all()
}

fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true).mode(0o600);
    options.open(path)
}

fn fill(mut file: &File, content: &[u8], mode: u32) -> io::Result<()> {
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Reads a text of at most `limit` bytes and one more, so that its reader sees that it is too long.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<String> {
    text(bytes(path, limit)?)
}

/// Bytes as a text.
pub(crate) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// As [`read`], of what nobody else may know: a file that others can read holds no secret, and one that they can write
/// may hold theirs.
#[cfg(any(feature = "push", feature = "serve"))]
pub(crate) fn secret(path: &Path, limit: u64) -> io::Result<String> {
    let file = regular(path)?;
    let found = file.metadata()?;
    let user = rustix::process::geteuid().as_raw();
    if ![0, user].contains(&found.uid()) {
        return Err(io::Error::other(format!(
            "it belongs to user {}",
            found.uid()
        )));
    }
    // Root gives a file to a service by its group, which nobody else is in; a user has no reason to.
    let is_given = found.uid() == 0 && user != 0;
    let others = if is_given { 0o027 } else { 0o077 };
    let mode = found.mode() & 0o777;
    if mode & others != 0 {
        return Err(io::Error::other(format!(
            "others can use it too (its mode is {mode:04o})"
        )));
    }
    text(rest(&file, limit)?)
}

/// As [`read`], of what may be no text.
pub(crate) fn bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    rest(&regular(path)?, limit)
}

/// What a file has to be read, up to one byte more than the limit.
pub(crate) fn rest(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a regular file to be read.
pub(crate) fn regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        // A FIFO would wait for a writer, perhaps for ever.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}
