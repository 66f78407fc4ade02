//! Every row that a reader of the tables counts on is there, measured, and says what it was compared
//! with. How fast anything is, no test says.

#![expect(clippy::unwrap_used, reason = "this is a test from end to end")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What `--quick --only TEXT` measures.
struct Tables {
    limits: Vec<Value>,
    peers: Vec<Value>,
}

fn measure(only: &str) -> Tables {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deespec-bench"));
    // With it, the program would build `deespec` first, which most rows do not need.
    measure_by(command.env_remove("CARGO"), only)
}

/// As [`measure`], where rows need the `deespec` program beside this one.
fn measure_with_program(only: &str) -> Tables {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deespec-bench"));
    measure_by(command.env("CARGO", env!("CARGO")), only)
}

fn measure_by(command: &mut Command, only: &str) -> Tables {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let output = command
        .args(["--quick", "--only", only, "--json"])
        .arg(&json)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{only}: {}\n{said}", output.status);
    let text = std::fs::read_to_string(json).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let rows = |table: &str| document[table].as_array().unwrap().clone();
    Tables {
        limits: rows("limits"),
        peers: rows("peers"),
    }
}

/// The rows with a limit have a ratio and a verdict; the others are figures.
fn assert_limits(tables: &Tables, with_limit: &[&str], without: &[&str]) {
    let whats: Vec<_> = tables.limits.iter().map(|row| &row["what"]).collect();
    for what in with_limit.iter().chain(without) {
        let row = tables.limits.iter().find(|row| row["what"] == **what);
        let row = row.unwrap_or_else(|| panic!("no row {what:?} in {whats:#?}"));
        assert!(row["reached"]["value"].as_f64().unwrap() > 0.0, "{row}");
        let verdict = row["verdict"].as_str().unwrap();
        if with_limit.contains(what) {
            assert!(row["ratio"].as_f64().unwrap() > 0.0, "{row}");
            assert!(row["compared"]["value"].as_f64().unwrap() > 0.0, "{row}");
            assert!(matches!(verdict, "ok" | "MISSED"), "{row}");
        } else {
            assert_eq!(verdict, "control", "{row}");
        }
    }
    assert_eq!(whats.len(), with_limit.len() + without.len(), "{whats:#?}");
}

/// The rows of one peer, each with both figures and their ratio.
fn assert_peer(tables: &Tables, peer: &str, whats: &[String]) {
    let of_peer = |row: &&Value| row["peer"].as_str().unwrap().starts_with(peer);
    let rows: Vec<_> = tables.peers.iter().filter(of_peer).collect();
    for what in whats {
        let row = rows.iter().find(|row| row["what"] == **what);
        let row = row.unwrap_or_else(|| panic!("{peer} has no row {what:?}: {rows:#?}"));
        for figure in ["deespec", "reached"] {
            assert!(row[figure]["value"].as_f64().unwrap() > 0.0, "{row}");
        }
        assert!(row["ratio"].as_f64().unwrap() > 0.0, "{row}");
    }
    assert_eq!(rows.len(), whats.len(), "{rows:#?}");
}

#[test]
fn operations_on_metrics_stand_beside_an_increment_or_a_limit() {
    assert_limits(
        &measure("labelled lookup"),
        &[
            "labelled lookup of a known series (two labels)",
            "increment through labels (the same lookup each time)",
        ],
        &[],
    );
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
    assert_limits(&measure("scrape"), &with_limit, &without);
}

#[test]
fn a_history_is_measured_first_again_and_with_one_more() {
    let what = "history of one series over 1000 snapshots";
    let with_limit = [
        what.to_owned(),
        format!("{what}, of a process that has just begun"),
        format!("{what} and a new one"),
        format!("{what} for the first time: each is read"),
        "the names of 1000 snapshots".to_owned(),
    ];
    let with_limit: Vec<_> = with_limit.iter().map(String::as_str).collect();
    assert_limits(
        &measure("history"),
        &with_limit,
        &["archive of 1000 snapshots"],
    );
}

