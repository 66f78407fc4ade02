//! The rows of `deespec serve`.

use serde_json::Value;

use crate::support::{Tables, assert_limits, is_installed, measure};

#[test]
fn a_server_is_measured_while_it_is_scraped() {
    let tables = measure("server: asked often");
    for format in ["Prometheus text", "OpenMetrics", "OpenMetrics, gzip"] {
        let row = row(&tables, &format!("scrapes, 4 connections: {format}"));
        if is_installed("wrk") {
            assert_eq!(row["reached"]["unit"], "per second");
        } else {
            let verdict = "skipped: there is no wrk; Debian's package wrk brings it";
            assert_eq!(row["verdict"], verdict);
        }
    }
    for what in [
        "one scrape after the other",
        "memory of the server after scrapes",
    ] {
        assert!(row(&tables, what)["reached"]["value"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(tables.limits.len(), 5, "{:#?}", tables.limits);
}

#[test]
fn an_idle_server_stands_beside_one_that_is_scraped() {
    let tables = measure("server: idle");
    for clients in [0, 1, 100] {
        let row = row(&tables, &format!("idle server, {clients} live clients"));
        assert_eq!(row["compared_with"], "one scrape a second");
        assert!(row["compared"]["value"].as_f64().unwrap() > 0.0);
        assert!(row["ratio"].as_f64().unwrap() >= 0.0);
    }
    for what in [
        "memory of a server that nobody asked yet",
        "memory of the server with 100 live clients",
    ] {
        assert!(row(&tables, what)["reached"]["value"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(tables.limits.len(), 5, "{:#?}", tables.limits);
}

#[test]
fn a_server_that_is_followed_stands_beside_a_thread_that_only_looks() {
    let tables = measure("server: live");
    for at_once in [1, 100] {
        let what = format!("a change of {at_once} series is read by 100 clients");
        for side in ["reached", "compared"] {
            let of =
                |which: &str| row(&tables, &format!("{what}: {which}"))[side]["value"].as_f64();
            let delays = ["p50", "p99", "the latest"].map(|which| of(which).unwrap());
            assert!(delays[0] > 0.0 && delays.is_sorted(), "{what}: {delays:?}");
        }
        let most = row(&tables, &format!("{what}: p99"));
        assert!(most["ratio"].as_f64().unwrap() > 0.0, "{most}");
        assert!(most["at_most"].as_f64().unwrap() > 0.0, "{most}");
    }
    assert_eq!(tables.limits.len(), 6, "{:#?}", tables.limits);
}

#[test]
fn a_server_whose_readers_are_gone_stands_beside_one_that_had_none() {
    let tables = measure("server: readers that are gone");
    let [cpu, memory] = &tables.limits[..] else {
        panic!("{:#?}", tables.limits);
    };
    assert_eq!(cpu["compared_with"], "one scrape a second", "{cpu}");
    assert!(cpu["compared"]["value"].as_f64().unwrap() > 0.0, "{cpu}");
    assert!(cpu["ratio"].as_f64().unwrap() >= 0.0, "{cpu}");
    for side in ["reached", "compared"] {
        assert!(memory[side]["value"].as_f64().unwrap() > 0.0, "{memory}");
    }
}

#[test]
fn a_page_is_weighed() {
    assert_limits(
        &measure("server: the page"),
        &[],
        &[
            "the page: its files",
            "the page over the wire, gzip, with all heads",
            "the page unpacked",
        ],
    );
}

/// One row of a server's group.
fn row<'a>(tables: &'a Tables, what: &str) -> &'a Value {
    let row = tables.limits.iter().find(|row| row["what"] == *what);
    row.unwrap_or_else(|| panic!("no row {what:?} in {:#?}", tables.limits))
}
