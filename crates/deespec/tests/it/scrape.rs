//! A real Prometheus server scrapes a store that is counting while epochs are closed.

use deespec::Rotate;

use crate::server::{Server, scraped};
use crate::support::{folder, quiet};

#[test]
fn a_real_prometheus_sees_every_count_and_no_counter_go_down_over_rotations() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let label = "say \"x\\y\"\nä";
    let jobs = store
        .counter_with("jobs_total", &[("queue", label)])
        .unwrap();
    let paths = ["openmetrics", "prometheus"];
    scraped(folder.path(), &store, &paths, &[], |scraped| {
        let server = scraped.server;
        let count = || {
            jobs.inc();
            store.transactions().success.inc();
        };
        // Counted on all the time, and in each of three epochs scraped at least five times in both formats.
        for rotation in 0..3 {
            let scrapes = f64::from(5 * (rotation + 1));
            let is_scraped = |server: &Server| {
                let counts = server.values("count_over_time(jobs_total[5m])");
                counts.len() == 2 && counts.iter().all(|count| *count >= scrapes)
            };
            scraped.until("both formats were scraped in this epoch", is_scraped, count);
            if rotation < 2 {
                store.rotate(Rotate::Reset).unwrap();
            }
        }
        // Nobody counts any more: what Prometheus has is what was counted.
        let view = store.view().unwrap();
        let total = view.series[0].total.counter().unwrap();
        assert!(view.series[0].value.counter().unwrap() < total);
        for name in ["jobs_total", "commit_success_total"] {
            let is_there = |server: &Server| server.values(name) == [total as f64; 2];
            scraped.until("the last count was scraped", is_there, || {});
        }

        assert_eq!(server.values("min_over_time(up[5m])"), [1.0, 1.0]);
        assert_eq!(server.values("resets(jobs_total[5m])"), [0.0, 0.0]);
        assert_eq!(
            server.values("resets(commit_success_total[5m])"),
            [0.0, 0.0]
        );
        for series in server.query("jobs_total[5m]") {
            assert_eq!(series["metric"]["queue"], label);
            let samples = series["values"].as_array().unwrap();
            let values: Vec<f64> = samples
                .iter()
                .map(|sample| sample[1].as_str().unwrap().parse().unwrap())
                .collect();
            assert!(values.len() >= 15 && values.is_sorted(), "{values:?}");
        }
        let [created] = server.values("jobs_created")[..] else {
            panic!("OpenMetrics alone has the time of creation");
        };
        let truth = store.view().unwrap().series[0].created;
        let truth = truth.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!((created - truth.as_secs_f64()).abs() < 0.001);
    });
}
