//! A real Prometheus server, and something that it scrapes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deespec::Store;
use deespec::exposition::{Format, negotiate};
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
    fn start(folder: &Path, target: SocketAddr, paths: &[&str], flags: &[&str]) -> Self {
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

/// What a test sees while its store is scraped.
pub(crate) struct Scraped<'a> {
    pub(crate) server: &'a Server,
    log: &'a Path,
    begun: Instant,
    is_answered: &'a dyn Fn() -> bool,
}

impl Scraped<'_> {
    /// Waits until something is so, and does something each time that it is not.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Server) -> bool, meanwhile: impl Fn()) {
        while !is_so(self.server) {
            let log = std::fs::read_to_string(self.log).unwrap_or_default();
            assert!(
                self.begun.elapsed() < LIMIT,
                "waited in vain until {what}\n{log}"
            );
            assert!((self.is_answered)(), "nobody answers scrapes any more");
            meanwhile();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Has a Prometheus with these flags scrape the store at these paths while the test runs. The paths
/// `openmetrics` and `prometheus` always give that text, any other what the scraper asks for.
pub(crate) fn scraped(
    folder: &Path,
    store: &Store,
    paths: &[&str],
    flags: &[&str],
    test: impl FnOnce(&Scraped<'_>),
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = listener.local_addr().unwrap();
    let over = AtomicBool::new(false);
    /// Ends the other thread also when the test panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let _ends = Over(&over);
        let serving = scope.spawn(|| serve(&listener, store, &over));
        let server = Server::start(folder, target, paths, flags);
        test(&Scraped {
            server: &server,
            log: &folder.join("log"),
            begun: Instant::now(),
            is_answered: &|| !serving.is_finished(),
        });
    });
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
        let format = wanted(&String::from_utf8_lossy(&request));
        let body = format.encode(&view);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            format.content_type(),
            body.len()
        );
        // A scraper that has gone asks again.
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    }
}

fn wanted(request: &str) -> Format {
    if request.starts_with("GET /openmetrics ") {
        return Format::OpenMetrics;
    }
    if request.starts_with("GET /prometheus ") {
        return Format::Prometheus;
    }
    let mut headers = request.lines().filter_map(|line| line.split_once(": "));
    let accept = headers.find(|(name, _)| name.eq_ignore_ascii_case("accept"));
    negotiate(accept.map(|(_, value)| value))
}
