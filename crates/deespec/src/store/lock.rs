//! The one lock of a store: a kernel lock on a file that holds no data and is never renamed or
//! removed. Only slow paths take it; the kernel frees it when its holder dies.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, Ordering};

use super::access;
use super::courtesy::Courtesy;
use super::error::StoreError;
use super::holder;
use super::opened::{open_or_create, open_regular};
use super::patience::{Patience, Waiting};
use super::raw::{Uninherited, watch_forks};
use crate::protection::Protection;

/// The name of the lock's file in `live/`.
pub(super) const LOCK: &str = "lock";

/// Where the lock is and how long to wait for it.
pub(crate) struct Lock {
    path: PathBuf,
    patience: Patience,
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
        let patience = Patience::new(deadline);
        let waiting = patience.begin();
        let locked = wait(&waiting, || match file.try_lock_shared() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
        })?;
        match locked {
            Some(()) => Ok(Self { file }),
            None => Err(timeout(path, waiting)),
        }
    }

    /// The length of the file now, in bytes.
    pub(crate) fn length(&self) -> std::io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Locks the file alone, unless somebody has it open for longer than a moment: a command that
    /// counts and ends, or a child between its fork and its exec.
    pub(crate) fn alone(file: File, path: &Path) -> Result<Option<Self>, StoreError> {
        let patience = Patience::new(MOMENT);
        let locked = wait(&patience.begin(), || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
        })?;
        Ok(locked.map(|()| Self { file }))
    }
}

/// Tries again, after longer and longer pauses, until there is something; `None` where that took too long.
fn wait<T>(
    waiting: &Waiting<'_>,
    mut attempt: impl FnMut() -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut pause = Duration::from_micros(20);
    loop {
        if let Some(done) = attempt()? {
            return Ok(Some(done));
        }
        if waiting.is_over() {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(2));
    }
}

fn timeout(path: &Path, waiting: Waiting<'_>) -> StoreError {
    StoreError::LockTimeout {
        path: path.to_owned(),
        waited: waiting.give_up(),
        holder: holder::of(path),
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
            patience: Patience::new(deadline),
            judged: AtomicU64::new(0),
        }
    }

    /// From now on nobody in this process waits for the lock beyond this moment.
    pub(crate) fn end_at(&self, end: Instant) {
        self.patience.end_at(end);
    }

    /// Begins to wait.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        self.patience.begin()
    }

    /// What comes of having waited in vain.
    pub(super) fn timeout(&self, waiting: Waiting<'_>) -> StoreError {
        timeout(&self.path, waiting)
    }

    /// Takes the lock, or fails when the deadline has passed.
    ///
    /// The file is opened anew each time. So two threads exclude each other, as two processes do,
    /// and a forked child does not keep its dead parent's lock.
    pub(super) fn take(
        &self,
        mode: Mode,
        waiting: Waiting<'_>,
        courtesy: Option<&Courtesy<'_>>,
    ) -> Result<Held, StoreError> {
        let held = wait(&waiting, || {
            if courtesy.is_some_and(|courtesy| courtesy.holds_back(waiting.waited())) {
                return Ok(None);
            }
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
                    if let Some(courtesy) = courtesy {
                        courtesy.waits();
                    }
                    Ok(None)
                }
                Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &self.path)(error)),
            }
        })?;
        match held {
            Some(held) => {
                waiting.succeed();
                Ok(held)
            }
            None => Err(self.timeout(waiting)),
        }
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

    fn take(lock: &Lock, mode: Mode) -> Result<Held, StoreError> {
        lock.take(mode, lock.waiting(), None)
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn readers_share_and_a_writer_excludes() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 5);
        let one = take(&lock, Mode::Shared).unwrap();
        let two = take(&lock, Mode::Shared).unwrap();
        assert!(matches!(
            take(&lock, Mode::Exclusive),
            Err(StoreError::LockTimeout { .. })
        ));
        drop((one, two));
        let alone = take(&lock, Mode::Exclusive).unwrap();
        assert!(take(&lock, Mode::Shared).is_err());
        drop(alone);
        assert!(take(&lock, Mode::Shared).is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn a_descriptor_that_a_forked_child_inherited_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 1000);
        let held = take(&lock, Mode::Exclusive).unwrap();
        let inherited = held.file.file().try_clone().unwrap();
        drop(held);
        assert!(lock.try_take().unwrap().is_some());
        drop(inherited);
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file, and asks the kernel")]
    fn who_holds_the_lock_is_named_where_the_kernel_tells() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 5);
        let _held = take(&lock, Mode::Exclusive).unwrap();
        match take(&lock, Mode::Shared).err() {
            Some(StoreError::LockTimeout { holder, .. }) => {
                let named = holder.map(|holder| holder.pid);
                assert!(
                    named.is_none_or(|pid| pid == std::process::id()),
                    "{named:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn a_lock_on_a_removed_file_is_not_taken_for_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 1000);
        let stale = lock.open().unwrap();
        std::fs::remove_file(&lock.path).unwrap();
        assert!(!lock.is_current(stale.file()).unwrap());
        let _held = take(&lock, Mode::Exclusive).unwrap();
        assert!(!lock.is_current(stale.file()).unwrap());
    }
}
