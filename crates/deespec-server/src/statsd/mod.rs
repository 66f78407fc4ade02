//! A listener for statsd clients: whatever can send a datagram counts. Two threads a socket, beside the runtime: one reads and
//! counts, the other makes new series, for which it may wait for the store's lock.
//!
//! `socket` (UDP, and the file of a Unix socket) → this (threads) → `line` (the protocol) → `count` (cells) → `series` (which,
//! and new ones); `rejected` has what could not be counted, `drops` what the kernel threw away.

mod count;
mod drops;
mod line;
mod rejected;
mod series;
mod socket;

use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use deespec::Store;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::config::{Config, Events, Served, Statsd};
use crate::error::Error;

use count::{Counting, DATAGRAM_BYTES};
use rejected::{Reason, Rejected};
use socket::Socket;

/// How often losses are looked for while something comes.
const LOOK: Duration = Duration::from_secs(1);
/// How long what still comes is counted when the server ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// More datagrams than wait in a socket. Whoever goes on sending does not keep the server from its end.
const UNREAD: u64 = 100_000;
/// How long to wait after an error that nobody expects.
const SHORTAGE: Duration = Duration::from_millis(50);

/// Fails where other machines can reach an address: no statsd client knows a token.
///
/// # Errors
///
/// [`Error::StatsdOpen`].
pub fn may_count(address: &Statsd, insecure: bool) -> Result<(), Error> {
    match *address {
        Statsd::Udp(address) if !address.ip().is_loopback() && !insecure => {
            Err(Error::StatsdOpen { address })
        }
        _ => Ok(()),
    }
}

/// The threads that listen. When this is dropped, they count what was sent before, and end.
pub(crate) struct Listeners {
    ending: Arc<AtomicBool>,
    /// Its end wakes the threads.
    wake: Option<PipeWriter>,
    threads: Vec<JoinHandle<()>>,
}

impl Listeners {
    /// Listens at all addresses of the configuration, which may have none.
    pub(crate) fn start(config: &Config, events: &Arc<dyn Events>) -> Result<Self, Error> {
        let (wakes, wake) = io::pipe().map_err(Error::Runtime)?;
        let mut listeners = Self {
            ending: Arc::default(),
            wake: Some(wake),
            threads: Vec::new(),
        };
        if config.statsd.is_empty() {
            return Ok(listeners);
        }
        let [Served { store, .. }] = config.stores.as_slice() else {
            return Err(Error::StatsdStores);
        };
        let rejected = Rejected::new(store, Arc::clone(events)).map_err(Error::StatsdCounters)?;
        let rejected = Arc::new(rejected);
        for address in &config.statsd {
            let wakes = wakes.try_clone().map_err(Error::Runtime)?;
            let listening = listeners.listen(address, config, store, &rejected, wakes)?;
            events.counting(&listening);
        }
        Ok(listeners)
    }

    fn listen(
        &mut self,
        address: &Statsd,
        config: &Config,
        store: &Store,
        rejected: &Arc<Rejected>,
        wakes: PipeReader,
    ) -> Result<Statsd, Error> {
        may_count(address, config.insecure)?;
        let new = config.limits.statsd;
        let fail = |source| Error::Statsd {
            address: address.clone(),
            source,
        };
        let counting = Counting::new(store, rejected, new)?;
        let group = store.health().ok().and_then(|health| health.shared_with);
        let socket = Socket::open(address, group).map_err(fail)?;
        let listening = socket.address().map_err(fail)?;
        let listener = Listener {
            socket,
            woken: counting.woken(),
            counting,
            wakes,
            ending: Arc::clone(&self.ending),
        };
        let thread = std::thread::Builder::new().name("deespec-statsd".to_owned());
        let thread = thread.spawn(|| listener.run()).map_err(Error::Runtime)?;
        self.threads.push(thread);
        Ok(listening)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        drop(self.wake.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// What one thread has.
struct Listener {
    socket: Socket,
    counting: Counting,
    woken: Arc<UnixDatagram>,
    wakes: PipeReader,
    ending: Arc<AtomicBool>,
}

impl Listener {
    fn run(mut self) {
        // One byte more tells what is too long.
        let mut buffer = vec![0; DATAGRAM_BYTES + 1];
        // When to look for losses; `None` while nothing has come since the last look.
        let mut look: Option<Instant> = None;
        let mut end: Option<Instant> = None;
        loop {
            if end.is_none() && self.ending.load(Ordering::Acquire) {
                self.socket.close();
                end = Some(Instant::now() + FAREWELL);
            }
            match self.socket.receive(&mut buffer) {
                Ok(length) => {
                    self.counting.datagram(&buffer[..length]);
                    if self.counting.is_waiting() {
                        self.counting.resume();
                    }
                    look.get_or_insert_with(|| Instant::now() + LOOK);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match end {
                    // What was sent is read; some of it may wait for its series.
                    Some(_) if !self.counting.is_waiting() => break,
                    Some(end) => self.wait(Some(end)),
                    None => self.wait(look),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if end.is_some() => break,
                Err(_) => std::thread::sleep(SHORTAGE),
            }
            if look.is_some_and(|look| look <= Instant::now()) {
                self.look();
                look = None;
            }
            if end.is_some_and(|end| end <= Instant::now()) {
                break;
            }
        }
        self.counting.give_up();
        self.leave(&mut buffer);
        self.look();
    }

    /// Tells what there was no time to read.
    fn leave(&mut self, buffer: &mut [u8]) {
        let mut unread = 0;
        while unread < UNREAD && self.socket.receive(buffer).is_ok() {
            unread += 1;
        }
        if unread > 0 {
            self.counting.reject(Reason::Dropped, unread, b"");
        }
    }

    /// Until something comes, the server ends, or it is time to look for losses.
    fn wait(&mut self, until: Option<Instant>) {
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut all = vec![PollFd::new(&*self.woken, PollFlags::IN)];
        // Once the server ends, the others would be readable for good.
        if !self.ending.load(Ordering::Acquire) {
            all.push(PollFd::new(&self.socket, PollFlags::IN));
            all.push(PollFd::new(&self.wakes, PollFlags::IN));
        }
        // An error is a signal, or told by the next receive.
        let _ = poll(&mut all, timeout.as_ref());
        drop(all);
        self.counting.resume();
    }

    fn look(&mut self) {
        let dropped = self.socket.dropped();
        if dropped > 0 {
            self.counting.reject(Reason::Dropped, dropped, b"");
        }
    }
}
