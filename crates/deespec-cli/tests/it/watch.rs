//! `deespec watch` in a pipe: one JSON line a change.

use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use super::support::{Sandbox, ends, lines, next};

fn start(sandbox: &Sandbox, options: &[&str]) -> Child {
    sandbox
        .deespec(&["watch", "--interval", "10"])
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Counts until the watch has seen it, so that it sees all that comes after.
fn wake(sandbox: &Sandbox, lines: &Receiver<String>) {
    ends("the watch begins", || {
        sandbox.ok(&["inc", "awake_total"]);
        lines.try_recv().ok()
    });
    // What was counted since is told too, before anything else is done.
    sandbox.ok(&["inc", "awake_total", "-l", "last=yes"]);
    while !next(lines).contains("last") {}
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn each_change_is_a_line_and_so_is_a_new_epoch() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total", "-l", "job=backup", "--by", "5"]);
    let mut process = start(&sandbox, &[]);
    let lines = lines(process.stdout.take().unwrap());
    wake(&sandbox, &lines);

    sandbox.ok(&["inc", "jobs_total", "-l", "job=backup", "--by", "2"]);
    let line = next(&lines);
    let change = parse(&line);
    assert_eq!(change["name"], "jobs_total");
    assert_eq!(change["labels"], json!({ "job": "backup" }));
    assert_eq!(change["value"], 7);
    assert_eq!(change["delta"], 2);
    assert_eq!(change["epoch"], 1);
    let order = [
        "\"at\"",
        "\"epoch\"",
        "\"name\"",
        "\"type\"",
        "\"labels\"",
        "\"value\"",
        "\"delta\"",
    ];
    let places = order.map(|key| line.find(key).unwrap());
    assert!(places.is_sorted(), "{line}");

    sandbox.ok(&["rotate"]);
    let event = parse(&next(&lines));
    assert_eq!(event["event"], "epoch");
    assert_eq!(event["epoch"], 2);
    assert!(event["at"].is_string());

    sandbox.ok(&["inc", "jobs_total", "-l", "job=backup"]);
    let change = parse(&next(&lines));
    assert_eq!(change["epoch"], 2);
    assert_eq!((&change["value"], &change["delta"]), (&json!(1), &json!(1)));

    sandbox.ok(&["restore", "latest"]);
    assert_eq!(parse(&next(&lines))["epoch"], 3);
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn it_ends_after_as_many_changes_as_are_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let mut process = start(&sandbox, &["--changes", "3", "--filter", "wanted"]);
    let status = ends("the watch ends", || {
        sandbox.ok(&["inc", "unwanted"]);
        sandbox.ok(&["inc", "other"]);
        sandbox.ok(&["inc", "a", "-l", "is=wanted"]);
        process.try_wait().unwrap()
    });
    assert!(status.success());
    let output = process.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().count(), 3, "{printed}");
    assert!(
        printed.lines().all(|line| line.contains("wanted")),
        "{printed}"
    );
}

#[test]
fn it_ends_quietly_when_its_reader_goes_even_if_nothing_changes_any_more() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let mut process = start(&sandbox, &[]);
    drop(process.stdout.take());
    let status = ends("the watch ends", || process.try_wait().unwrap());
    assert!(status.success());
    let output = process.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_changes_of_an_epoch_add_up_to_what_was_counted() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let mut process = start(&sandbox, &[]);
    let lines = lines(process.stdout.take().unwrap());
    wake(&sandbox, &lines);
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10; do {0} inc b --by $i & done; wait; {0} inc end_total",
        super::support::PROGRAM
    );
    let status = sandbox
        .command("sh")
        .args(["-c", &script])
        .status()
        .unwrap();
    assert!(status.success());
    let mut sum = 0;
    loop {
        let change = parse(&next(&lines));
        match change["name"].as_str().unwrap() {
            "b" => {
                sum += change["delta"].as_u64().unwrap();
                assert_eq!(change["value"], sum);
            }
            "end_total" => break,
            other => panic!("{other}"),
        }
    }
    assert_eq!(sum, 55);
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_gauge_moves_both_ways_and_stays_over_an_epoch_and_a_histogram_is_told_in_short() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["set", "depth", "5"]);
    let mut process = start(&sandbox, &[]);
    let lines = lines(process.stdout.take().unwrap());
    wake(&sandbox, &lines);
    let told = |change: &Value| {
        let of = |key: &str| change[key].clone();
        (of("type"), of("value"), of("delta"))
    };

    sandbox.ok(&["set", "depth", "-2.5"]);
    let change = parse(&next(&lines));
    assert_eq!(told(&change), (json!("gauge"), json!(-2.5), json!(-7.5)));
    sandbox.ok(&["set", "depth", "NaN"]);
    let change = parse(&next(&lines));
    assert_eq!(told(&change), (json!("gauge"), json!("NaN"), Value::Null));

    sandbox.ok(&["observe", "size", "1", "4", "--buckets", "2"]);
    let change = parse(&next(&lines));
    let value = json!({ "count": 2, "sum": 5.0 });
    assert_eq!(told(&change), (json!("histogram"), value, json!(2)));

    sandbox.ok(&["rotate"]);
    assert_eq!(parse(&next(&lines))["event"], "epoch");
    sandbox.ok(&["observe", "size", "7"]);
    let change = parse(&next(&lines));
    let value = json!({ "count": 1, "sum": 7.0 });
    assert_eq!(told(&change), (json!("histogram"), value, json!(1)));
    process.kill().unwrap();
    process.wait().unwrap();
}
