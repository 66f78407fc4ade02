//! That the blocks of a segment are there and its own: a store to a page whose block is missing, or shared with a copy,
//! needs a new block, and on a full disk that is the end of the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate};
use rustix::io::Errno;

use super::{Kind, Unfit, probe};
use crate::protection::Protection;
use crate::store::error::StoreError;
use crate::store::files::reserve;
use crate::store::opened::open_own;
use crate::store::raw::{Region, extents};

/// Makes a file ready that is still empty.
pub(crate) fn prepare(file: &File) -> io::Result<()> {
    if Kind::of(file)?.may_take_nocow() {
        probe::take_nocow(file);
    }
    Ok(())
}

/// What is still to be done when the file is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Nothing,
    /// Each page is to be given a block of its own.
    Populate,
}

/// Sees to it that a file has all of its blocks, and alone.
pub(crate) fn own(file: &File, kind: Kind, path: &Path) -> Result<Rest, StoreError> {
    let inspect = StoreError::io("inspect", path);
    let found = file.metadata().map_err(inspect)?;
    let has_holes = found.blocks() * 512 < found.len() || (kind == Kind::Ext && has_hole(file));
    let mut rest = Rest::Nothing;
    if has_holes && Protection::Holes.stands() {
        match reserve(file, found.len()) {
            // ext2 and ext3 have no such call.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => rest = Rest::Populate,
            other => other.map_err(StoreError::io("reserve disk space for", path))?,
        }
    }
    match separate(file, kind, path)? {
        Rest::Populate => Ok(Rest::Populate),
        Rest::Nothing => Ok(rest),
    }
}

/// Whether there is a hole: on ext2 and ext3 the blocks of an index can hide one in the sum.
fn has_hole(file: &File) -> bool {
    let length = file.metadata().map_or(0, |found| found.len());
    rustix::fs::seek(file, SeekFrom::Hole(0)).is_ok_and(|hole| hole < length)
}

/// Ends the sharing of a file's blocks with those of a copy.
fn separate(file: &File, kind: Kind, path: &Path) -> Result<Rest, StoreError> {
    if !kind.may_share() || !Protection::Separation.stands() {
        return Ok(Rest::Nothing);
    }
    let found = file.metadata().map_err(StoreError::io("inspect", path))?;
    match fallocate(file, FallocateFlags::UNSHARE_RANGE, 0, found.len()) {
        Ok(()) => Ok(Rest::Nothing),
        // xfs says so on a full disk also where nothing is shared.
        Err(Errno::NOSPC | Errno::DQUOT) => match shared_bytes(file) {
            0 => Ok(Rest::Nothing),
            bytes => Err(StoreError::Shared {
                path: path.to_owned(),
                bytes,
            }),
        },
        // The file system has no such call. Where it does not tell of sharing either, it knows none.
        Err(_) if shared_bytes(file) > 0 => Ok(Rest::Populate),
        Err(_) => Ok(Rest::Nothing),
    }
}

/// Gives each page of a mapping its own block.
pub(crate) fn populate(region: &Region, file: &File, path: &Path) -> Result<(), StoreError> {
    if !Protection::Population.stands() {
        return Ok(());
    }
    match region.populate() {
        Ok(()) => region.flush().map_err(StoreError::io("make durable", path)),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Err(StoreError::FileSystem {
            path: path.to_owned(),
            found: Kind::of(file).map_or_else(|_| "a file system".into(), Kind::with_article),
            reason: Unfit::CannotSeparate,
        }),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EFAULT | libc::ENOSPC)) => {
            Err(StoreError::Shared {
                path: path.to_owned(),
                bytes: shared_bytes(file),
            })
        }
        Err(error) => Err(StoreError::io("reserve disk space for", path)(error)),
    }
}

/// How many bytes of a file lie in blocks that another file has too.
fn shared_bytes(file: &File) -> u64 {
    let (mut start, mut bytes) = (0, 0);
    loop {
        let found = extents(file, start).unwrap_or_default();
        bytes += found
            .iter()
            .filter(|extent| extent.is_shared())
            .map(|extent| extent.length)
            .sum::<u64>();
        match found.last() {
            Some(last) if !last.is_last() && last.logical + last.length > start => {
                start = last.logical + last.length;
            }
            _ => return bytes,
        }
    }
}

/// Keeps the blocks of a segment its own for as long as it is mapped: a copy or a snapshot that is made meanwhile may
/// share them again.
pub(crate) struct Guard {
    kind: Kind,
    /// Opened anew: the lock of a compaction belongs to the other descriptor.
    file: File,
}

impl Guard {
    /// `None` where nothing is ever shared.
    pub(crate) fn of(kind: Kind, path: &Path) -> Result<Option<Self>, StoreError> {
        if !kind.may_share() {
            return Ok(None);
        }
        let opened = open_own(path, true, u64::MAX)?;
        Ok(opened.map(|(file, _)| Self { kind, file }))
    }

    /// Ends what is shared now.
    pub(crate) fn keep(&self, region: &Region, path: &Path) -> Result<(), StoreError> {
        match separate(&self.file, self.kind, path)? {
            Rest::Nothing => Ok(()),
            Rest::Populate => populate(region, &self.file, path),
        }
    }

    /// Whether copying on write is switched off for the file.
    pub(crate) fn has_nocow(&self) -> bool {
        probe::has_nocow(&self.file)
    }
}
