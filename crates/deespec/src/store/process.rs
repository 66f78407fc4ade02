//! Which processes live: each that has a share in a gauge holds a kernel lock on one byte of
//! `live/processes`, the byte of its own number. The number is never given twice and is no process
//! number of the system, so neither a number that is used again nor two containers can confuse two
//! processes; and the kernel drops the lock however the process ends.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::sync::Ordering;

use super::control::TICKET;
use super::error::StoreError;
use super::files::open_or_create;
use super::raw::{self, ForkLocal};
use super::segment::Segment;

/// The name of the file in `live/` whose bytes are locked. It stays empty.
pub(crate) const PROCESSES: &str = "processes";

/// This process among those that use one store.
pub(crate) struct Process {
    /// `None` only while it is dropped.
    file: Option<File>,
    /// This process' number; 0 in a child that was forked since, which then draws its own.
    number: ForkLocal,
    renewal: Mutex<()>,
}

/// One for each store that this process has a share in: opening the file a second time and closing
/// it would drop the locks of the first.
static OPEN: Mutex<Option<ByFile>> = Mutex::new(None);

/// By device and inode of the file.
type ByFile = HashMap<(u64, u64), Weak<Process>>;

impl Process {
    /// This process' identity in the store whose folder `live` is.
    pub(crate) fn of(live: &Path) -> Result<Arc<Self>, StoreError> {
        let path = live.join(PROCESSES);
        let fail = |action| StoreError::io(action, &path);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        // By its name first: opening it would be the mistake.
        if let Ok(named) = std::fs::symlink_metadata(&path)
            && let Some(known) = open
                .get(&(named.dev(), named.ino()))
                .and_then(Weak::upgrade)
        {
            return Ok(known);
        }
        let file = open_or_create(&path).map_err(fail("open"))?;
        let metadata = file.metadata().map_err(fail("inspect"))?;
        let number = ForkLocal::new().map_err(fail("reserve memory for"))?;
        let process = Arc::new(Self {
            file: Some(file),
            number,
            renewal: Mutex::new(()),
        });
        open.retain(|_, process| process.strong_count() > 0);
        open.insert((metadata.dev(), metadata.ino()), Arc::downgrade(&process));
        Ok(process)
    }

    /// This process' number; 0 where it has none yet.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number.word().load(Ordering::Relaxed)
    }

    /// This process' number, which is drawn and locked where it has none yet.
    pub(crate) fn join(&self, first: &Segment) -> Result<u64, StoreError> {
        let _alone = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock(first).map_err(StoreError::io(
            "lock a byte of",
            &first.path().with_file_name(PROCESSES),
        ))
    }

    fn lock(&self, first: &Segment) -> io::Result<u64> {
        let file = self.file()?;
        let known = self.number();
        // Locked once more: if something else in this process has closed the file, the lock is gone.
        if known != 0 && raw::try_lock(file, known)? {
            return Ok(known);
        }
        loop {
            let drawn = first.words()[TICKET].fetch_add(1, Ordering::Relaxed) & (u64::MAX >> 2);
            if drawn != 0 && raw::try_lock(file, drawn)? {
                self.number.word().store(drawn, Ordering::Relaxed);
                return Ok(drawn);
            }
        }
    }

    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or(io::ErrorKind::NotFound.into())
    }

    /// Whether the process with this number lives.
    pub(crate) fn is_live(&self, number: u64) -> io::Result<bool> {
        raw::is_locked(self.file()?, number)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Closed under the mutex, so that nobody opens the file anew in between and loses a lock.
        let _open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        // Closing drops the lock of this process, and nothing in a forked child that has none.
        drop(self.file.take());
    }
}
