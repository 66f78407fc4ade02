//! `deespec run`: what passes through, and what is counted.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::support::{Sandbox, code, ends, series, stderr, value};

/// Runs a script under `deespec run` and gives the exit code.
fn run(sandbox: &Sandbox, options: &[&str], script: &str) -> i32 {
    let mut arguments = vec!["run", "--name", "job"];
    arguments.extend_from_slice(options);
    arguments.extend_from_slice(&["--", "sh", "-c", script]);
    code(&sandbox.output(&arguments))
}

/// Successes, failures and conflicts, as the gate and as the job's own counters have them.
fn outcomes(sandbox: &Sandbox) -> [u64; 3] {
    let now = sandbox.json(&["show", "--json"]);
    let four = ["commit_success", "commit_failed", "cas_conflicts"];
    let four = four.map(|name| now[name].as_u64().unwrap());
    let own = ["success", "failure", "conflict"].map(|outcome| {
        value(
            &now,
            "runs_total",
            &json!({ "job": "job", "outcome": outcome }),
        )
    });
    assert_eq!(four, own);
    four
}

#[test]
fn exit_codes_pass_through_and_are_counted() {
    let sandbox = Sandbox::new();
    for exit in [0, 1, 2, 3, 42, 70, 126, 127, 255] {
        assert_eq!(run(&sandbox, &[], &format!("exit {exit}")), exit);
    }
    assert_eq!(outcomes(&sandbox), [1, 8, 0]);
}

#[test]
fn a_conflict_is_what_the_user_says_is_one() {
    let sandbox = Sandbox::new();
    let options = ["--conflict-exit", "4", "--conflict-exit", "1"];
    for (exit, expected) in [
        (4, [0, 0, 1]),
        (1, [0, 0, 2]),
        (5, [0, 1, 2]),
        (0, [1, 1, 2]),
    ] {
        assert_eq!(run(&sandbox, &options, &format!("exit {exit}")), exit);
        assert_eq!(outcomes(&sandbox), expected);
    }
}

#[test]
fn a_command_that_a_signal_kills_counts_as_a_failure_and_gives_128_and_its_number() {
    let sandbox = Sandbox::new();
    for (signal, number) in [
        ("KILL", 9),
        ("TERM", 15),
        ("INT", 2),
        ("SEGV", 11),
        ("PIPE", 13),
    ] {
        let script = format!("kill -{signal} $$");
        assert_eq!(run(&sandbox, &[], &script), 128 + number, "{signal}");
    }
    // Even where the code that comes of it is named as a conflict: the command gave no such code.
    assert_eq!(
        run(&sandbox, &["--conflict-exit", "137"], "kill -KILL $$"),
        137
    );
    assert_eq!(outcomes(&sandbox), [0, 6, 0]);
}

#[test]
fn a_command_that_cannot_be_started_gives_127_or_126_and_counts_as_a_failure() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("text"), "not a program").unwrap();
    for (command, exit, word) in [
        ("no-such-program-anywhere", 127, "it is not in the PATH"),
        ("./missing/program", 127, "No such file"),
        ("./text", 126, "Permission denied"),
        (".", 126, "Permission denied"),
    ] {
        let output = sandbox.output(&["run", "--name", "job", "--", command]);
        assert_eq!(code(&output), exit, "{command}");
        let said = stderr(&output);
        assert!(
            said.contains(&format!("cannot start {command}: {word}")),
            "{said}"
        );
    }
    assert_eq!(outcomes(&sandbox), [0, 4, 0]);
}

#[test]
fn every_byte_of_input_output_and_errors_passes_through() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let bytes: Vec<u8> = (0..300_000_u32)
        .flat_map(|n| [n as u8, (n >> 7) as u8])
        .collect();
    let script = "tee /dev/fd/2";
    let mut process = sandbox
        .deespec(&["run", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || input.write_all(&sent).unwrap());
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(code(&output), 0);
    assert!(output.stdout == bytes, "stdout differs");
    assert!(output.stderr == bytes, "stderr differs");
}

#[test]
fn arguments_and_environment_pass_through_as_they_are() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .deespec(&[
            "run",
            "--",
            "sh",
            "-c",
            "printf '%s|' \"$@\" \"$FROM\"",
            "x",
        ])
        .args(["--help", "", "a b", "-l", "--", "$HOME"])
        .env("FROM", "outside")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, "--help||a b|-l|--|$HOME|outside|");
}

