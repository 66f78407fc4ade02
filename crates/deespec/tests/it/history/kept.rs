//! An archive that grows, shrinks, is compacted, copied and written by several processes.

use std::fs;
use std::path::{Path, PathBuf};

use deespec::{Document, DocumentKind, Retention};

use crate::roles;
use crate::support::quiet;

use super::{anew, everything, filled, from_files, parts, said};

#[test]
fn an_archive_grows_into_one_part_and_shrinks_with_its_snapshots() {
    let (_folder, store) = filled(3);
    for _ in 0..3 {
        store.history(&everything()).unwrap();
        store.snapshot().unwrap();
    }
    store.history(&everything()).unwrap();
    assert_eq!(parts(&store).len(), 1);
    let before = fs::metadata(&parts(&store)[0]).unwrap().len();
    store.prune(&Retention::default().max_count(2)).unwrap();
    assert_eq!(
        said(&store.history(&everything()).unwrap()),
        from_files(&store)
    );
    let after = fs::metadata(&parts(&store)[0]).unwrap().len();
    assert!(after < before, "{after} of {before}");
    store.prune(&Retention::default().max_count(0)).unwrap();
    store.history(&everything()).unwrap();
    assert_eq!(parts(&store), Vec::<PathBuf>::new());
}

#[test]
fn compaction_of_the_snapshots_says_what_it_has_and_leaves_them_alone() {
    let (_folder, store) = filled(5);
    let names = store.snapshots().unwrap();
    fs::write(store.snapshot_path(names[4]), "{").unwrap();
    let archive = store.compact_snapshots().unwrap();
    assert_eq!((archive.snapshots, archive.unreadable.len()), (4, 1));
    assert_eq!(archive.range, Some((names[0], names[3])));
    let length = |path: &Path| fs::metadata(path).unwrap().len();
    let files = names[..4]
        .iter()
        .map(|name| length(&store.snapshot_path(*name)));
    assert_eq!(archive.snapshot_bytes, files.sum::<u64>());
    assert_eq!(archive.bytes, (0, length(&parts(&store)[0])));
    assert_eq!(store.snapshots().unwrap(), names);
    // Nothing shows that a file was written over, but for the file itself.
    let path = store.snapshot_path(names[1]);
    let mut document = Document::read(&path).unwrap();
    document.kind = Some(DocumentKind::Rotation);
    fs::write(&path, document.to_json()).unwrap();
    store.compact_snapshots().unwrap();
    assert_eq!(parts(&store).len(), 1);
    assert_eq!(anew(&store), from_files(&store));
}

#[test]
fn a_store_that_is_compacted_or_copied_keeps_its_history() {
    let (folder, store) = filled(5);
    let wanted = said(&store.history(&everything()).unwrap());
    let root = store.path().to_owned();
    drop(store);
    quiet().compact(&root).unwrap();
    let store = quiet().open(&root).unwrap();
    assert_eq!(anew(&store), wanted);
    let copy = folder.path().join("copy");
    crate::support::copy_folder(&root, &copy);
    let other = quiet().open(&copy).unwrap();
    // The rows of the archive are of other files.
    assert_eq!(said(&other.history(&everything()).unwrap()), wanted);
    assert_eq!(parts(&other).len(), 1);
}

#[test]
fn processes_that_ask_at_the_same_time_get_the_same_answer() {
    let (_folder, store) = filled(40);
    let wanted = from_files(&store);
    for _ in 0..3 {
        let _ = fs::remove_dir_all(store.path().join("history"));
        let answers = roles::race(&["history 5"; 4], store.path());
        for answers in answers {
            assert!(
                answers.iter().all(|answer| *answer == wanted),
                "{answers:?}"
            );
        }
        assert_eq!(anew(&store), wanted);
        assert_eq!(parts(&store).len(), 1);
    }
}

/// What a process in the role `history` does: asks so many times, while it also takes part in the writing.
pub(crate) fn ask(root: &Path, times: u32, say: impl Fn(&str)) {
    for _ in 0..times {
        let store = quiet().open(root).unwrap();
        say(&said(&store.history(&everything()).unwrap()));
        for part in parts(&store) {
            let _ = fs::remove_file(part);
        }
        say(&said(&store.history(&everything()).unwrap()));
    }
}
