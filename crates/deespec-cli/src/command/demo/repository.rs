//! The Git side of the demo: a bare repository with one branch, moved by compare-and-swap.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::exit::Failure;

use super::io;

const BRANCH: &str = "refs/heads/main";
/// What Git would take from its user or from a hook that runs the demo.
const SCRUBBED: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
];

/// A repository in the demo's folder.
pub(super) struct Repository {
    folder: PathBuf,
}

/// How an attempt to move the branch ended.
pub(super) enum Update {
    Done,
    /// Another process was faster.
    Conflict,
    /// The branch is where it was, but its lock is taken: by a living process, or for ever.
    Locked,
}

impl Repository {
    pub(super) fn at(demo: &Path) -> Self {
        Self {
            folder: demo.join("race.git"),
        }
    }

    /// Makes the repository with one first commit; gives that commit.
    pub(super) fn create(&self) -> Result<String, Failure> {
        let folder = self.folder.display().to_string();
        // HEAD names another branch, so that moving `main` locks `main` alone.
        let made = Command::new("git")
            .args([
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=unborn",
                &folder,
            ])
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .map_err(|error| {
                Failure::new(format!("cannot run git: {error}"))
                    .hint("install Git and make sure that it is in the PATH")
            })?;
        check(&made, "init")?;
        // What is shown is exact counting, not how fast this disk is.
        self.text(&["config", "core.fsync", "none"])?;
        self.text(&["config", "gc.auto", "0"])?;
        let hooks = self.stall_hooks();
        fs::create_dir(&hooks).map_err(io("make", &hooks))?;
        let hook = hooks.join("reference-transaction");
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o700)
            .open(&hook)
            .and_then(|mut file| file.write_all(STALL_HOOK.as_bytes()))
            .map_err(io("write", &hook))?;
        let first = self.commit(None, "first")?;
        self.text(&["update-ref", BRANCH, &first])?;
        Ok(first)
    }

    fn stall_hooks(&self) -> PathBuf {
        self.folder.join("stall-hooks")
    }

    fn lock_file(&self) -> PathBuf {
        self.folder.join(format!("{BRANCH}.lock"))
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&self.folder).args(arguments);
        for name in SCRUBBED {
            command.env_remove(name);
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "demo")
            .env("GIT_AUTHOR_EMAIL", "demo@example.com")
            .env("GIT_COMMITTER_NAME", "demo")
            .env("GIT_COMMITTER_EMAIL", "demo@example.com")
            .stdin(Stdio::null());
        command
    }

    fn text(&self, arguments: &[&str]) -> Result<String, Failure> {
        let name = arguments.first().copied().unwrap_or_default();
        let output = self
            .git(arguments)
            .output()
            .map_err(|error| Failure::new(format!("cannot run git {name}: {error}")))?;
        check(&output, name)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The commit that the branch points at.
    pub(super) fn head(&self) -> Result<String, Failure> {
        self.text(&["rev-parse", "--verify", BRANCH])
    }

    /// Makes a commit, which is not on the branch yet.
    pub(super) fn commit(&self, parent: Option<&str>, message: &str) -> Result<String, Failure> {
        let tree = self.text(&["hash-object", "-t", "tree", "-w", "--stdin"])?;
        match parent {
            None => self.text(&["commit-tree", &tree, "-m", message]),
            Some(parent) => self.text(&["commit-tree", &tree, "-p", parent, "-m", message]),
        }
    }

    /// Makes a commit on top of `parent` with the tree of that commit.
    pub(super) fn commit_on(&self, parent: &str, message: &str) -> Result<String, Failure> {
        self.text(&[
            "commit-tree",
            &format!("{parent}^{{tree}}"),
            "-p",
            parent,
            "-m",
            message,
        ])
    }

    /// How many commits the branch has since `first`.
    pub(super) fn commits_since(&self, first: &str) -> Result<u64, Failure> {
        let count = self.text(&["rev-list", "--count", &format!("{first}..{BRANCH}")])?;
        count
            .parse()
            .map_err(|_| Failure::new(format!("git rev-list printed {count:?}")))
    }

    /// Moves the branch from `old` to `new` if it still points at `old`. With `stall`, Git stops
    /// while it holds the branch's lock, and writes that file.
    pub(super) fn update(
        &self,
        new: &str,
        old: &str,
        stall: Option<&Path>,
    ) -> Result<Update, Failure> {
        // Git keeps this lock through its standard input for as long as it lives, even when the
        // process that started it is killed. So whoever has it alone knows that no Git is at work.
        let at_work = self.at_work()?;
        at_work.lock_shared().map_err(io("lock", &self.folder))?;
        let hooks = self.stall_hooks();
        let mut command = match stall {
            None => self.git(&["update-ref", BRANCH, new, old]),
            Some(flag) => {
                let hooks = format!("core.hooksPath={}", hooks.display());
                let mut command = self.git(&["-c", &hooks, "update-ref", BRANCH, new, old]);
                command.env("DEESPEC_DEMO_HELD", flag);
                command
            }
        };
        let output = command
            .stdin(Stdio::from(at_work))
            .output()
            .map_err(|error| Failure::new(format!("cannot run git update-ref: {error}")))?;
        if output.status.success() {
            return Ok(Update::Done);
        }
        match self.head()? {
            head if head != old => Ok(Update::Conflict),
            _ if self.lock_file().exists() => Ok(Update::Locked),
            // The lock was taken for a moment, by a process that then did not move the branch.
            _ => Ok(Update::Conflict),
        }
    }

    /// Removes the branch's lock if the process that took it is dead. Whether it did.
    pub(super) fn recover(&self) -> Result<bool, Failure> {
        // Each process at work soon finds the branch locked too and comes here, so this is had.
        let at_work = self.at_work()?;
        at_work.lock().map_err(io("lock", &self.folder))?;
        match fs::remove_file(self.lock_file()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io("remove", &self.lock_file())(error)),
        }
    }

    fn at_work(&self) -> Result<File, Failure> {
        let path = self.folder.join("at-work");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(0o600);
        options.open(&path).map_err(io("open", &path))
    }
}

/// Stops Git while it holds the lock of the branch, until it is killed.
const STALL_HOOK: &str = "#!/bin/sh
[ \"$1\" = prepared ] || exit 0
: > \"$DEESPEC_DEMO_HELD\"
exec sleep 60
";

fn check(output: &Output, name: &str) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!(
        "git {name} failed: {}",
        reason.trim()
    )))
}
