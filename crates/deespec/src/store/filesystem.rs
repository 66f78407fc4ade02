//! Which file systems can keep the promises: those that reserve disk space for a file and give
//! all processes of a machine the same pages of it.

use std::path::Path;

use super::error::StoreError;

/// File systems that are known to keep the promises, by their magic number (see statfs(2)).
const SUPPORTED: [(u64, &str); 3] = [
    (0xef53, "ext2/ext3/ext4"),
    (0x5846_5342, "xfs"),
    (0x0102_1994, "tmpfs"),
];

const NETWORK: &str = "processes on two machines do not share memory, so counts would be lost";
const COPY_ON_WRITE: &str = "it writes each change to a new place, so a full disk would kill the \
                             program at an increment";
const OVERLAY: &str = "which file a process maps depends on when it was opened";
const UNKNOWN: &str = "nothing is known of how it keeps mapped files";

/// File systems that are known not to.
const REFUSED: [(u64, &str, &str); 14] = [
    (0x6969, "nfs", NETWORK),
    (0xff53_4d42, "cifs", NETWORK),
    (0xfe53_4d42, "smb2", NETWORK),
    (0x517b, "smb", NETWORK),
    (0x0102_1997, "9p", NETWORK),
    (0x00c3_6400, "ceph", NETWORK),
    (0x0bd0_0bd0, "lustre", NETWORK),
    (0x5346_414f, "afs", NETWORK),
    (0x6573_5546, "fuse", UNKNOWN),
    (0x9123_683e, "btrfs", COPY_ON_WRITE),
    (0x2fc1_2fc1, "zfs", COPY_ON_WRITE),
    (0xca45_1a4e, "bcachefs", COPY_ON_WRITE),
    (0x794c_7630, "overlay", OVERLAY),
    (0xf2f5_2010, "f2fs", COPY_ON_WRITE),
];

/// Fails unless `path` lies on a file system that is known to keep the promises.
pub(crate) fn check(path: &Path) -> Result<(), StoreError> {
    let info = rustix::fs::statfs(path)
        .map_err(|error| StoreError::io("inspect the file system of", path)(error.into()))?;
    judge(info.f_type as u64 & 0xffff_ffff).map_err(|(found, reason)| StoreError::FileSystem {
        path: path.to_owned(),
        found,
        reason,
    })
}

fn judge(magic: u64) -> Result<(), (String, &'static str)> {
    if SUPPORTED.iter().any(|&(known, _)| known == magic) {
        return Ok(());
    }
    match REFUSED.iter().find(|&&(known, ..)| known == magic) {
        Some(&(_, name, reason)) => Err((name.to_owned(), reason)),
        None => Err((format!("0x{magic:x}"), UNKNOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_file_systems_pass_and_others_are_refused_with_the_reason() {
        assert_eq!(judge(0xef53), Ok(()));
        assert_eq!(judge(0x0102_1994), Ok(()));
        assert_eq!(judge(0x6969), Err(("nfs".into(), NETWORK)));
        assert_eq!(judge(0x794c_7630), Err(("overlay".into(), OVERLAY)));
        assert_eq!(judge(0x1234_5678), Err(("0x12345678".into(), UNKNOWN)));
    }
}
