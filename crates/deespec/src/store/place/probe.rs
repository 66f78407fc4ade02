//! Does an overwrite stay in place? What lies below an overlay cannot be asked; whether a block moves when it is
//! written again can.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{CWD, FallocateFlags, IFlags, Mode, OFlags, fallocate, openat};

use crate::protection::Protection;
use crate::store::raw::{Region, extents, write_back};
use crate::sync::Ordering;

/// A page, whatever its size on this machine.
const BYTES: u64 = 64 << 10;
const BLOCK: u64 = 4 << 10;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No block moved; `nocow` where copying on write had to be switched off for that.
    InPlace { nocow: bool },
    /// At least one did.
    Moves,
    /// It is memory that keeps a file: nothing is ever written elsewhere.
    Memory,
    /// Space cannot be reserved.
    CannotReserve,
    /// The file system does not tell where blocks lie.
    Unknown,
}

/// Tries it in a folder, with a file that has no name.
pub(super) fn probe(folder: &Path) -> io::Result<Verdict> {
    if !Protection::Probe.stands() {
        return Ok(Verdict::InPlace { nocow: false });
    }
    let file = nameless(folder)?;
    let nocow = take_nocow(&file);
    if fallocate(&file, FallocateFlags::empty(), 0, BYTES).is_err() {
        return Ok(Verdict::CannotReserve);
    }
    if is_memory(&file)? {
        return Ok(Verdict::Memory);
    }
    file.write_all_at(&[0; BYTES as usize], 0)?;
    file.sync_all()?;
    let Some(before) = addresses(&file) else {
        return Ok(Verdict::Unknown);
    };
    let region = Region::map(&file, BYTES as usize / size_of::<u64>())?;
    for sync in [true, false] {
        for block in 0..BYTES / BLOCK {
            let word = (block * BLOCK) as usize / size_of::<u64>();
            region.words()[word].fetch_add(1, Ordering::Relaxed);
        }
        // The kernel's own write-back may take another way than a sync.
        match sync {
            true => region.flush()?,
            false => write_back(&file, BYTES)?,
        }
        match addresses(&file) {
            None => return Ok(Verdict::Unknown),
            Some(after) if after != before => return Ok(Verdict::Moves),
            Some(_) => {}
        }
    }
    Ok(Verdict::InPlace { nocow })
}

/// A new file without a name; killed at any moment, nothing is left of it. Older kernels give an overlay none: there
/// it has a name until it is open.
fn nameless(folder: &Path) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = openat(CWD, folder, flags | OFlags::TMPFILE, mode) {
        return Ok(file.into());
    }
    let path = folder.join(format!("tmp-probe-{}", std::process::id()));
    let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = File::from(openat(CWD, &path, flags, mode)?);
    fs::remove_file(&path)?;
    Ok(file)
}

/// Switches copying on write off for a file that is empty, where the file system lets us.
pub(super) fn take_nocow(file: &File) -> bool {
    let set = rustix::fs::ioctl_getflags(file)
        .and_then(|flags| rustix::fs::ioctl_setflags(file, flags | IFlags::NOCOW));
    set.is_ok() && has_nocow(file)
}

/// Whether copying on write is switched off for a file.
pub(super) fn has_nocow(file: &File) -> bool {
    rustix::fs::ioctl_getflags(file).is_ok_and(|flags| flags.contains(IFlags::NOCOW))
}

/// Whether a file that was just allocated lies in memory, as tmpfs keeps it: all of it is there at once, it has
/// attributes but not the one of btrfs, no extents, and no range of it can be made zeros.
fn is_memory(file: &File) -> io::Result<bool> {
    let unsupported = |done: rustix::io::Result<()>| done == Err(rustix::io::Errno::OPNOTSUPP);
    Ok(file.metadata()?.blocks() * 512 >= BYTES
        && extents(file, 0).is_err()
        && rustix::fs::ioctl_getflags(file).is_ok()
        && unsupported(fallocate(file, FallocateFlags::ZERO_RANGE, 0, BYTES)))
}

/// Where each block lies; `None` where that is not told.
fn addresses(file: &File) -> Option<Vec<u64>> {
    let extents = extents(file, 0).ok()?;
    let at = |block: u64| {
        let logical = block * BLOCK;
        let extent = extents
            .iter()
            .find(|one| one.logical <= logical && logical < one.logical + one.length)?;
        let physical = extent.physical + (logical - extent.logical);
        extent.has_address().then_some(physical)
    };
    (0..BYTES / BLOCK).map(at).collect()
}
