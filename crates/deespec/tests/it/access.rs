//! Who may use a store: its owner alone, or a group. Each test here is somebody who tries to get in, or
//! somebody who must not be kept out.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use deespec::{Error, Exposure, FaultInjector, Operation, Options, Rotate, StoreError};
use tempfile::TempDir;

use crate::roles;
use crate::support::{expected, folder, quiet, store_values, told, tree};

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
    command.current_dir("/").stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped());
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

/// Looks at the rights of all files before each operation on the disk: at what is there for a moment too.
struct Witness {
    root: PathBuf,
    group: Option<u32>,
    seen: Mutex<BTreeSet<String>>,
    wrong: Arc<Mutex<BTreeSet<String>>>,
}

impl Witness {
    fn look(&self) {
        for path in all_in(&self.root) {
            let Ok(found) = fs::symlink_metadata(&path) else {
                continue;
            };
            let lawful = match (self.group, found.is_dir()) {
                (None, true) => 0o700,
                (None, false) => 0o600,
                (Some(_), true) => 0o2770,
                (Some(_), false) => 0o660,
            };
            let mode = found.mode() & 0o7777;
            let name = path.strip_prefix(&self.root).unwrap().display().to_string();
            // A folder that is being made has its maker alone, who may write there.
            let is_new = found.is_dir() && mode & !0o2050 == 0o700 && all_in(&path).len() <= 3;
            let is_theirs = self.group.is_none_or(|group| found.gid() == group);
            if (mode != lawful && !is_new) || !is_theirs {
                let group = found.gid();
                let line = format!("{name} has mode {mode:04o} and group {group}");
                self.wrong.lock().unwrap().insert(line);
            }
            // Whoever is let in finds what everybody opens: made by one who comes then, it would be
            // closed to the others for a moment.
            let lacks = |file: &str| !path.join(file).exists();
            if name == "live" && mode == 0o2770 && (lacks("lock") || lacks("processes")) {
                let line = "live is open without its lock or processes".to_owned();
                self.wrong.lock().unwrap().insert(line);
            }
            self.seen.lock().unwrap().insert(name);
        }
    }
}

impl FaultInjector for Witness {
    fn before(&self, _: Operation, _: &Path) -> io::Result<()> {
        if self.root.exists() {
            self.look();
        }
        Ok(())
    }
}

