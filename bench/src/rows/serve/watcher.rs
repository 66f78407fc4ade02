//! The least that tells clients of changes as they happen: a thread that looks at one cell as often as the server
//! looks at its store, and sends as many bytes to each client. Nothing is read, compared or rendered.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::followers::MARKER;
use crate::Result;

/// As `EVERY` in the server's own watcher.
const EVERY: Duration = Duration::from_millis(25);

/// Dropping ends it.
pub(super) struct Watcher {
    pub(super) address: SocketAddr,
    pub(super) marker: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Waits for so many clients, and then tells them of every change, each time of so many series.
    pub(super) fn start(clients: usize, series: usize) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let marker = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (cell, over) = (Arc::clone(&marker), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            // Whoever waits for these clients notices that they get nothing.
            let _ = tell(&listener, clients, series, &cell, &over);
        });
        Ok(Self {
            address,
            marker,
            is_over,
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // It may still wait for a client that never came.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn tell(
    listener: &TcpListener,
    clients: usize,
    series: usize,
    cell: &AtomicU64,
    is_over: &AtomicBool,
) -> std::io::Result<()> {
    let mut streams = Vec::with_capacity(clients);
    while streams.len() < clients && !is_over.load(Ordering::Acquire) {
        let mut stream = greet(listener.accept()?.0)?;
        stream.write_all(message(0, 1).as_bytes())?;
        streams.push(stream);
    }
    let mut told = 0;
    while !is_over.load(Ordering::Acquire) {
        let value = cell.load(Ordering::Acquire);
        if value != told {
            let message = message(value, series);
            for stream in &mut streams {
                stream.write_all(message.as_bytes())?;
            }
            told = value;
        }
        std::thread::sleep(EVERY);
    }
    Ok(())
}

/// Reads a request and begins the answer.
fn greet(mut stream: TcpStream) -> std::io::Result<TcpStream> {
    let mut request = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while request.read_line(&mut line)? > 2 {
        line.clear();
    }
    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")?;
    Ok(stream)
}

/// What the server says of so many series, the marker the last of them.
fn message(value: u64, series: usize) -> String {
    let change = |name: &str| {
        format!(
            r#"{{"name":"{name}","type":"counter","labels":{{"shard":"shard-1234"}},"value":{value},"delta":1}}"#
        )
    };
    let mut changes = vec![change("family_0_total"); series - 1];
    changes.push(change(MARKER));
    format!("data: {{\"changes\":[{}]}}\n\n", changes.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::serve::followers::Followers;

    #[test]
    fn each_client_is_told_of_the_last_value() {
        let watcher = Watcher::start(3, 5).unwrap();
        let followers = Followers::of(watcher.address, 3).unwrap();
        watcher.marker.store(7, Ordering::Release);
        let seen = followers.seen(7).unwrap();
        let last = |seen: &Vec<_>| seen.last().map(|(_, value)| *value);
        assert!(seen.iter().all(|seen| last(seen) == Some(7)), "{seen:?}");
    }

    #[test]
    fn one_that_nobody_asks_ends_too() {
        drop(Watcher::start(1, 1).unwrap());
    }
}
