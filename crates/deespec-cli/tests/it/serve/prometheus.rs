//! A real Prometheus scrapes the server while processes count and are killed.

use std::process::{Child, Stdio};
use std::time::Instant;

use crate::prometheus::{LIMIT, Server as Prometheus};
use crate::support::Sandbox;

use super::Server;

/// Processes that count at once.
const PROCESSES: usize = 8;
/// Samples that each of the two series is to have at least.
const SAMPLES: usize = 30;

/// A shell that counts until it is killed.
fn counter(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command("sh");
    let program = crate::support::PROGRAM;
    let script = "while :; do \"$0\" inc jobs_total && \"$0\" inc commit_success; done";
    command.args(["-c", script, program]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn no_sample_is_lower_than_one_before_it_while_processes_count_and_are_killed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total"]);
    let server = Server::start(&sandbox, &[]);
    let folder = sandbox.path("prometheus");
    std::fs::create_dir(&folder).unwrap();
    let prometheus = Prometheus::start(&folder, server.address, &["metrics"], &[]);
    let begun = Instant::now();
    let mut running: Vec<Child> = (0..PROCESSES).map(|_| counter(&sandbox)).collect();
    let mut killed = 0;
    let samples = |name: &str| -> Vec<f64> {
        let found = prometheus.query(&format!("{name}[5m]"));
        let values = found
            .first()
            .and_then(|one| one["values"].as_array().cloned());
        let number = |sample: &serde_json::Value| sample[1].as_str().unwrap().parse().unwrap();
        values.unwrap_or_default().iter().map(number).collect()
    };
    while samples("jobs_total").len() < SAMPLES {
        assert!(begun.elapsed() < LIMIT, "Prometheus has too few samples");
        let mut victim = running.remove(killed % PROCESSES);
        victim.kill().unwrap();
        victim.wait().unwrap();
        killed += 1;
        running.push(counter(&sandbox));
        // Epochs are closed meanwhile; what is scraped goes on.
        if killed % 5 == 0 {
            sandbox.ok(&["rotate"]);
        }
    }
    for mut child in running {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed >= 5, "{killed}");
    // Who was started by a shell that is killed may count once more; so what it is in the end is asked of the
    // store, until Prometheus has the same.
    loop {
        let truth = server.get("/api/v1/series?name=jobs_total").json()["series"][0]["total"]
            .as_f64()
            .unwrap();
        if prometheus.values("jobs_total") == [truth] {
            break;
        }
        assert!(begun.elapsed() < LIMIT, "Prometheus never had {truth}");
        std::thread::yield_now();
    }
    for name in ["jobs_total", "commit_success_total"] {
        let values = samples(name);
        assert!(values.is_sorted(), "{name}: {values:?}");
        assert!(values.last() > values.first(), "{name}: {values:?}");
        assert_eq!(prometheus.values(&format!("resets({name}[5m])")), [0.0]);
    }
    // The rate is that of the samples: what was counted between the first and the last of them.
    let values = samples("jobs_total");
    let grown = values.last().unwrap() - values.first().unwrap();
    let [increase] = prometheus.values("increase(jobs_total[5m])")[..] else {
        panic!("there is no increase");
    };
    assert!(
        (increase / grown - 1.0).abs() < 0.2,
        "{increase} and {grown}"
    );
}
