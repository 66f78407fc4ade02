//! Stores as they look after a day of work: with a history, epochs, histograms and a verdict.

use std::path::Path;
use std::time::{Duration, SystemTime};

use deespec::{Family, Options, Rotate, Store};

/// Snapshots of the history, and how far they lie apart.
const STEPS: u32 = 24;
const STEP: Duration = Duration::from_secs(3600);
/// After so many of them the epoch is closed.
const EPOCH: u32 = 8;

const JOBS: [&str; 4] = ["tests", "build", "deploy", "nightly report"];
const ROUTES: [&str; 5] = ["/", "/login", "/api/orders", "/api/orders/{id}", "/search"];
const ANSWERS: [(&str, &str); 6] = [
    ("GET", "200"),
    ("GET", "404"),
    ("POST", "201"),
    ("POST", "409"),
    ("PUT", "204"),
    ("DELETE", "500"),
];

/// Numbers that look as if they came from life, and are the same in each run.
struct Chance(u64);

impl Chance {
    /// Below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }

    /// Between 0 and 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "so small a number loses nothing"
    )]
    fn share(&mut self) -> f64 {
        self.below(1 << 20) as f64 / f64::from(1 << 20)
    }

    /// Durations have a long tail.
    fn seconds(&mut self, usual: f64) -> f64 {
        let sum: f64 = (0..6).map(|_| self.share()).sum();
        usual * (sum - 3.0).exp()
    }
}

/// A name of its own for each number.
fn name(names: &[&str], number: usize) -> String {
    match number / names.len() {
        0 => names[number].to_owned(),
        round => format!("{} {round}", names[number % names.len()]),
    }
}

/// Counts what happened in one step, in so many series.
fn work(store: &Store, series: usize, step: u32, chance: &mut Chance) {
    let transactions = store.transactions();
    let (bad, all) = (
        if step >= STEPS - 4 { 90 } else { 12 },
        400 + chance.below(300),
    );
    transactions.success.add(all * (1000 - bad) / 1000);
    transactions.failed.add(all * bad / 1000);
    transactions.conflicts.add(5 + chance.below(8));
    transactions
        .recoveries
        .add(u64::from(step.is_multiple_of(6)));
    for number in 0..series {
        let round = number / 8;
        let (job, route) = (name(&JOBS, round), name(&ROUTES, round / ANSWERS.len()));
        let (method, status) = ANSWERS[round % ANSWERS.len()];
        let labels = [("method", method), ("route", &route), ("status", status)];
        match number % 8 {
            0 => {
                let histogram = store
                    .histogram_with("run_seconds", &[("job", &job)])
                    .unwrap();
                (0..40).for_each(|_| histogram.observe(chance.seconds(4.0)));
            }
            kind @ (1 | 2) => {
                let (outcome, limit) = [("success", 90), ("failure", 6)][kind - 1];
                let labels = [("job", job.as_str()), ("outcome", outcome)];
                let counter = store.counter_with("runs_total", &labels).unwrap();
                counter.add(chance.below(limit));
            }
            3 => {
                let queue = name(&["mail", "invoices", "thumbnails"], round);
                let gauge = store
                    .gauge_with("queue_depth", &[("queue", &queue)])
                    .unwrap();
                gauge.set(f64::from(u32::try_from(chance.below(200)).unwrap()));
            }
            4 => {
                let labels = [("method", method), ("route", route.as_str())];
                let histogram = store
                    .histogram_with("http_request_seconds", &labels)
                    .unwrap();
                (0..60).for_each(|_| histogram.observe(chance.seconds(0.02)));
            }
            5 => {
                let counter = store.counter_with("http_requests_total", &labels).unwrap();
                counter.add(chance.below(40_000));
            }
            6 => {
                let cache = name(&["sessions", "prices", "avatars"], round);
                let counter = store
                    .counter_with("cache_hits_total", &[("cache", &cache)])
                    .unwrap();
                counter.add(chance.below(900_000));
            }
            _ => {
                let counter = store.counter_with("sent_bytes_total", &labels).unwrap();
                counter.add(chance.below(90_000_000));
            }
        }
    }
}

/// A store with a day of history in three epochs, this many series beside the built-in ones, and a gate that
/// fails; with 0 series it is new.
pub(crate) fn day(path: &Path, series: usize) {
    if series == 0 {
        Store::open(path).unwrap();
        return;
    }
    let mut chance = Chance(1);
    for step in 0..STEPS {
        let time = SystemTime::now() - STEP * (STEPS - step);
        // Whoever opens it later finds the clock further on.
        let store = Options::new().background_sync(None).fixed_clock(time);
        let store = store.open(path).unwrap();
        work(&store, series, step, &mut chance);
        if step % EPOCH == EPOCH - 1 && step + 1 < STEPS {
            store
                .rotate_because(Rotate::Reset, "nightly", &deespec::Retention::default())
                .unwrap();
        } else {
            store.snapshot().unwrap();
        }
    }
}

/// A store with nothing but this many counters.
pub(crate) fn counters(path: &Path, series: usize) {
    let store = Store::open(path).unwrap();
    let family = Family::counter("jobs_total").with_limit(20_000);
    store.declare(&family).unwrap();
    for number in 0..series {
        let number = format!("{number:05}");
        store
            .counter_with("jobs_total", &[("number", &number)])
            .unwrap()
            .inc();
    }
}
