//! Histograms: each observation in its bucket, a sum that is exact in any order, and both in epochs.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use deespec::{Buckets, Distribution, Document, Family, Histogram, Rotate, Store};

use crate::puppet::Puppet;
use crate::roles;
use crate::support::{folder, quiet};

/// Numbers that look random and are the same each time.
fn random(seed: u64) -> impl Iterator<Item = u64> {
    let mut word = seed;
    std::iter::repeat_with(move || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word
    })
}

/// In steps of 0.01, so that sums are known without rounding.
fn cents() -> Buckets {
    let buckets = Buckets::native(2, 1.0, 1000.0).unwrap();
    buckets.with_resolution(0.01).unwrap()
}

fn declared(store: &Store, buckets: Buckets) -> Histogram {
    store.declare(&Family::histogram("work", buckets)).unwrap();
    store.histogram("work").unwrap()
}

fn found(store: &Store) -> Distribution {
    let view = store.view().unwrap();
    let sample = view.sample("work", &[]).unwrap();
    sample.value.histogram().unwrap().clone()
}

fn of(document: &Document) -> Option<&Distribution> {
    let series = document.series.iter().find(|series| series.name == "work");
    series?.value.histogram()
}

/// The bucket that holds a value, found by trying each.
fn bucket_of(buckets: &Buckets, value: f64) -> usize {
    let holds = |index: &usize| {
        let (lower, upper) = buckets.bounds(*index);
        match buckets.zero_threshold() {
            Some(zero) if lower == -zero && upper == zero => value.abs() <= zero,
            // Those of the negative side hold their lower bound instead of their upper one.
            Some(zero) if upper <= -zero => lower <= value && value < upper,
            _ => (lower < value || lower == f64::NEG_INFINITY) && value <= upper,
        }
    };
    let mut all = (0..buckets.len()).filter(holds);
    let one = all.next().unwrap();
    assert_eq!(all.next(), None, "{value} is in two buckets");
    one
}

#[test]
fn every_observation_is_in_the_bucket_that_holds_it() {
    for buckets in [
        Buckets::seconds(),
        Buckets::native(0, 0.5, 64.0).unwrap(),
        Buckets::native(4, 1e-3, 1e3)
            .unwrap()
            .with_negative()
            .unwrap(),
        Buckets::classic([-5.0, -0.5, 0.0, 0.5, 5.0]).unwrap(),
        Buckets::classic([1.0]).unwrap(),
    ] {
        let folder = folder();
        let store = quiet().stripes(2).open(folder.path()).unwrap();
        let histogram = declared(&store, buckets.clone());
        let mut values: Vec<f64> = vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5e-324];
        for index in 0..buckets.len() {
            let (lower, upper) = buckets.bounds(index);
            for bound in [lower, upper] {
                values.extend([bound, bound.next_up(), bound.next_down()]);
            }
        }
        values.extend(random(7).take(2000).map(|word| {
            let magnitude = (word as f64 / u64::MAX as f64 * 60.0 - 30.0).exp2();
            if word & 1 == 0 { magnitude } else { -magnitude }
        }));
        let mut counts = vec![0; buckets.len()];
        for value in values {
            histogram.observe(value);
            counts[bucket_of(&buckets, value)] += 1;
        }
        let found = found(&store);
        assert_eq!(found.counts(), counts);
        assert_eq!(found.count(), counts.iter().sum::<u64>());
        // What is no number changes nothing.
        histogram.observe(f64::NAN);
        histogram.observe(-f64::NAN);
        assert_eq!(self::found(&store), found);
    }
}

#[test]
fn one_observation_adds_a_bounded_number_of_steps() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let histogram = declared(&store, cents());
    for value in [f64::INFINITY, 1e300, f64::NEG_INFINITY, f64::NEG_INFINITY] {
        histogram.observe(value);
    }
    assert_eq!(found(&store).steps(), 0);
    histogram.observe(-1.5);
    assert_eq!((found(&store).steps(), found(&store).sum()), (-150, -1.5));
    histogram.observe_duration(std::time::Duration::from_millis(2500));
    assert_eq!((found(&store).steps(), found(&store).count()), (100, 6));
}

