//! `deespec demo`: exact, with and without kills, and nothing left behind.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::support::{PROGRAM, Sandbox, code, ends, stderr};

/// The demo, with its temporary folders in the sandbox.
fn demo(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let temporary = temporary(sandbox);
    std::fs::create_dir_all(&temporary).unwrap();
    let mut command = sandbox.deespec(&["demo"]);
    command.args(arguments).env("TMPDIR", temporary);
    command
}

fn temporary(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("temporary")
}

fn assert_nothing_is_left(sandbox: &Sandbox) {
    let left: Vec<_> = std::fs::read_dir(temporary(sandbox)).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

fn result(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = demo(sandbox, arguments).output().unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
    assert_eq!(stderr(&output), "");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_commit_of_the_race_is_counted_once() {
    let sandbox = Sandbox::new();
    let result = result(&sandbox, &["--processes", "4", "--commits", "5", "--json"]);
    let keys: Vec<&str> = result
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for key in [
        "processes",
        "commits_in_git",
        "commit_success",
        "commit_failed",
        "cas_conflicts",
        "recovery_count",
        "epochs",
        "killed",
        "uncounted",
        "exact",
        "seconds",
        "kept_in",
    ] {
        assert!(keys.contains(&key), "{key} is missing: {keys:?}");
    }
    assert_eq!(result["commits_in_git"], 20);
    assert_eq!(result["commit_success"], 20);
    assert_eq!(result["commit_failed"], 0);
    assert_eq!(result["recovery_count"], 0);
    assert_eq!(result["epochs"], 2);
    assert_eq!(result["killed"], 0);
    assert_eq!(result["uncounted"], 0);
    assert_eq!(result["exact"], true);
    assert_eq!(result["kept_in"], Value::Null);
    assert_nothing_is_left(&sandbox);
}

#[test]
fn kills_cost_at_most_one_uncounted_commit_each_and_a_stale_lock_is_recovered() {
    let sandbox = Sandbox::new();
    let arguments = [
        "--processes",
        "4",
        "--commits",
        "10",
        "--kill",
        "2",
        "--json",
    ];
    let result = result(&sandbox, &arguments);
    let number = |key: &str| result[key].as_u64().unwrap();
    assert_eq!(result["exact"], true);
    assert!((1..=2).contains(&number("killed")), "{result}");
    assert!(number("recovery_count") >= 1, "{result}");
    assert!(number("uncounted") <= number("killed"), "{result}");
    assert!(number("commits_in_git") >= 40, "{result}");
    let counted = number("commit_success") + number("uncounted");
    assert_eq!(counted, number("commits_in_git"));
    assert_nothing_is_left(&sandbox);
}

#[test]
fn what_is_kept_can_be_looked_at_with_git_and_the_other_commands() {
    let sandbox = Sandbox::new();
    let arguments = ["--processes", "2", "--commits", "4", "--keep", "kept/here"];
    let output = demo(&sandbox, &arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(text.contains("EXACT"), "{text}");
    let store = sandbox.path("kept/here/.deespec/var").display().to_string();
    assert!(
        text.contains(&format!("deespec --store {store} show")),
        "{text}"
    );

    let now = sandbox.json(&["--store", &store, "show", "--json"]);
    let closed = sandbox.ok(&["--store", &store, "snapshots", "show", "latest"]);
    let closed: Value = serde_json::from_str(&closed).unwrap();
    let counted =
        now["commit_success"].as_u64().unwrap() + closed["commit_success"].as_u64().unwrap();
    assert_eq!(counted, 8);
    let git = sandbox
        .command("git")
        .args(["--git-dir", "kept/here/race.git", "rev-list", "--count"])
        .arg("refs/heads/main")
        .output()
        .unwrap();
    // The race begins on top of a first commit.
    assert_eq!(String::from_utf8_lossy(&git.stdout).trim(), "9");

    let again = demo(&sandbox, &arguments).output().unwrap();
    assert_eq!(code(&again), 3);
    assert!(
        stderr(&again).contains("kept/here is not empty"),
        "{again:?}"
    );
    assert_nothing_is_left(&sandbox);
}

#[test]
fn a_reader_that_goes_away_leaves_no_folder_behind() {
    let sandbox = Sandbox::new();
    let mut process = demo(&sandbox, &["--processes", "1", "--commits", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    assert!(process.wait().unwrap().success());
    assert_nothing_is_left(&sandbox);
}

#[test]
fn a_demo_that_is_interrupted_ends_its_processes_and_removes_its_folder() {
    let sandbox = Sandbox::new();
    let mut process = demo(&sandbox, &["--processes", "4", "--commits", "10000"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The race is on as soon as something is counted.
    let store = ends("the race begins", || {
        let folder = std::fs::read_dir(temporary(&sandbox)).unwrap().next()?;
        let store = folder.unwrap().path().join(".deespec/var");
        // `show` would make the store.
        store.join("live/segment-0000").exists().then_some(())?;
        let shown = Command::new(PROGRAM)
            .arg("--store")
            .arg(&store)
            .args(["show", "--json"])
            .output()
            .unwrap();
        let shown: Value = serde_json::from_slice(&shown.stdout).ok()?;
        (shown["commit_success"].as_u64()? > 0).then_some(store)
    });
    kill_process(Pid::from_child(&process), Signal::INT).unwrap();
    let mut said = String::new();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(3), "{said}");
    assert_eq!(said, "ERROR: the demo was stopped by a signal\n");
    assert!(!store.exists());
    assert_nothing_is_left(&sandbox);
}
