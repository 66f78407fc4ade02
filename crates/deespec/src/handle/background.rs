//! The background thread of a long-lived process: about once a second it makes what was counted
//! durable and publishes it, unless another process has just done so.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::snapshot::{locked, publish};
use crate::store::Core;

/// A running background thread; dropping it stops the thread after a last publication.
pub(super) struct Background {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    pub(super) fn start(core: Arc<Core>, every: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("deespec-sync".into())
            .spawn(move || {
                // Woken more often than it publishes, so that the lag stays near one interval when
                // another process published in between.
                while stopped.recv_timeout(every / 4) == Err(RecvTimeoutError::Timeout) {
                    let since = core.now_ns().saturating_sub(core.flushed_at_ns());
                    if u128::from(since) * 4 >= every.as_nanos() * 3 {
                        publish_changes(&core);
                    }
                }
                publish_changes(&core);
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// Publishes when something was counted since the last publication by any process. An error is
/// not lost: the store is degraded, or `metrics.json` is foreign, and both show in its health.
fn publish_changes(core: &Core) {
    let (_, published) = core.published();
    if core.state().is_ok_and(|state| state == published) {
        return;
    }
    let done = locked(core).and_then(|exclusive| publish(&exclusive).map(drop));
    if done.is_err() {
        // What cannot be published can still be made durable.
        let _ = core.flush();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
