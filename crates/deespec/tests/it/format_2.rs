//! A store of format version 2, kept for ever, and what becomes of one of version 1 where it matters.
//!
//! `tests/fixtures/format-2` was written once. To write it anew (only before a release), remove the folder and run
//! `cargo test -p deespec --test it -- --ignored --exact format_2::write_format_2`.

use std::fs;
use std::path::{Path, PathBuf};

use deespec::{
    Buckets, Document, Error, Family, Import, Options, Retention, Rotate, Store, StoreError,
};

use crate::fixtures;
use crate::fractions::told;
use crate::image::{Held, Image};
use crate::support::{copy_folder, folder, moment, quiet};
use crate::wide;

const SPENT: &str = "spent_seconds_total";
const ANSWERS: &str = "answer_bytes";
const QUEUED: &str = "queued_bytes";
const SIZES: &str = "answer_size";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-2")
}

/// Amounts of which each cell gets something.
fn count(store: &Store, times: usize) {
    let spent = store.fraction_counter_with(SPENT, &[("who", "a")]).unwrap();
    let answers = store.summary(ANSWERS).unwrap();
    let queued = store.sum_gauge_with(QUEUED, &[("who", "a")]).unwrap();
    let sizes = store.wide_histogram(SIZES).unwrap();
    for _ in 0..times {
        assert!(queued.add(1e12) && queued.sub(0.1));
        assert!(sizes.observe(1e12) && sizes.observe(0.1));
        assert!(spent.add(1e12) && spent.add(0.1));
        assert!(answers.observe(-2.5) && answers.observe(1024.0));
    }
}

#[test]
fn a_store_of_format_2_is_read_as_it_is_and_counted_on() {
    let folder = folder();
    copy_folder(&source(), folder.path());
    let root = folder.path().join("var");
    let image = Image::read(&root, 0);
    assert_eq!(image.word(1), 2);
    let held = image.held(2);
    let held = |key: &str| match &held[key] {
        Held::Wide(cells) => cells.clone(),
        other => panic!("{other:?}"),
    };
    // Whole units; billionths; parts of 1024, each amount rounded for itself.
    let spent = held("spent_seconds_total,who=a");
    assert_eq!(spent, [2_000_000_000_000, 200_000_000, 204]);
    assert_eq!(held(ANSWERS), [4, 2044, -1_000_000_000, -1024]);
    // Of all epochs, since it is a gauge.
    let queued = held("queued_bytes,who=a");
    assert_eq!(queued, [3_000_000_000_000, -300_000_000, -306]);
    let sizes = held(SIZES);
    assert_eq!(sizes, [2_000_000_000_000, 200_000_000, 204, 2, 0, 2]);
    let store = quiet().open(&root).unwrap();
    let now = ["2000000000000.2", "3000000000000.3", "4 2043", "6 3064.5"];
    assert_eq!(told(&store), now);
    let sizes = ["[2, 0, 2] 2000000000000.2", "[3, 0, 3] 3000000000000.3"];
    assert_eq!(wide::told(&store), ["2999999999999.7", sizes[0], sizes[1]]);
    let name = store.snapshots().unwrap()[0];
    let closed = Document::read(&store.snapshot_path(name)).unwrap();
    let [answers, sizes, queued, spent] = &closed.series[..] else {
        panic!("{closed:?}");
    };
    assert_eq!(queued.value.sum().unwrap().to_string(), "999999999999.9");
    let sizes = sizes.value.histogram().unwrap();
    let sum = sizes.wide_sum().unwrap().to_string();
    assert_eq!(
        (sizes.counts(), sum.as_str()),
        (&[1, 0, 1][..], "1000000000000.1")
    );
    assert_eq!(
        spent.value.fractions().unwrap().to_string(),
        "1000000000000.1"
    );
    let answers = answers.value.summary().unwrap();
    assert_eq!(
        (answers.count, answers.sum.to_string().as_str()),
        (2, "1021.5")
    );
    let line = fs::read_to_string(root.join("live/epochs.jsonl")).unwrap();
    let told_of = r#""total":1000000000000.1,"exact":"1000000000000.1"}"#;
    assert!(line.contains(told_of), "{line}");
    assert_eq!(store.family(ANSWERS).unwrap().unit(), "bytes");
    count(&store, 1);
    let now = ["3000000000000.3", "4000000000000.4", "6 3064.5", "8 4086"];
    assert_eq!(told(&store), now);
    let sizes = ["[3, 0, 3] 3000000000000.3", "[4, 0, 4] 4000000000000.4"];
    let both = ["3999999999999.6", sizes[0], sizes[1]];
    assert_eq!(wide::told(&store), both);
    drop(store);
    Options::new().compact(&root).unwrap();
    let store = quiet().open(&root).unwrap();
    assert_eq!(told(&store), now);
    assert_eq!(wide::told(&store), both);
}

