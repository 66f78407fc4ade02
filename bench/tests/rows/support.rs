//! Runs the program and reads what it wrote; what every row has.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run with `--only TEXT` measures.
pub(crate) struct Tables {
    pub(crate) limits: Vec<Value>,
    pub(crate) peers: Vec<Value>,
}

pub(crate) fn measure(only: &str) -> Tables {
    measure_by(&mut bench(), only)
}

/// As [`measure`], where no other program is installed.
pub(crate) fn measure_without_programs(only: &str) -> Tables {
    measure_by(bench().env("PATH", "/nowhere"), only)
}

pub(crate) fn bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_deespec-bench"))
}

pub(crate) fn measure_by(command: &mut Command, only: &str) -> Tables {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let output = command
        .args(["--suite", "--only", only, "--json"])
        .arg(&json)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{only}: {}\n{said}", output.status);
    let text = std::fs::read_to_string(json).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["machine"]["effort"], "suite");
    let rows = |table: &str| document[table].as_array().unwrap().clone();
    let limits = rows("limits");
    limits.iter().for_each(assert_no_time_is_absolute);
    Tables {
        limits,
        peers: rows("peers"),
    }
}

/// A limit of a time or a rate is a ratio to something that was measured beside it.
pub(crate) fn assert_no_time_is_absolute(row: &Value) {
    if row["compared_with"] == "limit" {
        assert_eq!(row["reached"]["unit"], "bytes", "{row}");
    }
}

/// The rows with a limit have a ratio and a verdict; the others are figures.
pub(crate) fn assert_limits(tables: &Tables, with_limit: &[&str], without: &[&str]) {
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
pub(crate) fn assert_peer(tables: &Tables, peer: &str, whats: &[String]) {
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

/// Whether there is a program of this name.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// How many threads are measured, as rows say it.
pub(crate) fn hows() -> impl Iterator<Item = &'static str> {
    let cores = std::thread::available_parallelism().unwrap().get();
    ["1 thread", "2 threads at once, each"]
        .into_iter()
        .take(cores)
}

pub(crate) fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Where Cargo has put the program.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_deespec-bench"))
        .parent()
        .unwrap()
}

/// Whether the Python peers are installed.
pub(crate) fn has_python_peers() -> bool {
    folder()
        .parent()
        .unwrap()
        .join("bench-venv/bin/python")
        .is_file()
}

/// The rows of a Python peer, which say what brings it where it is not.
pub(crate) fn assert_python_peer(tables: &Tables, peer: &str, whats: &[String]) {
    if has_python_peers() {
        return assert_peer(tables, peer, whats);
    }
    for what in whats {
        let row = tables.peers.iter().find(|row| row["what"] == **what);
        let row = row.unwrap_or_else(|| panic!("no row {what:?} in {:#?}", tables.peers));
        let why = row["not_measured"].as_str().unwrap();
        assert!(
            why.starts_with("skipped: there is no target/bench-venv"),
            "{row}"
        );
        assert!(why.contains("PyPI's package prometheus_client"), "{row}");
    }
    assert_eq!(tables.peers.len(), whats.len(), "{:#?}", tables.peers);
}
