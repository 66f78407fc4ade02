//! Writing files of the user's choice: whole, with rights that are set and not left to the umask, and
//! never through a name that somebody else has put there.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Makes a file that does not exist yet.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let file = open_new(path)?;
    let written = fill(file, content, mode);
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Replaces a file as a whole, so that nobody reads half of it, or makes it. One that is there keeps
/// the rights that somebody gave it; a new one gets `mode`.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    let mode = std::fs::metadata(path).map_or(mode, |found| found.permissions().mode() & 0o777);
    let file = match open_new(&temporary) {
        // Left by a process of the same number that died.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::remove_file(&temporary)?;
            open_new(&temporary)?
        }
        other => other?,
    };
    let replaced = fill(file, content, mode).and_then(|()| std::fs::rename(&temporary, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    replaced
}

fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)
}

fn fill(mut file: File, content: &[u8], mode: u32) -> io::Result<()> {
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Reads a text of at most `limit` bytes and one more, so that its reader sees that it is too long.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<String> {
    let file = OpenOptions::new()
        .read(true)
        // A FIFO would wait for a writer, perhaps for ever.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    Ok(text)
}
