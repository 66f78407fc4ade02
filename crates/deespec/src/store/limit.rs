//! The limit on the size of files that a process may write (`RLIMIT_FSIZE`, `ulimit -f`). Beyond it the kernel sends
//! SIGXFSZ, which ends a program that has not said otherwise; and what signals do is the program's to say, not ours. So
//! the limit is asked for before a file grows.

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Fails where a file must not be written up to this length.
pub(super) fn check(end: u64) -> io::Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(most) if end > most => Err(Errno::FBIG.into()),
        _ => Ok(()),
    }
}
