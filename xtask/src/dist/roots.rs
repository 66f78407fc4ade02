//! Folders that become the root of a process: what is in them is all that it has.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::made::Made;
use crate::dist::verdict::{io, text_of};
use crate::step::Failure;

pub(crate) struct Root {
    pub(crate) folder: PathBuf,
}

impl Root {
    pub(crate) fn empty(made: &Made, name: &str) -> Result<Self, Failure> {
        let folder = made.play(name)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(io(&folder))?;
        Ok(Self { folder })
    }

    pub(crate) fn path(&self, within: &str) -> PathBuf {
        self.folder.join(within.trim_start_matches('/'))
    }

    /// A copy of a file, with its rights.
    pub(crate) fn put(&self, file: &Path, within: &str) -> Result<(), Failure> {
        let to = self.path(within);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(io(parent))?;
        }
        fs::copy(file, &to).map_err(io(&to)).map(drop)
    }

    pub(crate) fn write(&self, within: &str, text: &str) -> Result<(), Failure> {
        let to = self.path(within);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(io(parent))?;
        }
        fs::write(&to, text).map_err(io(&to))
    }

    /// The shared libraries that a file of the host's needs, and the loader, where they lie on the host.
    pub(crate) fn put_libraries_of(&self, file: &Path) -> Result<(), Failure> {
        let list = text_of(Command::new("ldd").arg(file))?;
        for word in list.split_whitespace().filter(|word| word.starts_with('/')) {
            self.put(Path::new(word), word)?;
        }
        Ok(())
    }

    /// A program in it, as root, with nothing in its environment.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Command {
        self.start(Command::new("chroot"), program, args)
    }

    /// The same as this user, and the group of the same number.
    pub(crate) fn run_as(&self, user: u32, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command
            .arg(format!("--userspec={user}:{user}"))
            .arg("--groups=");
        self.start(command, program, args)
    }

    fn start(&self, mut command: Command, program: &str, args: &[&str]) -> Command {
        command.arg(&self.folder).arg(program).args(args);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }
}
