//! What the promises rest on, piece by piece, and a build that leaves one piece out.
//!
//! A proof that does not fail without the thing that it is to prove proves nothing. So a build with
//! `--cfg deespec_controls` leaves out the protection that the variable `DEESPEC_WITHOUT` names, and
//! the harnesses must then find a violation (`proof/src/controls.rs`). In every other build the
//! question is answered while compiling, and nothing of this is left.

/// One thing that is done so that nothing is lost or corrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// An increment is one atomic addition.
    AtomicAdd,
    /// Cells are written to the disk before they are called durable.
    SyncCells,
    /// So is a file before it gets its name.
    SyncFile,
    /// And the folder before the name is relied on.
    SyncDirectory,
    /// The line that says that a push is counted, before the push is answered.
    SyncPush,
    /// What is published was made durable first.
    FlushFirst,
    /// Headers, entries, records and single words have a checksum.
    Checksum,
    /// Only one process at a time does what concerns all.
    Lock,
    /// Nothing is called durable after the first error of the disk.
    Degraded,
    /// The blocks of a segment are reserved before it is used.
    Allocation,
    /// What was not durable is sorted out after a boot.
    Recovery,
    /// What a killed process left undone is completed.
    Settling,
    /// The baselines of an epoch are written before it begins.
    FlipLast,
    /// A process lives as long as its byte is locked.
    Liveness,
    /// Only regular files are opened, and no link is followed.
    FileType,
    /// A segment that was replaced is noticed.
    Identity,
    /// Of all that the sum of a histogram may mean, it is what is nearest to the buckets.
    NearestWrap,
    /// Holes of a segment are filled before it is mapped.
    Holes,
    /// Blocks that a segment shares with a copy are separated.
    Separation,
    /// Pages get their blocks where no call separates these.
    Population,
    /// Whether an overwrite stays in place is tried out.
    Probe,
}

impl Protection {
    /// Whether it is in place.
    #[cfg(not(any(deespec_controls, all(loom, test))))]
    #[inline(always)]
    pub(crate) const fn stands(self) -> bool {
        true
    }

    /// Whether it is in place in the model that is being checked.
    #[cfg(all(loom, test))]
    pub(crate) fn stands(self) -> bool {
        LEFT_OUT.get() != Some(self)
    }

    /// Says which one the models of this thread leave out.
    #[cfg(all(loom, test))]
    pub(crate) fn leave_out(protection: Option<Self>) {
        LEFT_OUT.set(protection);
    }

    /// Whether it is in place.
    #[cfg(all(deespec_controls, not(all(loom, test))))]
    pub(crate) fn stands(self) -> bool {
        static WITHOUT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
        let without = WITHOUT.get_or_init(|| std::env::var("DEESPEC_WITHOUT").ok());
        without.as_deref() != Some(self.name())
    }

    #[cfg(all(deespec_controls, not(all(loom, test))))]
    fn name(self) -> &'static str {
        match self {
            Self::AtomicAdd => "atomic-add",
            Self::SyncCells => "sync-cells",
            Self::SyncFile => "sync-file",
            Self::SyncDirectory => "sync-directory",
            Self::SyncPush => "sync-push",
            Self::FlushFirst => "flush-first",
            Self::Checksum => "checksum",
            Self::Lock => "lock",
            Self::Degraded => "degraded",
            Self::Allocation => "allocation",
            Self::Recovery => "recovery",
            Self::Settling => "settling",
            Self::FlipLast => "flip-last",
            Self::Liveness => "liveness",
            Self::FileType => "file-type",
            Self::Identity => "identity",
            Self::NearestWrap => "nearest-wrap",
            Self::Holes => "holes",
            Self::Separation => "separation",
            Self::Population => "population",
            Self::Probe => "probe",
        }
    }
}

#[cfg(all(loom, test))]
std::thread_local! {
    /// All threads of a model are one thread of the system.
    static LEFT_OUT: std::cell::Cell<Option<Protection>> = const { std::cell::Cell::new(None) };
}
