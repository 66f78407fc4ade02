//! What the harnesses of this room stand on: a mount namespace of their own, loop devices, and file
//! systems on images.
//!
//! Nothing that they mount is seen outside: the harness runs in a process of its own under `unshare`,
//! whose mounts go with it. A loop device is told to detach itself as soon as it is mounted, so it
//! is free again when the file system is unmounted, also by the death of that process.

use std::ffi::CStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::json;

use super::{cuts, eio, full, places, shutdown};
use crate::Result;
use crate::child::{argument, output};
use crate::harness::{Bench, Outcome};
use crate::random::Random;

/// Where images lie: in memory, since thousands of them are written.
const MEMORY: &str = "/dev/shm";
/// Where programs may be that are not on the path of every user.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// A file system on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// The smallest image that the file system takes.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Ext4 => 16 << 20,
            Self::Xfs => 300 << 20,
        }
    }

    /// Makes an image with an empty file system.
    pub(crate) fn make(self, image: &Path) -> Result<()> {
        File::create(image)?.set_len(self.bytes())?;
        let mut command = Command::new(program(self.maker()).ok_or("no mkfs")?);
        match self {
            // Whatever is initialised later would write at moments that nobody chose.
            Self::Ext4 => command.args([
                "-q",
                "-F",
                "-b",
                "4096",
                "-J",
                "size=4",
                "-N",
                "1024",
                "-m",
                "0",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
            ]),
            Self::Xfs => command.args(["-q", "-f"]),
        };
        run(command.arg(image))?;
        Ok(())
    }

    fn maker(self) -> &'static str {
        match self {
            Self::Ext4 => "mkfs.ext4",
            Self::Xfs => "mkfs.xfs",
        }
    }

    /// Two images of one origin have one identity, which xfs would refuse.
    fn options(self) -> Option<&'static CStr> {
        match self {
            Self::Ext4 => None,
            Self::Xfs => Some(c"nouuid"),
        }
    }
}

/// Why file systems cannot be mounted here, or cannot be made.
pub(crate) fn lacks(kinds: &[Kind], programs: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root may mount".to_owned());
    }
    let makers = kinds.iter().map(|kind| kind.maker());
    let mut needed = ["unshare", "losetup"].into_iter().chain(makers);
    let missing = needed
        .by_ref()
        .chain(programs.iter().copied())
        .find(|name| program(name).is_none());
    if let Some(name) = missing {
        return Some(format!("there is no program {name}"));
    }
    let free = run(Command::new(program("losetup")?).arg("--find"));
    free.err()
        .map(|error| format!("there is no free loop device: {error}"))
}

/// As [`lacks`], for what also needs a disk of its own making.
pub(crate) fn lacks_fuse(kinds: &[Kind]) -> Option<String> {
    if !Path::new("/dev/fuse").exists() {
        return Some("there is no /dev/fuse".to_owned());
    }
    lacks(kinds, &[])
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Runs a program to its end; gives what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let (program, complaint) = (command.get_program().display(), complaint.trim());
    Err(format!("{program} ended with {}: {complaint}", output.status).into())
}

/// A folder in memory, which goes when it is dropped.
pub(crate) fn memory() -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("deespec-proof-")
        .tempdir_in(MEMORY)?;
    Ok(folder)
}

/// A loop device. Dropping it detaches it, at once or as soon as it is not mounted any more.
struct Attached {
    device: PathBuf,
}

impl Attached {
    fn new(image: &Path) -> Result<Self> {
        let mut command = Command::new(program("losetup").ok_or("no losetup")?);
        let device = run(command.args(["--find", "--show"]).arg(image))?;
        Ok(Self {
            device: device.into(),
        })
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(losetup) = program("losetup") {
            let _ = run(Command::new(losetup).arg("--detach").arg(&self.device));
        }
    }
}

/// A mounted file system; dropping it unmounts it, even while somebody uses it.
pub(crate) struct Mounted {
    point: Option<PathBuf>,
}

