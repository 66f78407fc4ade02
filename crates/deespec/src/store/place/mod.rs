//! Where a store lies, and what that place can promise. A name decides where it can; an overlay and btrfs are tried out
//! (`probe.rs`). `blocks.rs` keeps the blocks of segments in place and their own, `mounts.rs` looks up what only people
//! are told. The classes and their reasons: `docs/design/0071-a-place-has-a-class.md`.

mod blocks;
mod kind;
mod mounts;
mod probe;
mod told;
mod unfit;

use std::fs::File;
use std::hash::Hasher as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, StatxFlags, statx};
use siphasher::sip::SipHasher13;

use super::control::{PLACE, PLACE_CLASS};
use super::error::StoreError;
use super::identity::boot_id;
use super::layout::{Consent, seal, unseal};
use super::segment::Segment;
use mounts::Mount;
use probe::Verdict;

pub(crate) use blocks::{Guard, Rest, own, populate, prepare};
pub(crate) use kind::Kind;
pub use told::{Place, PlaceClass};
pub use unfit::Unfit;

/// What a place promises; the number is the one in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Class {
    /// All that there is.
    Full = 1,
    /// All of it until the boot ends, or the mount.
    Boot = 2,
    /// All of it until the container ends.
    Container = 3,
    /// Accepted: a full disk may end a program after a snapshot.
    FullDisk = 4,
    /// Accepted: counts may end with a daemon.
    Daemon = 5,
    /// Accepted whatever it is.
    Any = 6,
}

impl Class {
    fn of_number(number: u32) -> Option<Self> {
        let all = [
            Self::Full,
            Self::Boot,
            Self::Container,
            Self::FullDisk,
            Self::Daemon,
            Self::Any,
        ];
        all.into_iter().find(|class| *class as u32 == number)
    }
}

/// Fails unless a store may be made in this folder, with this consent.
pub(crate) fn admit_new(folder: &Path, consent: Consent) -> Result<(), StoreError> {
    let io = || StoreError::io("inspect the file system of", folder);
    let opened = File::open(folder).map_err(io())?;
    let kind = Kind::of(&opened).map_err(|error| io()(error))?;
    judge(kind, consent, &opened, || {
        probe::probe(folder).map_err(|error| io()(error))
    })?
    .map(drop)
    .map_err(|reason| refusal(folder, kind, reason))
}

/// What the place of a store that is there promises. What had to be tried out is remembered in the store.
pub(crate) fn admit(
    first: &Segment,
    file: &File,
    live: &Path,
    consent: Consent,
) -> Result<Class, StoreError> {
    let io = || StoreError::io("inspect the file system of", live);
    let kind = first.kind();
    let class = match kind {
        Kind::Btrfs | Kind::Overlay if !consent.any => {
            let digest = |class| digest(first, file, class);
            let known = unseal(first.load(PLACE_CLASS)).and_then(Class::of_number);
            match known.filter(|class| digest(*class) == first.load(PLACE)) {
                Some(class) => Ok(class),
                None => {
                    let probe = || probe::probe(live).map_err(io());
                    let judged = judge(kind, consent, file, probe)?;
                    if let Ok(class) = judged {
                        first.store(PLACE_CLASS, seal(class as u32));
                        first.store(PLACE, digest(class));
                    }
                    judged
                }
            }
        }
        _ => judge(kind, consent, file, || Ok(Verdict::Unknown))?,
    };
    let class = class.map_err(|reason| refusal(live, kind, reason))?;
    check(first, class)?;
    Ok(class)
}

/// Fails where a segment is none that this class can have: a copy takes copying on write with it.
pub(crate) fn check(segment: &Segment, class: Class) -> Result<(), StoreError> {
    match class == Class::FullDisk && !segment.has_nocow() {
        true => Err(refusal(segment.path(), segment.kind(), Unfit::Copied)),
        false => Ok(()),
    }
}

fn refusal(path: &Path, kind: Kind, reason: Unfit) -> StoreError {
    StoreError::FileSystem {
        path: path.to_owned(),
        found: kind.with_article(),
        reason,
    }
}

/// `probe` is asked where the name does not decide.
fn judge(
    kind: Kind,
    consent: Consent,
    file: &File,
    probe: impl FnOnce() -> Result<Verdict, StoreError>,
) -> Result<Result<Class, Unfit>, StoreError> {
    let accepted = |accepted: bool, reason: Unfit| match accepted {
        true => has_nocow_reserve()
            .then_some(Class::FullDisk)
            .ok_or(Unfit::OldKernel),
        false => Err(reason),
    };
    Ok(match kind {
        Kind::Ext | Kind::Xfs => Ok(Class::Full),
        Kind::Tmpfs => Ok(Class::Boot),
        _ if consent.any => Ok(Class::Any),
        Kind::Btrfs => match accepted(consent.full_disk, Unfit::CopiesOnWrite) {
            Ok(class) => of_btrfs(probe()?).map(|()| class),
            refused => refused,
        },
        Kind::Overlay => match probe()? {
            Verdict::InPlace { nocow: false } | Verdict::Memory => Ok(Class::Container),
            Verdict::InPlace { nocow: true } => {
                accepted(consent.full_disk, Unfit::BelowCopiesOnWrite)
            }
            Verdict::Moves => Err(Unfit::BelowMoves),
            Verdict::CannotReserve => Err(Unfit::CannotReserve),
            Verdict::Unknown => Err(Unfit::Unknown),
        },
        Kind::Fuse => {
            let mount = Mount::of(file).unwrap_or_default();
            match mount.file_system == "fuse.fuse-overlayfs" {
                true if consent.daemon => Ok(Class::Daemon),
                true => Err(Unfit::Daemon),
                false => Err(Unfit::Unknown),
            }
        }
        Kind::Refused(_, reason) => Err(reason),
        Kind::Unknown(_) => Err(Unfit::Unknown),
    })
}

