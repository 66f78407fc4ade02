//! Files in `live/` that are not what they should be: a typed error with the path, and not a byte
//! is changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use deespec::{Error, Rotate, Store, StoreError};
use tempfile::TempDir;

use crate::image::{Image, PAGE_BYTES};
use crate::support::{
    NO_FILES, expected, folder, hash, quiet, store_values, told, tree, view_values,
};

fn store() -> (TempDir, PathBuf) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.transactions().success.add(5);
    store.counter_with("a_total", &[("k", "v")]).unwrap().add(6);
    store.sync().unwrap();
    let path = folder.path().join("live/segment-0000");
    (folder, path)
}

/// A store of two segments.
fn large() -> (TempDir, PathBuf) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for i in 0..600 {
        let i = i.to_string();
        store.counter_with("a_total", &[("i", &i)]).unwrap().inc();
    }
    store.sync().unwrap();
    let path = folder.path().join("live/segment-0001");
    (folder, path)
}

/// Opening fails, the error is about `path`, and nothing is changed.
fn refused(root: &Path, path: &Path) -> StoreError {
    let before = tree(root);
    for create in [true, false] {
        let error = quiet().create(create).open(root).unwrap_err();
        let text = told(&error, path);
        assert_eq!(tree(root), before, "{text}");
        if !create {
            match error {
                Error::Store(error) => return error,
                other => panic!("{other}"),
            }
        }
    }
    unreachable!()
}

#[test]
fn a_segment_cut_or_grown_to_any_other_length_is_refused() {
    let (folder, path) = store();
    let whole = fs::read(&path).unwrap();
    let borders = (0..=whole.len() / PAGE_BYTES).flat_map(|page| {
        let border = page * PAGE_BYTES;
        [border.saturating_sub(1), border, border + 1]
    });
    let lengths = (0..=64).chain(borders).chain([72, 79, 80, 81, 1 << 20]);
    for length in lengths.filter(|length| *length != whole.len()) {
        let mut bytes = whole.clone();
        bytes.resize(length, 0);
        fs::write(&path, bytes).unwrap();
        let error = refused(folder.path(), &path);
        let lawful = match error {
            StoreError::NotASegment { .. } => length < 80,
            StoreError::Damaged { .. } => length >= 80,
            _ => false,
        };
        assert!(lawful, "{length} bytes: {error:?}");
    }
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(8 << 40).unwrap();
    assert!(matches!(
        refused(folder.path(), &path),
        StoreError::NotASegment { .. } | StoreError::Damaged { .. }
    ));
    fs::write(&path, &whole).unwrap();
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(
        store_values(&store),
        expected([5, 0, 0, 0], &[("a_total,k=v", 6)])
    );
}

#[test]
fn a_segment_of_another_kind_is_refused_with_the_reason() {
    let (folder, path) = store();
    let whole = Image::read(folder.path(), 0);
    let refused = |edit: &dyn Fn(&mut Image)| {
        let mut image = whole.clone();
        edit(&mut image);
        image.write();
        refused(folder.path(), &path)
    };
    let swap = |image: &mut Image| {
        for word in 0..image.words() {
            image.set(word, image.word(word).swap_bytes());
        }
    };
    assert!(matches!(
        refused(&swap),
        StoreError::ForeignByteOrder { .. }
    ));
    for version in [3, 7, u32::MAX] {
        let newer = |image: &mut Image| image.set(1, u64::from(version));
        match refused(&newer) {
            StoreError::NewerFormat {
                found, supported, ..
            } => {
                assert_eq!((found, supported), (version, 2));
            }
            other => panic!("{other}"),
        }
    }
    for text in [&b"deespec\0"[..], b"DEESPEK\0", b"SQLite f", &[0; 8]] {
        let magic = |image: &mut Image| image.bytes[..8].copy_from_slice(text);
        assert!(matches!(refused(&magic), StoreError::NotASegment { .. }));
    }
    let zeros = |image: &mut Image| image.bytes.fill(0);
    assert!(matches!(refused(&zeros), StoreError::NotASegment { .. }));
    let version_0 = |image: &mut Image| image.set(1, 0);
    assert!(matches!(refused(&version_0), StoreError::Damaged { .. }));
}

#[test]
fn what_is_not_a_regular_file_is_refused() {
    let (folder, path) = store();
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    fs::hard_link(&elsewhere, &path).unwrap();
    match refused(folder.path(), &path) {
        StoreError::WrongFileType { found, .. } => assert!(found.contains("hard link"), "{found}"),
        other => panic!("{other}"),
    }
    fs::remove_file(&path).unwrap();
    for (what, make) in NO_FILES {
        make(&path, &elsewhere);
        match refused(folder.path(), &path) {
            StoreError::WrongFileType { found, .. } => assert_eq!(found, what),
            other => panic!("{what}: {other}"),
        }
        if fs::remove_file(&path).is_err() {
            fs::remove_dir(&path).unwrap();
        }
    }
    fs::rename(&elsewhere, &path).unwrap();
    quiet().open(folder.path()).unwrap();
}

#[test]
fn a_store_in_use_that_lost_its_first_segment_is_not_made_anew() {
    let (folder, path) = store();
    quiet()
        .open(folder.path())
        .unwrap()
        .rotate(Rotate::Reset)
        .unwrap();
    fs::remove_file(&path).unwrap();
    assert!(folder.path().join("live/epochs.jsonl").exists());
    assert!(matches!(
        refused(folder.path(), &path),
        StoreError::Damaged { .. }
    ));
}