#[test]
fn sums_are_exact_whoever_adds_in_whatever_order() {
    const EACH: usize = 4000;
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let histogram = declared(&store, cents());
    let cents_of = |word: u64| (word % 400_000) as i64 - 100_000;
    let mut expected = 0;
    let mut puppets = [(); 2].map(|()| Puppet::of(folder.path()));
    for (puppet, cents) in puppets.iter_mut().zip([-12_345_i64, 67_891]) {
        puppet.begin(&format!("observe work {} 1000", cents as f64 / 100.0));
        expected += cents * 1000;
    }
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let histogram = &histogram;
            let values: Vec<i64> = random(thread + 1).take(EACH).map(cents_of).collect();
            expected += values.iter().sum::<i64>();
            scope.spawn(move || {
                for cents in values {
                    histogram.observe(cents as f64 / 100.0);
                }
            });
        }
    });
    for puppet in &mut puppets {
        assert_eq!(puppet.hear(), "done");
    }
    let found = found(&store);
    assert_eq!((found.steps(), found.count()), (expected, 26_000));
    assert_eq!(found.sum(), expected as f64 / 100.0);
}

#[test]
fn what_the_epochs_observed_adds_up_to_the_total_exactly() {
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let histogram = declared(&store, cents());
    let done = AtomicBool::new(false);
    let mut closed = found(&store);
    let (count, steps) = std::thread::scope(|scope| {
        let observers: Vec<_> = (0..3)
            .map(|thread| {
                let (histogram, done) = (&histogram, &done);
                scope.spawn(move || {
                    let (mut count, mut steps) = (0, 0);
                    for word in random(thread + 1) {
                        let cents = word % 100_000;
                        histogram.observe(cents as f64 / 100.0);
                        (count, steps) = (count + 1, steps + cents as i64);
                        if count % 1000 == 0 && done.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    (count, steps)
                })
            })
            .collect();
        // A reader that is half way through when the epoch ends must not see a bucket go down.
        scope.spawn(|| {
            let mut last = (0, vec![0; cents().len()]);
            while !done.load(Ordering::Relaxed) {
                let view = store.view().unwrap();
                let sample = view.sample("work", &[]).unwrap();
                let seen = sample.value.histogram().unwrap();
                if view.epoch == last.0 {
                    let mut pairs = last.1.iter().zip(seen.counts());
                    assert!(
                        pairs.all(|(before, now)| before <= now),
                        "epoch {}",
                        view.epoch
                    );
                } else {
                    assert!(view.epoch > last.0);
                }
                last = (view.epoch, seen.counts().to_vec());
            }
        });
        for _ in 0..40 {
            let closing = store.rotate(Rotate::Reset).unwrap().closing;
            closed = closed.plus(of(&closing).unwrap()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let observed = observers.into_iter().map(|thread| thread.join().unwrap());
        observed.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    let view = store.view().unwrap();
    let sample = view.sample("work", &[]).unwrap();
    let all = closed.plus(sample.value.histogram().unwrap()).unwrap();
    assert_eq!(Some(&all), sample.total.histogram());
    assert_eq!((all.count(), all.steps()), (count, steps));
    // The closing snapshots say the same, and so does the record of the epochs.
    let files = store.snapshots().unwrap().into_iter();
    let files = files.map(|name| Document::read(&store.snapshot_path(name)).unwrap());
    let files: Vec<Distribution> = files.filter_map(|d| of(&d).cloned()).collect();
    let sum = files.iter().fold(0, |sum, closing| sum + closing.count());
    assert_eq!(sum, closed.count());
    let lines = crate::epochs::lines(folder.path());
    let total = lines.last().unwrap()["totals"].as_array().unwrap();
    let total = total.iter().find(|total| total["name"] == "work").unwrap();
    let total: Distribution = serde_json::from_value(total["total"].clone()).unwrap();
    assert_eq!(total, closed);
}

#[test]
fn a_view_never_shows_more_than_was_begun_nor_less_than_has_returned() {
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    let (begun, returned) = (AtomicU64::new(0), AtomicU64::new(0));
    let histogram = declared(&store, cents());
    std::thread::scope(|scope| {
        let observers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..30_000 {
                        begun.fetch_add(1, Ordering::SeqCst);
                        histogram.observe(1.0);
                        returned.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        while !observers.iter().all(|observer| observer.is_finished()) {
            let before = returned.load(Ordering::SeqCst);
            let seen = found(&store);
            let after = begun.load(Ordering::SeqCst);
            let count = seen.count();
            assert!(
                before <= count && count <= after,
                "{before} <= {count} <= {after}"
            );
            let steps = seen.steps() as u64;
            let within = before * 100 <= steps && steps <= after * 100;
            assert!(within, "{before} <= {steps} / 100 <= {after}");
        }
    });
    assert_eq!(
        (found(&store).count(), found(&store).steps()),
        (60_000, 6_000_000)
    );
}

#[test]
fn observers_that_are_killed_lose_nothing_that_returned() {
    const OBSERVERS: u64 = 4;
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    let mut acknowledged = 0;
    let mut observers: Vec<_> = (0..OBSERVERS)
        .map(|_| {
            let mut command = roles::command("observe", folder.path());
            command.stdin(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for observer in &mut observers {
        // Each returned observation is one mark.
        let mut marks = [0; 3000];
        observer
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut marks)
            .unwrap();
        acknowledged += marks.iter().filter(|mark| **mark == b'!').count() as u64;
    }
    for observer in &mut observers {
        observer.kill().unwrap();
        observer.wait().unwrap();
    }
    for observer in &mut observers {
        let mut rest = Vec::new();
        observer
            .stdout
            .as_mut()
            .unwrap()
            .read_to_end(&mut rest)
            .unwrap();
        acknowledged += rest.iter().filter(|mark| **mark == b'!').count() as u64;
    }
    let view = store.view().unwrap();
    let sample = view.sample("work_seconds", &[]).unwrap();
    let found = sample.value.histogram().unwrap();
    let lawful = acknowledged..=acknowledged + OBSERVERS;
    assert!(
        lawful.contains(&found.count()),
        "{} of {acknowledged}",
        found.count()
    );
    let quarter = 250_000_000;
    assert_eq!(found.steps() % quarter, 0);
    let summed = (found.steps() / quarter) as u64;
    assert!((found.count()..=acknowledged + OBSERVERS).contains(&summed));
}

#[test]
fn a_snapshot_is_restored_and_imported_with_every_bucket() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let histogram = declared(&store, cents());
    for word in random(3).take(500) {
        histogram.observe((word % 200_000) as f64 / 100.0 - 500.0);
    }
    let then = found(&store);
    let snapshot = store.snapshot().unwrap().path;
    (0..100).for_each(|_| histogram.observe(7.0));
    let restored = store.restore(&snapshot, "", false).unwrap();
    assert_eq!(found(&store), then);
    let left = of(&Document::read(&restored.path).unwrap())
        .unwrap()
        .clone();
    assert_eq!((left.count(), left.steps()), (600, then.steps() + 70_000));
    histogram.observe(1.0);
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(of(&closing).unwrap().count(), 501);

    let other_folder = crate::support::folder();
    let other = quiet().open(other_folder.path()).unwrap();
    other.import(&snapshot, false).unwrap();
    assert_eq!(found(&other), then);
    let copy = other_folder.path().join("copy.json");
    let mut again = fs::read_to_string(&snapshot).unwrap();
    again.truncate(again.rfind(",\n  \"check\"").unwrap());
    fs::write(&copy, again + "}").unwrap();
    other.import(&copy, false).unwrap();
    assert_eq!(found(&other), then.plus(&then).unwrap());
}

#[test]
fn other_buckets_are_refused_with_both_and_nothing_is_changed() {
    let (one, two) = (folder(), folder());
    let [store, other] = [&one, &two].map(|folder| quiet().open(folder.path()).unwrap());
    declared(&store, cents()).observe(5.0);
    declared(&other, Buckets::classic([1.0, 9.0]).unwrap()).observe(6.0);
    store.transactions().success.inc();
    let snapshot = store.snapshot().unwrap().path;
    let before = (found(&other), other.view().unwrap().transactions);
    for error in [
        other.import(&snapshot, false).map(drop).unwrap_err(),
        other.restore(&snapshot, "", true).map(drop).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains("\"work\""), "{text}");
        assert!(
            text.contains("native") && text.contains("classic"),
            "{text}"
        );
    }
    // Also after the next holder of the lock has settled what was begun.
    other.sync().unwrap();
    assert_eq!((found(&other), other.view().unwrap().transactions), before);
    assert_eq!(other.view().unwrap().epoch, 1);
    assert!(!two.path().join("live/restore.json").exists());
    assert!(!two.path().join("live/import.json").exists());
}

#[test]
fn large_histograms_are_stored_and_taken_over_by_a_new_store() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let buckets = Buckets::native(8, 1.0, 2000.0).unwrap();
    assert!(buckets.len() > 2048, "{} cells", buckets.len());
    let histogram = declared(&store, buckets);
    store.counter("after_total").unwrap().inc();
    (1..2000).for_each(|value| histogram.observe(f64::from(value)));
    let then = found(&store);
    assert_eq!(then.count(), 1999);
    store.sync().unwrap();
    let again = quiet().open(folder.path()).unwrap();
    assert_eq!(found(&again), then);

    let new = crate::support::folder();
    fs::copy(
        folder.path().join("metrics.json"),
        new.path().join("metrics.json"),
    )
    .unwrap();
    let store = quiet().open(new.path()).unwrap();
    assert_eq!(found(&store), then);
    assert_eq!(store.view().unwrap().value("after_total", &[]), Some(1));
}
