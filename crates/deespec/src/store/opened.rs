//! Opening files, and seeing what was opened: of the store, which must be regular, in their place and
//! safe from others; of the user, which must have an end.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

use super::access::{self, Access, parent};
use super::error::StoreError;
use crate::protection::Protection;

/// Most bytes that a document may have (a store of 100,000 series has about 20 MiB).
pub(crate) const DOCUMENT_MAX: u64 = 256 << 20;

/// The last name of a path.
pub(super) fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Opens a file of the store without following links and without waiting for a FIFO's writer.
fn open_flags() -> i32 {
    let flags = match Protection::FileType.stands() {
        true => OFlags::NOFOLLOW | OFlags::NONBLOCK,
        false => OFlags::NONBLOCK,
    };
    flags.bits().cast_signed()
}

/// Makes a file that is new, for those who may use the store.
pub(super) fn create_in(folder: &File, name: &OsStr, access: &Access) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?);
    access.give(&file, access.file_mode())?;
    Ok(file)
}

/// Opens a file in `live/` for reading and writing, and makes it first where it does not exist.
/// Whether its content and its place can be trusted has been checked, but for its owner and mode.
pub(crate) fn open_or_create(path: &Path) -> Result<(File, fs::Metadata), StoreError> {
    loop {
        if let Some(found) = open_regular(path, true, u64::MAX)? {
            access::check_links(path, &found.1)?;
            return Ok(found);
        }
        let (folder, access) = access::live(&parent(path))?;
        match create_in(&folder, name_of(path), &access) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => drop(other.map_err(StoreError::io("create", path))?),
        }
    }
}

/// Opens a file in `live/` which nobody can change who may not use the store; `None` when there is no
/// file of that name.
pub(crate) fn open_own(
    path: &Path,
    write: bool,
    limit: u64,
) -> Result<Option<(File, fs::Metadata)>, StoreError> {
    let opened = open_regular(path, write, limit)?;
    if let Some((_, found)) = &opened {
        access::check_file(path, found)?;
    }
    Ok(opened)
}

/// Opens a regular file of at most `limit` bytes; `None` when there is no file of that name.
pub(crate) fn open_regular(
    path: &Path,
    write: bool,
    limit: u64,
) -> Result<Option<(File, fs::Metadata)>, StoreError> {
    open_checked(path, write, limit, open_flags())
}

fn open_checked(
    path: &Path,
    write: bool,
    limit: u64,
    flags: i32,
) -> Result<Option<(File, fs::Metadata)>, StoreError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(flags)
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
pub(super) fn file_type(metadata: &fs::Metadata) -> Option<&'static str> {
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

/// Reads a document of the store; `None` when it does not exist.
pub(crate) fn read_document(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    read_whole(open_regular(path, false, DOCUMENT_MAX)?, path)
}

/// Opens a document of the store; `None` when it does not exist.
pub(crate) fn open_document(path: &Path) -> Result<Option<impl io::Read + use<>>, StoreError> {
    let opened = open_regular(path, false, DOCUMENT_MAX)?;
    Ok(opened.map(|(file, _)| file.take(DOCUMENT_MAX)))
}

/// As [`read_document`], with what its file was before it was read.
pub(crate) fn read_document_as_it_was(
    path: &Path,
) -> Result<Option<(Vec<u8>, fs::Metadata)>, StoreError> {
    let opened = open_regular(path, false, DOCUMENT_MAX)?;
    let found = opened.as_ref().map(|(_, found)| found.clone());
    Ok(read_whole(opened, path)?.zip(found))
}

/// Reads a document in `live/`, which says what the store is to do; `None` when it does not exist.
pub(crate) fn read_own(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    read_whole(open_own(path, false, DOCUMENT_MAX)?, path)
}

/// Reads a document that the user has named, through links too; `None` when it does not exist.
pub(crate) fn read_given(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    read_whole(open_checked(path, false, DOCUMENT_MAX, flags)?, path)
}

/// Reads a whole regular file of at most [`DOCUMENT_MAX`] bytes.
fn read_whole(
    opened: Option<(File, fs::Metadata)>,
    path: &Path,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some((file, metadata)) = opened else {
        return Ok(None);
    };
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // It may have grown since.
    file.take(DOCUMENT_MAX)
        .read_to_end(&mut bytes)
        .map_err(StoreError::io("read", path))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "opens FIFOs and links")]
    fn what_is_not_a_regular_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
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
