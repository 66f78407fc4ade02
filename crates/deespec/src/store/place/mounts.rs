//! What the kernel tells of mounts: the type by its name, options, and whether ext4 has its journal.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, StatxFlags, statx};

/// One line of `/proc/self/mountinfo` (see proc_pid_mountinfo(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mount {
    id: u64,
    /// As the kernel names it: `ext3`, `fuse.fuse-overlayfs`.
    pub(super) file_system: String,
    /// Those of the file system, `name` or `name=value`.
    options: Vec<String>,
}

impl Mount {
    /// The mount that an open file or folder lies on; `None` where that is not told.
    pub(super) fn of(file: &File) -> Option<Self> {
        let found = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
        Self::all()
            .into_iter()
            .find(|one| one.id == found.stx_mnt_id)
    }

    fn all() -> Vec<Self> {
        let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().filter_map(Self::parse).collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let (first, last) = line.split_once(" - ")?;
        let id = first.split(' ').next()?.parse().ok()?;
        let mut last = last.split(' ');
        let file_system = last.next()?.to_owned();
        let options = last.nth(1).unwrap_or_default();
        Some(Self {
            id,
            file_system,
            options: options.split(',').map(unescaped).collect(),
        })
    }

    /// Whether the upper layer of an overlay is never made durable.
    pub(super) fn is_volatile(&self) -> bool {
        let is_volatile = |option: &String| option == "volatile" || option == "fsync=volatile";
        self.options.iter().any(is_volatile)
    }

    fn upper(&self) -> Option<PathBuf> {
        let of = |option: &String| option.strip_prefix("upperdir=").map(PathBuf::from);
        self.options.iter().find_map(of)
    }
}

/// Octal escapes stand for what would end a field.
fn unescaped(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let byte = after
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        (out, rest) = match byte {
            Some(byte) => (out + &char::from(byte).to_string(), &after[3..]),
            None => (out + "\\", after),
        };
    }
    out + rest
}

/// The upper layer of an overlay that this folder is a part of, seen from outside of it.
pub(super) fn upper_layer(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let uppers = Mount::all().into_iter().filter_map(|mount| mount.upper());
    uppers
        .filter_map(|upper| upper.canonicalize().ok())
        .find(|upper| folder.starts_with(upper))
}

/// Whether the ext4 that a file lies on has a journal; `None` where that is not told.
pub(super) fn has_journal(file: &File) -> Option<bool> {
    let device = file.metadata().ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let link = fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let name = link.file_name()?.to_str()?;
    let task = fs::read_to_string(format!("/sys/fs/ext4/{name}/journal_task")).ok()?;
    Some(task.trim() != "<none>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_type_and_the_options() {
        let line = "36 25 0:32 / /mnt/a\\040b rw,relatime shared:5 master:1 - overlay overlay \
                    rw,lowerdir=/l,upperdir=/u\\040p/d,workdir=/w,volatile";
        let mount = Mount::parse(line).unwrap();
        assert_eq!((mount.id, mount.file_system.as_str()), (36, "overlay"));
        assert!(mount.is_volatile());
        assert_eq!(mount.upper(), Some(PathBuf::from("/u p/d")));
        let other = Mount::parse("1 1 8:1 / / rw - ext2 /dev/sda1 rw").unwrap();
        assert!(!other.is_volatile());
        assert_eq!(other.upper(), None);
        assert_eq!(Mount::parse("nonsense"), None);
    }

    #[test]
    fn what_is_no_escape_stays_as_it_is() {
        assert_eq!(unescaped("a\\134b"), "a\\b");
        assert_eq!(unescaped("a\\9zz"), "a\\9zz");
        assert_eq!(unescaped("a\\04"), "a\\04");
    }
}
