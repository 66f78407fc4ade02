//! What a real Prometheus server says about every kind of metric, compared with the truth. It asks for
//! native histograms, so it gets protobuf.

use std::cell::Cell;

use deespec::{Aggregation, Buckets, Family, Histogram, Store};

use crate::server::{Server, scraped};
use crate::support::{folder, quiet};

const PATHS: [&str; 2] = ["negotiated", "openmetrics"];
const FLAGS: [&str; 1] = ["--enable-feature=native-histograms"];

/// A thousand latencies over four powers of ten, and one that is beyond every bucket.
fn observations() -> Vec<f64> {
    let mut state = 7_u64;
    let mut all: Vec<f64> = (0..1000)
        .map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
            1e-3 * 10_f64.powf(4.0 * uniform)
        })
        .collect();
    all.push(1e6);
    all.sort_by(f64::total_cmp);
    all
}

/// The observation number ⌈q·n⌉ in ascending order.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[(q * sorted.len() as f64).ceil() as usize - 1]
}

fn histogram(store: &Store, name: &str, buckets: Buckets) -> Histogram {
    let family = Family::histogram(name, buckets).with_unit("seconds");
    store.declare(&family).unwrap();
    store.histogram(name).unwrap()
}

#[test]
fn a_real_prometheus_tells_what_was_counted_and_observed() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let late = store.counter("late_total").unwrap();
    let depth = store
        .gauge_with("queue_depth", &[("queue", "mail")])
        .unwrap();
    depth.set(-2.5);
    let share = Family::process_gauge("in_flight", Aggregation::Max);
    store.declare(&share).unwrap();
    let in_flight = store.process_gauge("in_flight").unwrap();
    in_flight.set(4.0).unwrap();
    store.info("build_info", &[("version", "1.4.0")]).unwrap();
    let bounds = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
    let native = histogram(&store, "native_seconds", Buckets::seconds());
    let classic = histogram(&store, "classic_seconds", Buckets::classic(bounds).unwrap());
    let observed = observations();

    scraped(folder.path(), &store, &PATHS, &FLAGS, |scraped| {
        let server = scraped.server;
        let waiting = |what: &str, query: &str, expected: &[f64]| {
            let is_so = |server: &Server| server.values(query) == expected;
            scraped.until(what, is_so, || {});
        };
        // An empty native histogram is one already. What is counted from now on is an increase, since
        // the counter was seen at 0.
        waiting(
            "an empty histogram is there",
            "histogram_count(native_seconds)",
            &[0.0],
        );
        waiting("the counter is there", "late_total", &[0.0; 2]);
        late.add(7);
        for value in &observed {
            native.observe(*value);
            classic.observe(*value);
        }
        waiting("the counter has grown", "late_total", &[7.0; 2]);
        let count = observed.len() as f64;
        waiting(
            "all is observed",
            "histogram_count(native_seconds)",
            &[count],
        );
        waiting("all is observed", "classic_seconds_count", &[count; 2]);
        waiting("the text has it too", "native_seconds_count", &[count]);

        for increase in server.values("increase(late_total[5m])") {
            assert!((7.0..14.0).contains(&increase), "{increase}");
        }
        assert!(
            server
                .values("rate(late_total[5m])")
                .iter()
                .all(|rate| *rate > 0.0)
        );
        assert_eq!(server.values("queue_depth{queue='mail'}"), [-2.5; 2]);
        assert_eq!(server.values("in_flight"), [4.0; 2]);
        assert_eq!(server.values("build_info{version='1.4.0'}"), [1.0; 2]);
        assert_eq!(server.values("min_over_time(up[5m])"), [1.0; 2]);

        let view = store.view().unwrap();
        let truth = |name: &str| {
            view.sample(name, &[])
                .unwrap()
                .total
                .histogram()
                .unwrap()
                .clone()
        };
        let (fine, coarse) = (truth("native_seconds"), truth("classic_seconds"));
        assert_eq!(server.values("histogram_sum(native_seconds)"), [fine.sum()]);
        assert_eq!(server.values("classic_seconds_sum"), [coarse.sum(); 2]);
        let checked = Cell::new(0);
        for q in [0.01, 0.1, 0.5, 0.75, 0.9, 0.99] {
            let exact = quantile(&observed, q);
            let check = |query: String, lower: f64, upper: f64, series: usize| {
                let answers = server.values(&query);
                assert_eq!(answers.len(), series, "{query}");
                for answer in answers {
                    assert!(
                        lower <= exact && exact <= upper,
                        "{query}: {lower} {exact} {upper}"
                    );
                    let slack = 1e-12 * upper;
                    let is_in = lower - slack <= answer && answer <= upper + slack;
                    assert!(is_in, "{query} = {answer}, not from {lower} to {upper}");
                    checked.set(checked.get() + 1);
                }
            };
            let fine = fine.quantile(q).unwrap();
            check(
                format!("histogram_quantile({q}, native_seconds)"),
                fine.lower,
                fine.upper,
                1,
            );
            let coarse = coarse.quantile(q).unwrap();
            let (lower, upper) = (coarse.lower.max(0.0), coarse.upper);
            check(
                format!("histogram_quantile({q}, classic_seconds_bucket)"),
                lower,
                upper,
                2,
            );
            // As text, a native histogram is known to the power of two.
            let (lower, upper) = (exact.log2().floor().exp2(), exact.log2().ceil().exp2());
            check(
                format!("histogram_quantile({q}, native_seconds_bucket)"),
                lower,
                upper,
                1,
            );
        }
        assert_eq!(checked.get(), 6 * 4);
    });
}
