//! What Prometheus reads of a store: the texts, byte for byte, and what a rotation does to them.

use deespec::exposition::{openmetrics, prometheus};
use deespec::{Options, Rotate, Store};
use tempfile::TempDir;

use crate::support::{folder, moment, quiet};

/// A store whose clock stands still.
pub(crate) fn store() -> (TempDir, Store) {
    let folder = folder();
    let store = still(0).open(folder.path()).unwrap();
    (folder, store)
}

pub(crate) fn still(seconds: u64) -> Options {
    quiet().fixed_clock(moment(seconds))
}

/// The lines of a text that are not about the four built-in counters.
pub(crate) fn others(text: &str) -> Vec<&str> {
    let built_in = |line: &&str| {
        !line.starts_with("# deespec store ")
            && deespec::TRANSACTIONS
                .iter()
                .all(|name| !line.contains(name))
    };
    text.lines().filter(built_in).collect()
}

#[test]
fn a_new_store_shows_the_four_built_in_counters_at_zero() {
    let (_folder, store) = store();
    let view = store.view().unwrap();
    assert_eq!(
        openmetrics::encode(&view),
        "# TYPE cas_conflicts counter\n\
         # HELP cas_conflicts Compare-and-swap operations that found another value than expected.\n\
         cas_conflicts_total 0\n\
         cas_conflicts_created 1795417689.123456789\n\
         # TYPE commit_failed counter\n\
         # HELP commit_failed Commits that failed.\n\
         commit_failed_total 0\n\
         commit_failed_created 1795417689.123456789\n\
         # TYPE commit_success counter\n\
         # HELP commit_success Commits that succeeded.\n\
         commit_success_total 0\n\
         commit_success_created 1795417689.123456789\n\
         # TYPE recovery_count counter\n\
         # HELP recovery_count Recoveries.\n\
         recovery_count_total 0\n\
         recovery_count_created 1795417689.123456789\n\
         # EOF\n"
    );
    let text = prometheus::encode(&view);
    let (store, families) = text.split_once('\n').unwrap();
    assert_eq!(store, format!("# deespec store {}", view.store_id));
    assert_eq!(
        families,
        "# HELP cas_conflicts_total Compare-and-swap operations that found another value than expected.\n\
         # TYPE cas_conflicts_total counter\n\
         cas_conflicts_total 0\n\
         # HELP commit_failed_total Commits that failed.\n\
         # TYPE commit_failed_total counter\n\
         commit_failed_total 0\n\
         # HELP commit_success_total Commits that succeeded.\n\
         # TYPE commit_success_total counter\n\
         commit_success_total 0\n\
         # HELP recovery_count_total Recoveries.\n\
         # TYPE recovery_count_total counter\n\
         recovery_count_total 0\n"
    );
}

#[test]
fn families_are_sorted_and_their_series_too_whatever_came_first() {
    let (_folder, store) = store();
    let count = |name, labels: &[_], by| store.counter_with(name, labels).unwrap().add(by);
    count("zoo_total", &[], u64::MAX);
    count("jobs_total", &[("queue", "b\\\"\n"), ("code", "1")], 2);
    count("jobs_total", &[], 1);
    count("jobs_total", &[("queue", "a")], 3);
    count("commit_success", &[("branch", "main")], 4);
    let view = store.view().unwrap();
    assert_eq!(
        others(&prometheus::encode(&view)),
        [
            "# TYPE jobs_total counter",
            "jobs_total 1",
            r#"jobs_total{code="1",queue="b\\\"\n"} 2"#,
            r#"jobs_total{queue="a"} 3"#,
            "# TYPE zoo_total counter",
            "zoo_total 18446744073709551615",
        ]
    );
    let text = openmetrics::encode(&view);
    assert_eq!(
        others(&text),
        [
            "# TYPE jobs counter",
            "jobs_total 1",
            "jobs_created 1795417689.123456789",
            r#"jobs_total{code="1",queue="b\\\"\n"} 2"#,
            r#"jobs_created{code="1",queue="b\\\"\n"} 1795417689.123456789"#,
            r#"jobs_total{queue="a"} 3"#,
            r#"jobs_created{queue="a"} 1795417689.123456789"#,
            "# TYPE zoo counter",
            "zoo_total 18446744073709551615",
            "zoo_created 1795417689.123456789",
            "# EOF",
        ]
    );
    // A labelled series joins the family of the built-in counter.
    assert_eq!(text.matches("# TYPE commit_success counter\n").count(), 1);
    assert!(text.contains("commit_success_total{branch=\"main\"} 4\n"));
}

#[test]
fn no_rotation_restore_or_reopening_makes_an_exposed_counter_go_down() {
    let (folder, store) = store();
    store.counter("jobs_total").unwrap().add(5);
    store.transactions().success.add(7);
    let before = openmetrics::encode(&store.view().unwrap());
    let closed = store.rotate(Rotate::Reset).unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.value("jobs_total", &[]), Some(0));
    assert_eq!(openmetrics::encode(&view), before);

    store.counter("jobs_total").unwrap().inc();
    let grown = before.replace("\njobs_total 5\n", "\njobs_total 6\n");
    assert_ne!(grown, before);
    store.restore(&closed.path, "", false).unwrap();
    assert_eq!(openmetrics::encode(&store.view().unwrap()), grown);
    drop(store);
    let store = still(99).open(folder.path()).unwrap();
    assert_eq!(openmetrics::encode(&store.view().unwrap()), grown);
}

#[test]
fn of_two_counters_with_one_exposed_name_the_second_gets_a_number_and_says_so() {
    let folder = folder();
    for (second, name) in [(1, "jobs"), (2, "jobs_total"), (3, "commit_success_total")] {
        let store = still(second).open(folder.path()).unwrap();
        store.counter(name).unwrap().add(second);
    }
    let store = still(4).open(folder.path()).unwrap();
    let text = prometheus::encode(&store.view().unwrap());
    for part in [
        "\n# TYPE jobs_total counter\njobs_total 1\n",
        "\n# HELP jobs_2_total The counter jobs_total, whose own name is taken or reserved.\n\
         # TYPE jobs_2_total counter\njobs_2_total 2\n",
        "\ncommit_success_total 0\n",
        "\n# HELP commit_success_2_total The counter commit_success_total, whose own name is taken \
         or reserved.\n# TYPE commit_success_2_total counter\ncommit_success_2_total 3\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn an_empty_label_is_none_and_series_that_become_one_are_added() {
    let (_folder, store) = store();
    let count = |labels: &[_], by| store.counter_with("jobs_total", labels).unwrap().add(by);
    count(&[], 1);
    count(&[("queue", "")], 2);
    count(&[("a", ""), ("queue", "x")], 4);
    count(&[("b", "y")], 8);
    count(&[("queue", "x")], 16);
    let text = prometheus::encode(&store.view().unwrap());
    assert_eq!(
        others(&text)[1..],
        [
            "jobs_total 3",
            r#"jobs_total{b="y"} 8"#,
            r#"jobs_total{queue="x"} 20"#,
        ]
    );
}
