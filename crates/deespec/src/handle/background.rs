//! The background thread of a long-lived process: about once a second it makes what was counted
//! durable and publishes it, unless another process has just done so.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;
use crate::snapshot::{locked, publish};
use crate::store::Core;

/// A running background thread; dropping it stops the thread after a last publication.
pub(super) struct Background {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    process: u32,
    failure: Arc<Mutex<Option<String>>>,
}

/// No more often than this, however often it is asked for.
const SHORTEST: Duration = Duration::from_millis(10);

/// How often the blocks of a store are separated from those of a copy, where they may come to be shared.
const GUARDED: Duration = Duration::from_secs(1);

impl Background {
    pub(super) fn start(core: Arc<Core>, every: Duration) -> std::io::Result<Self> {
        let every = every.max(SHORTEST);
        let (stop, stopped) = mpsc::channel::<()>();
        let noted = Arc::new(Mutex::new(None));
        let failure = Arc::clone(&noted);
        let thread = std::thread::Builder::new()
            .name("deespec-sync".into())
            .spawn(move || {
                let is_long = |since: u128| since * 4 >= every.as_nanos() * 3;
                let mut tried = None::<Instant>;
                // Woken more often than it publishes, so that the lag stays near one interval when
                // another process published in between. A flush alone, which every scrape is, publishes
                // nothing.
                let mut guarded = Instant::now();
                let tick = match core.is_guarded() {
                    true => every.min(GUARDED) / 4,
                    false => every / 4,
                };
                while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                    // Whether or not anything is counted here: the next increment may be.
                    if core.is_guarded() && guarded.elapsed() * 4 >= GUARDED * 3 {
                        guarded = Instant::now();
                        if let Err(error) = core.keep_apart() {
                            note(&failure, Err(error.into()));
                        }
                    }
                    // A time in the future is that of a clock which has gone back since.
                    let since = core.now_ns().checked_sub(core.published_at_ns());
                    let is_due = since.is_none_or(|since| is_long(since.into()));
                    // Nothing may have changed for long, or what is published may not be ours.
                    if is_due && tried.is_none_or(|tried| is_long(tried.elapsed().as_nanos())) {
                        tried = Some(Instant::now());
                        note(&failure, publish_changes(&core));
                    }
                }
                note(&failure, publish_changes(&core));
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            process: std::process::id(),
            failure: noted,
        })
    }
}

/// Publishes when something was counted since the last publication by any process.
fn publish_changes(core: &Core) -> Result<()> {
    if core.state()? == core.published_state() {
        return Ok(());
    }
    let done = locked(core).and_then(|exclusive| publish(&exclusive).map(drop));
    if done.is_err() {
        // What cannot be published can still be made durable.
        core.flush()?;
    }
    done
}

/// Keeps why the last attempt failed, for the health of the store.
fn note(failure: &Mutex<Option<String>>, done: Result<()>) {
    let text = done.err().map(|error| error.to_string());
    *failure.lock().unwrap_or_else(PoisonError::into_inner) = text;
}

impl Background {
    /// Why the last publication of this thread failed.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.process != std::process::id() {
            // A forked child has no such thread: waiting for it would never end.
            return;
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