fn of_btrfs(verdict: Verdict) -> Result<(), Unfit> {
    match verdict {
        Verdict::InPlace { .. } => Ok(()),
        Verdict::CannotReserve => Err(Unfit::CannotReserve),
        _ => Err(Unfit::BelowMoves),
    }
}

/// Whether a file of btrfs that does not copy on write has its space reserved for mapped writes too: since Linux 6.17
/// (commit 6599716de2d6).
fn has_nocow_reserve() -> bool {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    is_since(&text, (6, 17))
}

fn is_since(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

/// Tells this place, and what it promises, from any other.
fn digest(first: &Segment, file: &File, class: Class) -> u64 {
    let id = first.header().store_id;
    let [boot_upper, boot_lower] = boot_id();
    let named = file
        .metadata()
        .map_or((0, 0), |found| (found.dev(), found.ino()));
    let magic = rustix::fs::fstatfs(file).map_or(0, |found| found.f_type as u64);
    let fsid = rustix::fs::fstatvfs(file).map_or(0, |found| found.f_fsid);
    // The unique number of the mount, which is never given again.
    let unique = StatxFlags::from_bits_retain(0x4000);
    let mount = statx(file, c"", AtFlags::EMPTY_PATH, unique)
        .ok()
        .filter(|found| found.stx_mask & unique.bits() != 0)
        .map_or(0, |found| found.stx_mnt_id);
    let words = [
        boot_upper,
        boot_lower,
        named.0,
        named.1,
        magic,
        fsid,
        mount,
        class as u64,
    ];
    let mut hasher = SipHasher13::new_with_keys(id[0], id[1]);
    words
        .iter()
        .for_each(|word| hasher.write(&word.to_le_bytes()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(kind: Kind, consent: Consent, verdict: Verdict) -> Result<Class, Unfit> {
        let file = File::open("/").unwrap();
        judge(kind, consent, &file, || Ok(verdict)).unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "opens a folder, and asks for the kernel's release")]
    fn a_place_is_judged_by_its_name_by_what_was_tried_and_by_what_was_accepted() {
        let none = Consent::default();
        let full_disk = Consent {
            full_disk: true,
            ..none
        };
        let any = Consent { any: true, ..none };
        let in_place = |nocow| Verdict::InPlace { nocow };
        assert_eq!(judged(Kind::Ext, none, Verdict::Moves), Ok(Class::Full));
        assert_eq!(judged(Kind::Tmpfs, any, Verdict::Moves), Ok(Class::Boot));
        let overlay = |consent, verdict| judged(Kind::Overlay, consent, verdict);
        assert_eq!(overlay(none, in_place(false)), Ok(Class::Container));
        assert_eq!(overlay(none, Verdict::Memory), Ok(Class::Container));
        assert_eq!(
            overlay(none, in_place(true)),
            Err(Unfit::BelowCopiesOnWrite)
        );
        assert_eq!(overlay(full_disk, Verdict::Moves), Err(Unfit::BelowMoves));
        assert_eq!(overlay(full_disk, Verdict::Unknown), Err(Unfit::Unknown));
        assert_eq!(overlay(any, Verdict::Moves), Ok(Class::Any));
        let btrfs = |consent, verdict| judged(Kind::Btrfs, consent, verdict);
        assert_eq!(btrfs(none, in_place(true)), Err(Unfit::CopiesOnWrite));
        if has_nocow_reserve() {
            assert_eq!(btrfs(full_disk, in_place(true)), Ok(Class::FullDisk));
            assert_eq!(overlay(full_disk, in_place(true)), Ok(Class::FullDisk));
            assert_eq!(btrfs(full_disk, Verdict::Moves), Err(Unfit::BelowMoves));
        } else {
            assert_eq!(btrfs(full_disk, in_place(true)), Err(Unfit::OldKernel));
        }
        let f2fs = Kind::Refused("an f2fs file system", Unfit::NotReserved);
        assert_eq!(
            judged(f2fs, full_disk, in_place(false)),
            Err(Unfit::NotReserved)
        );
        assert_eq!(judged(f2fs, any, in_place(false)), Ok(Class::Any));
        assert_eq!(
            judged(Kind::Unknown(7), none, in_place(false)),
            Err(Unfit::Unknown)
        );
    }

    #[test]
    fn a_release_is_compared_by_its_numbers() {
        assert!(is_since("6.17.0-rc1", (6, 17)));
        assert!(is_since("6.18.44-fc", (6, 17)));
        assert!(is_since("10.2", (6, 17)));
        assert!(!is_since("6.9.1", (6, 17)));
        assert!(!is_since("", (6, 17)));
    }
}
