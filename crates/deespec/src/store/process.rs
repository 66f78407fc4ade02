//! Which processes live: each that has a share in a gauge holds a kernel lock on one byte of
//! `live/processes`, the byte of its own number. The number is never given twice and is no process
//! number of the system, so neither a number that is used again nor two containers can confuse two
//! processes; and the kernel drops the lock however the process ends.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, Ordering};

use super::access;
use super::control::TICKET;
use super::error::StoreError;
use super::opened::open_or_create;
use super::raw::{self, ForkLocal};
use super::segment::Segment;
use crate::protection::Protection;

/// The name of the file in `live/` whose bytes are locked. It stays empty.
pub(crate) const PROCESSES: &str = "processes";

/// Numbers end below this, so that each is a byte that a lock can name.
const NUMBERS: u64 = 1 << 62;

/// How long to wait for a mutex that a thread may have held when this process was forked from its:
/// nobody will ever give that one back.
const PATIENCE: Duration = Duration::from_secs(5);

/// This process among those that use one store. Where the last of these goes, so do all locks.
pub(crate) struct Process {
    /// `None` only while it is dropped.
    shared: Option<Arc<Identity>>,
}

/// What all uses of one store in this process have in common.
struct Identity {
    file: File,
    /// Device and inode of the file.
    names: (u64, u64),
    number: ForkLocal<Number>,
}

/// The number of this process. A forked child draws its own.
#[derive(Default)]
struct Number {
    /// 0 until it is drawn.
    drawn: AtomicU64,
    drawing: Mutex<()>,
}

/// One for each store that this process has a share in: opening the file a second time and closing
/// it would drop the locks of the first. Taken from here, and closed, under the mutex only.
static OPEN: Mutex<Option<ByFile>> = Mutex::new(None);

/// By device and inode of the file.
type ByFile = HashMap<(u64, u64), Arc<Identity>>;

/// The stores that this process has a share in.
fn open_files() -> io::Result<MutexGuard<'static, Option<ByFile>>> {
    lock_within(&OPEN, PATIENCE)
}

/// Locks a mutex, or says why nobody will ever give it back.
fn lock_within<T>(mutex: &Mutex<T>, patience: Duration) -> io::Result<MutexGuard<'_, T>> {
    let begun = Instant::now();
    loop {
        match mutex.try_lock() {
            Ok(open) => return Ok(open),
            Err(TryLockError::Poisoned(open)) => return Ok(open.into_inner()),
            Err(TryLockError::WouldBlock) if begun.elapsed() > patience => {
                let reason = "a thread was opening a store when this process was forked from its";
                return Err(io::Error::new(io::ErrorKind::Deadlock, reason));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_micros(100)),
        }
    }
}

impl Process {
    /// This process' identity in the store whose folder `live` is.
    pub(crate) fn of(live: &Path) -> Result<Arc<Self>, StoreError> {
        let path = live.join(PROCESSES);
        let fail = |action| StoreError::io(action, &path);
        let mut open = open_files().map_err(fail("open"))?;
        let open = open.get_or_insert_default();
        let used = |identity: &Arc<Identity>| {
            let shared = Some(Arc::clone(identity));
            Arc::new(Self { shared })
        };
        // By its name first: opening it would be the mistake.
        if let Ok(named) = std::fs::symlink_metadata(&path)
            && let Some(known) = open.get(&(named.dev(), named.ino()))
        {
            return Ok(used(known));
        }
        let (file, metadata) = open_or_create(&path)?;
        access::check_file(&path, &metadata)?;
        let names = (metadata.dev(), metadata.ino());
        let number = ForkLocal::new().map_err(fail("reserve memory for"))?;
        let identity = Arc::new(Identity {
            file,
            names,
            number,
        });
        let process = used(&identity);
        open.insert(names, identity);
        Ok(process)
    }

    /// Whether the store whose folder `live` is still has the file that is open here.
    pub(crate) fn is_of(&self, live: &Path) -> bool {
        let named = std::fs::symlink_metadata(live.join(PROCESSES));
        named.is_ok_and(|named| {
            let names = (named.dev(), named.ino());
            self.shared
                .as_ref()
                .is_some_and(|shared| shared.names == names)
        })
    }

    fn shared(&self) -> io::Result<&Identity> {
        self.shared.as_deref().ok_or(io::ErrorKind::NotFound.into())
    }

    /// This process' number, which is drawn and locked where it has none yet.
    pub(crate) fn join(&self, first: &Segment) -> Result<u64, StoreError> {
        self.lock(first).map_err(StoreError::io(
            "lock a byte of",
            &first.path().with_file_name(PROCESSES),
        ))
    }

    fn lock(&self, first: &Segment) -> io::Result<u64> {
        let shared = self.shared()?;
        let number = shared.number.get();
        let _alone = number
            .drawing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = number.drawn.load(Ordering::Relaxed);
        // Locked once more: if something else in this process has closed the file, the lock is gone.
        if known != 0 && raw::try_lock(&shared.file, known)? {
            return Ok(known);
        }
        loop {
            let drawn = first.words()[TICKET].fetch_add(1, Ordering::Relaxed) & (NUMBERS - 1);
            if drawn != 0 && raw::try_lock(&shared.file, drawn)? {
                number.drawn.store(drawn, Ordering::Relaxed);
                return Ok(drawn);
            }
        }
    }

    /// Whether the process with this number lives.
    pub(crate) fn is_live(&self, number: u64) -> io::Result<bool> {
        // No process has a larger one; it stands there because a bit was flipped.
        let is_locked = || raw::is_locked(&self.shared()?.file, number);
        Ok(number < NUMBERS && (!Protection::Liveness.stands() || is_locked()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        // Closed under the mutex, so that nobody opens the file anew in between and loses a lock.
        match open_files() {
            Ok(mut open) => {
                // The map's and this one: nobody else can get another without the mutex.
                if Arc::strong_count(&shared) == 2
                    && let Some(open) = open.as_mut()
                {
                    open.remove(&shared.names);
                }
                // Closing drops the lock of this process, and nothing in a forked child without one.
                drop(shared);
            }
            // It stays open; the process' end closes it.
            Err(_) => std::mem::forget(shared),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutex_that_nobody_gives_back_is_waited_for_only_so_long() {
        let mutex = Mutex::new(7);
        let held = mutex.lock().unwrap();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let (begun, patience) = (Instant::now(), Duration::from_millis(20));
                let error = lock_within(&mutex, patience).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::Deadlock);
                assert!(begun.elapsed() > patience, "it gave up at once");
            });
            waits.join().unwrap();
        });
        drop(held);
        assert_eq!(*lock_within(&mutex, Duration::ZERO).unwrap(), 7);
    }
}
