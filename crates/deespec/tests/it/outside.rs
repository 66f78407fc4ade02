//! What comes from outside can neither make a count begin again at 0 nor speak for DeeSpec itself.

use std::fs;

use deespec::{COUNT_MAX, DocumentError, Error, Import, MetricError};

use crate::support::{folder, quiet};

#[test]
fn counts_from_outside_end_long_before_a_counter_does() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let jobs = store.counter("jobs_total").unwrap();
    jobs.try_add(COUNT_MAX).unwrap();
    let refused = jobs.try_add(COUNT_MAX + 1).unwrap_err();
    assert!(matches!(refused, MetricError::Count { .. }), "{refused}");
    jobs.add((1 << 63) - COUNT_MAX - 5);
    assert_eq!(jobs.room(), 5);
    assert_eq!(jobs.try_add(6), Err(MetricError::Exhausted));
    jobs.try_add(5).unwrap();
    assert_eq!(jobs.try_add(1), Err(MetricError::Exhausted));
    assert_eq!(
        store.view().unwrap().value("jobs_total", &[]),
        Some(1 << 63)
    );
    let sizes = store.histogram("size").unwrap();
    sizes.observe_many(1.0, (1 << 63) - 2);
    assert_eq!(sizes.room(), 2);
}

#[test]
fn a_restored_value_is_not_made_to_begin_again_either() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let high = folder.path().join("high.json");
    fs::write(&high, format!(r#"{{"commit_failed": {}}}"#, u64::MAX)).unwrap();
    store.restore(&high, "", true).unwrap();
    let failed = &store.transactions().failed;
    assert_eq!(failed.try_add(1), Err(MetricError::Exhausted));
    let text = b"# TYPE commit_failed counter\ncommit_failed_total 1\n# EOF\n";
    assert!(store.push("w", 1, text).is_err());
    let file = folder.path().join("more.om");
    fs::write(&file, text).unwrap();
    let refused = store.import(&file, false).unwrap_err();
    assert!(
        matches!(refused, Error::Document(DocumentError::Overflow { .. })),
        "{refused:?}"
    );
    assert_eq!(store.view().unwrap().transactions.failed, u64::MAX);
}

#[test]
fn a_file_is_bound_unless_a_store_has_written_it() {
    let folder = folder();
    let many = COUNT_MAX + 1;
    let other = quiet().open(folder.path().join("other")).unwrap();
    other.transactions().success.add(many);
    other.sync().unwrap();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store
        .import(&folder.path().join("other/metrics.json"), false)
        .unwrap();
    assert_eq!(store.view().unwrap().transactions.success, many);
    let file = folder.path().join("by-hand.json");
    fs::write(&file, format!(r#"{{"commit_success": {many}}}"#)).unwrap();
    let refused = store.import(&file, false).unwrap_err();
    assert!(
        matches!(refused, Error::Document(DocumentError::Content { .. })),
        "{refused:?}"
    );
    let file = folder.path().join("page.prom");
    let text = format!(
        "# TYPE jobs_total counter\njobs_total {many}\n# TYPE deespec_overflow_total counter\n\
         deespec_overflow_total{{family=\"jobs_total\"}} 7\n# TYPE fine_total counter\nfine_total 1\n"
    );
    fs::write(&file, text).unwrap();
    let done = store.import(&file, false).unwrap();
    let Import::Added { passed_over, .. } = &done else {
        panic!("{done:?}");
    };
    assert!(passed_over[0].contains("2^53"), "{passed_over:?}");
    assert!(passed_over[1].contains("deespec_"), "{passed_over:?}");
    let view = store.view().unwrap();
    assert_eq!(view.value("fine_total", &[]), Some(1));
    assert_eq!(view.value("jobs_total", &[]), None);
}
