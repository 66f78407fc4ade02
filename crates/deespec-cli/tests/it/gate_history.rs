//! The history of runs where many write at once, where one is killed, and as other tools fill it.

use std::fs;
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;

use super::support::{Sandbox, code, find, stderr};

/// Nothing of the CI that runs the tests.
const VARIABLES: [&str; 5] = [
    "GITHUB_RUN_ID",
    "GITHUB_REF_NAME",
    "CI_PIPELINE_ID",
    "CI_COMMIT_REF_NAME",
    "DEESPEC_HOST_CLASS",
];

/// `deespec gate` in a sandbox without a store.
fn gate(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.deespec(&["gate"]);
    command.args(arguments).env_remove("DEESPEC_STORE");
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command
}

fn done(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let output = gate(sandbox, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

fn runs(sandbox: &Sandbox, history: &str) -> Vec<Value> {
    let shown = done(
        sandbox,
        &["history", "show", "--json", "--history", history],
    )
    .stdout;
    let mut shown: Value = serde_json::from_slice(&shown).unwrap();
    serde_json::from_value(shown["runs"].take()).unwrap()
}

fn ids(sandbox: &Sandbox, history: &str) -> Vec<String> {
    let runs = runs(sandbox, history);
    runs.iter()
        .map(|run| run["run"].as_str().unwrap().to_owned())
        .collect()
}

fn record(sandbox: &Sandbox, id: &str) -> Output {
    done(
        sandbox,
        &[
            "record",
            "--run",
            id,
            "--set",
            "x=1",
            "--history",
            "h.jsonl",
        ],
    )
}

#[test]
fn eight_processes_that_record_at_once_write_whole_lines() {
    let sandbox = Sandbox::new();
    thread::scope(|scope| {
        for writer in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for number in 0..25 {
                    let output = record(sandbox, &format!("{writer}-{number}"));
                    // Whoever reads meanwhile must not take an unfinished line for a killed writer's.
                    assert_eq!(stderr(&output), "");
                }
            });
        }
    });
    let text = fs::read_to_string(sandbox.path("h.jsonl")).unwrap();
    assert!(text.ends_with('\n'));
    assert_eq!(text.lines().count(), 200);
    let mut found = ids(&sandbox, "h.jsonl");
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 200);
}

#[test]
fn a_line_that_a_killed_writer_left_costs_no_other_run() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("h.jsonl");
    record(&sandbox, "1");
    record(&sandbox, "größer");
    let whole = fs::read(&path).unwrap();
    let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in second + 1..whole.len() - 1 {
        fs::write(&path, &whole[..end]).unwrap();
        if end % 8 == 0 || !whole[end].is_ascii() {
            record(&sandbox, "3");
            let shown = gate(&sandbox, &["history", "show", "--history", "h.jsonl"])
                .output()
                .unwrap();
            assert_eq!(code(&shown), 0);
            assert!(
                stderr(&shown).contains("h.jsonl:2: this line ends too early"),
                "{shown:?}"
            );
            assert_eq!(ids(&sandbox, "h.jsonl"), ["1", "3"]);
        }
    }
    // Where only the newline is missing, nothing is.
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    record(&sandbox, "3");
    assert_eq!(ids(&sandbox, "h.jsonl"), ["1", "größer", "3"]);
}

#[test]
fn runs_that_are_recorded_while_histories_are_merged_are_not_lost() {
    let sandbox = Sandbox::new();
    record(&sandbox, "first");
    fs::write(
        sandbox.path("other.jsonl"),
        "{\"run\": \"other\", \"value\": 1}\n",
    )
    .unwrap();
    thread::scope(|scope| {
        let merging = scope.spawn(|| {
            for _ in 0..25 {
                done(
                    &sandbox,
                    &[
                        "history",
                        "merge",
                        "h.jsonl",
                        "other.jsonl",
                        "--output",
                        "h.jsonl",
                    ],
                );
            }
        });
        for number in 0..25 {
            record(&sandbox, &number.to_string());
        }
        merging.join().unwrap();
    });
    assert_eq!(ids(&sandbox, "h.jsonl").len(), 27);
}

