//! Exact counts: many processes that count, and that make the same new store, at once.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{PROGRAM, Sandbox, series, value};

const PROCESSES: u64 = 8;

/// How often each of them counts; the deep lane has the time for more.
fn each() -> u64 {
    match std::env::var_os("DEESPEC_DEEP") {
        Some(_) => 500,
        None => 125,
    }
}

/// Starts `deespec inc` again and again, from several threads at once.
fn count_in_parallel(sandbox: &Sandbox) {
    std::thread::scope(|scope| {
        for thread in 0..PROCESSES {
            scope.spawn(move || {
                let label = format!("thread={thread}");
                for _ in 0..each() {
                    let status = sandbox
                        .deespec(&["inc", "jobs_total", "-l", &label])
                        .status()
                        .unwrap();
                    assert!(status.success());
                }
            });
        }
    });
}

/// What all threads counted, by a document.
fn counted(document: &Value) -> u64 {
    (0..PROCESSES)
        .map(|thread| {
            value(
                document,
                "jobs_total",
                &json!({ "thread": thread.to_string() }),
            )
        })
        .sum()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn eight_times_many_processes_are_all_counted() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    count_in_parallel(&sandbox);
    let now = sandbox.json(&["show", "--json"]);
    assert_eq!(counted(&now), PROCESSES * each());
    for thread in 0..PROCESSES {
        let labels = json!({ "thread": thread.to_string() });
        assert_eq!(value(&now, "jobs_total", &labels), each());
    }
}

#[test]
fn eight_times_many_processes_are_all_counted_over_all_epochs_while_another_rotates() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let done = AtomicBool::new(false);
    let rotations = std::thread::scope(|scope| {
        let rotating = scope.spawn(|| {
            let mut rotations = 0;
            while !done.load(Ordering::Relaxed) {
                sandbox.ok(&["rotate", "--reason", "test"]);
                rotations += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            rotations
        });
        count_in_parallel(&sandbox);
        done.store(true, Ordering::Relaxed);
        rotating.join().unwrap()
    });
    assert!(rotations > 1, "the race was over before it began");

    let lines = std::fs::read_to_string(sandbox.path("store/live/epochs.jsonl")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), rotations);
    let mut sum = 0;
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["epoch"], index + 1, "epochs follow each other");
        assert_eq!(line["next"], index + 2);
        assert_eq!(line["why"], "test");
        let name = line["snapshot"].as_str().unwrap();
        let closing = read(&sandbox.path("store/snapshots").join(name));
        assert_eq!(closing["epoch"], line["epoch"]);
        assert_eq!(closing["kind"], "rotation");
        sum += counted(&closing);
    }
    let now = sandbox.json(&["show", "--json"]);
    assert_eq!(now["epoch"], rotations + 1);
    assert_eq!(sum + counted(&now), PROCESSES * each());
    let kept = sandbox.json(&["snapshots", "list", "--json"]);
    assert_eq!(kept.as_array().unwrap().len(), rotations);
}

#[test]
fn processes_that_make_the_same_new_store_at_once_all_count_in_it() {
    for _ in 0..10 {
        let sandbox = Sandbox::new();
        let started: Vec<_> = (0..PROCESSES)
            .map(|_| {
                let mut command = sandbox.deespec(&["inc", "commit_success"]);
                command.stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut process in started {
            assert!(process.wait().unwrap().success());
        }
        assert_eq!(sandbox.value("commit_success", &json!({})), PROCESSES);
    }
}

#[test]
fn what_is_counted_is_published_by_sync_and_taken_over_by_a_new_store() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "3"]);
    sandbox.ok(&["inc", "jobs_total", "-l", "job=backup"]);
    sandbox.ok(&["sync"]);
    let published = read(&sandbox.path("store/metrics.json"));
    assert_eq!(published, {
        let mut shown = sandbox.json(&["show", "--json"]);
        // Read a moment later.
        shown["last_update"] = published["last_update"].clone();
        shown["check"] = published["check"].clone();
        shown
    });
    std::fs::create_dir(sandbox.path("new")).unwrap();
    let old = sandbox.path("store/metrics.json");
    std::fs::copy(old, sandbox.path("new/metrics.json")).unwrap();
    let new = sandbox.path("new").display().to_string();
    sandbox.ok(&["--store", &new, "init"]);
    let taken_over = sandbox.json(&["--store", &new, "show", "--json"]);
    assert_eq!(value(&taken_over, "commit_success", &json!({})), 3);
    assert_eq!(
        value(&taken_over, "jobs_total", &json!({ "job": "backup" })),
        1
    );
}

#[test]
fn observations_and_additions_of_many_processes_are_all_there() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    std::thread::scope(|scope| {
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                for _ in 0..50 {
                    sandbox.ok(&["observe", "wait_seconds", "0.1", "0.2", "--unit", "seconds"]);
                    sandbox.ok(&["set", "balance", "--add", "3"]);
                    sandbox.ok(&["set", "balance", "--add", "-2"]);
                }
            });
        }
    });
    let now = sandbox.json(&["show", "--json"]);
    let waits = series(&now, "wait_seconds", &json!({}));
    assert_eq!(waits["value"]["count"], PROCESSES * 100);
    assert_eq!(waits["value"]["sum"], 120.0);
    assert_eq!(series(&now, "balance", &json!({}))["value"], 400.0);
}

#[test]
fn of_observations_with_a_wrong_one_none_is_counted_and_no_store_is_made() {
    let sandbox = Sandbox::new();
    let script = format!("seq 1 1000 | sed '$s/.*/x/' | {PROGRAM} observe size -");
    let output = sandbox.command("sh").args(["-c", &script]).output();
    assert_eq!(output.unwrap().status.code(), Some(3));
    for wrong in [
        &["observe", "size", "1", "NaN"][..],
        &["observe", "a b", "1"],
        &[
            "observe",
            "size",
            "1",
            "--native",
            "1e-9..1e9:6",
            "--negative",
        ],
        &["set", "depth", "deep"],
        &["set", "depth", "1", "-l", "a=1", "-l", "a=2"],
        &["declare", "gauge", "depth", "--buckets", "1"],
        &["remove", "a b"],
    ] {
        assert_eq!(sandbox.output(wrong).status.code(), Some(3), "{wrong:?}");
    }
    assert!(!sandbox.path("store").exists());
    // A process that feeds it and is endless without a line is not waited for.
    let script = format!("head -c 100000000 /dev/zero | {PROGRAM} observe size -");
    let output = sandbox.command("sh").args(["-c", &script]).output();
    assert_eq!(output.unwrap().status.code(), Some(3));
}
