//! Record locks: one byte of a file, locked by a process and not by an open file.
//!
//! Such a lock is what tells that a process lives. The kernel drops it when the process ends, however
//! it ends; a forked child does not have it; it means nothing to the kernel what number the process
//! has in which container. It also goes when the process closes *any* descriptor of the file, so
//! whoever uses these locks opens the file once.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

/// Locks the byte for this process; `false` where another process has it.
pub(crate) fn try_lock(file: &File, byte: u64) -> io::Result<bool> {
    match control(file, libc::F_SETLK, &mut range(byte, libc::F_WRLCK)?) {
        Ok(()) => Ok(true),
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether any process has locked the byte, this one included.
pub(crate) fn is_locked(file: &File, byte: u64) -> io::Result<bool> {
    // Asked on behalf of the open file, which owns no lock: so the process' own one is seen too.
    let mut range = range(byte, libc::F_WRLCK)?;
    control(file, libc::F_OFD_GETLK, &mut range)?;
    Ok(range.l_type != libc::F_UNLCK as libc::c_short)
}

fn is_conflict(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES))
}

fn range(byte: u64, kind: libc::c_int) -> io::Result<libc::flock> {
    let start = libc::off_t::try_from(byte).map_err(io::Error::other)?;
    Ok(libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: 1,
        l_pid: 0,
    })
}

fn control(file: &File, command: libc::c_int, range: &mut libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and each of the three
        // commands that are passed here reads and writes one `flock`, which `range` is, during the
        // call only.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), command, std::ptr::from_mut(range)) };
        if result != -1 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn a_locked_byte_is_seen_and_its_neighbour_is_free() {
        let file = tempfile::tempfile().unwrap();
        let far = 1 << 62;
        assert!(try_lock(&file, far).unwrap());
        assert!(is_locked(&file, far).unwrap());
        assert!(!is_locked(&file, far + 1).unwrap());
        assert!(try_lock(&file, u64::MAX).is_err());
    }
}
