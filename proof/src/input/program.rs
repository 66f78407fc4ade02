//! Running the real program: with a deadline, a limit on its memory, and the rights of nobody where
//! that is asked for.

use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::setrlimit;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getuid, kill_process, pidfd_open,
};

use crate::Result;
use crate::child::argument;

/// Most memory that a command may ask for, and most bytes that it may write to a file.
const MEMORY: u64 = 64 << 20;
/// Longer than anybody waits for a lock.
const DEADLINE: Duration = Duration::from_secs(20);
/// The user who has no rights of his own.
pub(crate) const NOBODY: u32 = 65_534;

/// The programs, copied to where anybody can start them.
pub(crate) struct Programs {
    deespec: PathBuf,
    ours: PathBuf,
}

/// What a command said and how it ended.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn is_root() -> bool {
    getuid().is_root()
}

impl Programs {
    /// Copies the program that was built with this one, and this one, into `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self> {
        let ours = env::current_exe()?;
        let built = ours.parent().ok_or("this program lies nowhere")?;
        let copy = |from: PathBuf, name: &str| -> Result<PathBuf> {
            let to = folder.join(name);
            fs::copy(&from, &to).map_err(|error| {
                format!(
                    "{}: {error}; `cargo xtask torture` builds it",
                    from.display()
                )
            })?;
            Ok(to)
        };
        Ok(Self {
            deespec: copy(built.join("deespec"), "deespec")?,
            ours: copy(ours.clone(), "deespec-proof")?,
        })
    }

    /// Runs a command in `folder`; `None` when it came to no end in time.
    pub(crate) fn run(
        &self,
        folder: &Path,
        as_nobody: bool,
        more: u64,
        words: &[&str],
    ) -> Result<Option<Said>> {
        let said = [folder.join("stdout"), folder.join("stderr")];
        let mut command = Command::new(&self.ours);
        command
            .args(["role", "limited", if as_nobody { "nobody" } else { "same" }])
            .arg((MEMORY + more).to_string())
            .arg(&self.deespec)
            .args(words)
            .current_dir(folder)
            .env_remove("DEESPEC_STORE")
            .env_remove("DEESPEC_CONFIG")
            .stdin(Stdio::null())
            .stdout(File::create(&said[0])?)
            .stderr(File::create(&said[1])?);
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        let mut ready = [PollFd::new(&handle, PollFlags::IN)];
        let seconds = i64::try_from(DEADLINE.as_secs())?;
        let deadline = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        if poll(&mut ready, Some(&deadline))? == 0 {
            // Nobody has waited for it, so it is still this one.
            kill_process(pid, Signal::KILL)?;
            child.wait()?;
            return Ok(None);
        }
        let read = |path: &PathBuf| -> Result<String> {
            Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
        };
        Ok(Some(Said {
            status: child.wait()?,
            out: read(&said[0])?,
            err: read(&said[1])?,
        }))
    }
}

/// Becomes another program, with less memory and perhaps less rights.
pub(crate) fn limited(arguments: &[String]) -> Result<()> {
    let user: String = argument(arguments, 0)?;
    let memory: u64 = argument(arguments, 1)?;
    let program: PathBuf = argument(arguments, 2)?;
    let limit = Rlimit {
        current: Some(memory),
        maximum: Some(memory),
    };
    setrlimit(Resource::Data, limit)?;
    // Whoever copies something without an end must not fill the disk.
    setrlimit(Resource::Fsize, limit)?;
    let mut command = Command::new(program);
    command.args(arguments.iter().skip(3));
    if user == "nobody" {
        command.uid(NOBODY).gid(NOBODY);
    }
    Err(command.exec().into())
}