#[test]
fn the_store_is_published_when_the_command_has_ended() {
    let sandbox = Sandbox::new();
    assert_eq!(run(&sandbox, &[], "exit 9"), 9);
    let published = std::fs::read(sandbox.path("store/metrics.json")).unwrap();
    let published: Value = serde_json::from_slice(&published).unwrap();
    assert_eq!(published["commit_failed"], 1);
    let seconds = series(&published, "run_seconds", &json!({ "job": "job" }));
    assert_eq!(seconds["type"], "histogram");
    assert_eq!(seconds["value"]["count"], 1);
    assert!(seconds["value"]["sum"].as_f64().unwrap() > 0.0);
    let in_flight = series(&published, "runs_in_flight", &json!({ "job": "job" }));
    assert_eq!(in_flight["value"]["sum"], 0.0);
}

#[test]
fn a_command_that_could_not_be_counted_is_not_started() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("file"), "").unwrap();
    let blocked = sandbox.path("file/store").display().to_string();
    let output = sandbox.output(&["--store", &blocked, "run", "--", "touch", "started"]);
    assert_eq!(code(&output), 125);
    assert!(stderr(&output).contains(&blocked), "{output:?}");

    let too_long = "x".repeat(1025);
    let output = sandbox.output(&["run", "--name", &too_long, "--", "touch", "started"]);
    assert_eq!(code(&output), 125);
    assert!(!sandbox.path("started").exists());
    assert_eq!(sandbox.value("commit_success", &json!({})), 0);
}

#[test]
fn best_effort_runs_what_cannot_be_counted_and_warns() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("file"), "").unwrap();
    let blocked = sandbox.path("file/store").display().to_string();
    let run = [
        "--store",
        &blocked,
        "run",
        "--best-effort",
        "--",
        "sh",
        "-c",
    ];
    let output = sandbox.output(&[&run[..], &["touch started; exit 3"]].concat());
    assert_eq!(code(&output), 3);
    let said = stderr(&output);
    assert!(said.contains("WARN") && said.contains(&blocked), "{said}");
    assert!(sandbox.path("started").exists());
    // Where it can be counted, it is.
    let output = sandbox.output(&["run", "--best-effort", "--name", "job", "--", "false"]);
    assert_eq!(code(&output), 1);
    assert_eq!(outcomes(&sandbox), [0, 1, 0]);
}

#[test]
fn a_command_that_replaces_its_store_is_counted_in_what_is_there_then() {
    let sandbox = Sandbox::new();
    let program = super::support::PROGRAM;
    let script = format!("mv store old; {program} init --stripes 1 && exit 5");
    assert_eq!(run(&sandbox, &[], &script), 5);
    assert_eq!(outcomes(&sandbox), [0, 1, 0]);
    let old = sandbox.path("old").display().to_string();
    let old = sandbox.json(&["--store", &old, "show", "--json"]);
    assert_eq!(old["commit_failed"], 0);
}

#[test]
fn a_lock_that_somebody_else_has_keeps_nobody_for_longer_than_its_deadline() {
    let sandbox = Sandbox::new();
    assert_eq!(run(&sandbox, &[], "exit 0"), 0);
    let lock = std::fs::File::open(sandbox.path("store/live/lock")).unwrap();
    lock.lock().unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(run(&sandbox, &[], "exit 7"), 7);
    let output = sandbox.output(&["doctor"]);
    assert_eq!(code(&output), 3, "{output:?}");
    let path = sandbox.path("store").display().to_string();
    assert!(stderr(&output).contains(&path), "{output:?}");
    // Two commands of ten seconds each, and half as much again for a slow machine.
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    drop(lock);
    assert_eq!(sandbox.value("commit_failed", &json!({})), 1);
}

#[test]
fn the_command_may_count_and_rotate_the_same_store_itself() {
    let sandbox = Sandbox::new();
    let program = super::support::PROGRAM;
    let script = format!("{program} inc commit_success && {program} rotate && {program} inc a");
    assert_eq!(run(&sandbox, &[], &script), 0);
    assert_eq!(outcomes(&sandbox), [1, 0, 0]);
    assert_eq!(sandbox.value("a", &json!({})), 1);
}

