//! The difference of two documents of a real store.

use deespec::{Diff, Document, Rotate, Value};

use crate::support::{folder, quiet};

#[test]
fn two_snapshots_differ_by_what_was_counted_between_them() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.transactions().success.add(2);
    store.counter("same_total").unwrap().add(9);
    let read = |path: &std::path::Path| Document::read(path).unwrap();
    let before = read(&store.snapshot().unwrap().path);
    store.transactions().success.add(3);
    store
        .counter_with("new_total", &[("k", "v")])
        .unwrap()
        .inc();
    let after = read(&store.snapshot().unwrap().path);

    let diff = Diff::between(&before, &after);
    assert_eq!(diff.epochs, (Some(1), Some(1)));
    let found: Vec<_> = diff
        .changes
        .iter()
        .map(|change| {
            (
                change.name.as_str(),
                change.before.as_ref().and_then(Value::counter),
                change.after.as_ref().and_then(Value::counter),
                change.delta,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("commit_success", Some(2), Some(5), Some(3)),
            ("new_total", None, Some(1), Some(1)),
        ]
    );
    assert_eq!(&diff.changes[1].labels["k"], "v");
    assert!(Diff::between(&after, &after).changes.is_empty());

    let back = Diff::between(&after, &before);
    assert_eq!(
        (back.changes[0].delta, back.changes[1].delta),
        (Some(-3), Some(-1))
    );
    assert_eq!(back.changes[1].after, None);

    store.rotate(Rotate::Reset).unwrap();
    let next = store.view().unwrap().to_document();
    let across = Diff::between(&after, &next);
    assert_eq!(across.epochs, (Some(1), Some(2)));
    assert_eq!(across.changes.len(), 3);
}

#[test]
fn the_ends_of_64_bits_do_not_overflow() {
    let at = std::path::Path::new("m.json");
    let low = Document::parse(br#"{"commit_success": 0}"#, at).unwrap();
    let high = format!(r#"{{"commit_success": {}}}"#, u64::MAX);
    let high = Document::parse(high.as_bytes(), at).unwrap();
    let delta = |a, b| Diff::between(a, b).changes[0].delta;
    assert_eq!(delta(&low, &high), Some(i128::from(u64::MAX)));
    assert_eq!(delta(&high, &low), Some(-i128::from(u64::MAX)));
}
