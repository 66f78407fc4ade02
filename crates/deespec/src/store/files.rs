//! Durable operations on files: a file appears complete or not at all. Nothing here knows what
//! the bytes mean. Temporary files are written by the holder of the exclusive lock only, so any
//! that the next holder finds belongs to a process that died.
//!
//! What is made, moved or removed is so through the descriptor of a folder that `access.rs` has judged,
//! and every file gets its owner, group and mode explicitly.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FallocateFlags, RenameFlags, fallocate, renameat_with, statat, unlinkat,
};

use super::access::{self, Access, parent};
use super::error::StoreError;
use super::faults::{FaultInjector, Operation};
use super::limit;
use super::opened::{create_in, name_of, open_own};
use super::place::{self, Kind};
use super::raw::Region;
use crate::protection::Protection;

/// Name prefix of a file that is not complete yet.
const TEMPORARY: &str = "tmp-";

/// The disk as the store sees it.
pub(crate) struct Files {
    pub(super) live: PathBuf,
    faults: Option<Arc<dyn FaultInjector>>,
}

/// A file that is being written under a temporary name.
pub(crate) struct Temporary {
    pub(crate) file: File,
    path: PathBuf,
    name: OsString,
    /// The folder `live`, and who may use what is in it.
    folder: File,
    access: Access,
}

impl Files {
    pub(crate) fn new(live: PathBuf, faults: Option<Arc<dyn FaultInjector>>) -> Self {
        Self { live, faults }
    }

