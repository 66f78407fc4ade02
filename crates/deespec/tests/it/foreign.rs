//! A store whose `metrics.json` was changed by something else, and documents that are imported.

use std::fs;
use std::path::{Path, PathBuf};

use deespec::{
    Document, DocumentError, Error, Import, Published, Retention, Rotate, Store, StoreError,
};
use tempfile::TempDir;

use crate::support::{document_values, expected, folder, hash, quiet, store_values, told};

const LEGACY: &str = r#"{"commit_success": 100, "commit_failed": 20, "more": 1}"#;

/// A store that has published 5 commits.
fn published() -> (TempDir, PathBuf, Store) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.transactions().success.add(5);
    store.sync().unwrap();
    assert_eq!(store.health().unwrap().published, Published::Ours);
    let path = folder.path().join("metrics.json");
    (folder, path, store)
}

/// Why `metrics.json` is not overwritten.
fn is_foreign(error: &Error) -> bool {
    matches!(
        error,
        Error::Document(
            DocumentError::Foreign { .. } | DocumentError::NewerSchema { found: 9, .. }
        )
    )
}

#[test]
fn counting_goes_on_beside_a_foreign_document_which_is_never_overwritten() {
    let own = published().2.view().unwrap().to_json();
    for text in [
        LEGACY.as_bytes(),
        b"",
        b"garbage \xff\0",
        br#"{"schema_version": 9}"#,
        &own.as_bytes()[..own.len() - 1],
        &own.as_bytes()[..own.len() / 2],
        own.replace("\"commit_success\": 5", "\"commit_success\": 6")
            .as_bytes(),
        // A whole view, but of another store.
        own.as_bytes(),
    ] {
        let (folder, path, store) = published();
        fs::write(&path, text).unwrap();
        let before = hash(&path);

        store.transactions().success.inc();
        assert_eq!(store_values(&store), expected([6, 0, 0, 0], &[]));
        assert_eq!(store.health().unwrap().published, Published::Foreign);
        let error = store.sync().unwrap_err();
        assert!(is_foreign(&error), "{}", told(&error, &path));
        told(&error, &path);
        store.flush().unwrap();

        // So do snapshots, rotations and restorations: they do not need that file.
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.view.transactions.success, 6);
        let rotation = store.rotate(Rotate::Reset).unwrap();
        assert_eq!(rotation.closing.transactions.success, 6);
        assert_eq!(rotation.epoch, 2);
        let keep = Retention::default().max_count(1);
        let kept = store.rotate_because(Rotate::KeepCounters, "", &keep);
        assert_eq!(kept.unwrap().pruned.len(), 2);
        let restoration = store.restore(&store.snapshot().unwrap().path, "", false);
        assert_eq!(restoration.unwrap().view.epoch, 3);
        assert_eq!(hash(&path), before);

        drop(store);
        let store = quiet().open(folder.path()).unwrap();
        store.transactions().success.inc();
        assert_eq!(store_values(&store), expected([1, 0, 0, 0], &[]));
        assert_eq!(hash(&path), before);

        fs::remove_file(&path).unwrap();
        assert_eq!(store.health().unwrap().published, Published::Missing);
        store.sync().unwrap();
        assert_eq!(store.health().unwrap().published, Published::Ours);
    }
}

#[test]
fn something_other_than_a_file_in_its_place_is_foreign_too() {
    let (folder, path, store) = published();
    let other = folder.path().join("other.json");
    fs::rename(&path, &other).unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    let before = hash(&other);
    store.transactions().success.inc();
    assert_eq!(store.health().unwrap().published, Published::Foreign);
    assert!(is_foreign(&store.sync().unwrap_err()));
    assert!(path.is_symlink());
    assert_eq!(hash(&other), before);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(store.health().unwrap().published, Published::Foreign);
    assert!(is_foreign(&store.sync().unwrap_err()));
    store.rotate(Rotate::Reset).unwrap();
    assert!(path.is_dir());
}

#[test]
fn importing_the_foreign_document_adds_it_once_and_publishing_goes_on() {
    let (_folder, path, store) = published();
    fs::write(&path, LEGACY).unwrap();
    let import = store.import(&path, false).unwrap();
    assert_eq!(
        import,
        Import::Added {
            series: 2,
            counts: 120,
            passed_over: Vec::new(),
            noted: Vec::new(),
        }
    );
    assert_eq!(store_values(&store), expected([105, 20, 0, 0], &[]));
    let written = Document::read(&path).unwrap();
    assert_eq!(document_values(&written), expected([105, 20, 0, 0], &[]));
    assert_eq!(store.health().unwrap().published, Published::Ours);

    // The older writer comes again with the very same content: it is known.
    fs::write(&path, LEGACY).unwrap();
    assert!(matches!(
        store.import(&path, false).unwrap(),
        Import::Already { .. }
    ));
    store.sync().unwrap();
    assert_eq!(store_values(&store), expected([105, 20, 0, 0], &[]));
}

#[test]
fn a_document_is_imported_once_wherever_it_lies() {
    let (folder, _, store) = published();
    let (one, two) = (
        folder.path().join("one.json"),
        folder.path().join("two.json"),
    );
    fs::write(&one, LEGACY).unwrap();
    fs::copy(&one, &two).unwrap();
    assert!(matches!(
        store.import(&one, false).unwrap(),
        Import::Added { .. }
    ));
    drop(store);
    let store = quiet().open(folder.path()).unwrap();
    for path in [&one, &two] {
        let again = store.import(path, false).unwrap();
        assert!(matches!(again, Import::Already { .. }));
    }
    assert_eq!(store_values(&store), expected([105, 20, 0, 0], &[]));
    assert_eq!(fs::read_to_string(&one).unwrap(), LEGACY);
}

