//! The one lock of a store: a kernel lock on a file that holds no data and is never renamed or
//! removed. Only slow paths take it; the kernel frees it when its holder dies.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, Ordering};

use super::access;
use super::error::StoreError;
use super::opened::{open_or_create, open_regular};
use super::raw::{Uninherited, watch_forks};
use crate::protection::Protection;

/// The name of the lock's file in `live/`.
pub(super) const LOCK: &str = "lock";

/// Where the lock is and how long to wait for it.
pub(crate) struct Lock {
    path: PathBuf,
    deadline: Duration,
    /// The inode of the file that was found to be safe. Only those who may use the store can put
    /// another one there, so the same one is not judged again.
    judged: AtomicU64,
}

/// The lock while it is held; dropping it gives it back.
pub(crate) struct Held {
    file: Uninherited,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing would not do: a child that was forked meanwhile has the same open file description
        // and would keep the lock.
        let _ = self.file.file().unlock();
    }
}

/// How long a compaction waits for those who have the store open for a moment only.
const MOMENT: Duration = Duration::from_secs(1);

/// A lock on a segment, which says that the store is open here. A forked child, which has the mapping
/// too, keeps it with its parent.
pub(crate) struct Kept {
    file: File,
}

impl Kept {
    /// Locks the file together with others, or fails when the deadline has passed.
    pub(crate) fn shared(file: File, path: &Path, deadline: Duration) -> Result<Self, StoreError> {
        wait(path, deadline, || match file.try_lock_shared() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
        })?;
        Ok(Self { file })
    }

    /// The length of the file now, in bytes.
    pub(crate) fn length(&self) -> std::io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Locks the file alone, unless somebody has it open for longer than a moment: a command that
    /// counts and ends, or a child between its fork and its exec.
    pub(crate) fn alone(file: File, path: &Path) -> Result<Option<Self>, StoreError> {
        let locked = wait(path, MOMENT, || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
        });
        match locked {
            Ok(()) => Ok(Some(Self { file })),
            Err(StoreError::LockTimeout { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Tries again, after longer and longer pauses, until there is something or the deadline has passed.
fn wait<T>(
    path: &Path,
    deadline: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, StoreError>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    let mut pause = Duration::from_micros(20);
    loop {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        let waited = begun.elapsed();
        if waited >= deadline {
            return Err(StoreError::LockTimeout {
                path: path.to_owned(),
                waited,
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(2));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Many readers at once.
    Shared,
    /// One process and thread alone.
    Exclusive,
}

impl Lock {
    pub(crate) fn new(path: PathBuf, deadline: Duration) -> Self {
        watch_forks();
        Self {
            path,
            deadline,
            judged: AtomicU64::new(0),
        }
    }

    /// Takes the lock, or fails when the deadline has passed.
    ///
    /// The file is opened anew each time. So two threads exclude each other, as two processes do,
    /// and a forked child does not keep its dead parent's lock.
    ///
    /// `waiting` is called each time that somebody else has the lock.
    pub(crate) fn take(&self, mode: Mode, waiting: impl Fn()) -> Result<Held, StoreError> {
        wait(&self.path, self.deadline, || {
            let file = self.open()?;
            let taken = match mode {
                _ if !Protection::Lock.stands() => Ok(()),
                Mode::Shared => file.file().try_lock_shared(),
                Mode::Exclusive => file.file().try_lock(),
            };
            match taken {
                Ok(()) if self.is_current(file.file())? => Ok(Some(Held { file })),
                // The file was removed or replaced after it was opened: that lock excludes nobody.
                Ok(()) => Ok(None),
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    Ok(None)
                }
                Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &self.path)(error)),
            }
        })
    }

    /// Takes the exclusive lock only if nobody has it.
    pub(crate) fn try_take(&self) -> Result<Option<Held>, StoreError> {
        let file = self.open()?;
        match file.file().try_lock() {
            Ok(()) if self.is_current(file.file())? => Ok(Some(Held { file })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &self.path)(error)),
        }
    }

    /// Opens the lock file anew.
    fn open(&self) -> Result<Uninherited, StoreError> {
        Uninherited::open(|| self.open_file())
    }

    /// A file system that an error of its disk has made read-only still has the counts of those who
    /// mapped them, and a lock needs no more than a file that can be read.
    fn open_file(&self) -> Result<File, StoreError> {
        let opened = match open_or_create(&self.path) {
            Err(StoreError::Io { source, .. })
                if source.kind() == io::ErrorKind::ReadOnlyFilesystem =>
            {
                open_regular(&self.path, false, u64::MAX)?.ok_or(source)
            }
            other => Ok(other?),
        };
        let (file, found) = opened.map_err(StoreError::io("open", &self.path))?;
        if self.judged.load(Ordering::Relaxed) != found.ino() {
            access::check_file(&self.path, &found)?;
            self.judged.store(found.ino(), Ordering::Relaxed);
        }
        Ok(file)
    }

    /// Whether the path still names the file that was locked. Inspected anew: in a child that was forked
    /// since it was opened, the descriptor names another one.
    fn is_current(&self, file: &File) -> Result<bool, StoreError> {
        let held = file
            .metadata()
            .map_err(StoreError::io("inspect", &self.path))?;
        Ok(std::fs::symlink_metadata(&self.path)
            .is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(folder: &tempfile::TempDir, milliseconds: u64) -> Lock {
        Lock::new(
            folder.path().join("lock"),
            Duration::from_millis(milliseconds),
        )
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn readers_share_and_a_writer_excludes() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 5);
        let one = lock.take(Mode::Shared, || {}).unwrap();
        let two = lock.take(Mode::Shared, || {}).unwrap();
        assert!(matches!(
            lock.take(Mode::Exclusive, || {}),
            Err(StoreError::LockTimeout { .. })
        ));
        drop((one, two));
        let alone = lock.take(Mode::Exclusive, || {}).unwrap();
        assert!(lock.take(Mode::Shared, || {}).is_err());
        drop(alone);
        assert!(lock.take(Mode::Shared, || {}).is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn a_descriptor_that_a_forked_child_inherited_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 1000);
        let held = lock.take(Mode::Exclusive, || {}).unwrap();
        let inherited = held.file.file().try_clone().unwrap();
        drop(held);
        assert!(lock.try_take().unwrap().is_some());
        drop(inherited);
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn whoever_waits_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 5);
        let _held = lock.take(Mode::Shared, || {}).unwrap();
        let waits = std::cell::Cell::new(0);
        assert!(
            lock.take(Mode::Exclusive, || waits.set(waits.get() + 1))
                .is_err()
        );
        assert!(waits.get() > 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn a_lock_on_a_removed_file_is_not_taken_for_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 1000);
        let stale = lock.open().unwrap();
        std::fs::remove_file(&lock.path).unwrap();
        assert!(!lock.is_current(stale.file()).unwrap());
        let _held = lock.take(Mode::Exclusive, || {}).unwrap();
        assert!(!lock.is_current(stale.file()).unwrap());
    }
}