#[test]
fn dead_processes_are_measured_here_and_at_the_peer() {
    let tables = measure("dead processes");
    let whats = [50, 200].map(|dead| {
        [
            format!("scrape after {dead} dead processes (all counted)"),
            format!("disk after {dead} dead processes"),
            format!("files after {dead} dead processes"),
        ]
    });
    let whats: Vec<_> = whats.as_flattened().iter().map(String::as_str).collect();
    assert_limits(&tables, &whats, &[]);
    for row in &tables.limits {
        // Not a matter of speed: the same store, byte by byte of the disk.
        if row["reached"]["unit"] != "ns" {
            assert_eq!(row["ratio"], 1.0, "{row}");
        }
    }

    let peer = "prometheus_client, its dead processes";
    if has_python_peers(&tables) {
        let whats: Vec<_> = [0, 50, 200]
            .into_iter()
            .flat_map(|dead| {
                ["scrape", "disk", "length of all files", "files"]
                    .map(|what| format!("{what} after {dead} dead processes"))
            })
            .collect();
        assert_peer(&tables, peer, &whats);
    }
}

#[test]
fn one_process_of_the_python_client_stands_beside_one_of_ours() {
    let tables = measure("prometheus_client, multiprocess mode");
    if !has_python_peers(&tables) {
        return;
    }
    let mut whats = vec![
        "one increment, handle held".to_owned(),
        "one increment through two labels".to_owned(),
        "one observation, 11 bounds, handle held".to_owned(),
        "set a gauge whose last value counts (theirs: mostrecent)".to_owned(),
        "set a process' share of a gauge (theirs: livesum)".to_owned(),
    ];
    whats
        .extend([1, 100, 10_000].map(|series| format!("scrape of {series} series of one process")));
    assert_peer(&tables, "prometheus_client, multiprocess mode", &whats);
}

#[test]
fn crates_of_one_process_are_measured_in_one_and_two_threads() {
    let tables = measure("in one process");
    let two = std::thread::available_parallelism().unwrap().get() >= 2;
    let hows = if two {
        &["1 thread", "2 threads at once, each"][..]
    } else {
        &["1 thread"][..]
    };
    for peer in ["crate metrics", "crate prometheus", "crate measured"] {
        let mut whats = Vec::new();
        for how in hows {
            whats.push(format!("increment, handle held, {how}"));
            whats.push(format!("increment through two labels, {how}"));
            let later = if peer == "crate metrics" {
                "; theirs is sorted later"
            } else {
                ""
            };
            whats.push(format!("observation, 11 bounds, handle held{later}, {how}"));
        }
        let here: Vec<Value> = tables
            .peers
            .iter()
            .filter(|row| row["what"].is_string())
            .cloned()
            .collect();
        assert_peer(
            &Tables {
                limits: Vec::new(),
                peers: here,
            },
            peer,
            &whats,
        );
    }
}

#[test]
fn a_server_is_measured_while_it_is_scraped_followed_and_idle() {
    let tables = measure_with_program("server: ");
    let row = |what: &str| {
        let row = tables.limits.iter().find(|row| row["what"] == *what);
        row.unwrap_or_else(|| panic!("no row {what:?} in {:#?}", tables.limits))
    };
    let mut whats = Vec::new();
    for format in ["Prometheus text", "OpenMetrics", "OpenMetrics, gzip"] {
        let what = format!("scrapes of 10000 series, 4 connections: {format}");
        if !is_installed("wrk") {
            assert_eq!(row(&what)["verdict"], "skipped: there is no wrk");
        } else {
            assert_eq!(row(&what)["reached"]["unit"], "per second");
        }
        whats.push(what);
    }
    for clients in [0, 1, 100] {
        let what = format!("idle server, 10000 series, {clients} live clients");
        assert_eq!(row(&what)["compared"]["value"], 1.0);
        assert_eq!(row(&what)["compared"]["unit"], "percent of a core");
        whats.push(what);
    }
    for at_once in [1, 100] {
        let what = format!("a change of {at_once} of 10000 series is read by 100 clients");
        let of = |what: String| row(&what)["reached"]["value"].as_f64().unwrap();
        let delays = ["p50", "p99", "the latest"].map(|which| of(format!("{what}: {which}")));
        assert!(delays[0] > 0.0 && delays.is_sorted(), "{what}: {delays:?}");
        let most = format!("{what}: p99");
        assert_eq!(row(&most)["compared"]["value"], 100e6);
        whats.extend([format!("{what}: p50"), most, format!("{what}: the latest")]);
    }
    for what in [
        "one scrape of 10000 series after the other",
        "memory of the server after scrapes of 10000 series",
        "memory of a server that nobody asked yet, 10000 series",
        "memory of the server with 100 live clients",
        "the page: its files",
        "the page over the wire, gzip, with all heads",
        "the page unpacked",
    ] {
        assert!(row(what)["reached"]["value"].as_f64().unwrap() > 0.0);
        whats.push(what.to_owned());
    }
    assert_eq!(tables.limits.len(), whats.len(), "{:#?}", tables.limits);
}

