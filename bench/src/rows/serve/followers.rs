//! Clients that follow changes as Server-Sent Events, each with a thread of its own that notes when it has
//! read what. What they read is looked at as little as possible, since they share the cores with the server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;
use crate::server::PATIENCE;

/// The counter whose value tells a client what it has seen.
pub(crate) const MARKER: &str = "bench_marker_total";

/// Clients that are all there; dropping sends them home.
pub(crate) struct Followers(Vec<Follower>);

struct Follower {
    stream: TcpStream,
    thread: Option<JoinHandle<Seen>>,
    /// The last value of the marker that it has read.
    last: Arc<AtomicU64>,
}

/// The values of the marker that a client has read, and when it had read the whole message.
pub(crate) type Seen = Vec<(Instant, u64)>;

impl Followers {
    /// Returns when each of so many clients has read the first view.
    pub(crate) fn of(server: SocketAddr, count: usize) -> Result<Self> {
        let (ready, is_ready) = mpsc::channel();
        let mut followers = Self(Vec::new());
        for _ in 0..count {
            let mut stream = TcpStream::connect(server)?;
            // An answer of this version comes without chunks. One write, since a request in pieces would wait
            // for the other side's word on the first of them.
            let request = format!("GET /api/v1/live HTTP/1.0\r\nHost: {server}\r\n\r\n");
            stream.write_all(request.as_bytes())?;
            let (reader, ready) = (BufReader::new(stream.try_clone()?), ready.clone());
            let last = Arc::new(AtomicU64::new(0));
            let told = Arc::clone(&last);
            let thread = std::thread::spawn(move || read(reader, &ready, &told));
            let thread = Some(thread);
            followers.0.push(Follower {
                stream,
                thread,
                last,
            });
        }
        for _ in 0..count {
            is_ready.recv_timeout(PATIENCE).map_err(|_| {
                format!("not each of {count} clients that follow changes got a first view")
            })?;
        }
        Ok(followers)
    }

    /// What each of them has read, once each has read this value of the marker.
    pub(crate) fn seen(mut self, value: u64) -> Result<Vec<Seen>> {
        let begun = Instant::now();
        let is_there = |follower: &Follower| follower.last.load(Ordering::Acquire) >= value;
        while !self.0.iter().all(is_there) {
            if begun.elapsed() > PATIENCE {
                return Err(format!("not each client has read change {value}").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let go_home = |follower: &mut Follower| {
            let _ = follower.stream.shutdown(Shutdown::Both);
            let seen = follower.thread.take().and_then(|thread| thread.join().ok());
            Ok(seen.ok_or("a client that follows changes panicked")?)
        };
        self.0.iter_mut().map(go_home).collect()
    }
}

/// The life of a client: until its connection ends.
fn read(mut reader: BufReader<TcpStream>, ready: &Sender<()>, last: &AtomicU64) -> Seen {
    let mut seen = Vec::new();
    let mut line = String::new();
    let mut is_first = true;
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        if let Some(data) = line.strip_prefix("data: ") {
            let now = Instant::now();
            if let Some(value) = marker(data) {
                seen.push((now, value));
                last.store(value, Ordering::Release);
            }
            if is_first {
                is_first = false;
                let _ = ready.send(());
                // The whole view is as long as a book; nothing after it is.
                line = String::new();
            }
        }
        line.clear();
    }
    seen
}

/// The value of the marker among changes.
fn marker(data: &str) -> Option<u64> {
    let (_, behind) = data.split_once(MARKER)?;
    let (_, value) = behind.split_once("\"value\":")?;
    let end = value.find(|c: char| !c.is_ascii_digit())?;
    value[..end].parse().ok()
}

impl Drop for Followers {
    fn drop(&mut self) {
        for follower in &mut self.0 {
            let _ = follower.stream.shutdown(Shutdown::Both);
            if let Some(thread) = follower.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_found_among_changes() {
        let change = |name: &str, value: u64| {
            format!(
                r#"{{"name":"{name}","type":"counter","labels":{{}},"value":{value},"delta":1}}"#
            )
        };
        let changes = [
            change("a_total", 7),
            change(MARKER, 42),
            change("z_total", 8),
        ];
        let data = format!(r#"{{"store":"a","changes":[{}]}}"#, changes.join(","));
        assert_eq!(marker(&data), Some(42));
        assert_eq!(marker(&change("a_total", 7)), None);
    }
}
