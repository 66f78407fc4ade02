//! The first open beside a `metrics.json` that is already there: taken over once, or refused
//! without a trace.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use deespec::{DocumentError, Error, Import, Options, StoreError};
use tempfile::TempDir;

use crate::roles;
use crate::support::{
    NO_FILES, document_values, expected, folder, quiet, store_values, told, tree,
};

const LEGACY: &str = r#"{"commit_success": 142, "commit_failed": 3, "cas_conflicts": 7,
    "recovery_count": 2, "last_update": "2025-01-02T03:04:05Z"}"#;

/// A folder with a metrics.json and nothing else.
fn beside(text: &[u8]) -> (TempDir, PathBuf) {
    let folder = folder();
    let path = folder.path().join("metrics.json");
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// Opening the folder fails, says which file is to blame, and leaves no trace.
fn refused(folder: &Path, path: &Path) -> (Error, String) {
    let before = tree(folder);
    let error = quiet().open(folder).unwrap_err();
    let text = told(&error, path);
    assert_eq!(tree(folder), before, "{text}");
    assert!(!folder.join("live").exists(), "{text}");
    (error, text)
}

#[test]
fn values_of_the_legacy_form_are_taken_over_once() {
    let cases: [(&str, [u64; 4]); 7] = [
        (LEGACY, [142, 3, 7, 2]),
        (
            r#"{"commit_success": 5, "schema_version": 0}"#,
            [5, 0, 0, 0],
        ),
        (
            r#"{"schema_version": null, "recovery_count": 9}"#,
            [0, 0, 0, 9],
        ),
        (r#"{"commit_failed": 4}"#, [0, 4, 0, 0]),
        (
            r#"{"cas_conflicts": 18446744073709551615, "host": {"deep": [1, null]}, "x": "y"}"#,
            [0, 0, u64::MAX, 0],
        ),
        ("\u{feff}{\"commit_success\": 1}\n\n", [1, 0, 0, 0]),
        (
            r#"{"commit_success": 8, "schema_version": 1, "last_update": "yesterday"}"#,
            [8, 0, 0, 0],
        ),
    ];
    for (text, four) in cases {
        let (folder, path) = beside(text.as_bytes());
        let store = quiet().open(folder.path()).unwrap();
        assert_eq!(store_values(&store), expected(four, &[]), "{text}");
        drop(store);

        let store = quiet().open(folder.path()).unwrap();
        assert_eq!(store_values(&store), expected(four, &[]), "{text}");
        let again = store.import(&path, false).unwrap();
        assert!(matches!(again, Import::Already { .. }), "{text}: {again:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        store.transactions().failed.inc();
        let published = store.sync().unwrap().to_document();
        let written = deespec::Document::read(&path).unwrap();
        assert_eq!(document_values(&written), document_values(&published));
        assert_eq!(written.transactions.failed, four[1] + 1);
    }
}

#[test]
fn series_of_a_document_are_taken_over_with_their_labels() {
    let (folder, _) = beside(
        br#"{"commit_success": 1, "series": [
            {"name": "b_total", "type": "counter", "labels": {"z": "1", "a": "\u00e4"}, "value": 5},
            {"name": "b_total", "type": "counter", "value": 6},
            {"name": "commit_success", "type": "counter", "labels": {"by": "x"}, "value": 7}]}"#,
    );
    let store = quiet().open(folder.path()).unwrap();
    let others = [
        ("b_total", 6),
        ("b_total,a=ä,z=1", 5),
        ("commit_success,by=x", 7),
    ];
    assert_eq!(store_values(&store), expected([1, 0, 0, 0], &others));
    let counter = store.counter_with("b_total", &[("a", "ä"), ("z", "1")]);
    counter.unwrap().inc();
    assert_eq!(store_values(&store)["b_total,a=ä,z=1"], 6);
}

#[test]
fn more_series_than_a_segment_holds_are_taken_over() {
    let one = |i: u32| {
        format!(r#"{{"name":"m_total","type":"counter","labels":{{"i":"{i}"}},"value":{i}}}"#)
    };
    let series: Vec<String> = (0..3000).map(one).collect();
    let text = format!(
        r#"{{"commit_success": 1, "series": [{}]}}"#,
        series.join(",")
    );
    let (folder, _) = beside(text.as_bytes());
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(store.health().unwrap().segments, 3);
    let values = store_values(&store);
    assert_eq!(values.len(), 3004);
    for i in 0..3000 {
        assert_eq!(values[&format!("m_total,i={i}")], i);
    }
}

#[test]
fn a_newer_document_is_refused_with_both_versions() {
    for text in [
        r#"{"schema_version": 3, "commit_success": 1}"#,
        r#"{"commit_success": {"other": "type"}, "schema_version": 3}"#,
        "{\n \"schema_version\":   3 }",
    ] {
        let (folder, path) = beside(text.as_bytes());
        let (error, text) = refused(folder.path(), &path);
        assert!(matches!(
            error,
            Error::Document(DocumentError::NewerSchema {
                found: 3,
                supported: 2,
                ..
            })
        ));
        assert!(text.ends_with("schema version 3, the highest supported is 2"));
    }
    let (folder, path) = beside(br#"{"schema_version": 18446744073709551615}"#);
    refused(folder.path(), &path);
}

#[test]
fn a_document_cut_at_any_byte_is_refused() {
    let (whole, _) = beside(LEGACY.as_bytes());
    let store = quiet().open(whole.path()).unwrap();
    store.counter_with("b_total", &[("k", "v")]).unwrap().inc();
    let own = store.sync().unwrap().to_json();
    for text in [LEGACY, &own] {
        let end = text.trim_end().len();
        for cut in 0..end {
            let (folder, path) = beside(&text.as_bytes()[..cut]);
            let (error, text) = refused(folder.path(), &path);
            assert!(
                matches!(error, Error::Document(DocumentError::Syntax { .. })),
                "cut at {cut}: {text}"
            );
        }
    }
}

#[test]
fn garbage_is_refused() {
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_inside = format!(r#"{{"commit_success": {deep}}}"#);
    let many = format!(r#"{{"commit_success": 1{}}}"#, "0".repeat(1_000_000));
    let cases: [&[u8]; 30] = [
        b"",
        b" \n",
        b"\0\0\0\0",
        b"\x7fELF\x02\x01\x01",
        b"\xff\xfe{\0}\0",
        b"commit_success 142\n",
        b"[]",
        b"{}",
        b"null",
        b"142",
        b"\"text\"",
        br#"[{"commit_success": 1}]"#,
        br#"{"commits": 1}"#,
        br#"{"commit_success": -1}"#,
        br#"{"commit_success": 1.5}"#,
        br#"{"commit_success": 1e3}"#,
        br#"{"commit_success": 1e999999}"#,
        br#"{"commit_success": 18446744073709551616}"#,
        br#"{"commit_success": "142"}"#,
        br#"{"commit_success": true}"#,
        br#"{"commit_success": 1, "commit_success": 2}"#,
        br#"{"commit_success": 1, "schema_version": -1}"#,
        br#"{"commit_success": 1, "schema_version": "1"}"#,
        br#"{"commit_success": 1, "series": null}"#,
        br#"{"commit_success": 1, "series": [{"name": "x", "type": "counter"}]}"#,
        br#"{"commit_success": 1, "series": [{"name": "../x", "type": "counter", "value": 1}]}"#,
        br#"{"commit_success": 1} {"commit_success": 1}"#,
        deep.as_bytes(),
        deep_inside.as_bytes(),
        many.as_bytes(),
    ];
    for text in cases {
        let (folder, path) = beside(text);
        let (error, told) = refused(folder.path(), &path);
        let lawful = matches!(
            error,
            Error::Document(DocumentError::Syntax { .. } | DocumentError::Content { .. })
        );
        assert!(lawful, "{told}");
    }
}

#[test]
fn deep_nesting_in_an_unknown_field_is_passed_over() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let (folder, path) = beside(format!(r#"{{"x": {deep}, "commit_success": 4}}"#).as_bytes());
    match quiet().open(folder.path()) {
        Ok(store) => assert_eq!(store_values(&store), expected([4, 0, 0, 0], &[])),
        Err(error) => drop(told(&error, &path)),
    }
}

#[test]
fn what_is_not_a_regular_file_is_refused_by_what_it_is() {
    for (what, make) in NO_FILES {
        let folder = folder();
        let path = folder.path().join("metrics.json");
        let other = folder.path().join("other.json");
        fs::write(&other, LEGACY).unwrap();
        make(&path, &other);
        let (error, text) = refused(folder.path(), &path);
        match error {
            Error::Store(StoreError::WrongFileType { found, .. }) => assert_eq!(found, what),
            _ => panic!("{what}: {text}"),
        }
    }
}

#[test]
fn a_file_of_eight_tebibytes_is_refused_without_reading_it() {
    let folder = folder();
    let path = folder.path().join("metrics.json");
    File::create(&path).unwrap().set_len(8 << 40).unwrap();
    let (error, _) = refused(folder.path(), &path);
    assert!(matches!(
        error,
        Error::Store(StoreError::TooLarge {
            found: 8_796_093_022_208,
            ..
        })
    ));
}

#[test]
fn an_unreadable_document_is_refused() {
    let (folder, path) = beside(LEGACY.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if rustix::process::geteuid().is_root() {
        // Root reads everything: only somebody else can meet this.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let before = tree(folder.path());
        let mut command: Command = roles::command("open", folder.path());
        use std::os::unix::process::CommandExt as _;
        let Ok(child) = command.uid(65534).gid(65534).spawn() else {
            eprintln!(
                "not tested: nobody may not run {:?}",
                std::env::current_exe()
            );
            return;
        };
        let said = roles::report(child).join("\n");
        assert_eq!(said, format!("cannot open {}", path.display()));
        assert_eq!(tree(folder.path()), before);
    } else {
        let (error, text) = refused(folder.path(), &path);
        assert!(matches!(error, Error::Store(StoreError::Io { .. })));
        assert!(text.to_lowercase().contains("permission denied"), "{text}");
    }
}

#[test]
fn a_refused_document_does_not_hinder_once_it_is_gone() {
    let (folder, path) = beside(b"garbage");
    refused(folder.path(), &path);
    fs::remove_file(&path).unwrap();
    let store = Options::new().open(folder.path()).unwrap();
    assert_eq!(store_values(&store), expected([0; 4], &[]));
}
