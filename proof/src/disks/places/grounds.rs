//! The places: file systems on images, and overlays over them.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::super::ground::{Mounted, program, run};
use crate::Result;

/// What a place is made of, and what is promised there.
pub(super) struct Ground {
    pub(super) name: &'static str,
    /// The maker with its options, and the image's size; `None` is memory.
    made: Option<(&'static str, u64)>,
    /// As mount(2) names it.
    file_system: &'static str,
    pub(super) layer: Layer,
    /// As the doctor names it.
    pub(super) class: &'static str,
    /// What `--accept` needs to say.
    pub(super) accept: Option<&'static str>,
    pub(super) copies: Copies,
}

/// Whether a store lies in an overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    None,
    Overlay,
    /// Nothing of it is ever made durable.
    Volatile,
    /// The store was there when the overlay was mounted, in its lower layer.
    Baked,
}

/// How blocks come to be shared there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copies {
    Never,
    Clone,
    Snapshot,
}

const EXT4: &str = "mkfs.ext4 -q -F -b 4096 -m 0 -E lazy_itable_init=0";
const BARE: &str = "mkfs.ext4 -q -F -b 4096 -m 0 -O ^has_journal";
const EXT3: &str = "mke2fs -q -F -t ext3 -b 4096 -m 0";
const EXT2: &str = "mke2fs -q -F -t ext2 -b 4096 -m 0";
const XFS: &str = "mkfs.xfs -q -f";
const BTRFS: &str = "mkfs.btrfs -q -f";
const SMALL: u64 = 48 << 20;
const XFS_BYTES: u64 = 300 << 20;
const BTRFS_BYTES: u64 = 256 << 20;

/// Programs that make them.
pub(super) const PROGRAMS: &[&str] = &["mke2fs", "mkfs.xfs", "mkfs.btrfs", "btrfs", "cp"];

