//! How a store is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::Result;
use crate::snapshot::{self, Compaction};
use crate::store::{Clock, Consent, FaultInjector, Settings, nanoseconds};

use super::store::Store;

/// What a place may have against it, if the maker of a store accepts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weakness {
    /// After a snapshot or a copy, a full disk can end a program at an increment: btrfs, and an overlay over it.
    FullDisk,
    /// Counts that a daemon has not written yet end with it: fuse-overlayfs.
    Daemon,
}

/// Choices for opening a store; see [`Store::open_with`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use std::time::Duration;
/// let options = deespec::Options::new().background_sync(None).lock_deadline(Duration::from_secs(2));
/// let store = options.open(folder.path().join("var"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(super) settings: Settings,
    pub(super) background_sync: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// The defaults: create what is missing, and sync in the background every second.
    #[must_use]
    pub fn new() -> Self {
        let program = std::env::args_os().next().unwrap_or_default();
        let program = Path::new(&program)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        Self {
            settings: Settings {
                create: true,
                consent: Consent::default(),
                group: None,
                stripes: None,
                lock_deadline: Duration::from_secs(10),
                program: program.into_owned(),
                clock: Clock::System,
                faults: None,
            },
            background_sync: Some(Duration::from_secs(1)),
        }
    }

    /// Opens the store in the folder `path`.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Store> {
        Store::open_with(path, self)
    }

    /// Rebuilds the store in the folder `path`, which nobody may have open: without removed series,
    /// in as few segments as it needs, and in new files, so that it is degraded no more. Every count,
    /// the epoch and the store's identity stay as they are. Killed at any moment, the store is either
    /// the old one or the new one.
    ///
    /// # Errors
    ///
    /// When the store is open in any process, is damaged, or a file cannot be written.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("var");
    /// let options = deespec::Options::new();
    /// let store = options.open(&path)?;
    /// store.counter("jobs_total")?.add(7);
    /// store.counter("misspelt_total")?;
    /// store.remove("misspelt_total", &[])?;
    /// assert!(options.compact(&path).is_err(), "it is open here");
    /// drop(store);
    /// options.compact(&path)?;
    /// assert_eq!(options.open(&path)?.view()?.value("jobs_total", &[]), Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compact(&self, path: impl AsRef<Path>) -> Result<Compaction> {
        snapshot::compact(path.as_ref(), self.settings.clone())
    }

    /// How often a background thread makes the counts durable and publishes `metrics.json` when
    /// something changed. `None` starts no thread: for one-shot programs.
    #[must_use]
    pub fn background_sync(mut self, every: Option<Duration>) -> Self {
        self.background_sync = every;
        self
    }

    /// Whether a store that does not exist is made (the default) or an error.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.settings.create = create;
        self
    }

    /// How long slow paths wait for the lock; 10 s by default. It is one deadline for all that a process does until it
    /// gets the lock: what was waited in vain is not waited again.
    #[must_use]
    pub fn lock_deadline(mut self, deadline: Duration) -> Self {
        self.settings.lock_deadline = deadline;
        self
    }

    /// The name of the program in the records of epochs and imports; the command's own by default.
    #[must_use]
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.settings.program = program.into();
        self
    }

    /// Lets the store lie on a file system that is not known to keep the promises. A new store
    /// remembers it.
    #[must_use]
    pub fn any_file_system(mut self, any: bool) -> Self {
        self.settings.consent.any = any;
        self
    }

    /// Accepts a named weakness of the place where a new store is made. The store remembers it. Without it, such a place is
    /// refused with the reason, and an error says which of them would do.
    #[must_use]
    pub fn accept(mut self, weakness: Weakness) -> Self {
        match weakness {
            Weakness::FullDisk => self.settings.consent.full_disk = true,
            Weakness::Daemon => self.settings.consent.daemon = true,
        }
        self
    }

    /// Shares a new store with the members of a group, given by its number: they may do whatever the
    /// store's owner may. Without it a store is its owner's alone. The store remembers it; opening one
    /// that exists and is not shared with this group is an error.
    #[must_use]
    pub fn group(mut self, group: u32) -> Self {
        self.settings.group = Some(group);
        self
    }

    /// The number of stripes of a new store, rounded up to a power of two of at most 64. By default
    /// twice the number of processors.
    #[must_use]
    pub fn stripes(mut self, stripes: u32) -> Self {
        self.settings.stripes = Some(stripes.clamp(1, 64).next_power_of_two());
        self
    }

    /// Holds the clock still; for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn fixed_clock(mut self, time: SystemTime) -> Self {
        self.settings.clock = Clock::Fixed(nanoseconds(time));
        self
    }

    /// Asks before every operation on the disk; for tests and proofs.
    #[doc(hidden)]
    #[must_use]
    pub fn faults(mut self, faults: Arc<dyn FaultInjector>) -> Self {
        self.settings.faults = Some(faults);
        self
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("create", &self.settings.create)
            .field("background_sync", &self.background_sync)
            .field("lock_deadline", &self.settings.lock_deadline)
            .finish_non_exhaustive()
    }
}
