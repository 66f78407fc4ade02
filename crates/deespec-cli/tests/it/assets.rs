//! What Prometheus and Grafana are given: checked by Prometheus' own tool, and asked of a real Prometheus.

use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::prometheus::{LIMIT, Server as Prometheus};
use crate::serve::Server;
use crate::support::{Sandbox, find};

/// Runs promtool in the sandbox; it must say yes.
fn promtool(sandbox: &Sandbox, arguments: &[&str]) {
    let mut command: Command = sandbox.command(find("promtool"));
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

#[test]
fn the_rules_are_lawful_and_alert_when_they_should() {
    let sandbox = Sandbox::new();
    std::fs::write(
        sandbox.path("deespec.yml"),
        sandbox.ok(&["prometheus-rules"]),
    )
    .unwrap();
    promtool(&sandbox, &["check", "rules", "deespec.yml"]);
    std::fs::write(sandbox.path("test.yml"), include_str!("rules_test.yml")).unwrap();
    promtool(&sandbox, &["test", "rules", "test.yml"]);
}

#[test]
fn the_scrape_job_is_lawful_whatever_it_is_given() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("it's a token"), "0123456789abcdef").unwrap();
    let variants: [&[&str]; 3] = [
        &[],
        &[
            "--target",
            "db1:9464",
            "--target",
            "[::1]:80",
            "--interval",
            "5",
        ],
        &["--token-file", "it's a token"],
    ];
    for arguments in variants {
        let text = sandbox.ok(&[&["prometheus-config"], arguments].concat());
        std::fs::write(sandbox.path("prometheus.yml"), &text).unwrap();
        promtool(&sandbox, &["check", "config", "prometheus.yml"]);
    }
}

/// Whether a value is one that a panel should show.
type Lawful = fn(f64) -> bool;

/// The expressions of the dashboard's panels, with the panel's title.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            found.push((
                title.to_owned(),
                target["expr"].as_str().unwrap().to_owned(),
            ));
        }
    }
    found
}

#[test]
fn every_expression_of_the_dashboard_gives_what_it_should() {
    let sandbox = Sandbox::new();
    let dashboard: Value = sandbox.json(&["grafana"]);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["datasource", "job", "instance", "store"]);
    let server = Server::start(&sandbox, &[]);
    let folder = sandbox.path("prometheus");
    std::fs::create_dir(&folder).unwrap();
    let native = ["--enable-feature=native-histograms"];
    let prometheus = Prometheus::start(&folder, server.address, &["metrics"], &native);
    let begun = Instant::now();
    let samples = |name: &str| prometheus.values(&format!("count_over_time({name}[5m])"));
    let scrapes = || {
        samples("commit_success_total")
            .first()
            .copied()
            .unwrap_or_default()
    };
    // A command that runs until its input ends, which is when this test does.
    let mut runs = sandbox.deespec(&["run", "--name", "nightly", "--", "cat"]);
    let mut runs = runs
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Ten rounds, each of them scraped.
    for round in 1..=10 {
        for (name, count) in [
            ("commit_success", "8"),
            ("commit_failed", "2"),
            ("cas_conflicts", "3"),
            ("recovery_count", "1"),
        ] {
            sandbox.ok(&["inc", name, "--by", count]);
        }
        sandbox.ok(&["run", "--name", "quick", "--", "true"]);
        let before = scrapes();
        while scrapes() < before + 2.0 {
            assert!(begun.elapsed() < LIMIT, "round {round} was not scraped");
            std::thread::yield_now();
        }
    }
    let ask = |expression: &str| {
        let fixed = [
            ("$job", "metrics"),
            ("$instance", ".*"),
            ("$store", ".*"),
            ("$__rate_interval", "5m"),
        ];
        let expression = fixed
            .iter()
            .fold(expression.to_owned(), |text, (from, to)| {
                text.replace(from, to)
            });
        assert!(!expression.contains('$'), "{expression}");
        prometheus.values(&expression)
    };
    let expected: &[(&str, usize, Lawful)] = &[
        // The command that runs counts among the successes only at its end; the quick ones do at once.
        ("Success rate, all time", 0, |v| {
            (v - 90.0 / 110.0).abs() < 1e-9
        }),
        ("Commits", 0, |v| v == 90.0),
        ("Commits", 1, |v| v == 20.0),
        ("Conflicts", 0, |v| v == 30.0),
        ("Recoveries", 0, |v| v == 10.0),
        ("Servers", 0, |v| v == 1.0),
        ("Success rate", 0, |v| (0.75..0.9).contains(&v)),
        ("Transactions a second", 0, |v| v > 0.0),
        ("Transactions a second", 1, |v| v > 0.0),
        ("Transactions a second", 2, |v| v > 0.0),
        ("Transactions a second", 3, |v| v > 0.0),
        ("Commits a second by store", 0, |v| v > 0.0),
        ("What runs now", 0, |v| v == 1.0 || v == 0.0),
        ("Duration of runs", 0, |v| v > 0.0 && v < 60.0),
        ("Duration of runs", 1, |v| v > 0.0 && v < 60.0),
        ("Duration of runs", 2, |v| v > 0.0 && v < 60.0),
        ("Runs a second by outcome", 0, |v| v > 0.0),
    ];
    let all = expressions(&dashboard);
    assert_eq!(all.len(), expected.len());
    let mut numbers = std::collections::BTreeMap::new();
    for (title, expression) in &all {
        let number = numbers.entry(title.as_str()).or_insert(0);
        let lawful = expected
            .iter()
            .find(|(of, at, _)| of == title && at == number);
        let (_, _, lawful) = lawful.unwrap_or_else(|| panic!("{title} {number}"));
        // On a busy machine a scrape comes too late now and then, and the next one shows what is so.
        loop {
            let values = ask(expression);
            if !values.is_empty() && values.iter().all(|v| lawful(*v)) {
                break;
            }
            assert!(begun.elapsed() < LIMIT, "{title} {number}: {values:?}");
        }
        *number += 1;
    }
    while ask("sum(runs_in_flight{exported_job=\"nightly\"})") != [1.0] {
        assert!(
            begun.elapsed() < LIMIT,
            "the command that runs is not shown"
        );
    }
    drop(runs.stdin.take());
    assert!(runs.wait().unwrap().success());
}
