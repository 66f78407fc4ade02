//! What can go wrong with the files of a store. Each message names the path and the reason.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::metric::MetricError;

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
    #[error(
        "{} lies on a {found} file system, which is not supported: {reason}", path.display()
    )]
    FileSystem {
        /// The store's folder.
        path: PathBuf,
        /// The file system's name, or its magic number.
        found: String,
        /// What it cannot promise.
        reason: &'static str,
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
        "could not lock {} within {:.1} s: another process holds it", path.display(), waited.as_secs_f64()
    )]
    LockTimeout {
        /// The lock file.
        path: PathBuf,
        /// How long it was tried.
        waited: Duration,
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
