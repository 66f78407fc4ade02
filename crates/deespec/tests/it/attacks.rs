//! Documents and names that somebody has written on purpose: to get out of the store's folder, to fill
//! the memory, or to speak with another voice.

use std::fs;
use std::path::{Path, PathBuf};

use deespec::{Document, DocumentError, Error, Retention, Rotate, SnapshotName, StoreError};
use tempfile::TempDir;

use crate::image::{self, Image};
use crate::roles;
use crate::support::{expected, folder, quiet, store_values, told, tree};

/// A store deep in a folder, so that there is somewhere to get out to.
fn deep() -> (TempDir, PathBuf) {
    let folder = folder();
    let root = folder.path().join("a/b/var");
    let store = quiet().open(&root).unwrap();
    store.transactions().success.add(5);
    store.snapshot().unwrap();
    drop(store);
    (folder, root)
}

/// Everything in a folder but for the store.
fn outside(folder: &Path) -> Vec<String> {
    let names = tree(folder).into_keys();
    names.filter(|name| !name.starts_with("a/b/var/")).collect()
}

/// The names in a store without their numbers.
fn kinds(root: &Path) -> Vec<String> {
    let digits = |name: String| name.replace(|c: char| c.is_ascii_digit(), "0");
    let mut kinds: Vec<String> = tree(root).into_keys().map(digits).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[test]
fn no_field_of_a_document_becomes_a_path() {
    let lawful = [
        "live",
        "live/epochs.jsonl",
        "live/imports.jsonl",
        "live/lock",
        "live/segment-0000",
        "metrics.json",
        "snapshots",
        "snapshots/metrics_00000000_000000_000000000.json",
    ];
    for evil in [
        "../../../../evil",
        "/evil-of-deespec",
        "evil\0",
        "..",
        "evil",
    ] {
        let text = serde_json::json!({
            "commit_failed": 7,
            "last_update": evil,
            "epoch_started": evil,
            "taken_at": evil,
            "snapshot": evil,
            "path": evil,
            "file": evil,
            "partial": [evil],
            "series": [{"name": "a", "type": "counter", "labels": {"path": evil}, "value": 1}],
        });
        let (folder, root) = deep();
        let before = outside(folder.path());
        let given = root.join("metrics.json.new");
        fs::write(&given, text.to_string()).unwrap();
        let store = quiet().open(&root).unwrap();
        store.import(&given, false).unwrap();
        store.restore(&given, evil, true).unwrap();
        fs::remove_file(&given).unwrap();
        drop(store);
        // What an earlier process left behind says so too.
        let line = serde_json::json!({
            "epoch": 1, "next": 2, "kind": evil, "at": evil, "by": evil, "why": evil,
            "snapshot": evil, "totals": [],
        });
        fs::write(root.join("live/epochs.jsonl"), format!("{line}\n")).unwrap();
        let intent = serde_json::json!({
            "line": {"digest": evil, "at": evil, "by": evil, "file": evil, "counts": 1},
            "ledger": [],
        });
        fs::write(root.join("live/import.json"), intent.to_string()).unwrap();
        fs::write(root.join("live/restore.json"), text.to_string()).unwrap();
        let mut image = Image::read(&root, 0);
        image.set(image::PENDING, 1);
        image.write();
        let store = quiet().open(&root).unwrap();
        store.rotate(Rotate::Reset).unwrap();
        let keep = Retention::default().max_count(1);
        store.prune(&keep).unwrap();
        assert_eq!(outside(folder.path()), before, "{evil:?}");
        assert_eq!(kinds(&root), lawful, "{evil:?}");
        assert!(!Path::new("/evil-of-deespec").exists());
    }
}

#[test]
fn an_identity_is_a_number_and_nothing_else() {
    let (folder, root) = deep();
    let given = folder.path().join("given.json");
    let store = quiet().open(&root).unwrap();
    for evil in ["../../evil", "", "x", "1".repeat(33).as_str(), "+1", "１"] {
        let text = serde_json::json!({"commit_failed": 7, "store_id": evil});
        fs::write(&given, text.to_string()).unwrap();
        let error = store.import(&given, false).unwrap_err();
        assert!(
            matches!(error, Error::Document(DocumentError::Syntax { .. })),
            "{evil}: {error}"
        );
    }
    assert_eq!(store_values(&store), expected([5, 0, 0, 0], &[]));
}

#[test]
fn the_name_of_a_snapshot_is_digits_in_their_places() {
    let good = "metrics_20261123_070809_123456789.json";
    assert_eq!(good.parse::<SnapshotName>().unwrap().to_string(), good);
    let bad = [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "../metrics_20261123_070809_123456789.json",
        "./metrics_20261123_070809_123456789.json",
        "/metrics_20261123_070809_123456789.json",
        "metrics_20261123_070809_123456789.json/",
        "metrics_20261123_070809_123456789.json\0",
        "metrics_20261123_070809_123456789.json\n",
        "\nmetrics_20261123_070809_123456789.json",
        " metrics_20261123_070809_123456789.json",
        "metrics_20261123_070809_123456789.json ",
        "metrics_20261123_070809_123456789.jsonl",
        "METRICS_20261123_070809_123456789.json",
        "metrics_20261123_070809_123456789",
        "metrics_20261123_070809_12345678.json",
        "metrics_20261123_070809_1234567890.json",
        "metrics_+0261123_070809_123456789.json",
        "metrics_-0261123_070809_123456789.json",
        "metrics_20261123_070809_+23456789.json",
        "metrics_20261123/070809_123456789.json",
        "metrics_20261123_0708\u{9}9_123456789.json",
        // Digits and signs that only look like these.
        "metrics_２０２６1123_070809_123456789.json",
        "metrics_٢٠٢٦1123_070809_123456789.json",
        "metrics＿20261123_070809_123456789.json",
        "metrics_20261123_070809_123456789․json",
        "mеtrics_20261123_070809_123456789.json",
        "metrics_20261123_070809_123456789.json\u{200b}",
        "metrics_20261123_070809_\u{202e}123456789.json",
        // No such day or hour.
        "metrics_20260230_070809_123456789.json",
        "metrics_20261323_070809_123456789.json",
        "metrics_20261123_240000_123456789.json",
        "metrics_20261123_076009_123456789.json",
    ];
    let (_folder, root) = deep();
    let store = quiet().open(&root).unwrap();
    let listed = store.snapshots().unwrap();
    let mut made = Vec::new();
    for name in bad {
        assert!(name.parse::<SnapshotName>().is_err(), "{name:?}");
        let is_name = !name.contains(['/', '\0']) && !matches!(name, "" | "." | "..");
        if is_name {
            let path = root.join("snapshots").join(name);
            fs::write(&path, "mine").unwrap();
            made.push(path);
        }
    }
    // What has no such name is neither seen nor removed.
    assert_eq!(store.snapshots().unwrap(), listed);
    let keep = Retention::default().max_count(0);
    assert_eq!(store.prune(&keep).unwrap(), listed);
    assert!(made.len() > 20 && made.iter().all(|path| path.exists()));
}

/// Imports and reads a document with little memory, and tells what came of it. The role of a second
/// process.
pub(crate) fn poor(root: &Path, megabytes: &str, say: impl Fn(&str)) {
    let store = quiet().open(root).unwrap();
    let most = megabytes.parse::<u64>().unwrap() << 20;
    let limit = rustix::process::Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    rustix::process::setrlimit(rustix::process::Resource::Data, limit).unwrap();
    let path = root.join("given");
    let chain = |error: Error| told(&error, &path).replace('\n', " ");
    say(&store
        .import(&path, false)
        .map_or_else(chain, |_| "added".to_owned()));
    if fs::read(&path).unwrap().starts_with(b"{") {
        let chain = |error: Error| told(&error, &path).replace('\n', " ");
        say(&store
            .restore(&path, "", true)
            .map_or_else(chain, |_| "restored".to_owned()));
    }
}

/// Joins what `part` makes of the numbers below `count`.
fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    let parts: Vec<String> = (0..count).map(part).collect();
    parts.join(",")
}

