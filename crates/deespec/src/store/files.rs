//! Durable operations on files: a file appears complete or not at all. Nothing here knows what
//! the bytes mean. Temporary files are written by the holder of the exclusive lock only, so any
//! that the next holder finds belongs to a process that died.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FallocateFlags, RenameFlags, fallocate, renameat_with};

use super::error::StoreError;
use super::faults::{FaultInjector, Operation};
use super::protection::Protection;
use super::raw::Region;

/// Name prefix of a file that is not complete yet.
const TEMPORARY: &str = "tmp-";
/// Most bytes that a document may have (a store of 100,000 series has about 20 MiB).
pub(crate) const DOCUMENT_MAX: u64 = 256 << 20;

/// The disk as the store sees it.
pub(crate) struct Files {
    live: PathBuf,
    faults: Option<Arc<dyn FaultInjector>>,
}

/// A file that is being written under a temporary name.
pub(crate) struct Temporary {
    pub(crate) file: File,
    path: PathBuf,
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

    /// Makes a folder that only its owner can enter, unless it is there already.
    pub(crate) fn make_directory(&self, path: &Path) -> Result<(), StoreError> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            self.make_directory(parent)?;
        }
        let made = self
            .before(Operation::Create, path)
            .and_then(|()| fs::DirBuilder::new().mode(0o700).create(path))
            // Explicit, because the umask may have taken even the owner's rights.
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)));
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            other => other.map_err(StoreError::io("create the folder", path))?,
        }
        // What is made durable in the folder must not be lost with the folder.
        self.sync_directory(path.parent().unwrap_or_else(|| Path::new(".")))
    }

    /// Where a file stands until it is complete.
    pub(crate) fn temporary(&self, name: &str) -> PathBuf {
        self.live.join(format!("{TEMPORARY}{name}"))
    }

    /// Begins a file under a temporary name; the caller holds the exclusive lock.
    pub(crate) fn begin(&self, name: &str) -> Result<Temporary, StoreError> {
        let path = self.temporary(name);
        let begun = self.before(Operation::Create, &path).and_then(|()| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
            let file = options.open(&path).or_else(|error| {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
                fs::remove_file(&path)?;
                options.open(&path)
            })?;
            // Explicit, because the umask may have taken even the owner's rights.
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            Ok(file)
        });
        let file = begun.map_err(StoreError::io("create", &path))?;
        Ok(Temporary { file, path })
    }

    /// Reserves `bytes` of disk for a new file, so that a full disk is an error here and not a
    /// SIGBUS at an increment.
    pub(crate) fn allocate(&self, file: &Temporary, bytes: u64) -> Result<(), StoreError> {
        self.before(Operation::Allocate, &file.path)
            .and_then(|()| reserve(&file.file, bytes))
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
        self.before(Operation::Rename, target)
            .and_then(|()| Ok(renameat_with(CWD, &temporary.path, CWD, target, flags)?))
            .map_err(StoreError::io("put into place", target))?;
        self.sync_directory(target.parent().unwrap_or_else(|| Path::new(".")))
    }

    /// Writes a whole file, durably and atomically.
    pub(crate) fn write(
        &self,
        target: &Path,
        bytes: &[u8],
        replace: bool,
    ) -> Result<(), StoreError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let mut temporary = self.begin(&name)?;
        // A file that its owner has opened to other readers stays open to them.
        if let Ok(old) = fs::symlink_metadata(target)
            && replace
            && old.is_file()
        {
            temporary
                .file
                .set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))
                .map_err(StoreError::io("set the rights of", &temporary.path))?;
        }
        self.before(Operation::Write, &temporary.path)
            .and_then(|()| temporary.file.write_all(bytes))
            .map_err(StoreError::io("write", &temporary.path))?;
        self.finish(&temporary, target, replace)
    }

    /// Lets two folders change places, at once.
    pub(crate) fn exchange(&self, one: &Path, other: &Path) -> Result<(), StoreError> {
        self.before(Operation::Rename, one)
            .and_then(|()| Ok(renameat_with(CWD, other, CWD, one, RenameFlags::EXCHANGE)?))
            .map_err(StoreError::io("put another folder into place of", one))?;
        self.sync_directory(one.parent().unwrap_or_else(|| Path::new(".")))
    }

    /// Copies a file, durably, under a name that is new.
    pub(crate) fn copy(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let mut temporary = self.begin(&name)?;
        self.before(Operation::Write, &temporary.path)
            .and_then(|()| io::copy(&mut File::open(from)?, &mut temporary.file))
            .map_err(StoreError::io("copy", from))?;
        self.finish(&temporary, to, false)
    }

    /// Gives a folder, and the files in it, the owner that another one has, and the folder its mode.
    pub(crate) fn give_like(&self, path: &Path, model: &Path) -> Result<(), StoreError> {
        let fail = || StoreError::io("give an owner to", path);
        let owner = fs::metadata(model).map_err(fail())?;
        let give = |path: &Path| {
            let found = fs::symlink_metadata(path)?;
            if (found.uid(), found.gid()) == (owner.uid(), owner.gid()) {
                return Ok(());
            }
            std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()))
        };
        for entry in fs::read_dir(path).map_err(fail())?.flatten() {
            give(&entry.path()).map_err(fail())?;
        }
        let mode = fs::Permissions::from_mode(owner.mode() & 0o7777);
        give(path)
            .and_then(|()| fs::set_permissions(path, mode))
            .map_err(fail())
    }

    /// Removes a folder with all its files; what is no folder, or is not there, is left alone.
    pub(crate) fn remove_directory(&self, path: &Path) -> Result<(), StoreError> {
        if !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        self.before(Operation::Remove, path)
            .and_then(|()| fs::remove_dir_all(path))
            .map_err(StoreError::io("remove", path))
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        self.before(Operation::Remove, path)
            .and_then(|()| fs::remove_file(path))
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

/// Returns when the disk has the file.
pub(super) fn sync_file(file: &File) -> io::Result<()> {
    match Protection::SyncFile.stands() {
        true => file.sync_all(),
        false => Ok(()),
    }
}

/// Gives a file its length, with a block of the disk behind each byte.
pub(super) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match Protection::Allocation.stands() {
        true => Ok(fallocate(file, FallocateFlags::empty(), 0, bytes)?),
        false => file.set_len(bytes),
    }
}

