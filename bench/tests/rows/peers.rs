//! The second table.

use serde_json::Value;

use crate::support::{
    assert_peer, assert_python_peer, has_python_peers, hows, is_installed, measure,
    measure_without_programs,
};

#[test]
fn one_process_of_the_python_client_stands_beside_one_of_ours() {
    let tables = measure("prometheus_client, multiprocess mode");
    let mut whats = vec![
        "one increment, handle held".to_owned(),
        "one increment through two labels".to_owned(),
        "one observation, 11 bounds, handle held".to_owned(),
        "set a gauge whose last value counts (theirs: mostrecent)".to_owned(),
        "set a process' share of a gauge (theirs: livesum)".to_owned(),
    ];
    whats
        .extend([1, 100, 10_000].map(|series| format!("scrape of {series} series of one process")));
    assert_python_peer(&tables, "prometheus_client, multiprocess mode", &whats);
}

#[test]
fn crates_of_one_process_are_measured_in_one_and_two_threads() {
    let tables = measure("in one process");
    for peer in ["crate metrics", "crate prometheus", "crate measured"] {
        let mut whats = Vec::new();
        for how in hows() {
            whats.push(format!("increment, handle held, {how}"));
            whats.push(format!("increment through two labels, {how}"));
            let later = if peer == "crate metrics" {
                "; theirs is sorted later"
            } else {
                ""
            };
            whats.push(format!("observation, 11 bounds, handle held{later}, {how}"));
        }
        assert_peer(&tables, peer, &whats);
    }
}

#[test]
fn a_gateway_that_is_pushed_to_stands_beside_the_server() {
    if !is_installed("prometheus-pushgateway") {
        return;
    }
    let tables = measure("Pushgateway");
    let row = |what: &str| {
        let row = tables.peers.iter().find(|row| row["what"] == *what);
        row.unwrap_or_else(|| panic!("no row {what:?} in {:#?}", tables.peers))
    };
    // Not a matter of speed.
    for what in [
        "pushes of 1: shown",
        "pushes of 1, then kill -9 and a new start: shown",
    ] {
        let row = row(what);
        assert_eq!(row["deespec"]["value"], row["how_many"]["value"], "{row}");
    }
    for what in [
        "one push of a counter (ours: on the disk when it is answered)",
        "one scrape after the other",
        "memory after scrapes",
    ] {
        let row = row(what);
        assert!(row["ratio"].as_f64().unwrap() > 0.0, "{row}");
    }
    // Idle, and scraped from several connections where `wrk` is there or said to be missing.
    let server = tables.peers.iter().filter(|row| {
        let peer = row["peer"].as_str().unwrap();
        peer == "Pushgateway, its HTTP server"
    });
    assert_eq!(server.count(), 7, "{:#?}", tables.peers);
}

#[test]
fn pushes_from_several_connections_are_measured_beside_the_gateway() {
    if !is_installed("prometheus-pushgateway") {
        return;
    }
    let peer = "Pushgateway, pushes a second";
    let tables = measure(peer);
    let mut whats = Vec::new();
    for mode in ["", ", theirs in a file each second"] {
        for connections in ["1 connection", "32 connections"] {
            whats.push(format!(
                "pushes of 10 counters, {connections} (ours: on the disk when answered){mode}"
            ));
        }
    }
    assert_peer(&tables, peer, &whats);
}

#[test]
fn the_python_clients_own_server_stands_beside_ours() {
    let mut tables = measure("prometheus_client, its HTTP server");
    let mut whats = Vec::new();
    for mode in ["in one process", "multiprocess mode"] {
        whats.push(format!("one scrape after the other, {mode}"));
        whats.push(format!("memory after scrapes, {mode}"));
        whats.push(format!("scrapes, 4 connections, {mode}"));
    }
    if has_python_peers() && !is_installed("wrk") {
        let is_measured = |text: &Value| !text.as_str().unwrap().contains("4 connections");
        tables.peers.retain(|row| is_measured(&row["what"]));
        whats.retain(|what| !what.contains("4 connections"));
    }
    assert_python_peer(&tables, "prometheus_client, its HTTP server", &whats);
}

#[test]
fn a_peer_that_is_not_installed_has_its_rows_and_names_its_package() {
    for (peer, package, count) in [
        ("Redis", "redis-server", 6),
        ("Pushgateway", "prometheus-pushgateway", 11),
    ] {
        let tables = measure_without_programs(peer);
        assert_eq!(tables.peers.len(), count, "{:#?}", tables.peers);
        for row in &tables.peers {
            assert!(!row["what"].as_str().unwrap().is_empty(), "{row}");
            let why = row["not_measured"].as_str().unwrap();
            let brings = format!("Debian's package {package} brings it");
            assert!(
                why.starts_with("skipped: ") && why.ends_with(&brings),
                "{row}"
            );
        }
    }
}

#[test]
fn databases_and_files_are_measured_where_they_are() {
    for (peer, program, rows) in [
        ("JSON file", "sh", 3),
        ("Redis", "redis-server", 6),
        ("SQLite", "python3", 4),
    ] {
        if !is_installed(program) {
            continue;
        }
        let tables = measure(peer);
        assert_eq!(tables.peers.len(), rows, "{:#?}", tables.peers);
        for row in &tables.peers {
            assert!(row["deespec"]["value"].as_f64().unwrap() > 0.0, "{row}");
        }
    }
}