#[test]
#[ignore = "writes the fixture anew; see the head of this file"]
fn write_format_2() {
    let base = source();
    assert!(!base.exists(), "remove {} first", base.display());
    let at = |seconds| {
        let options = quiet().program("deespec 0.1.0").stripes(1);
        let options = options.fixed_clock(moment(seconds));
        options.open(base.join("var")).unwrap()
    };
    let store = at(0);
    store
        .declare(&Family::summary(ANSWERS).with_unit("bytes"))
        .unwrap();
    let bounds = Buckets::classic([1e3, 1e9]).unwrap();
    store
        .declare(&Family::wide_histogram(SIZES, bounds))
        .unwrap();
    count(&store, 1);
    let store = at(60);
    let keep = Retention::default();
    store.rotate_because(Rotate::Reset, "", &keep).unwrap();
    count(&store, 2);
    store.sync().unwrap();
}

#[test]
fn a_store_of_format_1_stays_so_without_new_kinds_until_it_is_compacted() {
    let folder = fixtures::copy();
    let root = folder.path().join("var");
    let version = |segment: u32| Image::read(&root, segment).word(1) as u32;
    let store = quiet().open(&root).unwrap();
    for refused in [
        store.fraction_counter("spent_total").map(drop),
        store.summary_with("sizes", &[("a", "b")]).map(drop),
        store.declare(&Family::fraction_counter("spent_total")),
        store.redeclare(&Family::summary("sizes")),
        store.sum_gauge("queued").map(drop),
        store.wide_histogram("sizes").map(drop),
        store.declare(&Family::wide_histogram("sizes", Buckets::seconds())),
    ] {
        let error = refused.unwrap_err();
        let says = "has format version 1, and a ";
        assert!(error.to_string().contains(says), "{error}");
        let Error::Store(StoreError::OlderFormat { found, needed, .. }) = error else {
            panic!("{error}");
        };
        assert_eq!((found, needed), (1, 2));
    }
    let page = folder.path().join("page.prom");
    let text =
        "# TYPE new_total counter\nnew_total 3\n# TYPE spent_total counter\nspent_total 0.5\n";
    fs::write(&page, text).unwrap();
    let Import::Added { passed_over, .. } = store.import(&page, false).unwrap() else {
        panic!("nothing was added");
    };
    assert!(
        passed_over[0].contains("format version 1"),
        "{passed_over:?}"
    );
    let pushed = store.push("w", 1, text.as_bytes()).unwrap_err().to_string();
    assert!(pushed.contains("format version 1"), "{pushed}");
    // What it needs more room for is of its own version.
    for id in 0..600 {
        let id = id.to_string();
        store
            .counter_with("grown_total", &[("id", &id)])
            .unwrap()
            .inc();
    }
    assert_eq!([version(0), version(1)], [1, 1]);
    let before = store.view().unwrap();
    drop(store);
    Options::new().compact(&root).unwrap();
    assert_eq!([version(0), version(1)], [2, 2]);
    let store = quiet().open(&root).unwrap();
    assert_eq!(store.view().unwrap().value("new_total", &[]), Some(3));
    assert_eq!(store.view().unwrap().series.len(), before.series.len());
    store.fraction_counter("spent_total").unwrap().add(0.5);
    assert!(store.summary("sizes").unwrap().observe(0.5));
}
