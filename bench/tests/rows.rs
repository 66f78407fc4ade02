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
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_deespec-bench"))
        .args(["--quick", "--only", only, "--json"])
        .arg(&json)
        // With it, the program would build `deespec` first, which no row here needs.
        .env_remove("CARGO")
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
