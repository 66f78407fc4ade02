//! Something that a real Prometheus scrapes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deespec::Store;
use deespec::exposition::{Format, negotiate};

pub(crate) use crate::prometheus::{LIMIT, Server};

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