#[test]
fn an_import_is_counted_in_the_current_epoch() {
    let (folder, _, store) = published();
    let path = folder.path().join("one.json");
    fs::write(&path, LEGACY).unwrap();
    store.rotate(Rotate::Reset).unwrap();
    store.import(&path, false).unwrap();
    assert_eq!(store_values(&store), expected([100, 20, 0, 0], &[]));
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(document_values(&closing), expected([100, 20, 0, 0], &[]));
    assert_eq!(store_values(&store), expected([0; 4], &[]));
}

#[test]
fn a_view_of_the_store_itself_is_imported_only_on_demand() {
    let (_folder, path, store) = published();
    let snapshot = store.snapshot().unwrap().path;
    let error = store.import(&snapshot, false).unwrap_err();
    assert!(matches!(
        error,
        Error::Document(DocumentError::OwnView { .. })
    ));
    told(&error, &snapshot);
    // What stands at metrics.json after an import: doing it again is no error.
    assert_eq!(store.import(&path, false).unwrap(), Import::Own);
    assert_eq!(store_values(&store), expected([5, 0, 0, 0], &[]));
    store.import(&snapshot, true).unwrap();
    assert_eq!(store_values(&store), expected([10, 0, 0, 0], &[]));
}

#[test]
fn a_snapshot_of_another_store_is_imported_once() {
    let (_other_folder, _, other) = published();
    other.counter_with("a_total", &[("k", "v")]).unwrap().add(3);
    let snapshot = other.snapshot().unwrap().path;
    let (_folder, path, store) = published();
    fs::write(&path, "garbage").unwrap();
    let added = store.import(&snapshot, false).unwrap();
    assert_eq!(
        added,
        Import::Added {
            series: 2,
            counts: 8,
            passed_over: Vec::new(),
            noted: Vec::new(),
        }
    );
    let again = store.import(&snapshot, false).unwrap();
    assert!(matches!(again, Import::Already { .. }));
    let all = expected([10, 0, 0, 0], &[("a_total,k=v", 3)]);
    assert_eq!(store_values(&store), all);
    assert_eq!(fs::read_to_string(&path).unwrap(), "garbage");
}

#[test]
fn an_import_that_is_not_lawful_changes_nothing() {
    let (folder, _, store) = published();
    let path = folder.path().join("bad.json");
    let check = |what: &str| {
        let before = crate::support::tree(folder.path());
        let error = store.import(&path, true).unwrap_err();
        told(&error, &path);
        let restored = store.restore(&path, "", true).unwrap_err();
        told(&restored, &path);
        assert_eq!(crate::support::tree(folder.path()), before, "{what}");
        assert_eq!(store_values(&store), expected([5, 0, 0, 0], &[]), "{what}");
        error
    };
    assert!(matches!(
        check("missing"),
        Error::Document(DocumentError::Missing { .. })
    ));
    for text in [
        "",
        "[]",
        "{",
        r#"{"commit_success": -1}"#,
        "{\"schema_version\": 3}",
    ] {
        fs::write(&path, text).unwrap();
        assert!(matches!(check(text), Error::Document(_)));
    }
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(Path::new("bad.json"), &path).unwrap();
    assert!(matches!(
        check("a link to itself"),
        Error::Store(StoreError::WrongFileType { .. })
    ));
}

#[test]
fn a_document_may_be_named_by_a_link() {
    let (folder, _, store) = published();
    let (there, path) = (folder.path().join("there"), folder.path().join("link.json"));
    fs::write(&there, LEGACY).unwrap();
    std::os::unix::fs::symlink("there", &path).unwrap();
    let added = store.import(&path, false).unwrap();
    assert!(matches!(added, Import::Added { counts: 120, .. }));
    store.restore(&path, "", true).unwrap();
    assert_eq!(store_values(&store), expected([100, 20, 0, 0], &[]));
}

#[test]
fn a_store_does_not_add_its_own_text_to_itself() {
    let (mine, other) = (folder(), folder());
    let store = quiet().open(mine.path()).unwrap();
    store.transactions().success.add(2);
    store.counter("jobs_total").unwrap().add(5);
    store.histogram("waits_seconds").unwrap().observe(0.25);
    let view = store.view().unwrap();
    let texts = [
        ("a.om", deespec::exposition::openmetrics::encode(&view)),
        ("a.prom", deespec::exposition::prometheus::encode(&view)),
    ];
    // Counted on, so that no value is the same.
    store.counter("jobs_total").unwrap().add(1);
    for (index, (name, text)) in texts.iter().enumerate() {
        let file = mine.path().join(name);
        std::fs::write(&file, text).unwrap();
        let refused = store.import(&file, false).unwrap_err();
        assert!(
            matches!(refused, Error::Document(DocumentError::OwnView { .. })),
            "{name}: {refused}"
        );
        assert_eq!(
            store.view().unwrap().value("jobs_total", &[]),
            Some(6),
            "{name}"
        );
        let elsewhere = quiet().open(other.path().join(name)).unwrap();
        elsewhere.import(&file, false).unwrap();
        let added = elsewhere.view().unwrap();
        assert_eq!(added.value("jobs_total", &[]), Some(5), "{name}");
        assert_eq!(added.transactions.success, 2, "{name}");
        // Whoever insists gets it.
        if index == 0 {
            continue;
        }
        store.import(&file, true).unwrap();
        assert_eq!(store.view().unwrap().value("jobs_total", &[]), Some(11));
    }
}
