//! A real Prometheus server scrapes a store that is counting while epochs are closed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deespec::exposition::{openmetrics, prometheus};
use deespec::{Rotate, Store};
use serde_json::Value;

use crate::support::{folder, quiet};

/// How long the whole of it may take; usually it takes a few seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Ended by its own process id when the test ends, however that is.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// A Prometheus that scrapes both formats at `target` ten times a second.
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let scrape = |format: &str| {
            format!(
                "  - job_name: {format}\n    metrics_path: /{format}\n    static_configs:\n      \
                 - targets: ['{target}']\n"
            )
        };
        let config = format!(
            "global:\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\nscrape_configs:\n{}{}",
            scrape("openmetrics"),
            scrape("prometheus")
        );
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        let log = folder.join("log");
        for _ in 0..5 {
            // Free now. Whoever takes it in between makes Prometheus end, and we try another one.
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let child = Command::new("prometheus")
                .arg("--config.file=prometheus.yml")
                .arg("--storage.tsdb.path=data")
                .arg(format!("--web.listen-address={address}"))
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(&log).unwrap())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("prometheus: {error}; run `cargo xtask test`, which installs it")
                });
            let mut server = Self { child, address };
            let begun = Instant::now();
            while server.child.try_wait().unwrap().is_none() {
                if server.values("vector(1)") == [1.0] {
                    return server;
                }
                assert!(begun.elapsed() < LIMIT, "Prometheus does not answer");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("{}", std::fs::read_to_string(log).unwrap());
    }

    /// What a query gives; nothing as long as the server does not answer.
    fn query(&self, query: &str) -> Vec<Value> {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
            write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let Ok(answer) = ask() else {
            return Vec::new();
        };
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let Ok(body) = serde_json::from_str::<Value>(body) else {
            return Vec::new();
        };
        body["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// The values of a query, one for each series.
    fn values(&self, query: &str) -> Vec<f64> {
        let value = |one: &Value| one["value"][1].as_str().unwrap().parse().unwrap();
        self.query(query).iter().map(value).collect()
    }
}

/// Answers scrapes as a server would until the test is over.
fn serve(listener: &TcpListener, store: &Store, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut request = Vec::new();
        let mut part = [0; 1024];
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut part) {
                Ok(length) if length > 0 => request.extend_from_slice(&part[..length]),
                _ => break,
            }
        }
        let view = store.view().unwrap();
        store.flush().unwrap();
        let (kind, text) = if request.starts_with(b"GET /openmetrics ") {
            (openmetrics::CONTENT_TYPE, openmetrics::encode(&view))
        } else {
            (prometheus::CONTENT_TYPE, prometheus::encode(&view))
        };
        // A scraper that has gone asks again.
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
    }
}

#[test]
fn a_real_prometheus_sees_every_count_and_no_counter_go_down_over_rotations() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    let label = "say \"x\\y\"\nä";
    let jobs = store
        .counter_with("jobs_total", &[("queue", label)])
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = listener.local_addr().unwrap();
    let over = AtomicBool::new(false);
    /// Ends the other threads also when the test panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let ends = Over(&over);
        let serving = scope.spawn(|| serve(&listener, &store, &over));
        let server = Server::start(folder.path(), target);
        let begun = Instant::now();
        let until = |what: &str, ready: &dyn Fn() -> bool| {
            while !ready() {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                assert!(
                    begun.elapsed() < LIMIT,
                    "waited in vain until {what}\n{log}"
                );
                assert!(!serving.is_finished(), "nobody answers scrapes any more");
                jobs.inc();
                store.transactions().success.inc();
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        // Counted on all the time, and in each of three epochs scraped at least five times in both formats.
        for rotation in 0..3 {
            let scrapes = f64::from(5 * (rotation + 1));
            until("both formats were scraped in this epoch", &|| {
                let counts = server.values("count_over_time(jobs_total[5m])");
                counts.len() == 2 && counts.iter().all(|count| *count >= scrapes)
            });
            if rotation < 2 {
                store.rotate(Rotate::Reset).unwrap();
            }
        }
        // Nobody counts any more: what Prometheus has is what was counted.
        let view = store.view().unwrap();
        let total = view.series[0].total.counter().unwrap();
        assert!(view.series[0].value.counter().unwrap() < total);
        for name in ["jobs_total", "commit_success_total"] {
            while server.values(name) != [total as f64; 2] {
                assert!(begun.elapsed() < LIMIT, "{name}: {:?}", server.query(name));
                std::thread::sleep(Duration::from_millis(5));
            }
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
        drop(ends);
    });
}