/// Does everything that makes a file, under a witness, and reports what is wrong and what was seen. The
/// argument is the umask, and perhaps a group. The role of a second process.
pub(crate) fn everything(root: &Path, argument: &str, say: impl Fn(&str)) {
    let mut words = argument.split(' ');
    let mask = u32::from_str_radix(words.next().unwrap(), 8).unwrap();
    let group = words.next().map(|group| group.parse().unwrap());
    // Before the umask: this folder is not what is tested.
    let elsewhere = tempfile::tempdir().unwrap();
    let given = elsewhere.path().join("given.json");
    let text = format!(r#"{{"commit_failed": {}}}"#, std::process::id());
    fs::write(&given, text).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
    let wrong = Arc::<Mutex<BTreeSet<String>>>::default();
    let witness = Arc::new(Witness {
        root: root.to_owned(),
        group,
        seen: Mutex::default(),
        wrong: Arc::clone(&wrong),
    });
    let mut options = quiet().faults(Arc::clone(&witness) as Arc<dyn FaultInjector>);
    if let Some(group) = group {
        options = options.group(group);
    }
    let store = options.open(root).unwrap();
    let process = std::process::id().to_string();
    for number in 0..700 {
        let labels = [("by", process.as_str()), ("number", &number.to_string())];
        store.counter_with("grown_total", &labels).unwrap().inc();
    }
    store.process_gauge("load").unwrap().set(1.0).unwrap();
    let snapshot = store.snapshot().unwrap();
    store.rotate(Rotate::Reset).unwrap();
    store.import(&given, false).unwrap();
    store.restore(&snapshot.path, "", false).unwrap();
    store.sync().unwrap();
    drop(store);
    options.compact(root).unwrap();
    witness.look();
    for line in wrong.lock().unwrap().iter() {
        say(&format!("wrong: {line}"));
    }
    for name in witness.seen.lock().unwrap().iter() {
        say(&format!("seen: {name}"));
    }
}

fn wrong(report: &[String]) -> Vec<&String> {
    let is_wrong = |line: &&String| line.starts_with("wrong: ");
    report.iter().filter(is_wrong).collect()
}

#[test]
fn nothing_that_is_ever_made_is_open_to_others_whatever_the_umask() {
    for mask in ["0", "777"] {
        let folder = folder();
        let root = folder.path().join("var");
        let child = roles::command(&format!("everything {mask}"), &root).spawn();
        let report = roles::report(child.unwrap());
        assert!(wrong(&report).is_empty(), "umask {mask}: {report:#?}");
        // Each kind of file was there when somebody looked.
        for name in [
            "live/lock",
            "live/processes",
            "live/segment-0001",
            "live/epochs.jsonl",
            "live/imports.jsonl",
            "live/restore.json",
            "live/import.json",
            "live/tmp-segment-0000",
            "live/tmp-metrics.json",
            "metrics.json",
            "snapshots/metrics_",
            "tmp-compacted/segment-0000",
            "tmp-compacted/tmp-epochs.jsonl",
        ] {
            let line = format!("seen: {name}");
            let is_seen = report.iter().any(|seen| seen.starts_with(&line));
            assert!(is_seen, "{name} was not seen: {report:#?}");
        }
    }
}

#[test]
fn members_of_a_group_share_a_store_whatever_their_umask_and_their_own_group() {
    let (_folder, home) = home_of(ANNE);
    let root = home.join("all/var");
    set_mode(&home, 0o711);
    for mask in ["0", "77", "777"] {
        // The one who made it, and one who did not, in turns; each compacts it.
        for name in [ANNE, BERT, ANNE] {
            let role = format!("everything {mask} {TEAM}");
            let Some(report) = say(user(name, &[TEAM], &role, &root)) else {
                return;
            };
            assert!(wrong(&report).is_empty(), "user {name}: {report:#?}");
        }
    }
    // What root makes there is everybody's too.
    let role = format!("everything 77 {TEAM}");
    let report = roles::report(roles::command(&role, &root).spawn().unwrap());
    assert!(wrong(&report).is_empty(), "root: {report:#?}");
    let report = say(user(BERT, &[TEAM], &role, &root)).unwrap();
    assert!(wrong(&report).is_empty(), "after root: {report:#?}");
    // They can enter the folder around it; nobody else can.
    let around = fs::metadata(home.join("all")).unwrap();
    assert_eq!((around.mode() & 0o7777, around.gid()), (0o2750, TEAM));
    let said = say(user(MALLORY, &[], "open", &root)).unwrap();
    assert_eq!(
        said,
        [format!("cannot open {}", root.join("live").display())]
    );
    // Whoever opens it need not say that it is shared.
    assert_eq!(say(user(BERT, &[TEAM], "open", &root)).unwrap(), ["opened"]);
}

#[test]
fn a_store_is_shared_with_a_group_of_ones_own_only_and_when_it_is_made() {
    let (_folder, home) = home_of(ANNE);
    let root = home.join("var");
    let Some(said) = say(user(ANNE, &[], &format!("share {TEAM}"), &root)) else {
        return;
    };
    let reason = format!("cannot be shared with group {TEAM}, of which this process is no member");
    assert_eq!(said, [format!("{} {reason}", root.display())]);
    assert!(!root.exists());

    assert_eq!(say(user(ANNE, &[], "open", &root)).unwrap(), ["opened"]);
    // As one has in which programs have set their gauges.
    fs::write(root.join("live/processes"), "").unwrap();
    let before = tree(&root);
    let said = say(user(ANNE, &[TEAM], &format!("share {TEAM}"), &root)).unwrap();
    let reason = format!("exists and is not shared with group {TEAM}");
    assert_eq!(said, [format!("the store {} {reason}", root.display())]);
    assert_eq!(tree(&root), before);

    // As the hint of the command line says.
    for path in all_in(&root) {
        chown(&path, None, Some(TEAM)).unwrap();
        set_mode(&path, if path.is_dir() { 0o2770 } else { 0o660 });
    }
    set_mode(&home, 0o711);
    let role = format!("share {TEAM}");
    assert_eq!(say(user(ANNE, &[TEAM], &role, &root)).unwrap(), ["opened"]);
    let report = say(user(BERT, &[TEAM], &format!("everything 77 {TEAM}"), &root));
    assert_eq!(wrong(&report.unwrap()), Vec::<&String>::new());
    // One who made it and left the group is no member any more.
    let said = say(user(ANNE, &[], "open", &root)).unwrap();
    assert!(
        said[0].contains("no member") || said[0].contains("cannot open"),
        "{said:?}"
    );
}

#[test]
fn what_root_makes_in_the_store_of_a_user_stays_the_users() {
    let (_folder, home) = home_of(ANNE);
    let root = home.join("var");
    let Some(report) = say(user(ANNE, &[], "everything 77", &root)) else {
        return;
    };
    assert!(wrong(&report).is_empty(), "{report:#?}");
    // It grows, rotates, imports, restores and compacts as root.
    let child = roles::command("everything 77", &root).spawn().unwrap();
    let report = roles::report(child);
    assert!(wrong(&report).is_empty(), "{report:#?}");
    let owned = |path: &PathBuf| fs::symlink_metadata(path).unwrap().uid() == ANNE;
    let others: Vec<_> = all_in(&root)
        .into_iter()
        .filter(|path| !owned(path))
        .collect();
    assert_eq!(others, Vec::<PathBuf>::new());
    let report = say(user(ANNE, &[], "everything 77", &root)).unwrap();
    assert!(wrong(&report).is_empty(), "{report:#?}");
    // Also where root makes the store in a folder of the user's.
    let made = home.join("made");
    fs::create_dir(&made).unwrap();
    chown(&made, Some(ANNE), Some(ANNE)).unwrap();
    drop(quiet().open(&made).unwrap());
    assert_eq!(say(user(ANNE, &[], "open", &made)).unwrap(), ["opened"]);
}

#[test]
fn a_store_of_somebody_else_is_refused() {
    let (_folder, home) = home_of(MALLORY);
    let root = home.join("var");
    let Some(said) = say(user(MALLORY, &[], "open", &root)) else {
        return;
    };
    assert_eq!(said, ["opened"]);
    // A trap: it stands where a user looks for a store, and invites.
    for path in all_in(&root) {
        set_mode(&path, if path.is_dir() { 0o755 } else { 0o666 });
    }
    set_mode(&home, 0o755);
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
    let (_folder, home) = home_of(MALLORY);
    let root = home.join("var");
    let Some(_) = say(user(MALLORY, &[], "open", &root)) else {
        return;
    };
    for path in all_in(&root) {
        set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    set_mode(&home, 0o755);
    let role = roles::command("open", &root);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "61001", "--regid", "61001", "--clear-groups"]);
    command.args(["unshare", "--user", "--map-root-user", "--"]);
    command.arg(role.get_program()).args(role.get_args());
    for (name, value) in role.get_envs() {
        command.env(name, value.unwrap());
    }
    command
        .current_dir("/")
        .stdout(std::process::Stdio::piped());
    let said = roles::report(command.spawn().unwrap());
    let reason = "belongs to a user whom this container does not know";
    assert_eq!(said, [format!("{} {reason}", root.join("live").display())]);
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

#[test]
fn what_others_can_write_is_refused_by_name_and_nothing_is_changed() {
    let others = if rustix::process::geteuid().is_root() {
        TEAM
    } else {
        getgid()
    };
    for name in [
        "",
        "live",
        "snapshots",
        "live/lock",
        "live/processes",
        "live/segment-0000",
        "live/epochs.jsonl",
        "live/imports.jsonl",
    ] {
        for (bits, exposure) in [
            (0o002, Exposure::Everybody),
            (0o020, Exposure::Group(others)),
            (0o022, Exposure::Everybody),
        ] {
            let (_folder, root) = full();
            let path = if name.is_empty() {
                root.clone()
            } else {
                root.join(name)
            };
            chown(&path, None, Some(others)).unwrap();
            let mode = fs::metadata(&path).unwrap().mode() & 0o777 | bits;
            set_mode(&path, mode);
            let error = use_all(&root).unwrap_err();
            match &error {
                Error::Store(StoreError::Exposed {
                    path: found,
                    mode: told,
                    exposure: who,
                }) => assert_eq!((found, *told, *who), (&path, mode, exposure)),
                other => panic!("{name} {bits:o}: {other}"),
            }
            told(&error, &path);
            // Put right, all of it can be used.
            set_mode(&path, mode & !0o022);
            use_all(&root).unwrap();
        }
    }
}

fn getgid() -> u32 {
    rustix::process::getegid().as_raw()
}

#[test]
fn a_file_with_the_rights_of_a_reader_is_no_danger() {
    let (_folder, root) = full();
    for path in all_in(&root) {
        set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    use_all(&root).unwrap();
    // Compacting keeps what the owner opened.
    quiet().compact(&root).unwrap();
    let live = fs::metadata(root.join("live")).unwrap();
    assert_eq!(live.mode() & 0o7777, 0o755);
}

#[test]
fn a_file_of_somebody_else_among_ones_own_is_refused() {
    if !may_be_others() {
        return;
    }
    for name in [
        "snapshots",
        "live/lock",
        "live/processes",
        "live/segment-0000",
        "live/epochs.jsonl",
        "live/imports.jsonl",
    ] {
        let (_folder, root) = full();
        let path = root.join(name);
        chown(&path, Some(MALLORY), None).unwrap();
        let error = use_all(&root).unwrap_err();
        let lawful = matches!(
            &error,
            Error::Store(StoreError::OtherOwner { path: found, owner: MALLORY, expected: 0 })
                if *found == path
        );
        assert!(lawful, "{name}: {error}");
    }
}

#[test]
fn a_file_with_a_second_name_is_refused() {
    for name in [
        "live/lock",
        "live/processes",
        "live/segment-0000",
        "live/epochs.jsonl",
        "live/imports.jsonl",
    ] {
        let (folder, root) = full();
        let path = root.join(name);
        fs::hard_link(&path, folder.path().join("second")).unwrap();
        let error = use_all(&root).unwrap_err();
        let lawful = matches!(
            &error,
            Error::Store(StoreError::WrongFileType { path: found, found: what })
                if *found == path && what.contains("hard link")
        );
        assert!(lawful, "{name}: {error}");
        fs::remove_file(folder.path().join("second")).unwrap();
        use_all(&root).unwrap();
    }
}

/// Which of the store's names was refused for what it is.
fn wrong_kind(error: Error) -> (PathBuf, &'static str) {
    match error {
        Error::Store(
            StoreError::WrongFileType { path, found } | StoreError::NotAFolder { path, found },
        ) => (path, found),
        other => panic!("{other}"),
    }
}

/// Makes something at the first path, which may lead to the second.
type Make = fn(&Path, &Path);

#[test]
fn links_and_other_things_in_the_place_of_a_file_are_refused_by_name() {
    let make: [(&str, Make); 4] = [
        ("a symbolic link", |path, elsewhere| {
            symlink(elsewhere, path).unwrap()
        }),
        ("a symbolic link", |path, _| {
            symlink("nowhere", path).unwrap()
        }),
        ("a folder", |path, _| fs::create_dir(path).unwrap()),
        ("a FIFO", |path, _| {
            let fifo = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, fifo, 0o600.into(), 0).unwrap();
        }),
    ];
    for name in ["lock", "processes", "epochs.jsonl", "imports.jsonl"] {
        for (what, make) in make {
            let (folder, root) = full();
            let path = root.join("live").join(name);
            let elsewhere = folder.path().join("elsewhere");
            fs::rename(&path, &elsewhere).unwrap();
            let before = fs::read(&elsewhere).unwrap();
            make(&path, &elsewhere);
            let found = wrong_kind(use_all(&root).unwrap_err());
            assert_eq!(found, (path, what));
            assert_eq!(fs::read(&elsewhere).unwrap(), before);
        }
    }
}

#[test]
fn a_link_in_the_place_of_a_folder_of_the_store_is_refused_but_the_store_may_be_named_by_one() {
    for name in ["live", "snapshots"] {
        let (folder, root) = full();
        let path = root.join(name);
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        let before = tree(&elsewhere);
        let error = quiet()
            .open(&root)
            .and_then(|store| store.snapshot().map(drop));
        assert_eq!(
            wrong_kind(error.unwrap_err()),
            (path.clone(), "a symbolic link")
        );
        assert_eq!(tree(&elsewhere), before);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        let error = quiet()
            .open(&root)
            .and_then(|store| store.snapshot().map(drop));
        assert_eq!(wrong_kind(error.unwrap_err()), (path, "a file"));
    }
    let (folder, root) = full();
    let link = folder.path().join("link");
    symlink(&root, &link).unwrap();
    use_all(&link).unwrap();
    quiet().compact(&link).unwrap();
    assert_eq!(
        store_values(&quiet().open(&root).unwrap()),
        expected([0; 4], &[])
    );
}

/// Exchanges a folder of the store for something else just before a file is put into it.
struct Exchange {
    folder: PathBuf,
    with: PathBuf,
    done: Mutex<bool>,
}

impl FaultInjector for Exchange {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let mut done = self.done.lock().unwrap();
        if operation == Operation::SyncFile && path.to_string_lossy().contains("metrics_") && !*done
        {
            *done = true;
            fs::rename(&self.folder, self.folder.with_extension("away"))?;
            fs::rename(&self.with, &self.folder)?;
        }
        Ok(())
    }
}

