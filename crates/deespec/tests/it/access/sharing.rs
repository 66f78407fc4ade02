//! Stores that a group shares, and what root makes in the store of a user.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use deespec::{FaultInjector, Operation, Options, Rotate};

use super::{ANNE, BERT, MALLORY, TEAM, all_in, home_of, say, set_mode, user};
use crate::roles;
use crate::support::{folder, quiet, tree};

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

/// Opens a store for a group and says what becomes of that. The role of a second process.
pub(crate) fn share(root: &Path, group: &str, say: impl Fn(&str)) {
    let options: Options = quiet().group(group.parse().unwrap());
    match options.open(root) {
        Ok(_) => say("opened"),
        Err(error) => say(&error.to_string()),
    }
}
