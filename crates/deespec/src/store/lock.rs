//! The one lock of a store: a kernel lock on a file that holds no data and is never renamed or
//! removed. Only slow paths take it; the kernel frees it when its holder dies.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::files::open_or_create;

/// Where the lock is and how long to wait for it.
pub(crate) struct Lock {
    path: PathBuf,
    deadline: Duration,
}

/// The lock while it is held; dropping it gives it back.
pub(crate) struct Held {
    file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing would not do: a child that was forked meanwhile has the same open file description
        // and would keep the lock.
        let _ = self.file.unlock();
    }
}

/// A lock that is kept for as long as this process lives or holds it. A forked child keeps it too.
pub(crate) struct Kept {
    _file: File,
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
        Self { path, deadline }
    }

    /// Takes the lock, or fails when the deadline has passed.
    ///
    /// The file is opened anew each time. So two threads exclude each other, as two processes do,
    /// and a forked child that does nothing does not keep its dead parent's lock.
    ///
    /// `waiting` is called each time that somebody else has the lock.
    pub(crate) fn take(&self, mode: Mode, waiting: impl Fn()) -> Result<Held, StoreError> {
        let file = self.acquire(mode, waiting)?;
        Ok(Held { file })
    }

    /// Takes the lock together with others, and keeps it.
    pub(crate) fn keep_shared(&self) -> Result<Kept, StoreError> {
        let file = self.acquire(Mode::Shared, || {})?;
        Ok(Kept { _file: file })
    }

    /// Takes the lock alone if nobody has it, and keeps it.
    pub(crate) fn try_keep(&self) -> Result<Option<Kept>, StoreError> {
        Ok(self.try_acquire()?.map(|file| Kept { _file: file }))
    }

    fn acquire(&self, mode: Mode, waiting: impl Fn()) -> Result<File, StoreError> {
        let begun = Instant::now();
        let mut pause = Duration::from_micros(20);
        loop {
            let file = self.open()?;
            let taken = match mode {
                Mode::Shared => file.try_lock_shared(),
                Mode::Exclusive => file.try_lock(),
            };
            match taken {
                Ok(()) if self.is_current(&file)? => return Ok(file),
                // The file was removed or replaced after it was opened: that lock excludes nobody.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    std::thread::sleep(pause);
                }
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::io("lock", &self.path)(error));
                }
            }
            let waited = begun.elapsed();
            if waited >= self.deadline {
                return Err(StoreError::LockTimeout {
                    path: self.path.clone(),
                    waited,
                });
            }
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }

    /// Takes the exclusive lock only if nobody has it.
    pub(crate) fn try_take(&self) -> Result<Option<Held>, StoreError> {
        Ok(self.try_acquire()?.map(|file| Held { file }))
    }

    fn try_acquire(&self) -> Result<Option<File>, StoreError> {
        let file = self.open()?;
        match file.try_lock() {
            Ok(()) if self.is_current(&file)? => Ok(Some(file)),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &self.path)(error)),
        }
    }

    fn open(&self) -> Result<File, StoreError> {
        open_or_create(&self.path).map_err(StoreError::io("open", &self.path))
    }

    /// Whether the path still names the file that was locked.
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
    fn a_descriptor_that_a_forked_child_inherited_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 1000);
        let held = lock.take(Mode::Exclusive, || {}).unwrap();
        let inherited = held.file.try_clone().unwrap();
        drop(held);
        assert!(lock.try_take().unwrap().is_some());
        drop(inherited);
    }

    #[test]
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
    fn a_lock_on_a_removed_file_is_not_taken_for_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder, 1000);
        let stale = lock.open().unwrap();
        std::fs::remove_file(&lock.path).unwrap();
        assert!(!lock.is_current(&stale).unwrap());
        let _held = lock.take(Mode::Exclusive, || {}).unwrap();
        assert!(!lock.is_current(&stale).unwrap());
    }
}
