//! Why a place cannot have a store.

use thiserror::Error;

/// Why a store cannot lie in a place: what is at risk there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unfit {
    /// btrfs, unless its maker accepted that.
    #[error("a change goes to a new block, so a full disk would end a program at an increment")]
    CopiesOnWrite,
    /// btrfs before Linux 6.17.
    #[error(
        "a change goes to a new block, so a full disk would end a program at an increment, and before Linux 6.17 \
         nothing helps against that"
    )]
    OldKernel,
    /// An overlay over a file system where copying on write can be switched off.
    #[error(
        "what lies below it copies on write, so a full disk would end a program at an increment"
    )]
    BelowCopiesOnWrite,
    /// An overlay over a file system where that cannot be switched off.
    #[error(
        "what lies below it writes each change to a new block, so a full disk would end a program at an increment"
    )]
    BelowMoves,
    /// The files of the store were copied here, and copy on write now.
    #[error(
        "its files were copied to it and copy on write, so a full disk would end a program at an increment"
    )]
    Copied,
    /// ZFS, bcachefs, f2fs.
    #[error("space is not reserved, so a full disk would lose counts")]
    NotReserved,
    /// NFS and others.
    #[error("two machines do not share memory, so counts would be lost")]
    Network,
    /// virtiofs and 9p.
    #[error("host and guest do not share the memory of a file, so counts would be lost")]
    Guest,
    /// fuse-overlayfs, unless its maker accepted that.
    #[error("counts that its daemon has not written yet would end with it")]
    Daemon,
    /// Space cannot be reserved where the probe was made.
    #[error("it cannot reserve space, so a full disk would end a program at an increment")]
    CannotReserve,
    /// Blocks that are shared cannot be separated before Linux 5.14.
    #[error(
        "its files share their blocks with a copy, and separating them needs Linux 5.14 on this file system"
    )]
    CannotSeparate,
    /// Whatever else.
    #[error("nothing is known of how it keeps mapped files")]
    Unknown,
}