#[test]
fn a_gateway_that_is_pushed_to_stands_beside_the_server() {
    let tables = measure_with_program("Pushgateway");
    if !is_installed("prometheus-pushgateway") {
        let reason = "skipped: there is no prometheus-pushgateway";
        assert_eq!(tables.peers[0]["not_measured"], reason);
        return;
    }
    let kept = |what: &str| {
        let row = tables.peers.iter().find(|row| row["what"] == *what);
        let row = row.unwrap_or_else(|| panic!("no row {what:?} in {:#?}", tables.peers));
        ["deespec", "reached"].map(|who| row[who]["value"].as_u64().unwrap())
    };
    // Not a matter of speed.
    assert_eq!(kept("20 pushes of 1: shown")[0], 20);
    let what = "20 pushes of 1, then kill -9 and a new start: shown";
    assert_eq!(kept(what)[0], 20);
    let whats = [
        "one push of a counter (ours: on the disk when it is answered)",
        "one scrape of 10000 series after the other",
        "memory after scrapes of 10000 series",
    ];
    for what in whats {
        let row = tables.peers.iter().find(|row| row["what"] == *what);
        let row = row.unwrap_or_else(|| panic!("no row {what:?} in {:#?}", tables.peers));
        assert!(row["ratio"].as_f64().unwrap() > 0.0, "{row}");
    }
    // Idle, and scraped from several connections where `wrk` is there or said to be missing.
    assert_eq!(tables.peers.len(), whats.len() + 4, "{:#?}", tables.peers);
}

#[test]
fn the_python_clients_own_server_stands_beside_ours() {
    let tables = measure_with_program("prometheus_client, its HTTP server");
    if !has_python_peers(&tables) {
        return;
    }
    let mut whats = Vec::new();
    for mode in ["in one process", "multiprocess mode"] {
        whats.push(format!(
            "one scrape of 10000 series after the other, {mode}"
        ));
        whats.push(format!("memory after scrapes of 10000 series, {mode}"));
        if is_installed("wrk") {
            whats.push(format!("scrapes of 10000 series, 4 connections, {mode}"));
        }
    }
    let measured = tables.peers.iter().filter(|row| row["what"].is_string());
    let tables = Tables {
        limits: Vec::new(),
        peers: measured.cloned().collect(),
    };
    assert_peer(&tables, "prometheus_client, its HTTP server", &whats);
}

/// Whether there is a program of this name.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
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
fn a_name_that_nothing_has_is_an_error() {
    let status = Command::new(env!("CARGO_BIN_EXE_deespec-bench"))
        .args(["--quick", "--only", "no such thing"])
        .env_remove("CARGO")
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
}

/// Whether the Python peers are installed; where they are not, the only row says so by name.
fn has_python_peers(tables: &Tables) -> bool {
    let target = Path::new(env!("CARGO_BIN_EXE_deespec-bench"))
        .ancestors()
        .nth(2);
    if target.unwrap().join("bench-venv/bin/python").is_file() {
        return true;
    }
    let [row] = tables.peers.as_slice() else {
        panic!("one row that says why: {:#?}", tables.peers);
    };
    let why = row["not_measured"].as_str().unwrap();
    assert!(why.starts_with("skipped: no target/bench-venv"), "{row}");
    false
}
