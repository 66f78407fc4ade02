//! A real Prometheus scrapes the server while processes count and are killed.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Instant, SystemTime};

use deespec::{Options, Store};

use crate::prometheus::{LIMIT, Server as Prometheus};
use crate::support::Sandbox;

use super::Server;

/// Processes that count at once.
const PROCESSES: usize = 8;
/// Samples that each of the two series is to have at least.
const SAMPLES: usize = 30;
/// Over so many samples a rate is asked for.
const WINDOW: usize = 10;
/// Seconds by which Prometheus moves the time of a scrape to keep its interval, and the rounding to milliseconds.
const MOVED: f64 = 0.005;

/// A shell that counts until it is killed. After each count that returned it adds a byte to the file.
fn counter(sandbox: &Sandbox, returned: &Path) -> Child {
    let mut command = sandbox.command("sh");
    let program = crate::support::PROGRAM;
    let script =
        "while :; do \"$0\" inc jobs_total && printf . >>\"$1\" && \"$0\" inc commit_success; done";
    command.args(["-c", script, program]).arg(returned);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// What was counted, as the library reads it: not before `from` and not after `to`.
struct Truth {
    from: f64,
    to: f64,
    total: f64,
}

impl Truth {
    fn of(store: &Store) -> Self {
        let from = now();
        let view = store.view().unwrap();
        let total = &view.sample("jobs_total", &[]).unwrap().total;
        Self {
            from,
            total: total.counter().unwrap() as f64,
            to: now(),
        }
    }
}

/// Seconds since 1970, as Prometheus has them.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// The samples of a series with their times.
fn samples(prometheus: &Prometheus, name: &str) -> Vec<(f64, f64)> {
    let found = prometheus.query(&format!("{name}[5m]"));
    let values = found
        .first()
        .and_then(|one| one["values"].as_array().cloned());
    let sample = |sample: &serde_json::Value| {
        let value = sample[1].as_str().unwrap().parse().unwrap();
        (sample[0].as_f64().unwrap(), value)
    };
    values.unwrap_or_default().iter().map(sample).collect()
}

#[test]
fn no_sample_is_lower_than_one_before_it_while_processes_count_and_are_killed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total"]);
    let store = Options::new().background_sync(None);
    let store = Store::open_with(sandbox.path("store"), &store).unwrap();
    let server = Server::start(&sandbox, &[]);
    let folder = sandbox.path("prometheus");
    std::fs::create_dir(&folder).unwrap();
    let returned = sandbox.path("returned");
    std::fs::write(&returned, "").unwrap();
    let prometheus = Prometheus::start(&folder, server.address, &["metrics"], &[]);
    let begun = Instant::now();
    while prometheus.values("jobs_total") != [1.0] {
        assert!(
            begun.elapsed() < LIMIT,
            "Prometheus never had the first count"
        );
        std::thread::yield_now();
    }
    let mut truths = vec![Truth::of(&store)];
    let mut running: Vec<Child> = (0..PROCESSES)
        .map(|_| counter(&sandbox, &returned))
        .collect();
    let mut killed = 0;
    while samples(&prometheus, "jobs_total").len() < SAMPLES || killed < 5 {
        assert!(begun.elapsed() < LIMIT, "Prometheus has too few samples");
        let mut victim = running.remove(killed % PROCESSES);
        victim.kill().unwrap();
        victim.wait().unwrap();
        killed += 1;
        running.push(counter(&sandbox, &returned));
        truths.push(Truth::of(&store));
        // Epochs are closed meanwhile; what is scraped goes on.
        if killed % 5 == 0 {
            sandbox.ok(&["rotate"]);
        }
    }
    for mut child in running {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Who was started by a shell that is killed may count once more; so what it is in the end is asked of the
    // store, until Prometheus has the same.
    let end = loop {
        let truth = Truth::of(&store).total;
        if prometheus.values("jobs_total") == [truth] {
            break truth;
        }
        assert!(begun.elapsed() < LIMIT, "Prometheus never had {truth}");
        std::thread::yield_now();
    };
    // Every count that returned is there, and each shell may have been killed before it could say so.
    let returned = std::fs::metadata(&returned).unwrap().len() as f64;
    let more = (end - 1.0) - returned;
    let shells = (killed + PROCESSES) as f64;
    assert!((0.0..=shells).contains(&more), "{end}, {returned} returned");

    for name in ["jobs_total", "commit_success_total"] {
        let samples = samples(&prometheus, name);
        let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
        assert!(values.is_sorted(), "{name}: {values:?}");
        assert!(values.last() > values.first(), "{name}: {values:?}");
        assert_eq!(prometheus.values(&format!("resets({name}[5m])")), [0.0]);
    }
    let samples = samples(&prometheus, "jobs_total");
    assert_samples_are_true(&prometheus, &samples, &truths);
    assert_rates_are_right(&prometheus, &samples, end);
}

/// Each sample lies between what was counted before its scrape and what was counted after it.
fn assert_samples_are_true(prometheus: &Prometheus, samples: &[(f64, f64)], truths: &[Truth]) {
    let durations = self::samples(prometheus, "scrape_duration_seconds");
    let mut between = 0;
    for (at, value) in samples {
        let took = durations.iter().find(|(of, _)| of == at);
        let ended = at + took.map_or(f64::INFINITY, |(_, took)| *took);
        let before = truths.iter().filter(|truth| truth.to < at - MOVED);
        let after = truths.iter().filter(|truth| truth.from > ended + MOVED);
        let least = before.map(|truth| truth.total).fold(0.0, f64::max);
        let most = after.map(|truth| truth.total).fold(f64::INFINITY, f64::min);
        assert!(
            (least..=most).contains(value),
            "{value} at {at} is not between {least} and {most}"
        );
        between += usize::from(least > 1.0 && most.is_finite());
    }
    assert!(between >= WINDOW, "{between} of {}", samples.len());
}

/// What Prometheus says was counted, and how fast, is what was counted.
fn assert_rates_are_right(prometheus: &Prometheus, samples: &[(f64, f64)], end: f64) {
    // From the first sample to the last; a millisecond more, since a window may be open on the left.
    let ask = |function: &str, from: &(f64, f64), to: &(f64, f64)| {
        let window = ((to.0 - from.0) * 1000.0).round() as u64 + 1;
        let asked = format!("{function}(jobs_total[{window}ms] @ {:.3})", to.0);
        let answer = prometheus.values(&asked);
        let [answer] = answer[..] else {
            panic!("{asked}: {answer:?}");
        };
        answer
    };
    let is_near = |one: f64, other: f64| (one - other).abs() <= 1e-3 * other;
    let (first, last) = (&samples[0], samples.last().unwrap());
    let increase = ask("increase", first, last);
    assert!(is_near(increase, end - 1.0), "{increase} of {}", end - 1.0);
    for window in samples.windows(WINDOW) {
        let (from, to) = (&window[0], &window[WINDOW - 1]);
        let counted = (to.1 - from.1) / (to.0 - from.0);
        let rate = ask("rate", from, to);
        assert!(is_near(rate, counted), "{rate} and {counted} at {}", to.0);
    }
}