impl Mounted {
    /// Mounts an image: its journal is replayed.
    pub(crate) fn image(image: &Path, point: &Path, kind: Kind) -> Result<Self> {
        Self::with(image, point, kind.name(), kind.options())
    }

    /// Mounts an image with a file system of any type.
    pub(crate) fn device(image: &Path, point: &Path, file_system: &str) -> Result<Self> {
        Self::with(image, point, file_system, None)
    }

    fn with(image: &Path, point: &Path, file_system: &str, options: Option<&CStr>) -> Result<Self> {
        fs::create_dir_all(point)?;
        let attached = Attached::new(image)?;
        mount(
            &attached.device,
            point,
            file_system,
            MountFlags::empty(),
            options,
        )
        .map_err(|error| format!("cannot mount {}: {error}", image.display()))?;
        Ok(Self {
            point: Some(point.to_owned()),
        })
    }

    /// Mounts memory of so many bytes as a file system.
    pub(crate) fn memory(point: &Path, options: &CStr) -> Result<Self> {
        fs::create_dir_all(point)?;
        mount("none", point, "tmpfs", MountFlags::empty(), Some(options))?;
        Ok(Self {
            point: Some(point.to_owned()),
        })
    }

    /// Mounts an overlay.
    pub(crate) fn overlay(point: &Path, options: &CStr) -> Result<Self> {
        fs::create_dir_all(point)?;
        mount(
            "overlay",
            point,
            "overlay",
            MountFlags::empty(),
            Some(options),
        )?;
        Ok(Self {
            point: Some(point.to_owned()),
        })
    }

    /// Unmounts it; that somebody still uses it is an error.
    pub(crate) fn unmount(mut self) -> Result<()> {
        match self.point.take() {
            Some(point) => Ok(unmount(&point, UnmountFlags::empty())
                .map_err(|error| format!("cannot unmount {}: {error}", point.display()))?),
            None => Ok(()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(point) = &self.point {
            let _ = unmount(point, UnmountFlags::DETACH);
        }
    }
}

/// Whatever is left mounted there, for instance by a process that died.
pub(crate) fn clear(point: &Path) {
    let _ = unmount(point, UnmountFlags::DETACH);
}

/// What a harness of this room is asked for.
pub(crate) struct Task {
    pub(crate) folder: PathBuf,
    pub(crate) count: u64,
    pub(crate) random: Random,
}

/// Runs a harness of this room in a process with a mount namespace of its own.
pub(crate) fn apart(name: &str, bench: &mut Bench, count: u64) -> Result<Outcome> {
    let output = Command::new(program("unshare").ok_or("no unshare")?)
        .args(["--mount", "--propagation", "private"])
        .arg(std::env::current_exe()?)
        .args(["role", "apart", name])
        .arg(&bench.folder)
        .args([count.to_string(), bench.random.next().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{name} ended with {}", output.status).into());
    }
    let found: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let violations = found["violations"].as_array().into_iter().flatten();
    Ok(Outcome {
        done: found["done"].as_str().ok_or("no outcome")?.to_owned(),
        violations: violations
            .filter_map(|what| what.as_str().map(str::to_owned))
            .collect(),
    })
}

/// `apart NAME FOLDER COUNT SEED`: the other side of [`apart`].
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let name: String = argument(arguments, 0)?;
    let mut task = Task {
        folder: argument(arguments, 1)?,
        count: argument(arguments, 2)?,
        random: Random(argument(arguments, 3)?),
    };
    let outcome = match name.as_str() {
        "cuts" => cuts::inside(&mut task),
        "shutdown" => shutdown::inside(&mut task),
        "full" => full::inside(&mut task),
        "places" => places::inside(&mut task),
        "eio" => eio::inside(&mut task),
        other => return Err(format!("unknown harness {other}").into()),
    }?;
    let found = json!({ "done": outcome.done, "violations": outcome.violations });
    Ok(serde_json::to_writer(output()?, &found)?)
}
