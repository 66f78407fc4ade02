//! Files of a store that others own, can write, or know by another name.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::PathBuf;

use deespec::{Error, Exposure, StoreError};

use super::{MALLORY, TEAM, all_in, full, may_be_others, set_mode, use_all};
use crate::support::{NO_FILES, expected, quiet, store_values, told, tree};

/// The files of `live/`.
const FILES: [&str; 5] = [
    "live/lock",
    "live/processes",
    "live/segment-0000",
    "live/epochs.jsonl",
    "live/imports.jsonl",
];

#[test]
fn what_others_can_write_is_refused_by_name_and_nothing_is_changed() {
    let others = if rustix::process::geteuid().is_root() {
        TEAM
    } else {
        getgid()
    };
    for name in ["", "live", "snapshots"].into_iter().chain(FILES) {
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
fn health_says_whose_the_store_is_and_who_may_use_it() {
    let (_folder, root) = full();
    let is_as_health_says = || {
        let live = fs::metadata(root.join("live")).unwrap();
        let health = quiet().open(&root).unwrap().health().unwrap();
        assert_eq!(
            (health.owner, health.mode),
            (live.uid(), live.mode() & 0o7777)
        );
        assert_eq!(health.shared_with, None);
    };
    is_as_health_says();
    if !may_be_others() {
        return;
    }
    let mut owners = vec![MALLORY];
    // Where every user has a number, this one is a user like any other.
    let numbers = fs::read_to_string("/proc/self/uid_map").unwrap();
    owners.extend(numbers.contains(&u32::MAX.to_string()).then_some(65_534));
    for owner in owners {
        for path in all_in(&root) {
            chown(&path, Some(owner), None).unwrap();
        }
        is_as_health_says();
    }
}

#[test]
fn a_file_of_somebody_else_among_ones_own_is_refused() {
    if !may_be_others() {
        return;
    }
    for name in ["snapshots"].into_iter().chain(FILES) {
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
    for name in FILES {
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

#[test]
fn links_and_other_things_in_the_place_of_a_file_are_refused_by_name() {
    for name in ["lock", "processes", "epochs.jsonl", "imports.jsonl"] {
        for (what, make) in NO_FILES {
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
