//! Where the blocks of a file lie, and their way to the disk: two calls of Linux.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

/// A run of blocks, as `FS_IOC_FIEMAP` gives it (`linux/fiemap.h`).
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Extent {
    /// Where it begins in the file, in bytes.
    pub(crate) logical: u64,
    /// Where it begins on the device, in bytes.
    pub(crate) physical: u64,
    /// Bytes.
    pub(crate) length: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

impl Extent {
    const LAST: u32 = 0x1;
    /// Unknown, delayed, encoded, encrypted, unaligned, inline or a tail: no address that means anything.
    const ADDRESSLESS: u32 = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400;
    const SHARED: u32 = 0x2000;

    /// Whether its address is where the blocks lie.
    pub(crate) fn has_address(&self) -> bool {
        self.flags & Self::ADDRESSLESS == 0 && self.physical != 0
    }

    /// Whether another file has the same blocks.
    pub(crate) fn is_shared(&self) -> bool {
        self.flags & Self::SHARED != 0
    }

    pub(crate) fn is_last(&self) -> bool {
        self.flags & Self::LAST != 0
    }
}

/// As many as one call gives.
const EXTENTS: usize = 64;

#[repr(C)]
#[derive(Default)]
struct Request {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    reserved: u32,
}

#[repr(C)]
struct Answer {
    request: Request,
    extents: [Extent; EXTENTS],
}

/// `_IOWR('f', 11, struct fiemap)`, whose head has 32 bytes.
const FIEMAP: u32 = 0xc020_660b;
/// The file is written back first.
const SYNC: u32 = 1;

/// The first extents of a file that end behind `start`. Fails where the file system has no such call.
pub(crate) fn extents(file: &File, start: u64) -> io::Result<Vec<Extent>> {
    let mut answer = Answer {
        request: Request {
            start,
            length: u64::MAX - start,
            flags: SYNC,
            count: EXTENTS as u32,
            ..Request::default()
        },
        extents: [Extent::default(); EXTENTS],
    };
    let at: *mut Answer = &raw mut answer;
    #[allow(
        clippy::cast_lossless,
        reason = "the type is that of the C library, and an int in some"
    )]
    let call = FIEMAP as libc::Ioctl;
    // SAFETY: the descriptor is open for as long as `file` is borrowed. `Answer` has the layout of `struct fiemap` with
    // `count` extents behind it, all of it initialised, and the kernel writes into no more extents than `count`.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), call, at) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let found = (answer.request.mapped as usize).min(EXTENTS);
    Ok(answer.extents[..found].to_vec())
}

/// Writes the changed pages of a file to the disk as the kernel's write-back does, which is another way than that of a sync.
pub(crate) fn write_back(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off64_t::try_from(bytes).map_err(io::Error::other)?;
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: it takes no pointer, and the descriptor is open for as long as `file` is borrowed.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), 0, length, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
