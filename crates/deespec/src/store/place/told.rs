//! What people are told of a place; the same words in every command.

use std::fmt;
use std::path::Path;

use super::mounts::{self, Mount};
use super::{Class, Kind};
use crate::store::Core;
use crate::store::error::StoreError;

/// What the place of a store promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaceClass {
    /// Every promise.
    Full,
    /// Every promise but one: after a power loss a file may be damaged.
    NoJournal,
    /// Every promise until the boot ends, or the mount.
    Boot,
    /// Every promise until the container ends.
    Container,
    /// Its maker accepted a named weakness: a full disk, or a daemon.
    Accepted,
    /// Its maker accepted any file system.
    Unknown,
}

impl PlaceClass {
    /// As documents have it.
    ///
    /// ```
    /// assert_eq!(deespec::PlaceClass::NoJournal.as_str(), "no_journal");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NoJournal => "no_journal",
            Self::Boot => "boot",
            Self::Container => "container",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a store lies and what that place promises, as [`Store::place`](crate::Store::place) finds it. Shown, it is one
/// line, such as `overlay: ends with this container; mount a volume to keep it`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// What it promises.
    pub class: PlaceClass,
    /// The file system: `ext4`, `overlay`.
    pub file_system: String,
    /// What may happen there, and what to do about it; empty where everything is promised.
    pub reason: String,
    /// What the store's maker accepted: `full-disk`, `daemon` or `any-file-system`.
    pub accepted: Option<&'static str>,
    /// Free bytes of its disk, for this user.
    pub free_bytes: u64,
    /// Why counts are lost there whatever the class says.
    pub problem: Option<String>,
}

/// Below this no new series is taken where a full disk would end programs; or a twentieth of the disk, if that is less.
const ROOM: u64 = 64 << 20;

impl Place {
    /// Whether somebody should look after it: a weakness that its maker accepted.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        matches!(self.class, PlaceClass::Accepted | PlaceClass::Unknown)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file_system)?;
        match self.class {
            PlaceClass::Full => f.write_str(", all promises"),
            PlaceClass::NoJournal => write!(f, " {}", self.reason),
            PlaceClass::Boot | PlaceClass::Container => write!(f, ": {}", self.reason),
            PlaceClass::Accepted => write!(
                f,
                ", accepted: {}; {} free",
                self.reason,
                Size(self.free_bytes)
            ),
            PlaceClass::Unknown => write!(f, ", {}", self.reason),
        }
    }
}

/// Bytes as people read them.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 10 << 30 => write!(f, "{} GiB", bytes >> 30),
            bytes => write!(f, "{} MiB", bytes >> 20),
        }
    }
}

impl Core {
    /// Where the store lies.
    pub(crate) fn place(&self) -> Result<Place, StoreError> {
        let live = &self.live;
        let folder = std::fs::File::open(live).map_err(StoreError::io("open", live))?;
        let mount = Mount::of(&folder);
        let name = mount.as_ref().map(|mount| mount.file_system.clone());
        let named = |known: &str| name.clone().unwrap_or_else(|| known.to_owned());
        let kind = self.first.kind();
        let journal = || match named("ext4").as_str() {
            "ext2" => Some(false),
            _ => mounts::has_journal(&folder),
        };
        let (class, file_system, reason, accepted) = match self.class {
            Class::Full if kind == Kind::Ext => match journal() {
                Some(false) => (
                    PlaceClass::NoJournal,
                    named("ext4"),
                    WITHOUT_JOURNAL.to_owned(),
                    None,
                ),
                Some(true) => (PlaceClass::Full, named("ext4"), String::new(), None),
                None => (
                    PlaceClass::Full,
                    format!("{} (journal not known)", named("ext4")),
                    String::new(),
                    None,
                ),
            },
            Class::Full => (PlaceClass::Full, named("xfs"), String::new(), None),
            Class::Boot => (
                PlaceClass::Boot,
                "tmpfs".into(),
                "ends with the boot".into(),
                None,
            ),
            Class::Container => {
                let is_volatile = mount.as_ref().is_some_and(Mount::is_volatile);
                let volatile = if is_volatile {
                    ", volatile: nothing here is durable"
                } else {
                    ""
                };
                let reason =
                    format!("ends with this container; mount a volume to keep it{volatile}");
                (PlaceClass::Container, "overlay".into(), reason, None)
            }
            Class::FullDisk => {
                let name = match kind {
                    Kind::Overlay => "overlay over btrfs",
                    _ => "btrfs",
                };
                let reason = "after a snapshot a full disk can end a program at an increment";
                (
                    PlaceClass::Accepted,
                    name.into(),
                    reason.into(),
                    Some("full-disk"),
                )
            }
            Class::Daemon => {
                let reason = "counts that its daemon has not written yet end with it";
                (
                    PlaceClass::Accepted,
                    "fuse-overlayfs".into(),
                    reason.into(),
                    Some("daemon"),
                )
            }
            Class::Any => {
                let name = match kind {
                    Kind::Unknown(magic) => format!("unknown file system 0x{magic:x}"),
                    _ => named("file system"),
                };
                let reason = "accepted with --any-file-system";
                (
                    PlaceClass::Unknown,
                    name,
                    reason.into(),
                    Some("any-file-system"),
                )
            }
        };
        Ok(Place {
            class,
            file_system,
            reason,
            accepted,
            free_bytes: free(live)?.0,
            problem: inside_out(live),
        })
    }

    /// Fails where a full disk would end programs, and the disk is nearly full.
    pub(crate) fn check_room(&self) -> Result<(), StoreError> {
        if self.class != Class::FullDisk {
            return Ok(());
        }
        let (free, all) = free(&self.live)?;
        if free >= ROOM.min(all / 20) {
            return Ok(());
        }
        let path = self.root.clone();
        Err(StoreError::NearlyFull { path, free })
    }
}

const WITHOUT_JOURNAL: &str =
    "without a journal: after a power loss a file may be damaged (P3 is not promised here)";

/// Bytes that are free for this user, and all there are.
fn free(path: &Path) -> Result<(u64, u64), StoreError> {
    let found = rustix::fs::statvfs(path)
        .map_err(|error| StoreError::io("inspect the file system of", path)(error.into()))?;
    Ok((
        found.f_bavail * found.f_frsize,
        found.f_blocks * found.f_frsize,
    ))
}

/// Why locks do not hold where a store is used through the upper layer of an overlay.
fn inside_out(live: &Path) -> Option<String> {
    let upper = mounts::upper_layer(live)?;
    Some(format!(
        "The store is used through {}, the upper layer of an overlay: the locks of those who use it through the overlay do \
         not hold here, and counts get lost; use it from inside, or share a volume",
        upper.display()
    ))
}
