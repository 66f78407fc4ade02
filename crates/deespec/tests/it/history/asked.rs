//! What is asked for: times, numbers of points, series.

use std::time::SystemTime;

use deespec::{HistoryQuery, HistoryValue, Retention, SnapshotName};

use super::filled;

#[test]
fn a_time_and_a_number_of_points_choose_what_is_shown() {
    let (_folder, store) = filled(12);
    let names = store.snapshots().unwrap();
    let query = HistoryQuery::new().series("commit_success", &[]);
    let between = query
        .clone()
        .from(names[3].taken_at())
        .to(names[7].taken_at());
    let history = store.history(&between).unwrap();
    let shown: Vec<SnapshotName> = history.points.iter().map(|point| point.name).collect();
    assert_eq!((history.found, &shown[..]), (5, &names[3..8]));
    // A time that went through a floating-point number still is that of its snapshot.
    let at = names[3]
        .taken_at()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let at = at.as_secs_f64().to_string();
    let one = store
        .history(&query.clone().between(Some(&at), Some(&at)).unwrap())
        .unwrap();
    assert!(one.points.iter().any(|point| point.name == names[3]));
    // The numbers 2, 6 and 10 close an epoch.
    let few = store.history(&query.clone().points(4)).unwrap();
    assert_eq!(few.found, 12);
    let shown: Vec<SnapshotName> = few.points.iter().map(|point| point.name).collect();
    assert_eq!(shown, [names[2], names[6], names[10], names[11]]);
    let counts: Vec<_> = few.series[0].values.iter().flatten().collect();
    assert_eq!(counts.len(), 4);
    assert_eq!(*counts[1], HistoryValue::Counter(4));
    let none = store.history(&query.points(0)).unwrap();
    assert_eq!((none.found, none.points.len()), (12, 0));
}

#[test]
fn a_series_that_no_snapshot_has_has_no_kind() {
    let (_folder, store) = filled(5);
    let names = store.snapshots().unwrap();
    store.gauge("late").unwrap().set(1.0);
    let query = HistoryQuery::new()
        .series("late", &[])
        .series("depth", &[])
        .series("depth", &[("a", "b")]);
    let ask = |query: &HistoryQuery| {
        let history = store.history(query).unwrap();
        let kinds: Vec<_> = history.series.iter().map(|series| series.kind).collect();
        assert!(
            history
                .series
                .iter()
                .all(|one| one.values.len() == history.points.len())
        );
        kinds
    };
    let gauge = Some(deespec::Kind::Gauge);
    assert_eq!(ask(&query), [None, gauge, None]);
    // It is there at another time.
    let early = query.to(names[0].taken_at());
    assert_eq!(ask(&early), [None, gauge, None]);
    store.prune(&Retention::default().max_count(0)).unwrap();
    assert_eq!(ask(&early), [None, None, None]);
}

#[test]
fn selectors_say_which_series_is_meant_or_why_not() {
    let select = |text: &str| HistoryQuery::new().select(text);
    let meant = HistoryQuery::new().series("a", &[("b", "c\"\n"), ("d", "")]);
    assert_eq!(
        select(" a { d = \"\", b=\"c\\\"\\n\" , } ").ok(),
        Some(meant)
    );
    assert_eq!(select("a{}"), Ok(HistoryQuery::new().series("a", &[])));
    for wrong in [
        "",
        "1",
        "a{",
        "a{b=c}",
        "a{b!=\"c\"}",
        "a{b=~\"c\"}",
        "a{b=\"c\"} 1",
        "{b=\"c\"}",
        "a{b=\"c\",b=\"d\"}",
        "a{__b=\"c\"}",
    ] {
        let error = select(wrong).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{wrong:?} names no series")),
            "{error}"
        );
    }
    for wrong in [
        "",
        "now",
        "-1",
        "NaN",
        "inf",
        "1e300",
        "2026-13-01T00:00:00Z",
        "1960-01-01T00:00:00Z",
    ] {
        assert!(
            HistoryQuery::new().between(None, Some(wrong)).is_err(),
            "{wrong}"
        );
    }
}
