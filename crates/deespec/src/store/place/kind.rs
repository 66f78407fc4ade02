//! File systems by their number, and what each name alone tells.

use std::io;
use std::os::fd::AsFd;

use super::Unfit;

/// The file system that a file lies on, by the magic number that statfs(2) gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ext4, ext3 or ext2.
    Ext,
    Xfs,
    Tmpfs,
    Btrfs,
    Overlay,
    Fuse,
    /// One that cannot have a store: its name with an article, and why not.
    Refused(&'static str, Unfit),
    Unknown(u32),
}

const KNOWN: [(u32, Kind); 19] = {
    use Kind::{Btrfs, Ext, Fuse, Overlay, Refused, Tmpfs, Xfs};
    [
        (0xef53, Ext),
        (0x5846_5342, Xfs),
        (0x0102_1994, Tmpfs),
        (0x9123_683e, Btrfs),
        (0x794c_7630, Overlay),
        (0x6573_5546, Fuse),
        (0x6969, Refused("an NFS file system", Unfit::Network)),
        (0xff53_4d42, Refused("an SMB file system", Unfit::Network)),
        (0xfe53_4d42, Refused("an SMB file system", Unfit::Network)),
        (0x517b, Refused("an SMB file system", Unfit::Network)),
        (0x00c3_6400, Refused("a Ceph file system", Unfit::Network)),
        (0x0bd0_0bd0, Refused("a Lustre file system", Unfit::Network)),
        (0x5346_414f, Refused("an AFS file system", Unfit::Network)),
        (0x0102_1997, Refused("a 9p file system", Unfit::Guest)),
        (0x6a65_6a63, Refused("a virtiofs file system", Unfit::Guest)),
        (
            0x2fc1_2fc1,
            Refused("a ZFS file system", Unfit::NotReserved),
        ),
        (
            0xca45_1a4e,
            Refused("a bcachefs file system", Unfit::NotReserved),
        ),
        (
            0xf2f5_2010,
            Refused("an f2fs file system", Unfit::NotReserved),
        ),
        (0x8584_58f6, Refused("a ramfs file system", Unfit::Unknown)),
    ]
};

impl Kind {
    /// That of an open file or folder.
    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        let found = rustix::fs::fstatfs(file)?;
        Ok(Self::of_magic(found.f_type as u64 as u32))
    }

    fn of_magic(magic: u32) -> Self {
        let known = KNOWN.iter().find(|(known, _)| *known == magic);
        known.map_or(Self::Unknown(magic), |(_, kind)| *kind)
    }

    /// With its article, as in "lies on …".
    pub(crate) fn with_article(self) -> String {
        match self {
            Self::Ext => "an ext4 file system".into(),
            Self::Xfs => "an xfs file system".into(),
            Self::Tmpfs => "a tmpfs file system".into(),
            Self::Btrfs => "a btrfs file system".into(),
            Self::Overlay => "an overlay".into(),
            Self::Fuse => "a FUSE file system".into(),
            Self::Refused(found, _) => found.into(),
            Self::Unknown(magic) => format!("a file system of unknown type 0x{magic:x}"),
        }
    }

    /// Whether the blocks of a file may be shared with those of another, or move when they are written again.
    pub(crate) fn may_share(self) -> bool {
        !matches!(self, Self::Ext | Self::Tmpfs)
    }

    /// Whether copying on write can be switched off for a file there.
    pub(super) fn may_take_nocow(self) -> bool {
        matches!(self, Self::Btrfs | Self::Overlay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_the_file_system_and_no_number_stands_twice() {
        assert_eq!(Kind::of_magic(0xef53), Kind::Ext);
        assert_eq!(Kind::of_magic(0x794c_7630), Kind::Overlay);
        assert_eq!(Kind::of_magic(0x1234_5678), Kind::Unknown(0x1234_5678));
        assert!(matches!(
            Kind::of_magic(0xf2f5_2010),
            Kind::Refused(_, Unfit::NotReserved)
        ));
        let numbers: std::collections::HashSet<_> = KNOWN.iter().map(|(magic, _)| magic).collect();
        assert_eq!(numbers.len(), KNOWN.len());
    }
}
