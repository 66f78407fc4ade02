//! Who may use a store, as the command line tells it and as its hints say.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};

use super::support::{PROGRAM, Sandbox, code, stderr};

const ANNE: u32 = 61_001;
const BERT: u32 = 61_002;
const TEAM: u32 = 61_900;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

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

/// The program as another user, who has this group besides the own one.
fn run_as(sandbox: &Sandbox, uid: u32, group: Option<u32>, arguments: &[&str]) -> Option<Output> {
    if !may_be_others() {
        return None;
    }
    let mut command: Command = sandbox.command("setpriv");
    command.args(["--reuid", &uid.to_string(), "--regid", &uid.to_string()]);
    match group {
        Some(group) => command.args(["--groups", &group.to_string()]),
        None => command.arg("--clear-groups"),
    };
    command
        .arg("--")
        .arg(PROGRAM)
        .args(arguments)
        .current_dir("/");
    Some(command.output().unwrap())
}

/// Lets everybody into a sandbox, which belongs to a user then.
fn give(sandbox: &Sandbox, uid: u32) {
    let home = sandbox.path("");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&home, Some(uid), Some(uid)).unwrap();
    }
}

#[test]
fn what_commands_make_is_for_its_owner_whatever_the_umask_and_what_is_committed_follows_it() {
    for (mask, folder, file) in [
        ("000", 0o755, 0o644),
        ("022", 0o755, 0o644),
        ("077", 0o700, 0o600),
        ("777", 0o700, 0o600),
    ] {
        let sandbox = Sandbox::new();
        let script = format!(
            "umask {mask}; unset DEESPEC_STORE
            {PROGRAM} init --thresholds && {PROGRAM} inc a_total && {PROGRAM} snapshot &&
            {PROGRAM} export json --output out.json && {PROGRAM} export jsonl --output out.jsonl &&
            {PROGRAM} export csv --output out.csv && {PROGRAM} export prometheus --output out.prom"
        );
        let output = sandbox
            .command("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert!(output.status.success(), "umask {mask}: {output:?}");
        for (name, lawful) in [
            (".deespec", folder),
            (".deespec/.gitignore", file),
            (".deespec/thresholds.json", file),
            (".deespec/var", 0o700),
            (".deespec/var/metrics.json", 0o600),
            ("out.json", 0o600),
            ("out.jsonl", 0o600),
            ("out.csv", 0o600),
            // For a server that runs as another user.
            ("out.prom", 0o644),
        ] {
            assert_eq!(mode(&sandbox.path(name)), lawful, "umask {mask}: {name}");
        }
    }
}

#[test]
fn a_store_for_a_group_is_made_with_its_number_and_the_doctor_says_so() {
    let sandbox = Sandbox::new();
    give(&sandbox, ANNE);
    let team = TEAM.to_string();
    let store = sandbox.path("new/store").display().to_string();
    let store = ["--store", store.as_str()];
    let init = [&store[..], &["init", "--thresholds", "--group", &team]].concat();
    let Some(made) = run_as(&sandbox, ANNE, Some(TEAM), &init) else {
        return;
    };
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let found = fs::metadata(sandbox.path("new/store/thresholds.json")).unwrap();
    assert_eq!((found.mode() & 0o7777, found.gid()), (0o640, TEAM));
    let inc = [&store[..], &["inc", "commit_success"]].concat();
    let counted = run_as(&sandbox, BERT, Some(TEAM), &inc).unwrap();
    assert_eq!(code(&counted), 0, "{}", stderr(&counted));
    let doctor = [&store[..], &["doctor"]].concat();
    let report = run_as(&sandbox, BERT, Some(TEAM), &doctor).unwrap();
    let text = String::from_utf8(report.stdout).unwrap();
    let line = format!("access        made by {ANNE}, shared with group {TEAM} (mode 2770)\n");
    assert!(text.contains(&line), "{text}");
    // One who is no member is told what to become.
    let refused = run_as(&sandbox, 61_666, None, &inc).unwrap();
    assert_eq!(code(&refused), 3);
    let said = stderr(&refused);
    assert!(said.contains("Permission denied"), "{said}");
    assert!(
        said.contains(&format!("become a member of group {TEAM}")),
        "{said}"
    );
    let refused = run_as(&sandbox, ANNE, None, &init).unwrap();
    assert_eq!(code(&refused), 3);
    // Opened to everybody, it is closed again without shutting its members out.
    let live = sandbox.path("new/store/live");
    fs::set_permissions(&live, fs::Permissions::from_mode(0o2777)).unwrap();
    let refused = run_as(&sandbox, ANNE, Some(TEAM), &inc).unwrap();
    assert_eq!(code(&refused), 3);
    let said = stderr(&refused);
    assert!(
        said.contains(&format!("`chmod o-w {}`", live.display())),
        "{said}"
    );
}

#[test]
fn members_of_a_group_share_the_gate_beside_its_store_whatever_was_made_first() {
    for first in [&["init", "--gate", "--group"][..], &["init", "--group"]] {
        let sandbox = Sandbox::new();
        give(&sandbox, ANNE);
        if !may_be_others() {
            return;
        }
        let work = sandbox.path("");
        let run = |uid: u32, arguments: &[&str]| {
            let mut command = sandbox.command("setpriv");
            command
                .args(["--reuid", &uid.to_string(), "--regid", &uid.to_string()])
                .args(["--groups", &TEAM.to_string(), "--", PROGRAM])
                .args(arguments)
                .env_remove("DEESPEC_STORE")
                .current_dir(&work);
            let output = command.output().unwrap();
            (code(&output), stderr(&output))
        };
        let team = TEAM.to_string();
        if first.len() == 2 {
            // A gate that nobody else could read was there before.
            fs::create_dir(work.join(".deespec")).unwrap();
            fs::set_permissions(work.join(".deespec"), fs::Permissions::from_mode(0o700)).unwrap();
            fs::write(work.join(".deespec/gate-history.jsonl"), "").unwrap();
            for name in ["", "gate-history.jsonl"] {
                chown(work.join(".deespec").join(name), Some(ANNE), Some(ANNE)).unwrap();
            }
        }
        let (made, said) = run(ANNE, &[first, &[&team]].concat());
        assert_eq!(made, 0, "{said}");
        assert_eq!(run(ANNE, &["init", "--gate"]).0, 0);
        assert_eq!(run(BERT, &["inc", "jobs_total"]).0, 0);
        let (judged, said) = run(BERT, &["doctor", "--check-thresholds"]);
        assert_ne!(judged, 3, "{said}");
        // Each of them adds to what the other one has made.
        for (uid, number) in [(BERT, "1"), (ANNE, "2"), (BERT, "3")] {
            let (recorded, said) = run(uid, &["gate", "record", "--run", number]);
            assert_eq!(recorded, 0, "run {number}: {said}");
        }
        let folder = fs::metadata(work.join(".deespec")).unwrap();
        assert_eq!((folder.mode() & 0o2072, folder.gid()), (0o2070, TEAM));
        let gate = fs::metadata(work.join(".deespec/gate.toml")).unwrap();
        assert_eq!((gate.mode() & 0o062, gate.gid()), (0o040, TEAM));
    }
}

#[test]
fn the_doctor_says_whose_store_it_is_when_that_is_somebody_elses() {
    let sandbox = Sandbox::new();
    give(&sandbox, ANNE);
    let Some(made) = run_as(&sandbox, ANNE, None, &["inc", "commit_success"]) else {
        return;
    };
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let own = run_as(&sandbox, ANNE, None, &["doctor"]).unwrap();
    assert!(!String::from_utf8_lossy(&own.stdout).contains("access"));
    // As `sudo deespec doctor` does.
    let report = sandbox.ok(&["doctor"]);
    let line = format!("access        of {ANNE} alone (mode 0700)\n");
    assert!(report.contains(&line), "{report}");
    let refused = run_as(&sandbox, BERT, None, &["inc", "commit_success"]).unwrap();
    let said = stderr(&refused);
    assert_eq!(code(&refused), 3);
    assert!(
        said.contains(&format!("`sudo -u {ANNE} deespec …`")),
        "{said}"
    );
    let again = run_as(&sandbox, ANNE, None, &["inc", "commit_success"]).unwrap();
    assert_eq!(code(&again), 0, "{}", stderr(&again));
}

#[test]
fn the_hint_on_sharing_a_store_that_exists_can_be_typed_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["--store", "it's mine", "inc", "commit_success"]);
    sandbox.ok(&["--store", "it's mine", "snapshot"]);
    let group = rustix::process::getegid().as_raw().to_string();
    let init = ["--store", "it's mine", "init", "--group", &group];
    let refused = sandbox.output(&init);
    assert_eq!(code(&refused), 3);
    let said = stderr(&refused);
    let commands: Vec<&str> = said.split('`').collect();
    let typed = sandbox
        .command("sh")
        .args(["-c", commands[1]])
        .output()
        .unwrap();
    assert!(typed.status.success(), "{}: {typed:?}", commands[1]);
    let shared = sandbox.ok(&init);
    assert!(shared.contains("There is a store already"), "{shared}");
    for (name, lawful) in [
        ("it's mine", 0o2770),
        ("it's mine/live", 0o2770),
        ("it's mine/snapshots", 0o2770),
        ("it's mine/live/lock", 0o660),
        ("it's mine/live/segment-0000", 0o660),
    ] {
        assert_eq!(mode(&sandbox.path(name)), lawful, "{name}");
    }
    sandbox.ok(&["--store", "it's mine", "rotate"]);
}

#[test]
fn the_hint_on_a_store_that_is_open_to_others_can_be_typed_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success"]);
    let live = sandbox.path("store/live");
    fs::set_permissions(&live, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = sandbox.output(&["inc", "commit_success"]);
    assert_eq!(code(&refused), 3);
    let said = stderr(&refused);
    let command = said.split('`').nth(1).unwrap();
    assert!(
        sandbox
            .command("sh")
            .args(["-c", command])
            .status()
            .unwrap()
            .success()
    );
    sandbox.ok(&["inc", "commit_success"]);
    assert_eq!(mode(&live), 0o755);
}

#[test]
fn thresholds_are_not_written_through_a_link() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    std::os::unix::fs::symlink("../victim", sandbox.path("store/thresholds.json")).unwrap();
    let kept = sandbox.ok(&["init", "--thresholds"]);
    assert!(kept.contains("Kept "), "{kept}");
    assert!(!sandbox.path("victim").exists());
}