/// All of them, the quickest first.
pub(super) const GROUNDS: &[Ground] = {
    use Copies::{Clone, Never, Snapshot};
    use Layer::{Baked, None as Direct, Overlay, Volatile};
    const fn ground(
        name: &'static str,
        (made, file_system): (Option<(&'static str, u64)>, &'static str),
        layer: Layer,
        class: &'static str,
        copies: Copies,
    ) -> Ground {
        Ground {
            name,
            made,
            file_system,
            layer,
            class,
            accept: match copies {
                Snapshot => Some("full-disk"),
                _ => None,
            },
            copies,
        }
    }
    const E4: (Option<(&'static str, u64)>, &str) = (Some((EXT4, SMALL)), "ext4");
    const X: (Option<(&'static str, u64)>, &str) = (Some((XFS, XFS_BYTES)), "xfs");
    const B: (Option<(&'static str, u64)>, &str) = (Some((BTRFS, BTRFS_BYTES)), "btrfs");
    &[
        ground("tmpfs", (None, "tmpfs"), Direct, "boot", Never),
        ground("ext4", E4, Direct, "full", Never),
        ground("xfs", X, Direct, "full", Clone),
        ground("btrfs", B, Direct, "accepted", Snapshot),
        ground("overlay over ext4", E4, Overlay, "container", Never),
        ground("overlay over xfs", X, Overlay, "container", Clone),
        ground("overlay over btrfs", B, Overlay, "accepted", Snapshot),
        ground(
            "overlay over ext4, from an image",
            E4,
            Baked,
            "container",
            Never,
        ),
        ground(
            "overlay over xfs, from an image",
            X,
            Baked,
            "container",
            Clone,
        ),
        ground(
            "overlay over tmpfs",
            (None, "tmpfs"),
            Overlay,
            "container",
            Never,
        ),
        ground(
            "volatile overlay over ext4",
            E4,
            Volatile,
            "container",
            Never,
        ),
        ground(
            "ext4 without a journal",
            (Some((BARE, SMALL)), "ext4"),
            Direct,
            "no_journal",
            Never,
        ),
        ground("ext3", (Some((EXT3, SMALL)), "ext3"), Direct, "full", Never),
        ground(
            "ext2",
            (Some((EXT2, SMALL)), "ext2"),
            Direct,
            "no_journal",
            Never,
        ),
    ]
};

/// A place that is mounted; dropping it unmounts it.
pub(super) struct Laid {
    /// Before what it lies on.
    overlay: Option<Mounted>,
    base: PathBuf,
    point: PathBuf,
    _base: Mounted,
}

impl Ground {
    /// Mounts what lies below.
    pub(super) fn lay(&self, folder: &Path) -> Result<Laid> {
        fs::create_dir_all(folder)?;
        let base = folder.join("base");
        let mounted = match self.made {
            None => Mounted::memory(&base, c"size=48m")?,
            Some((command, bytes)) => {
                let image = folder.join("image");
                File::create(&image)?.set_len(bytes)?;
                let mut words = command.split(' ');
                let maker = words.next().and_then(program).ok_or("no maker")?;
                run(Command::new(maker).args(words).arg(&image))?;
                Mounted::device(&image, &base, self.file_system)?
            }
        };
        Ok(Laid {
            overlay: None,
            point: base.clone(),
            base,
            _base: mounted,
        })
    }
}

impl Laid {
    /// Where a store is to lie.
    pub(super) fn root(&self) -> PathBuf {
        self.point.join("store").join("var")
    }

    /// Where the folder around the store really lies: in an overlay, in the upper layer.
    fn real(&self) -> PathBuf {
        match self.overlay {
            Some(_) => self.base.join("upper").join("store"),
            None => self.point.join("store"),
        }
    }

    /// Lays an overlay over it; what is in `lower` shows through.
    pub(super) fn cover(&mut self, layer: Layer) -> Result<()> {
        let at = |name: &str| self.base.join(name);
        for name in ["lower", "upper", "work"] {
            fs::create_dir_all(at(name))?;
        }
        let mut options = format!(
            "lowerdir={},upperdir={},workdir={}",
            at("lower").display(),
            at("upper").display(),
            at("work").display()
        );
        if layer == Layer::Volatile {
            options.push_str(",volatile");
        }
        let point = self.base.with_file_name("merged");
        self.overlay = Some(Mounted::overlay(&point, &CString::new(options)?)?);
        self.point = point;
        Ok(())
    }

    /// Before an overlay is laid over it: a store that is made in its lower layer.
    pub(super) fn lower(&mut self) -> Result<()> {
        self.point = self.base.join("lower");
        Ok(fs::create_dir_all(&self.point)?)
    }

    /// Has the blocks of the store shared by a copy; gives where that is.
    pub(super) fn copy(&self, how: Copies) -> Result<Option<PathBuf>> {
        let to = self.base.join("copy");
        match how {
            Copies::Never => return Ok(None),
            Copies::Clone => {
                let cp = program("cp").ok_or("no cp")?;
                run(Command::new(cp)
                    .args(["-a", "--reflink=always"])
                    .args([&self.real(), &to]))?;
            }
            Copies::Snapshot => {
                let btrfs = program("btrfs").ok_or("no btrfs")?;
                run(Command::new(btrfs)
                    .args(["subvolume", "snapshot"])
                    .args([&self.base, &to]))?;
            }
        }
        Ok(Some(to))
    }

    /// Removes a copy.
    pub(super) fn forget(&self, how: Copies, copy: &Path) -> Result<()> {
        match how {
            Copies::Snapshot => {
                let btrfs = program("btrfs").ok_or("no btrfs")?;
                run(Command::new(btrfs)
                    .args(["subvolume", "delete", "--commit-after"])
                    .arg(copy))?;
                Ok(())
            }
            _ => Ok(fs::remove_dir_all(copy)?),
        }
    }

    /// Makes a file of the store one with holes, as a copy of it may be.
    pub(super) fn pierce(&self, path: &Path) -> Result<()> {
        let copy = path.with_file_name("pierced");
        let cp = program("cp").ok_or("no cp")?;
        run(Command::new(cp)
            .args(["-p", "--sparse=always", "--reflink=never"])
            .args([path, &copy]))?;
        Ok(fs::rename(copy, path)?)
    }

    /// Removes what fills it. btrfs gives the room back when that is on the disk.
    pub(super) fn empty(&self, filler: &Path) -> Result<()> {
        fs::remove_file(filler)?;
        Ok(rustix::fs::syncfs(File::open(&self.base)?)?)
    }

    /// Fills the disk; gives what fills it.
    pub(super) fn fill(&self) -> Result<PathBuf> {
        use std::io::Write as _;
        let path = self.base.join("filler");
        let mut file = File::create(&path)?;
        let mut at = 0;
        for piece in [16 << 20, 1 << 20, 64 << 10, 4 << 10] {
            loop {
                match fallocate(&file, FallocateFlags::empty(), at, piece) {
                    Ok(()) => at += piece,
                    Err(Errno::NOSPC) => break,
                    // ext2 and ext3: what is written is filled, below.
                    Err(Errno::OPNOTSUPP) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        // What the file system keeps back for such calls.
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
        let block = vec![1; 64 << 10];
        for piece in [64 << 10, 4 << 10] {
            while file
                .write_all(&block[..piece])
                .and_then(|()| file.sync_data())
                .is_ok()
            {}
        }
        Ok(path)
    }
}