/// Opens a file of the store without following links and without waiting for a FIFO's writer.
fn open_flags() -> i32 {
    use rustix::fs::OFlags;
    let flags = match Protection::FileType.stands() {
        true => OFlags::NOFOLLOW | OFlags::NONBLOCK,
        false => OFlags::NONBLOCK,
    };
    flags.bits().cast_signed()
}

/// Opens a file for reading and writing, and makes it first where it does not exist, so that only
/// its owner can use it.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(open_flags());
    loop {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        match options.clone().create_new(true).open(path) {
            Ok(file) => {
                // Explicit, because the umask may have taken even the owner's rights.
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens a regular file of at most `limit` bytes; `None` when there is no file of that name.
pub(crate) fn open_regular(
    path: &Path,
    write: bool,
    limit: u64,
) -> Result<Option<(File, fs::Metadata)>, StoreError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(open_flags())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(match fs::symlink_metadata(path).map(|m| file_type(&m)) {
                Ok(Some(found)) => StoreError::WrongFileType {
                    path: path.to_owned(),
                    found,
                },
                _ => StoreError::io("open", path)(error),
            });
        }
    };
    let metadata = file.metadata().map_err(StoreError::io("inspect", path))?;
    if let Some(found) = file_type(&metadata) {
        return Err(StoreError::WrongFileType {
            path: path.to_owned(),
            found,
        });
    }
    if metadata.len() > limit {
        return Err(StoreError::TooLarge {
            path: path.to_owned(),
            found: metadata.len(),
            limit,
        });
    }
    Ok(Some((file, metadata)))
}

/// What something is that is not a regular file.
fn file_type(metadata: &fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() || !Protection::FileType.stands() => None,
        () if kind.is_symlink() => Some("a symbolic link"),
        () if kind.is_dir() => Some("a folder"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// Reads a whole regular file of at most [`DOCUMENT_MAX`] bytes; `None` when it does not exist.
pub(crate) fn read_document(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let Some((file, metadata)) = open_regular(path, false, DOCUMENT_MAX)? else {
        return Ok(None);
    };
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(DOCUMENT_MAX)
        .read_to_end(&mut bytes)
        .map_err(StoreError::io("read", path))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
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

    #[test]
    #[cfg_attr(miri, ignore = "renames files and makes FIFOs")]
    fn what_is_not_a_regular_file_is_refused_by_name() {
        let (folder, _files) = files();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("elsewhere", at("link")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        rustix::fs::mknodat(CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for (name, expected) in [
            ("link", "a symbolic link"),
            ("folder", "a folder"),
            ("socket", "a socket"),
            ("fifo", "a FIFO"),
        ] {
            match read_document(&at(name)) {
                Err(StoreError::WrongFileType { found, .. }) => assert_eq!(found, expected),
                other => panic!("{name}: {other:?}"),
            }
        }
        File::create(at("sparse"))
            .unwrap()
            .set_len(8 << 40)
            .unwrap();
        assert!(matches!(
            read_document(&at("sparse")),
            Err(StoreError::TooLarge { .. })
        ));
    }
}