#[test]
fn a_folder_that_is_exchanged_between_the_look_and_the_deed_leads_nowhere() {
    let is_root = rustix::process::geteuid().is_root();
    // As the victim sees it: a link, or a folder of another user, to which it leads.
    for by_link in [true, false] {
        let (folder, root) = full();
        let victim = folder.path().join("victim");
        fs::create_dir(&victim).unwrap();
        let trap = folder.path().join("trap");
        if by_link {
            symlink(&victim, &trap).unwrap();
        } else if is_root {
            fs::rename(&victim, &trap).unwrap();
            chown(&trap, Some(MALLORY), None).unwrap();
        } else {
            continue;
        }
        let exchange = Exchange {
            folder: root.join("snapshots"),
            with: trap,
            done: Mutex::new(false),
        };
        let store = quiet().faults(Arc::new(exchange)).open(&root).unwrap();
        let error = store.snapshot().unwrap_err();
        told(&error, &root.join("snapshots"));
        let reached = root.join("snapshots");
        assert_eq!(fs::read_dir(reached).unwrap().count(), 0, "{error}");
    }
}

#[test]
fn a_folder_with_other_things_in_it_keeps_its_rights_and_gets_no_store() {
    for (mode, name, lawful) in [
        (0o777, "thesis.txt", false),
        (0o1777, "metrics_of_mine", false),
        (0o1777, "", false),
        // There for a store alone: then it is the store's, and closed.
        (0o777, "", true),
        (0o775, "metrics.json", true),
        // Nobody else can write there.
        (0o755, "thesis.txt", true),
    ] {
        let folder = folder();
        let root = folder.path().join("var");
        fs::create_dir(&root).unwrap();
        if !name.is_empty() {
            fs::write(root.join(name), r#"{"commit_success": 5}"#).unwrap();
        }
        set_mode(&root, mode);
        let opened = quiet().open(&root);
        let after = fs::metadata(&root).unwrap().mode() & 0o7777;
        match opened {
            Ok(_) => assert!(
                lawful && after == mode & !0o022,
                "{mode:o} {name}: {after:o}"
            ),
            Err(error) => {
                told(&error, &root);
                assert!(!lawful && after == mode, "{mode:o} {name}: {error}");
                assert!(!root.join("live").exists());
            }
        }
    }
}

#[test]
fn a_store_in_a_folder_that_everybody_can_write_works_and_cannot_be_exchanged_for_another() {
    let (_folder, home) = home_of(ANNE);
    let root = home.join("var");
    set_mode(&home, 0o777);
    let Some(said) = say(user(ANNE, &[], "open", &root)) else {
        return;
    };
    assert_eq!(said, ["opened"]);
    fs::rename(&root, home.join("away")).unwrap();
    assert_eq!(say(user(MALLORY, &[], "open", &root)).unwrap(), ["opened"]);
    set_mode(&root, 0o755);
    set_mode(&root.join("live"), 0o755);
    let said = say(user(ANNE, &[], "open", &root)).unwrap();
    assert!(said[0].contains("belongs to user"), "{said:?}");
}

/// Opens a store for a group and says what becomes of that. The role of a second process.
pub(crate) fn share(root: &Path, group: &str, say: impl Fn(&str)) {
    let options: Options = quiet().group(group.parse().unwrap());
    match options.open(root) {
        Ok(_) => say("opened"),
        Err(error) => say(&error.to_string()),
    }
}
