//! Who may use a store: its owner alone, or a group. Each test here is somebody who tries to get in, or
//! somebody who must not be kept out.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deespec::{Error, Rotate};
use tempfile::TempDir;

use crate::roles;
use crate::support::{folder, quiet};

mod files;
mod folders;
mod sharing;
mod users;

pub(crate) use sharing::{everything, share};

/// Three users and a group that none of them has as its own.
const ANNE: u32 = 61_001;
const BERT: u32 = 61_002;
const MALLORY: u32 = 61_666;
const TEAM: u32 = 61_900;

/// Whether this machine can show what other users meet: root can. CI must be root, or nothing would be
/// shown there.
#[allow(clippy::print_stderr, reason = "a test that is passed over says so")]
fn may_be_others() -> bool {
    let may = rustix::process::geteuid().is_root();
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(may || !is_ci, "CI must run these tests as root");
    if !may {
        eprintln!("not tested: only root can be other users");
    }
    may
}

/// A process of another user, with its own group and these besides.
fn user(uid: u32, groups: &[u32], role: &str, store: &Path) -> Option<Command> {
    if !may_be_others() {
        return None;
    }
    let role = roles::command(role, store);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &uid.to_string(), "--regid", &uid.to_string()]);
    let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
    match groups.join(",") {
        none if none.is_empty() => command.arg("--clear-groups"),
        groups => command.args(["--groups", &groups]),
    };
    command
        .arg("--")
        .arg(role.get_program())
        .args(role.get_args());
    for (name, value) in role.get_envs() {
        command.env(name, value.unwrap());
    }
    // The home of root is nobody else's.
    command.current_dir("/").stdin(Stdio::null());
    command.stdout(Stdio::piped());
    Some(command)
}

fn say(command: Option<Command>) -> Option<Vec<String>> {
    Some(roles::report(command?.spawn().unwrap()))
}

/// A folder that everybody can enter, and one in it that belongs to a user.
fn home_of(uid: u32) -> (TempDir, PathBuf) {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&home, Some(uid), Some(uid)).unwrap();
    }
    (folder, home)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder, and itself.
fn all_in(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        let mut entries: Vec<_> = fs::read_dir(path).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        found.extend(entries.iter().flat_map(|entry| all_in(&entry.path())));
    }
    found
}

/// A store of one's own with every file that a store can have.
fn full() -> (TempDir, PathBuf) {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().open(&root).unwrap();
    store.transactions().success.add(5);
    store.process_gauge("load").unwrap().set(1.0).unwrap();
    store.rotate(Rotate::Reset).unwrap();
    let given = folder.path().join("given.json");
    fs::write(&given, r#"{"commit_failed": 7}"#).unwrap();
    store.import(&given, false).unwrap();
    (folder, root)
}

/// Uses every file of a store; fails with the first error, or with its cause where that is said of an
/// epoch which is closed.
fn use_all(root: &Path) -> deespec::Result<()> {
    match use_each(root) {
        Err(Error::Unfinished { source, .. }) => Err(*source),
        other => other,
    }
}

fn use_each(root: &Path) -> deespec::Result<()> {
    let store = quiet().open(root)?;
    store.process_gauge("load")?.set(1.0)?;
    store.view()?;
    let given = root.parent().unwrap().join("other.json");
    fs::write(&given, r#"{"commit_failed": 8}"#).unwrap();
    store.import(&given, false)?;
    store.rotate(Rotate::Reset)?;
    Ok(())
}
