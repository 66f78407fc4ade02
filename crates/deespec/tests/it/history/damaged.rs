//! Archives that are damaged, and snapshots that are none.

use std::fs::{self, File};

use deespec::HistoryValue;

use crate::support::NO_FILES;

use super::{anew, everything, filled, from_files, parts, said, settle};

#[test]
fn an_archive_that_is_cut_short_or_damaged_anywhere_changes_no_answer_and_is_mended() {
    let (_folder, store) = filled(3);
    let wanted = from_files(&store);
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
    let [part] = &parts(&store)[..] else {
        panic!("one part")
    };
    let whole = fs::read(part).unwrap();
    let mended = |what: &str| {
        assert_eq!(anew(&store), wanted, "{what}");
        // A column that nobody asked for.
        store.compact_snapshots().unwrap();
        let [part] = &parts(&store)[..] else {
            panic!("one part, {what}")
        };
        assert!(fs::read(part).unwrap() == whole, "{what}");
    };
    let damage = |bytes: &[u8]| {
        let [part] = &parts(&store)[..] else {
            panic!("one part")
        };
        fs::write(part, bytes).unwrap();
    };
    for length in 0..whole.len() {
        damage(&whole[..length]);
        mended(&format!("{length} bytes"));
    }
    for byte in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << (byte % 8);
        damage(&bytes);
        mended(&format!("byte {byte}"));
    }
    let mut longer = whole.clone();
    longer.push(0);
    damage(&longer);
    mended("one byte more");
    let mut newer = whole.clone();
    newer[8] = 2;
    damage(&newer);
    mended("another version");
}

#[test]
fn whoever_has_read_an_archive_notices_that_it_was_damaged_since() {
    let (_folder, store) = filled(5);
    let wanted = from_files(&store);
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
    let part = parts(&store).remove(0);
    let whole = fs::read(&part).unwrap();
    let changed = fs::metadata(&part).unwrap().modified().unwrap();
    // The head stays as it was, so only whoever reads the columns can tell.
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&part, bytes).unwrap();
    File::open(&part).unwrap().set_modified(changed).unwrap();
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
    assert_eq!(fs::read(parts(&store).remove(0)).unwrap(), whole);
    fs::remove_dir_all(store.path().join("history")).unwrap();
    assert_eq!(said(&store.history(&everything()).unwrap()), wanted);
}

#[test]
fn what_stands_in_the_place_of_an_archive_changes_no_answer() {
    for (what, make) in NO_FILES {
        let (folder, store) = filled(3);
        let wanted = from_files(&store);
        let other = folder.path().join("other");
        fs::write(&other, "of somebody else").unwrap();
        fs::create_dir(store.path().join("history")).unwrap();
        make(&store.path().join("history/part-0000000001"), &other);
        for _ in 0..2 {
            assert_eq!(
                said(&store.history(&everything()).unwrap()),
                wanted,
                "{what}"
            );
            assert_eq!(anew(&store), wanted, "{what}");
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "of somebody else");
    }
    for (what, make) in NO_FILES {
        let (folder, store) = filled(3);
        let wanted = from_files(&store);
        let other = folder.path().join("other");
        make(&store.path().join("history"), &other);
        let history = store.history(&everything()).unwrap();
        assert_eq!(said(&history), wanted, "{what}");
        let is_folder = what == "a folder";
        assert_eq!(history.unsaved.is_none(), is_folder, "{what}");
        assert!(!other.exists(), "{what}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_read_is_passed_over_and_named_until_it_can() {
    let (_folder, store) = filled(5);
    let names = store.snapshots().unwrap();
    let path = store.snapshot_path(names[1]);
    let good = fs::read(&path).unwrap();
    store.history(&everything()).unwrap();
    for name in ["snapshots", "history"] {
        settle(&store.path().join(name));
    }
    store.history(&everything()).unwrap();
    fs::write(&path, "{").unwrap();
    for history in [
        store.history(&everything()).unwrap(),
        store.history(&everything()).unwrap(),
    ] {
        assert_eq!(history.found, 4);
        assert_eq!(history.unreadable.len(), 1);
        assert_eq!(history.unreadable[0].path, path);
        assert!(
            history.unreadable[0]
                .reason
                .contains(&path.display().to_string())
        );
        assert_eq!(said(&history), from_files(&store));
    }
    let elsewhere = everything().from(names[2].taken_at());
    assert_eq!(store.history(&elsewhere).unwrap().unreadable, []);
    fs::write(&path, good).unwrap();
    let history = store.history(&everything()).unwrap();
    assert_eq!((history.found, history.unreadable.len()), (5, 0));
    assert_eq!(said(&history), from_files(&store));
}

#[test]
fn what_is_no_file_is_no_snapshot_and_documents_without_an_epoch_are() {
    let (folder, store) = filled(1);
    let other = folder.path().join("other");
    for (number, (_, make)) in NO_FILES.iter().enumerate() {
        let name = format!("metrics_20260101_000000_00000000{number}.json");
        make(&store.path().join("snapshots").join(name), &other);
    }
    let legacy = store
        .path()
        .join("snapshots/metrics_20250101_000000_000000000.json");
    fs::write(legacy, r#"{"commit_success": 5}"#).unwrap();
    let history = store.history(&everything()).unwrap();
    assert_eq!(said(&history), from_files(&store));
    assert_eq!(history.points[0].epoch, None);
    assert_eq!(history.series[0].values[0], Some(HistoryValue::Counter(5)));
    assert_eq!(anew(&store), from_files(&store));
}
