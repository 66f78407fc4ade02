//! What tells a file or folder from one that was changed or replaced.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// The content of a file, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) inode: u64,
    pub(super) size: u64,
    modified: u64,
    pub(super) changed: u64,
}

/// Nanoseconds since 1970, modulo 2^64: they are compared, not counted with.
fn nanoseconds(seconds: i64, ns: i64) -> u64 {
    let seconds = seconds.wrapping_mul(1_000_000_000);
    seconds.wrapping_add(ns).cast_unsigned()
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            size: found.size(),
            modified: nanoseconds(found.mtime(), found.mtime_nsec()),
            changed: nanoseconds(found.ctime(), found.ctime_nsec()),
        }
    }

    pub(super) fn to_words(self) -> [u64; 4] {
        [self.inode, self.size, self.modified, self.changed]
    }

    pub(super) fn of_words([inode, size, modified, changed]: [u64; 4]) -> Self {
        Self {
            inode,
            size,
            modified,
            changed,
        }
    }
}