#[test]
fn a_further_segment_that_is_missing_or_foreign_hides_only_its_own_series() {
    let (folder, path) = large();
    let (other, _) = large();
    let whole = fs::read(&path).unwrap();
    let first = Image::read(folder.path(), 0).values(1);
    let theirs = fs::read(other.path().join("live/segment-0001")).unwrap();
    let ours = fs::read(folder.path().join("live/segment-0000")).unwrap();
    let cases: [Option<&[u8]>; 6] = [
        None,
        Some(b""),
        Some(b"garbage"),
        Some(&theirs),
        Some(&ours),
        Some(&whole[..whole.len() / 2]),
    ];
    for bytes in cases {
        let _ = fs::remove_file(&path);
        bytes.inspect(|bytes| fs::write(&path, bytes).unwrap());
        let before = bytes.map(|_| hash(&path));
        let store = quiet().open(folder.path()).unwrap();
        let view = store.view().unwrap();
        assert_eq!(view.skipped.len(), 1, "{:?}", view.skipped);
        assert!(view.skipped[0].starts_with(&path.display().to_string()));
        assert_eq!(view_values(&view), first);
        assert_eq!(store.health().unwrap().problems, view.skipped);
        assert_eq!(store.sync().unwrap().to_document().partial, view.skipped);
        // What concerns all series is refused; the others count on.
        told(&store.rotate(Rotate::Reset).unwrap_err(), &path);
        store.transactions().success.inc();
        assert_eq!(
            store.view().unwrap().transactions.success,
            view.transactions.success + 1
        );
        assert_eq!(store.view().unwrap().epoch, 1);
        store.transactions().success.add(u64::MAX);
        drop(store);
        assert_eq!(bytes.map(|_| hash(&path)), before);
    }
    fs::write(&path, whole).unwrap();
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(store_values(&store).values().sum::<u64>(), 600);
    store.rotate(Rotate::Reset).unwrap();
}

#[test]
fn a_later_segment_in_the_place_of_the_first_is_refused_unchanged() {
    let (folder, path) = large();
    let first = folder.path().join("live/segment-0000");
    fs::copy(&path, &first).unwrap();
    assert!(matches!(
        refused(folder.path(), &first),
        StoreError::Damaged { .. }
    ));
}

#[test]
fn segments_that_a_killed_maker_left_do_not_hinder_the_next() {
    let (other, _) = large();
    let folder = folder();
    let live = folder.path().join("live");
    fs::create_dir(&live).unwrap();
    fs::copy(
        other.path().join("live/segment-0001"),
        live.join("segment-0001"),
    )
    .unwrap();
    fs::write(live.join("tmp-segment-0000"), "half").unwrap();
    fs::write(live.join("imports.jsonl"), "{}\n").unwrap();
    fs::write(live.join("lock"), "").unwrap();
    // Without the maker's mark this is a store in use that lost its first segment.
    let first = live.join("segment-0000");
    let before = tree(folder.path());
    told(&quiet().open(folder.path()).unwrap_err(), &first);
    assert_eq!(
        tree(folder.path()).keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    fs::write(live.join("tmp-making"), "").unwrap();
    let store = quiet().open(folder.path()).unwrap();
    for i in 0..600 {
        let i = i.to_string();
        store.counter_with("a_total", &[("i", &i)]).unwrap().inc();
    }
    assert_eq!(store_values(&store).values().sum::<u64>(), 600);
    assert!(!live.join("tmp-segment-0000").exists());
    assert!(!live.join("tmp-making").exists());
}

#[test]
fn a_segment_that_is_replaced_under_an_open_store_ends_its_promises() {
    let (folder, path) = store();
    let store: Store = quiet().open(folder.path()).unwrap();
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    store.transactions().success.inc();
    let error = store.sync().unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Replaced { .. })));
    told(&error, &path);
    fs::remove_file(&path).unwrap();
    told(&store.flush().unwrap_err(), &path);
}

#[test]
fn a_lock_that_is_not_a_file_is_refused() {
    let (folder, _) = store();
    let lock = folder.path().join("live/lock");
    fs::remove_file(&lock).unwrap();
    symlink("/dev/null", &lock).unwrap();
    let store = quiet().open(folder.path()).unwrap();
    told(&store.view().unwrap_err(), &lock);
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    told(&store.view().unwrap_err(), &lock);
    fs::remove_dir(&lock).unwrap();
    assert_eq!(store_values(&store)["commit_success"], 5);
}

#[test]
fn a_store_with_holes_is_filled_before_it_is_used() {
    use std::os::unix::fs::MetadataExt as _;
    let (folder, path) = store();
    let bytes = fs::read(&path).unwrap();
    let file = fs::File::create(&path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (page, chunk) in bytes.chunks(PAGE_BYTES).enumerate() {
        use std::os::unix::fs::FileExt as _;
        if chunk.iter().any(|byte| *byte != 0) {
            file.write_all_at(chunk, (page * PAGE_BYTES) as u64)
                .unwrap();
        }
    }
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < bytes.len() as u64);
    let store = quiet().open(folder.path()).unwrap();
    assert!(fs::metadata(&path).unwrap().blocks() * 512 >= bytes.len() as u64);
    assert_eq!(store_values(&store)["a_total,k=v"], 6);
}

#[test]
fn a_first_segment_that_is_cut_short_is_told_and_not_touched() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let first = folder.path().join("live/segment-0000");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&first)
        .unwrap();
    // Whoever reads behind this is ended by the kernel.
    file.set_len(4096).unwrap();
    let error = store.view().unwrap_err().to_string();
    assert!(error.contains("segment-0000"), "{error}");
}
