//! A program that counts through the `metrics` facade: what its macros become in the store, and what
//! becomes of that which cannot be counted.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use deespec::recorder::{Gauges, Matcher, Recorder};
use deespec::{Aggregation, Buckets, Distribution, Family, Kind, Shape, Store};
use metrics::{
    Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use tempfile::TempDir;

use crate::roles;
use crate::support::{folder, quiet};

fn store() -> (TempDir, Store) {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    (folder, store)
}

fn counted(store: &Store, name: &str) -> Option<u64> {
    store.view().unwrap().value(name, &[])
}

fn gauged(store: &Store, name: &str) -> Option<f64> {
    let view = store.view().unwrap();
    view.sample(name, &[])?.value.gauge()
}

fn observed(store: &Store, name: &str) -> Distribution {
    let view = store.view().unwrap();
    let sample = view.sample(name, &[]).unwrap();
    sample.value.histogram().unwrap().clone()
}

fn rejected(store: &Store, metric: &str, reason: &str) -> Option<u64> {
    let labels = [("metric", metric), ("reason", reason)];
    let view = store.view().unwrap();
    view.value("deespec_recorder_rejected_total", &labels)
}

/// All that was rejected, whatever the reason.
fn rejected_in_all(store: &Store) -> u64 {
    let view = store.view().unwrap();
    let samples = view.series.iter();
    let rejected = samples.filter(|sample| sample.name == "deespec_recorder_rejected_total");
    rejected.filter_map(|sample| sample.value.counter()).sum()
}

/// What a process in the role `record` does.
pub(crate) fn record(store: &Store, absolute: &str) {
    with_local_recorder(&Recorder::new(store), || {
        for _ in 0..1000 {
            counter!("raced_total").increment(1);
            histogram!("raced_seconds").record(0.5);
        }
        counter!("ticks_total").absolute(absolute.parse().unwrap());
    });
}

#[test]
fn every_call_of_a_handle_is_counted() {
    let (_folder, store) = store();
    let recorder = Recorder::new(&store);
    with_local_recorder(&recorder, || {
        let jobs = counter!("jobs_total", "job" => "backup");
        jobs.increment(2);
        jobs.absolute(7);
        jobs.absolute(5);
        jobs.absolute(8);
        counter!("commit_success").increment(1);

        let depth = gauge!("depth");
        depth.set(10.0);
        depth.increment(2.5);
        depth.decrement(0.5);

        let seconds = histogram!("seconds");
        seconds.record(0.25);
        seconds.record(Duration::from_millis(750));
        seconds.record_many(2.0, 1000);
        seconds.record_many(3.0, 0);
    });
    let view = store.view().unwrap();
    assert_eq!(view.value("jobs_total", &[("job", "backup")]), Some(10));
    assert_eq!(view.transactions.success, 1);
    assert_eq!(gauged(&store, "depth"), Some(12.0));
    let seconds = observed(&store, "seconds");
    assert_eq!((seconds.count(), seconds.sum()), (1002, 2001.0));
    assert_eq!(rejected_in_all(&store), 0);
}

#[test]
fn names_become_lawful_and_those_that_become_one_count_together() {
    let (_folder, store) = store();
    with_local_recorder(&Recorder::new(&store), || {
        counter!("http.requests-2xx", "user.id" => "7").increment(1);
        counter!("http/requests/2xx", "user-id" => "7").increment(2);
        counter!("5xx", "2" => "", "__x" => "é").increment(4);
        counter!("long", "l" => "v".repeat(2000)).increment(8);
    });
    let view = store.view().unwrap();
    assert_eq!(
        view.value("http_requests_2xx", &[("user_id", "7")]),
        Some(3)
    );
    assert_eq!(view.value("_5xx", &[("_2", ""), ("_x", "é")]), Some(4));
    let cut = format!("{}…", "v".repeat(1021));
    assert_eq!(view.value("long", &[("l", &cut)]), Some(8));
    assert_eq!(rejected_in_all(&store), 0);
}

#[test]
fn each_call_that_cannot_be_counted_is_rejected_with_its_reason() {
    let (_folder, store) = store();
    let strict = Family::counter("strict_total").with_labels(["job"]);
    store.declare(&strict).unwrap();
    let long = "n".repeat(256);
    with_local_recorder(&Recorder::new(&store), || {
        counter!("taken").increment(1);
        for _ in 0..3 {
            gauge!("taken").set(1.0);
            histogram!("taken").record(1.0);
        }
        let held = gauge!("taken");
        held.increment(1.0);
        held.decrement(1.0);
        histogram!("taken").record_many(1.0, 100);

        counter!("").increment(1);
        counter!(long.clone()).absolute(1);
        counter!("strict_total").increment(1);
        counter!("twice", "a.b" => "1", "a_b" => "2").increment(1);
        let many: Vec<Label> = (0..33).map(|i| Label::new(format!("l{i}"), "")).collect();
        counter!("many", many).increment(1);
        histogram!("buckets", "le" => "1").record(1.0);
        histogram!("numbers").record(f64::NAN);
        histogram!("numbers").record_many(f64::NAN, 4);
        histogram!("numbers").record(1.0);

        // What DeeSpec tells of itself is no program's to tell.
        counter!("deespec.overflow.total").increment(1);
        counter!("deespec_recorder_rejected_total", "metric" => "taken", "reason" => "kind")
            .increment(1000);
        gauge!("deespec_depth").set(1.0);
        describe_counter!("deespec_overflow_total", "Mine.");
    });
    assert_eq!(counted(&store, "deespec_overflow_total"), None);
    assert_eq!(counted(&store, "taken"), Some(1));
    assert_eq!(observed(&store, "numbers").count(), 1);
    for (metric, reason, calls) in [
        ("taken", "kind", 108),
        ("", "name", 1),
        (&long, "name", 1),
        ("strict_total", "labels", 1),
        ("twice", "labels", 1),
        ("many", "labels", 1),
        ("buckets", "labels", 1),
        ("numbers", "value", 5),
        ("deespec_overflow_total", "reserved", 2),
        ("deespec_recorder_rejected_total", "reserved", 1),
        ("deespec_depth", "reserved", 1),
    ] {
        assert_eq!(rejected(&store, metric, reason), Some(calls), "{metric}");
    }
    assert_eq!(rejected_in_all(&store), 123);
}

#[test]
fn what_the_store_cannot_take_is_tried_again_later() {
    let folder = folder();
    let path = folder.path().join("var");
    let deadline = Duration::from_millis(20);
    let store = quiet().lock_deadline(deadline).open(&path).unwrap();
    let recorder = Recorder::new(&store).retry(Duration::ZERO);
    let patient = Recorder::new(&store);
    for recorder in [&recorder, &patient] {
        with_local_recorder(recorder, || counter!("known_total").increment(1));
    }
    let lock = std::fs::File::open(path.join("live/lock")).unwrap();
    lock.lock().unwrap();
    let held = with_local_recorder(&recorder, || {
        counter!("known_total").increment(1);
        let held = counter!("new_total");
        held.increment(1);
        held
    });
    with_local_recorder(&patient, || counter!("new_total").increment(1));
    lock.unlock().unwrap();
    with_local_recorder(&recorder, || counter!("new_total").increment(1));
    with_local_recorder(&patient, || counter!("new_total").increment(1));
    held.increment(1);
    assert_eq!(counted(&store, "known_total"), Some(3));
    assert_eq!(counted(&store, "new_total"), Some(1));
    let view = store.view().unwrap();
    let name = "deespec_recorder_rejected_total";
    assert_eq!(view.value(name, &[("reason", "store")]), Some(4));
}

#[test]
fn a_description_is_kept_whether_it_comes_before_or_after_the_first_use() {
    let (_folder, store) = store();
    let recorder = Recorder::new(&store);
    with_local_recorder(&recorder, || {
        describe_counter!("sent.bytes.total", Unit::Bytes, "What was sent.");
        counter!("sent.bytes.total").increment(1);

        histogram!("wait_seconds").record(1.0);
        describe_histogram!("wait_seconds", Unit::Seconds, "Waiting.");

        gauge!("latency").set(1.0);
        describe_gauge!("latency", Unit::Milliseconds, "Delay.");

        describe_counter!("only_described_total", Unit::Count, "Nothing yet.");
        describe_counter!("nothing_said_total", Unit::Count, "");
    });
    let view = store.view().unwrap();
    for (name, kind, unit, help) in [
        ("sent_bytes_total", Kind::Counter, "bytes", "What was sent."),
        ("wait_seconds", Kind::Histogram, "seconds", "Waiting."),
        ("latency", Kind::Gauge, "", "Delay. Unit: milliseconds."),
    ] {
        let family = view.family(name).unwrap();
        assert_eq!((family.kind(), family.unit()), (kind, unit), "{name}");
        assert_eq!(family.help(), help);
    }
    let described = store.family("only_described_total").unwrap();
    assert_eq!(described.help(), "Nothing yet.");
    assert_eq!(store.family("nothing_said_total"), None);
    assert_eq!(gauged(&store, "latency"), Some(1.0));
    assert_eq!(rejected_in_all(&store), 0);
}

#[test]
fn the_first_description_stays_and_others_are_noted() {
    let (folder, store) = store();
    let other = quiet().open(folder.path().join("var")).unwrap();
    let recorders = [Recorder::new(&store), Recorder::new(&other)];
    for recorder in &recorders {
        with_local_recorder(recorder, || {
            describe_counter!("jobs_total", "Jobs.");
            describe_counter!("jobs_total", "Jobs.");
        });
    }
    assert_eq!(rejected_in_all(&store), 0);
    with_local_recorder(&recorders[1], || {
        describe_counter!("jobs_total", "All jobs.");
        describe_gauge!("jobs_total", "Jobs.");
        counter!("jobs_total").increment(1);
        counter!("plain").increment(1);
        describe_histogram!("plain", "No histogram.");
        describe_counter!("", "No name.");
    });
    assert_eq!(store.family("jobs_total").unwrap().help(), "Jobs.");
    assert_eq!(counted(&store, "jobs_total"), Some(1));
    assert_eq!(rejected(&store, "jobs_total", "description"), Some(2));
    assert_eq!(rejected(&store, "plain", "description"), Some(1));
    assert_eq!(rejected(&store, "", "description"), Some(1));
}

#[test]
fn a_program_may_choose_and_what_the_store_has_already_stays() {
    let (_folder, store) = store();
    let small = Buckets::classic([1.0, 2.0]).unwrap();
    let bytes = Buckets::native(2, 64.0, 1e9).unwrap();
    store.declare(&Family::gauge("common")).unwrap();
    let known = Family::histogram("known_bytes", small.clone());
    store.declare(&known).unwrap();
    let recorder = Recorder::new(&store)
        .gauges(Gauges::PerProcess(Aggregation::Max))
        .buckets(small.clone())
        .buckets_for(Matcher::Suffix(".bytes"), bytes.clone());
    with_local_recorder(&recorder, || {
        gauge!("common").set(3);
        gauge!("own").set(4);
        histogram!("sent.bytes").record(100);
        describe_histogram!("read.bytes", Unit::Bytes, "What was read.");
        histogram!("read.bytes").record(100);
        histogram!("known.bytes").record(100);
        histogram!("other").record(1.5);
    });
    with_local_recorder(&Recorder::new(&store).gauges(Gauges::Shared), || {
        gauge!("own").increment(1);
        gauge!("shared").set(5);
    });
    let shape = |name| store.family(name).unwrap().shape().clone();
    assert_eq!(shape("common"), Shape::Gauge);
    assert_eq!(shape("own"), Shape::ProcessGauge(Aggregation::Max));
    assert_eq!(shape("shared"), Shape::Gauge);
    let gauges = ["common", "own", "shared"].map(|name| gauged(&store, name));
    assert_eq!(gauges, [Some(3.0), Some(5.0), Some(5.0)]);
    for (name, buckets) in [
        ("sent_bytes", &bytes),
        ("read_bytes", &bytes),
        ("known_bytes", &small),
        ("other", &small),
    ] {
        assert_eq!(shape(name), Shape::Histogram(buckets.clone()), "{name}");
        assert_eq!(observed(&store, name).count(), 1);
    }
    assert_eq!(rejected_in_all(&store), 0);
}

#[test]
fn threads_and_recorders_that_give_absolute_values_at_once_make_the_largest() {
    let (folder, store) = store();
    let again = quiet().open(folder.path().join("var")).unwrap();
    let recorders = [Recorder::new(&store), Recorder::new(&again)];
    thread::scope(|scope| {
        for number in 0..8_u64 {
            let recorder = &recorders[number as usize % 2];
            scope.spawn(move || {
                with_local_recorder(recorder, || {
                    for step in 0..20_000 {
                        // Up and down, differently in each thread, and one of them reaches the top.
                        let value = (step * (2 * number + 1)) % 20_000;
                        counter!("ticks.total").absolute(value);
                        counter!("ticks_total").absolute(value + 1);
                    }
                });
            });
        }
    });
    assert_eq!(counted(&store, "ticks_total"), Some(20_000));
}

#[test]
fn threads_that_use_new_series_at_once_lose_nothing() {
    let (_folder, store) = store();
    let recorder = Recorder::new(&store);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                with_local_recorder(&recorder, || {
                    for series in 0..300 {
                        let series = series.to_string();
                        counter!("made_total", "number" => series.clone()).increment(1);
                        histogram!("made_seconds", "number" => series).record(1.0);
                    }
                });
            });
        }
    });
    let view = store.view().unwrap();
    let all = |name| view.series.iter().filter(move |sample| sample.name == name);
    let counters: Vec<_> = all("made_total").map(|s| s.value.counter()).collect();
    assert_eq!(counters, vec![Some(4); 300]);
    let counts = all("made_seconds").map(|s| s.value.histogram().map(Distribution::count));
    assert_eq!(counts.collect::<Vec<_>>(), vec![Some(4); 300]);
    assert_eq!(rejected_in_all(&store), 0);
}

