//! Stores of other users.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{ANNE, MALLORY, all_in, home_of, say, set_mode, user};
use crate::roles;
use crate::support::tree;

/// A store `var` in the home of a user, that everybody can reach, with files of this mode.
fn store_of(uid: u32, mode: u32) -> Option<(TempDir, PathBuf)> {
    let (folder, home) = home_of(uid);
    let root = home.join("var");
    assert_eq!(say(user(uid, &[], "open", &root))?, ["opened"]);
    for path in all_in(&root) {
        set_mode(&path, if path.is_dir() { 0o755 } else { mode });
    }
    set_mode(&home, 0o755);
    Some((folder, home))
}

#[test]
fn a_store_of_somebody_else_is_refused() {
    // A trap: it stands where a user looks for a store, and invites.
    let Some((_folder, home)) = store_of(MALLORY, 0o666) else {
        return;
    };
    let root = home.join("var");
    let before = tree(&root);
    let said = say(user(ANNE, &[], "open", &root)).unwrap();
    let reason = format!("belongs to user {MALLORY} and not to user {ANNE}");
    let live = root.join("live");
    assert_eq!(said, [format!("{} {reason}", live.display())]);
    set_mode(&live, 0o777);
    let said = say(user(ANNE, &[], "open", &root)).unwrap();
    let reason = "can be written by every user (its mode is 0777)";
    assert_eq!(said, [format!("{} {reason}", live.display())]);
    set_mode(&live, 0o755);
    assert_eq!(tree(&root), before);
    // Nor is one made in a folder where somebody else could exchange it.
    let theirs = home.join("theirs");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(MALLORY), None).unwrap();
    set_mode(&theirs, 0o777);
    let said = say(user(ANNE, &[], "open", &theirs)).unwrap();
    let reason = format!("belongs to user {MALLORY} and not to user {ANNE}");
    assert_eq!(said, [format!("{} {reason}", theirs.display())]);
    assert!(!theirs.join("live").exists());
}

#[test]
fn an_owner_whom_a_container_does_not_know_is_told_as_such() {
    let Some((_folder, home)) = store_of(MALLORY, 0o644) else {
        return;
    };
    let root = home.join("var");
    let role = roles::command("open", &root);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "61001", "--regid", "61001", "--clear-groups"]);
    command.args(["unshare", "--user", "--map-root-user", "--"]);
    command.arg(role.get_program()).args(role.get_args());
    for (name, value) in role.get_envs() {
        command.env(name, value.unwrap());
    }
    command.current_dir("/").stdout(Stdio::piped());
    let said = roles::report(command.spawn().unwrap());
    let reason = "belongs to a user whom this container does not know";
    assert_eq!(said, [format!("{} {reason}", root.join("live").display())]);
}

#[test]
fn a_store_in_a_folder_that_everybody_can_write_works_and_cannot_be_exchanged_for_another() {
    let Some((_folder, home)) = store_of(ANNE, 0o600) else {
        return;
    };
    let root = home.join("var");
    set_mode(&home, 0o777);
    fs::rename(&root, home.join("away")).unwrap();
    assert_eq!(say(user(MALLORY, &[], "open", &root)).unwrap(), ["opened"]);
    set_mode(&root, 0o755);
    set_mode(&root.join("live"), 0o755);
    let said = say(user(ANNE, &[], "open", &root)).unwrap();
    assert!(said[0].contains("belongs to user"), "{said:?}");
}
