//! Where a store is made, and that reading makes none.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Output;

use super::support::{PROGRAM, Sandbox, code, stderr};

/// The program in a folder of the sandbox, with nothing that names a store.
fn deespec(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Output {
    let mut command = sandbox.command(PROGRAM);
    command.args(arguments).env_remove("DEESPEC_STORE");
    command.current_dir(sandbox.path(folder));
    command.output().unwrap()
}

fn git(sandbox: &Sandbox, folder: &str, arguments: &[&str]) {
    let mut command = sandbox.command("git");
    command.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]);
    command.args(["-c", "protocol.file.allow=always"]);
    command.args(arguments).current_dir(sandbox.path(folder));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

fn is_store(path: &Path) -> bool {
    path.join("var/live/segment-0000").is_file()
}

/// Counts in one folder of the sandbox, and asserts that the store is in another.
fn counts_in(sandbox: &Sandbox, from: &str, expected: &str) {
    let output = deespec(sandbox, from, &["inc", "a"]);
    assert_eq!(code(&output), 0, "{from}: {}", stderr(&output));
    assert!(is_store(&sandbox.path(expected).join(".deespec")), "{from}");
    if from != expected {
        assert!(!sandbox.path(from).join(".deespec").exists(), "{from}");
    }
}

#[test]
fn a_new_store_is_at_the_root_of_the_work_tree_whatever_kind_that_is() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("tree/a/b")).unwrap();
    git(&sandbox, "tree", &["init", "-q", "."]);
    git(
        &sandbox,
        "tree",
        &["commit", "-q", "--allow-empty", "-m", "x"],
    );
    git(&sandbox, "tree", &["worktree", "add", "-q", "../linked"]);
    git(&sandbox, "tree", &["clone", "-q", ".", "../inner"]);
    git(
        &sandbox,
        "tree",
        &["submodule", "add", "-q", "../inner", "part"],
    );
    for folder in ["linked/a", "tree/part/a", "inner/empty/.git"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    counts_in(&sandbox, "linked/a", "linked");
    counts_in(&sandbox, "tree/part/a", "tree/part");
    counts_in(&sandbox, "tree/a/b", "tree");
    // An empty folder of that name is no repository.
    counts_in(&sandbox, "inner/empty", "inner");
    // A bare one has no work tree.
    git(&sandbox, "tree", &["clone", "-q", "--bare", ".", "../bare"]);
    counts_in(&sandbox, "bare", "bare");
    // The store in a nearer .deespec/ wins.
    fs::create_dir(sandbox.path("tree/a/.deespec")).unwrap();
    counts_in(&sandbox, "tree/a", "tree/a");
}

#[test]
fn of_two_stores_the_nearest_is_meant_and_doctor_names_both() {
    let sandbox = Sandbox::new();
    counts_in(&sandbox, ".", ".");
    fs::create_dir_all(sandbox.path("a/.deespec")).unwrap();
    fs::create_dir_all(sandbox.path("a/b")).unwrap();
    counts_in(&sandbox, "a/b", "a");
    let output = deespec(&sandbox, "a/b", &["doctor"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let said = stderr(&output);
    let [nearest, other] = ["a/.deespec/var", ".deespec/var"].map(|path| sandbox.path(path));
    assert!(
        said.contains(&format!("path={}", other.display())),
        "{said}"
    );
    assert!(
        said.contains(&format!("nearest={}", nearest.display())),
        "{said}"
    );
}

#[test]
fn git_sees_nothing_of_the_counts_and_an_ignore_file_stays_as_it_is() {
    let sandbox = Sandbox::new();
    git(&sandbox, ".", &["init", "-q", "."]);
    counts_in(&sandbox, ".", ".");
    let mut status = sandbox.command("git");
    let status = status
        .args(["status", "--porcelain", "-uall"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&status.stdout),
        "?? .deespec/.gitignore\n"
    );
    let own = sandbox.path("other/.deespec/.gitignore");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "mine\n").unwrap();
    counts_in(&sandbox, "other", "other");
    assert_eq!(fs::read_to_string(&own).unwrap(), "mine\n");
}

#[test]
fn what_only_reads_makes_nothing_and_names_what_is_near() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["--store", "jobs/var", "inc", "a"]);
    let store = sandbox.path("jbos/var");
    for arguments in [
        &["show"][..],
        &["show", "--json"],
        &["doctor"],
        &["doctor", "--check-thresholds", "--warn-exit", "0"],
        &["export", "prometheus"],
        &["snapshots", "list"],
        &["snapshots", "diff", "latest"],
        &["snapshots", "prune", "--keep", "1"],
        &["snapshot"],
        &["rotate"],
        &["sync"],
        &["watch"],
        &["remove", "a"],
        &["compact"],
        &["gate", "explain", "success-rate"],
    ] {
        let output = sandbox
            .deespec(arguments)
            .env("DEESPEC_STORE", &store)
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(code(&output), 3, "{arguments:?}: {said}");
        let sentence = format!("there is no store in {}", store.display());
        assert!(said.contains(&sentence), "{arguments:?}: {said}");
        assert!(said.contains("`deespec init`"), "{arguments:?}: {said}");
    }
    let said = stderr(&sandbox.output(&["--store", "jbos/var", "show"]));
    let near = sandbox.path("jobs/var").display().to_string();
    assert!(
        said.contains(&near) && said.contains("jbos/var init`"),
        "{said}"
    );
    assert!(!sandbox.path("jbos").exists());
}