#[test]
fn ci_says_what_its_run_is_called() {
    let sandbox = Sandbox::new();
    let recorded = |variables: &[(&str, &str)]| {
        let mut command = gate(&sandbox, &["record", "--set", "x=1", "--json"]);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let github = [
        ("GITHUB_RUN_ID", "77"),
        ("GITHUB_REF_NAME", "main"),
        ("DEESPEC_HOST_CLASS", "big"),
    ];
    let found = recorded(&github);
    assert_eq!(
        (&found["run"], &found["branch"], &found["host_class"]),
        (&"77".into(), &"main".into(), &"big".into())
    );
    let found = recorded(&[("CI_PIPELINE_ID", "5"), ("CI_COMMIT_REF_NAME", "next")]);
    assert_eq!(
        (&found["run"], &found["branch"]),
        (&"5".into(), &"next".into())
    );
}

#[test]
fn what_hyperfine_writes_is_a_run() {
    let sandbox = Sandbox::new();
    let export = |arguments: &[&str]| {
        let mut command = sandbox.command(find("hyperfine"));
        command.args(["-N", "--runs", "3", "--export-json", "hyperfine.json"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    export(&[
        "true",
        "--command-name",
        "no op",
        "--ignore-failure",
        "false",
    ]);
    let import = [
        "history",
        "import",
        "hyperfine.json",
        "--run",
        "1",
        "--history",
        "h.jsonl",
    ];
    let output = done(&sandbox, &import);
    assert!(
        stderr(&output).contains("some of its runs failed"),
        "{output:?}"
    );
    let written: Value =
        serde_json::from_slice(&fs::read(sandbox.path("hyperfine.json")).unwrap()).unwrap();
    let runs_found = runs(&sandbox, "h.jsonl");
    let values = runs_found[0]["values"].as_object().unwrap();
    assert_eq!(values.len(), 1);
    assert_eq!(values["no_op_seconds"], written["results"][0]["median"]);
    let before = fs::read(sandbox.path("h.jsonl")).unwrap();
    done(&sandbox, &import);
    assert_eq!(fs::read(sandbox.path("h.jsonl")).unwrap(), before);
    // Another measurement of the same run is news.
    export(&[
        "--command-name",
        "no op",
        "true",
        "--command-name",
        "other",
        "true",
    ]);
    done(&sandbox, &import);
    assert_eq!(
        runs(&sandbox, "h.jsonl")[0]["values"]
            .as_object()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn what_google_benchmark_writes_is_a_run() {
    let sandbox = Sandbox::new();
    let source = r#"
        #include <benchmark/benchmark.h>
        static void Sum(benchmark::State& state) {
            for (auto _ : state) { for (int i = 0; i < state.range(0); ++i) benchmark::DoNotOptimize(i); }
        }
        BENCHMARK(Sum)->Arg(64)->Unit(benchmark::kMicrosecond)->MinTime(0.001);
        BENCHMARK(Sum)->Arg(4096)->MinTime(0.001);
        static void Broken(benchmark::State& state) { state.SkipWithError("on purpose"); for (auto _ : state) {} }
        BENCHMARK(Broken);
        BENCHMARK_MAIN();
    "#;
    fs::write(sandbox.path("sum.cc"), source).unwrap();
    let mut compiler = sandbox.command(find("c++"));
    compiler.args(["sum.cc", "-o", "sum", "-lbenchmark", "-lpthread"]);
    let output = compiler.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut values = Vec::new();
    for (file, repetitions) in [("once.json", "1"), ("thrice.json", "3")] {
        let mut sum = sandbox.command(sandbox.path("sum"));
        sum.arg(format!("--benchmark_out={file}"));
        sum.arg(format!("--benchmark_repetitions={repetitions}"));
        assert!(sum.output().unwrap().status.success());
        let history = format!("{file}l");
        let output = done(
            &sandbox,
            &["history", "import", file, "--history", &history],
        );
        assert!(stderr(&output).contains("Broken: it failed"), "{output:?}");
        let written: Value =
            serde_json::from_slice(&fs::read(sandbox.path(file)).unwrap()).unwrap();
        let run = runs(&sandbox, &history).remove(0);
        // The tool's date is the run's name.
        assert_eq!(run["run"], written["context"]["date"]);
        let found = run["values"].as_object().unwrap().clone();
        assert_eq!(found.len(), 2);
        let is_middle = |one: &&Value| one["aggregate_name"] == "median" || repetitions == "1";
        let benchmarks = written["benchmarks"].as_array().unwrap();
        let small = benchmarks
            .iter()
            .find(|one| one["run_name"].as_str().unwrap().starts_with("Sum/64/") && is_middle(one));
        let seconds = small.unwrap()["real_time"].as_f64().unwrap() * 1e-6;
        let value = found["Sum_64_min_time:0_001_seconds"].as_f64().unwrap();
        assert!((value / seconds - 1.0).abs() < 1e-9, "{value} {seconds}");
        values.push(value);
    }
    assert_ne!(values[0], values[1]);
}

#[test]
fn the_messages_of_cargo_criterion_are_a_run() {
    let sandbox = Sandbox::new();
    // By its documentation: https://bheisler.github.io/criterion.rs/book/cargo_criterion/external_tools.html
    let messages = r#"{"reason":"benchmark-complete","id":"norm/1","report_directory":"r","iteration_count":[30],"measured_values":[1.0],"unit":"ns","throughput":[],"typical":{"estimate":2.0,"lower_bound":1.0,"upper_bound":3.0,"unit":"ns"},"mean":{"estimate":2.0,"lower_bound":1.0,"upper_bound":3.0,"unit":"ns"},"median":{"estimate":1500.0,"lower_bound":1.0,"upper_bound":3.0,"unit":"ns"}}
{"reason":"group-complete","group_name":"norm","benchmarks":["norm/1"],"report_directory":"r"}
"#;
    fs::write(sandbox.path("messages.json"), messages).unwrap();
    done(
        &sandbox,
        &[
            "history",
            "import",
            "messages.json",
            "--run",
            "1",
            "--history",
            "h.jsonl",
        ],
    );
    let value = runs(&sandbox, "h.jsonl")[0]["values"]["norm_1_seconds"]
        .as_f64()
        .unwrap();
    assert!((value - 1.5e-6).abs() < 1e-18, "{value}");
}
