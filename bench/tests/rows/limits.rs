//! The first table, without its servers.

use std::process::{Command, Stdio};

use crate::support::{assert_limits, assert_python_peer, folder, hows, measure, strs};

#[test]
fn operations_on_metrics_stand_beside_an_increment_or_a_crate() {
    let tables = measure("labelled lookup");
    let whats = [
        "labelled lookup of a known series (two labels)",
        "increment through labels (the same lookup each time)",
        "labelled lookup of a known series among 10,000",
        "labelled lookup of a known histogram (two labels)",
    ];
    let whats: Vec<_> = whats
        .iter()
        .flat_map(|what| hows().map(move |how| format!("{what}, {how}")))
        .collect();
    assert_limits(&tables, &strs(&whats), &[]);
    for row in &tables.limits {
        assert_eq!(row["compared_with"], "the crate prometheus");
    }
    assert_limits(
        &measure("observe"),
        &[
            "observation through a held handle, the default buckets (296 cells)",
            "observation through a held handle, 11 classic bounds (12 cells)",
            "observation through a held handle, schema 8 (3406 cells)",
        ],
        &[],
    );
    assert_limits(
        &measure("gauge"),
        &[
            "set a shared gauge through a held handle",
            "add to a shared gauge through a held handle",
            "set this process' share of a gauge through a held handle",
        ],
        &[],
    );
}

#[test]
fn what_calls_the_system_stands_beside_bare_calls() {
    for (group, whats, other) in [
        (
            "open",
            &[
                "open and close a store of 1 series",
                "open and close a store of 10000 series",
            ][..],
            "open, fstat, flock, mmap and close of one file",
        ),
        (
            "lock",
            &["lock, take and release"],
            "open, flock and close of a file",
        ),
        (
            "register",
            &["register a new series, 10,000 in a row in 10 families, each"],
            "lock, take and release",
        ),
        (
            "threshold check",
            &["static threshold check"],
            "reading the view that it judges",
        ),
    ] {
        let tables = measure(group);
        assert_limits(&tables, whats, &[]);
        for row in &tables.limits {
            assert_eq!(row["compared_with"], other);
        }
    }
}

#[test]
fn a_snapshot_stands_beside_a_file_as_long() {
    let what = "snapshot without its fsyncs (store on a tmpfs)";
    let tables = measure("snapshot");
    assert_limits(
        &tables,
        &[what],
        &["the same with its fsyncs (store on the disk)"],
    );
    let other = "a file as long, written and renamed there";
    assert_eq!(tables.limits[0]["compared_with"], other);
}

#[test]
fn a_whole_process_names_the_profile_that_it_was_built_in() {
    let tables = measure("a whole process");
    let profile = folder().file_name().unwrap().to_str().unwrap();
    let profile = if profile == "debug" { "dev" } else { profile };
    assert_limits(
        &tables,
        &[&format!(
            "`deespec inc` as a whole process, profile {profile}"
        )],
        &["a Rust program that does nothing"],
    );
}

#[test]
fn a_scrape_is_measured_in_every_format_and_size() {
    let formats = ["JSON", "OpenMetrics", "Prometheus text", "protobuf"];
    let rows = |series: usize| {
        formats.map(|format| format!("read {series} series and render them as {format}"))
    };
    let [one, hundred, most] = [1, 100, 10_000].map(rows);
    let without: Vec<_> = one.iter().chain(&hundred).map(String::as_str).collect();
    let mixed =
        formats.map(|format| format!("read 10000 series of all kinds and render them as {format}"));
    let with_limit: Vec<_> = most.iter().chain(&mixed).map(String::as_str).collect();
    let tables = measure("scrape");
    assert_limits(&tables, &with_limit, &without);
    for row in &tables.limits {
        assert_eq!(row["compared_with"], "prometheus-client encodes them");
    }
}

#[test]
fn a_history_is_measured_first_again_and_with_one_more() {
    let tables = measure("history");
    assert_limits(
        &tables,
        &[
            "history of one series",
            "history of one series, of a process that has just begun",
            "history of one series and a new one",
            "history of one series for the first time: each is read",
            "the names of the snapshots",
        ],
        &["archive of the snapshots"],
    );
    for row in &tables.limits {
        assert_eq!(row["how_many"]["unit"], "snapshots", "{row}");
    }
}

#[test]
fn dead_processes_are_measured_here_and_at_the_peer() {
    let tables = measure("dead processes");
    let [before, some, many] = [
        "before any process died",
        "after some processes died",
        "after five times as many died",
    ];
    let whats = [some, many].map(|when| {
        [
            format!("scrape {when} (all counted)"),
            format!("disk {when}"),
            format!("files {when}"),
        ]
    });
    assert_limits(&tables, &strs(whats.as_flattened()), &[]);
    for row in &tables.limits {
        // Not a matter of speed: the same store, byte by byte of the disk.
        if row["reached"]["unit"] != "ns" {
            assert_eq!(row["ratio"], 1.0, "{row}");
        }
    }

    let whats: Vec<_> = [before, some, many]
        .into_iter()
        .flat_map(|when| {
            ["scrape", "disk", "length of all files", "files"].map(|what| format!("{what} {when}"))
        })
        .collect();
    assert_python_peer(&tables, "prometheus_client, its dead processes", &whats);
}

#[test]
fn a_push_stands_beside_one_that_imports_delay() {
    assert_limits(
        &measure("push"),
        &[],
        &[
            "a push of 10 counters, on the disk when it returns",
            "the same while another thread imports without a pause",
        ],
    );
}

#[test]
fn the_memory_of_a_million_series_has_a_limit_in_bytes() {
    let tables = measure("a million series");
    let each = ["import", "rotate", "compact"];
    let memory =
        each.map(|role| format!("memory of a process that is to {role} labelled counters"));
    let times = each.map(|role| format!("to {role} labelled counters"));
    assert_limits(&tables, &strs(&memory), &strs(&times));
    for row in &tables.limits {
        assert_eq!(row["how_many"]["unit"], "series", "{row}");
    }
}

#[test]
fn a_name_that_nothing_has_is_an_error() {
    let status = Command::new(env!("CARGO_BIN_EXE_deespec-bench"))
        .args(["--suite", "--only", "no such thing"])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
}
