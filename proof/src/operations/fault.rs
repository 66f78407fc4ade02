//! Interrupts the library at one of its disk operations: with SIGKILL, with an error, or by
//! standing still there.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use deespec::{FaultInjector, Operation};
use rustix::process::{Signal, getpid, kill_process};

/// The last words of a process that published before it made cells durable.
pub(crate) const UNSYNCED: &str = "published before the cells were durable:";

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed before the operation; its name goes to the standard output first.
    Kill,
    /// This operation, and with `all_after` each one after it, fails with this error number.
    Fail { code: i32, all_after: bool },
    /// The process says so on its standard output and stands still until its input ends.
    Stop,
}

/// Counts the disk operations from [`Nth::arm`] on and interrupts the n-th, counted from 1.
pub(crate) struct Nth {
    fault: Fault,
    n: u64,
    armed: AtomicBool,
    seen: AtomicU64,
    /// Cells were made durable since [`Nth::arm`].
    synced: AtomicBool,
    hit: Mutex<Option<Hit>>,
}

/// An operation that was interrupted.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) operation: Operation,
    pub(crate) path: PathBuf,
    /// Whether there was something at the path.
    pub(crate) existed: bool,
}

impl Nth {
    pub(crate) fn new(fault: Fault, n: u64) -> Arc<Self> {
        Arc::new(Self {
            fault,
            n,
            armed: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            synced: AtomicBool::new(false),
            hit: Mutex::new(None),
        })
    }

    pub(crate) fn arm(&self, armed: bool) {
        self.armed.store(armed, Ordering::SeqCst);
    }

    /// The system's words for the error.
    pub(crate) fn reason(&self) -> String {
        match self.fault {
            Fault::Fail { code, .. } => io::Error::from_raw_os_error(code).to_string(),
            Fault::Kill | Fault::Stop => String::new(),
        }
    }

    /// The operation that was interrupted, if there were so many.
    pub(crate) fn hit(&self) -> Option<Hit> {
        self.hit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Says why and kills this process.
fn die(last_words: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(last_words.as_bytes())?;
    out.flush()?;
    kill_process(getpid(), Signal::KILL)?;
    Err(io::Error::other("killed, and yet alive"))
}

impl Nth {
    /// Published means durable: a process that has made no cells durable must not let a document
    /// or a line of a record appear, since the power may fail behind it.
    fn watch(&self, operation: Operation, path: &Path) -> io::Result<()> {
        // A compaction fills a folder that nobody sees before it is put into place.
        let is_in = |name| path.parent().is_some_and(|folder| folder.ends_with(name));
        let is_unseen = is_in("tmp-compacted");
        let publishes = match operation {
            Operation::SyncCells => {
                self.synced.store(true, Ordering::SeqCst);
                false
            }
            Operation::Append => !is_unseen,
            Operation::Rename => !is_unseen && !is_in("live"),
            _ => false,
        };
        if publishes && !self.synced.load(Ordering::SeqCst) {
            die(&format!("{UNSYNCED} {}", path.display()))?;
        }
        Ok(())
    }
}

impl FaultInjector for Nth {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if self.fault == Fault::Kill {
            self.watch(operation, path)?;
        }
        let all_after = matches!(
            self.fault,
            Fault::Fail {
                all_after: true,
                ..
            }
        );
        if seen != self.n && !(all_after && seen > self.n) {
            return Ok(());
        }
        if seen == self.n {
            let mut hit = self.hit.lock().unwrap_or_else(PoisonError::into_inner);
            *hit = Some(Hit {
                operation,
                path: path.to_owned(),
                existed: path.exists(),
            });
        }
        match self.fault {
            Fault::Fail { code, .. } => Err(io::Error::from_raw_os_error(code)),
            Fault::Kill => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                die(&format!("{operation:?} {name}"))
            }
            Fault::Stop => {
                let mut out = io::stdout().lock();
                out.write_all(b"stopped")?;
                out.flush()?;
                drop(out);
                io::stdin().read_to_end(&mut Vec::new())?;
                Ok(())
            }
        }
    }
}