#[test]
fn absolute_values_of_two_processes_and_of_one_that_was_restarted_add_up() {
    let (_folder, store) = store();
    roles::race(&["record 10", "record 10"], store.path());
    assert_eq!(counted(&store, "ticks_total"), Some(20));
    roles::race(&["record 7"], store.path());
    assert_eq!(counted(&store, "ticks_total"), Some(27));
    assert_eq!(counted(&store, "raced_total"), Some(3000));
    let seconds = observed(&store, "raced_seconds");
    assert_eq!((seconds.count(), seconds.sum()), (3000, 1500.0));
}

#[test]
fn two_stores_in_one_process_have_absolute_values_of_their_own() {
    let (first, second) = (store(), store());
    for (_, store) in [&first, &second] {
        with_local_recorder(&Recorder::new(store), || {
            counter!("ticks_total").absolute(5);
        });
        assert_eq!(counted(store, "ticks_total"), Some(5));
    }
}

#[test]
fn the_share_of_a_process_in_a_gauge_goes_with_it() {
    let (_folder, store) = store();
    let recorder = Recorder::new(&store);
    with_local_recorder(&recorder, || gauge!("in_flight").set(2));
    let mut child = roles::command("gauge 5", store.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("role: ready")));
    assert_eq!(gauged(&store, "in_flight"), Some(7.0));
    drop(child.stdin.take());
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    assert_eq!(gauged(&store, "in_flight"), Some(2.0));
}

#[test]
fn a_program_installs_one_recorder() {
    let (_folder, store) = store();
    let child = roles::command("install", store.path()).spawn().unwrap();
    let said = roles::report(child);
    let expected = "this program has installed a recorder of the metrics facade already";
    assert_eq!(said, [expected]);
    assert_eq!(counted(&store, "installed_total"), Some(1));
}