#[test]
fn a_folder_that_cannot_hold_a_store_is_left_as_it_was() {
    let sandbox = Sandbox::new();
    let output = deespec(&sandbox, ".", &["inc", "not a name"]);
    assert_eq!(code(&output), 3);
    let output = sandbox
        .command("sh")
        .args([
            "-c",
            "ulimit -f 8; unset DEESPEC_STORE; mkdir d; cd d; exec \"$0\" inc a",
            PROGRAM,
        ])
        .output()
        .unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let left = fs::read_dir(sandbox.path("d")).unwrap().count();
    assert!(left <= 1, "{left}");
}

/// Makes a folder of the sandbox somebody else's; whether that is possible.
fn give(path: &Path) -> bool {
    let may = rustix::process::geteuid().is_root();
    assert!(
        may || std::env::var("CI").is_err(),
        "CI must run these tests as root"
    );
    if may {
        chown(path, Some(61_001), Some(61_001)).unwrap();
    }
    may
}

#[test]
fn a_strangers_folder_further_up_neither_collects_nor_judges() {
    let sandbox = Sandbox::new();
    for folder in ["theirs/.deespec/var", "theirs/sub", "tree/.git", "tree/sub"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    fs::write(sandbox.path("tree/.git/HEAD"), "ref: x").unwrap();
    let folders = [sandbox.path("theirs/.deespec"), sandbox.path("tree/.git")];
    if !folders.iter().all(|folder| give(folder)) {
        return;
    }
    for (folder, passed) in ["theirs/sub", "tree/sub"].iter().zip(&folders) {
        let output = deespec(&sandbox, folder, &["inc", "a"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(is_store(&sandbox.path(folder).join(".deespec")), "{folder}");
        let said = stderr(&output);
        assert_eq!(said.matches("Passed over").count(), 1, "{said}");
        assert!(said.contains(&passed.display().to_string()), "{said}");
    }
    // Where it is the very place, nothing is counted, unless it was named as safe.
    let there = deespec(&sandbox, "theirs", &["inc", "a"]);
    assert_eq!(code(&there), 3);
    assert!(
        stderr(&there).contains("DEESPEC_SAFE_DIRECTORY="),
        "{}",
        stderr(&there)
    );
    let mut trusting = sandbox.command(PROGRAM);
    trusting.args(["inc", "a"]).env_remove("DEESPEC_STORE");
    trusting.env("DEESPEC_SAFE_DIRECTORY", sandbox.path("theirs"));
    trusting.current_dir(sandbox.path("theirs/sub"));
    fs::remove_dir_all(sandbox.path("theirs/sub/.deespec")).unwrap();
    let output = trusting.output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(is_store(&folders[0]));
}

#[test]
fn rules_that_others_may_change_judge_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "100"]);
    sandbox.ok(&["init", "--gate", "--thresholds"]);
    for name in ["gate.toml", "thresholds.json"] {
        let file = sandbox.path("store").join(name);
        let judge = || {
            sandbox.output(&[
                "doctor",
                "--check-thresholds",
                "--config",
                file.to_str().unwrap(),
            ])
        };
        let allow = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o600, 0o644] {
            allow(mode);
            assert_eq!(code(&judge()), 0, "{mode:o}");
        }
        allow(0o646);
        let refused = judge();
        assert_eq!(code(&refused), 3, "{}", stderr(&refused));
        let said = stderr(&refused);
        assert!(said.contains(name) && said.contains("chmod go-w"), "{said}");
        allow(0o644);
        if give(&file) {
            let refused = judge();
            assert_eq!(code(&refused), 3, "{}", stderr(&refused));
            assert!(stderr(&refused).contains(name), "{}", stderr(&refused));
        }
    }
}
