//! What can go wrong with the files of a store. Each message names the path and the reason.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::metric::MetricError;

use super::holder::{Holder, holders};
use super::place::Unfit;

/// An error of the store's files.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused an operation.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "open", "rename".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file system cannot keep the store's promises.
    #[error("{} lies on {found}, which cannot have a store: {reason}", path.display())]
    FileSystem {
        /// The store's folder, or a file of it.
        path: PathBuf,
        /// The file system with its article, such as "a btrfs file system".
        found: String,
        /// What is at risk there.
        reason: Unfit,
    },
    /// A file of the store shares its blocks with a copy or a snapshot, and no room is left to separate them: a store to
    /// one of them would end this process.
    #[error(
        "{} shares its blocks with a copy, and the disk is too full to separate them ({} KiB are needed); nothing was \
         changed", path.display(), bytes / 1024
    )]
    Shared {
        /// The file.
        path: PathBuf,
        /// How many bytes are shared.
        bytes: u64,
    },
    /// A new series was refused, since a full disk would end programs here.
    #[error(
        "the disk of {} is nearly full ({} MiB are free), and here a full disk would end programs", path.display(), free >> 20
    )]
    NearlyFull {
        /// The store's folder.
        path: PathBuf,
        /// How many bytes are free.
        free: u64,
    },
    /// The folder of the store came with the image of a container, so no other can be put into its place.
    #[error("{} came with the image of this container, and its folder cannot be exchanged", path.display())]
    OfImage {
        /// The folder.
        path: PathBuf,
    },
    /// The store does not exist and was not to be created.
    #[error("there is no store in {}", path.display())]
    NoStore {
        /// The folder that was looked at.
        path: PathBuf,
    },
    /// Something other than a regular file stands where a file of the store belongs.
    #[error("{} is not a regular file but {found}", path.display())]
    WrongFileType {
        /// The path.
        path: PathBuf,
        /// What it is: "a symbolic link", "a directory".
        found: &'static str,
    },
    /// Something other than a folder stands where a folder of the store belongs.
    #[error("{} is not a folder but {found}", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
        /// What it is: "a symbolic link", "a file".
        found: &'static str,
    },
    /// A file or folder of the store belongs to somebody else, who could change it at any time.
    #[error("{} belongs to user {owner} and not to user {expected}", path.display())]
    OtherOwner {
        /// The file or folder.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
        /// The number of whom it should belong to: this process' user, or the store's owner.
        expected: u32,
    },
    /// The number of the owner is not mapped into the user namespace of this process.
    #[error("{} belongs to a user whom this container does not know", path.display())]
    UnknownOwner {
        /// The folder.
        path: PathBuf,
    },
    /// Others can write to a file or folder of the store, which is not shared with them.
    #[error("{} {exposure} (its mode is {mode:04o})", path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Who can write there.
        exposure: Exposure,
    },
    /// The store is, or is to be, shared with a group that this process does not belong to.
    #[error("{} cannot be shared with group {group}, of which this process is no member", path.display())]
    NotAMember {
        /// The store's folder.
        path: PathBuf,
        /// The number of the group.
        group: u32,
    },
    /// A store that exists was to be made for a group.
    #[error("the store {} exists and is not shared with group {group}", path.display())]
    NotShared {
        /// The store's folder.
        path: PathBuf,
        /// The number of the group.
        group: u32,
    },
    /// A file is larger than anything that DeeSpec writes.
    #[error("{} has {found} bytes, more than the {limit} that are allowed", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// A file is not a segment of a store.
    #[error("{} is not a DeeSpec segment: {reason}", path.display())]
    NotASegment {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file was written by a newer version of DeeSpec.
    #[error(
        "{} has format version {found}, the highest supported is {supported}", path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The highest version that this code reads.
        supported: u32,
    },
    /// The store's files are of an older format version, which has no such metrics.
    #[error(
        "{} has format version {found}, and a {what} needs version {needed}", path.display()
    )]
    OlderFormat {
        /// The store.
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
        /// Its format version.
        found: u32,
        /// The version that has it.
        needed: u32,
    },
    /// A file was written by a machine with the other byte order.
    #[error("{} was written by a machine with the other byte order", path.display())]
    ForeignByteOrder {
        /// The file.
        path: PathBuf,
    },
    /// A part of the store does not hold what it must hold.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else held the lock for too long.
    #[error(
        "could not lock {} within {:.1} s: {}", path.display(), waited.as_secs_f64(), holders(holder)
    )]
    LockTimeout {
        /// The lock file.
        path: PathBuf,
        /// How long it was tried, since it could be had the last time.
        waited: Duration,
        /// Who holds it, where the kernel tells.
        holder: Option<Holder>,
    },
    /// The store is open in some process, so it cannot be rebuilt.
    #[error("the store {} is open in another process or handle", path.display())]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// A file of the store was replaced or removed while it was open.
    #[error("{} was replaced or removed while it was in use", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// Making the store durable failed once, so nothing can be called durable any more.
    #[error(
        "the store {} is degraded: an earlier sync failed, so nothing in it can be called durable", path.display()
    )]
    Degraded {
        /// The store's folder.
        path: PathBuf,
    },
    /// The store cannot take another series.
    #[error("the store {} is full: {series} series", path.display())]
    Full {
        /// The store's folder.
        path: PathBuf,
        /// How many series it holds.
        series: usize,
    },
    /// A metric's name or label set is not valid.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The epoch number is used up.
    #[error("the store {} has used all its epoch numbers", path.display())]
    EpochsExhausted {
        /// The store's folder.
        path: PathBuf,
    },
}

/// Who can write where nobody but those should who may use the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Exposure {
    /// Every user.
    #[error("can be written by every user")]
    Everybody,
    /// A group that the store is not shared with.
    #[error("can be written by group {0}, which the store is not shared with")]
    Group(u32),
    /// The folder has other things in it, so making a store there must not change its rights.
    #[error("is open to others and holds more than a store")]
    Crowded,
}

impl StoreError {
    /// An operating system's error with what was tried and where, as an adapter for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