#[test]
fn a_document_that_asks_for_much_more_memory_than_it_has_bytes_is_refused_in_time() {
    let histogram = r#"{"count":0,"sum":0,"buckets":[],"steps_per_one":1,
        "native":{"schema":8,"smallest":1.0,"largest":60000.0,"negative":false}}"#;
    let series = |inner: &str| format!(r#"{{"commit_success":1,"series":[{inner}]}}"#);
    let counter = |labels: &str, value: &str| {
        let labels = format!(r#""labels":{{{labels}}}"#);
        series(&format!(
            r#"{{"name":"a","type":"counter",{labels},"value":{value}}}"#
        ))
    };
    let bombs = [
        (
            "cells of a store",
            series(&many(8_000, |i| {
                let labels = format!(r#""labels":{{"i":"{i}"}}"#);
                format!(r#"{{"name":"h","type":"histogram",{labels},"value":{histogram}}}"#)
            })),
        ),
        (
            "parts",
            counter("", &format!("[{}]", many(6_000_000, |_| "0".to_owned()))),
        ),
        (
            "parts",
            counter(
                "",
                &format!("{{{}}}", many(1_200_000, |i| format!(r#""{i}":0"#))),
            ),
        ),
        (
            "32 labels",
            counter(&many(2_000_000, |i| format!(r#""a{i}":"""#)), "1"),
        ),
        (
            "that are taken in",
            format!(
                r#"{{"commit_success":1,"partial":[{}]}}"#,
                many(7_000_000, |_| "\"\"".to_owned())
            ),
        ),
        (
            "32 labels",
            format!("a{{{}}} 1\n", many(1_600_000, |i| format!("a{i}=\"\""))),
        ),
        (
            "recursion limit",
            counter("", &("[".repeat(9_000_000) + &"]".repeat(9_000_000))),
        ),
        (
            "recursion limit",
            counter(
                "",
                &(r#"{"a":"#.repeat(4_000_000) + "1" + &"}".repeat(4_000_000)),
            ),
        ),
    ];
    for (reason, text) in bombs {
        let folder = folder();
        let root = folder.path().join("var");
        drop(quiet().open(&root).unwrap());
        fs::write(root.join("given"), text).unwrap();
        let child = roles::command("poor 160", &root).spawn().unwrap();
        let said = roles::report(child);
        assert!(!said.is_empty());
        for said in said {
            assert!(said.contains(reason), "{reason}: {said}");
        }
    }
}

#[test]
fn a_document_has_no_more_series_than_are_taken_in() {
    const MOST: usize = 1_000_000;
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let path = folder.path().join("given");
    let part = r#"{"name":"a","type":"info","value":1}"#;
    let json = format!(
        r#"{{"commit_success":1,"series":[{}]}}"#,
        many(MOST + 1, |_| part.to_owned())
    );
    let families = |count: usize| {
        (0..count)
            .map(|i| format!("# TYPE a{i} gauge\n"))
            .collect::<String>()
    };
    for text in [json, families(MOST + 1)] {
        fs::write(&path, text).unwrap();
        let error = store.import(&path, false).unwrap_err();
        let text = told(&error, &path);
        assert!(text.contains("more than the 1000000 series"), "{text}");
    }
    fs::write(&path, families(1000)).unwrap();
    store.import(&path, false).unwrap();
    assert_eq!(store_values(&store), expected([0; 4], &[]));
}

#[test]
fn what_is_no_name_makes_no_series_and_no_file() {
    let (_folder, root) = deep();
    let store = quiet().open(&root).unwrap();
    let long = "a".repeat(1 << 20);
    let before = tree(&root);
    for evil in [
        "",
        "a\0",
        "a\n",
        "a\u{1b}[31m",
        "a\u{202e}b",
        "../a",
        "a/b",
        "a b",
        "а_total",
        "ａ_total",
        "1a",
        long.as_str(),
    ] {
        let error = store.counter(evil).unwrap_err();
        assert!(
            matches!(error, Error::Store(StoreError::Metric(_))),
            "{evil:.20}"
        );
        let error = store.counter_with("a_total", &[(evil, "x")]).unwrap_err();
        assert!(
            matches!(error, Error::Store(StoreError::Metric(_))),
            "{evil:.20}"
        );
    }
    let error = store.counter_with("a_total", &[("k", &long)]).unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Metric(_))));
    assert_eq!(tree(&root), before);
    // A value may be any text; what reads it back gets the same.
    let evil = "\u{1b}]0;x\u{7}\n\r\0\u{202e}\u{9b}";
    store.counter_with("a_total", &[("k", evil)]).unwrap().inc();
    store.sync().unwrap();
    let written = Document::read(&root.join("metrics.json")).unwrap();
    assert_eq!(written.series[0].labels.get("k"), Some(evil));
}