    pub(super) fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        self.faults
            .as_ref()
            .map_or(Ok(()), |faults| faults.before(operation, path))
    }

    /// A folder of the store, which nobody can change who may not use the store.
    fn folder(&self, path: &Path) -> Result<File, StoreError> {
        let (live, access) = access::live(&self.live)?;
        if path == self.live {
            return Ok(live);
        }
        // The store's own folder may be named by a link of the user's.
        access.folder(path, path == parent(&self.live))
    }

    /// The folder that holds `path`, and its name there.
    pub(super) fn place<'a>(&self, path: &'a Path) -> Result<(File, &'a OsStr), StoreError> {
        Ok((self.folder(&parent(path))?, name_of(path)))
    }

    /// Where a file stands until it is complete.
    pub(crate) fn temporary(&self, name: &str) -> PathBuf {
        self.live.join(format!("{TEMPORARY}{name}"))
    }

    /// Begins a file under a temporary name; the caller holds the exclusive lock.
    pub(crate) fn begin(&self, name: &str) -> Result<Temporary, StoreError> {
        let path = self.temporary(name);
        let (folder, access) = access::live(&self.live)?;
        let begun = self.before(Operation::Create, &path).and_then(|()| {
            let create = || create_in(&folder, name_of(&path), &access);
            create().or_else(|error| {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
                unlinkat(&folder, name_of(&path), AtFlags::empty())?;
                create()
            })
        });
        let file = begun.map_err(StoreError::io("create", &path))?;
        Ok(Temporary {
            file,
            name: name_of(&path).to_owned(),
            path,
            folder,
            access,
        })
    }

    /// Reserves `bytes` of disk for a new file, so that a full disk is an error here and not a
    /// SIGBUS at an increment. It is written as well, so that making a cell durable later changes
    /// nothing but the cell's block.
    pub(crate) fn allocate(&self, file: &Temporary, bytes: u64) -> Result<(), StoreError> {
        self.before(Operation::Allocate, &file.path)
            .and_then(|()| place::prepare(&file.file))
            .and_then(|()| reserve_new(&file.file, bytes))
            .and_then(|()| write_zeros(&file.file, bytes))
            .map_err(|source| {
                let error = StoreError::io("reserve disk space for", &file.path)(source);
                // A failed reservation leaves the part that did fit.
                let _ = fs::remove_file(&file.path);
                error
            })
    }

    /// Makes a complete temporary file durable and moves it to `target`. With `replace` an
    /// existing file gives way, without it the move fails with `AlreadyExists`.
    pub(crate) fn finish(
        &self,
        temporary: &Temporary,
        target: &Path,
        replace: bool,
    ) -> Result<(), StoreError> {
        self.before(Operation::SyncFile, &temporary.path)
            .and_then(|()| sync_file(&temporary.file))
            .map_err(StoreError::io("make durable", &temporary.path))?;
        let flags = if replace {
            RenameFlags::empty()
        } else {
            RenameFlags::NOREPLACE
        };
        let (folder, name) = self.place(target)?;
        let (from, old) = (&temporary.folder, &temporary.name);
        self.before(Operation::Rename, target)
            .and_then(|()| Ok(renameat_with(from, old, &folder, name, flags)?))
            .map_err(StoreError::io("put into place", target))?;
        self.sync_folder(&folder, &parent(target))
    }

    /// Writes a whole file, durably and atomically.
    pub(crate) fn write(
        &self,
        target: &Path,
        bytes: &[u8],
        replace: bool,
    ) -> Result<(), StoreError> {
        self.write_with(target, replace, |out| out.write_all(bytes))
    }

    /// As [`Files::write`], piece by piece.
    pub(crate) fn write_with(
        &self,
        target: &Path,
        replace: bool,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let temporary = self.prepare(target, replace, fill)?;
        self.finish(&temporary, target, replace)
    }

    /// Writes a whole file under a temporary name; [`Files::finish`] puts it into place.
    pub(crate) fn prepare(
        &self,
        target: &Path,
        replace: bool,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Temporary, StoreError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = self.begin(&name)?;
        // A file that its owner has opened to other readers stays open to them.
        if replace
            && let (folder, name) = self.place(target)?
            && let Ok(old) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
            && old.st_mode & READERS != 0
        {
            let mode = temporary.access.file_mode() | (old.st_mode & READERS);
            temporary
                .access
                .give(&temporary.file, mode)
                .map_err(StoreError::io("set the rights of", &temporary.path))?;
        }
        self.before(Operation::Write, &temporary.path)
            .and_then(|()| {
                let mut out = BufWriter::with_capacity(256 << 10, Limited::new(&temporary.file));
                fill(&mut out)?;
                out.flush()
            })
            .map_err(StoreError::io("write", &temporary.path))?;
        Ok(temporary)
    }

    /// Removes a file that was begun and is not to be.
    pub(crate) fn give_up(&self, temporary: &Temporary) -> Result<(), StoreError> {
        self.remove(&temporary.path)
    }

    /// Writes a whole new file atomically, but not durably: it is a copy of what is known otherwise, and
    /// whoever reads it can tell whether it is whole.
    pub(crate) fn write_copy(&self, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let mut temporary = self.begin(&name)?;
        self.before(Operation::Write, &temporary.path)
            .and_then(|()| limit::check(bytes.len() as u64))
            .and_then(|()| temporary.file.write_all(bytes))
            .map_err(StoreError::io("write", &temporary.path))?;
        let (folder, name) = self.place(target)?;
        let (from, old) = (&temporary.folder, &temporary.name);
        self.before(Operation::Rename, target)
            .and_then(|()| {
                let flags = RenameFlags::NOREPLACE;
                Ok(renameat_with(from, old, &folder, name, flags)?)
            })
            .map_err(StoreError::io("put into place", target))
    }

    /// Copies a file of the store, durably, under a name that is new.
    pub(crate) fn copy(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let Some((mut file, _)) = open_own(from, false, u64::MAX)? else {
            return Ok(());
        };
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let mut temporary = self.begin(&name)?;
        self.before(Operation::Write, &temporary.path)
            .and_then(|()| limit::check(file.metadata()?.len()))
            .and_then(|()| io::copy(&mut file, &mut temporary.file))
            .map_err(StoreError::io("copy", from))?;
        self.finish(&temporary, to, false)
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        let (folder, name) = self.place(path)?;
        self.before(Operation::Remove, path)
            .and_then(|()| Ok(unlinkat(&folder, name, AtFlags::empty())?))
            .map_err(StoreError::io("remove", path))
    }

    pub(crate) fn sync_directory(&self, path: &Path) -> Result<(), StoreError> {
        self.before(Operation::SyncDirectory, path)
            .and_then(|()| match Protection::SyncDirectory.stands() {
                true => File::open(path)?.sync_all(),
                false => Ok(()),
            })
            .map_err(StoreError::io("make durable", path))
    }

    /// As [`Files::sync_directory`], for a folder that is open.
    pub(super) fn sync_folder(&self, folder: &File, path: &Path) -> Result<(), StoreError> {
        self.before(Operation::SyncDirectory, path)
            .and_then(|()| match Protection::SyncDirectory.stands() {
                true => folder.sync_all(),
                false => Ok(()),
            })
            .map_err(StoreError::io("make durable", path))
    }

    pub(crate) fn sync_cells(&self, region: &Region, path: &Path) -> Result<(), StoreError> {
        self.before(Operation::SyncCells, path)
            .and_then(|()| match Protection::SyncCells.stands() {
                true => region.flush(),
                false => Ok(()),
            })
            .map_err(StoreError::io("make durable", path))
    }

    pub(crate) fn sync_words(
        &self,
        region: &Region,
        path: &Path,
        first: usize,
        count: usize,
    ) -> Result<(), StoreError> {
        self.before(Operation::SyncCells, path)
            .and_then(|()| match Protection::SyncCells.stands() {
                true => region.flush_words(first, count),
                false => Ok(()),
            })
            .map_err(StoreError::io("make durable", path))
    }

    /// Removes what processes that died left under temporary names.
    pub(crate) fn sweep(&self) -> Result<(), StoreError> {
        let entries = fs::read_dir(&self.live).map_err(StoreError::io("list", &self.live))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY)
                && entry.file_type().is_ok_and(|kind| !kind.is_dir())
            {
                self.remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// A file that grows no longer than this process may make it.
struct Limited<'a> {
    file: &'a File,
    len: u64,
}