/// How many processes run a job, and what the gauge of running jobs shows.
fn in_flight(sandbox: &Sandbox) -> (u64, f64) {
    let now = sandbox.json(&["show", "--json"]);
    let gauge = series(&now, "runs_in_flight", &json!({ "job": "job" }));
    let shares = &gauge["value"];
    let processes = shares["processes"].as_u64();
    (
        processes.unwrap_or(0),
        shares["sum"].as_f64().unwrap_or(0.0),
    )
}

#[test]
fn a_run_is_in_flight_until_it_ends_even_if_it_is_killed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let start = || {
        let mut run = sandbox.deespec(&["run", "--name", "job", "--", "cat"]);
        run.stdin(Stdio::piped()).spawn().unwrap()
    };
    let (mut one, mut other) = (start(), start());
    ends("both are in flight", || {
        (in_flight(&sandbox) == (2, 2.0)).then_some(())
    });
    one.kill().unwrap();
    one.wait().unwrap();
    assert_eq!(in_flight(&sandbox), (1, 1.0));
    assert!(sandbox.ok(&["show"]).contains("1  gauge, 1 process"));
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    assert_eq!(in_flight(&sandbox), (0, 0.0));
    assert!(!sandbox.ok(&["show"]).contains("runs_in_flight"));
    // What was killed was not counted: how it would have ended, nobody knows.
    assert_eq!(outcomes(&sandbox), [1, 0, 0]);
}

#[test]
fn what_others_declared_about_the_metrics_of_runs_is_no_reason_not_to_run() {
    let sandbox = Sandbox::new();
    let buckets = ["--buckets", "1,60", "--help-text", "Ours."];
    let mut declare = vec!["declare", "histogram", "run_seconds"];
    declare.extend_from_slice(&buckets);
    sandbox.ok(&declare);
    sandbox.ok(&["declare", "counter", "runs_total", "--help-text", "Ours."]);
    assert_eq!(run(&sandbox, &[], "exit 0"), 0);
    assert_eq!(outcomes(&sandbox), [1, 0, 0]);
    let now = sandbox.json(&["show", "--json"]);
    let seconds = series(&now, "run_seconds", &json!({ "job": "job" }));
    assert_eq!(seconds["value"]["buckets"], json!([[null, 1.0, 1]]));

    // As another kind it cannot be counted, so nothing is started.
    let other = Sandbox::new();
    other.ok(&["inc", "run_seconds"]);
    let output = other.output(&["run", "--", "touch", "started"]);
    assert_eq!(code(&output), 125);
    assert!(!other.path("started").exists());
}

#[test]
fn a_command_that_removes_the_store_is_counted_in_the_one_that_is_there_then() {
    for (script, exit) in [
        ("rm -r \"$DEESPEC_STORE\"", 0),
        ("mv \"$DEESPEC_STORE\" elsewhere; exit 7", 7),
    ] {
        let sandbox = Sandbox::new();
        sandbox.ok(&["inc", "other_total"]);
        let output = sandbox.output(&["run", "--name", "job", "--", "sh", "-c", script]);
        assert_eq!(code(&output), exit);
        let said = stderr(&output);
        let path = sandbox.path("store").display().to_string();
        assert!(
            said.contains("removed or replaced") && said.contains(&path),
            "{said}"
        );
        let expected = if exit == 0 { [1, 0, 0] } else { [0, 1, 0] };
        assert_eq!(outcomes(&sandbox), expected);
    }
}

#[test]
fn an_outcome_that_can_be_counted_nowhere_is_said_to_be_lost() {
    let sandbox = Sandbox::new();
    let script = "rm -r \"$DEESPEC_STORE\"; touch \"$DEESPEC_STORE\"; exit 5";
    let output = sandbox.output(&["run", "--name", "job", "--", "sh", "-c", script]);
    assert_eq!(code(&output), 5);
    let said = stderr(&output);
    let path = sandbox.path("store").display().to_string();
    assert!(
        said.contains("ERROR") && said.contains("is lost") && said.contains(&path),
        "{said}"
    );
    assert!(!said.contains("is counted"), "{said}");
}
