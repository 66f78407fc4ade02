//! A real Prometheus server. The tests of the command line use this file as well.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long the whole of it may take; usually it takes a few seconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Ended by its own process id when the test ends, however that is.
pub(crate) struct Server {
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
    /// A Prometheus that scrapes each of these paths at `target` ten times a second, as a job of that
    /// name.
    pub(crate) fn start(folder: &Path, target: SocketAddr, paths: &[&str], flags: &[&str]) -> Self {
        let scrape = |path: &&str| {
            format!(
                "  - job_name: {path}\n    metrics_path: /{path}\n    static_configs:\n      \
                 - targets: ['{target}']\n"
            )
        };
        let config = format!(
            "global:\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\nscrape_configs:\n{}",
            paths.iter().map(scrape).collect::<String>()
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
                .args(flags)
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
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
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
    pub(crate) fn values(&self, query: &str) -> Vec<f64> {
        let value = |one: &Value| one["value"][1].as_str().unwrap().parse().unwrap();
        self.query(query).iter().map(value).collect()
    }
}