impl<'a> Limited<'a> {
    fn new(file: &'a File) -> Self {
        Self { file, len: 0 }
    }
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        limit::check(self.len + bytes.len() as u64)?;
        let written = self.file.write(bytes)?;
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns when the disk has the file.
pub(super) fn sync_file(file: &File) -> io::Result<()> {
    match Protection::SyncFile.stands() {
        true => file.sync_all(),
        false => Ok(()),
    }
}

/// Gives a file its length, with a block of the disk behind each byte.
pub(super) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    // One that is there may have holes, and does not grow.
    if file.metadata()?.len() < bytes {
        limit::check(bytes)?;
    }
    match Protection::Allocation.stands() {
        true => Ok(fallocate(file, FallocateFlags::empty(), 0, bytes)?),
        false => file.set_len(bytes),
    }
}

/// As [`reserve`], for a file that zeros are written to next: they reserve where the file system has no call for it, as ext2
/// and ext3 have none.
fn reserve_new(file: &File, bytes: u64) -> io::Result<()> {
    match reserve(file, bytes) {
        Err(error)
            if error.raw_os_error() == Some(libc::EOPNOTSUPP) && Kind::of(file)? == Kind::Ext =>
        {
            file.set_len(bytes)
        }
        other => other,
    }
}

/// Writes zeros to all of a file. Blocks that are only reserved are marked as never written, and it is
/// the journal of the file system that takes the mark away: where that fails, an `msync` of the cells
/// may still succeed, and the cells are gone (`docs/design/0032-a-segment-is-written-before-it-is-used.md`).
fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    if !Protection::Allocation.stands() {
        return Ok(());
    }
    let zeros = vec![0; bytes.min(1 << 20) as usize];
    let mut at = 0;
    while at < bytes {
        let now = (bytes - at).min(zeros.len() as u64);
        file.write_all_at(&zeros[..now as usize], at)?;
        at += now;
    }
    Ok(())
}

/// Who else may read a document.
const READERS: u32 = 0o044;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn files() -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned(), None);
        (folder, files)
    }

    #[test]
    #[cfg_attr(miri, ignore = "renames files and makes FIFOs")]
    fn a_file_is_replaced_only_when_that_is_asked_for() {
        let (folder, files) = files();
        let path = folder.path().join("document");
        files.write(&path, b"one", false).unwrap();
        assert!(files.write(&path, b"two", false).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        files.write(&path, b"three", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        files.sweep().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
