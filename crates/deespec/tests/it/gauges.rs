//! Gauges that all processes share: one value, whoever stores it, that outlives its writers.

use std::fs;

use deespec::{Document, Import, Rotate, Store};

use crate::puppet::Puppet;
use crate::support::{folder, quiet};

fn value(store: &Store, name: &str) -> f64 {
    let view = store.view().unwrap();
    view.sample(name, &[]).unwrap().value.gauge().unwrap()
}

#[test]
fn the_last_store_wins_over_threads_handles_and_processes() {
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let mut puppets = [(); 3].map(|()| Puppet::of(folder.path()));
    for round in 0..10 {
        for (index, puppet) in puppets.iter_mut().enumerate() {
            let wanted = f64::from(round) - index as f64;
            puppet.tell(&format!("gauge depth {wanted}"));
            assert_eq!(value(&store, "depth"), wanted);
            assert_eq!(store.gauge("depth").unwrap().value(), wanted);
        }
        let gauge = store.gauge("depth").unwrap();
        std::thread::scope(|scope| scope.spawn(|| gauge.set(77.5)).join().unwrap());
        assert_eq!(value(&store, "depth"), 77.5);
    }
    puppets.iter_mut().for_each(Puppet::kill);
    assert_eq!(value(&store, "depth"), 77.5);
}

#[test]
fn adding_whole_numbers_from_many_threads_is_exact() {
    const THREADS: u32 = 8;
    const EACH: u32 = 5000;
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let other = quiet().open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let gauge = [&store, &other][thread as usize % 2]
                .gauge("depth")
                .unwrap();
            scope.spawn(move || {
                for _ in 0..EACH {
                    gauge.inc();
                    gauge.add(3.0);
                    gauge.dec();
                    gauge.add(-1.0);
                }
            });
        }
    });
    assert_eq!(value(&store, "depth"), f64::from(2 * THREADS * EACH));
}

#[test]
fn a_value_survives_reopening_rotation_and_restoration() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.gauge("depth").unwrap().set(12.25);
    store.counter("a_total").unwrap().add(3);
    drop(store);
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(value(&store, "depth"), 12.25);
    let rotation = store.rotate(Rotate::Reset).unwrap();
    let closing = |document: &Document| {
        let series = document.series.iter().find(|series| series.name == "depth");
        series.unwrap().value.gauge()
    };
    assert_eq!(closing(&rotation.closing), Some(12.25));
    assert_eq!(value(&store, "depth"), 12.25);
    store.gauge("depth").unwrap().set(-1.0);
    let restored = store.restore(&rotation.path, "", false).unwrap();
    assert_eq!(value(&store, "depth"), -1.0);
    assert_eq!(restored.view.value("a_total", &[]), Some(3));
    assert_eq!(
        closing(&Document::read(&restored.path).unwrap()),
        Some(-1.0)
    );
    let sample = store.view().unwrap().sample("depth", &[]).unwrap().clone();
    assert_eq!(sample.value, sample.total);
    // It is in no total of a closed epoch.
    let lines = crate::epochs::lines(folder.path());
    let names = lines
        .iter()
        .flat_map(|line| line["totals"].as_array().unwrap());
    assert!(!names.into_iter().any(|total| total["name"] == "depth"));
}

#[test]
fn any_number_goes_through_documents_unchanged() {
    let mut bits: Vec<u64> = [
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        f64::MIN,
        0.1 + 0.2,
        1.0 / 3.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ]
    .map(f64::to_bits)
    .to_vec();
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..500 {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        bits.push(word);
    }
    let (one, two) = (folder(), folder());
    let store = quiet().open(one.path()).unwrap();
    for (number, bits) in bits.iter().enumerate() {
        let number = number.to_string();
        let gauge = store.gauge_with("any", &[("number", &number)]).unwrap();
        gauge.set(f64::from_bits(*bits));
    }
    store.sync().unwrap();
    let metrics = one.path().join("metrics.json");
    let text = fs::read_to_string(&metrics).unwrap();
    for special in ["\"NaN\"", "\"+Inf\"", "\"-Inf\""] {
        assert!(text.contains(&format!("\"value\":{special}")));
    }
    let check = |store: &Store| {
        let view = store.view().unwrap();
        for (number, bits) in bits.iter().enumerate() {
            let number = number.to_string();
            let sample = view.sample("any", &[("number", &number)]).unwrap();
            let (found, wanted) = (sample.value.gauge().unwrap(), f64::from_bits(*bits));
            let same = found.to_bits() == *bits || (found.is_nan() && wanted.is_nan());
            assert!(same, "{found:?} instead of {wanted:?}");
        }
    };
    check(&store);
    let other = quiet().open(two.path()).unwrap();
    other.import(&metrics, false).unwrap();
    check(&other);
    // And as the seed of a new store.
    let three = folder();
    fs::copy(&metrics, three.path().join("metrics.json")).unwrap();
    check(&quiet().open(three.path()).unwrap());
}

#[test]
fn an_import_sets_only_gauges_that_are_new() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.gauge("old").unwrap().set(1.0);
    let path = folder.path().join("elsewhere.json");
    let text = r#"{"commit_success": 2, "series": [
        {"name": "old", "type": "gauge", "value": 5},
        {"name": "new", "type": "gauge", "value": "+Inf"},
        {"name": "live", "type": "gauge", "value":
            {"processes": 2, "sum": 7, "min": 3, "max": 4, "aggregation": "sum"}},
        {"name": "build_info", "type": "info", "labels": {"version": "1"}, "value": 1}]}"#;
    fs::write(&path, text).unwrap();
    let import = store.import(&path, false).unwrap();
    assert!(
        matches!(import, Import::Added { counts: 2, .. }),
        "{import:?}"
    );
    assert_eq!(value(&store, "old"), 1.0);
    assert_eq!(value(&store, "new"), f64::INFINITY);
    let view = store.view().unwrap();
    assert!(
        view.sample("live", &[]).is_none(),
        "of another store's processes"
    );
    assert!(view.sample("build_info", &[("version", "1")]).is_some());
    store.gauge("new").unwrap().set(2.0);
    fs::write(&path, text.replace('2', "3")).unwrap();
    store.import(&path, false).unwrap();
    assert_eq!(value(&store, "new"), 2.0);
}

#[test]
fn a_gauge_that_an_import_gives_another_kind_is_refused_and_nothing_is_added() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.gauge("depth").unwrap().set(1.0);
    let path = folder.path().join("elsewhere.json");
    let text = r#"{"commit_success": 2, "series": [
        {"name": "depth", "type": "counter", "value": 5}]}"#;
    fs::write(&path, text).unwrap();
    let text = store.import(&path, false).unwrap_err().to_string();
    assert!(text.contains("gauge") && text.contains("counter"), "{text}");
    assert_eq!(store.view().unwrap().transactions.success, 0);
    assert_eq!(store.sync().unwrap().transactions.success, 0);
    assert_eq!(value(&store, "depth"), 1.0);
}

#[test]
fn a_document_that_makes_a_built_in_counter_a_gauge_is_refused() {
    let folder = folder();
    let path = folder.path().join("metrics.json");
    let text = r#"{"commit_success": 2, "series": [
        {"name": "commit_success", "type": "gauge", "labels": {"by": "x"}, "value": 1.5}]}"#;
    fs::write(&path, text).unwrap();
    let error = quiet().open(folder.path()).unwrap_err();
    crate::support::told(&error, &path);
}
